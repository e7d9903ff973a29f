package engine

import (
	"time"

	"watchpost/engine/event"
	"watchpost/engine/schedule"
	"watchpost/engine/store"
)

// fireOrWait accepts a firing, or keeps it until the journal can be written again.
func (e *Engine) fireOrWait(u unaccepted) {
	if len(e.unaccepted) > 0 || !e.accept(u) {
		if len(e.unaccepted) == unacceptedMax {
			e.notice("lost", "firings are being lost: the journal has been unwritable for too long")
			return
		}
		e.unaccepted = append(e.unaccepted, u)
	}
}

// acceptWaiting accepts what waits, in order, up to the first failure.
func (e *Engine) acceptWaiting() {
	for len(e.unaccepted) > 0 && e.accept(e.unaccepted[0]) {
		e.unaccepted = e.unaccepted[1:]
	}
}

// accept accepts a firing of a source; with false its record could not be written.
func (e *Engine) accept(u unaccepted) bool {
	f, err := e.fire(u.t, u.source, u.at, u.level)
	if err != nil {
		return false
	}
	if r := u.t.running; r != nil && f.EventID != "" {
		r.moving = u.t.active
	}
	if e.trigger(u.t.cfg.Name) != u.t { // removed while the firing waited
		e.retire(u.t)
	}
	return true
}

// fire accepts one firing of t: it decides what becomes of it, writes the record
// that makes it count, and starts what follows. With an error nothing has happened.
func (e *Engine) fire(t *trigger, source event.Source, at time.Time, level float64) (event.Firing, error) {
	now := time.Now()
	e.endHoldOffs(now) // the tick may be late
	f := event.Firing{Seq: e.journal.Next(), Trigger: t.cfg.Name, Source: source, At: at.In(e.zone), Level: level}
	switch {
	case !schedule.Active(t.cfg.Active, f.At):
		f.Disposition = event.Outside
	case t.running != nil:
		f.Disposition, f.EventID = event.Extended, t.running.stored.ID
	case !t.cfg.Notify:
		f.Disposition, f.Reason, f.EventID = event.Silent, event.NotifyOff, store.ID(f.Seq, f.At)
	default:
		f.Disposition, f.EventID = event.Queued, store.ID(f.Seq, f.At)
		f.HeldOff = now.Before(t.holdUntil(e.current().Config))
	}
	if err := e.journal.Fire(f); err != nil {
		e.notice("journal", "firings wait because the journal cannot be written: "+err.Error()+": free some space or check the disk")
		return f, err
	}
	e.notice("journal", "")
	e.Log.Info("firing", "seq", f.Seq, "trigger", f.Trigger, "source", f.Source, "at", f.At, "disposition", f.Disposition, "reason", f.Reason, "event", f.EventID)
	t.last = f.At
	switch {
	case f.Disposition == event.Extended:
		t.running.extend(now, f)
	case f.EventID != "":
		e.beginEvent(t, f, now)
	}
	if f.Disposition == event.Queued {
		if f.HeldOff {
			t.pending = append(t.pending, f)
		} else {
			e.due = append(e.due, &due{notice: alarm(f), at: now.Add(e.current().Config.Mail.PictureWait)})
			t.alarmed = now
		}
	}
	e.firings = appendBounded(e.firings, f, historyMax)
	e.hub.publish(event.Event{Firing: &f})
	return f, nil
}

// endHoldOffs makes the summary of each hold-off that is over.
func (e *Engine) endHoldOffs(now time.Time) {
	for _, t := range e.triggers {
		if len(t.pending) > 0 && !now.Before(t.holdUntil(e.current().Config)) {
			e.due = append(e.due, &due{notice: summary(t.pending), at: now})
			t.pending = nil
		}
	}
}

func alarm(f event.Firing) event.Notice {
	return event.Notice{ID: event.AlarmID(f.Seq), Kind: event.Alarm,
		Gathered: event.Gather(f), At: f.At, Event: f.EventID}
}

// summary tells of the firings of a hold-off; its moment is that of the newest.
func summary(fs []event.Firing) event.Notice {
	return event.Notice{ID: event.SummaryID(fs[0].Seq), Kind: event.Summary,
		Gathered: event.Gather(fs...), At: fs[len(fs)-1].At, Event: fs[len(fs)-1].EventID}
}
