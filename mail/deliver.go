package mail

import (
	"context"
	"os"
	"slices"
	"time"

	"watchpost/engine/event"
)

// outcomes is what became of recipients in one attempt, by their index.
type outcomes map[int]event.Recipient // the address is not in it

func (o outcomes) add(i int, state event.RecipientState, reply string) {
	o[i] = event.Recipient{State: state, Reply: reply, At: time.Now().Round(0)}
}

// refuse is for a recipient that f keeps from the mail.
func (o outcomes) refuse(i int, f *fault) {
	state := event.Pending
	if f.kind == permanent {
		state = event.RcptHeld
	}
	o.add(i, state, f.words())
}

func (o outcomes) apply(m *event.Mail) {
	for i, r := range o {
		if rc := &m.Recipients[i]; rc.State == event.Pending || r.State == event.Delivered {
			r.Address = rc.Address
			*rc = r
		}
	}
}

// claim takes a mail for the transaction that follows: until release it cannot be
// dropped. The disk lock makes a Drop in progress come first.
func (o *Outbox) claim(a *attempt, id string) (r record, ok bool) {
	o.disk.Lock()
	defer o.disk.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.mails[id]
	if e == nil {
		return record{}, false
	}
	if a.id != id {
		a.id, a.began = id, time.Now()
	}
	a.urgent, a.sending = e.urgent, true
	return e.record.clone(), true
}

func (o *Outbox) release(a *attempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a.sending = false
}

// deliver sends one mail and records the outcome of each recipient. What it
// returns is why the transaction did not come to its end, nil if it did.
func (o *Outbox) deliver(ctx context.Context, a *attempt, s *session, id string, revision int) *fault {
	r, ok := o.claim(a, id)
	if !ok {
		return nil
	}
	defer o.release(a)
	results := outcomes{}
	var due []int
	needsUTF8 := r.UTF8
	offersUTF8, _ := s.client.Extension("SMTPUTF8")
	for i, rc := range r.Mail.Recipients {
		if rc.State != event.Pending {
			continue
		}
		if !isASCII(r.Envelope[i]) && !offersUTF8 { // the others need not suffer
			results.refuse(i, &fault{kind: permanent, text: errNoSMTPUTF8.Error()})
			continue
		}
		due = append(due, i)
		needsUTF8 = needsUTF8 || !isASCII(r.Envelope[i])
	}
	if len(due) == 0 {
		if len(results) > 0 { // else it was dropped in the meantime
			o.settle(id, revision, results, nil)
		}
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
			results.refuse(i, f)
		}
		if f == nil || !f.fatal() {
			if len(accepted) == 0 {
				o.settle(id, revision, results, f)
				return f
			}
			var reply string
			if reply, f = o.send(s, r); f == nil {
				for _, i := range accepted {
					results.add(i, event.Delivered, "250 "+reply)
				}
				o.settle(id, revision, results, nil)
				return nil
			}
			due = accepted
		}
	}
	if ctx.Err() != nil && f.code == 0 && len(results) == 0 {
		return f // stopped: the next start tries again
	}
	if !f.fatal() {
		for _, i := range due {
			results.refuse(i, f)
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

// settle records an attempt with which the server was ready for the mail: on the
// disk before anything else is said to the server.
func (o *Outbox) settle(id string, revision int, results outcomes, f *fault) {
	k := temporary // of a recipient refused for now
	if f != nil {
		k = f.kind
	}
	o.mu.Lock()
	switch k {
	case network, busy, account:
		if revision == o.setup.revision {
			o.holdFor(f, id)
		}
	default:
		o.hold = hold{} // line and account work
	}
	var next time.Time
	if e := o.mails[id]; e != nil && revision == o.setup.revision { // a new configuration tries at once
		next = time.Now().Add(backOff(o.times.retry(k), e.failed))
	}
	o.mu.Unlock()
	err := o.change(id, func(m *event.Mail) bool {
		results.apply(m)
		tried(m, f)
		if m.Count(event.Pending) > 0 {
			m.NextTry = wall(next)
		}
		return true
	}, func(e *entry) {
		if e.urgent && !o.now.urgent { // a Retry came meanwhile
			return
		}
		e.urgent = false
		if revision == o.setup.revision && e.Mail.Count(event.Pending) > 0 {
			e.next = next
			e.failed++
		}
	})
	if err != nil {
		o.unsaved(id, results, err)
	}
	o.logOutcome(id, results, f)
}

// tried counts an attempt and says what is left to be done. f is what ended it, nil if nothing did.
func tried(m *event.Mail, f *fault) {
	m.Attempts++
	m.NextTry, m.Problem = time.Time{}, ""
	switch pending, held := m.Count(event.Pending), m.Count(event.RcptHeld); {
	case f != nil && pending+held > 0:
		m.Problem = f.Error()
	case pending > 0:
		m.Problem = "A destination was refused for now. It is tried again."
	case held > 0:
		m.Problem = "A destination was refused. Its line says why; retry after changing what it names, or drop it."
	}
}

// logOutcome writes the operator's line.
func (o *Outbox) logOutcome(id string, results outcomes, f *fault) {
	n := map[event.RecipientState]int{}
	for _, r := range results {
		n[r.State]++
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
		o.holdFor(f, "")
	}
	until := o.hold.until
	o.mu.Unlock()
	err := o.change(id, func(m *event.Mail) bool {
		tried(m, f)
		m.NextTry = wall(until)
		return true
	}, func(e *entry) { e.urgent = false })
	if err != nil {
		o.unsaved(id, nil, err)
	}
	o.logOutcome(id, nil, f)
}

// unsaved is for an outcome that could not be written: it is kept and written
// later, and the mail is not sent again before that.
func (o *Outbox) unsaved(id string, results outcomes, err error) {
	text := "The state of mail " + id + " could not be written: " + sanitise(err.Error()) + ". Check the disk."
	o.options.Log.Error("mail spool", "problem", text)
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.mails[id]; e != nil {
		e.unsaved, e.urgent = results, false
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
	var late outcomes
	if e := o.mails[id]; e != nil {
		late = e.unsaved
	}
	o.mu.Unlock()
	if len(late) == 0 {
		return false
	}
	err := o.change(id, func(m *event.Mail) bool { tried(m, nil); return true }, nil)
	if err != nil {
		o.unsaved(id, late, err)
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
