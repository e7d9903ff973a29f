package mail

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail/mailtest"
)

// stage is a scripted server with TLS that keeps every byte it gets, as it came
// over the wire: what crosses the channel in clear can be read there, and what
// crosses it under TLS cannot.
type stage struct {
	addr     *net.TCPAddr
	tls      *tls.Config // nil: STARTTLS is answered and not carried out
	implicit bool
	play     script        // by command
	secure   script        // by command under TLS; what is not in it is in play
	over     chan struct{} // the test's end
	open     atomic.Int32
	conns    atomic.Int32
	mails    atomic.Int32 // that reached their final dot and got a 250

	mu       sync.Mutex
	wire     bytes.Buffer
	commands []string // "STARTTLS", under TLS "+MAIL"
	said     []string // whole lines of commands
}

// script is a reply by command: GREETING, EHLO, MAIL, RESPONSE (to a 334), BODY
// (in the middle of the mail's text), DOT … What is not in it gets the ordinary reply.
type script map[string]string

const (
	hangUp = ""         // closes the connection
	drip   = "drip:"    // before a reply: a byte at a time, and no end
	last   = "last:"    // before a reply: and closes
	slowly = "slowly:"  // before a reply: after a while
	raw    = "raw:"     // before a reply: no line end is added
	deaf   = "deaf"     // reads nothing any more
	flood  = "flood:"   // before a line: repeated without end
	twice  = "\r\n250 " // in a reply: one that nobody asked for
)

func newStage(t testing.TB, play script, adjust ...func(*stage)) *stage {
	t.Helper()
	s := &stage{play: play, secure: script{}, over: make(chan struct{})}
	for _, f := range adjust {
		f(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().(*net.TCPAddr)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			s.open.Add(1)
			wg.Go(func() {
				defer s.open.Add(-1)
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				s.serve(&tapped{c, s})
			})
		}
	})
	t.Cleanup(func() { close(s.over); l.Close(); wg.Wait() })
	return s
}

type tapped struct {
	net.Conn
	s *stage
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.s.mu.Lock()
	c.s.wire.Write(p[:n])
	c.s.mu.Unlock()
	return n, err
}

func (s *stage) serve(c net.Conn) {
	encrypted := false
	if s.implicit {
		tc := tls.Server(c, s.tls)
		if tc.Handshake() != nil {
			return
		}
		c, encrypted = tc, true
	}
	r := bufio.NewReader(c)
	ordinaryEHLO := func() string {
		e := "250-stage.example.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-SMTPUTF8\r\n"
		if encrypted {
			return e + "250-AUTH PLAIN LOGIN\r\n250 8BITMIME"
		}
		return e + "250-STARTTLS\r\n250 8BITMIME"
	}
	// answer returns what was said; ok false: the connection ends.
	answer := func(command, ordinary string) (reply string, ok bool) {
		s.mu.Lock()
		mark := command
		reply, scripted := s.play[command]
		if encrypted {
			mark = "+" + command
			if under, has := s.secure[command]; has {
				reply, scripted = under, true
			}
		}
		s.commands = append(s.commands, mark)
		s.mu.Unlock()
		if !scripted {
			reply = ordinary
		}
		bytewise, dripping := strings.CutPrefix(reply, drip)
		switch {
		case reply == hangUp:
			return "", false
		case reply == silent:
			r.WriteTo(io.Discard)
			return "", false
		case reply == deaf:
			<-s.over
			return "", false
		case strings.HasPrefix(reply, flood):
			line := []byte(strings.Repeat(reply[len(flood):]+"\r\n", 100))
			for {
				if _, err := c.Write(line); err != nil {
					return "", false
				}
			}
		case dripping:
			for i := 0; ; i++ {
				if _, err := c.Write([]byte{bytewise[min(i, len(bytewise)-1)]}); err != nil {
					return "", false
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		if x, is := strings.CutPrefix(reply, slowly); is {
			time.Sleep(300 * time.Millisecond)
			reply = x
		}
		if x, is := strings.CutPrefix(reply, raw); is {
			reply = x
		} else {
			reply += "\r\n"
		}
		if command == "DOT" && strings.HasPrefix(reply, "250 ") {
			s.mails.Add(1)
		}
		reply, closes := strings.CutPrefix(reply, last)
		_, err := c.Write([]byte(reply))
		return reply, err == nil && !closes
	}
	if _, ok := answer("GREETING", "220 stage.example.test"); !ok {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		s.mu.Lock()
		s.said = append(s.said, strings.TrimSpace(line))
		s.mu.Unlock()
		command, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		reply, ok := "", true
		switch command {
		case "EHLO":
			_, ok = answer(command, ordinaryEHLO())
		case "STARTTLS":
			if reply, ok = answer(command, "220 go"); ok && strings.HasPrefix(reply, "220") && s.tls != nil {
				tc := tls.Server(c, s.tls)
				if tc.Handshake() != nil {
					return
				}
				c, encrypted = tc, true
				r = bufio.NewReader(c)
			}
		case "AUTH":
			for reply, ok = answer(command, "235 2.7.0 welcome"); ok && strings.HasPrefix(reply, "334"); reply, ok = answer("RESPONSE", "235 2.7.0 welcome") {
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
			}
		case "DATA":
			if reply, ok = answer(command, "354 go on"); !ok {
				return
			}
			if !strings.HasPrefix(reply, "354") {
				continue
			}
			for n := 0; ; n++ {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				if _, scripted := s.play["BODY"]; scripted && n == 2 {
					if _, ok := answer("BODY", ""); !ok {
						return
					}
				}
			}
			_, ok = answer("DOT", "250 2.0.0 queued")
		case "QUIT":
			answer(command, "221 bye")
			return
		case "RCPT":
			ordinary := "250 ok" // or as the script has it for the address's first letter
			if own, scripted := s.play["RCPT "+strings.ToUpper(line[len("RCPT TO:<"):][:1])]; scripted {
				ordinary = own
			}
			_, ok = answer(command, ordinary)
		default:
			_, ok = answer(command, "250 ok")
		}
		if !ok {
			return
		}
	}
}

func (s *stage) saw(command string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.commands, command)
}

func (s *stage) onWire() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wire.String()
}

func (s *stage) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said)
}

// closed waits until the client has closed every connection.
func (s *stage) closed(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(patience / 2); s.open.Load() > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Error("the client leaves a connection open")
			return
		}
	}
}

// The account of the scenarios.
const (
	stageUser     = "gate3@example.test"
	stagePassword = "correct horse battery"
)

// leaks is what must never be read on the wire: the password in every form, the mail's text.
func leaks() []string {
	out := []string{"The second image was not kept", "Subject:", "Message-ID"}
	for _, s := range secretsOf(config.SMTP{Username: stageUser}, stagePassword) {
		out = append(out, s, base64.RawStdEncoding.EncodeToString([]byte(s)))
	}
	return out
}

func (s *stage) leaked(t testing.TB) {
	t.Helper()
	wire := s.onWire()
	for _, l := range leaks() {
		if strings.Contains(wire, l) {
			t.Errorf("%q crossed the wire in clear", l)
		}
	}
}

// settings are those of an account that logs in; STARTTLS is required then.
func (s *stage) settings(ca string) (config.Config, config.Secrets) {
	c := testConfig()
	c.SMTP = config.SMTP{Server: "127.0.0.1", Port: s.addr.Port, Security: "auto", Username: stageUser, CAFile: ca}
	if s.implicit {
		c.SMTP.Security = "tls"
	}
	return c, config.Secrets{SMTPPassword: stagePassword}
}

// relay are those of a relay in clear.
func (s *stage) relay() config.Config {
	c := testConfig()
	c.SMTP = config.SMTP{Server: "127.0.0.1", Port: s.addr.Port, Security: "none"}
	return c
}

// identity is a certificate and the file of its authority.
type identity struct {
	conf   *tls.Config
	pem    []byte
	caFile string
}

func newIdentity(t testing.TB, from, to time.Duration, names ...string) identity {
	t.Helper()
	ca, err := mailtest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Certificate(time.Now().Add(from), time.Now().Add(to), names...)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/ca.pem"
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	return identity{&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10}, cert, file}
}

func goodIdentity(t testing.TB) identity {
	return newIdentity(t, -time.Hour, 24*time.Hour, "127.0.0.1")
}

func withTLS(c *tls.Config) func(*stage) { return func(s *stage) { s.tls = c } }

func withImplicit(c *tls.Config) func(*stage) {
	return func(s *stage) { s.tls, s.implicit = c, true }
}

func withSecure(x script) func(*stage) { return func(s *stage) { s.secure = x } }

// harmless asserts that nothing told to a person can do anything to a terminal.
func harmless(t testing.TB, steps []event.Step, texts ...string) {
	t.Helper()
	for _, s := range steps {
		texts = append(texts, s.Target, s.Text, s.Verdict, s.Do)
	}
	for _, x := range texts {
		if strings.ContainsFunc(x, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) || len(x) > 4*replyText+300 {
			t.Errorf("not harmless: %q", x)
		}
		if strings.Contains(x, stagePassword) {
			t.Errorf("a secret is told: %q", x)
		}
	}
}

// brief is timeouts for servers that say nothing.
func brief(d time.Duration) func(*timeouts) {
	return func(x *timeouts) {
		x.lookup, x.connect, x.handshake, x.greeting, x.firstGreeting = d, d, d, d, d
		x.command, x.data, x.dot, x.block, x.quit = d, d, d, d, d
		x.networkRetry, x.slowRetry, x.account = []time.Duration{time.Hour}, []time.Duration{time.Hour}, []time.Duration{time.Hour}
	}
}
