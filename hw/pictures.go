package hw

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"watchpost/engine/frame"
	"watchpost/hw/mjpeg"
)

// Pictures turns frames into luma planes and JPEG files. It has no state and
// is safe for concurrent use.
type Pictures struct{}

// Luma reduces f to the mean of each block of 8x8 pixels, rounded, in f's own
// range: limited luma stays limited. Of MJPEG it reads what there is, the rest
// is marked as unknown. Nothing is allocated in the steady state, but for JPEG
// that no camera sends: progressive, RGB, CMYK. An error means that nothing of f
// can be used; dst is then undefined.
func (Pictures) Luma(dst *frame.Plane, f *frame.Frame) error {
	if f.Format == frame.MJPEG {
		return jpegMeans(dst, f.Data)
	}
	l, err := layoutOf(f)
	if err != nil {
		return err
	}
	if l.packed {
		packedMeans(dst, f.Data, l.stride, f.Width, f.Height, f.Format == frame.UYVY)
	} else {
		planarMeans(dst, f.Data, l.stride, f.Width, f.Height)
	}
	return nil
}

// Chroma reduces the colours of f, in its own range, to the means of 8x8 of its chroma
// samples: of 16x16 pixels where they are half as many both ways. Damage may leave
// blocks unknown. An error means that f has no colours at hand (grey, or JPEG that no
// camera sends); blue and red are then undefined.
func (Pictures) Chroma(blue, red *frame.Plane, f *frame.Frame) error {
	if f.Format == frame.MJPEG {
		if len(f.Data) > maxJPEG {
			return fmt.Errorf("%w: %d bytes are too many", errDamaged, len(f.Data))
		}
		d := decoders.Get().(*mjpeg.Decoder)
		defer decoders.Put(d)
		return d.Chroma(blue, red, f.Data)
	}
	l, err := layoutOf(f)
	if err != nil {
		return err
	}
	w, h := (f.Width+1)/2, (f.Height+1)/2
	stride, cb, cr, step := l.cstride, l.cb, l.cr, 1
	switch f.Format {
	case frame.GREY:
		return errors.New("the camera's pictures have no colours")
	case frame.NV12:
		step = 2
	case frame.YUYV:
		stride, h, cb, cr, step = l.stride, f.Height, 1, 3, 4
	case frame.UYVY:
		stride, h, cb, cr, step = l.stride, f.Height, 0, 2, 4
	}
	chromaMeans(blue, f.Data[cb:], stride, w, h, step)
	chromaMeans(red, f.Data[cr:], stride, w, h, step)
	return nil
}

// JPEG compresses f at a quality of 1–100, chroma 4:2:0, limited range expanded
// to the full range that JFIF asks for. An MJPEG frame is passed through as
// a copy, whatever the quality: without the padding after its end, with the standard
// Huffman tables where the camera left them out, with an end where it is cut short.
func (Pictures) JPEG(f *frame.Frame, quality int) ([]byte, error) {
	if f.Format == frame.MJPEG {
		return passThrough(f.Data)
	}
	l, err := layoutOf(f)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(f.Width * f.Height / 4)
	if err := jpeg.Encode(&b, toImage(f, l), &jpeg.Options{Quality: min(max(quality, 1), 100)}); err != nil {
		return nil, fmt.Errorf("compressing a picture: %w", err)
	}
	return bytes.Clone(b.Bytes()), nil // without the room that it did not need
}

// layout says where the samples of an uncompressed frame lie.
type layout struct {
	packed  bool // 4:2:2, luma and chroma interleaved
	stride  int  // bytes a line of the first plane
	cstride int  // bytes a line of a chroma plane
	cb, cr  int  // where the chroma planes begin
}

// layoutOf checks that f holds all the samples that its dimensions promise.
// The last line of a plane may lack its padding.
func layoutOf(f *frame.Frame) (layout, error) {
	w, h := f.Width, f.Height
	if w < 1 || h < 1 || w > maxSide || h > maxSide || w*h > maxPixels {
		return layout{}, fmt.Errorf("a picture of %dx%d pixels: 1x1 to 7680x4320 can be used", w, h)
	}
	line := w
	l := layout{stride: f.Stride}
	if f.Format == frame.YUYV || f.Format == frame.UYVY {
		l.packed, line = true, (w+1)/2*4
	}
	if l.stride == 0 {
		l.stride = line
	}
	if l.stride < line || l.stride > 1<<20 {
		return layout{}, fmt.Errorf("%w: lines of %d bytes for %d pixels of %s", errDamaged, l.stride, w, f.Format)
	}
	size := l.stride*(h-1) + line
	cw, ch := (w+1)/2, (h+1)/2
	switch f.Format {
	case frame.YUYV, frame.UYVY, frame.GREY:
	case frame.NV12:
		l.cstride, l.cb = max(l.stride, 2*cw), l.stride*h
		l.cr = l.cb + 1
		size = l.cb + l.cstride*(ch-1) + 2*cw
	case frame.YU12:
		l.cstride, l.cb = (l.stride+1)/2, l.stride*h
		l.cr = l.cb + l.cstride*ch
		size = l.cr + l.cstride*(ch-1) + cw
	default:
		return layout{}, fmt.Errorf("frames of format %s cannot be used", f.Format)
	}
	if len(f.Data) < size {
		return layout{}, fmt.Errorf("%w: %d bytes, where %dx%d %s needs %d", errDamaged, len(f.Data), w, h, f.Format, size)
	}
	return l, nil
}

// toImage gives f's samples to the JPEG encoder, full range, referring to f's
// memory where they are so already.
func toImage(f *frame.Frame, l layout) image.Image {
	w, h := f.Width, f.Height
	rect := image.Rect(0, 0, w, h)
	cw, ch := (w+1)/2, (h+1)/2
	y := &expandLuma
	c := &expandChroma
	if f.FullRange {
		y, c = &identity, &identity
	}
	if f.Format == frame.GREY {
		img := &image.Gray{Pix: f.Data, Stride: l.stride, Rect: rect}
		if !f.FullRange {
			img = image.NewGray(rect)
			mapPlane(img.Pix, w, f.Data, l.stride, w, h, 1, y)
		}
		return img
	}
	if f.Format == frame.YU12 && f.FullRange {
		return &image.YCbCr{Y: f.Data, Cb: f.Data[l.cb:], Cr: f.Data[l.cr:], YStride: l.stride, CStride: l.cstride, SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: rect}
	}
	if l.packed {
		img := image.NewYCbCr(rect, image.YCbCrSubsampleRatio422)
		y0, c0 := 0, 1
		if f.Format == frame.UYVY {
			y0, c0 = 1, 0
		}
		mapPlane(img.Y, img.YStride, f.Data[y0:], l.stride, w, h, 2, y)
		mapPlane(img.Cb, img.CStride, f.Data[c0:], l.stride, cw, h, 4, c)
		mapPlane(img.Cr, img.CStride, f.Data[c0+2:], l.stride, cw, h, 4, c)
		return img
	}
	step := 1
	if f.Format == frame.NV12 {
		step = 2
	}
	img := image.NewYCbCr(rect, image.YCbCrSubsampleRatio420)
	mapPlane(img.Y, img.YStride, f.Data, l.stride, w, h, 1, y)
	mapPlane(img.Cb, img.CStride, f.Data[l.cb:], l.cstride, cw, ch, step, c)
	mapPlane(img.Cr, img.CStride, f.Data[l.cr:], l.cstride, cw, ch, step, c)
	return img
}

// mapPlane copies w x h samples that lie step bytes apart, each through table.
func mapPlane(dst []byte, dstStride int, src []byte, srcStride, w, h, step int, table *[256]byte) {
	for j := range h {
		s := src[j*srcStride:]
		d := dst[j*dstStride:][:w]
		for i := range d {
			d[i] = table[s[i*step]]
		}
	}
}

// From limited range (ITU-R BT.601: luma 16–235, chroma 16–240) to full range.
var identity, expandLuma, expandChroma = func() (id, luma, chroma [256]byte) {
	clamp := func(v float64) byte { return byte(min(max(v+0.5, 0), 255)) }
	for i := range 256 {
		id[i] = byte(i)
		luma[i] = clamp(float64(i-16) * 255 / 219)
		chroma[i] = clamp(128 + float64(i-128)*255/224)
	}
	return
}()
