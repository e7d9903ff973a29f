package mail

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// TestClientErrors has the 22 scenarios of Dovecot's test of its SMTP client's
// errors (src/lib-smtp/test-smtp-client-errors.c), by its names; those that it
// has in several phases stand here for each. Whatever happens the mail is there
// in the end, once at the server or in the queue, and no connection is left.
func TestClientErrors(t *testing.T) {
	const pending, held = "deferred", "held"
	type outcome struct {
		state string
		mails int32  // that the server has taken
		all   bool   // everything waits, not this mail only
		says  string // of the problem
	}
	type scenario struct {
		name  string
		play  script
		brief bool
		out   outcome
		set   func(*testing.T, *stage, *config.Config)
		act   func(*testing.T, *bench, *stage) // instead of waiting for one attempt
	}
	all := func(says string) outcome { return outcome{pending, 0, true, says} }
	this := func(state, says string) outcome { return outcome{state, 0, false, says} }
	pipelined := "250-x\r\n250-PIPELINING\r\n250 8BITMIME"
	untried := func(command string, end func(*bench)) func(*testing.T, *bench, *stage) {
		return func(t *testing.T, b *bench, s *stage) {
			until(t, command+" was said", func() bool { return command == "" && s.conns.Load() > 0 || s.saw(command) })
			end(b)
		}
	}
	cases := []scenario{
		{name: "unconfigured ssl", out: outcome{pending, 0, true, "CA file"}, set: func(t *testing.T, s *stage, c *config.Config) {
			c.SMTP.Security, c.SMTP.CAFile = "tls", filepath.Join(t.TempDir(), "none")
		}},
		{name: "unconfigured ssl abort", play: script{"GREETING": silent}, out: outcome{"", 0, false, ""},
			set: func(t *testing.T, s *stage, c *config.Config) { c.SMTP.Security = "tls" },
			act: untried("", func(b *bench) {
				if err := b.Drop("alarm-1"); err != nil && !errors.Is(err, context.Canceled) {
					b.t.Log(err)
				}
				b.stop()
			})},
		{name: "host lookup failed", out: all("could not be looked up"), set: func(t *testing.T, s *stage, c *config.Config) {
			nameServer(t, 2)
			c.SMTP.Server = "mail.example.net"
		}},
		{name: "connection refused", out: all("connection refused"), set: func(t *testing.T, s *stage, c *config.Config) { c.SMTP.Port = closedPort(t) }},
		{name: "connection lost prematurely", play: script{"EHLO": hangUp}, out: all("closed the connection")},
		{name: "connection timed out", play: script{"GREETING": silent}, brief: true, out: all("says nothing")},
		{name: "connection lost", play: script{"MAIL": hangUp}, out: all("closed the connection")},
		{name: "connection lost, RCPT", play: script{"RCPT": hangUp}, out: all("closed the connection")},
		{name: "connection lost, DATA", play: script{"DATA": hangUp}, out: all("closed the connection")},
		{name: "connection lost, text", play: script{"BODY": hangUp}, out: all("closed the connection")},
		{name: "connection lost, dot", play: script{"DOT": hangUp}, out: all("closed the connection")},
		{name: "unexpected reply", play: script{"GREETING": "220 x\r\n421 shutting down"}, out: all("")},
		{name: "unexpected reply, EHLO", play: script{"EHLO": pipelined + "\r\n421 shutting down"}, out: all("not asked")},
		{name: "unexpected reply, MAIL", play: script{"MAIL": "421 4.3.2 shutting down"}, out: all("closing")},
		{name: "unexpected reply, RCPT", play: script{"RCPT": "421 4.3.2 shutting down"}, out: all("closing")},
		{name: "unexpected reply, DATA", play: script{"DATA": "421 4.3.2 shutting down"}, out: all("closing")},
		{name: "unexpected reply, dot", play: script{"DOT": "421 4.3.2 shutting down"}, out: all("closing")},
		{name: "premature reply", play: script{"GREETING": "220 x\r\n" + pipelined}, out: all("not asked")},
		{name: "premature reply, EHLO", play: script{"EHLO": pipelined + twice + "ok"}, out: all("not asked")},
		{name: "premature reply, RCPT", play: script{"RCPT": "250 ok\r\n354 go"}, out: all("not asked")},
		{name: "premature reply, DATA", play: script{"DATA": "354 go" + twice + "queued"}, out: all("not asked")},
		{name: "early data reply, refused for good", play: script{"BODY": "552 5.3.4 message size exceeds limit", "DOT": hangUp}, out: this(held, "too large")},
		{name: "early data reply, refused for now", play: script{"BODY": "451 4.3.0 later", "DOT": hangUp}, out: this(pending, "")},
		{name: "early data reply, with the 354", play: script{"DATA": "354 go\r\n552 5.3.4 message size exceeds limit"}, out: this(held, "too large")},
		{name: "partial reply, greeting", play: script{"GREETING": raw + "220 x", "EHLO": hangUp}, brief: true, out: all("")},
		{name: "partial reply, MAIL", play: script{"MAIL": raw + "250 o", "RCPT": silent}, brief: true, out: all("")},
		{name: "partial reply, dot", play: script{"DOT": raw + "250 2.0.0 que"}, brief: true, out: outcome{pending, 1, true, ""}},
		{name: "bad reply, MAIL", play: script{"MAIL": "nonsense"}, out: all("")},
		{name: "bad reply, RCPT", play: script{"RCPT": "2x0 ok"}, out: all("")},
		{name: "bad reply, DATA", play: script{"DATA": "\x00\x01\x02\x03"}, out: all("")},
		{name: "bad reply, dot", play: script{"DOT": "ok"}, out: all("")},
		{name: "bad greeting, 554", play: script{"GREETING": "554 no"}, out: all("refuses this box")},
		{name: "bad greeting, 666", play: script{"GREETING": "666 what"}, out: all("666")},
		{name: "bad greeting, nonsense", play: script{"GREETING": "hello there"}, out: all("not a mail server")},
		{name: "command timed out", play: script{"MAIL": silent}, brief: true, out: all("stopped answering")},
		{name: "command timed out, EHLO", play: script{"EHLO": silent}, brief: true, out: all("says nothing")},
		{name: "command aborted early", play: script{"MAIL": silent}, out: outcome{"queued", 0, false, ""}, act: untried("MAIL", func(b *bench) { b.stop() })},
		{name: "client deinit early", play: script{"GREETING": silent}, out: outcome{"queued", 0, false, ""}, act: untried("", func(b *bench) { b.stop() })},
		{name: "dns service failure", out: all("could not be looked up"), set: func(t *testing.T, s *stage, c *config.Config) {
			nameServer(t, 5)
			c.SMTP.Server = "mail.example.net"
		}},
		{name: "dns timeout", brief: true, out: all("could not be looked up"), set: func(t *testing.T, s *stage, c *config.Config) {
			nameServer(t, -1)
			c.SMTP.Server = "mail.example.net"
		}},
		{name: "dns lookup failure", out: all("no server named"), set: func(t *testing.T, s *stage, c *config.Config) {
			nameServer(t, 3)
			c.SMTP.Server = "mail.example.net"
		}},
		{name: "authentication failed", play: script{"AUTH": "535 5.7.3 no"}, out: all("user name or password"), set: func(t *testing.T, s *stage, c *config.Config) {
			c.SMTP.Security, c.SMTP.Username = "starttls", stageUser
		}},
		{name: "transaction timeout, RCPT", play: script{"RCPT": silent}, brief: true, out: all("stopped answering")},
		{name: "transaction timeout, DATA", play: script{"DATA": silent}, brief: true, out: all("stopped answering")},
		{name: "transaction timeout, dot", play: script{"DOT": silent}, brief: true, out: all("stopped answering")},
	}
	good := goodIdentity(t)
	for name, r := range map[string]io.Reader{
		"read error":  io.MultiReader(strings.NewReader("Subject: x\r\n\r\nhalf"), iotest.ErrReader(errors.New("disk"))),
		"other bytes": strings.NewReader("Subject: x\r\n\r\nhalf"),
	} {
		t.Run("broken payload, "+name, func(t *testing.T) {
			s := newStage(t, nil)
			x := openTo(t, s, defaultTimeouts)
			if _, f := x.begin("camera@example.test", []string{"guard@example.test"}, false, 26); f != nil {
				t.Fatal(f)
			}
			if _, f := x.data(r, strings.Repeat("0", 64), nil); f == nil || f.kind != local {
				t.Errorf("%+v", f)
			}
			s.closed(t)
			if s.mails.Load() != 0 || s.saw("QUIT") || s.saw("DOT") {
				t.Error("the server has taken a part for the whole")
			}
		})
	}
	t.Run("early data reply, and closed in the middle of the text", func(t *testing.T) {
		s := newStage(t, script{"BODY": last + "552 5.3.4 message size exceeds limit"})
		if f := attemptWith(context.Background(), s.relay(), config.Secrets{}, defaultTimeouts, 32<<20); f == nil || f.code != 552 || f.kind != permanent {
			t.Errorf("the broken line hides what the server said: %+v", f)
		}
		s.closed(t)
	})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.play, withTLS(good.conf))
			cfg := s.relay()
			cfg.SMTP.CAFile = good.caFile
			if c.set != nil {
				c.set(t, s, &cfg)
			}
			b := start(t, t.TempDir(), cfg, config.Secrets{SMTPPassword: stagePassword}, brief(patience), func(x *timeouts) {
				if c.brief {
					brief(400 * time.Millisecond)(x)
				}
			})
			b.submit(alarm("alarm-1", time.Now()))
			if c.act != nil {
				c.act(t, b, s)
			} else {
				b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
			}
			s.closed(t)
			m := b.mail("alarm-1")
			if c.out.state != "" && m.QueueState() != c.out.state || s.mails.Load() != c.out.mails || !strings.Contains(m.Problem, c.out.says) {
				t.Errorf("%s, the server has it %d times, want %+v: %+v", m.QueueState(), s.mails.Load(), c.out, m)
			}
			b.mu.Lock()
			waits := b.hold.count > 0
			b.mu.Unlock()
			if waits != c.out.all {
				t.Errorf("everything waits: %v, want %v", waits, c.out.all)
			}
			if cfg.SMTP.Username != "" {
				s.leaked(t)
			}
			harmless(t, b.said.stepsOf("alarm-1"), m.Problem)
		})
	}
}

// openTo is a session with a stage, in clear.
func openTo(t testing.TB, s *stage, times timeouts) *session {
	t.Helper()
	x, f := open(context.Background(), setup{config: s.relay()}, "gate3.example.test", times, func(event.Step) {})
	if f != nil {
		t.Fatal(f)
	}
	t.Cleanup(x.close)
	return x
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
