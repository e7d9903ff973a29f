package transfer

import (
	"context"
	"errors"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/foreign"
)

// next returns the job of the place p to go on with, or "" and how long there is
// nothing to do: what a person waits for first, then the newest.
func (q *Queue) next(p *place) (id string, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	wait = time.Hour
	var best *entry
	for _, e := range q.jobs {
		if e.to().Address != p.config.Name || e.to().State != event.Pending || !e.Seen && e.late == nil || e.looks == e.idle {
			continue
		}
		ready := e.next
		if p.hold.count > 0 && !e.urgent {
			ready = later(ready, p.hold.until)
		}
		if d := ready.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		switch {
		case best == nil, e.urgent && !best.urgent:
			best = e
		case e.urgent == best.urgent && (e.Mail.At.After(best.Mail.At) || e.Mail.At.Equal(best.Mail.At) && e.Mail.ID > best.Mail.ID):
			best = e
		}
	}
	if best == nil {
		return "", wait
	}
	return best.Mail.ID, 0
}

// stays reports whether p's connection is kept without work.
func (p *place) stays() bool {
	t, ok := p.target.(staying)
	return ok && t.stays()
}

// connection is an open session of a place.
type connection struct {
	session
	cancel context.CancelFunc // of what it was opened with
	puts   int                // that worked
}

func (c *connection) close() {
	c.session.close()
	c.cancel()
}

// work hands over what waits for a place until ctx ends.
func (q *Queue) work(ctx context.Context, p *place) {
	var c *connection
	lose := func() {
		if c != nil {
			c.close()
			c = nil
		}
	}
	defer lose()
	for ctx.Err() == nil {
		q.keepHold(p)
		id, wait := q.next(p)
		if id != "" && p.target == nil {
			q.mailOut(ctx, p, id)
			continue
		}
		connect := id != ""
		if id == "" && c == nil && p.stays() {
			left := q.held(p)
			connect, wait = left <= 0, min(wait, left)
		}
		if !connect {
			if q.rest(ctx, p, c, wait) {
				lose()
			}
			continue
		}
		if c == nil {
			if c = q.connect(ctx, p, id); c == nil || id == "" {
				continue
			}
		}
		f, progress := q.handOver(ctx, p, c, id)
		switch {
		case ctx.Err() != nil:
			return
		case f == nil:
			if progress {
				c.puts++
			}
		case f == brokenOff, f.kind == network && c.puts > 0: // the latter: it may have been closed while there was nothing to do
			lose()
		default:
			lose()
			q.failed(p, id, f)
		}
	}
}

// held is how long a place still waits.
func (q *Queue) held(p *place) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.hold.count == 0 {
		return 0
	}
	return time.Until(p.hold.until)
}

// rest waits for work, and reports that the connection is to be closed.
func (q *Queue) rest(ctx context.Context, p *place, c *connection, wait time.Duration) (done bool) {
	var lost <-chan struct{}
	idle := false
	if c != nil {
		if s, ok := c.session.(losing); ok {
			lost = s.lost()
		}
		if !p.stays() && q.times.idle <= wait {
			idle, wait = true, q.times.idle
		}
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-p.wake:
	case <-t.C:
		return idle
	case <-lost:
		if p.stays() { // the server ends it: it is not asked again at once
			q.mu.Lock()
			q.holdFor(p, &fault{kind: network, step: "wait", text: "The server closed the connection", do: "It is tried again"}, "")
			q.mu.Unlock()
		}
		return true
	}
	return false
}

// connect opens a connection for the job id, "" for none; nil where that failed.
func (q *Queue) connect(ctx context.Context, p *place, id string) *connection {
	opening, cancel := context.WithCancel(ctx)
	q.mu.Lock()
	p.opening = cancel
	q.mu.Unlock()
	began := time.Now()
	s, err := p.target.connect(opening)
	q.mu.Lock()
	p.opening = nil
	q.mu.Unlock()
	brokenOff := opening.Err() != nil
	if err == nil {
		q.step(id, event.Step{Step: "connect", Target: p.config.Name, OK: true, MS: ms(began), Verdict: "ready"})
		if id == "" {
			q.works(p)
		}
		return &connection{session: s, cancel: cancel}
	}
	cancel()
	if brokenOff {
		return nil
	}
	f := faultOf(err, "connect")
	q.step(id, f.asStep(p.config.Name, began))
	q.mu.Lock()
	q.holdFor(p, f, "")
	if f.kind == permanent || f.kind == temporary { // whatever it says, there is no connection
		q.holdFor(p, &fault{kind: account, text: f.text, do: f.do, after: f.after}, "")
	}
	until := p.hold.until
	q.mu.Unlock()
	q.keepHold(p) // before the failure is told
	q.options.Log.Warn("transfer place", "place", p.config.Name, "step", f.step, "code", f.code, "text", f.text)
	if id != "" {
		q.outcome(id, func(r *record) bool {
			if r.to().State != event.Pending {
				return false
			}
			r.tried(f)
			r.Mail.NextTry = wall(until)
			return true
		})
		q.after(id, func(e *entry) { e.urgent = false })
	}
	return nil
}

// tried notes a failed attempt.
func (r *record) tried(f *fault) {
	r.Mail.Attempts++
	r.Mail.Problem = f.Error()
	r.to().Reply, r.to().At = f.text, time.Now().Round(0)
}

// works notes that a place does what it should.
func (q *Queue) works(p *place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.hold, p.refusals = pause{}, 0
}

// after sets what of a job is kept in memory only.
func (q *Queue) after(id string, set func(*entry)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.jobs[id]; e != nil {
		set(e)
	}
}

// failed records that a file was not handed over.
func (q *Queue) failed(p *place, id string, f *fault) {
	q.mu.Lock()
	if q.places[p.config.Name] == p { // a new configuration tries at once
		q.holdFor(p, f, id)
	}
	q.mu.Unlock()
	q.keepHold(p)
	q.delay(id, f)
	q.options.Log.Warn("not transferred", "transfer", id, "place", p.config.Name, "step", f.step, "code", f.code, "text", f.text)
}

// delay makes one job wait, or holds it where its fault is for good.
func (q *Queue) delay(id string, f *fault) {
	q.mu.Lock()
	n := 0
	if e := q.jobs[id]; e != nil {
		n = e.Failed
	}
	q.mu.Unlock()
	next := time.Now().Add(max(backOff(q.times.retry(f.kind), n), min(f.after, maxAfter)))
	q.outcome(id, func(r *record) bool {
		if r.to().State != event.Pending {
			return false
		}
		r.tried(f)
		if f.kind == permanent {
			r.hold(f.Error(), f.text)
			return true
		}
		r.Failed++
		r.Next, r.Mail.NextTry = q.uptime.Keep(next), wall(next)
		r.to().At = time.Now().Round(0)
		return true
	})
	q.after(id, func(e *entry) { e.next, e.urgent, e.line = later(e.next, next), false, f.kind == network })
}

// faultOf makes a fault of any error of a target.
func faultOf(err error, step string) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	return &fault{kind: network, step: step, text: foreign.Sanitise(err.Error()), do: "It is tried again", err: err}
}

// asStep is a fault as a person follows it.
func (f *fault) asStep(target string, began time.Time) event.Step {
	return event.Step{Step: f.step, Target: target, MS: ms(began), Code: f.code, Text: f.text, Verdict: f.text, Do: f.do}
}

// step reports a step of a job.
func (q *Queue) step(id string, s event.Step) {
	if id != "" && q.options.Listener != nil {
		q.options.Listener.MailStep(id, s)
	}
}

func ms(began time.Time) float64 {
	return float64(time.Since(began).Round(10*time.Microsecond).Microseconds()) / 1000
}
