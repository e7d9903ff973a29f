package mail

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail/mailtest"
	"watchpost/mail/sink"
)

// real is a real server and what is its own about it.
type real struct {
	mailtest.Counterpart
	once     bool // delivers a transaction's mail once, not once a recipient
	unquoted bool // refuses "front desk"@…
}

var servers = map[string]func(t *testing.T) real{
	"postfix": func(t *testing.T) real {
		return real{Counterpart: mailtest.Start(t, mailtest.Options{})}
	},
	"opensmtpd": func(t *testing.T) real {
		return real{Counterpart: mailtest.StartOpenSMTPD(t), unquoted: true}
	},
	"exim": func(t *testing.T) real {
		return real{Counterpart: mailtest.StartExim(t)}
	},
	"aiosmtpd": func(t *testing.T) real {
		return real{Counterpart: mailtest.StartAiosmtpd(t, 0), once: true}
	},
}

// TestServers sends through real servers in every way that they offer, and has
// what arrives compared with the spool and read by Python.
func TestServers(t *testing.T) {
	for name, startServer := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			best := s.At().Plain
			for _, port := range []int{s.At().Plain, s.At().TLS, s.At().Submission} {
				if port == 0 {
					continue
				}
				best = port
				t.Run(wayOf(s.At(), port), func(t *testing.T) {
					c, secrets := at(s.At(), port)
					exchange(t, c, secrets, s)
				})
				if port != s.At().Plain {
					t.Run(wayOf(s.At(), port)+"-wrong-password", func(t *testing.T) { wrongPassword(t, s, port) })
				}
			}
			t.Run("refused", func(t *testing.T) { refusedAndDeferred(t, s, best) })
			t.Run("large", func(t *testing.T) { large(t, s, best) })
			t.Run("killed-in-data", func(t *testing.T) { killedInData(t, s, best) })
			t.Run("killed-after-dot", func(t *testing.T) { killedAfterDot(t, s) })
		})
	}
}

// The demo's server is one of them.
func TestServersSink(t *testing.T) {
	s := sink.New(50)
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() { cancel(); <-done }()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	r := real{Counterpart: demo{Server: s, port: a.Port}, once: true}
	c, secrets := at(r.At(), a.Port)
	exchange(t, c, secrets, r)
	large(t, r, a.Port)
}

// demo is the sink as a Counterpart, as far as it is one.
type demo struct {
	mailtest.Counterpart // nil
	*sink.Server
	port int
}

func (d demo) At() mailtest.Access { return mailtest.Access{Plain: d.port} }
func (d demo) Idle(time.Duration)  {}
func (d demo) Mails() (all [][]byte) {
	for _, m := range d.Messages() {
		all = append(all, m.Data)
	}
	return all
}

func wayOf(a mailtest.Access, port int) string {
	switch port {
	case a.TLS:
		return "tls"
	case a.Submission:
		return "starttls"
	}
	return "plain"
}

// at is the configuration for a port of a server: with AUTH and verified TLS
// where the port has it.
func at(a mailtest.Access, port int) (config.Config, config.Secrets) {
	c := testConfig()
	c.SMTP = config.SMTP{Server: "127.0.0.1", Port: port, CAFile: a.CAFile, Security: "none"}
	if port == a.Plain {
		return c, config.Secrets{}
	}
	c.SMTP.Security, c.SMTP.Username = wayOf(a, port), a.User
	return c, config.Secrets{SMTPPassword: a.Password}
}

// arrived returns the bytes of the mail, of which the server is to have delivered
// n copies, or as many as most: each what the spool has, once the server's own
// lines are taken off.
func (s real) arrived(t *testing.T, b *bench, m event.Mail, n int, most ...int) []byte {
	t.Helper()
	s.Idle(patience)
	want := b.eml(m.ID)
	var found int
	for _, got := range s.Mails() {
		if !findMessageID(got, m.MessageID) {
			continue
		}
		found++
		if got = mailtest.Strip(got); !bytes.Equal(got, want) {
			t.Errorf("delivered %d bytes:\n%.2000s\nspool, %d bytes:\n%.2000s", len(got), got, len(want), want)
		}
	}
	if found < n || found > max(n, append(most, 0)[0]) {
		t.Errorf("delivered %d times, want %d", found, n)
	}
	return want
}

func findMessageID(eml []byte, id string) bool {
	return bytes.Contains(eml[:min(len(eml), 4<<10)], []byte("Message-ID: "+id))
}

// exchange sends what is hard to carry: a long subject and text beyond ASCII,
// lines that begin with a dot, addresses that need care.
func exchange(t *testing.T, c config.Config, secrets config.Secrets, s real) {
	const quoted = `"front desk"@example.test`
	for name, change := range map[string]func(){
		"plain": func() { c.Mail.Destinations = []string{"a@example.test", "b@example.test", "c@example.test"} },
		"beyond": func() {
			c.Site.Name = "Tor 3, Südseite"
			c.Mail.Subject = strings.Repeat("ä", 43) + "界"
			c.Mail.Destinations = []string{"guard@example.test", quoted, "ops@bücher.test"}
		},
	} {
		change()
		b := start(t, t.TempDir(), c, secrets)
		n := alarm("alarm-1", time.Now())
		n.Notes = []string{".a line that begins with a dot", ".", "..", "Größe 界 🙂", strings.TrimSpace(strings.Repeat("long ", 500))}
		b.submit(n)
		m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
		to, reached := []string{"a@example.test", "b@example.test", "c@example.test"}, 3
		if name == "beyond" {
			to = []string{"guard@example.test", quoted, "ops@xn--bcher-kva.test"}
		}
		for i, r := range m.Recipients {
			want := event.Delivered
			if r.Address == quoted && s.unquoted {
				want = event.RcptHeld
				reached--
			}
			if r.State != want || r.Reply == "" {
				t.Errorf("%s: recipient %d: %+v, want %s", name, i, r, want)
			}
		}
		if m.Attempts != 1 {
			t.Errorf("%s: %+v", name, m)
		}
		if s.once {
			reached = 1
		}
		read(t, s.arrived(t, b, m, reached)).check(t, m, n, "camera@example.test", to...)
		b.stop()
	}
}

// A wrong password is no fault of the mail; the right one delivers it.
func wrongPassword(t *testing.T, s real, port int) {
	c, secrets := at(s.At(), port)
	b := start(t, t.TempDir(), c, config.Secrets{SMTPPassword: "hunter2 hunter2"})
	b.submit(alarm("alarm-1", time.Now()))
	m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	if m.Count(event.Pending) != 1 || !strings.Contains(m.Problem, "535") {
		t.Errorf("%+v", m)
	}
	b.Configure(c, secrets, time.UTC)
	s.arrived(t, b, b.untilState("alarm-1", "delivered"), 1)
}

// One recipient is refused for good, one for now, one accepted: each has an
// outcome of its own.
func refusedAndDeferred(t *testing.T, s real, port int) {
	s.Reject("gone@example.test", 550)
	s.Reject("later@example.test", 450)
	c, secrets := at(s.At(), port)
	c.Mail.Destinations = []string{"gone@example.test", "later@example.test", "guard@example.test"}
	b := start(t, t.TempDir(), c, secrets)
	b.submit(alarm("alarm-1", time.Now()))
	m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	for i, want := range []struct {
		state event.RecipientState
		reply string
	}{{event.RcptHeld, "550 "}, {event.Pending, "450 "}, {event.Delivered, "250 "}} {
		r := m.Recipients[i]
		if r.State != want.state || !strings.HasPrefix(r.Reply, want.reply) || i < 2 && !strings.Contains(r.Reply, "refused by the test") {
			t.Errorf("recipient %d: %+v, want %v", i, r, want)
		}
	}
	s.arrived(t, b, m, 1)
	s.Reject("later@example.test", 0)
	m = b.untilState("alarm-1", "held")
	if m.Recipients[1].State != event.Delivered || !strings.HasPrefix(m.Recipients[0].Reply, "550 ") {
		t.Errorf("%+v", m.Recipients)
	}
	s.arrived(t, b, m, 2)
	s.Reject("gone@example.test", 0)
	if err := b.Retry("alarm-1"); err != nil {
		t.Error(err)
	}
	s.arrived(t, b, b.untilState("alarm-1", "delivered"), 3)
}

// photo is a JPEG of exactly size bytes: a small one with comments that do not repeat.
func photo(t *testing.T, size int) []byte {
	t.Helper()
	var small bytes.Buffer
	if err := jpeg.Encode(&small, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	out := slices.Grow([]byte(nil), size)
	out = append(out, small.Bytes()[:2]...)
	for left := size - small.Len(); left > 0; {
		n := min(left, 60_000) // a comment's length, its own four bytes in it
		if rest := left - n; rest > 0 && rest < 4 {
			n -= 4
		}
		if n < 4 {
			t.Fatalf("no JPEG of %d bytes", size)
		}
		out = append(out, 0xff, 0xfe, byte((n-2)>>8), byte(n-2))
		for range n - 4 {
			out = append(out, byte(rand.Uint32()))
		}
		left -= n
	}
	return append(out, small.Bytes()[2:]...)
}

// large is a mail of 19 MB.
func large(t *testing.T, s real, port int) {
	c, secrets := at(s.At(), port)
	b := start(t, t.TempDir(), c, secrets)
	n := alarm("alarm-1", time.Now())
	n.Images = []event.Image{{At: n.At, JPEG: photo(t, 14_200_000)}}
	b.submit(n)
	m := b.untilState("alarm-1", "delivered")
	if m.Bytes < 19_000_000 || m.Attempts != 1 {
		t.Errorf("%+v", m)
	}
	read(t, s.arrived(t, b, m, 1)).check(t, m, n, "camera@example.test", "guard@example.test")
}

// A server that takes little gets the mail with smaller images, and the text whole.
func TestSmallSize(t *testing.T) {
	const size = 60_000
	s := real{Counterpart: mailtest.StartAiosmtpd(t, size), once: true}
	c, secrets := at(s.At(), s.At().Submission)
	b := start(t, t.TempDir(), c, secrets)
	n := alarm("alarm-1", time.Now())
	n.Images = []event.Image{{At: n.At, JPEG: photo(t, 3_000_000)}}
	b.submit(n)
	m := b.untilState("alarm-1", "delivered")
	eml := s.arrived(t, b, m, 1)
	r := read(t, eml)
	if len(eml) > size || len(r.Defects) > 0 || len(r.Images) != 1 || r.MessageID != m.MessageID || !strings.Contains(r.Text, n.Notes[0]) {
		t.Errorf("%d bytes, %+v", len(eml), r)
	}
}
