package mjpeg

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"slices"
	"testing"

	"watchpost/engine/frame"
)

// FuzzLuma: whatever the bytes are, a plane that fits or an error, in memory that
// fits, and the same again.
func FuzzLuma(f *testing.F) {
	for _, s := range []sample{
		{w: 33, h: 17, sampling: yuv420, quant: 8, busy: 5, loud: 9},
		{w: 24, h: 16, sampling: yuv422, quant: 8, busy: 5, loud: 9, restart: 1, fill: true},
		{w: 16, h: 16, sampling: yuv444, quant: 300, wide: true, apart: true, noTables: true},
		{w: 40, h: 8, sampling: grey, quant: 3, busy: 64, loud: 1023},
		{w: 16, h: 16, sampling: grey, quant: 3, progressive: true},
	} {
		pic, _, _ := s.encode()
		f.Add(pic)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if h := ReadHeader(data); h.Width*h.Height > 1<<20 {
			return // as valid, only slower
		}
		var d Decoder
		var p frame.Plane
		err := d.Luma(&p, data)
		if len(d.tables) > maxTables || cap(d.coded) > 2*(len(data)+padding) {
			t.Fatalf("%d tables, %d bytes of memory for %d bytes", len(d.tables), cap(d.coded), len(data))
		}
		if err != nil {
			if err.Error() == "" || errors.Is(err, ErrOther) && errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		n := (p.PicWidth + 7) / 8 * ((p.PicHeight + 7) / 8)
		if n == 0 || len(p.Pix) != n || len(p.Unknown) != 0 && (len(p.Unknown) != n || !slices.Contains(p.Unknown, 0) || !slices.Contains(p.Unknown, 1)) {
			t.Fatalf("%+v", p)
		}
		var q frame.Plane
		if err := d.Luma(&q, data); err != nil || !bytes.Equal(p.Unknown, q.Unknown) {
			t.Fatalf("the second time %v", err)
		}
		for i, v := range p.Pix {
			if (len(p.Unknown) == 0 || p.Unknown[i] == 0) && v != q.Pix[i] {
				t.Fatalf("block %d is %d, the second time %d", i, v, q.Pix[i])
			}
		}
	})
}

// FuzzEncoded: pictures that are valid, against what was written and image/jpeg.
func FuzzEncoded(f *testing.F) {
	f.Add(uint8(0), uint8(33), uint8(20), uint8(0), uint8(8), uint8(5), uint16(9), uint16(1))
	f.Add(uint8(19), uint8(64), uint8(64), uint8(3), uint8(1), uint8(64), uint16(1000), uint16(2))
	f.Add(uint8(250), uint8(1), uint8(9), uint8(1), uint8(200), uint8(0), uint16(0), uint16(3))
	f.Fuzz(func(t *testing.T, kind, w, h, restart, quant, busy uint8, loud, seed uint16) {
		s := sample{
			w: max(int(w), 1), h: max(int(h), 1), restart: int(restart), quant: max(int(quant), 1),
			busy: int(busy) % 65, loud: 1 + int(loud)%1023, seed: uint64(seed),
			sampling: [][][2]byte{grey, yuv444, yuv422, yuv420, yuv440, yuv411}[kind%6],
			apart:    kind&8 != 0, noTables: kind&16 != 0, wide: kind&32 != 0, fill: kind&64 != 0, extended: kind&128 != 0,
		}
		if !s.noTables {
			s.shuffled = uint64(seed >> 4)
		}
		pic, want, _ := s.encode()
		var d Decoder
		var p frame.Plane
		if err := d.Luma(&p, pic); err != nil || len(p.Unknown) > 0 || !bytes.Equal(p.Pix, want) {
			t.Fatalf("%+v: %v", s, err)
		}
		if s.busy*s.loud <= 400 && !(s.apart && s.restart > 0) {
			if n := far(t, &p, pic, false); farthest(n) > 1 {
				t.Fatalf("%+v: off by %d", s, farthest(n))
			}
		}
	})
}

// FuzzCoded: any coded data under a good header. Where image/jpeg takes them and
// nothing is clipped, the means are the same.
func FuzzCoded(f *testing.F) {
	for i, sampling := range [][][2]byte{grey, yuv444, yuv422, yuv420} {
		pic, _, parts := sample{w: 48, h: 32, sampling: sampling, quant: 2, busy: 3, loud: 3, restart: i % 3}.encode()
		f.Add(uint8(i), uint8(i%3), pic[parts[0]:len(pic)-2])
	}
	f.Fuzz(func(t *testing.T, kind, restart uint8, coded []byte) {
		s := sample{w: 48, h: 32, quant: 2, restart: int(restart) % 8, sampling: [][][2]byte{grey, yuv444, yuv422, yuv420, yuv440, yuv411}[kind%6]}
		pic, _, parts := s.encode()
		pic = append(append(pic[:parts[0]:parts[0]], coded...), 0xFF, EOI)
		img, err := jpeg.Decode(bytes.NewReader(pic))
		if err != nil {
			return
		}
		var d Decoder
		var p frame.Plane
		if err := d.Luma(&p, pic); err != nil || len(p.Unknown) > 0 {
			return // it takes more for damage
		}
		var pix []byte
		stride := 0
		switch img := img.(type) {
		case *image.Gray:
			pix, stride = img.Pix, img.Stride
		case *image.YCbCr:
			pix, stride = img.Y, img.YStride
		}
		for i, v := range p.Pix {
			sum, clipped := 0, false
			for j := range 64 {
				x := pix[(i/6*8+j/8)*stride+i%6*8+j%8]
				sum += int(x)
				clipped = clipped || x == 0 || x == 255
			}
			if d := abs(int(v) - (sum+32)/64); d > 1 && !clipped {
				t.Fatalf("block %d is off by %d", i, d)
			}
		}
	})
}
