package benchmail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail"
	"watchpost/mail/mailtest"
)

const (
	sender  = "camera@" + mailtest.Domain
	guard   = "guard@" + mailtest.Domain
	usual   = 42_000     // bytes of the image of a usual mail, which then has 60 kB
	largest = 14_500_000 // and of one of 20 MB
)

// picture is a JPEG of exactly size bytes; what follows the picture in it cannot be compressed.
func picture(size int) []byte {
	random := rand.NewChaCha8(sha256.Sum256([]byte("picture")))
	m := image.NewGray(image.Rect(0, 0, 160, 120))
	random.Read(m.Pix)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil || b.Len() > size {
		panic(fmt.Sprintf("a picture of %d bytes: %d, %v", size, b.Len(), err))
	}
	rest := make([]byte, size-b.Len())
	random.Read(rest)
	return append(b.Bytes(), rest...)
}

// alarm is the notice of one firing, with one image.
func alarm(seq int, jpeg []byte) event.Notice {
	at := time.Now()
	return event.Notice{ID: fmt.Sprintf("%08d-alarm", seq), Kind: event.Alarm, At: at, Event: "20261123-205107-1",
		Gathered: event.Gather(event.Firing{Seq: uint64(seq), Trigger: "yard", Source: event.Motion, At: at, Level: 4.25}),
		Images:   []event.Image{{At: at, JPEG: jpeg}}}
}

// account is the configuration for a port of the server, the plain one or the submission port.
func account(a mailtest.Access, port int, tls bool, to ...string) (config.Config, config.Secrets) {
	c := config.Default()
	c.Site.Name = "Gate 3"
	c.Mail.ReplyAddress, c.Mail.Destinations = sender, []string{guard}
	if len(to) > 0 {
		c.Mail.Destinations = to
	}
	c.SMTP.Server, c.SMTP.Port, c.SMTP.Security, c.SMTP.CAFile = "127.0.0.1", port, "none", a.CAFile
	if !tls {
		return c, config.Secrets{}
	}
	c.SMTP.Security, c.SMTP.Username = "starttls", a.User
	return c, config.Secrets{SMTPPassword: a.Password}
}

// outbox is an Outbox with what it said and when.
type outbox struct {
	*mail.Outbox
	dir string

	mu        sync.Mutex
	handed    map[string]time.Time // when the server said 250
	committed map[string]time.Time // when that was on the disk
	trouble   []string             // steps that failed
}

func (o *outbox) MailStep(id string, s event.Step) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.Step == "data" && s.OK {
		o.handed[id] = now
	}
	if !s.OK && len(o.trouble) < 10 {
		o.trouble = append(o.trouble, s.Step+" "+s.Text+" "+s.Verdict)
	}
}

func (o *outbox) MailChanged(m event.Mail) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.QueueState() == "delivered" {
		o.committed[m.ID] = now
	}
}

func (o *outbox) MailSent(event.MailSent) {}

func openOutbox(dir string, c config.Config, s config.Secrets) (*outbox, error) {
	o := &outbox{dir: dir, handed: map[string]time.Time{}, committed: map[string]time.Time{}}
	var err error
	o.Outbox, err = mail.Open(dir, mail.Options{Listener: o, Version: "bench"})
	if err == nil {
		o.Configure(c, s, time.UTC)
	}
	return o, err
}

// run sends until stop is called, which waits for the end.
func (o *outbox) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); o.Run(ctx) }()
	return sync.OnceFunc(func() { cancel(); <-done })
}

// delivered waits for the mails and returns when the last was accepted and when that was on the disk.
func (o *outbox) delivered(ids ...string) (handed, committed time.Time, err error) {
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		o.mu.Lock()
		trouble := slices.Clone(o.trouble)
		n := 0
		for _, id := range ids {
			if at, ok := o.committed[id]; ok {
				n++
				handed, committed = later(handed, o.handed[id]), later(committed, at)
			}
		}
		o.mu.Unlock()
		switch {
		case n == len(ids):
			return handed, committed, nil
		case len(trouble) > 0:
			return handed, committed, fmt.Errorf("not delivered: %q", trouble)
		case time.Now().After(end):
			return handed, committed, fmt.Errorf("%d of %d mails were delivered", n, len(ids))
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// rendered is the mail of a notice as the spool has it.
func rendered(t testing.TB, c config.Config, n event.Notice) []byte {
	t.Helper()
	o, err := openOutbox(t.TempDir(), c, config.Secrets{})
	if err == nil {
		err = o.Submit(t.Context(), n)
	}
	if err != nil {
		t.Fatal(err)
	}
	eml, err := os.ReadFile(filepath.Join(o.dir, "queue", n.ID+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	return eml
}
