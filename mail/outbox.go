package mail

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/uptime"
)

// Listener is told what happens: MailChanged by whoever made the change, before
// Submit, Retry or Drop returns, and MailStep and MailSent by Run; each in order for one mail.
// A listener returns at once and does not call the Outbox, which may be locked.
type Listener interface {
	MailChanged(event.Mail)
	MailStep(id string, s event.Step)
	MailSent(event.MailSent) // at most twice a second, while a mail is handed over
}

// Options are what an Outbox needs beside its folder.
type Options struct {
	Listener Listener     // may be nil
	Log      *slog.Logger // may be nil
	Version  string       // of this program, for User-Agent
	Host     string       // this machine's name for EHLO; used where it is fully qualified, else the connection's own address
}

// Outbox is the durable mail queue. All methods are safe for concurrent use.
type Outbox struct {
	spool   spool
	options Options
	times   timeouts
	uptime  uptime.Clock

	// disk is held over every change: a write, then the same change in memory.
	// It is taken before mu, and mu is never held while the disk is written.
	disk sync.Mutex

	mu        sync.Mutex // guards all below; what is in mails is what is on the disk
	mails     map[string]*entry
	bytes     int64        // of the mails
	settled   []event.Mail // in delivered/, oldest first
	problems  []string
	full      string // why images are being left out, or mails cannot be taken; empty: there is room
	setup     setup
	anew      bool // it was just put in force: what is held may have a cause that is gone
	hold      hold
	holdKept  time.Time // the hold's end as it is on the disk; zero: none is
	limit     limitFile // of a mail's bytes, by the server that was asked last; 0: none is known
	budget    budget
	avoid     string        // the address of the server that failed last: others are tried first
	now       *attempt      // nil: none
	brokenOff int           // attempts in a row, by LineBack
	wake      chan struct{} // has room for one: the sender looks again
}

// entry is a mail in the queue.
type entry struct {
	record
	next    time.Time // monotonic: not before; zero: at once
	urgent  bool      // a person waits: before all others, whatever the hold and the budget
	unsaved outcomes  // of an attempt, not on the disk yet
	trouble string    // why not; empty: all is
}

// setup is the configuration in force.
type setup struct {
	config   config.Config
	secrets  config.Secrets
	zone     *time.Location
	revision int
	avoid    string // an address of the server to be tried last
}

// in is a moment in the configured zone.
func (s setup) in(t time.Time) time.Time {
	if s.zone == nil {
		return t
	}
	return t.In(s.zone)
}

// Open reads the spool in dir, makes it if need be, and tidies up after a crash.
// Nothing is sent before Run.
func Open(dir string, o Options) (*Outbox, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b := &Outbox{
		spool: spool{dir}, options: o, times: defaultTimeouts, uptime: uptime.Boot(),
		mails: map[string]*entry{}, wake: make(chan struct{}, 1),
	}
	queued, settled, problems, err := b.spool.load()
	if err != nil {
		return nil, err
	}
	sending, unwritten := b.spool.wasSending(), false
	for _, r := range queued {
		if r.Mail.ID == sending && !r.Handed {
			r.Handed = true
			if err := b.spool.save(r); err != nil { // the next start finds it again
				o.Log.Warn("mail spool", "problem", "that a server may have mail "+r.Mail.ID+" could not be written: "+err.Error())
				unwritten = true
			}
		}
		e := &entry{record: r}
		b.put(e)
		if r.broken != nil {
			if text, err := b.mend(e, r.broken); err == nil {
				problems = append(problems, text)
			} // else it says so itself, and is mended when its turn comes
		}
		e.Mail.NextTry = time.Time{}
		if left := b.uptime.Left(r.Next); left > 0 {
			e.next = time.Now().Add(min(left, 2*b.times.longest()))
			e.Mail.NextTry = wall(e.next)
		}
	}
	if !unwritten {
		b.spool.sending("")
	}
	b.budget = b.spool.loadBudget()
	b.limit = b.spool.loadLimit()
	b.spool.holdReserve()
	b.settled, b.problems = settled, problems
	for _, p := range problems {
		o.Log.Error("mail spool", "problem", p)
	}
	return b, nil
}

// Problems returns what is wrong with the spool itself, a sentence each.
func (o *Outbox) Problems() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.Clone(o.problems)
	if o.full != "" {
		all = append(all, o.full)
	}
	for _, e := range o.mails { // one speaks for all
		if e.trouble != "" {
			all = append(all, e.trouble)
			break
		}
	}
	return all
}

// problem notes what is wrong with the spool. Called with mu held.
func (o *Outbox) problem(text string) {
	o.options.Log.Error("mail spool", "problem", text)
	const kept = 20
	if !slices.Contains(o.problems, text) && len(o.problems) < kept {
		o.problems = append(o.problems, text)
	}
}

// put takes a mail into the queue and returns how it is shown, and forget takes
// one out of it. Called with mu held.
func (o *Outbox) put(e *entry) event.Mail {
	o.mails[e.Mail.ID] = e
	o.bytes += e.Mail.Bytes
	return o.shown(e)
}

func (o *Outbox) forget(id string) {
	if e := o.mails[id]; e != nil {
		o.bytes -= e.Mail.Bytes
		delete(o.mails, id)
	}
}

// entry returns a mail in the queue, nil where it is not there. While disk is
// held it stays there.
func (o *Outbox) entry(id string) *entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mails[id]
}

// Configure puts a configuration in force for composing and sending; zone is
// that of every stamp. What waits is tried at once, unless the program was just
// started and a pause of the last run is for these very settings.
func (o *Outbox) Configure(c config.Config, s config.Secrets, zone *time.Location) {
	o.mu.Lock()
	first, set := o.setup.revision == 0, o.setup
	if !first && c.SMTP == set.config.SMTP && reflect.DeepEqual(c.Mail, set.config.Mail) && s.SMTPPassword == set.secrets.SMTPPassword {
		o.setup.config, o.setup.secrets, o.setup.zone = c, s, zone // nothing that a mail waits for: an attempt and a pause go on
		o.mu.Unlock()
		return
	}
	o.setup = setup{config: c, secrets: s, zone: zone, revision: o.setup.revision + 1}
	o.anew = true
	if first || !set.sameAccount(o.setup) || o.hold.kind == network {
		o.hold = hold{}
	}
	if first {
		o.resume()
	} else {
		for _, e := range o.mails {
			e.next, e.Failed = time.Time{}, 0
		}
	}
	if o.now != nil {
		o.now.breakOff() // it was made with the old one
	}
	o.mu.Unlock()
	poke(o.wake)
}

// LineBack says that a link or a route came back: what failed for the line is
// tried at once.
func (o *Outbox) LineBack() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hold.kind == network {
		o.hold = hold{}
	}
	for _, e := range o.mails {
		if e.Line {
			e.next = time.Time{}
		}
	}
	// It may be waiting for an answer on the old way. But where news comes again and
	// again, as from another interface that flaps, an attempt gets to its end.
	if o.now != nil && o.now.cancel != nil && o.now.id != "" && o.brokenOff < brokenOffMax {
		o.now.breakOff()
		o.brokenOff++
	}
	poke(o.wake)
}

// brokenOffMax is how often in a row news of the line may break an attempt off.
const brokenOffMax = 3

// Mails lists the spool, oldest first: what is settled and kept, then the queue.
func (o *Outbox) Mails() []event.Mail {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]event.Mail, 0, len(o.settled)+len(o.mails))
	for _, m := range o.settled {
		all = append(all, cloneMail(m))
	}
	for _, e := range o.mails {
		all = append(all, o.shown(e))
	}
	slices.SortStableFunc(all, func(a, b event.Mail) int { return a.Queued.Compare(b.Queued) })
	return all
}

// shown is a mail as the listener and the lists see it: with what it waits for,
// where that is not its own trouble. Called with mu held.
func (o *Outbox) shown(e *entry) event.Mail {
	m := cloneMail(e.Mail)
	switch a := o.now; {
	case m.Count(event.Pending) == 0 || a != nil && a.id == m.ID:
	case o.hold.count > 0 && !e.urgent:
		m.Problem = o.hold.problem
		m.NextTry = wall(later(e.next, o.hold.until))
	case !e.urgent && o.affordable(m.Count(event.Pending)) > 0:
		m.NextTry = wall(time.Now().Add(o.affordable(m.Count(event.Pending))))
		m.Problem = fmt.Sprintf("The daily budget of %d recipients is used up. It goes on at %s; raise mail.daily_budget if the provider allows more.",
			o.setup.config.Mail.DailyBudget, o.setup.in(m.NextTry).Format("2 Jan 15:04"))
	case a != nil && a.id != "" && m.Problem == "" && (e.urgent || time.Since(a.began) > longAttempt):
		m.Problem = fmt.Sprintf("It waits for mail %s, which is on its way for %d s (last step: %s). Nothing to do: its turn comes after that.",
			a.id, int(time.Since(a.began).Seconds()), a.step)
	}
	return m
}

// longAttempt is how long a mail is on its way before those behind it say so.
const longAttempt = 5 * time.Second

// Settle moves a settled mail out of the queue. An unknown or moved one is no
// error. A mail that is being sent is not settled: Drop sees to that.
func (o *Outbox) Settle(id string) error {
	o.disk.Lock()
	defer o.disk.Unlock()
	e := o.entry(id)
	if e == nil {
		return nil
	}
	if !e.Mail.Settled() {
		return fmt.Errorf("mail %s is not settled: recipients are pending or held", id)
	}
	if err := o.spool.settle(id); err != nil {
		return fmt.Errorf("mail %s: %w", id, err)
	}
	o.mu.Lock()
	o.forget(id)
	settled := append(slices.Clone(o.settled), cloneMail(e.Mail))
	o.mu.Unlock()
	settled = o.spool.bound(settled)
	o.spool.holdReserve()
	o.mu.Lock()
	o.settled = settled
	o.mu.Unlock()
	return nil
}

// Retry makes held recipients pending and tries the mail at once, whatever the
// budget; "" is all mails, within the budget and as a digest where they are many,
// until one finds that all must wait.
func (o *Outbox) Retry(id string) error {
	all := id == ""
	ids, err := o.named(id)
	if err != nil {
		return err
	}
	o.mu.Lock()
	o.hold = hold{}
	for _, id := range ids {
		if e := o.mails[id]; e != nil {
			e.next, e.Failed, e.urgent = time.Time{}, 0, e.urgent || !all
		}
	}
	o.mu.Unlock()
	for _, id := range ids {
		err = errors.Join(err, o.change(id, func(r *record) bool { return r.release() }, nil))
	}
	o.mu.Lock()
	o.hurry()
	o.mu.Unlock()
	poke(o.wake)
	return err
}

// Drop gives up the recipients of a mail that have not got it. A mail that is
// being handed to the server this moment is refused: what the server says counts.
func (o *Outbox) Drop(id string) error {
	if id == "" {
		return errors.New("a mail to drop must be named")
	}
	if _, err := o.named(id); err != nil {
		return err
	}
	var busy error
	err := o.change(id, func(r *record) bool {
		m := &r.Mail
		o.mu.Lock()
		sending := o.now != nil && o.now.sending && o.now.id == id
		o.mu.Unlock()
		if sending {
			busy = fmt.Errorf("mail %s is being sent this moment, and may be delivered: drop it when the attempt is over", id)
			return false
		}
		changed := false
		for i := range m.Recipients {
			if r := &m.Recipients[i]; r.State == event.Pending || r.State == event.RcptHeld {
				r.State, r.At, changed = event.RcptDrop, time.Now().Round(0), true
			}
		}
		m.NextTry, m.Problem, r.Next = time.Time{}, "", nil
		return changed
	}, nil)
	return errors.Join(busy, err)
}

// named returns the IDs in the queue that id stands for.
func (o *Outbox) named(id string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if id != "" {
		if o.mails[id] == nil {
			return nil, fmt.Errorf("mail %s: %w in the queue", sanitise(id), event.ErrNotFound)
		}
		return []string{id}, nil
	}
	var ids []string
	for id := range o.mails {
		ids = append(ids, id)
	}
	return ids, nil
}

// change applies edit to a mail's state, on the disk first, then in memory, and
// tells the listener. edit reports whether it changed anything; an outcome that
// could not be written before is in the state already. then, called with mu held,
// sets what is kept in memory only. A mail that is gone is left alone.
func (o *Outbox) change(id string, edit func(*record) bool, then func(*entry)) error {
	o.disk.Lock()
	defer o.disk.Unlock()
	var e *entry
	var next record
	changed := false
	for again := true; ; again = false {
		o.mu.Lock()
		if e = o.mails[id]; e == nil {
			o.mu.Unlock()
			return nil
		}
		next = e.record.clone()
		late := e.unsaved
		o.mu.Unlock()
		late.apply(&next.Mail)
		if changed = edit(&next) || len(late) > 0; !changed {
			break
		}
		err := o.spool.save(next)
		if noRoom(err) && again && o.makeRoom() {
			continue // anew, since room may have been made of this mail's own images
		}
		if err != nil {
			return fmt.Errorf("mail %s: %w", id, err)
		}
		break
	}
	o.mu.Lock()
	if changed {
		e.record, e.unsaved, e.trouble = next, nil, ""
	}
	if then != nil {
		then(e)
	}
	m := o.shown(e)
	o.mu.Unlock()
	if changed {
		o.announce(m)
	}
	return nil
}

// announce tells the listener. Called with disk held, which keeps the order.
func (o *Outbox) announce(m event.Mail) {
	if o.options.Listener != nil {
		o.options.Listener.MailChanged(m)
	}
}

// poke wakes the reader of c, now or when it next looks.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
