package mail

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"watchpost/engine/durable"
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
func (o *Outbox) deliver(ctx context.Context, a *attempt, s *session, id string, set setup) *fault {
	r, ok := o.claim(a, id)
	if !ok {
		return nil
	}
	defer o.release(a)
	defer o.spool.sending("")
	results := outcomes{}
	var due []int
	needsUTF8 := r.UTF8
	offersUTF8, _ := s.extension("SMTPUTF8")
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
	// Bad addresses never block the others.
	if rest := slices.DeleteFunc(slices.Clone(due), r.ended); len(rest) > 0 {
		due = rest
	} else if len(due) > 1 {
		due = due[r.Failed%len(due):][:1]
	}
	if len(due) == 0 {
		if len(results) > 0 { // else it was dropped in the meantime
			o.settle(r, set, results, nil)
		}
		return nil
	}
	if limit := s.maxSize(); limit > 0 && r.Mail.Bytes > limit {
		if smaller, ok := o.fit(id, limit); ok {
			r = smaller
		}
	}
	unsayable := maps.Clone(results)
	f := o.transact(s, r, due, needsUTF8, results)
	for f != nil && tooLarge(f) { // what it takes, it did not say
		smaller, ok := o.fit(id, r.Mail.Bytes*2/3)
		if !ok {
			break
		}
		if !s.reset() {
			return f // it hung up: the smaller one goes over another connection, at once
		}
		r, results = smaller, maps.Clone(unsayable)
		f = o.transact(s, r, due, needsUTF8, results)
	}
	if f != nil && errors.Is(f.err, errDamagedSpool) {
		o.damaged(id, f)
		return f
	}
	if ctx.Err() != nil && f != nil && f.code == 0 && len(results) == 0 {
		o.change(id, func(r *record) bool { return r.Handed }, nil)
		return f // stopped: the next start tries again
	}
	if f != nil && f.fatal() && f.step == "mail" && s.mails > 0 {
		return f // the server takes no more mails over this connection: another one is opened for it
	}
	o.settle(r, set, results, f)
	return f
}

// transact is one transaction for the recipients due; it notes their outcomes in
// results.
func (o *Outbox) transact(s *session, r record, due []int, utf8 bool, results outcomes) *fault {
	to := make([]string, len(due))
	for n, i := range due {
		to[n] = r.Envelope[i]
	}
	refused, f := s.begin(r.From, to, utf8, r.Mail.Bytes)
	if f != nil && f.fatal() {
		if f.rcpt > 0 {
			f.rcpt = due[f.rcpt-1] + 1
		}
		for n, i := range due { // those judged before the end of the connection
			if refused[n] != nil && !refused[n].fatal() {
				results.refuse(i, refused[n])
			}
		}
		return f
	}
	var accepted []int
	for n, i := range due {
		if refused[n] == nil {
			accepted = append(accepted, i)
			continue
		}
		results.refuse(i, refused[n])
		f = refused[n]
	}
	if len(accepted) == 0 {
		return f
	}
	reply, f := o.send(s, r)
	for _, i := range accepted {
		switch {
		case f == nil:
			results.add(i, event.Delivered, "250 "+reply)
		case !f.fatal():
			results.refuse(i, f)
		}
	}
	return f
}

// send streams the mail's file and tells how far it is, at most twice a second.
func (o *Outbox) send(s *session, r record) (string, *fault) {
	id := r.Mail.ID
	file, err := os.Open(o.spool.queue(id + ".eml"))
	if err != nil {
		f := newFault("data", "", err)
		f.kind = local
		if errors.Is(err, os.ErrNotExist) {
			f.err = fmt.Errorf("%w: %w", errDamagedSpool, err)
		}
		s.report(failed(f, time.Now()))
		return "", f
	}
	defer file.Close()
	o.spool.sending(id)
	o.mark(id, true)
	var told time.Time
	reply, f := s.data(file, r.SHA256, func(sent int64) {
		if now := time.Now(); o.options.Listener != nil && now.Sub(told) >= tellEvery {
			told = now
			o.options.Listener.MailSent(event.MailSent{Mail: id, Sent: sent, Of: r.Mail.Bytes})
		}
	})
	if f == nil || f.code >= 400 || !s.dotted { // else the server may have it
		o.mark(id, r.Handed) // as one may from an earlier attempt
	}
	return reply, f
}

// tellEvery is how often progress is told at most.
const tellEvery = 500 * time.Millisecond

// mark notes whether a server may have the mail; the attempt's outcome takes it to the disk.
func (o *Outbox) mark(id string, handed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.mails[id]; e != nil {
		e.Handed = handed
	}
}

// fit makes a mail small enough for a server that takes limit bytes, and returns
// what is to be sent then; ok is false where it is as small as it gets.
func (o *Outbox) fit(id string, limit int64) (r record, ok bool) {
	o.disk.Lock()
	defer o.disk.Unlock()
	e := o.entry(id)
	if e == nil {
		return record{}, false
	}
	ok, err := o.smaller(e, limit, "Its images were made smaller or left out: the mail server takes no larger mail.")
	if err != nil {
		o.options.Log.Warn("mail spool", "problem", "mail "+id+" could not be made smaller: "+err.Error())
		return record{}, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return e.record.clone(), ok
}

// settle records an attempt with which the server was ready for the mail: on the
// disk before anything else is said to the server.
func (o *Outbox) settle(r record, set setup, results outcomes, f *fault) {
	id := r.Mail.ID
	k := temporary // of a recipient refused for now
	if f != nil {
		k = f.kind
	}
	alone := f != nil && f.rcpt > 0 && r.ended(f.rcpt-1) // it does so each time: that is its own trouble
	if alone {
		k = temporary
	}
	delivered := 0
	for _, r := range results {
		if r.State == event.Delivered {
			delivered++
		}
	}
	o.spend(delivered)
	o.mu.Lock()
	switch k {
	case network, busy, account:
		if set.revision == o.setup.revision {
			o.holdFor(f, id)
		}
	default:
		o.hold = hold{} // line and account work
	}
	var next time.Time
	if e := o.mails[id]; e != nil && set.revision == o.setup.revision { // a new configuration tries at once
		next = time.Now().Add(backOff(o.times.retry(slowness(k, f)), e.Failed))
	}
	reply, stale := o.setup.config.Mail.ReplyAddress, false
	o.mu.Unlock()
	err := o.change(id, func(r *record) bool {
		results.apply(&r.Mail)
		tried(&r.Mail, f)
		r.Next, r.Refused, r.Line = nil, nil, k == network
		switch {
		case f != nil && f.rcpt > 0 && !alone:
			r.Ended = append(slices.Clone(r.Ended), f.rcpt)
		case (f == nil || !f.fatal()) && r.othersPending(): // who keeps the mail from being settled is another
			r.Ended = nil
		}
		if r.Mail.Count(event.RcptHeld) > 0 {
			r.Refused = &refusal{Account: set.account(), Step: "rcpt"}
			if f != nil {
				r.Refused.Step = f.step
			}
			stale = r.Refused.Step == "mail" && r.Head.ReplyAddress != reply // the cause was corrected while the mail waited
		}
		if r.Mail.Count(event.Pending) > 0 && !next.IsZero() {
			r.Failed++
			r.Next, r.Mail.NextTry = o.uptime.Keep(next), wall(next)
		}
		return true
	}, func(e *entry) {
		o.anew = o.anew || stale
		if e.urgent && !o.now.urgent { // a Retry came meanwhile
			return
		}
		e.urgent, e.next = false, next
	})
	if err != nil {
		o.unsaved(id, results, err)
	}
	o.keepHold() // after the outcome: until that is on the disk a crash sends the mail twice
	o.logOutcome(id, results, f)
}

// slowness is the kind by whose table a mail waits: a policy (RFC 3463, 4.7.x)
// takes as long as a server that is busy, unless it is greylisting.
func slowness(k kind, f *fault) kind {
	if k == temporary && f != nil && f.code/100 == 4 && strings.HasPrefix(f.text, "4.7.") && !says(f.text, "greylist|graylist") {
		return busy
	}
	return k
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
		m.Problem = "A destination was refused for good: see the queue for the server's words, then retry or drop it."
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
	o.keepHold()
	err := o.change(id, func(r *record) bool {
		tried(&r.Mail, f)
		r.Mail.NextTry = wall(until)
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
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.mails[id]; e != nil {
		e.unsaved, e.urgent = results, false
		e.next = time.Now().Add(o.times.slowRetry[0])
		e.trouble = "The state of mail " + id + " could not be written: " + sanitise(err.Error()) + ". Check the disk."
		o.options.Log.Error("mail spool", "problem", e.trouble)
	}
}

// damaged sets a mail aside whose file is not what was written. Whoever submitted
// it hears of it, and can do so again.
func (o *Outbox) damaged(id string, f *fault) {
	o.disk.Lock()
	defer o.disk.Unlock()
	e := o.entry(id)
	if e == nil {
		return
	}
	o.mu.Lock() // a disk that gives back other bytes each time costs no connection a moment
	e.next, e.Failed = time.Now().Add(backOff(o.times.slowRetry, e.Failed)), e.Failed+1
	o.mu.Unlock()
	if e.mendable() {
		if text, err := o.mend(e, f.err); err == nil {
			o.mu.Lock()
			o.problem(text)
			o.mu.Unlock()
		}
		return
	}
	text, err := o.spool.quarantine(id, f.err)
	if err != nil {
		text = err.Error()
	}
	o.mu.Lock()
	o.problem(text)
	if err == nil {
		o.forget(id)
	}
	o.mu.Unlock()
	if err == nil {
		m := cloneMail(e.Mail)
		m.Damaged = true
		o.announce(m)
	}
}

// mend sets a mail's damaged file aside and renders it again from its state,
// without images; recipients, Message-ID and date stay. It returns the sentence
// that says so. Where it cannot be, it stays: an attempt finds that it has no file,
// and tries again. Called with disk held.
func (o *Outbox) mend(e *entry, why error) (string, error) {
	to := o.spool.aside(e.Mail.ID) + ".eml"
	err := durable.Move(o.spool.queue(e.Mail.ID+".eml"), to)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		const note = "This mail's first copy was damaged on the disk; its images are lost from it."
		if err = o.rewrite(e, e.Head, nil, note); noRoom(err) && o.makeRoom() {
			err = o.rewrite(e, e.Head, nil, note)
		}
	}
	o.mu.Lock()
	if e.broken, e.trouble = nil, ""; err != nil {
		e.trouble = "The mail " + e.Mail.ID + " in the spool is damaged and could not be rendered again: " + sanitise(err.Error()) + ". It is tried again; free some space or check the disk."
		o.options.Log.Error("mail spool", "problem", e.trouble)
	}
	o.mu.Unlock()
	if err != nil {
		return "", err
	}
	o.spool.boundQuarantine()
	return fmt.Sprintf("The mail %s in the spool was damaged: %s. It was rendered again without images; the damaged one is %s; check the disk.", e.Mail.ID, sanitise(why.Error()), to), nil
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
	err := o.change(id, func(r *record) bool { tried(&r.Mail, nil); return true }, nil)
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

// tooLarge reports that a server refused a mail for its size: 552 is RFC 5321's
// and RFC 1870's code, which some also use for a full mailbox.
func tooLarge(f *fault) bool {
	if f.step != "mail" && f.step != "data" {
		return false
	}
	return f.code >= 500 && says(f.text, "5.3.4|message size|too big|too large|size exceed") ||
		f.code == 552 && !says(f.text, "5.2.2|quota|mailbox full|mailbox is full")
}
