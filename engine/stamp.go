package engine

import (
	"sync"
	"time"

	"watchpost/engine/event"
)

// bestTime is the box's clock, or while that is not set the best that is known:
// the time that it showed or that was saved last, and what has passed since.
//
// Invariant, under mu: at the monotonic moment mono it was wall; zero where nothing is known.
type bestTime struct {
	clock   Clock
	started time.Time // monotonic

	mu         sync.Mutex
	wall, mono time.Time
}

func newBestTime(clock Clock, saved time.Time) *bestTime {
	b := &bestTime{clock: clock, started: time.Now()}
	if saved.After(event.ClockFloor) {
		b.wall, b.mono = saved.Round(0), b.started
	}
	return b
}

// now returns the time, and whether the clock is set.
func (b *bestTime) now() (at time.Time, set bool) {
	at = b.clock.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case at.After(event.ClockFloor):
		b.wall, b.mono = at.Round(0), time.Now()
		return at, true
	case b.wall.IsZero():
		return at, false
	}
	return b.wall.Add(time.Since(b.mono)), false
}

// of corrects a moment that was stamped with the clock, and tells whether it is an
// estimate now.
func (b *bestTime) of(at time.Time) (_ time.Time, estimate bool) {
	if at.After(event.ClockFloor) {
		return at, false
	}
	now, _ := b.now()
	if !now.After(event.ClockFloor) {
		return at, true
	}
	age := b.clock.Now().Sub(at)
	if age < 0 || age > time.Since(b.started) { // the clock was set since
		age = 0
	}
	return now.Add(-age), true
}

// now is the best known time in the configured zone.
func (e *Engine) now() time.Time {
	at, _ := e.best.now()
	return at.In(e.zone)
}
