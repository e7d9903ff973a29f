package engine

import (
	"fmt"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/ring"
)

const (
	usageEvery = 2 * time.Second
	pruneEvery = time.Minute
)

const eventImagesMax = 2000 // of one event; then it goes on without images

// running is an event that is going on: its images are being kept.
type running struct {
	cfg     config.Trigger
	stored  event.Stored
	moving  bool      // its source is still active
	end     time.Time // monotonic; when not moving, the event ends then
	next    time.Time // of the next image that is kept
	seen    uint64    // ring index up to which images were looked at
	kept    int
	missing int
	reason  string
	dirty   bool // event.json is behind
}

func (e *Engine) beginEvent(t *trigger, f event.Firing, now time.Time) {
	r := &running{cfg: t.cfg, end: now.Add(extent(t.cfg.Post, t.cfg.Interval)), dirty: true}
	r.stored = event.Stored{ID: f.EventID, Trigger: f.Trigger, Source: f.Source, Start: f.At, Firings: 1, Peak: f.Level,
		Keep: t.cfg.Full == "keep"}
	if t.cfg.Transfer != "none" {
		r.stored.Transfer = t.cfg.Transfer
	}
	t.running = r
	e.detector.want.Store(true)
	pre := e.ring.Before(f.At, t.cfg.Interval, t.cfg.Pre.Images, t.cfg.Pre.Time)
	if t.cfg.Pre == (config.Extent{}) {
		pre = nil
	}
	r.seen = e.ring.Last()
	e.beginTransfer(r.stored, f.Seq)
	e.put(r)
	for _, im := range pre {
		im.At = im.At.In(e.zone)
		e.keep(r, im)
	}
	// The trigger's own image, and what came while its record was written.
	after, _ := e.ring.After(0)
	for _, im := range after {
		if im.Index <= r.seen && !im.At.Before(f.At) {
			e.offer(r, im)
		}
	}
}

func (r *running) extend(now time.Time, f event.Firing) {
	r.stored.Firings++
	r.stored.Peak = max(r.stored.Peak, f.Level)
	r.end = now.Add(extent(r.cfg.Post, r.cfg.Interval))
	r.stored.End = time.Time{} // where it was just about to end
	r.dirty = true
}

// keepImages hands new images of the ring to the events that are going on.
func (e *Engine) keepImages() {
	for _, t := range e.triggers {
		r := t.running
		if r == nil {
			continue
		}
		images, missed := e.ring.After(r.seen)
		r.miss(missed, "they left the image buffer before they could be written: the disk is too slow")
		for _, im := range images {
			r.seen = im.Index
			e.offer(r, im)
		}
	}
}

// offer keeps an image where the trigger's interval asks for one.
func (e *Engine) offer(r *running, im ring.Image) {
	at := im.At.In(e.zone)
	if at.Before(r.next) {
		return
	}
	r.next = at.Add(r.cfg.Interval - r.cfg.Interval/10)
	im.At = at
	e.keep(r, im)
}

func (e *Engine) keep(r *running, im ring.Image) {
	if r.kept >= eventImagesMax {
		r.miss(1, fmt.Sprintf("an event keeps at most %d images", eventImagesMax))
		return
	}
	id := r.stored.ID
	ok := e.keeping(func() {
		if err := e.store.AddImage(id, im.Image); err != nil {
			e.keepFailed(err)
		} else {
			e.keepErr.Store(nil)
			e.toPlaces.Changed(id)
		}
	})
	if !ok {
		r.miss(1, "the disk is too slow")
		return
	}
	r.kept++
}

func (r *running) miss(n int, reason string) {
	if n > 0 {
		r.missing += n
		r.reason = reason
		r.dirty = true
	}
}

// keeping gives the keeper some work, false where too much waits already.
func (e *Engine) keeping(work func()) bool {
	select {
	case e.keeper <- work:
		return true
	default:
		return false
	}
}

func (e *Engine) keepFailed(err error) {
	text := "images cannot be stored: " + err.Error() + ": free some space or check the disk"
	if was := e.keepErr.Swap(&text); was == nil || *was != text { // not a line an image
		e.Log.Warn("images cannot be stored", "error", err)
	}
}

// state is what event.json is to say.
func (r *running) state() event.Stored {
	s := r.stored
	if r.missing > 0 {
		s.Missing = []string{fmt.Sprintf("%d images: %s", r.missing, r.reason)}
	}
	return s
}

// put has event.json written, now or at the next tick.
func (e *Engine) put(r *running) {
	s := r.state()
	r.dirty = !e.keeping(func() {
		if err := e.store.Put(s); err != nil {
			e.keepFailed(err)
		}
		e.toPlaces.Changed(s.ID)
	})
}

func (e *Engine) endEvents(now time.Time) {
	cameraGone := e.cameraStatus().State != event.CameraOK // its motion does not end by itself
	det := e.detector.now.Load()
	for _, t := range e.triggers {
		r := t.running
		if r == nil {
			continue
		}
		r.stored.Peak = max(r.stored.Peak, det.level(t.cfg.Name))
		if r.moving && cameraGone {
			r.moving, r.end = false, now.Add(extent(r.cfg.Post, r.cfg.Interval))
		}
		if !r.moving && !now.Before(r.end) {
			e.keepImages()
			r.stored.End = e.now()
			r.dirty = true
		}
		if r.dirty {
			e.put(r)
		}
		if !r.stored.End.IsZero() && !r.dirty {
			e.Log.Info("event ended", "event", r.stored.ID, "images asked for", r.kept, "firings", r.stored.Firings)
			t.running = nil
		}
	}
}

// closeEvent ends what is going on, when the program or the trigger ends.
func (e *Engine) closeEvent(t *trigger, why string) {
	r := t.running
	if r == nil {
		return
	}
	s := r.state()
	if s.End.IsZero() {
		s.End = e.now()
		s.Missing = append(s.Missing, "the rest: "+why)
	}
	e.unwritten = append(e.unwritten, func() {
		if err := e.store.Put(s); err != nil {
			e.keepFailed(err)
		}
		e.toPlaces.Changed(s.ID)
	})
	t.running = nil
}

// measureStore has the keeper look at the disk now and then: it may be slow.
func (e *Engine) measureStore(now time.Time) {
	if now.Before(e.usageAt) {
		return
	}
	e.usageAt = now.Add(usageEvery)
	prune := !now.Before(e.pruneAt)
	if prune {
		e.pruneAt = now.Add(pruneEvery)
	}
	e.keeping(func() {
		u := e.store.Usage()
		if u.Low || prune {
			if err := e.store.Prune(); err != nil {
				e.keepFailed(err)
			}
			u = e.store.Usage()
		}
		e.used.Store(&u)
	})
}
