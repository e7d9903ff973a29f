package hw

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"watchpost/engine/frame"
)

// Camera is a source of frames. Run opens it, delivers frames until ctx ends
// or the camera fails, closes everything and returns why. A frame and its Data are valid
// during deliver only, which must not block. Run may be called again
// afterwards, never twice at a time.
type Camera interface {
	Run(ctx context.Context, deliver func(*frame.Frame)) error
}

// OpenCamera makes a camera of a source; nothing is opened before Run.
// width, height (pixels) and fps are wishes, 0 for none: what a frame says is true.
//
//	v4l2:PATH        a V4L2 capture node
//	clip:FILE        a recording at its own rate, again and again; see OpenClip
//	clip:FILE?once   once, then Run returns frame.ErrEnded
//	scene:           a generated yard with a passer-by every 20 s
func OpenCamera(source string, width, height, fps int) (Camera, error) {
	kind, rest, ok := strings.Cut(source, ":")
	switch {
	case source == "":
		return nil, errors.New("no camera source is set: give v4l2:PATH, clip:FILE or scene:")
	case !ok:
		return nil, fmt.Errorf("camera source %q has no kind: write v4l2:%[1]s for a camera, clip:%[1]s for a recording", source)
	case kind == "scene" && rest == "":
		return newScene(width, height, fps), nil
	case kind == "scene":
		return nil, fmt.Errorf("camera source %q: scene: takes nothing after the colon", source)
	case kind == "pipe":
		return nil, errors.New("camera source pipe: is not in this version: use v4l2:PATH or clip:FILE")
	case kind != "clip" && kind != "v4l2":
		return nil, fmt.Errorf("camera source %q is of no known kind: v4l2:PATH, clip:FILE and scene: are", source)
	case rest == "" || rest == "?once":
		return nil, fmt.Errorf("camera source %q names no file: write %s:PATH", source, kind)
	case kind == "clip":
		path, once := strings.CutSuffix(rest, "?once")
		return &clipCamera{path: path, once: once}, nil
	}
	return &v4l2Camera{path: rest, width: width, height: height, fps: fps}, nil
}

// streams numbers the streams of all cameras, so that a camera made anew
// never repeats the number of the one before it.
var streams atomic.Uint64

func nextStream() uint64 { return streams.Add(1) }

// monotonic reads CLOCK_MONOTONIC, which V4L2 stamps frames with too.
func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // Linux has this clock
	}
	return time.Duration(ts.Nano())
}

// clipCamera plays a recording as if it were a camera.
type clipCamera struct {
	path string
	once bool
}

func (c *clipCamera) Run(ctx context.Context, deliver func(*frame.Frame)) error {
	after := monotonic()
	for {
		last, err := c.play(ctx, after, deliver)
		if err != nil {
			return err
		}
		if c.once {
			return frame.ErrEnded
		}
		after = max(monotonic(), last)
	}
}

// play delivers the recording once, from the monotonic time start on, and
// waits until the picture after its last one would be due.
func (c *clipCamera) play(ctx context.Context, start time.Duration, deliver func(*frame.Frame)) (time.Duration, error) {
	clip, err := OpenClip(ctx, c.path, 0, nil)
	if err != nil {
		return 0, err
	}
	defer clip.Close()
	stream := nextStream()
	pace := newPace(clip.FPS(), start)
	var f frame.Frame
	for n := 0; ; n++ {
		switch err := clip.Next(&f); {
		case err == io.EOF && n == 0:
			return 0, fmt.Errorf("clip %s: it holds no picture", c.path)
		case err == io.EOF:
			return pace.wait(ctx)
		case err != nil:
			return 0, err
		}
		if f.Mono, err = pace.wait(ctx); err != nil {
			return 0, err
		}
		f.Stream, f.At = stream, time.Now()
		deliver(&f)
	}
}

// pace spaces pictures evenly: each is due at a whole number of intervals after
// the first, so that nothing adds up. Being late is made good by hurrying,
// but for more than lateness, as after a suspend, when the timetable is moved.
type pace struct {
	fps   float64
	mono  time.Duration // of picture 0
	begin time.Time     // the same moment
	n     int
}

const lateness = 2 * time.Second

func newPace(fps float64, start time.Duration) *pace {
	return &pace{fps: fps, mono: start, begin: time.Now()}
}

func (p *pace) offset() time.Duration {
	return time.Duration(float64(p.n) / p.fps * float64(time.Second))
}

// wait waits until the next picture is due and returns that moment.
func (p *pace) wait(ctx context.Context) (time.Duration, error) {
	wait := time.Until(p.begin.Add(p.offset()))
	if wait < -lateness {
		p.begin, p.mono = p.begin.Add(-wait), p.mono-wait
	}
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	due := p.mono + p.offset()
	p.n++
	return due, nil
}
