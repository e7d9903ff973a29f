package mail

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail/sink"
)

// faulty is a scripted server, for faults that a real one does not produce on
// demand. Each command's reply comes from the script; what is not in it gets
// the ordinary reply. An empty reply closes the connection.
type faulty struct {
	addr  *net.TCPAddr
	mails atomic.Int32 // that reached their final dot
	conns atomic.Int32

	mu       sync.Mutex
	script   map[string]string // by command: "", EHLO, MAIL, DOT …
	commands []string
	last     string                                    // the last mail's bytes
	onDot    func(body string) (reply string, ok bool) // before the script's DOT, if it is not nil
}

// silent in a script is a server that says nothing.
const silent = "silent"

func newFaulty(t *testing.T, script map[string]string) *faulty {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{addr: l.Addr().(*net.TCPAddr), script: script}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.conns.Add(1)
			wg.Add(1)
			go func() { defer wg.Done(); defer c.Close(); f.serve(c) }()
		}
	}()
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return f
}

func (f *faulty) unset(command string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.script, command)
}

func (f *faulty) serve(c net.Conn) {
	c.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	answer := func(command, ordinary string) bool {
		f.mu.Lock()
		reply, ok := f.script[command]
		f.commands = append(f.commands, command)
		f.mu.Unlock()
		if !ok {
			reply = ordinary
		}
		switch reply {
		case "":
			return false
		case silent:
			r.WriteTo(io.Discard)
			return false
		}
		_, err := c.Write([]byte(reply + "\r\n"))
		return err == nil
	}
	for ok := answer("GREETING", "220 faulty.example.test"); ok; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		command, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch command {
		case "EHLO":
			ok = answer(command, "250-faulty.example.test\r\n250 8BITMIME")
		case "DATA":
			if ok = answer(command, "354 go on"); !ok {
				return
			}
			var body strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				body.WriteString(strings.TrimPrefix(line, "."))
			}
			f.mails.Add(1)
			f.mu.Lock()
			f.last = body.String()
			onDot := f.onDot
			f.mu.Unlock()
			if onDot != nil {
				if reply, judged := onDot(body.String()); judged {
					if reply == "" {
						return
					}
					_, err := c.Write([]byte(reply + "\r\n"))
					ok = err == nil
					continue
				}
			}
			ok = answer("DOT", "250 2.0.0 queued")
		default:
			ok = answer(command, "250 ok")
		}
	}
}

func (f *faulty) settings() config.Config {
	c := testConfig()
	c.SMTP = config.SMTP{Server: "127.0.0.1", Port: f.addr.Port, Security: "none"}
	return c
}

// The connection dies right after the 250, or QUIT is refused: delivered, and
// not sent again.
func TestDropAfterFinalReply(t *testing.T) {
	for _, quit := range []string{"", "502 refused", "421 closing"} {
		f := newFaulty(t, map[string]string{"QUIT": quit})
		b := start(t, t.TempDir(), f.settings(), config.Secrets{})
		b.submit(alarm("alarm-1", time.Now()))
		m := b.untilState("alarm-1", "delivered")
		time.Sleep(300 * time.Millisecond) // several retries' worth
		if m.Attempts != 1 || f.mails.Load() != 1 {
			t.Errorf("QUIT %q: %d attempts, the server has it %d times", quit, m.Attempts, f.mails.Load())
		}
		b.stop()
	}
}

// The connection dies after the final dot, before the reply: it is sent again,
// the same bytes, because nobody knows.
func TestDropBeforeFinalReply(t *testing.T) {
	f := newFaulty(t, map[string]string{"DOT": ""})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	m := b.until("alarm-1", "tried twice", func(m event.Mail) bool { return m.Attempts >= 2 })
	if m.QueueState() != "deferred" || !strings.Contains(m.Problem, "closed the connection") {
		t.Errorf("%+v", m)
	}
	f.unset("DOT")
	b.untilState("alarm-1", "delivered")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last != string(b.eml("alarm-1")) {
		t.Error("the last attempt's bytes are not the spool's")
	}
}

// What the mail's file holds is not what was written: nothing is sent, and no
// server takes a part for the whole.
func TestDamagedFileIsNotSent(t *testing.T) {
	f := newFaulty(t, map[string]string{"GREETING": "421 not yet"})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	name := filepath.Join(b.dir, "queue", "alarm-1.eml")
	eml := b.eml("alarm-1")
	if err := os.WriteFile(name, eml[:len(eml)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	f.unset("GREETING")
	b.until("alarm-1", "set aside", func(m event.Mail) bool { return m.ID == "" })
	said := b.said.changesOf("alarm-1")
	aside, _ := os.ReadDir(filepath.Join(b.dir, "quarantine"))
	if !said[len(said)-1].Damaged || f.mails.Load() != 0 || len(aside) != 2 || len(b.Problems()) != 1 {
		t.Errorf("the server has %d mails, set aside %v, problems %q, %+v", f.mails.Load(), aside, b.Problems(), said[len(said)-1])
	}
	b.submit(alarm("alarm-1", time.Now())) // as the engine does
	b.untilState("alarm-1", "delivered")
}

func TestRepliesAreHarmless(t *testing.T) {
	f := newFaulty(t, map[string]string{"RCPT": "550 5.1.1 \x1b[2J\x1b]0;title\x07 \xff\xfe caf\xc3\xa9 \u202egone \u009b31m"})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	m := b.untilState("alarm-1", "held")
	texts := []string{m.Problem, m.Recipients[0].Reply}
	for _, s := range b.said.stepsOf("alarm-1") {
		texts = append(texts, s.Text)
	}
	for _, s := range texts {
		if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q", s)
		}
	}
	if !strings.HasPrefix(m.Recipients[0].Reply, "550 5.1.1 ") || !strings.Contains(m.Recipients[0].Reply, "café") {
		t.Errorf("%q", m.Recipients[0].Reply)
	}
	if !strings.Contains(m.Problem, "not known") {
		t.Errorf("problem %q", m.Problem)
	}
}

func TestEndlessReplyIsCut(t *testing.T) {
	endless := strings.Repeat("250-and more\r\n", 20_000)
	for _, command := range []string{"EHLO", "RCPT"} {
		f := newFaulty(t, map[string]string{command: endless + "250 end"})
		b := start(t, t.TempDir(), f.settings(), config.Secrets{})
		b.submit(alarm("alarm-1", time.Now()))
		m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
		if !strings.Contains(m.Problem, "no end") || m.QueueState() != "deferred" {
			t.Errorf("%s: %+v", command, m)
		}
		b.stop()
	}
}

// Somebody in between strips STARTTLS: no password, no mail in clear.
func TestStrippedSTARTTLS(t *testing.T) {
	for name, script := range map[string]map[string]string{
		"not offered": {"EHLO": "250-x\r\n250 AUTH PLAIN LOGIN XOAUTH2"},
		"502":         {"EHLO": "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "502 unknown"},
		"454":         {"EHLO": "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "454 not now"},
		"354":         {"EHLO": "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "354 go on"},
		"no TLS":      {"EHLO": "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "220 go\r\n250 injected"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaulty(t, script)
			c := f.settings()
			c.SMTP.Security, c.SMTP.Username = "auto", "camera"
			b := start(t, t.TempDir(), c, config.Secrets{SMTPPassword: "a long secret"})
			b.submit(alarm("alarm-1", time.Now()))
			m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
			if m.Count(event.Pending) != 1 || m.Problem == "" {
				t.Errorf("%+v", m)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, c := range f.commands {
				if c == "AUTH" || c == "MAIL" {
					t.Errorf("%s was said in clear", c)
				}
			}
		})
	}
}

// A server that echoes the password must not bring it into steps or log.
func TestScrub(t *testing.T) {
	const secret = "a long secret"
	const user = "gate3@example.net"
	for _, sent := range []string{secret, "\x00" + user + "\x00" + secret, "user=" + user + "\x01auth=Bearer " + secret + "\x01\x01"} {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
			in := "500 unknown: " + secret + " AUTH X " + e.EncodeToString([]byte(sent))
			got := scrub(in, secretsOf(config.SMTP{Username: user}, secret)...)
			if strings.TrimRight(got, "=") != "500 unknown: **** AUTH X ****" {
				t.Errorf("%q", got)
			}
		}
	}
}

// Each phase's refusals, by reply code: who waits, and who is held.
func TestClassification(t *testing.T) {
	for _, c := range []struct {
		command, reply string
		state          string // of the mail
		everything     bool   // all mails wait
	}{
		{"GREETING", "554 5.7.1 your address is on a list", "deferred", true},
		{"GREETING", "421 too busy", "deferred", true},
		{"EHLO", "550 no", "delivered", false}, // HELO is tried
		{"MAIL", "550 5.7.60 SendAsDenied", "held", false},
		{"MAIL", "451 4.3.0 later", "deferred", false},
		{"MAIL", "530 5.7.0 authentication required", "deferred", true},
		{"MAIL", "421 4.7.0 slow down", "deferred", true},
		{"MAIL", "550 5.4.5 Daily user sending limit exceeded", "deferred", true},
		{"RCPT", "550 5.4.5 Daily user sending limit exceeded", "deferred", true},
		{"DOT", "550 5.4.5 Daily user sending limit exceeded", "deferred", true},
		{"RCPT", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "deferred", true},
		{"RCPT", "550 5.1.1 [192.5.4.5] unknown", "held", false},
		{"DOT", "554 5.7.1 blocked using dbl.spamhaus.org", "held", false},
		{"RCPT", "550 5.1.1 unknown", "held", false},
		{"RCPT", "450 4.2.0 greylisted", "deferred", false},
		{"RCPT", "421 going down", "deferred", true},
		{"RCPT", "299 what", "deferred", false},
		{"RCPT", "999 what", "deferred", false},
		{"DATA", "554 5.7.1 no", "held", false},
		{"DATA", "451 later", "deferred", false},
		{"DOT", "550 5.7.1 spam", "held", false},
		{"DOT", "452 4.3.1 full", "deferred", false},
		{"DOT", "999 what", "deferred", false},
		{"MAIL", "nonsense", "deferred", true},
		{"DOT", "250-half", "deferred", true}, // and then silence: the drop follows
	} {
		t.Run(c.command+" "+c.reply, func(t *testing.T) {
			f := newFaulty(t, map[string]string{c.command: c.reply})
			b := start(t, t.TempDir(), f.settings(), config.Secrets{}, func(x *timeouts) {
				x.networkRetry, x.slowRetry = []time.Duration{time.Hour}, []time.Duration{time.Hour}
				x.dot = 300 * time.Millisecond
			})
			b.submit(alarm("alarm-1", time.Now()))
			m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
			if m.QueueState() != c.state || (c.state != "delivered") != (m.Problem != "") {
				t.Errorf("%s, want %s: %+v", m.QueueState(), c.state, m)
			}
			b.mu.Lock()
			waits := b.hold.count > 0
			b.mu.Unlock()
			if waits != c.everything {
				t.Errorf("everything waits: %v, want %v", waits, c.everything)
			}
		})
	}
}

// Stopping closes the connection at once, whatever the server does.
func TestCancelClosesAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			accepted <- c // and not a word
		}
	}()
	f := &faulty{addr: l.Addr().(*net.TCPAddr)}
	b := start(t, t.TempDir(), f.settings(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	c := <-accepted
	defer c.Close()
	began := time.Now()
	b.stop()
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("stopping took %v", d)
	}
	if m := b.mail("alarm-1"); m.Attempts != 0 || m.Count(event.Pending) != 1 {
		t.Errorf("%+v", m)
	}
}

// Newest first, tests before all, over one connection.
func TestOrderAndOneConnection(t *testing.T) {
	f := newFaulty(t, map[string]string{"GREETING": "421 not yet"})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{}, func(x *timeouts) { x.slowRetry, x.busyRetry = []time.Duration{time.Hour}, []time.Duration{time.Hour} })
	now := time.Now()
	b.submit(alarm("alarm-0", now.Add(-time.Hour)))
	b.until("alarm-0", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	for i := 1; i < 5; i++ {
		b.submit(alarm(fmt.Sprintf("alarm-%d", i), now.Add(time.Duration(i)*time.Minute)))
	}
	f.unset("GREETING")
	b.submit(event.Notice{ID: "test-1", Kind: event.Test, At: now})
	for i := range 5 {
		b.untilState(fmt.Sprintf("alarm-%d", i), "delivered")
	}
	var order []string
	b.said.mu.Lock()
	for id, steps := range b.said.steps {
		for _, s := range steps {
			if s.Step == "data" && !s.OK {
				t.Errorf("%s: %+v", id, s)
			}
		}
	}
	b.said.mu.Unlock()
	mails := b.Mails()
	for len(order) < 6 { // by the time of their delivery
		best := -1
		for i, m := range mails {
			if m.ID != "" && (best < 0 || m.Recipients[0].At.Before(mails[best].Recipients[0].At)) {
				best = i
			}
		}
		order = append(order, mails[best].ID)
		mails[best].ID = ""
	}
	if got, want := strings.Join(order, " "), "test-1 alarm-4 alarm-3 alarm-2 alarm-1 alarm-0"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
	if n := f.conns.Load(); n != 2 {
		t.Errorf("%d connections, want one refused and one", n)
	}
}

// The demo's server and this sender fit each other.
func TestAgainstSink(t *testing.T) {
	s := sink.New(5)
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
	c := testConfig()
	c.SMTP.Server, c.SMTP.Port, c.SMTP.Security = "127.0.0.1", a.Port, "auto"
	c.Mail.Destinations = []string{"guard@example.test", "wächter@example.test"}
	b := start(t, t.TempDir(), c, config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	b.untilState("alarm-1", "delivered")
	m := s.Messages()
	if len(m) != 1 || string(m[0].Data) != string(b.eml("alarm-1")) || strings.Join(m[0].To, " ") != "guard@example.test wächter@example.test" {
		t.Errorf("%d messages", len(m))
	}
}

// No destination suffers for one that the server cannot take.
func TestWithoutSMTPUTF8(t *testing.T) {
	f := newFaulty(t, map[string]string{})
	c := f.settings()
	c.Mail.Destinations = []string{"wächter@example.test", "guard@example.test"}
	b := start(t, t.TempDir(), c, config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	m := b.untilState("alarm-1", "held")
	if m.Recipients[0].State != event.RcptHeld || m.Recipients[1].State != event.Delivered {
		t.Errorf("%+v", m.Recipients)
	}
}
