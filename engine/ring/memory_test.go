package ring_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/frame"
	"watchpost/engine/ring"
	"watchpost/hw"
)

// picture is a YU12 frame of edges and noise: of both, much makes a large file.
func picture(w, h, noise int, seed uint64) *frame.Frame {
	r := rand.New(rand.NewPCG(seed, 7))
	f := &frame.Frame{Format: frame.YU12, Width: w, Height: h, Stride: w, FullRange: true, Data: make([]byte, w*h*3/2)}
	for i := range f.Data {
		f.Data[i] = 128
	}
	for y := range h {
		for x := range w {
			f.Data[y*w+x] = byte(60 + 80*((x/40+y/40+int(seed))%2) + r.IntN(noise+1))
		}
	}
	return f
}

// mjpeg is the same as a camera gives it that compresses by itself, in a buffer
// that is used again.
func mjpeg(w, h, noise int, seed uint64) *frame.Frame {
	src := picture(w, h, noise, seed)
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray(x, y, color.Gray{Y: src.Data[y*w+x]})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}); err != nil {
		panic(err)
	}
	return &frame.Frame{Format: frame.MJPEG, Width: w, Height: h, FullRange: true, Data: b.Bytes()}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// What a full ring takes of the heap is within 5 % of its bound, whatever its
// images are and whoever reads them.
func TestMemoryIsWithinItsBound(t *testing.T) {
	const bound = 2 << 20
	for _, c := range []struct {
		name        string
		w, h, noise int
		frame       func(w, h, noise int, seed uint64) *frame.Frame
	}{
		{"encoded, 640x480, plain", 640, 480, 3, picture},
		{"encoded, 640x480, rich", 640, 480, 40, picture},
		{"encoded, 1280x720", 1280, 720, 12, picture},
		{"encoded, 160x120", 160, 120, 3, picture},
		{"MJPEG, 640x480, plain", 640, 480, 3, mjpeg},
		{"MJPEG, 640x480, rich", 640, 480, 40, mjpeg},
		{"MJPEG, 1280x720", 1280, 720, 12, mjpeg},
	} {
		t.Run(c.name, func(t *testing.T) {
			var frames []*frame.Frame
			for seed := range uint64(8) {
				frames = append(frames, c.frame(c.w, c.h, c.noise+int(seed), seed))
			}
			before := heap()
			r := ring.New(bound)
			at := time.Date(2026, 11, 23, 20, 51, 0, 0, time.UTC)
			var length, capacity, n int
			for n = 0; length < bound*6/5; n++ {
				data, err := hw.Pictures{}.JPEG(frames[n%len(frames)], 80)
				if err != nil {
					t.Fatal(err)
				}
				length, capacity = length+len(data), capacity+cap(data)
				at = at.Add(time.Second)
				r.Add(event.Image{At: at, JPEG: data})
			}
			full := heap() - before
			// Five triggers that look at all of it share it.
			var looks [5][]ring.Image
			for i := range looks {
				looks[i], _ = r.After(0)
			}
			shared := heap() - before
			images, size := r.Size()
			t.Logf("%d images of %d bytes on average, %.1f %% slack in their slices: %.1f %% of the bound on the heap, %.1f %% by the ring's count; with five readers %.1f %%",
				images, length/n, 100*float64(capacity-length)/float64(length), 100*float64(full)/bound, 100*float64(size)/bound, 100*float64(shared)/bound)
			if full > bound*105/100 || full < bound*95/100-2*length/n {
				t.Errorf("a ring of %d bytes takes %d", bound, full)
			}
			if more := shared - full; more > 5*images*200 {
				t.Errorf("five readers take %d bytes of their own", more)
			}
			for i := range looks {
				if &looks[i][0].JPEG[0] != &looks[0][0].JPEG[0] {
					t.Error("an image was copied")
				}
			}
			runtime.KeepAlive(frames)
			runtime.KeepAlive(r)
		})
	}
}
