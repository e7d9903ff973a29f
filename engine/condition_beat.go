package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

const beatProblems = 5 // that a heartbeat lists

// heartbeat is what the next one counts from.
type heartbeat struct {
	At    time.Time `json:"at,omitzero"` // best known time
	Fired uint64    `json:"fired"`
	Mails uint64    `json:"mails"`
}

// beat sends the heartbeat mail when its time has come; the first one an
// interval after the box was told to.
func (e *Engine) beat(now time.Time) {
	c := e.current().Config
	if c.Mail.Heartbeat == 0 || !config.MailConfigured(c) {
		if !e.Beat.At.IsZero() {
			e.Beat, e.unsaved = heartbeat{}, true
		}
		return
	}
	first := e.Beat.At.IsZero()
	switch {
	case first && !e.now().After(event.ClockFloor): // from no time at all nothing can be counted over a restart
		return
	case !first && e.passed(now, e.beaten, e.Beat.At) < c.Mail.Heartbeat:
		return
	case !first && slices.ContainsFunc(e.Owed, func(n event.Notice) bool { return n.Title == beatTitle }):
		return // the last one waits still
	case !first && e.beatWaits():
		return // for the line: an outage of a month is one heartbeat, not hundreds
	}
	next := heartbeat{At: e.now().Round(0), Mails: e.journal.Delivered()}
	for _, a := range e.journal.Accounts(nil) {
		next.Fired += a.Fired
	}
	last := e.Beat
	e.Beat, e.beaten, e.unsaved = next, now, true
	if !first {
		e.mailState("heartbeat", e.heartbeat(last, next))
	}
}

// beatWaits reports whether a heartbeat is in the queue that nobody has got.
func (e *Engine) beatWaits() bool {
	for id, m := range e.mails {
		if strings.HasPrefix(id, "state-heartbeat-") && m.Count(event.Pending) > 0 && m.Count(event.Delivered) == 0 {
			return true
		}
	}
	return false
}

const beatTitle = "heartbeat"

func (e *Engine) heartbeat(last, next heartbeat) letter {
	s := e.status()
	notes := []string{
		fmt.Sprintf("This box is %s and runs since %s.", s.State, e.when(e.started)),
		fmt.Sprintf("Since the last heartbeat, of %s: %s, %s delivered.", e.when(last.At),
			plural(int(next.Fired-min(last.Fired, next.Fired)), "firing"), plural(int(next.Mails-min(last.Mails, next.Mails)), "mail")),
		fmt.Sprintf("Camera: %s, %.1f frames a second.", s.Camera.State, s.Camera.FPS),
		fmt.Sprintf("Disk: %s, %d MB; %d MB free.", plural(s.Storage.Events, "event"), s.Storage.Bytes/1e6, s.Storage.FreeBytes/1e6),
		fmt.Sprintf("Mail: %d queued, %d deferred, %d held.", s.Queue.Queued, s.Queue.Deferred, s.Queue.Held),
	}
	for i, p := range s.Problems {
		if i == beatProblems {
			notes = append(notes, fmt.Sprintf("%d more problems: see the status page.", len(s.Problems)-i))
			break
		}
		notes = append(notes, "Problem: "+strings.TrimRight(p, ". ")+".")
	}
	return letter{beatTitle, notes}
}
