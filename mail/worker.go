package mail

import (
	"context"
	"time"

	"watchpost/engine/event"
)

// mailsPerConnection bounds what goes over one connection: some providers close after 20.
const mailsPerConnection = 20

// attempt is what the sender is at. Guarded by the Outbox's mu.
type attempt struct {
	id      string             // of the mail; "": broken off
	urgent  bool               // a person waits for it
	began   time.Time          // with this mail
	step    string             // the last that was done or failed
	sending bool               // the mail's transaction is under way
	cancel  context.CancelFunc // until the server is ready for a mail; then nil
}

// breakOff ends an attempt with which no server has heard of a mail yet. The
// mail is none the worse for it.
func (a *attempt) breakOff() {
	if a.cancel != nil {
		a.cancel()
		a.id = ""
	}
}

// hurry makes way for what is urgent. Called with mu held.
func (o *Outbox) hurry() {
	if o.now != nil && !o.now.urgent {
		o.now.breakOff()
	}
}

// Run sends what waits until ctx ends: what a person waits for first, then the
// newest. A mail whose final dot was sent when ctx ends gets up to ten seconds
// for the server's reply.
func (o *Outbox) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		o.reconsider()
		id, wait := o.next()
		if id != "" {
			if !o.saveLate(id) {
				o.serve(ctx, id)
			}
			continue
		}
		if o.lacksRoom() {
			wait = min(wait, time.Minute) // then it is looked at again
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-t.C:
		}
		t.Stop()
	}
	return ctx.Err()
}

func (o *Outbox) lacksRoom() bool {
	o.disk.Lock()
	defer o.disk.Unlock()
	return o.textOnly()
}

// serve opens a connection for the mail id and sends what is ready over it.
func (o *Outbox) serve(ctx context.Context, id string) {
	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &attempt{id: id, began: time.Now(), step: "none", cancel: cancel}
	t := o.times
	o.mu.Lock()
	set := o.setup
	set.avoid = o.avoid
	if e := o.mails[id]; e != nil {
		a.urgent = e.urgent
	}
	if a.urgent || o.hold.count == 0 {
		t.greeting = t.firstGreeting
	}
	o.now = a
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		o.now = nil
		o.mu.Unlock()
	}()

	s, f := open(opening, set, o.options.Host, t, o.step(a, id))
	if f == nil {
		o.learnt(set, s.maxSize())
	}
	o.mu.Lock()
	a.cancel = nil // from here on the others wait for the mail under way
	brokenOff := opening.Err() != nil
	if !brokenOff {
		o.brokenOff = 0
	}
	o.mu.Unlock()
	if f != nil {
		if !brokenOff {
			o.shun(f.target)
			o.postpone(id, set.revision, f)
		}
		return
	}
	defer s.close()
	if brokenOff {
		return
	}
	folded := false
	for {
		if !folded && !o.awaited(id) { // a person waits for that one; for those behind it nobody does
			folded = true
			o.foldBacklog(set)
		}
		s.report = o.step(a, id)
		f := o.deliver(ctx, a, s, id, set)
		if ctx.Err() != nil || f != nil && f.fatal() {
			if f != nil && f.kind != local && s.mails == 0 {
				o.shun(s.line.RemoteAddr().String())
			}
			return
		}
		if f != nil && !s.reset() { // an open transaction
			return
		}
		o.mu.Lock()
		stale := o.setup.revision != set.revision || o.hold.until.After(time.Now())
		o.mu.Unlock()
		if stale || s.mails >= mailsPerConnection {
			break
		}
		if id, _ = o.next(); id == "" || o.isTest(id) || o.saveLate(id) {
			break
		}
	}
	s.quit()
}

// shun has the server's other addresses tried first next time: target is where
// an attempt ended.
func (o *Outbox) shun(target string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.avoid = target
}

// isTest reports whether a mail is a test, which shows every step: it gets a
// connection of its own.
func (o *Outbox) isTest(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.mails[id]
	return e != nil && e.Mail.Kind == event.Test
}

// awaited reports whether a person waits for a mail.
func (o *Outbox) awaited(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.mails[id]
	return e != nil && e.urgent
}

// step reports the steps of a mail.
func (o *Outbox) step(a *attempt, of string) func(event.Step) {
	return func(s event.Step) {
		o.mu.Lock()
		a.step = s.Step
		o.mu.Unlock()
		o.options.Log.Debug("mail step", "mail", of, "step", s.Step, "target", s.Target, "ok", s.OK, "ms", s.MS, "code", s.Code, "text", s.Text)
		if o.options.Listener != nil {
			o.options.Listener.MailStep(of, s)
		}
	}
}
