package engine

import (
	"context"
	"math"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/frame"
	"watchpost/engine/motion"
	"watchpost/engine/ring"
)

const jpegQuality = 80

// detection is one configuration of the detector, replaced as a whole. Of it
// only the levels change.
type detection struct {
	roles    []role // whose motion it is, in the order of params
	params   []motion.Params
	quality  int           // of the JPEG files in the ring
	interval time.Duration // between images in the ring
	absorb   time.Duration // after which what stands still in an event is background
	levels   []atomic.Uint64
}

func newDetection(c config.Config) *detection {
	d := &detection{interval: time.Second, absorb: c.Camera.Absorb}
	for _, t := range c.Triggers {
		if t.Interval > 0 {
			d.interval = min(d.interval, t.Interval)
		}
		d.quality = max(d.quality, t.Quality)
		second := t.And != nil && t.And.Source == event.Motion
		if !t.Enabled || t.Source != event.Motion && !second {
			continue
		}
		p := motion.Params{Threshold: t.Threshold, Sensitivity: t.Sensitivity}
		for _, z := range t.Zones {
			p.Zones = append(p.Zones, motion.Rect(z))
		}
		for _, z := range t.Exclude {
			p.Exclude = append(p.Exclude, motion.Rect(z))
		}
		d.roles = append(d.roles, role{t.Name, second})
		d.params = append(d.params, p)
	}
	if d.quality == 0 {
		d.quality = jpegQuality
	}
	d.levels = make([]atomic.Uint64, len(d.roles))
	return d
}

// same reports whether nothing is another than in old.
func (d *detection) same(old *detection) bool {
	return old != nil && slices.Equal(d.roles, old.roles) && reflect.DeepEqual(d.params, old.params) &&
		d.interval == old.interval && d.quality == old.quality && d.absorb == old.absorb
}

// was is the place in old of what looks for the same motion as the i-th; -1: none does.
func (d *detection) was(old *detection, i int) int {
	k := slices.Index(old.roles, d.roles[i])
	if k < 0 || !reflect.DeepEqual(old.params[k], d.params[i]) {
		return -1
	}
	return k
}

// level returns the motion level of a trigger now, in percent of its zone.
func (d *detection) level(trigger string) float64 {
	for i, r := range d.roles {
		if r.trigger == trigger {
			return math.Float64frombits(d.levels[i].Load())
		}
	}
	return 0
}

// signal is a source saying that something began or ended.
type signal struct {
	role
	started bool
	at      time.Time
	rough   bool      // at is an estimate: the clock is not set
	mono    time.Time // the same moment on the clock that is never set
	level   float64
}

// unread is since when, a monotonic moment, no frame could be read, and why.
type unread struct {
	since time.Time
	err   error
}

// detector reads the newest frame, looks for motion in it, and keeps images in
// the ring. Its goroutine is run's. Where the engine is behind (a stalled disk)
// it waits with its signal, and frames are dropped before it: the camera never waits.
type detector struct {
	pictures Pictures
	box      *frame.Mailbox
	ring     *ring.Ring
	signals  chan<- signal
	images   chan<- struct{} // capacity 1: the ring has a new image
	now      atomic.Pointer[detection]
	want     atomic.Bool // an image is wanted of the next frame
	unread   atomic.Pointer[unread]
	best     *bestTime
	shown    chan chan<- event.View // of who wants to see the next frame as the detector does
}

func (d *detector) run(ctx context.Context) error {
	var (
		cfg       *detection
		det       *motion.Detector
		plane     frame.Plane
		stream    uint64
		lastImage time.Duration
		had       bool // an image was taken in this stream
		noJPEG    bool // none could be made of the last frame of which one was wanted
		active    []bool
	)
	for {
		f, err := d.box.Take(ctx)
		if err != nil {
			return nil
		}
		if c := d.now.Load(); c != cfg || f.Stream != stream {
			// What goes on in another stream, or as no trigger of now, is over.
			goesOn := make([]bool, len(c.params))
			kept := make([]bool, len(active))
			if f.Stream == stream && cfg != nil {
				for i := range c.params {
					if k := c.was(cfg, i); k >= 0 {
						goesOn[i], kept[k] = active[k], true
					}
				}
			}
			for i, on := range active {
				if !on || kept[i] {
					continue
				}
				at, rough := d.best.of(f.At)
				if !d.send(ctx, signal{role: cfg.roles[i], at: at, rough: rough, mono: time.Now()}) {
					return nil
				}
			}
			if f.Stream != stream || cfg == nil {
				det, had = motion.New(c.params), false
			} else {
				det.Use(c.params, func(i int) int { return c.was(cfg, i) })
			}
			det.Absorb = c.absorb
			cfg, stream, active = c, f.Stream, goesOn
		}
		if err := d.pictures.Luma(&plane, f); err != nil {
			if d.unread.Load() == nil {
				d.unread.Store(&unread{time.Now(), err})
			}
			continue // a damaged frame is no motion
		}
		if !noJPEG {
			d.unread.Store(nil)
		}
		at, rough := d.best.of(f.At)
		mono := time.Now()
		results := det.Step(&plane, f.Seq, f.Mono)
		d.show(cfg, det, &plane, f, at, results)
		peak, began := 0.0, false
		for i, r := range results {
			cfg.levels[i].Store(math.Float64bits(r.Level))
			peak = max(peak, r.Level)
			began = began || r.Started
		}
		// The image of the trigger stands in the ring before the trigger is told.
		due := f.Mono-lastImage >= cfg.interval-cfg.interval/10
		if wanted := d.want.Swap(false); began || wanted || !had || due {
			if data, err := d.pictures.JPEG(f, cfg.quality); err != nil {
				if noJPEG = true; d.unread.Load() == nil {
					d.unread.Store(&unread{time.Now(), err})
				}
			} else {
				if noJPEG {
					noJPEG = false
					d.unread.Store(nil)
				}
				d.ring.Add(event.Image{At: at, Estimate: rough, Level: peak, JPEG: data})
				lastImage, had = f.Mono, true
				select {
				case d.images <- struct{}{}:
				default:
				}
			}
		}
		for i, r := range results {
			if r.Started || r.Ended {
				active[i] = r.Active
				if !d.send(ctx, signal{role: cfg.roles[i], started: r.Started, at: at, rough: rough, mono: mono, level: r.Level}) {
					return nil
				}
			}
		}
	}
}

func (d *detector) send(ctx context.Context, s signal) bool {
	select { // at a stop too, where there is room
	case d.signals <- s:
		return true
	default:
	}
	select {
	case d.signals <- s:
		return true
	case <-ctx.Done():
		return false
	}
}
