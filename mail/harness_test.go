package mail

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail/mailtest"
)

// patience bounds every wait; a slow machine needs it, a sound one does not.
const patience = 60 * time.Second

// recorder is a Listener that remembers.
type recorder struct {
	mu    sync.Mutex
	mails map[string][]event.Mail
	steps map[string][]event.Step
}

func (r *recorder) MailChanged(m event.Mail) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mails == nil {
		r.mails = map[string][]event.Mail{}
	}
	r.mails[m.ID] = append(r.mails[m.ID], m)
}

func (r *recorder) MailStep(id string, s event.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.steps == nil {
		r.steps = map[string][]event.Step{}
	}
	r.steps[id] = append(r.steps[id], s)
}

func (r *recorder) MailSent(event.MailSent) {}

func (r *recorder) stepsOf(id string) []event.Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event.Step(nil), r.steps[id]...)
}

func (r *recorder) changesOf(id string) []event.Mail {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event.Mail(nil), r.mails[id]...)
}

// bench is an outbox at work with what it said.
type bench struct {
	*Outbox
	t    *testing.T
	dir  string
	said *recorder
	log  *safeBuffer
	stop func()
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// quick is timeouts and waits for tests: short, but the same machinery.
func quick() timeouts {
	t := defaultTimeouts
	t.networkRetry = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond}
	t.slowRetry = []time.Duration{200 * time.Millisecond}
	t.busyRetry = t.slowRetry
	t.account = []time.Duration{time.Hour}
	return t
}

// start opens the outbox in dir and runs it until the test ends or stop is called.
func start(t *testing.T, dir string, c config.Config, s config.Secrets, adjust ...func(*timeouts)) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir, said: &recorder{}, log: &safeBuffer{}}
	o, err := Open(dir, Options{Listener: b.said, Version: "test",
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	b.Outbox, o.times = o, quick()
	for _, f := range adjust {
		f(&o.times)
	}
	o.Configure(c, s, time.UTC)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); o.Run(ctx) }()
	b.stop = func() { cancel(); <-done }
	t.Cleanup(func() {
		b.stop()
		if t.Failed() {
			t.Logf("the outbox's log:\n%s", b.log)
		}
	})
	return b
}

func (b *bench) submit(n event.Notice) {
	b.t.Helper()
	if err := b.Submit(context.Background(), n); err != nil {
		b.t.Fatal(err)
	}
}

// mail returns the mail id as the queue lists it.
func (b *bench) mail(id string) event.Mail {
	for _, m := range b.Mails() {
		if m.ID == id {
			return m
		}
	}
	return event.Mail{}
}

// until waits for a state of the mail id.
func (b *bench) until(id, what string, ok func(event.Mail) bool) event.Mail {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		m := b.mail(id)
		if ok(m) {
			return m
		}
		if time.Now().After(end) {
			b.t.Fatalf("mail %s is not %s: %+v", id, what, m)
		}
	}
}

func (b *bench) untilState(id, state string) event.Mail {
	b.t.Helper()
	return b.until(id, state, func(m event.Mail) bool { return m.ID == id && m.QueueState() == state })
}

// eml is the spool's file of the mail id.
func (b *bench) eml(id string) []byte {
	b.t.Helper()
	x, err := os.ReadFile(filepath.Join(b.dir, "queue", id+".eml"))
	if err != nil {
		b.t.Fatal(err)
	}
	return x
}

// settings for a Postfix of mailtest.
func settings(p *mailtest.Postfix, port int, to ...string) (config.Config, config.Secrets) {
	c := testConfig()
	c.SMTP = config.SMTP{Server: mailtest.Host, Port: port, CAFile: p.CAFile}
	switch port {
	case p.Plain:
		return withTo(c, to), config.Secrets{}
	case p.TLS:
		c.SMTP.Security = "tls" // the port is not 465 here
	}
	c.SMTP.Username = p.User
	return withTo(c, to), config.Secrets{SMTPPassword: p.Password}
}

func withTo(c config.Config, to []string) config.Config {
	if len(to) > 0 {
		c.Mail.Destinations = to
	}
	return c
}

// findDelivered returns the delivered mail that has the Message-ID.
func findDelivered(t *testing.T, all [][]byte, messageID string) []byte {
	t.Helper()
	for _, m := range all {
		if strings.Contains(string(m), messageID) {
			return m
		}
	}
	t.Fatalf("no delivered mail has the Message-ID %s", messageID)
	return nil
}
