package mjpeg

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"watchpost/engine/frame"
)

var (
	grey   = [][2]byte{{1, 1}}
	yuv444 = [][2]byte{{1, 1}, {1, 1}, {1, 1}}
	yuv422 = [][2]byte{{2, 1}, {1, 1}, {1, 1}}
	yuv420 = [][2]byte{{2, 2}, {1, 1}, {1, 1}}
	yuv440 = [][2]byte{{1, 2}, {1, 1}, {1, 1}}
	yuv411 = [][2]byte{{4, 1}, {1, 1}, {1, 1}}
)

// luma gives a picture to image/jpeg, with the standard tables where it has none.
func luma(t testing.TB, pic []byte) *image.Gray {
	t.Helper()
	if h := ReadHeader(pic); !h.Tables {
		pic = WithTables(pic, h)
	}
	img, err := jpeg.Decode(bytes.NewReader(pic))
	if err != nil {
		t.Fatal("image/jpeg:", err)
	}
	switch img := img.(type) {
	case *image.Gray:
		return img
	case *image.YCbCr:
		return &image.Gray{Pix: img.Y, Stride: img.YStride, Rect: img.Rect}
	}
	t.Fatalf("%T", img)
	return nil
}

// far counts the whole blocks of a plane by how far they are from the means of
// the samples that image/jpeg decodes, with or without those where it may have
// clipped one.
func far(t testing.TB, p *frame.Plane, pic []byte, clipped bool) (n [256]int) {
	t.Helper()
	img := luma(t, pic)
	if img.Rect.Dx() != p.PicWidth || img.Rect.Dy() != p.PicHeight {
		t.Fatalf("%dx%d, image/jpeg has %v", p.PicWidth, p.PicHeight, img.Rect)
	}
	for y := range p.PicHeight / 8 {
		for x := range p.PicWidth / 8 {
			sum, end := 0, false
			for i := range 64 {
				v := img.Pix[(y*8+i/8)*img.Stride+x*8+i%8]
				sum += int(v)
				end = end || v == 0 || v == 255
			}
			if end && !clipped {
				continue
			}
			n[abs(int(p.Pix[y*p.Width+x])-(sum+32)/64)]++
		}
	}
	return n
}

func farthest(n [256]int) int {
	for i := 255; i > 0; i-- {
		if n[i] > 0 {
			return i
		}
	}
	return 0
}

// TestEverySequentialJPEG holds the plane against the coefficients that were
// written, and against image/jpeg where it can read the picture.
func TestEverySequentialJPEG(t *testing.T) {
	var d Decoder
	var p frame.Plane
	seed := uint64(0)
	try := func(s sample) {
		t.Helper()
		seed++
		s.seed = seed
		if s.quant == 0 {
			s.quant = 8
		}
		pic, want, _ := s.encode()
		if err := d.Luma(&p, pic); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		if len(p.Unknown) > 0 || !bytes.Equal(p.Pix, want) || p.PicWidth != s.w || p.PicHeight != s.h || p.Scale != 8 || p.Width != (s.w+7)/8 {
			t.Fatalf("%+v: the plane is not what was coded", s)
		}
		// image/jpeg counts MCUs of scans that are not interleaved wrongly for
		// restarts; large coefficients are too much for its arithmetic.
		if s.apart && s.restart > 0 || s.loud*s.busy > 400 {
			return
		}
		if n := far(t, &p, pic, false); farthest(n) > 1 {
			t.Fatalf("%+v: off by %d", s, farthest(n))
		}
	}
	sizes := [][2]int{{64, 48}, {8, 8}, {1, 1}, {7, 9}, {65, 33}, {160, 17}, {33, 120}}
	for _, sampling := range [][][2]byte{grey, yuv444, yuv422, yuv420, yuv440, yuv411} {
		for _, size := range sizes {
			for _, restart := range []int{0, 1, 3, 7} {
				for _, apart := range []bool{false, true} {
					s := sample{w: size[0], h: size[1], sampling: sampling, restart: restart, apart: apart}
					try(s)
					s.quant, s.busy, s.loud = 16, 5, 2
					s.noTables = true
					try(s)
					s.noTables, s.chromaFirst = false, apart
					s.quant, s.busy, s.loud = 1, 64, 1
					s.shuffled = seed
					try(s)
					s.quant, s.busy, s.loud = 3, 64, 1023
					s.fill = true
					try(s)
					s.wide, s.extended, s.quant = true, true, 700
					try(s)
				}
			}
		}
	}
	try(sample{w: 64, h: 64, sampling: [][2]byte{{2, 2}}, quant: 2}) // the factors of grey alone mean nothing
	try(sample{w: 3000, h: 20, sampling: yuv422, restart: 500})
}

// TestClippedBlocks: where samples are clipped the mean stays within the root mean
// square of what the encoder rounded away (doc.go), and it is told when it does not.
func TestClippedBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	img := image.NewGray(image.Rect(0, 0, 640, 480))
	for i := range img.Pix { // black and white, the worst there is
		if r.IntN(2) == 0 != (i%640 < 320 && r.IntN(8) > 0) {
			img.Pix[i] = 255
		}
	}
	var d Decoder
	var p frame.Plane
	for _, quality := range []int{20, 50, 80, 95} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		if err := d.Luma(&p, b.Bytes()); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		s, _ := next(b.Bytes(), 2)
		for _, q := range s.body[1:65] {
			sum += float64(q) * float64(q)
		}
		n := far(t, &p, b.Bytes(), true)
		if s.marker != DQT || float64(farthest(n)) > math.Sqrt(sum)/16+1 {
			t.Errorf("quality %d: off by %d, where %.1f are the most", quality, farthest(n), math.Sqrt(sum)/16+1)
		}
		t.Logf("quality %d: off by %d at most, bound %.1f; blocks by distance %v", quality, farthest(n), math.Sqrt(sum)/16+1, n[:12])
	}
}

// TestEdgeBlocks: a block that the edge cuts is the whole coded block.
func TestEdgeBlocks(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 20, 12))
	for i := range img.Pix {
		img.Pix[i] = byte(60 + i%20*5)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	var d Decoder
	var p frame.Plane
	if err := d.Luma(&p, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	// Columns 16 to 19 are 140 to 155; the encoder repeats the last one.
	want := (140 + 145 + 150 + 5*155) / 8
	for _, at := range []int{2, 5} {
		if abs(int(p.Pix[at])-want) > 1 {
			t.Errorf("block %d is %d, want %d", at, p.Pix[at], want)
		}
	}
}

func TestWhatItLeavesToOthers(t *testing.T) {
	base := sample{w: 32, h: 32, sampling: yuv444, quant: 8}
	adobe := func(transform byte) []byte {
		pic, _, _ := base.encode()
		return append(append([]byte{0xFF, SOI, 0xFF, APP14, 0, 14}, "Adobe\x00\x64\x00\x00\x00\x00"+string(transform)...), pic[2:]...)
	}
	jfif := func(pic []byte) []byte {
		return append([]byte("\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"), pic[2:]...)
	}
	with := func(f func(*sample)) []byte { s := base; f(&s); pic, _, _ := s.encode(); return pic }
	sof := func(m byte, precision byte) []byte {
		pic := with(func(*sample) {})
		i := bytes.Index(pic, []byte{0xFF, SOF0})
		pic[i+1], pic[i+4] = m, precision
		return pic
	}
	for name, tt := range map[string]struct {
		pic   []byte
		other bool
		good  bool
		says  string
	}{
		"progressive":     {with(func(s *sample) { s.progressive = true }), true, false, ""},
		"RGB by names":    {with(func(s *sample) { s.ids = "RGB" }), true, false, ""},
		"not RGB, JFIF":   {jfif(with(func(s *sample) { s.ids = "RGB" })), false, true, ""},
		"RGB by Adobe":    {adobe(0), true, false, ""},
		"YCbCr by Adobe":  {adobe(1), false, true, ""},
		"CMYK":            {with(func(s *sample) { s.sampling = append(slices.Clone(yuv444), [2]byte{1, 1}) }), true, false, ""},
		"arithmetic":      {sof(SOF0+9, 8), false, false, "arithmetic coding"},
		"lossless":        {sof(SOF0+3, 8), false, false, "lossless"},
		"12 bits":         {sof(SOF1, 12), false, false, "of 12 bits"},
		"chroma at twice": {with(func(s *sample) { s.sampling = [][2]byte{{1, 1}, {2, 1}, {2, 1}} }), false, false, "damaged"},
	} {
		var d Decoder
		var p frame.Plane
		err := d.Luma(&p, tt.pic)
		if (err == nil) != tt.good || errors.Is(err, ErrOther) != tt.other {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !tt.other && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %q does not say %q", name, err, tt.says)
		}
	}
}

// TestTables: many pictures, each with tables of its own, through one decoder.
func TestTables(t *testing.T) {
	var d Decoder
	var p frame.Plane
	for i := range 40 {
		s := sample{w: 40, h: 40, sampling: yuv420, quant: 4, busy: 20, loud: 30, shuffled: uint64(i % 7), seed: uint64(i)}
		pic, want, _ := s.encode()
		if err := d.Luma(&p, pic); err != nil || !bytes.Equal(p.Pix, want) {
			t.Fatalf("picture %d: %v", i, err)
		}
		if len(d.tables) > maxTables {
			t.Fatal(len(d.tables))
		}
	}
}

func TestNoAllocation(t *testing.T) {
	pic, _, _ := sample{w: 640, h: 480, sampling: yuv422, quant: 8, busy: 9, loud: 30, restart: 40}.encode()
	cut := pic[:len(pic)/2]
	var d Decoder
	var p frame.Plane
	for name, data := range map[string][]byte{"whole": pic, "cut": cut} {
		if n := testing.AllocsPerRun(20, func() {
			if err := d.Luma(&p, data); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a picture", name, n)
		}
	}
}

func TestDecoderAfterImageJPEGsEncoder(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 333, 222))
	for y := range 222 {
		for x := range 333 {
			img.Set(x, y, color.RGBA{byte(40 + x/2), byte(90 + y/2), byte(60 + (x+y)%60), 255})
		}
	}
	var d Decoder
	var p frame.Plane
	for _, quality := range []int{1, 25, 75, 100} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		if err := d.Luma(&p, b.Bytes()); err != nil {
			t.Fatal(err)
		}
		if n := far(t, &p, b.Bytes(), true); farthest(n) > 1 {
			t.Errorf("quality %d: off by %d", quality, farthest(n))
		}
	}
}

// TestChroma holds both colours against image/jpeg, however they are sampled.
func TestChroma(t *testing.T) {
	var d Decoder
	var p [2]frame.Plane
	seed := uint64(100)
	for _, sampling := range [][][2]byte{yuv444, yuv422, yuv420, yuv440, yuv411} {
		for _, size := range [][2]int{{64, 48}, {160, 17}, {33, 120}, {65, 33}} {
			for _, apart := range []bool{false, true} {
				seed++
				s := sample{w: size[0], h: size[1], sampling: sampling, apart: apart, quant: 8, seed: seed}
				pic, _, _ := s.encode()
				if err := d.Chroma(&p[0], &p[1], pic); err != nil {
					t.Fatalf("%+v: %v", s, err)
				}
				img, err := jpeg.Decode(bytes.NewReader(pic))
				if err != nil {
					t.Fatal(err)
				}
				c := img.(*image.YCbCr)
				w := (s.w*int(sampling[1][0]) + int(sampling[0][0]) - 1) / int(sampling[0][0])
				h := (s.h*int(sampling[1][1]) + int(sampling[0][1]) - 1) / int(sampling[0][1])
				for k, pix := range [][]byte{c.Cb, c.Cr} {
					if p[k].Width != (w+7)/8 || p[k].Height != (h+7)/8 || len(p[k].Unknown) > 0 {
						t.Fatalf("%+v: %d x %d blocks", s, p[k].Width, p[k].Height)
					}
					for y := range h / 8 {
						for x := range w / 8 {
							if got, want := p[k].Pix[y*p[k].Width+x], pix[y*8*c.CStride+x*8]; abs(int(got)-int(want)) > 1 {
								t.Fatalf("%+v: plane %d has %d at %d, %d, want %d", s, k, got, x, y, want)
							}
						}
					}
				}
			}
		}
	}
	pic, _, _ := sample{w: 64, h: 48, sampling: grey, quant: 8}.encode()
	if err := d.Chroma(&p[0], &p[1], pic); err == nil {
		t.Error("a grey picture has colours")
	}
}
