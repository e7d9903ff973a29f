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

// mail takes a mail's new state: a damaged one is gone, and so is what a digest
// stands for.
func (h *history) mail(m event.Mail) {
	if m.Damaged || len(m.Replaces) > 0 {
		gone := make(map[string]bool, len(m.Replaces))
		for _, id := range m.Replaces {
			gone[id] = true
		}
		h.mails = slices.DeleteFunc(h.mails, func(o event.Mail) bool { return gone[o.ID] || m.Damaged && o.ID == m.ID })
	}
	if m.Damaged {
		return
	}
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
	times int    // how often, where it is folded: at is the newest
	quiet bool   // no mail comes of it
	fold  string // what equal ones have in common; empty: what and words
}

// results lists what happened, newest first.
func (h *history) results() []result {
	var rs []result
	told := make([]bool, len(h.mails)) // with a firing; an alarm's may be forgotten
	for _, f := range h.firings {
		r := result{at: f.At, who: clean(f.Trigger), what: strings.ReplaceAll(string(f.Disposition), "_", " ")}
		switch {
		case f.Disposition == event.Silent && f.Reason == event.TimerOff: // as it should be
			r.what, r.quiet, r.fold = "event", true, "event"
			r.words = clean(f.EventID) + h.transferred(f.EventID)
		case f.Disposition == event.Silent:
			r.what, r.quiet = "silent", true
			r.words = silence(f.Reason)
		case f.Disposition == event.Outside:
			r.words, r.quiet = "of its active time: no mail", true
		case f.Disposition == event.Extended:
			r.words, r.quiet = "prolonged the event that was running", true
		case f.HeldOff:
			r.what, r.words = "held off", "told in the summary when the hold-off ends"
		}
		if f.Disposition == event.Queued {
			for i, m := range h.mails {
				if m.Firings.Has(f.Seq) {
					r.what, r.words = fate(m)
					told[i] = true
				}
			}
		}
		rs = append(rs, r)
	}
	for i, m := range h.mails {
		if m.Kind == event.Alarm && told[i] {
			continue
		}
		r := result{at: m.At, who: mailName(m)}
		r.what, r.words = outcome(m)
		rs = append(rs, r)
	}
	slices.SortStableFunc(rs, func(a, b result) int { return b.at.Compare(a.at) })
	return folded(rs)
}

// transferred says what of an event's images went where, as far as it is known; else
// where they are seen.
func (h *history) transferred(id string) string {
	for _, m := range h.mails {
		if m.Kind == event.Transfer && m.Event == id {
			what, _ := outcome(m)
			return fmt.Sprintf(": %s to %s, %s", clean(m.Subject), transferTo(m), what)
		}
	}
	return ": 5 Events shows its images"
}

// folded makes one result of equal ones that follow each other, and of all equal
// ones of which no mail comes, so that they leave room for those that matter.
func folded(rs []result) []result {
	var out []result
	quiet := map[[2]string]int{} // places in out, by who and words
	for _, r := range rs {
		r.times = 1
		if r.fold == "" {
			r.fold = r.what + r.words
		}
		at, ok := quiet[[2]string{r.who, r.fold}]
		if !r.quiet {
			at = len(out) - 1
			ok = at >= 0 && out[at].who == r.who && out[at].what == r.what && out[at].words == r.words
		} else if !ok {
			quiet[[2]string{r.who, r.fold}] = len(out)
		}
		if ok {
			out[at].times++
			continue
		}
		out = append(out, r)
	}
	return out
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

// fate is what became of a firing that m tells of: one of many is told with them.
func fate(m event.Mail) (what, words string) {
	switch what, words = outcome(m); m.Kind {
	case event.Summary, event.Digest:
		if m.Disposition() == event.Summarised {
			what = "summarised"
		}
		words = "in the " + mailName(m)
	}
	return what, words
}

// mailName says what a mail is: the trigger of an alarm, else its kind with what
// it tells.
func mailName(m event.Mail) string {
	switch m.Kind {
	case event.Alarm:
		return clean(m.Trigger)
	case event.Summary, event.Digest:
		return string(m.Kind) + " of " + firings(m.FiringCount)
	case event.State:
		return stateTitle(m)
	case event.Transfer:
		return "transfer to " + transferTo(m)
	}
	return string(m.Kind) + " mail"
}

func firings(n uint64) string {
	if n == 1 {
		return "1 firing"
	}
	return count(n) + " firings"
}

// stateTitle is what a state mail says, as its subject tells it between the
// configured one and the stamp.
func stateTitle(m event.Mail) string {
	s := clean(m.Subject)
	if i := strings.LastIndexByte(s, ':'); i > 0 {
		s = s[:i]
	}
	if i := strings.LastIndex(s, " - "); i >= 0 {
		s = s[i+len(" - "):]
	}
	if s == "" {
		return "state mail"
	}
	return s
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
		return "a timer has no mail; its images are kept"
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
