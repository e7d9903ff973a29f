package hw

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"strings"
	"testing"

	"watchpost/engine/frame"
	"watchpost/hw/mjpeg"
)

// stripTables takes the Huffman tables out of a JPEG, as many cameras do.
func stripTables(t testing.TB, pic []byte) []byte {
	t.Helper()
	out := bytes.Clone(pic[:2])
	for i := 2; i < len(pic); {
		n := 2 + int(pic[i+2])<<8 + int(pic[i+3])
		if pic[i+1] == mjpeg.SOS {
			return append(out, pic[i:]...)
		}
		if pic[i+1] != mjpeg.DHT {
			out = append(out, pic[i:i+n]...)
		}
		i += n
	}
	t.Fatal("no scan")
	return nil
}

// random returns a frame of noise, lines padded by pad bytes.
func random(form frame.Format, w, h, pad int) *frame.Frame {
	f := &frame.Frame{Format: form, Width: w, Height: h, Stride: w + pad}
	cw, ch := (w+1)/2, (h+1)/2
	if f.Stride%2 != 0 && form != frame.GREY {
		f.Stride++
	}
	n := f.Stride * h
	switch form {
	case frame.YUYV, frame.UYVY:
		f.Stride = 4*cw + pad
		n = f.Stride * h
	case frame.NV12:
		n += f.Stride * ch
	case frame.YU12:
		n += 2 * (f.Stride / 2) * ch
	}
	r := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	f.Data = make([]byte, n)
	for i := range f.Data {
		f.Data[i] = byte(r.Uint32())
	}
	return f
}

// lumaAt reads one luma sample, by the formats' definition.
func lumaAt(f *frame.Frame, x, y int) int {
	switch f.Format {
	case frame.YUYV:
		return int(f.Data[y*f.Stride+2*x])
	case frame.UYVY:
		return int(f.Data[y*f.Stride+2*x+1])
	}
	return int(f.Data[y*f.Stride+x])
}

func TestLumaIsTheBlockMean(t *testing.T) {
	for _, form := range []frame.Format{frame.YUYV, frame.UYVY, frame.NV12, frame.YU12, frame.GREY} {
		for _, size := range [][3]int{{64, 48, 0}, {640, 480, 32}, {641, 483, 6}, {8, 8, 0}, {7, 5, 0}, {1, 1, 0}, {17, 9, 2}} {
			f := random(form, size[0], size[1], size[2])
			var p frame.Plane
			if err := (Pictures{}).Luma(&p, f); err != nil {
				t.Fatalf("%s %v: %v", form, size, err)
			}
			if p.PicWidth != size[0] || p.PicHeight != size[1] || p.Scale != 8 || len(p.Pix) != p.Width*p.Height || p.Width != (size[0]+7)/8 {
				t.Fatalf("%s %v: %+v", form, size, p)
			}
			for by := range p.Height {
				for bx := range p.Width {
					sum, n := 0, 0
					for y := by * 8; y < min(by*8+8, f.Height); y++ {
						for x := bx * 8; x < min(bx*8+8, f.Width); x++ {
							sum += lumaAt(f, x, y)
							n++
						}
					}
					if want := (sum + n/2) / n; int(p.Pix[by*p.Width+bx]) != want {
						t.Fatalf("%s %v: block %d,%d is %d, want %d", form, size, bx, by, p.Pix[by*p.Width+bx], want)
					}
				}
			}
		}
	}
}

func TestLumaOfJPEG(t *testing.T) {
	colour := testJPEG(t, 100, 60, 3)
	var b bytes.Buffer
	grey := image.NewGray(image.Rect(0, 0, 33, 17))
	for i := range grey.Pix {
		grey.Pix[i] = byte(i * 7)
	}
	if err := jpeg.Encode(&b, grey, nil); err != nil {
		t.Fatal(err)
	}
	for name, pic := range map[string][]byte{
		"colour":         colour,
		"padded":         append(bytes.Clone(colour), make([]byte, 500)...),
		"without tables": stripTables(t, colour),
		"grey":           b.Bytes(),
	} {
		ref := colour
		if name == "grey" {
			ref = pic
		}
		img, err := jpeg.Decode(bytes.NewReader(ref))
		if err != nil {
			t.Fatal(err)
		}
		var p frame.Plane
		if err := (Pictures{}).Luma(&p, &frame.Frame{Format: frame.MJPEG, Data: pic}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w, h := img.Bounds().Dx(), img.Bounds().Dy()
		if p.PicWidth != w || p.PicHeight != h {
			t.Errorf("%s: %dx%d", name, p.PicWidth, p.PicHeight)
		}
		for by := range h / 8 {
			for bx := range w / 8 { // at the edges the encoder's padding is in it
				sum, n := 0, 0
				for y := by * 8; y < by*8+8; y++ {
					for x := bx * 8; x < bx*8+8; x++ {
						switch img := img.(type) {
						case *image.YCbCr:
							sum += int(img.Y[img.YOffset(x, y)])
						case *image.Gray:
							sum += int(img.GrayAt(x, y).Y)
						}
						n++
					}
				}
				if d := int(p.Pix[by*p.Width+bx]) - (sum+n/2)/n; d < -1 || d > 1 {
					t.Fatalf("%s: block %d,%d is off by %d", name, bx, by, d)
				}
			}
		}
	}
}

// TestDamagedFrames: an error that says so, from both, and never a crash.
func TestDamagedFrames(t *testing.T) {
	pic := testJPEG(t, 64, 48, 1)
	cut := func(f *frame.Frame, n int) *frame.Frame { f.Data = f.Data[:n]; return f }
	yuyv := random(frame.YUYV, 64, 48, 0)
	yuyv.Stride = 100
	tests := map[string]*frame.Frame{
		"empty JPEG":      {Format: frame.MJPEG},
		"JPEG start lost": {Format: frame.MJPEG, Data: pic[2:]},
		"JPEG no header":  {Format: frame.MJPEG, Data: append(append([]byte{0xFF, 0xD8, 0xFF}, make([]byte, 300)...), 0xFF, 0xD9)},
		"short YUYV":      cut(random(frame.YUYV, 64, 48, 0), 64*48*2-1),
		"narrow YUYV":     yuyv,
		"short NV12":      cut(random(frame.NV12, 64, 48, 0), 64*72-1),
		"short YU12":      cut(random(frame.YU12, 64, 48, 0), 64*72-1),
		"short GREY":      cut(random(frame.GREY, 64, 48, 0), 64*48-1),
		"no size":         {Format: frame.GREY, Data: []byte{1}},
		"vast size":       {Format: frame.GREY, Width: 1 << 40, Height: 1 << 40},
		"no format":       {Width: 8, Height: 8, Data: make([]byte, 1000)},
	}
	for name, f := range tests {
		var p frame.Plane
		if err := (Pictures{}).Luma(&p, f); err == nil {
			t.Errorf("%s: Luma took it", name)
		}
		if _, err := (Pictures{}).JPEG(f, 80); err == nil {
			t.Errorf("%s: JPEG took it", name)
		}
	}
}

// TestPartOfAnMJPEGFrame: what can be read of a damaged one is, and it is kept.
func TestPartOfAnMJPEGFrame(t *testing.T) {
	pic := testJPEG(t, 64, 48, 1)
	var whole, p frame.Plane
	if err := (Pictures{}).Luma(&whole, &frame.Frame{Format: frame.MJPEG, Data: pic}); err != nil {
		t.Fatal(err)
	}
	middle := bytes.Clone(pic)
	copy(middle[len(middle)/2:], "\xFF\xC0\xFF\xC0\xFF\xC0")
	for name, data := range map[string][]byte{
		"cut":            pic[:len(pic)/2],
		"cut, zeros":     append(bytes.Clone(pic[:len(pic)/2]), make([]byte, 200)...),
		"in the middle":  middle,
		"cut, no tables": stripTables(t, pic)[:len(pic)/3],
	} {
		f := &frame.Frame{Format: frame.MJPEG, Data: data}
		if err := (Pictures{}).Luma(&p, f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(p.Unknown) != len(p.Pix) || p.Unknown[0] != 0 || p.Unknown[47] != 1 {
			t.Fatalf("%s: unknown is %v", name, p.Unknown)
		}
		for i, u := range p.Unknown {
			if u == 0 && p.Pix[i] != whole.Pix[i] {
				t.Errorf("%s: block %d is %d, was %d", name, i, p.Pix[i], whole.Pix[i])
			}
		}
		out, err := (Pictures{}).JPEG(f, 80)
		if err != nil || !bytes.HasSuffix(out, []byte{0xFF, mjpeg.EOI}) {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
	// Of what stops with its header there is nothing.
	h := mjpeg.ReadHeader(pic)
	for _, n := range []int{h.Scan, h.Scan + 14} {
		if err := (Pictures{}).Luma(&p, &frame.Frame{Format: frame.MJPEG, Data: pic[:n]}); !errors.Is(err, errDamaged) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestLumaOfOtherJPEG: what image/jpeg alone can read: RGB, and progressive (its
// DC coefficients only, black above white).
func TestLumaOfOtherJPEG(t *testing.T) {
	rgb := testJPEG(t, 64, 48, 1)
	sof, sos := bytes.Index(rgb, []byte{0xFF, mjpeg.SOF0}), bytes.Index(rgb, []byte{0xFF, mjpeg.SOS})
	for i, c := range []byte("RGB") {
		rgb[sof+10+3*i], rgb[sos+5+2*i] = c, c
	}
	img, err := jpeg.Decode(bytes.NewReader(rgb))
	if err != nil {
		t.Fatal(err)
	}
	var p frame.Plane
	if err := (Pictures{}).Luma(&p, &frame.Frame{Format: frame.MJPEG, Data: rgb}); err != nil {
		t.Fatal(err)
	}
	for i, v := range p.Pix {
		sum := 0
		for j := range 64 {
			sum += int(color.GrayModel.Convert(img.At(i%8*8+j%8, i/8*8+j/8)).(color.Gray).Y)
		}
		if d := int(v) - sum/64; d < -1 || d > 1 {
			t.Errorf("RGB: block %d is off by %d", i, d)
		}
	}

	progressive := []byte("\xFF\xD8\xFF\xDB\x00\x43\x00" + strings.Repeat("\x08", 64) +
		"\xFF\xC2\x00\x0B\x08\x00\x10\x00\x08\x01\x01\x11\x00" +
		"\xFF\xC4\x00\x15\x00\x00\x02" + strings.Repeat("\x00", 14) + "\x07\x08" + // codes 00: 7 bits, 01: 8 bits
		"\xFF\xDA\x00\x08\x01\x01\x00\x00\x00\x00" + "\x00\x3F\xDF\xFF\xD9") // 00 0000000: -127, 01 11111110: +254
	progressive = append(progressive[:2:2], append(append([]byte{0xFF, 0xFE, 0, 100}, make([]byte, 98)...), progressive[2:]...)...)
	if err := (Pictures{}).Luma(&p, &frame.Frame{Format: frame.MJPEG, Data: progressive}); err != nil {
		t.Fatal(err)
	}
	if len(p.Pix) != 2 || p.Pix[0] != 1 || p.Pix[1] < 250 {
		t.Errorf("progressive: %v", p.Pix)
	}
}

func TestJPEGPassesMJPEGThrough(t *testing.T) {
	pic := testJPEG(t, 64, 48, 1)
	f := &frame.Frame{Format: frame.MJPEG, Data: append(bytes.Clone(pic), 0, 0, 0)}
	got, err := (Pictures{}).JPEG(f, 10)
	if err != nil || !bytes.Equal(got, pic) {
		t.Fatalf("%d bytes of %d, %v", len(got), len(pic), err)
	}
	clear(f.Data)
	if !bytes.Equal(got, pic) {
		t.Error("it is no copy")
	}
	f.Data = stripTables(t, pic)
	got, err = (Pictures{}).JPEG(f, 80)
	if err != nil {
		t.Fatal(err)
	}
	a, err := jpeg.Decode(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := jpeg.Decode(bytes.NewReader(pic))
	if !bytes.Equal(a.(*image.YCbCr).Y, b.(*image.YCbCr).Y) {
		t.Error("other tables than the standard ones were inserted")
	}
}

// uniform returns a frame of one colour, full or limited range.
func uniform(form frame.Format, y, cb, cr byte) *frame.Frame {
	f := random(form, 32, 32, 0)
	chroma := 32 * 32
	for i := range f.Data {
		v := y
		switch {
		case form == frame.YUYV && i%4 == 1, form == frame.UYVY && i%4 == 0, form == frame.NV12 && i >= chroma && i%2 == 0, form == frame.YU12 && i >= chroma && i < chroma+256:
			v = cb
		case form == frame.YUYV && i%4 == 3, form == frame.UYVY && i%4 == 2, form == frame.NV12 && i >= chroma && i%2 == 1, form == frame.YU12 && i >= chroma+256:
			v = cr
		}
		f.Data[i] = v
	}
	return f
}

func TestJPEGColours(t *testing.T) {
	near := func(a, b uint8) bool { return max(a, b)-min(a, b) <= 2 }
	tests := []struct {
		full         bool
		in, want     [3]byte // Y, Cb, Cr
		greyLumaOnly byte
	}{
		{true, [3]byte{100, 90, 200}, [3]byte{100, 90, 200}, 100},
		{false, [3]byte{16, 128, 128}, [3]byte{0, 128, 128}, 0},
		{false, [3]byte{235, 128, 128}, [3]byte{255, 128, 128}, 255},
		{false, [3]byte{126, 72, 184}, [3]byte{128, 64, 192}, 128},
		{false, [3]byte{3, 128, 128}, [3]byte{0, 128, 128}, 0}, // below black
	}
	for _, form := range []frame.Format{frame.YUYV, frame.UYVY, frame.NV12, frame.YU12, frame.GREY} {
		for _, tt := range tests {
			f := uniform(form, tt.in[0], tt.in[1], tt.in[2])
			f.FullRange = tt.full
			data, err := (Pictures{}).JPEG(f, 95)
			if err != nil {
				t.Fatal(err)
			}
			img, err := jpeg.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if form == frame.GREY {
				if got := img.(*image.Gray).GrayAt(9, 9).Y; !near(got, tt.greyLumaOnly) {
					t.Errorf("GREY %v: %d", tt.in, got)
				}
				continue
			}
			for _, at := range [][2]int{{0, 0}, {31, 31}, {16, 9}} {
				got := img.(*image.YCbCr).YCbCrAt(at[0], at[1])
				if !near(got.Y, tt.want[0]) || !near(got.Cb, tt.want[1]) || !near(got.Cr, tt.want[2]) {
					t.Errorf("%s %v full %v at %v: %v, want %v", form, tt.in, tt.full, at, got, tt.want)
				}
			}
		}
	}
}

// TestJPEGOddSize: edges, padding and a position that is not symmetric.
func TestJPEGOddSize(t *testing.T) {
	for _, form := range []frame.Format{frame.YUYV, frame.UYVY, frame.NV12, frame.YU12, frame.GREY} {
		f := random(form, 37, 21, 8)
		data, err := (Pictures{}).JPEG(f, 80)
		if err != nil {
			t.Fatal(err)
		}
		c, err := jpeg.DecodeConfig(bytes.NewReader(data))
		if err != nil || c.Width != 37 || c.Height != 21 || (c.ColorModel == color.GrayModel) != (form == frame.GREY) {
			t.Errorf("%s: %+v, %v", form, c, err)
		}
	}
}

func TestLumaAllocatesNothing(t *testing.T) {
	for _, form := range []frame.Format{frame.YUYV, frame.NV12, frame.YU12, frame.GREY, frame.MJPEG} {
		f := random(form, 640, 480, 0)
		if form == frame.MJPEG {
			f = jpegScene(t, 640, 480)
		}
		var p frame.Plane
		if n := testing.AllocsPerRun(10, func() {
			if err := (Pictures{}).Luma(&p, f); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a frame", form, n)
		}
	}
}

func FuzzLuma(f *testing.F) {
	f.Add(uint8(frame.YUYV), 16, 8, 32, make([]byte, 256))
	f.Add(uint8(frame.YU12), 5, 3, 6, make([]byte, 30))
	f.Add(uint8(frame.NV12), 16, 8, 0, make([]byte, 191))
	f.Add(uint8(frame.GREY), 1<<62, 4, -1, []byte{})
	f.Fuzz(func(t *testing.T, form uint8, w, h, stride int, data []byte) {
		if w > 0 && h > 0 && w*h > 1<<16 {
			return // as valid, only slower
		}
		fr := &frame.Frame{Format: frame.Format(form%6) + frame.YUYV, Width: w, Height: h, Stride: stride, Data: data}
		var p frame.Plane
		errLuma := (Pictures{}).Luma(&p, fr)
		_, errJPEG := (Pictures{}).JPEG(fr, 50)
		if (errLuma == nil) != (errJPEG == nil) {
			t.Errorf("Luma: %v, JPEG: %v", errLuma, errJPEG)
		}
	})
}

func FuzzHuffmanTables(f *testing.F) {
	pic := testJPEG(f, 16, 16, 1)
	f.Add(pic)
	f.Add(stripTables(f, pic))
	f.Add(withThumbnail(stripTables(f, pic), pic))
	f.Fuzz(func(t *testing.T, data []byte) {
		if h := mjpeg.ReadHeader(data); h.Width*h.Height > 1<<20 {
			return // as valid, only slower
		}
		fr := &frame.Frame{Format: frame.MJPEG, Data: data}
		var p frame.Plane
		errLuma := (Pictures{}).Luma(&p, fr)
		out, err := (Pictures{}).JPEG(fr, 80)
		if err != nil {
			if errLuma == nil {
				t.Error("Luma reads what JPEG refuses:", err)
			}
			return
		}
		if h := mjpeg.ReadHeader(out); !h.Tables || h.Scan == 0 {
			t.Errorf("no tables before the scan: %+v", h)
		}
	})
}

func benchmarkLuma(b *testing.B, form frame.Format) {
	for _, size := range [][2]int{{640, 480}, {1920, 1080}} {
		f := random(form, size[0], size[1], 0)
		if form == frame.MJPEG {
			f = jpegScene(b, size[0], size[1])
		}
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			var p frame.Plane
			b.ReportAllocs()
			for b.Loop() {
				if err := (Pictures{}).Luma(&p, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLumaYU12(b *testing.B)  { benchmarkLuma(b, frame.YU12) }
func BenchmarkLumaYUYV(b *testing.B)  { benchmarkLuma(b, frame.YUYV) }
func BenchmarkLumaMJPEG(b *testing.B) { benchmarkLuma(b, frame.MJPEG) }
