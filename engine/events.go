package engine

import (
	"errors"
	"slices"
	"time"

	"watchpost/engine/event"
)

// The journal knows the events that were begun; noteStored takes off that list those
// that are stored and queued as they should be. So what an end of the program, the
// power or a disk that fails left undone is known at the next start.

// measureStore has the keeper look at the disk now and then: it may be slow.
func (e *Engine) measureStore(now time.Time) {
	if now.Before(e.usageAt) {
		return
	}
	e.usageAt = now.Add(usageEvery)
	e.journalStored()
	prune := !now.Before(e.pruneAt)
	if prune {
		e.pruneAt = now.Add(pruneEvery)
	}
	at, set := e.best.now()
	up, zone := e.Uptime(), e.zone
	var begun []event.Firing // and all that the keeper has of them is before what comes now
	if len(e.unwritten) == 0 {
		begun = slices.DeleteFunc(e.journal.Begun(), func(f event.Firing) bool {
			return slices.ContainsFunc(e.triggers, func(t *trigger) bool { return t.running != nil && t.running.stored.ID == f.EventID })
		})
	}
	e.keeping(func() {
		e.addJobs()
		e.writeAgain()
		e.noteStored(begun)
		if set { // clocks are set late, events are stamped at once
			err := e.store.Correct(e.Boot, func(began time.Duration) time.Time { return at.Add(began - up).In(zone) })
			if err != nil && (e.correctErr == nil || err.Error() != e.correctErr.Error()) {
				e.Log.Warn("times of events that began while the clock was not set cannot be corrected; it is tried again", "error", err)
			}
			e.correctErr = err
		}
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

// noteStored notes for the loop which of the events that were begun and go on no more
// need no care: what could not be written or queued still does. It is the keeper's.
func (e *Engine) noteStored(begun []event.Firing) {
	var seqs []uint64
	for _, f := range begun {
		if slices.ContainsFunc(e.unput, func(s event.Stored) bool { return s.ID == f.EventID }) ||
			slices.ContainsFunc(e.unqueued, func(j event.Job) bool { return j.Event == f.EventID }) {
			continue
		}
		if _, err := e.store.Get(f.EventID); err == nil || errors.Is(err, event.ErrNotFound) { // or it was removed
			seqs = append(seqs, f.Seq)
		}
	}
	e.stored.Store(&seqs)
}

// noteRemoved journals that events which were removed need no care, before that is
// told: what follows must not bring them back. It is the keeper's.
func (e *Engine) noteRemoved(ids []string) {
	var seqs []uint64
	for _, f := range e.journal.Begun() {
		if !slices.Contains(ids, f.EventID) {
			continue
		}
		if _, err := e.store.Get(f.EventID); errors.Is(err, event.ErrNotFound) {
			seqs = append(seqs, f.Seq)
		}
	}
	if err := e.journal.Stored(seqs...); err != nil {
		e.Log.Warn("which events were removed could not be recorded; it is tried again", "error", err)
	}
}

// journalStored journals what noteStored noted. What cannot be written is noted again.
func (e *Engine) journalStored() {
	if seqs := e.stored.Swap(nil); seqs != nil {
		if err := e.journal.Stored(*seqs...); err != nil {
			e.Log.Warn("which events are stored could not be recorded; it is tried again", "error", err)
		}
	}
}

// neverWritten is what an event says of which nothing reached the disk.
const neverWritten = "all images: none could be written before the program was stopped or the power was cut"

// lookAfter takes up an event that the last run began: where nothing of it is in the
// store it is told there, and its transfer is queued. For before Run.
func (e *Engine) lookAfter(f event.Firing) {
	s, err := e.store.Get(f.EventID)
	switch {
	case err == nil:
		e.beginTransfer(s, f.Seq)
		return
	case !errors.Is(err, event.ErrNotFound):
		return // the disk is away: at the next start
	}
	at := f.At.In(e.zone)
	s = event.Stored{ID: f.EventID, Trigger: f.Trigger, Source: f.Source, Start: at, End: at, Firings: 1, Peak: f.Level, Missing: []string{neverWritten}}
	if f.Estimate { // in which start of the box is not known any more
		s.Unset = &event.Unset{End: true}
	}
	if t := e.trigger(f.Trigger); t != nil {
		s.Keep, s.Transfer = t.cfg.Full == "keep", transferOf(t.cfg)
	}
	e.beginTransfer(s, f.Seq)
	e.unwritten = append(e.unwritten, func() { e.write(s) })
}
