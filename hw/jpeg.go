package hw

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"sync"

	"watchpost/engine/frame"
	"watchpost/hw/mjpeg"
)

// errDamaged is wrapped where a frame does not hold what it promises.
var errDamaged = mjpeg.ErrDamaged

// decoders keep their tables from one frame to the next.
var decoders = sync.Pool{New: func() any { return &mjpeg.Decoder{} }}

// jpegMeans fills dst with the block means of one MJPEG frame. What is damaged
// or cut off is unknown; it is an error where that is all.
func jpegMeans(dst *frame.Plane, data []byte) error {
	if len(data) > maxJPEG {
		return fmt.Errorf("%w: %d bytes are too many", errDamaged, len(data))
	}
	d := decoders.Get().(*mjpeg.Decoder)
	err := d.Luma(dst, data)
	decoders.Put(d)
	if !errors.Is(err, mjpeg.ErrOther) {
		return err
	}
	if data, err = wholeJPEG(data); err != nil {
		return err
	}
	if h := mjpeg.ReadHeader(data); h.Width*h.Height == 0 || h.Width*h.Height > maxPixels {
		return fmt.Errorf("%w: no usable header", errDamaged)
	} else if !h.Tables {
		data = mjpeg.WithTables(data, h)
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	switch img := img.(type) {
	case *image.YCbCr:
		planarMeans(dst, img.Y, img.YStride, img.Rect.Dx(), img.Rect.Dy())
	case *image.Gray:
		planarMeans(dst, img.Pix, img.Stride, img.Rect.Dx(), img.Rect.Dy())
	default: // RGB, CMYK
		grey := image.NewGray(img.Bounds())
		draw.Draw(grey, grey.Rect, img, grey.Rect.Min, draw.Src)
		planarMeans(dst, grey.Pix, grey.Stride, grey.Rect.Dx(), grey.Rect.Dy())
	}
	return nil
}

// passThrough returns a copy of one MJPEG frame that any program can show. One
// that is cut short gets an end: there is an image of every frame whose luma was read.
func passThrough(data []byte) ([]byte, error) {
	if len(data) > maxJPEG {
		return nil, fmt.Errorf("%w: %d bytes are too many", errDamaged, len(data))
	}
	data = bytes.TrimRight(data, "\x00")
	h := mjpeg.ReadHeader(data)
	if !isJPEG(data) || h.Width*h.Height == 0 || h.Scan == 0 {
		return nil, fmt.Errorf("%w: no usable header", errDamaged)
	}
	if !h.Tables {
		data = mjpeg.WithTables(data, h)
	} else {
		data = bytes.Clone(data)
	}
	if !hasEnd(data) {
		data = append(data, 0xFF, mjpeg.EOI)
	}
	return data, nil
}

// wholeJPEG checks that a frame has a JPEG's start and end, and returns it
// without the zeros that some cameras pad it with. Drivers do not flag a
// picture that was cut short.
func wholeJPEG(data []byte) ([]byte, error) {
	if len(data) > maxJPEG {
		return nil, fmt.Errorf("%w: %d bytes are too many", errDamaged, len(data))
	}
	data = bytes.TrimRight(data, "\x00")
	switch {
	case len(data) < 128:
		return nil, fmt.Errorf("%w: only %d bytes of JPEG", errDamaged, len(data))
	case !isJPEG(data):
		return nil, fmt.Errorf("%w: it does not start as a JPEG", errDamaged)
	case !hasEnd(data):
		return nil, fmt.Errorf("%w: its end is missing", errDamaged)
	}
	return data, nil
}

func isJPEG(head []byte) bool {
	return len(head) >= 3 && head[0] == 0xFF && head[1] == mjpeg.SOI && head[2] == 0xFF
}

func hasEnd(data []byte) bool {
	return bytes.HasSuffix(data, []byte{0xFF, mjpeg.EOI})
}
