package store

import (
	"errors"
	"syscall"
	"time"

	"watchpost/engine/event"
)

const correctOnce = 50 // events of one call of Correct: the images of others wait meanwhile

// Correct gives finished events that began while the clock was not set their true
// times, some at a call. Was tells when the box, started as boot, had been up for so
// long; of events of another start that is not known, and they keep their estimates.
// Ids and names of files stay. It is the writer's. An event that cannot be read or
// written now holds up no other, and is tried again by the next call.
func (s *Store) Correct(boot string, was func(up time.Duration) time.Time) (failed error) {
	if !s.uncorrected || s.here() != nil {
		return nil // of a disk that is away whoever needs it tells
	}
	var ids []string
	s.mu.Lock()
	for _, x := range s.order {
		if x.unset && x.end != 0 && len(ids) < correctOnce {
			ids = append(ids, x.id)
		}
	}
	s.mu.Unlock()
	s.uncorrected = len(ids) > 0
	for _, id := range ids {
		e, err := s.correct(id, boot, was)
		s.mu.Lock()
		x := s.find(id)
		if x == nil { // it was removed
			s.mu.Unlock()
			continue
		}
		var disk syscall.Errno
		if errors.As(err, &disk) && !errors.Is(err, event.ErrNotFound) {
			s.mu.Unlock()
			failed = cause(err)
			continue
		}
		if x.unset = false; err == nil { // else it is damaged, or was removed by hand
			x.start, x.end = e.Start.UnixMilli(), max(e.End.UnixMilli(), 1)
		}
		s.version++
		line := x.line()
		s.mu.Unlock()
		s.record(line)
	}
	return failed
}

// correct is what an event is after its correction, if it is of this start.
func (s *Store) correct(id, boot string, was func(up time.Duration) time.Time) (event.Stored, error) {
	e, err := read(s.dir, id)
	if err != nil || e.Unset == nil || e.Unset.Boot != boot || boot == "" {
		return e, err
	}
	corrected(&e, was(time.Duration(e.Unset.Up)))
	return e, s.write(e)
}

// corrected moves all times of an event that are estimates, into the zone of its
// true beginning: it may be summer time there.
func corrected(e *event.Stored, began time.Time) {
	by := began.Sub(e.Start)
	move := func(at time.Time) time.Time { return at.Add(by).In(began.Location()) }
	e.Start = move(e.Start)
	if e.Unset.End {
		e.End = move(e.End)
	}
	for i := range e.Images {
		if im := &e.Images[i]; im.Estimate {
			im.At, im.Estimate, im.Corrected = move(im.At), false, true
		}
	}
	e.Unset, e.Corrected = nil, event.Span(by)
}
