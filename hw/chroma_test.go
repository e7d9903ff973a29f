package hw

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"testing"

	"watchpost/engine/frame"
)

// chromaOf are a frame's chroma samples, by the formats' definition.
func chromaOf(f *frame.Frame, x, y int) [2]byte {
	switch {
	case f.Format == frame.YUYV:
		return [2]byte{f.Data[y*f.Stride+4*x+1], f.Data[y*f.Stride+4*x+3]}
	case f.Format == frame.UYVY:
		return [2]byte{f.Data[y*f.Stride+4*x], f.Data[y*f.Stride+4*x+2]}
	case f.Format == frame.NV12:
		at := f.Stride*f.Height + y*f.Stride + 2*x
		return [2]byte{f.Data[at], f.Data[at+1]}
	}
	at, size := f.Stride*f.Height+y*f.Stride/2+x, f.Stride/2*((f.Height+1)/2)
	return [2]byte{f.Data[at], f.Data[at+size]}
}

// holds checks both planes against the means of samples.
func holds(t *testing.T, name string, p [2]frame.Plane, w, h int, within float64, at func(x, y int) [2]byte) {
	t.Helper()
	for k := range p {
		if p[k].Width != (w+7)/8 || p[k].Height != (h+7)/8 {
			t.Fatalf("%s: %d x %d blocks", name, p[k].Width, p[k].Height)
		}
		for i, got := range p[k].Pix {
			sum, n := 0, 0
			for y := i / p[k].Width * 8; y < min(i/p[k].Width*8+8, h); y++ {
				for x := i % p[k].Width * 8; x < min(i%p[k].Width*8+8, w); x++ {
					sum += int(at(x, y)[k])
					n++
				}
			}
			if math.Abs(float64(got)-float64(sum)/float64(n)) > within {
				t.Fatalf("%s: block %d of plane %d is %d, want %.1f", name, i, k, got, float64(sum)/float64(n))
			}
		}
	}
}

func TestChromaIsTheBlockMean(t *testing.T) {
	for _, size := range [][3]int{{64, 48, 0}, {641, 33, 6}, {1, 1, 0}, {17, 9, 2}} {
		for _, form := range []frame.Format{frame.YUYV, frame.UYVY, frame.NV12, frame.YU12} {
			f := random(form, size[0], size[1], size[2])
			w, h := (f.Width+1)/2, (f.Height+1)/2
			if form == frame.YUYV || form == frame.UYVY {
				h = f.Height
			}
			var p [2]frame.Plane
			if err := (Pictures{}).Chroma(&p[0], &p[1], f); err != nil {
				t.Fatal(form, size, err)
			}
			holds(t, form.String(), p, w, h, 0.5, func(x, y int) [2]byte { return chromaOf(f, x, y) })
		}
	}
	var blue, red frame.Plane
	if err := (Pictures{}).Chroma(&blue, &red, random(frame.GREY, 64, 48, 0)); err == nil {
		t.Error("grey has colours")
	}
}

// Of MJPEG it is what image/jpeg decodes, and the luma of the next frame is untouched by it.
func TestChromaOfJPEG(t *testing.T) {
	for _, size := range [][2]int{{640, 480}, {641, 471}, {16, 16}} {
		img := image.NewYCbCr(image.Rect(0, 0, size[0], size[1]), image.YCbCrSubsampleRatio420)
		for i := range img.Y {
			img.Y[i] = byte(60 + i*7%90)
		}
		for y := range (size[1] + 1) / 2 {
			for x := range (size[0] + 1) / 2 {
				img.Cb[y*img.CStride+x], img.Cr[y*img.CStride+x] = byte(90+x/8%70), byte(160-y/8%70)
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
			t.Fatal(err)
		}
		got, err := jpeg.Decode(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		c := got.(*image.YCbCr)
		f := &frame.Frame{Format: frame.MJPEG, Data: b.Bytes()}
		var p [2]frame.Plane
		var luma, again frame.Plane
		if err := (Pictures{}).Luma(&luma, f); err != nil {
			t.Fatal(err)
		}
		if err := (Pictures{}).Chroma(&p[0], &p[1], f); err != nil {
			t.Fatal(err)
		}
		if err := (Pictures{}).Luma(&again, f); err != nil || !bytes.Equal(luma.Pix, again.Pix) {
			t.Error("the luma changed", err)
		}
		// At the edges a JPEG has the mean of what its encoder put there.
		w, h := (size[0]+1)/2, (size[1]+1)/2
		inner := p
		for k := range inner {
			if inner[k].Width != (w+7)/8 || inner[k].Height != (h+7)/8 {
				t.Fatalf("%v: %d x %d blocks", size, inner[k].Width, inner[k].Height)
			}
			var pix []byte
			for y := range h / 8 {
				pix = append(pix, inner[k].Pix[y*inner[k].Width:][:w/8]...)
			}
			inner[k].Width, inner[k].Height, inner[k].Pix = w/8, h/8, pix
		}
		holds(t, "MJPEG", inner, w/8*8, h/8*8, 1.5, func(x, y int) [2]byte { return [2]byte{c.Cb[y*c.CStride+x], c.Cr[y*c.CStride+x]} })
	}
	grey := image.NewGray(image.Rect(0, 0, 64, 64))
	var b bytes.Buffer
	jpeg.Encode(&b, grey, nil)
	var blue, red frame.Plane
	if err := (Pictures{}).Chroma(&blue, &red, &frame.Frame{Format: frame.MJPEG, Data: b.Bytes()}); err == nil {
		t.Error("a grey JPEG has colours")
	}
}
