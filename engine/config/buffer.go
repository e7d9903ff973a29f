package config

import (
	"fmt"
	"math"
	"strconv"
)

// ImageBytes is about how large a JPEG image of a picture is: 0.2 byte a pixel at
// quality 80, and by experience less and more at others.
func ImageBytes(width, height, quality int) int64 {
	scale := [...]struct{ quality, times float64 }{{1, 0.1}, {50, 0.55}, {80, 1}, {90, 1.6}, {95, 2.4}, {100, 5}}
	q, times := float64(quality), scale[0].times
	for i := 1; i < len(scale); i++ {
		if a, b := scale[i-1], scale[i]; q > a.quality {
			times = a.times + (b.times-a.times)*(min(q, b.quality)-a.quality)/(b.quality-a.quality)
		}
	}
	return max(1, int64(0.2*times*float64(width)*float64(height)))
}

// ImagesHeld is about how many images of a quality the image buffer holds.
func ImagesHeld(c Camera, quality int) int64 {
	return c.Buffer / ImageBytes(c.Width, c.Height, quality)
}

// imagesOf is how many images an event of a trigger has by itself.
func imagesOf(t Trigger) int64 {
	n := int64(t.Pre.Images + t.Post.Images)
	if t.Interval > 0 {
		n += int64(math.Ceil(float64(t.Pre.Time)/float64(t.Interval))) + int64(math.Ceil(float64(t.Post.Time)/float64(t.Interval)))
	}
	return n
}

// crossBuffer tells of the trigger that needs most of what the image buffer has not.
func crossBuffer(c Config, add adder) {
	worst, need := -1, c.Camera.Buffer
	for i, t := range c.Triggers {
		if n := imagesOf(t) * ImageBytes(c.Camera.Width, c.Camera.Height, t.Quality); n > need {
			worst, need = i, n
		}
	}
	if worst < 0 {
		return
	}
	t := c.Triggers[worst]
	mb := (need + 1e6 - 1) / 1e6
	v := wary("too small", fmt.Sprintf("%s has %d images, about %d MB: about %d fit.", quote(t.Name), imagesOf(t), mb, ImagesHeld(c.Camera, t.Quality)))
	if mb <= 1000 {
		v = v.fix(strconv.FormatInt(mb, 10) + "MB")
	}
	key := triggers.keyOf(&c, worst)
	add("camera.buffer", v, key+".pre", key+".post")
}

// bufferShort is ImagesHeld for the column beside the field.
func bufferShort(c Config) string {
	quality := 80
	for _, t := range c.Triggers {
		quality = max(quality, t.Quality)
	}
	if n := ImagesHeld(c.Camera, quality); n < 100000 {
		return "about " + plural(int(n), "image")
	}
	return "over 100000 images"
}
