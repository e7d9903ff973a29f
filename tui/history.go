package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"watchpost/engine/event"
)

// maxHistory is how many firings and mails the screen remembers, each.
const maxHistory = 50

// history is the newest firings and mails, newest last.
type history struct {
	firings []event.Firing
	mails   []event.Mail
}

func (h *history) firing(f event.Firing) {
	if slices.ContainsFunc(h.firings, func(g event.Firing) bool { return g.Seq == f.Seq }) {
		return
	}
	h.firings = append(h.firings, f)
	h.firings = h.firings[max(0, len(h.firings)-maxHistory):]
}

func (h *history) mail(m event.Mail) {
	if i := slices.IndexFunc(h.mails, func(o event.Mail) bool { return o.ID == m.ID }); i >= 0 {
		h.mails[i] = m
		return
	}
	h.mails = append(h.mails, m)
	h.mails = h.mails[max(0, len(h.mails)-maxHistory):]
}

// result is one line of what happened: a firing and what became of it, or a
// mail that stands for no single firing.
type result struct {
	at    time.Time
	who   string // the trigger, or what kind of mail
	what  string // one or two words: delivered, held 1/3, silent: privacy
	words string // the server's words, or why
}

// results lists what happened, newest first.
func (h *history) results() []result {
	var rs []result
	for _, f := range h.firings {
		r := result{at: f.At, who: clean(f.Trigger), what: strings.ReplaceAll(string(f.Disposition), "_", " ")}
		switch {
		case f.Disposition == event.Silent:
			r.what = "silent"
			r.words = silence(f.Reason)
		case f.Disposition == event.Outside:
			r.words = "outside its active time"
		case f.Disposition == event.Extended:
			r.words = "prolonged the event that was running"
		case f.HeldOff:
			r.what, r.words = "held off", "told in the summary when the hold-off ends"
		}
		if f.Disposition == event.Queued {
			for _, m := range h.mails {
				if slices.Contains(m.Firings, f.Seq) {
					r.what, r.words = outcome(m)
				}
			}
		}
		rs = append(rs, r)
	}
	for _, m := range h.mails {
		if m.Kind == event.Alarm {
			continue // told with its firing
		}
		r := result{at: m.At, who: string(m.Kind)}
		if m.Kind == event.Test || m.Kind == event.State {
			r.who += " mail"
		}
		r.what, r.words = outcome(m)
		rs = append(rs, r)
	}
	slices.SortStableFunc(rs, func(a, b result) int { return b.at.Compare(a.at) })
	return rs
}

// outcome is a mail's state in short and the words that explain it.
func outcome(m event.Mail) (what, words string) {
	what = m.QueueState()
	if n := len(m.Recipients); n > 1 {
		s := event.Delivered
		switch what {
		case "held":
			s = event.RcptHeld
		case "dropped":
			s = event.RcptDrop
		case "queued", "deferred":
			s = event.Pending
		}
		what = fmt.Sprintf("%s %d/%d", what, m.Count(s), n)
	}
	return what, clean(lastWords(m))
}

// lastWords are what explains a mail best: a problem, else the server's words
// for the recipient that is worst off.
func lastWords(m event.Mail) string {
	if m.Problem != "" && !m.Settled() {
		return m.Problem
	}
	for _, s := range []event.RecipientState{event.RcptHeld, event.Pending, event.RcptDrop, event.Delivered} {
		for _, r := range m.Recipients {
			if r.State == s && r.Reply != "" {
				return r.Reply
			}
		}
	}
	return ""
}

// silence says why a firing was silent.
func silence(r event.Reason) string {
	switch r {
	case event.NotifyOff:
		return "its notification is off"
	case event.TimerOff:
		return "timer triggers have no mail"
	case event.Privacy:
		return "privacy mode was on"
	case event.WarmingUp:
		return "the sensor was warming up"
	case event.WalkTest:
		return "walk test"
	case event.AndUnmet:
		return "the second source did not fire in time"
	}
	return clean(string(r))
}
