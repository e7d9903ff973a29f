package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"watchpost/engine/config"
	"watchpost/engine/durable/powercut"
	"watchpost/engine/event"
)

// The facts of a power cut test, in the order in which they came about.
type (
	accepted struct { // Submit has returned
		event.Mail
		eml []byte
	}
	shown    struct{ event.Mail } // what the listener was told of, which is on the disk
	taken    delivery             // the server has it, and is about to say so
	settling string               // Settle was called for a mail, and has returned
	settled  string
	spoilt   string // another program damaged a mail's file; a start set it aside
	setAside string
	paused   struct{ config.Config } // all mails wait, since its server is busy
)

// telltale is a Listener that says what it is told.
type telltale struct{ *powercut.Recording }

func (t telltale) MailChanged(m event.Mail)    { t.Say(shown{m}) }
func (t telltale) MailStep(string, event.Step) {}
func (t telltale) MailSent(event.MailSent)     {}
func (s shown) String() string                 { return "the listener: " + s.ID + " is " + s.QueueState() }
func (a accepted) String() string              { return "accepted " + a.ID }
func (paused) String() string                  { return "that the server is busy" }
func (d taken) String() string                 { return "the server has " + d.messageID + " for " + d.to }

const (
	guard = "guard@example.test"
	desk  = "desk@example.test"
	door  = "door@example.test"
)

// A power cut at any moment of a spool's life loses nothing that was acknowledged,
// takes nothing half-written for whole and sends nothing twice beyond the window
// between the final dot and the commit; and each fsync is needed for that.
func TestPowerCut(t *testing.T) {
	root := t.TempDir()
	rec, err := powercut.Record(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rec.Stop)
	server := newLedger(t)
	server.onMail = func(d delivery) { rec.Say(taken(d)) }
	p := &poweredBox{T: t, rec: rec, dir: filepath.Join(root, "var", "mail"), server: server}
	p.open()

	// Three recipients: one gets it, one is refused for now, one for good.
	p.set(0)
	for _, id := range []string{"alarm-1", "alarm-2"} {
		p.submit(alarm(id, time.Now()))
	}
	server.set(func(l *ledger) {
		l.refuse[desk] = &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "greylisted"}
		l.refuse[door] = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "unknown"}
	})
	p.runUntil(func() bool { return p.attempts("alarm-1") > 0 && p.attempts("alarm-2") > 0 })
	p.do(p.Drop("alarm-2"))
	p.settle("alarm-2")
	server.set(func(l *ledger) { clear(l.refuse) })
	p.do(p.Retry("alarm-1"))
	p.runUntil(func() bool { return p.state("alarm-1") == "delivered" })
	p.settle("alarm-1")

	// Five that waited: two go one by one, a digest stands for the others.
	for i := range 5 {
		p.submit(alarm(fmt.Sprint("wait-", i), time.Now()))
	}
	p.set(2)
	p.runUntil(func() bool {
		digests := 0
		for _, m := range p.Mails() {
			if !m.Settled() {
				return false
			}
			if m.Kind == event.Digest {
				digests++
			}
		}
		return digests == 1
	})
	for _, m := range p.Mails() {
		p.settle(m.ID)
	}

	// One that is made smaller, for a server that takes only so much.
	big := alarm("big-1", time.Now())
	big.Images = []event.Image{{At: big.At, JPEG: picture(t, 640, 480)}}
	server.set(func(l *ledger) { l.limit = 20_000 })
	p.submit(big)
	p.runUntil(func() bool { return p.state("big-1") == "delivered" })
	server.set(func(l *ledger) { l.limit = 0 })

	// One that another program damaged, set aside by a start and submitted anew.
	p.submit(alarm("alarm-3", time.Now()))
	eml := filepath.Join(p.dir, "queue", "alarm-3.eml")
	b, err := os.ReadFile(eml)
	p.do(err)
	p.do(rec.Place(eml, b[:len(b)/2], spoilt("alarm-3")))
	p.open()
	rec.Say(setAside("alarm-3"))
	p.set(0)
	p.submit(alarm("alarm-3", time.Now()))

	// One that is dropped by a program that is killed before the folder's fsync.
	p.submit(alarm("alarm-4", time.Now()))
	p.dropAndDie("alarm-4")
	p.open()
	rec.Say(shown{p.mail("alarm-4")})
	p.set(0)

	// A server that is busy: everything waits, also after a start.
	server.set(func(l *ledger) {
		l.busy = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "slow down"}
	})
	p.times.slowRetry, p.times.busyRetry = []time.Duration{time.Hour}, []time.Duration{time.Hour}
	p.runUntil(func() bool { return p.attempts("alarm-3") > 0 })
	rec.Say(paused{p.settings()})

	rec.Verify(t, checkSpool, "reserve", "sending")
}

// poweredBox is the outbox of the test.
type poweredBox struct {
	*Outbox
	*testing.T
	rec    *powercut.Recording
	dir    string
	server *ledger
}

func (p *poweredBox) do(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *poweredBox) open() {
	p.Helper()
	o, err := Open(p.dir, Options{Listener: telltale{p.rec}, Version: "test"})
	p.do(err)
	o.times = quick()
	p.Outbox = o
}

func (p *poweredBox) settings() config.Config {
	c := p.server.settings(guard, desk, door)
	c.Mail.DailyBudget = 1000
	return c
}

func (p *poweredBox) set(digestAfter int) {
	c := p.settings()
	c.Mail.DigestAfter = digestAfter
	p.Configure(c, config.Secrets{}, time.UTC)
}

func (p *poweredBox) submit(n event.Notice) {
	p.Helper()
	p.do(p.Submit(context.Background(), n))
	eml, err := os.ReadFile(filepath.Join(p.dir, "queue", n.ID+".eml"))
	p.do(err)
	for _, m := range p.Mails() {
		if m.ID == n.ID {
			p.rec.Say(accepted{m, eml})
		}
	}
}

func (p *poweredBox) settle(id string) {
	p.Helper()
	p.rec.Say(settling(id))
	p.do(p.Settle(id))
	p.rec.Say(settled(id))
}

func (p *poweredBox) runUntil(ok func() bool) {
	p.Helper()
	if !runUntil(p.Outbox, ok) {
		p.Fatalf("not in time: %+v", p.Mails())
	}
}

// dropAndDie does what Drop does up to the rename.
func (p *poweredBox) dropAndDie(id string) {
	p.Helper()
	r := p.mails[id].record.clone()
	for i := range r.Mail.Recipients {
		r.Mail.Recipients[i].State = event.RcptDrop
	}
	powercut.SaveAndDie(p, filepath.Join(p.dir, "queue", id+".json"), r)
}

// runUntil runs an outbox until ok, and reports whether that came about.
func runUntil(o *Outbox, ok func() bool) bool {
	return powercut.RunUntil(o.Run, patience, ok)
}

func (p *poweredBox) mail(id string) event.Mail {
	for _, m := range p.Mails() {
		if m.ID == id {
			return m
		}
	}
	return event.Mail{}
}

func (p *poweredBox) attempts(id string) int { return p.mail(id).Attempts }
func (p *poweredBox) state(id string) string { return p.mail(id).QueueState() }

// story is what had come about before a cut.
type story struct {
	accepted map[string]accepted
	shown    map[string]event.Mail // the last word on each mail, digests too
	taken    map[delivery]int
	settling map[string]bool
	settled  map[string]bool
	setAside []string
	paused   *config.Config
}

func storyOf(said []any) story {
	s := story{map[string]accepted{}, map[string]event.Mail{}, map[delivery]int{}, map[string]bool{}, map[string]bool{}, nil, nil}
	for _, fact := range said {
		switch f := fact.(type) {
		case accepted:
			s.accepted[f.ID] = f
			s.shown[f.ID] = f.Mail
		case shown:
			s.shown[f.ID] = f.Mail
		case taken:
			s.taken[delivery(f)]++
		case settling:
			s.settling[string(f)] = true
		case settled:
			s.settled[string(f)] = true
		case spoilt:
			delete(s.accepted, string(f))
			delete(s.shown, string(f))
		case setAside:
			s.setAside = append(s.setAside, string(f))
		case paused:
			s.paused = &f.Config
		}
	}
	return s
}

// committed counts the recipients that are known to have a mail.
func (s story) committed() (n int) {
	for _, m := range s.shown {
		n += m.Count(event.Delivered)
	}
	return n
}

// checkSpool starts from what a cut left.
func checkSpool(root string, said []any) error {
	s := storyOf(said)
	dir := filepath.Join(root, "var", "mail")
	o, err := Open(dir, Options{Version: "test"})
	if err != nil {
		return err
	}
	o.times = quick()
	if err := s.checkStart(o, dir); err != nil {
		return err
	}
	server, stop, err := serveLedger()
	if err != nil {
		return err
	}
	defer stop()
	// Twice: the second time nothing that waits is left to wait.
	o.Configure(server.settings(guard, desk, door), config.Secrets{}, time.UTC)
	o.Configure(server.settings(guard, desk, door), config.Secrets{}, time.UTC)
	if !runUntil(o, func() bool {
		return !slices.ContainsFunc(o.Mails(), func(m event.Mail) bool { return m.Count(event.Pending) > 0 })
	}) {
		return fmt.Errorf("not delivered after the cut: %+v", o.Mails())
	}
	if err := s.checkEnd(o, server); err != nil {
		return err
	}
	return tidy(dir)
}

// checkStart looks at a spool that has just been opened.
func (s story) checkStart(o *Outbox, dir string) error {
	if len(s.taken) > 0 && o.limit.Bytes == 0 {
		return errors.New("what the server takes at most is forgotten")
	}
	if p := o.Problems(); len(p) > 0 && !(len(p) == 1 && strings.Contains(p[0], "alarm-3") && len(s.setAside) == 0) {
		return fmt.Errorf("a start finds damage: %s", strings.Join(p, "\n"))
	}
	for _, id := range s.setAside {
		for _, name := range []string{id + ".json", id + ".eml"} {
			if _, err := os.Stat(filepath.Join(dir, "quarantine", name)); err != nil {
				return fmt.Errorf("what was set aside is lost: %w", err)
			}
		}
	}
	there := map[string]int{}
	for _, m := range o.Mails() {
		there[m.ID]++
	}
	for id, n := range there {
		if n > 1 && (s.settled[id] || !s.settling[id]) {
			return fmt.Errorf("mail %s is listed %d times", id, n)
		}
	}
	for id := range s.settled {
		if _, err := os.Stat(filepath.Join(dir, "queue", id+".json")); err == nil {
			return fmt.Errorf("mail %s is in the queue again", id)
		}
	}
	if n := o.budget.used(); n < s.committed() {
		return fmt.Errorf("%d of the daily budget are spent, and %d recipients have mails", n, s.committed())
	}
	if s.paused != nil {
		o.Configure(*s.paused, config.Secrets{}, time.UTC)
		if o.hold.count == 0 {
			return errors.New("the pause for a busy server is forgotten")
		}
	}
	return nil
}

// checkEnd looks at a spool from which everything has gone out to server.
func (s story) checkEnd(o *Outbox, server *ledger) error {
	now := map[string]event.Mail{}
	tells := map[string][]event.Mail{} // by what was submitted: the mails that tell of it
	for _, m := range o.Mails() {
		if now[m.ID].ID != "" {
			continue // being settled: it is in both folders
		}
		now[m.ID] = m
		tells[m.ID] = append(tells[m.ID], m)
		for _, id := range m.Replaces {
			tells[id] = append(tells[id], m)
		}
	}
	for id, a := range s.accepted {
		if len(tells[id]) == 0 {
			return fmt.Errorf("mail %s is lost", id)
		}
		if m, ok := now[id]; ok && m.MessageID != a.MessageID {
			return fmt.Errorf("mail %s has another Message-ID: %s, before %s", id, m.MessageID, a.MessageID)
		}
		if got := server.data[a.MessageID]; got != nil && id != "big-1" && !bytes.Equal(got, a.eml) {
			return fmt.Errorf("mail %s was sent with other bytes than were accepted", id)
		}
	}
	for id, was := range s.shown {
		m, ok := now[id]
		if !ok {
			if len(tells[id]) == 0 {
				return fmt.Errorf("mail %s, which the listener knows, is lost", id)
			}
			continue
		}
		for i, r := range was.Recipients {
			if final := r.State == event.Delivered || r.State == event.RcptDrop; final && m.Recipients[i].State != r.State {
				return fmt.Errorf("mail %s to %s was %s, and is %s", id, r.Address, r.State, m.Recipients[i].State)
			}
		}
	}
	for id, ms := range tells {
		for _, to := range []string{guard, desk, door} {
			copies, window, due := 0, 0, false
			for _, m := range ms {
				d := delivery{m.MessageID, to}
				copies += s.taken[d] + server.copies[d]
				i := slices.IndexFunc(m.Recipients, func(r event.Recipient) bool { return r.Address == to })
				due = due || m.Recipients[i].State == event.Delivered
				if s.taken[d] > 0 && !s.knownDelivered(m.ID, i) {
					window++ // the final dot was sent, the commit not told
				}
			}
			if due && copies == 0 {
				return fmt.Errorf("mail %s never reached %s", id, to)
			}
			if copies > 1+window {
				return fmt.Errorf("mail %s reached %s %d times", id, to, copies)
			}
		}
	}
	if len(server.differ) > 0 {
		return fmt.Errorf("sent twice, with other bytes: %v", server.differ)
	}
	return nil
}

// knownDelivered reports whether the listener had been told that the recipient i has the mail.
func (s story) knownDelivered(id string, i int) bool {
	m, ok := s.shown[id]
	return ok && m.Recipients[i].State == event.Delivered
}

// tidy says which files of a spool no start would tidy up.
func tidy(dir string) error {
	o, err := Open(dir, Options{Version: "test"})
	if err != nil {
		return err
	}
	queued, settled := map[string]bool{}, map[string]bool{}
	for id := range o.mails {
		queued[id+".json"], queued[id+".eml"] = true, true
	}
	for _, m := range o.settled {
		settled[m.ID+".json"], settled[m.ID+".eml"] = true, true
	}
	for folder, known := range map[string]map[string]bool{"queue": queued, "delivered": settled} {
		files, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			return err
		}
		for _, f := range files {
			if !known[f.Name()] {
				return fmt.Errorf("%s/%s is left after a start", folder, f.Name())
			}
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		switch f.Name() {
		case "queue", "delivered", "quarantine", "sending", "reserve", "hold.json", "limit.json", "budget.json":
		default:
			return fmt.Errorf("%s is left after a start", f.Name())
		}
	}
	return nil
}
