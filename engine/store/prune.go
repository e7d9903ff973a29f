package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

const (
	keepNewest  = 10   // events stay when the disk is filled by something else than events
	removedMax  = 64   // events that go for one image or event; the next one goes on with it
	plannedMax  = 1024 // events that a plan looks ahead, of each kind
	planFor     = 10 * time.Second
	agesEvery   = time.Minute
	stampsDoubt = 24 * time.Hour // an id's stamp does not tell its zone
)

// plan is which events are to go next, oldest first. It is made for many removals,
// so that those do not each look through all events.
type plan struct {
	free    []string // nothing of them waits to be transferred
	pending []string
	whole   bool // there were no more
	version uint64
	made    time.Time
}

// makeRoom removes what is too old, and the oldest events while there is no room
// for need more bytes or the disk is almost full: never one that is going on, nor
// sparing. What is not transferred yet goes last. An event that is to be kept goes
// by its age only, or where it has no image. full says that there is no room and
// nothing that may go.
func (s *Store) makeRoom(sparing string, need int64) (full, failed error) {
	failed = s.expire(sparing)
	for removed, tries := 0, 0; removed < removedMax && tries < 3; {
		s.mu.Lock()
		over, maxBytes := int64(0), s.maxBytes
		if maxBytes > 0 {
			over = s.total + need - maxBytes
		}
		s.mu.Unlock()
		byDisk := over <= 0 && s.low()
		if over <= 0 && !byDisk {
			break
		}
		var ids []string
		for len(ids) < removedMax && (byDisk || need <= maxBytes) {
			id, bytes := s.victim(sparing, byDisk)
			if id == "" {
				break
			}
			ids = append(ids, id)
			if over -= bytes; over <= 0 {
				break
			}
		}
		if len(ids) == 0 {
			if !byDisk {
				full = s.full(maxBytes)
			}
			break
		}
		n, err := s.remove(ids)
		removed += n
		if err != nil { // the next oldest, then
			failed = err
			tries++
		}
	}
	return full, failed
}

// Prune keeps the bounds where nothing is written: on a disk that something else
// fills, and of an age that passes while nothing happens.
func (s *Store) Prune() error {
	_, err := s.makeRoom("", 0)
	return err
}

// full says why there is no room.
func (s *Store) full(maxBytes int64) error {
	s.mu.Lock()
	stuck := s.stuck
	s.mu.Unlock()
	text := fmt.Sprintf("the event store is at its bound of %.1f MB, and ", float64(maxBytes)/1e6)
	if stuck != nil {
		return errors.New(text + "older events cannot be removed: " + cause(stuck).Error())
	}
	return errors.New(text + "what is in it is kept or going on: allow it more (storage.max_bytes), remove events, or have the trigger overwrite")
}

// low reports whether the disk has less left than the reserve (on a small disk, a tenth of it).
func (s *Store) low() bool {
	free, size := s.disk()
	return size > 0 && free < Reserve(size)
}

// victim takes the event that is to go next out of the plan; "" where there is none.
func (s *Store) victim(sparing string, byDisk bool) (id string, bytes int64) {
	s.mu.Lock()
	version, newest := s.version, max(0, len(s.order)-keepNewest)
	s.mu.Unlock()
	if p := &s.plan; len(p.free) == 0 && (p.version != version || !p.whole || time.Since(p.made) > planFor) {
		s.makePlan(version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ids := range []*[]string{&s.plan.free, &s.plan.pending} {
		for len(*ids) > 0 {
			id := (*ids)[0]
			i, ok := s.position(id)
			ok = ok && s.prunable(s.order[i])
			if ok && (id == sparing || byDisk && i >= newest) {
				break // all behind it are newer still
			}
			if *ids = (*ids)[1:]; ok {
				return id, s.order[i].bytes
			}
		}
	}
	return "", 0
}

// prunable: with mu held.
func (s *Store) prunable(x *entry) bool {
	_, going := s.open[x.id]
	return !going && (!x.keep || x.images == 0)
}

func (s *Store) makePlan(version uint64) {
	s.mu.Lock()
	pending := s.pending
	var ids []string
	for _, x := range s.order {
		if s.prunable(x) {
			ids = append(ids, x.id)
			if pending == nil && len(ids) > plannedMax {
				break
			}
		}
	}
	s.mu.Unlock()
	s.plan = plan{version: version, made: time.Now(), whole: true}
	for _, id := range ids {
		switch {
		case len(s.plan.free) == plannedMax:
			s.plan.whole = false
			return
		case pending == nil || !pending(id):
			s.plan.free = append(s.plan.free, id)
		case len(s.plan.pending) < plannedMax:
			s.plan.pending = append(s.plan.pending, id)
		}
	}
}

// expire removes the events that are older than the store's age, whatever else
// there is to say of them. A start before the clock was set says nothing of an
// event's age.
func (s *Store) expire(sparing string) error {
	s.mu.Lock()
	maxAge := s.maxAge
	if maxAge <= 0 || time.Since(s.looked) < agesEvery {
		s.mu.Unlock()
		return nil
	}
	var old []string
	for _, x := range s.order {
		start := time.UnixMilli(x.start)
		age := time.Since(start)
		if !start.After(event.ClockFloor) || age < -stampsDoubt { // of a clock that was not set, or ahead
			continue
		}
		if x.damaged {
			age -= stampsDoubt
		}
		if len(old) == removedMax {
			break
		}
		if age <= maxAge { // not the end: its clock may have been ahead
			continue
		}
		if _, going := s.open[x.id]; !going && x.id != sparing {
			old = append(old, x.id)
		}
	}
	if len(old) < removedMax {
		s.looked = time.Now()
	}
	s.mu.Unlock()
	_, err := s.remove(old)
	if err != nil { // not for each image again
		s.mu.Lock()
		s.looked = time.Now()
		s.mu.Unlock()
	}
	return err
}

// Remove removes events for the operator and tells how many. One that is going on
// stays; one that is not there is removed already.
func (s *Store) Remove(ids []string) (removed int, err error) {
	if _, err := s.reachable(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	for _, id := range ids {
		if _, going := s.open[id]; going {
			err = fmt.Errorf("event %s is going on: remove it when it has ended", id)
		}
	}
	s.mu.Unlock()
	removed, failed := s.remove(ids)
	return removed, errors.Join(err, failed)
}

// remove removes events that are not going on. Each first gets a name that is no
// event's, and all those names are fsynced before the first file goes: so that
// after a power cut an event is there whole, or is not.
func (s *Store) remove(ids []string) (removed int, failed error) {
	gone := s.take(ids)
	if len(gone) == 0 {
		return 0, nil
	}
	var back []*entry
	var trash []string
	for _, x := range gone {
		to := filepath.Join(s.dir, durable.TempPrefix+"gone-"+x.id)
		err := durable.Move(filepath.Join(s.dir, x.id), to)
		switch {
		case err == nil:
			trash = append(trash, to)
			removed++
		case errors.Is(err, os.ErrNotExist): // by hand
			removed++
		default:
			back = append(back, x)
			failed = fmt.Errorf("store: remove event %s: %w", x.id, err)
		}
	}
	s.mu.Lock()
	for _, x := range back {
		i, _ := s.position(x.id)
		s.order = slices.Insert(s.order, i, x)
		s.total += x.bytes
	}
	s.stuck = failed
	if removed == 0 {
		s.mu.Unlock()
		return 0, failed
	}
	trash = append(s.trash, trash...) // and what was left over
	s.trash = nil
	s.mu.Unlock()
	err := durable.SyncDir(s.dir)
	if err == nil {
		trash = slices.DeleteFunc(trash, func(path string) bool {
			rerr := durable.RemoveAll(path)
			if rerr != nil {
				err = rerr
			}
			return rerr == nil
		})
	}
	if err != nil {
		failed = errors.Join(failed, fmt.Errorf("store: delete the files of a removed event: %w", err))
		s.mu.Lock()
		s.trash = append(s.trash, trash...)
		s.mu.Unlock()
	}
	return removed, failed
}

// take takes events out of the list, so that nobody else finds them.
func (s *Store) take(ids []string) (gone []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lo, hi := len(s.order), 0
	for _, id := range ids {
		i, ok := s.position(id)
		if _, going := s.open[id]; !ok || going || s.order[i].gone {
			continue
		}
		s.order[i].gone = true
		s.total -= s.order[i].bytes
		gone = append(gone, s.order[i])
		lo, hi = min(lo, i), max(hi, i+1)
	}
	if len(gone) == 0 {
		return nil
	}
	rest := slices.DeleteFunc(s.order[lo:hi], func(x *entry) bool { return x.gone })
	if lo == 0 && len(rest) == 0 { // the usual case: the oldest
		s.order = s.order[hi:]
	} else {
		s.order = slices.Delete(s.order, lo+len(rest), hi)
	}
	for _, x := range gone {
		x.gone = false
	}
	return gone
}
