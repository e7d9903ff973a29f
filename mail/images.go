package mail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"strings"

	"golang.org/x/image/draw"

	"watchpost/engine/event"
)

const (
	thumbWidth   = 320 // pixels of a summary's thumbnails
	thumbQuality = 60
	maxPixels    = 64 << 20 // of an image that is decoded at all
	leastImage   = 2 << 10  // bytes; a smaller one shows nothing
	smallImage   = 64 << 10 // bytes; so much goes as it is where it cannot be decoded
)

// sizes are the steps in which images shrink to fit, before they are left out.
var sizes = []struct{ width, quality int }{{1920, 75}, {1280, 75}, {960, 70}, {640, 65}, {480, 55}, {320, 45}, {200, 35}}

// shrunk is a JPEG at most width pixels wide. What is narrow enough is left as it
// is where that is no larger.
func shrunk(data []byte, width, quality int) ([]byte, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width*c.Height > maxPixels {
		return nil, fmt.Errorf("an image of %d x %d pixels", c.Width, c.Height)
	}
	im, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if c.Width > width {
		small := image.NewRGBA(image.Rect(0, 0, width, max(1, c.Height*width/c.Width)))
		draw.ApproxBiLinear.Scale(small, small.Bounds(), im, im.Bounds(), draw.Src, nil)
		im = small
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, im, &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	if c.Width <= width && out.Len() >= len(data) {
		return data, nil
	}
	return out.Bytes(), nil
}

// resized is images at most width pixels wide; one that cannot be decoded stays
// where it is small, and is left out else.
func resized(images []event.Image, width, quality int) []event.Image {
	var out []event.Image
	for _, im := range images {
		if small, err := shrunk(im.JPEG, width, quality); err == nil {
			im.JPEG = small
		} else if len(im.JPEG) > smallImage {
			continue
		}
		out = append(out, im)
	}
	return out
}

// fitImages makes images no more than limit bytes together: smaller ones first,
// then fewer of the smallest.
func fitImages(images []event.Image, limit int) []event.Image {
	if total(images) <= limit {
		return images
	}
	if limit < leastImage {
		return nil
	}
	out := images
	for _, s := range sizes {
		if out = resized(images, s.width, s.quality); total(out) <= limit {
			return out
		}
	}
	for len(out) > 0 && total(out) > limit {
		out = out[:len(out)-1]
	}
	return out
}

func total(images []event.Image) int {
	n := 0
	for _, im := range images {
		n += len(im.JPEG)
	}
	return n
}

// imagesOf reads the images back out of a rendered mail, at most n. Their moments
// are those of captions, which the mail's record keeps in the same order.
func imagesOf(eml io.Reader, captions []event.Image, n int) ([]event.Image, error) {
	m, err := netmail.ReadMessage(eml)
	if err != nil {
		return nil, err
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, err // a mail without images
	}
	var out []event.Image
	for r := multipart.NewReader(m.Body, params["boundary"]); len(out) < n; {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return out, err
		}
		if !strings.HasPrefix(part.Header.Get("Content-Type"), "image/jpeg") {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(base64.NewDecoder(base64.StdEncoding, part), imageBytes+1))
		if err != nil || len(data) > imageBytes {
			return out, err
		}
		im := event.Image{JPEG: data}
		if len(out) < len(captions) {
			im.At, im.Level = captions[len(out)].At, captions[len(out)].Level
		}
		out = append(out, im)
	}
	return out, nil
}
