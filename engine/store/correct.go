package store

import (
	"errors"
	"time"

	"watchpost/engine/event"
)

const correctOnce = 50 // events of one call of Correct: the images of others wait meanwhile

// Correct gives finished events that began while the clock was not set their true
// times. Was tells when the box, started as boot, had been up for so long; of events of
// another start that is not known, and they keep their estimates. Ids and names of
// files stay. With more it is to be called again. It is the writer's.
func (s *Store) Correct(boot string, was func(up time.Duration) time.Time) (more bool, err error) {
	var ids []string
	s.mu.Lock()
	for _, x := range s.order {
		if x.unset && x.end != 0 {
			if len(ids) == correctOnce {
				more = true
				break
			}
			ids = append(ids, x.id)
		}
	}
	s.mu.Unlock()
	for _, id := range ids {
		e, err := read(s.dir, id)
		if err == nil && e.Unset != nil && e.Unset.Boot == boot && boot != "" {
			corrected(&e, was(time.Duration(e.Unset.Up)).Sub(e.Start))
			err = s.write(e)
			if err != nil {
				return more, err
			}
		} else if err != nil && !errors.Is(err, event.ErrNotFound) {
			return more, cause(err)
		}
		s.mu.Lock()
		x := s.find(id)
		if x == nil || err != nil {
			s.mu.Unlock()
			continue // it was removed
		}
		x.unset, x.start, x.end = false, e.Start.UnixMilli(), max(e.End.UnixMilli(), 1)
		s.version++
		line := x.line()
		s.mu.Unlock()
		s.record(line)
	}
	return more, nil
}

// corrected moves all times of an event that are estimates.
func corrected(e *event.Stored, by time.Duration) {
	e.Start = e.Start.Add(by)
	if e.Unset.End {
		e.End = e.End.Add(by)
	}
	for i := range e.Images {
		if im := &e.Images[i]; im.Estimate {
			im.At, im.Estimate = im.At.Add(by), false
		}
	}
	e.Unset, e.Corrected = nil, event.Span(by)
}
