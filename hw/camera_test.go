package hw

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/frame"
)

func TestOpenCameraRefuses(t *testing.T) {
	for source, want := range map[string]string{
		"":            "no camera source",
		"/dev/video0": "v4l2:/dev/video0",
		"usb:0":       "no known kind",
		"clip:":       "names no file",
		"clip:?once":  "names no file",
		"v4l2:":       "names no file",
		"pipe:rpicam": "not in this version",
		"scene:yard":  "takes nothing",
		"rtsp://x/y":  "no known kind",
	} {
		if _, err := OpenCamera(source, 0, 0, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", source, err)
		}
	}
}

// seen is what a test keeps of a delivered frame.
type seen struct {
	frame.Frame
	after time.Duration // since the start
}

// watch runs a camera until it has delivered n frames, or ends.
func watch(t *testing.T, c Camera, n int) ([]seen, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all []seen
	start := time.Now()
	err := c.Run(ctx, func(f *frame.Frame) {
		if len(all) == n {
			return
		}
		g := *f
		g.Data = bytes.Clone(f.Data)
		all = append(all, seen{g, time.Since(start)})
		if len(all) == n {
			cancel()
		}
	})
	return all, err
}

func TestClipCameraKeepsItsRate(t *testing.T) {
	path := writeFile(t, "a.y4m", y4mFile("W6 H4 F30:1", 4, 24, 12))
	synctest.Test(t, func(t *testing.T) {
		c, err := OpenCamera("clip:"+path, 640, 480, 5)
		if err != nil {
			t.Fatal(err)
		}
		got, err := watch(t, c, 10)
		if !errors.Is(err, context.Canceled) || len(got) != 10 {
			t.Fatalf("%d frames, %v", len(got), err)
		}
		const interval = time.Second / 30
		for i, f := range got {
			if f.Seq != uint64(i%4) || f.Stream != got[0].Stream+uint64(i/4) {
				t.Errorf("frame %d: seq %d of stream %d", i, f.Seq, f.Stream)
			}
			if i == 0 {
				continue
			}
			// Within a stream to the nanosecond; a new stream starts no sooner than due.
			step := f.Mono - got[i-1].Mono
			if step < interval-time.Microsecond || i%4 != 0 && step > interval+time.Microsecond {
				t.Errorf("frame %d: %v after the one before it", i, step)
			}
			if !f.At.After(got[i-1].At) {
				t.Errorf("frame %d: wall time did not rise", i)
			}
		}
		if d := got[3].after - got[0].after; d < 100*time.Millisecond || d > 101*time.Millisecond {
			t.Errorf("three intervals took %v", d)
		}
	})
}

func TestClipCameraOnce(t *testing.T) {
	path := writeFile(t, "a?b.y4m", y4mFile("W6 H4 F100:1", 3, 24, 12))
	c, err := OpenCamera("clip:"+path+"?once", 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	first, err := watch(t, c, 100)
	if err != frame.ErrEnded || len(first) != 3 {
		t.Fatalf("%d frames, %v", len(first), err)
	}
	again, err := watch(t, c, 100)
	if err != frame.ErrEnded || len(again) != 3 || again[0].Stream == first[0].Stream || again[0].Mono <= first[2].Mono {
		t.Fatalf("second run: %d frames, %v", len(again), err)
	}
}

func TestClipCameraFails(t *testing.T) {
	data := y4mFile("W6 H4 F100:1", 3, 24, 12)
	for name, tt := range map[string]struct {
		path   string
		frames int
		want   error
	}{
		"missing":   {filepath.Join(t.TempDir(), "none.mp4"), 0, nil},
		"truncated": {writeFile(t, "a.y4m", data[:len(data)-5]), 2, ErrTruncated},
		"no frame":  {writeFile(t, "b.y4m", y4mFile("W6 H4", 0, 0, 0)), 0, nil},
	} {
		c, err := OpenCamera("clip:"+tt.path, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := watch(t, c, 100)
		if err == nil || len(got) != tt.frames || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %d frames, %v", name, len(got), err)
		}
	}
}

// TestPaceAfterASuspend: two hours asleep are not made good by two hours of hurry.
func TestPaceAfterASuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(10, 0)
		p.wait(t.Context())
		time.Sleep(2 * time.Hour)
		late, _ := p.wait(t.Context())
		start := time.Now()
		next, _ := p.wait(t.Context())
		if late < 2*time.Hour || next-late != 100*time.Millisecond || time.Since(start) != 100*time.Millisecond {
			t.Errorf("late frame at %v, next at %v after %v", late, next, time.Since(start))
		}
	})
}

// meanStep is the mean absolute difference of two planes' blocks, and the share
// of blocks, in percent, that differ by more than 8.
func meanStep(a, b *frame.Plane) (mean, moving float64) {
	for i := range a.Pix {
		d := max(a.Pix[i], b.Pix[i]) - min(a.Pix[i], b.Pix[i])
		mean += float64(d)
		if d > 8 {
			moving++
		}
	}
	n := float64(len(a.Pix))
	return mean / n, moving / n * 100
}

func TestScene(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := OpenCamera("scene:", 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var empty, p frame.Plane
		var present []int
		n := 0
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := time.Now()
		err = c.Run(ctx, func(f *frame.Frame) {
			if f.Width != 640 || f.Height != 480 || f.Format != frame.YU12 || !f.FullRange {
				t.Errorf("%dx%d %s", f.Width, f.Height, f.Format)
			}
			if err := (Pictures{}).Luma(&p, f); err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				empty = p
				empty.Pix = bytes.Clone(p.Pix)
			}
			mean, moving := meanStep(&empty, &p)
			if moving > 0 {
				present = append(present, n)
			} else if n > 0 && (mean == 0 || mean > 1) {
				t.Errorf("frame %d: the still yard changes by %v", n, mean)
			}
			if n == 100 && (moving < 2 || moving > 15) {
				t.Errorf("the figure moves %v %% of the picture", moving)
			}
			if n++; n == 410 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 40900*time.Millisecond || d > 41*time.Second {
			t.Errorf("410 frames took %v", d)
		}
		if len(present) < 60 || len(present) > 80 || present[0] < 80 || present[len(present)-1] >= 320 {
			t.Errorf("the figure is there on %d frames: %v", len(present), present)
		}
	})
}

func TestSceneIsDeterministicAndFitsAMail(t *testing.T) {
	p, q := newPainter(640, 480), newPainter(640, 480)
	p.draw(3, 10)
	p.draw(100, 10)
	q.draw(100, 10)
	if !bytes.Equal(p.now.pix, q.now.pix) {
		t.Error("two runs differ")
	}
	f := &frame.Frame{Format: frame.YU12, Width: 640, Height: 480, Stride: 640, FullRange: true, Data: p.now.pix}
	data, err := (Pictures{}).JPEG(f, 80)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil || len(data) > 100_000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if out := os.Getenv("WATCHPOST_SCENE_OUT"); out != "" { // to look at it
		if err := os.WriteFile(out, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range [][2]int{{32, 32}, {641, 483}, {1920, 1080}, {1 << 20, 1}} { // edges, no crash
		s := newScene(size[0], size[1], 1000)
		p := newPainter(s.w, s.h)
		for n := range uint64(8) {
			p.draw(n*60+500, s.fps)
		}
	}
}

// jpegScene is a picture of the scene as a camera's MJPEG frame.
func jpegScene(t testing.TB, w, h int) *frame.Frame {
	t.Helper()
	f := sceneFrame(w, h)
	data, err := (Pictures{}).JPEG(f, 85)
	if err != nil {
		t.Fatal(err)
	}
	return &frame.Frame{Format: frame.MJPEG, Width: w, Height: h, FullRange: true, Data: data}
}

func sceneFrame(w, h int) *frame.Frame {
	p := newPainter(w, h)
	p.draw(100, 10)
	return &frame.Frame{Format: frame.YU12, Width: w, Height: h, Stride: p.now.stride, FullRange: true, Data: p.now.pix}
}

func BenchmarkJPEG(b *testing.B) {
	for name, size := range map[string][2]int{"640x480": {640, 480}, "1920x1080": {1920, 1080}} {
		f := sceneFrame(size[0], size[1])
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (Pictures{}).JPEG(f, 80); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScene(b *testing.B) {
	p := newPainter(640, 480)
	for b.Loop() {
		p.draw(100, 10)
	}
}
