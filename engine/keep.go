package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/ring"
	"watchpost/engine/store"
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
	began   time.Time // monotonic, of its trigger
	end     time.Time // monotonic; when not moving, the event ends then
	next    time.Time // monotonic, of the next image that is kept
	at      time.Time // monotonic, of the last image; before there is one, an interval before the trigger
	seen    uint64    // ring index up to which images were looked at
	kept    int
	post    int // of them since the source came to rest, or fired again
	missing []missing
	ordered bool // the keeper is to make its folder, and has made it before what comes now
	dirty   bool // event.json is behind
}

// missing is so many images that are not there for one reason.
type missing struct {
	n      int
	reason string
}

const cameraGaveNone = "the camera gave none then"

// beginEvent begins the event of a firing whose monotonic moment was mono; it may
// have waited.
func (e *Engine) beginEvent(t *trigger, f event.Firing, mono, now time.Time) {
	r := &running{cfg: t.cfg, began: mono, end: now.Add(extent(t.cfg.Post, t.cfg.Interval)), at: mono.Add(-t.cfg.Interval), dirty: true}
	r.stored = event.Stored{ID: f.EventID, Trigger: f.Trigger, Source: f.Source, Start: f.At, Firings: 1, Peak: f.Level,
		Keep: t.cfg.Full == "keep"}
	if f.Estimate {
		r.stored.Unset = &event.Unset{Boot: e.Boot, Up: event.Span(e.Uptime() - time.Since(mono)), End: true}
	}
	r.stored.Transfer = transferOf(t.cfg)
	t.running = r
	pre := e.ring.Before(mono, t.cfg.Interval, t.cfg.Pre.Images, reach(t.cfg))
	if t.cfg.Pre == (config.Extent{}) {
		pre = nil
	}
	asked := t.cfg.Pre.Images
	if asked == 0 {
		asked = int(t.cfg.Pre.Time / t.cfg.Interval)
	}
	r.miss(asked-len(pre), "the image buffer does not reach back so far: the camera gave none then, or the buffer is too small")
	r.seen = e.ring.Last()
	e.beginTransfer(r.stored, f.Seq)
	e.put(r)
	for _, im := range pre {
		e.keep(r, im)
	}
	// The trigger's own image, and what came while its record was written.
	after, _ := e.ring.After(0)
	for _, im := range after {
		if im.Index <= r.seen && !im.Taken.Before(mono) {
			e.offer(r, im)
		}
	}
}

// reach is how old an image from before the trigger may be. A slow camera's are older
// than the interval asks for; those from before it was lost are of another time.
func reach(t config.Trigger) time.Duration {
	if t.Pre.Images > 0 {
		return 2*extent(t.Pre, t.Interval) + stallAfter
	}
	return t.Pre.Time
}

func (r *running) extend(now time.Time, f event.Firing) {
	r.stored.Firings++
	r.stored.Peak = max(r.stored.Peak, f.Level)
	r.end, r.post = now.Add(extent(r.cfg.Post, r.cfg.Interval)), 0
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
		if missed > 0 {
			r.miss(missed, "they left the image buffer before they could be written: the disk is too slow")
			r.at = images[0].Taken.Add(-r.cfg.Interval)
		}
		for _, im := range images {
			r.seen = im.Index
			e.offer(r, im)
		}
	}
}

// offer keeps an image where the trigger's interval asks for one.
func (e *Engine) offer(r *running, im ring.Image) {
	if im.Taken.Before(r.next) {
		return
	}
	r.gap(im.Taken)
	r.at = im.Taken
	r.next = im.Taken.Add(r.cfg.Interval - r.cfg.Interval/10)
	r.post++
	e.keep(r, im)
}

func (e *Engine) keep(r *running, im ring.Image) {
	now, set := e.best.now()
	if set && im.Estimate { // the clock was set since
		im.At, im.Estimate = now.Add(-time.Since(im.Taken)), false
	}
	if u := r.stored.Unset; set && u != nil && u.End && r.stored.End.IsZero() { // known where the program dies
		r.stored.Unset, r.dirty = &event.Unset{Boot: u.Boot, Up: u.Up}, true
	}
	im.At = im.At.In(e.zone)
	if r.kept >= eventImagesMax {
		r.miss(1, fmt.Sprintf("an event keeps at most %d images", eventImagesMax))
		return
	}
	if !r.ordered {
		e.put(r)
	}
	id, size := r.stored.ID, int64(len(im.JPEG))
	waiting := e.atKeeper.Add(size)
	ok := r.ordered && (waiting == size || waiting <= e.current().Config.Camera.Buffer) && e.keeping(func() {
		defer e.atKeeper.Add(-size)
		if err := e.store.AddImage(id, im.Image); err != nil {
			e.keepFailed(err)
		} else {
			e.keepErr.Store(nil)
			e.toPlaces.Changed(id)
		}
	})
	if !ok {
		e.atKeeper.Add(-size)
		r.miss(1, "the disk is too slow")
		return
	}
	r.kept++
}

func (r *running) miss(n int, reason string) {
	if n <= 0 {
		return
	}
	i := slices.IndexFunc(r.missing, func(m missing) bool { return m.reason == reason })
	if i < 0 {
		r.dirty = true // the number is told at the end, not for each image
		r.missing = append(r.missing, missing{reason: reason})
		i = len(r.missing) - 1
	}
	r.missing[i].n += n
}

// gap notes the images that the interval asks for between the last one and a moment.
func (r *running) gap(until time.Time) {
	r.miss(int((until.Sub(r.at)+r.cfg.Interval/10)/r.cfg.Interval)-1, cameraGaveNone)
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
	for _, m := range r.missing {
		s.Missing = append(s.Missing, plural(m.n, "image")+": "+m.reason)
	}
	return s
}

// put has event.json written, now or at a later tick: not before its transfer is
// known, nor before an earlier event has its end.
func (e *Engine) put(r *running) {
	s := r.state()
	r.dirty = len(e.unwritten) > 0 || !e.keeping(func() { e.write(s) })
	r.ordered = r.ordered || !r.dirty
}

const diskFailed = "what is not here: the disk could not be written during the event"

// write writes what is known of an event; an end that cannot be written is kept
// for writeAgain. It is the keeper's.
func (e *Engine) write(s event.Stored) {
	defer e.toPlaces.Changed(s.ID)
	err := e.store.Put(s)
	if err == nil {
		return
	}
	e.keepFailed(err)
	if s.End.IsZero() || !errors.Is(err, store.ErrUnwritten) || len(e.unput) == unacceptedMax {
		return // it goes on, or it was written and only room could not be made
	}
	if _, err := e.store.Get(s.ID); err != nil && !slices.Contains(s.Missing, diskFailed) { // else the store knows
		s.Missing = append(slices.Clip(s.Missing), diskFailed)
	}
	e.unput = append(e.unput, s)
}

// writeAgain writes the ends of events that could not be written; it is the keeper's.
func (e *Engine) writeAgain() {
	waiting := e.unput
	e.unput = nil
	for _, s := range waiting {
		e.write(s)
	}
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
			r.rest(now)
		}
		if !r.moving && r.over(now, cameraGone) {
			e.keepImages()
			if r.stored.End.IsZero() {
				r.gap(r.end)
				r.at = r.end
			}
			e.end(r)
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

// end gives an event its end: what the clock says, or where it was set back below the
// beginning, what it would have said.
func (e *Engine) end(r *running) {
	now, set := e.best.now()
	if r.stored.End = now.In(e.zone); now.Before(r.stored.Start) {
		r.stored.End = r.stored.Start.Add(time.Since(r.began))
	}
	if u := r.stored.Unset; u != nil {
		r.stored.Unset = &event.Unset{Boot: u.Boot, Up: u.Up, End: !set}
	}
}

// rest begins the time after the trigger.
func (r *running) rest(now time.Time) {
	r.moving, r.post = false, 0
	r.end = now.Add(extent(r.cfg.Post, r.cfg.Interval))
}

// over reports whether an event has all that was asked for. Images may come slower
// than its interval: they are waited for as long again.
func (r *running) over(now time.Time, cameraGone bool) bool {
	if now.Before(r.end) {
		return false
	}
	return r.post >= r.cfg.Post.Images || cameraGone || now.Sub(r.end) > extent(r.cfg.Post, r.cfg.Interval)
}

// closeEvent ends what is going on, when the program or the trigger ends.
func (e *Engine) closeEvent(t *trigger, why string) {
	r := t.running
	if r == nil {
		return
	}
	over := !r.stored.End.IsZero()
	if !over {
		e.end(r)
	}
	s := r.state()
	if !over {
		s.Missing = append(s.Missing, "the rest: "+why)
	}
	e.unwritten = append(e.unwritten, func() { e.write(s) })
	t.running = nil
}
