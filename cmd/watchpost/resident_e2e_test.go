package main

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// clipMJPEG is footage of 640x480: ground with texture, noise of its own in each
// picture, and a grey square that crosses it.
func clipMJPEG(t *testing.T, pictures int) string {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var out bytes.Buffer
	for n := range pictures {
		im := image.NewYCbCr(image.Rect(0, 0, 640, 480), image.YCbCrSubsampleRatio422)
		for i := range im.Y {
			x, y := i%640, i/640
			v := 90 + (x*7+y*13)%40 + r.IntN(12)
			if left := n * 640 / pictures; x >= left && x < left+60 && y > 200 && y < 320 {
				v = 30
			}
			im.Y[i] = byte(v)
		}
		for i := range im.Cb {
			im.Cb[i], im.Cr[i] = 120, 135
		}
		if err := jpeg.Encode(&out, im, &jpeg.Options{Quality: 50}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "clip.mjpeg")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The service with an MJPEG camera of 640x480, its image buffer of the default size
// full, events and no interface, stays within 40 MB.
func TestResidentMemory(t *testing.T) {
	r := newRig(t, `version: 1
camera: {source: "clip:`+clipMJPEG(t, 60)+`", width: 640, height: 480, fps: 30}
triggers:
  - {name: yard, source: motion, interval: 50ms, pre: 5 images, post: 1s}
`)
	s := r.serve().ready()
	mb := 0.0
	r.until("the image buffer is full and there were events", func() bool {
		st := r.status()
		mb = max(mb, residentMB(t, s.cmd.Process.Pid))
		return int64(st.Buffer.Bytes) > st.Buffer.MaxBytes*9/10 && len(st.Triggers) == 1 && st.Triggers[0].Fired > 2
	})
	for range 50 {
		time.Sleep(100 * time.Millisecond)
		mb = max(mb, residentMB(t, s.cmd.Process.Pid))
	}
	t.Logf("%.0f MB resident at most, image buffer %+v", mb, r.status().Buffer)
	if mb > 40 {
		t.Errorf("%.0f MB resident at most, want 40", mb)
	}
}
