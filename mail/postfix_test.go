package mail

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail/mailtest"
)

// TestAgainstPostfix sends through a real Postfix in every way that it offers,
// and compares what arrives with the spool, byte for byte.
func TestAgainstPostfix(t *testing.T) {
	p := mailtest.Start(t, mailtest.Options{})
	for _, c := range []struct {
		name string
		port int
		auth string
	}{
		{"plain", p.Plain, ""},
		{"starttls", p.Submission, "auto"},
		{"starttls-plain", p.Submission, "plain"},
		{"starttls-login", p.Submission, "login"},
		{"starttls-cram", p.Submission, "cram-md5"},
		{"starttls-scram", p.Submission, "scram-sha-256"},
		{"tls", p.TLS, "auto"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, secrets := settings(p, c.port)
			cfg.SMTP.Auth = c.auth
			b := start(t, t.TempDir(), cfg, secrets)
			before := len(p.Mails())
			n := alarm("alarm-1", time.Now())
			n.Notes = append(n.Notes, ".a line with a dot", strings.Repeat("long ", 500))
			b.submit(n)
			m := b.untilState("alarm-1", "delivered")
			if m.Attempts != 1 || m.Problem != "" || !strings.HasPrefix(m.Recipients[0].Reply, "250 2.0.0") {
				t.Errorf("%+v", m)
			}
			got := findDelivered(t, p.WaitMails(before+1, patience), m.MessageID)
			if want := b.eml("alarm-1"); !bytes.Equal(mailtest.Strip(got), want) {
				t.Errorf("delivered:\n%s\nspool:\n%s", mailtest.Strip(got), want)
			}
			var names []string
			for _, s := range b.said.stepsOf("alarm-1") {
				if !s.OK && s.Step != "tcp" { // ::1 before 127.0.0.1
					t.Errorf("%+v", s)
				}
				if s.OK {
					names = append(names, s.Step)
				}
			}
			want := "lookup tcp ehlo tls auth mail rcpt data"
			switch c.name {
			case "plain":
				want = "lookup tcp ehlo tls mail rcpt data"
			case "tls":
				want = "lookup tcp tls ehlo auth mail rcpt data"
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("steps %s, want %s", got, want)
			}

			if err := b.Settle("alarm-1"); err != nil {
				t.Error(err)
			}
			b.submit(n) // the engine may come again after a crash
			time.Sleep(50 * time.Millisecond)
			if m := b.mail("alarm-1"); m.Attempts != 1 || len(b.Mails()) != 1 {
				t.Errorf("submitted again: %+v", b.Mails())
			}
		})
	}
}

// One destination refused for good, one for now: the third gets its mail in
// that session, the second later, the first is held with the server's words.
func TestOutcomePerRecipient(t *testing.T) {
	p := mailtest.Start(t, mailtest.Options{})
	p.Reject("gone@example.test", 550)
	p.Reject("later@example.test", 450)
	cfg, secrets := settings(p, p.Submission, "gone@example.test", "later@example.test", "guard@example.test")
	b := start(t, t.TempDir(), cfg, secrets)
	b.submit(alarm("alarm-1", time.Now()))
	m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	for i, want := range []struct {
		state event.RecipientState
		reply string
	}{{event.RcptHeld, "550 5.7.1"}, {event.Pending, "450 4.7.1"}, {event.Delivered, "250 2.0.0"}} {
		if r := m.Recipients[i]; r.State != want.state || !strings.HasPrefix(r.Reply, want.reply) {
			t.Errorf("recipient %d: %+v, want %v", i, r, want)
		}
	}
	if m.Disposition() != event.Mailed || m.QueueState() != "deferred" {
		t.Errorf("%s, %s", m.Disposition(), m.QueueState())
	}
	p.Reject("later@example.test", 0)
	b.untilState("alarm-1", "held")
	if err := b.Settle("alarm-1"); err == nil {
		t.Error("a held mail was settled")
	}
	p.Reject("gone@example.test", 0)
	if err := b.Retry("alarm-1"); err != nil {
		t.Error(err)
	}
	m = b.untilState("alarm-1", "delivered")
	p.Idle(patience)
	if got := p.Mails(); len(got) != 3 {
		t.Errorf("%d mails for 3 destinations", len(got))
	}
	for _, got := range p.Mails() {
		if !bytes.Equal(mailtest.Strip(got), b.eml("alarm-1")) {
			t.Error("a delivered mail is not the spool's")
		}
	}
	b.stop()
	said := b.said.changesOf("alarm-1")
	if last := said[len(said)-1]; last.QueueState() != "delivered" {
		t.Errorf("the listener last heard of %s", last.QueueState())
	}
}

func TestServerDownThenUp(t *testing.T) {
	p := mailtest.Start(t, mailtest.Options{})
	p.Stop()
	cfg, secrets := settings(p, p.Submission)
	dir := t.TempDir()
	b := start(t, dir, cfg, secrets)
	b.submit(alarm("alarm-1", time.Now()))
	m := b.until("alarm-1", "tried twice", func(m event.Mail) bool { return m.Attempts >= 2 })
	if m.QueueState() != "deferred" || !strings.Contains(m.Problem, "connection refused") {
		t.Errorf("%+v", m)
	}
	b.submit(alarm("alarm-2", time.Now()))
	if m := b.mail("alarm-2"); m.Problem == "" {
		t.Errorf("a mail behind the back-off says nothing: %+v", m)
	}
	eml := b.eml("alarm-1")
	b.stop()

	b = start(t, dir, cfg, secrets) // a restart goes on with the same mails
	p.Start()
	b.untilState("alarm-1", "delivered")
	b.untilState("alarm-2", "delivered")
	p.WaitMails(2, patience)
	if got := findDelivered(t, p.Mails(), b.mail("alarm-1").MessageID); !bytes.Equal(mailtest.Strip(got), eml) {
		t.Error("not the mail of before the restart")
	}
}

// A wrong password pauses the account and is no fault of the mail; the right
// one delivers at once. The secret is seen nowhere.
func TestWrongPasswordThenRight(t *testing.T) {
	p := mailtest.Start(t, mailtest.Options{})
	cfg, secrets := settings(p, p.Submission)
	const wrong = "hunter2 hunter2"
	b := start(t, t.TempDir(), cfg, config.Secrets{SMTPPassword: wrong})
	b.submit(alarm("alarm-1", time.Now()))
	m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts == 1 })
	if m.Count(event.Pending) != 1 || !strings.Contains(m.Problem, "535") || time.Until(m.NextTry) < 30*time.Minute {
		t.Errorf("%+v", m)
	}
	b.submit(alarm("alarm-2", time.Now()))
	time.Sleep(300 * time.Millisecond)
	if n := b.mail("alarm-2").Attempts; n != 0 {
		t.Errorf("an alarm was tried on a paused account, %d times", n)
	}
	b.submit(event.Notice{ID: "test-1", Kind: event.Test, At: time.Now()})
	b.until("test-1", "tried", func(m event.Mail) bool { return m.Attempts == 1 })

	b.Configure(cfg, secrets, time.UTC)
	for _, id := range []string{"alarm-1", "alarm-2", "test-1"} {
		b.untilState(id, "delivered")
	}
	for _, secret := range []string{wrong, p.Password} {
		for _, s := range b.said.stepsOf("alarm-1") {
			if strings.Contains(s.Text+s.Verdict+s.Do+s.Target, secret) {
				t.Errorf("a step tells the secret: %+v", s)
			}
		}
		if strings.Contains(b.log.String(), secret) {
			t.Error("the log tells a secret")
		}
	}
	if !strings.Contains(b.log.String(), "step=auth") {
		t.Error("the log says nothing of AUTH: this test would find nothing")
	}
}

func TestDiagnoseAgainstPostfix(t *testing.T) {
	p := mailtest.Start(t, mailtest.Options{})
	p.Reject("gone@example.test", 550)
	o, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := func(c config.Config, s config.Secrets) (steps []event.Step, ok bool) {
		ok = o.Diagnose(context.Background(), c, s, func(s event.Step) { steps = append(steps, s) })
		return steps, ok
	}
	cfg, secrets := settings(p, p.Submission, "guard@example.test", "ops@example.test")
	steps, ok := run(cfg, secrets)
	if !ok || len(steps) < 8 {
		t.Errorf("%v %+v", ok, steps)
	}
	for name, c := range map[string]struct {
		change  func(*config.Config, *config.Secrets)
		step    string
		verdict string
	}{
		"refused destination": {func(c *config.Config, _ *config.Secrets) { c.Mail.Destinations[1] = "gone@example.test" }, "rcpt", "destination was refused"},
		"relay": {func(c *config.Config, _ *config.Secrets) {
			c.SMTP.Port, c.SMTP.Username = p.Plain, ""
			c.Mail.Destinations[1] = "x@example.org"
		}, "rcpt", "relaying denied"},
		"wrong password":       {func(_ *config.Config, s *config.Secrets) { s.SMTPPassword = "wrong password" }, "auth", "password"},
		"TLS to STARTTLS port": {func(c *config.Config, _ *config.Secrets) { c.SMTP.Security = "tls" }, "tls", "plain SMTP first"},
		"unknown authority":    {func(c *config.Config, _ *config.Secrets) { c.SMTP.CAFile = "" }, "tls", "authority"},
		"wrong pin":            {func(c *config.Config, _ *config.Secrets) { c.SMTP.Pin = strings.Repeat("A", 43) + "=" }, "tls", "pinned"},
		"wrong pin, no login": {func(c *config.Config, _ *config.Secrets) {
			c.SMTP.Port, c.SMTP.Username, c.SMTP.Pin = p.Plain, "", strings.Repeat("A", 43)+"="
		}, "tls", "pinned"},
		"no AUTH on this port": {func(c *config.Config, _ *config.Secrets) { c.SMTP.Port = p.Plain }, "auth", "does not ask for a user name"},
		"no such port":         {func(c *config.Config, _ *config.Secrets) { c.SMTP.Port = 1 }, "tcp", "connection refused"},
		"password in clear":    {func(c *config.Config, _ *config.Secrets) { c.SMTP.Security = "none" }, "config", "unencrypted"},
		"no credentials":       {func(c *config.Config, _ *config.Secrets) { c.SMTP.Username, c.SMTP.Security = "", "starttls" }, "rcpt", ""},
		"unknown host":         {func(c *config.Config, _ *config.Secrets) { c.SMTP.Server = "no-such-host.invalid" }, "lookup", ""},
		"not configured":       {func(c *config.Config, _ *config.Secrets) { c.Mail.Destinations = nil }, "config", "not configured"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, secrets := settings(p, p.Submission, "guard@example.test", "ops@example.test")
			c.change(&cfg, &secrets)
			steps, ok := run(cfg, secrets)
			last := steps[len(steps)-1]
			if ok || last.OK || last.Step != c.step || !strings.Contains(last.Verdict, c.verdict) || last.Do == "" {
				t.Errorf("ok %v, last step %+v", ok, last)
			}
		})
	}
	p.Idle(patience)
	if n := len(p.Mails()); n != 0 {
		t.Errorf("a diagnosis sent %d mails", n)
	}
}
