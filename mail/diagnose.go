package mail

import (
	"context"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Diagnose walks a delivery up to RCPT with the given settings, which need not
// be those in force, and takes it back; nothing is sent. It reports whether a
// mail could have gone to every destination. An address that does not connect
// is shown as such, and is no failure where another one does.
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
	t.greeting = t.firstGreeting
	s, f := open(ctx, setup{config: c, secrets: secrets}, host, t, step)
	if f != nil {
		return false
	}
	defer s.close()
	if f := s.mail(from, needs); f != nil {
		if !f.fatal() {
			s.quit()
		}
		return false
	}
	ok := true
	for _, a := range to {
		if f := s.rcpt(a); f != nil {
			ok = false
			if f.fatal() {
				return false
			}
		}
	}
	if s.reset() {
		s.quit()
	}
	return ok
}
