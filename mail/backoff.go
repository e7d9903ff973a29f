package mail

import (
	"math/rand/v2"
	"slices"
	"time"

	"watchpost/engine/event"
)

// next returns the mail to send now, or "" and how long there is nothing to do.
func (o *Outbox) next() (id string, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const idle = time.Hour
	if o.setup.config.SMTP.Server == "" {
		return "", idle
	}
	now := time.Now()
	wait = idle
	var best *entry
	afford := map[int]time.Duration{} // by the number of recipients
	for _, e := range o.mails {
		if e.Mail.Count(event.Pending) == 0 {
			continue
		}
		ready := e.next
		if !e.urgent {
			if o.hold.count > 0 {
				ready = later(ready, o.hold.until)
			}
			n := e.Mail.Count(event.Pending)
			if _, known := afford[n]; !known {
				afford[n] = o.affordable(n)
			}
			ready = later(ready, now.Add(afford[n]))
		}
		if d := ready.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		if best == nil || before(e, best) {
			best = e
		}
	}
	if best == nil {
		return "", wait
	}
	return best.Mail.ID, 0
}

// before orders what is ready: what a person waits for, then what has failed
// least, so that no mail keeps the others from their turn, then firings before
// the images of events, which are large, before the box's own state, then the newest.
func before(a, b *entry) bool {
	switch {
	case a.urgent != b.urgent:
		return a.urgent
	case a.Failed != b.Failed:
		return a.Failed < b.Failed
	case rank(a) != rank(b):
		return rank(a) < rank(b)
	case !a.Mail.At.Equal(b.Mail.At):
		return a.Mail.At.After(b.Mail.At)
	}
	return a.Mail.ID > b.Mail.ID
}

func rank(e *entry) int {
	switch e.Mail.Kind {
	case event.Images:
		return 1
	case event.State:
		return 2
	}
	return 0
}

// holdFor makes everything wait where the fault concerns everything. id is the
// mail with which it happened, "" if the connection did not come about. Called
// with mu held.
func (o *Outbox) holdFor(f *fault, id string) {
	switch f.kind {
	case network, busy, account:
	default:
		return
	}
	for _, e := range o.mails { // what was to be tried in any case has had its answer
		e.urgent = e.urgent && e.Mail.Kind == event.Test && e.Mail.Attempts == 0
	}
	now := time.Now()
	if o.hold.count > 0 && o.hold.kind == f.kind && now.Before(o.hold.until) { // an urgent mail failed within it
		o.hold.problem = f.Error()
		return
	}
	if f.kind != o.hold.kind {
		o.hold = hold{}
	}
	if o.hold.count == 0 || id == "" || id != o.hold.mail { // the same mail again: its own wait grows, not that of the others
		o.hold.count++
	}
	o.hold = hold{f.kind, o.hold.count, now.Add(backOff(o.times.retry(f.kind), o.hold.count-1)), f.Error(), id}
}

// retry is the waits after faults of the kind k.
func (t timeouts) retry(k kind) []time.Duration {
	switch k {
	case network:
		return t.networkRetry
	case account:
		return t.account
	case busy:
		return t.busyRetry
	}
	return t.slowRetry
}

// backOff is the n-th wait of the table, the last one for ever, give or take a fifth.
func backOff(table []time.Duration, n int) time.Duration {
	d := table[min(n, len(table)-1)]
	return d*4/5 + rand.N(d*2/5+1)
}

// longest is the longest wait there is.
func (t timeouts) longest() time.Duration {
	return slices.Max(slices.Concat(t.networkRetry, t.slowRetry, t.busyRetry, t.account))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wall turns a monotonic moment into what the clock will show then.
func wall(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Now().Add(time.Until(t)).Round(0)
}
