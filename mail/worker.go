package mail

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"watchpost/engine/event"
)

// mailsPerConnection bounds what goes over one connection: some providers close after 20.
const mailsPerConnection = 20

// Run sends what waits, newest first, test mails before all, until ctx ends.
func (o *Outbox) Run(ctx context.Context) error {
	told := make(chan struct{})
	sending := make(chan struct{})
	go func() {
		defer close(told)
		o.tellListener(sending)
	}()
	for ctx.Err() == nil {
		id, wait := o.next()
		if id != "" {
			if !o.saveLate(id) {
				o.serve(ctx, id)
			}
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-t.C:
		}
		t.Stop()
	}
	close(sending)
	<-told
	return ctx.Err()
}

// tellListener hands out what announce queued, until done and nothing is left.
func (o *Outbox) tellListener(done <-chan struct{}) {
	for ended := false; ; {
		for {
			o.mu.Lock()
			if len(o.news) == 0 {
				o.mu.Unlock()
				break
			}
			m := o.fresh[o.news[0]]
			delete(o.fresh, o.news[0])
			o.news = o.news[1:]
			o.mu.Unlock()
			o.options.Listener.MailChanged(m)
		}
		if ended {
			return
		}
		select {
		case <-o.tell:
		case <-done:
			ended = true
		}
	}
}

// next returns the mail to send now, or "" and how long there is nothing to do.
func (o *Outbox) next() (id string, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const idle = time.Hour
	if o.setup.config.SMTP.Server == "" {
		return "", idle
	}
	now := time.Now()
	held := o.hold.count > 0 && now.Before(o.hold.until)
	wait = idle
	var best *entry
	for _, e := range o.mails {
		if e.Mail.Count(event.Pending) == 0 {
			continue
		}
		ready := e.next
		if held && !e.urgent && o.hold.until.After(ready) {
			ready = o.hold.until
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

// before orders what is ready: what a person waits for, then the newest.
func before(a, b *entry) bool {
	if a.urgent != b.urgent {
		return a.urgent
	}
	if !a.Mail.At.Equal(b.Mail.At) {
		return a.Mail.At.After(b.Mail.At)
	}
	return a.Mail.ID > b.Mail.ID
}

// serve opens a connection for the mail id and sends what is ready over it.
func (o *Outbox) serve(ctx context.Context, id string) {
	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	o.mu.Lock()
	set := o.setup
	o.cancel = cancel
	o.mu.Unlock()
	step := func(of string) func(event.Step) {
		return func(s event.Step) {
			o.options.Log.Debug("mail step", "mail", of, "step", s.Step, "target", s.Target, "ok", s.OK, "ms", s.MS, "code", s.Code, "text", s.Text)
			if o.options.Listener != nil {
				o.options.Listener.MailStep(of, s)
			}
		}
	}
	s, f := open(opening, set, o.options.Host, o.times, step(id))
	o.mu.Lock()
	o.cancel = nil // from here on a new configuration waits for the mail under way
	o.mu.Unlock()
	if f != nil {
		if opening.Err() == nil {
			o.postpone(id, set.revision, f)
		}
		return
	}
	defer s.close()
	if opening.Err() != nil {
		return
	}
	for {
		s.report = step(id)
		f := o.deliver(ctx, s, id, set.revision)
		if ctx.Err() != nil || f != nil && f.fatal() {
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
		if id, _ = o.next(); id == "" || o.saveLate(id) {
			break
		}
	}
	s.quit()
}

// outcome is what became of one recipient in one attempt.
type outcome struct {
	state event.RecipientState
	reply string
}

// deliver sends one mail and records the outcome of each recipient. What it
// returns is why the transaction did not come to its end, nil if it did.
func (o *Outbox) deliver(ctx context.Context, s *session, id string, revision int) *fault {
	o.mu.Lock()
	e := o.mails[id]
	if e == nil {
		o.mu.Unlock()
		return nil
	}
	r := e.record.clone()
	o.mu.Unlock()

	results := map[int]outcome{}
	refuse := func(i int, f *fault) {
		state := event.Pending
		if f.kind == permanent {
			state = event.RcptHeld
		}
		results[i] = outcome{state, f.words()}
	}
	var due []int
	needsUTF8 := r.UTF8
	offersUTF8, _ := s.client.Extension("SMTPUTF8")
	for i, rc := range r.Mail.Recipients {
		if rc.State != event.Pending {
			continue
		}
		if !isASCII(r.Envelope[i]) && !offersUTF8 { // the others need not suffer
			refuse(i, &fault{kind: permanent, text: errNoSMTPUTF8.Error()})
			continue
		}
		due = append(due, i)
		needsUTF8 = needsUTF8 || !isASCII(r.Envelope[i])
	}
	if len(due) == 0 {
		if len(results) == 0 { // dropped in the meantime
			return nil
		}
		o.settle(id, revision, results, nil)
		return nil
	}
	f := s.mail(r.From, needsUTF8)
	var accepted []int
	if f == nil {
		for _, i := range due {
			if f = s.rcpt(r.Envelope[i]); f == nil {
				accepted = append(accepted, i)
				continue
			}
			if f.fatal() {
				break
			}
			refuse(i, f)
		}
		if f == nil || !f.fatal() {
			if len(accepted) == 0 {
				o.settle(id, revision, results, f)
				return f
			}
			var reply string
			if reply, f = o.send(s, r); f == nil {
				for _, i := range accepted {
					results[i] = outcome{event.Delivered, "250 " + reply}
				}
				o.settle(id, revision, results, nil)
				return nil
			}
			due = accepted
		}
	}
	if ctx.Err() != nil && len(results) == 0 {
		return f // stopped: the next start tries again
	}
	if f.kind == permanent || f.kind == temporary {
		for _, i := range due {
			refuse(i, f)
		}
	}
	o.settle(id, revision, results, f)
	return f
}

// send streams the mail's file.
func (o *Outbox) send(s *session, r record) (string, *fault) {
	file, err := os.Open(o.spool.queue(r.Mail.ID + ".eml"))
	if err != nil {
		f := newFault("data", "", err)
		f.kind = local
		s.report(failed(f, time.Now()))
		return "", f
	}
	defer file.Close()
	return s.data(file, r.SHA256)
}

// settle records an attempt: on the disk before anything else is said to the server.
func (o *Outbox) settle(id string, revision int, results map[int]outcome, f *fault) {
	o.mu.Lock()
	switch {
	case f == nil || f.kind == temporary || f.kind == permanent || f.kind == local:
		o.hold = hold{} // line and account work
	case revision == o.setup.revision:
		o.holdFor(f)
	}
	o.mu.Unlock()
	err := o.change(id, func(e *entry) bool {
		m := &e.Mail
		m.Attempts++
		now := time.Now().Round(0)
		for i, r := range results {
			rc := &m.Recipients[i]
			if rc.State == event.Pending || r.state == event.Delivered { // dropped meanwhile: only a delivery counts
				*rc = event.Recipient{Address: rc.Address, State: r.state, Reply: r.reply, At: now}
			}
		}
		e.urgent, e.unsaved = false, nil
		m.NextTry, m.Problem = time.Time{}, ""
		pending, held := m.Count(event.Pending), m.Count(event.RcptHeld)
		switch {
		case f != nil && pending+held > 0:
			m.Problem = f.Error()
		case pending > 0:
			m.Problem = "A destination was refused for now. It is tried again."
		case held > 0:
			m.Problem = "A destination was refused. Its line says why; retry after changing what it names, or drop it."
		}
		if pending > 0 && (f == nil || f.kind == temporary || f.kind == permanent || f.kind == local) {
			e.next = time.Now().Add(backOff(o.times.slowRetry, e.slow))
			e.slow++
			m.NextTry = wall(e.next)
		}
		return true
	})
	if err != nil {
		o.unsaved(id, results, err)
	}
	o.mu.Lock()
	if e := o.mails[id]; e != nil && revision != o.setup.revision {
		e.next = time.Time{} // a new configuration tries at once
	}
	o.mu.Unlock()
	o.logOutcome(id, results, f)
}

// logOutcome writes the operator's line.
func (o *Outbox) logOutcome(id string, results map[int]outcome, f *fault) {
	n := map[event.RecipientState]int{}
	for _, r := range results {
		n[r.state]++
	}
	args := []any{"mail", id, "delivered", n[event.Delivered], "pending", n[event.Pending], "held", n[event.RcptHeld]}
	if f == nil {
		o.options.Log.Info("mail sent", args...)
		return
	}
	o.options.Log.Warn("mail not sent", append(args, "step", f.step, "target", f.target, "code", f.code, "text", f.text)...)
}

// postpone records that the connection for a mail did not come about.
func (o *Outbox) postpone(id string, revision int, f *fault) {
	o.mu.Lock()
	if revision == o.setup.revision {
		o.holdFor(f)
	}
	until := o.hold.until
	o.mu.Unlock()
	err := o.change(id, func(e *entry) bool {
		e.Mail.Attempts++
		e.urgent = false
		e.Mail.Problem = f.Error()
		e.Mail.NextTry = wall(until)
		return true
	})
	if err != nil {
		o.unsaved(id, nil, err)
	}
	o.logOutcome(id, nil, f)
}

// holdFor makes everything wait where the fault concerns everything. Called with mu held.
func (o *Outbox) holdFor(f *fault) {
	var table []time.Duration
	switch f.kind {
	case network:
		table = o.times.networkRetry
	case busy:
		table = o.times.slowRetry
	case account:
		table = o.times.account
	default:
		return
	}
	if f.kind != o.hold.kind {
		o.hold = hold{kind: f.kind}
	}
	o.hold.until = time.Now().Add(backOff(table, o.hold.count))
	o.hold.count++
	o.hold.problem = f.Error()
}

// unsaved is for an outcome that could not be written: it is kept and written
// later, and the mail is not sent again before that.
func (o *Outbox) unsaved(id string, results map[int]outcome, err error) {
	text := "The state of mail " + id + " could not be written: " + sanitise(err.Error()) + ". Check the disk."
	o.options.Log.Error("mail spool", "problem", text)
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.mails[id]; e != nil {
		e.unsaved = results
		e.next = time.Now().Add(o.times.slowRetry[0])
	}
	const kept = 20
	if !slices.Contains(o.problems, text) && len(o.problems) < kept {
		o.problems = append(o.problems, text)
	}
}

// saveLate writes what unsaved kept; false: there was nothing.
func (o *Outbox) saveLate(id string) bool {
	o.mu.Lock()
	var results map[int]outcome
	if e := o.mails[id]; e != nil {
		results = e.unsaved
	}
	revision := o.setup.revision
	o.mu.Unlock()
	if len(results) == 0 {
		return false
	}
	o.settle(id, revision, results, nil)
	return true
}

// backOff is the n-th wait of the table, the last one for ever, give or take a fifth.
func backOff(table []time.Duration, n int) time.Duration {
	d := table[min(n, len(table)-1)]
	return d*4/5 + rand.N(d*2/5+1)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
