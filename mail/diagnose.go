package mail

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/trust"
)

// Diagnose walks a delivery up to RCPT with the given settings, which need not
// be those in force, and takes it back; nothing is sent. It reports whether a
// mail could have gone to every destination. An address that does not connect
// is shown as such, and is no failure where another one does. It also shows what
// only a person wants to know: each certificate, what the server offers, and,
// where a server says nothing, whether it speaks TLS instead.
func (o *Outbox) Diagnose(ctx context.Context, c config.Config, secrets config.Secrets, step func(event.Step)) bool {
	return diagnose(ctx, c, secrets, o.options.Host, o.times, step)
}

// Diagnose is Outbox.Diagnose where there is no outbox.
func Diagnose(ctx context.Context, c config.Config, secrets config.Secrets, step func(event.Step)) bool {
	return diagnose(ctx, c, secrets, "", defaultTimeouts, step)
}

func diagnose(ctx context.Context, c config.Config, secrets config.Secrets, host string, t timeouts, step func(event.Step)) bool {
	began := time.Now()
	if !config.MailConfigured(c) {
		step(failed(&fault{kind: account, step: "config", target: "mail", text: ErrNotConfigured.Error(), err: ErrNotConfigured}, began))
		return false
	}
	from, fromUTF8, err := envelopeAddress(c.Mail.ReplyAddress)
	if err != nil {
		step(failed(&fault{kind: account, step: "config", target: sanitise(c.Mail.ReplyAddress), text: sanitise(err.Error()), err: err}, began))
		return false
	}
	var to []string
	needs := fromUTF8
	for _, d := range c.Mail.Destinations {
		a, needsUTF8, err := envelopeAddress(d)
		if err != nil {
			step(failed(&fault{kind: account, step: "config", target: sanitise(d), text: sanitise(err.Error()), err: err}, began))
			return false
		}
		to, needs = append(to, a), needs || needsUTF8
	}
	t.greeting, t.command, t.data = t.firstGreeting, t.firstGreeting, t.firstGreeting
	s, f := (&session{ctx: ctx, times: t, report: step, thorough: true}).open(setup{config: c, secrets: secrets}, host)
	if f != nil {
		return false
	}
	defer s.close()
	faults, f := s.begin(from, to, needs, 0)
	if ctx.Err() == nil && (f == nil || !f.fatal()) && s.reset() {
		s.quit()
	}
	return f == nil && !slices.ContainsFunc(faults, func(f *fault) bool { return f != nil })
}

// certificates shows the chain that a handshake brought, refused or not.
func (s *session) certificates(err error, state tls.ConnectionState, target string) {
	if !s.thorough {
		return
	}
	chain := trust.Certificates(err, state)
	const shown = 5
	for i, c := range chain[:min(len(chain), shown)] {
		s.report(passed("tls", target, time.Now(), 0, trust.Describe(c),
			fmt.Sprintf("certificate %d of %d: %s", i+1, len(chain), trust.Validity(c, time.Now()))))
	}
}

// speaksTLS asks a server that did not greet in clear whether it waits for a
// ClientHello, on a connection of its own, with nothing said but that.
func (s *session) speaksTLS(greeting error, target string) bool {
	if s.ctx.Err() != nil || !isNetwork(greeting) {
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, min(s.times.connect, s.times.handshake))
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return false
	}
	defer conn.Close()
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) // nothing is sent, so nothing is trusted
	return err == nil || strings.Contains(err.Error(), "remote error: tls:")
}
