package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

const (
	reopenFirst = 100 * time.Millisecond
	reopenLast  = 5 * time.Second
	startWithin = 30 * time.Second
	stallAfter  = 3 * time.Second // the camera itself gives up earlier; this is what the screen says
)

// cameraFeed runs one camera at a time, opens it again when it fails, and takes
// another when the configuration says so. Its goroutine is run's.
//
// Invariant, under mu: want is the newest configuration; the rest describes the
// camera that run has open.
type cameraFeed struct {
	open func(config.Camera) (Camera, error)
	find func() (source, why string)
	box  *frame.Mailbox

	mu      sync.Mutex
	want    config.Camera
	paused  bool          // privacy mode: nothing is open
	changed chan struct{} // closed and replaced when want changes
	state   event.CameraState
	problem string
	source  string // what is open: want's, or the camera that was found
	width   int
	height  int
	last    time.Time // monotonic moment of the newest frame, or of the opening
}

func newCameraFeed(open func(config.Camera) (Camera, error), find func() (source, why string)) *cameraFeed {
	return &cameraFeed{open: open, find: find, box: frame.NewMailbox(), changed: make(chan struct{}), state: event.CameraStarting}
}

// use puts another configuration in force; the same one changes nothing.
func (c *cameraFeed) use(want config.Camera) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if want == c.want {
		return
	}
	c.want = want
	c.poke()
}

// pause closes the camera until it ends. When it returns no frame is taken any
// more, though one may be on its way through the detector.
func (c *cameraFeed) pause(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on == c.paused {
		return
	}
	c.paused = on
	c.poke()
}

// closed reports whether privacy mode keeps it closed.
func (c *cameraFeed) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused
}

// poke has run look again. Called with mu held.
func (c *cameraFeed) poke() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cameraFeed) set(state event.CameraState, problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.problem = state, problem
}

// run keeps the camera going until ctx ends.
func (c *cameraFeed) run(ctx context.Context) error {
	wait := reopenFirst
	for ctx.Err() == nil {
		c.mu.Lock()
		want, changed, paused := c.want, c.changed, c.paused
		c.mu.Unlock()
		if paused {
			c.set(event.CameraEnded, "")
			select {
			case <-changed:
				c.set(event.CameraStarting, "")
			case <-ctx.Done():
			}
			continue
		}
		got, err := c.session(ctx, want, changed)
		if ctx.Err() != nil {
			break
		}
		select {
		case <-changed:
			wait = reopenFirst
			c.set(event.CameraStarting, "")
			continue
		default:
		}
		if got {
			wait = reopenFirst
		}
		retry := time.NewTimer(wait)
		switch {
		case errors.Is(err, frame.ErrEnded):
			c.set(event.CameraEnded, "")
			retry.Stop() // nothing more will come
		case errors.Is(err, frame.ErrBusy):
			c.set(event.CameraBusy, err.Error())
		case err != nil:
			c.set(event.CameraLost, err.Error())
		default:
			c.set(event.CameraLost, "the camera stopped without a reason")
		}
		select {
		case <-ctx.Done():
		case <-changed:
			wait = reopenFirst
		case <-retry.C:
			wait = min(2*wait, reopenLast)
		}
		retry.Stop()
	}
	return nil
}

// session runs one camera, the first one found where none is configured, until
// it fails, ctx ends or the configuration changes; got says whether it gave a frame.
func (c *cameraFeed) session(ctx context.Context, want config.Camera, changed <-chan struct{}) (got bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watcher := make(chan struct{})
	go func() {
		defer close(watcher)
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() { cancel(); <-watcher }()
	c.mu.Lock()
	c.source, c.width, c.height, c.last = want.Source, 0, 0, time.Now()
	c.mu.Unlock()
	if want.Source == "" {
		source, why := c.find()
		if source == "" {
			return false, errors.New(why)
		}
		want.Source = source
	}
	c.mu.Lock()
	c.source = want.Source
	c.mu.Unlock()
	cam, err := c.open(want)
	if err != nil {
		return false, err
	}
	err = cam.Run(ctx, func(f *frame.Frame) {
		c.mu.Lock()
		paused := c.paused
		c.mu.Unlock()
		if paused {
			return
		}
		c.box.Put(f)
		now := time.Now()
		c.mu.Lock()
		c.last, c.width, c.height = now, f.Width, f.Height
		if !got {
			got = true
			c.state, c.problem = event.CameraOK, ""
		}
		c.mu.Unlock()
	})
	return got, err
}

func (c *cameraFeed) status() event.Camera {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := event.Camera{State: c.state, Source: c.source, Width: c.width, Height: c.height, Problem: c.problem}
	s.Frames, s.Dropped = c.box.Counts()
	if s.State == event.CameraOK && time.Since(c.last) > stallAfter || s.State == event.CameraStarting && !c.last.IsZero() && time.Since(c.last) > startWithin {
		s.State = event.CameraStalled
		s.Problem = "the camera is open but gives no picture: check its cable, or unplug it and plug it in again"
	}
	return s
}
