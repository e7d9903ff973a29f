package engine

import (
	"slices"
	"time"
)

const andMax = 16 // firings of one trigger that wait for its AND

// second is the other source of a trigger with an AND.
type second struct {
	active  bool
	last    time.Time // monotonic, when it was active last; zero: never
	waiting []andFiring
}

// andFiring is a firing that counts as one once the other source fires too.
type andFiring struct {
	unaccepted
	until time.Time // monotonic
}

// joined fires a trigger whose own source began: at once where the other one has
// said so within the time, else it waits for that.
func (e *Engine) joined(u unaccepted) {
	t, now := u.t, u.mono
	within := t.cfg.And.Within
	switch {
	case t.second.active || !t.second.last.IsZero() && now.Sub(t.second.last) <= within:
		e.fireOrWait(u)
	case len(t.second.waiting) == andMax: // counted, as one that was not met
		u.unmet = true
		e.fireOrWait(u)
	default:
		t.second.waiting = append(t.second.waiting, andFiring{u, now.Add(within)})
	}
}

// seconded takes what the other source of a trigger said. The moment of the
// trigger is the one at which both were met.
func (e *Engine) seconded(t *trigger, s signal) {
	t.second.active, t.second.last = s.started, s.mono
	if !s.started {
		return
	}
	waiting := t.second.waiting
	t.second.waiting = nil
	for _, w := range waiting {
		if w.unmet = s.mono.After(w.until); !w.unmet && s.mono.After(w.mono) { // a frame is told later than a contact
			w.at, w.rough, w.mono = s.at, s.rough, s.mono
		}
		e.fireOrWait(w.unaccepted)
	}
}

// endAnds counts the firings for which the other source did not come in time, or
// with all is true those that still wait.
func (e *Engine) endAnds(t *trigger, now time.Time, all bool) {
	waiting := t.second.waiting
	over := slices.IndexFunc(waiting, func(w andFiring) bool { return !all && now.Before(w.until) })
	if over < 0 {
		over = len(waiting)
	}
	t.second.waiting = slices.Clone(waiting[over:])
	for _, w := range waiting[:over] {
		w.unmet = true
		e.fireOrWait(w.unaccepted)
	}
}
