package engine

import (
	"time"

	"watchpost/engine/event"
	"watchpost/engine/schedule"
)

// endTimers fires the timer triggers whose moment has come. A moment that passed
// while the program did not run, or that the clock jumped over, does not come again.
func (e *Engine) endTimers() {
	now, set := e.best.now()
	now = now.In(e.zone)
	looked := e.timersAt
	e.timersAt = time.Now()
	late := e.timersAt.Sub(looked) + time.Second // the loop may have stood still
	for _, t := range e.triggers {
		if t.cfg.Source != event.Timer || !t.cfg.Enabled {
			continue
		}
		last := lastMultiple(now, t.cfg.Every)
		was := t.ticked
		t.ticked = last
		if was.IsZero() || !last.After(was) || now.Sub(last) > late || e.private() || !schedule.Active(t.cfg.Active, last, e.holidays()...) {
			continue
		}
		e.fireOrWait(unaccepted{t: t, source: event.Timer, at: last, rough: !set, mono: time.Now()})
	}
}

// lastMultiple is the last moment, not after now, at which the wall clock came to a
// multiple of every counted from midnight. An hour that summer time repeats has its
// moments twice, one that it skips has none.
func lastMultiple(now time.Time, every time.Duration) time.Time {
	for range 4 { // changes of the clock that lie between; one is what there is
		at := now.Add(-(sinceMidnight(now) % every))
		changed, _ := now.ZoneBounds()
		if changed.IsZero() || !at.Before(changed) {
			return at
		}
		if sinceMidnight(changed)%every == 0 {
			return changed
		}
		now = changed.Add(-time.Nanosecond)
	}
	return now
}

// sinceMidnight is what the wall clock shows.
func sinceMidnight(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
		time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
}
