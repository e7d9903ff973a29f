package transfer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/foreign"
)

// edit applies change to a job's state, on the disk first, then in memory, and
// tells the listener. change reports whether it changed anything; an outcome that
// could not be written before is in the state already. A job that is gone is left
// alone. The record is what should be on the disk. Called with disk held.
func (q *Queue) edit(id string, change func(*record) bool) (record, error) {
	q.mu.Lock()
	e := q.jobs[id]
	if e == nil {
		q.mu.Unlock()
		return record{}, nil
	}
	next := e.record.clone()
	late := e.late
	if late != nil {
		next = late.clone()
	}
	q.mu.Unlock()
	if changed := change(&next); !changed && late == nil {
		return next, nil
	}
	if err := q.folder.save(next); err != nil {
		return next, fmt.Errorf("transfer %s: %w", id, err)
	}
	q.mu.Lock()
	if next.Mail.Settled() && !e.Mail.Settled() {
		q.open--
	}
	e.record, e.late = next, nil
	q.note(next)
	m := q.shown(e)
	q.mu.Unlock()
	q.announce(m)
	return next, nil
}

// announce tells the listener. Called with disk held, which keeps the order.
func (q *Queue) announce(m event.Mail) {
	if q.options.Listener != nil {
		q.options.Listener.MailChanged(m)
	}
}

// outcome is edit for what has happened: where it cannot be written it is kept, and
// written before the job is tried again.
func (q *Queue) outcome(id string, change func(*record) bool) {
	q.disk.Lock()
	defer q.disk.Unlock()
	next, err := q.edit(id, change)
	if err == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.jobs[id]; e != nil {
		e.late, e.next = &next, time.Now().Add(q.times.slow[0])
	}
	if text := foreign.Sanitise(err.Error()); text != q.unwritten {
		q.unwritten = text
		q.options.Log.Error("transfer queue", "unwritten", id, "error", text)
	}
}

// drop gives a job up.
func (r *record) drop(why string) {
	to := r.to()
	to.State, to.At = event.RcptDrop, time.Now().Round(0)
	if why != "" {
		to.Reply = why
	}
	r.Mail.Problem, r.Mail.NextTry, r.Next = why, time.Time{}, nil
}

// hold keeps a job for a person.
func (r *record) hold(why, reply string) {
	to := r.to()
	to.State, to.At, to.Reply = event.RcptHeld, time.Now().Round(0), reply
	r.Mail.Problem, r.Mail.NextTry, r.Next = why, time.Time{}, nil
}

// release makes a held job wait again and takes its wait away; it reports whether
// that changed anything.
func (r *record) release() bool {
	if r.Mail.Settled() {
		return false
	}
	changed := r.Mail.Problem != "" || r.Next != nil || r.Failed > 0 || r.to().State == event.RcptHeld
	r.to().State = event.Pending
	r.Mail.Problem, r.Mail.NextTry, r.Next, r.Failed = "", time.Time{}, nil, 0
	return changed
}

// Settle moves a settled job out of the queue. An unknown or moved one is no error.
func (q *Queue) Settle(id string) error {
	q.disk.Lock()
	defer q.disk.Unlock()
	q.mu.Lock()
	e := q.jobs[id]
	q.mu.Unlock()
	if e == nil {
		return nil
	}
	if !e.Mail.Settled() {
		return fmt.Errorf("transfer %s is not settled: it waits or is held", id)
	}
	if err := q.folder.settle(id); err != nil {
		return fmt.Errorf("transfer %s: %w", id, err)
	}
	q.mu.Lock()
	q.forget(id)
	settled := append(slices.Clone(q.settled), cloneMail(e.Mail))
	q.mu.Unlock()
	settled = q.folder.bound(settled)
	q.mu.Lock()
	q.settled = settled
	q.mu.Unlock()
	return nil
}

// Retry takes a held job up again and tries it at once; "" is all jobs.
func (q *Queue) Retry(id string) error {
	ids, err := q.named(id)
	if err != nil {
		return err
	}
	q.mu.Lock()
	for _, one := range ids {
		e := q.jobs[one]
		p := q.places[e.to().Address]
		if p == nil && q.places != nil {
			if id != "" {
				err = fmt.Errorf("transfer %s: %s", id, gone(e.to().Address))
			}
			continue
		}
		e.next, e.urgent = time.Time{}, e.urgent || id != ""
		e.looks++
		if p != nil {
			p.hold = pause{}
		}
	}
	q.mu.Unlock()
	if err != nil {
		return err
	}
	q.disk.Lock()
	for _, id := range ids {
		_, ferr := q.edit(id, func(r *record) bool {
			q.mu.Lock()
			known := q.places == nil || q.places[r.to().Address] != nil
			q.mu.Unlock()
			return known && r.release()
		})
		err = errors.Join(err, ferr)
	}
	q.disk.Unlock()
	q.pokePlaces()
	return err
}

// Drop gives a job up. A file on its way is broken off.
func (q *Queue) Drop(id string) error {
	if id == "" {
		return errors.New("a transfer to drop must be named")
	}
	if _, err := q.named(id); err != nil {
		return err
	}
	q.disk.Lock()
	defer q.disk.Unlock()
	_, err := q.edit(id, func(r *record) bool {
		if r.Mail.Settled() {
			return false
		}
		r.drop("")
		return true
	})
	q.mu.Lock()
	if e := q.jobs[id]; err == nil && e != nil && e.stop != nil {
		e.stop()
	}
	q.mu.Unlock()
	return err
}

// named returns the IDs in the queue that id stands for.
func (q *Queue) named(id string) ([]string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if id != "" {
		if q.jobs[id] == nil {
			return nil, fmt.Errorf("transfer %s: %w in the queue", foreign.Sanitise(id), event.ErrNotFound)
		}
		return []string{id}, nil
	}
	var ids []string
	for id, e := range q.jobs {
		if !e.Mail.Settled() {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// LineBack says that a link or a route came back: what failed for the line is
// tried at once.
func (q *Queue) LineBack() {
	q.mu.Lock()
	for _, p := range q.places {
		if p.hold.kind == network {
			p.hold = pause{}
		}
		if p.opening != nil {
			p.opening() // it may be waiting for an answer on the old way
		}
	}
	for _, e := range q.jobs {
		if e.line {
			e.next = time.Time{}
		}
	}
	q.mu.Unlock()
	q.pokePlaces()
}

// pokePlaces has every place look for work.
func (q *Queue) pokePlaces() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.places {
		poke(p.wake)
	}
}
