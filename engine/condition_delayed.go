package engine

import (
	"fmt"
	"time"

	"watchpost/engine/event"
)

const delayedAfter = 10 * time.Minute

// waiting is a mail that no server has taken yet.
type waiting struct {
	since time.Time // monotonic
	mails int       // that it stands for
	why   string
}

// delayed is what there is to say of mails that came late.
type delayed struct {
	Mails int       `json:"mails,omitempty"`
	From  time.Time `json:"from,omitzero"` // best known times
	To    time.Time `json:"to,omitzero"`
}

// waited takes how a mail stands: those that tell of firings are watched for how
// long they wait for the line or the server.
func (e *Engine) waited(m event.Mail) {
	if m.Kind == event.Test || m.Kind == event.State {
		return
	}
	now, pending := time.Now(), m.Count(event.Pending) > 0 && !m.Damaged
	w, known := e.waiting[m.ID]
	if !known && !pending {
		return
	}
	if !known {
		w = waiting{since: now, mails: 1}
		if s := e.Standing["delayed"]; e.lookAt.IsZero() && s != nil && s.Told {
			w.since = now.Add(-delayedAfter) // it waits since an earlier run
		}
	}
	for _, id := range m.Replaces {
		if of, ok := e.waiting[id]; ok {
			if of.since.Before(w.since) {
				w.since = of.since
			}
			delete(e.waiting, id)
		}
	}
	if m.Problem != "" {
		w.why = m.Problem
	}
	if pending {
		w.mails = max(w.mails, m.Stands)
		e.waiting[m.ID] = w
		return
	}
	delete(e.waiting, m.ID)
	if long := now.Sub(w.since); m.Count(event.Delivered) > 0 && long >= delayedAfter {
		if from := e.now().Add(-long).Round(0); e.Delayed.Mails == 0 || from.Before(e.Delayed.From) {
			e.Delayed.From = from
		}
		e.Delayed.Mails += w.mails
		e.Delayed.To = e.now().Round(0)
		e.unsaved = true
	}
}

// lookDelayed looks for the mail that waits longest.
func (e *Engine) lookDelayed(now time.Time) look {
	l := look{is: absent}
	if s := e.Standing["delayed"]; s != nil && !s.Told && e.Delayed.Mails > 0 {
		l = look{is: present} // it is over, and was too soon after the last one to be told
	}
	for _, w := range e.waiting {
		if now.Sub(w.since) >= delayedAfter && (l.since.IsZero() || w.since.Before(l.since)) {
			l = look{is: present, since: w.since, why: w.why}
		}
	}
	return l
}

// tellDelayed is the one mail about those that came late.
func (e *Engine) tellDelayed(why string) letter {
	d := e.Delayed
	e.Delayed = delayed{}
	if d.Mails == 0 { // the operator dropped them
		return letter{}
	}
	notes := []string{fmt.Sprintf("%s waited longer than %s for the line or the mail server, the first from %s on; at %s the last was delivered.",
		plural(d.Mails, "mail"), span(delayedAfter), e.when(d.From), e.when(d.To))}
	if why != "" {
		notes = append(notes, "The last problem was: "+why)
	}
	return letter{"mail delayed", append(notes,
		"What those mails tell happened at the time in their subjects.",
		"Where this comes often, check the line of this box and its mail server.")}
}
