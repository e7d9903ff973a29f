package engine

import (
	"fmt"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/schedule"
	"watchpost/engine/store"
)

// fireOrWait accepts a firing, or keeps it until the journal can be written again.
func (e *Engine) fireOrWait(u unaccepted) {
	if len(e.unaccepted) > 0 || !e.accept(u) {
		if len(e.unaccepted) == unacceptedMax {
			e.lost++
			e.notice("lost", fmt.Sprintf("%d firings were lost since %s: the journal could not be written for too long: free some space or check the disk", e.lost, e.when(e.started)))
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
	f, err := e.fire(u)
	if err != nil {
		return false
	}
	if r := u.t.running; r != nil && f.EventID != "" {
		r.moving = u.t.active
	}
	if e.trigger(u.t.cfg.Name) != u.t { // removed while the firing waited
		e.closeEvent(u.t, "the trigger was removed during the event")
	}
	return true
}

// fire accepts one firing of t: it decides what becomes of it, writes the record
// that makes it count, and starts what follows. With an error nothing has happened.
func (e *Engine) fire(u unaccepted) (event.Firing, error) {
	t, now := u.t, time.Now()
	if u.mono.IsZero() {
		u.mono = now
	}
	e.detector.want.Store(true) // of this moment, not of when the disk has answered
	e.endHoldOffs(now)          // the tick may be late
	f := event.Firing{Seq: e.journal.Next(), Trigger: t.cfg.Name, Source: u.source, At: u.at.In(e.zone), Estimate: u.rough, Level: u.level}
	switch {
	case u.unmet:
		f.Disposition, f.Reason = event.Silent, event.AndUnmet
	case u.hidden:
		f.Disposition, f.Reason = event.Silent, event.Privacy
	case !schedule.Active(t.cfg.Active, f.At, e.holidays()...):
		f.Disposition = event.Outside
	case u.blind:
		f.Disposition, f.Reason = event.Silent, event.WarmingUp
	case t.running != nil:
		f.Disposition, f.EventID = event.Extended, t.running.stored.ID
	case t.cfg.Source == event.Timer:
		f.Disposition, f.Reason, f.EventID = event.Silent, event.TimerOff, store.ID(f.Seq, f.At)
	case !t.cfg.Notify:
		f.Disposition, f.Reason, f.EventID = event.Silent, event.NotifyOff, store.ID(f.Seq, f.At)
	default:
		f.Disposition, f.EventID = event.Queued, store.ID(f.Seq, f.At)
		f.Destinations, f.Subject = t.cfg.Destinations, t.cfg.Subject
		f.HeldOff = now.Before(t.holdUntil(e.current().Config)) || !e.room()
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
		e.beginEvent(t, f, u.mono, now)
	}
	if f.Disposition == event.Queued {
		if !f.HeldOff {
			e.await(&due{notice: e.tells(event.AlarmID(f.Seq), event.Gather(f)), at: now.Add(e.current().Config.Mail.PictureWait)})
			t.alarmed = now
		}
	}
	e.firings = appendBounded(e.firings, f, historyMax)
	e.hub.publish(event.Event{Firing: &f})
	return f, nil
}

// endHoldOffs makes the summary of each hold-off that is over, where there is
// room for one; that of a trigger that is gone has nothing to wait for. The next
// firing is mailed at once again and begins the next hold-off.
func (e *Engine) endHoldOffs(now time.Time) {
	for _, name := range e.journal.Pending() {
		if t := e.trigger(name); t != nil && now.Before(t.holdUntil(e.current().Config)) || !e.room() {
			continue
		}
		mail, g, err := e.journal.Gather(name)
		if err != nil {
			e.notice("summary", "summaries wait because the journal cannot be written: "+err.Error()+": free some space or check the disk")
			return
		}
		e.notice("summary", "")
		e.await(&due{notice: e.tells(mail, g), at: now})
	}
}
