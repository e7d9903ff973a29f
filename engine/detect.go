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
	names    []string // of the motion triggers, in the order of params
	params   []motion.Params
	interval time.Duration // between images in the ring
	levels   []atomic.Uint64
}

func newDetection(triggers []config.Trigger) *detection {
	d := &detection{interval: time.Second}
	for _, t := range triggers {
		if t.Interval > 0 {
			d.interval = min(d.interval, t.Interval)
		}
		if t.Source != event.Motion || unavailable(t) != "" {
			continue
		}
		p := motion.Params{Threshold: t.Threshold, Sensitivity: t.Sensitivity}
		for _, z := range t.Zones {
			p.Zones = append(p.Zones, motion.Rect(z))
		}
		d.names = append(d.names, t.Name)
		d.params = append(d.params, p)
	}
	d.levels = make([]atomic.Uint64, len(d.names))
	return d
}

// same reports whether the detector would do the same with old.
func (d *detection) same(old *detection) bool {
	return old != nil && d.interval == old.interval && slices.Equal(d.names, old.names) && reflect.DeepEqual(d.params, old.params)
}

// level returns the motion level of a trigger now, in percent of its zone.
func (d *detection) level(trigger string) float64 {
	for i, n := range d.names {
		if n == trigger {
			return math.Float64frombits(d.levels[i].Load())
		}
	}
	return 0
}

// signal is a source saying that something began or ended.
type signal struct {
	trigger string
	started bool
	at      time.Time
	level   float64
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
	want     atomic.Bool   // an image is wanted of the next frame
	damaged  atomic.Uint64 // frames that could not be read
	best     *bestTime
}

func (d *detector) run(ctx context.Context) error {
	var (
		cfg       *detection
		det       *motion.Detector
		plane     frame.Plane
		stream    uint64
		lastImage time.Duration
		had       bool // an image was taken in this stream
		active    []bool
	)
	for {
		f, err := d.box.Take(ctx)
		if err != nil {
			return nil
		}
		if c := d.now.Load(); c != cfg || f.Stream != stream {
			// What was going on ends with the old detector or the old stream.
			for i, on := range active {
				if on && !d.send(ctx, signal{trigger: cfg.names[i], at: d.best.of(f.At)}) {
					return nil
				}
			}
			cfg, stream, had = c, f.Stream, false
			det = motion.New(cfg.params)
			active = make([]bool, len(cfg.params))
		}
		if err := d.pictures.Luma(&plane, f); err != nil {
			d.damaged.Add(1)
			continue // a damaged frame is no motion
		}
		at := d.best.of(f.At)
		results := det.Step(&plane, f.Seq, f.Mono)
		peak, began := 0.0, false
		for i, r := range results {
			cfg.levels[i].Store(math.Float64bits(r.Level))
			peak = max(peak, r.Level)
			began = began || r.Started
		}
		// The image of the trigger stands in the ring before the trigger is told.
		due := f.Mono-lastImage >= cfg.interval-cfg.interval/10
		if wanted := d.want.Swap(false); began || wanted || !had || due {
			if data, err := d.pictures.JPEG(f, jpegQuality); err != nil {
				d.damaged.Add(1)
			} else {
				d.ring.Add(event.Image{At: at, Level: peak, JPEG: data})
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
				if !d.send(ctx, signal{trigger: cfg.names[i], started: r.Started, at: at, level: r.Level}) {
					return nil
				}
			}
		}
	}
}

func (d *detector) send(ctx context.Context, s signal) bool {
	select {
	case d.signals <- s:
		return true
	case <-ctx.Done():
		return false
	}
}
