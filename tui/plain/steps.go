package plain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/tui"
)

const (
	diagnoseTime = 5 * time.Minute
	// followTime is how long a test mail is followed; it stays in the queue after that.
	followTime = 60 * time.Second
)

// diagnosis offers to try the way to the mail server with what is typed.
func (s *setup) diagnosis(ctx context.Context) error {
	if s.draft.Raw("smtp.server") == "" {
		return nil
	}
	s.Say("")
	ok, err := s.yes("Try the way to the mail server now? Nothing is sent.", false)
	if err != nil || !ok {
		return err
	}
	diagnose(ctx, s.b, s.Prompt, s.draft.Changes())
	return nil
}

func diagnose(ctx context.Context, b Backend, p *Prompt, changes []config.Change) {
	ctx, cancel := context.WithTimeout(ctx, diagnoseTime)
	defer cancel()
	ok, err := b.Diagnose(ctx, changes, func(st event.Step) { p.step(st) })
	switch {
	case err != nil:
		p.Say("It could not be tried: %s", tui.Because(err))
	case ok:
		p.Say("Everything is in order: the server would take the mail.")
	default:
		p.Say("Mail would not get through, as told above.")
	}
}

// step tells one step in a sentence or two.
func (p *Prompt) step(st event.Step) {
	text := st.Step
	if st.Target != "" {
		text += " " + st.Target
	}
	if st.OK {
		p.Say("%s: ok, %s, %.0f ms.", text, strings.TrimSuffix(st.Verdict, "."), st.MS)
		return
	}
	p.Say("%s: FAILED, %s.", text, strings.TrimSuffix(st.Verdict, "."))
	if st.Text != "" && !strings.Contains(st.Verdict, st.Text) {
		words := st.Text
		if st.Code > 0 {
			words = fmt.Sprintf("%d %s", st.Code, words)
		}
		p.Say("  In its own words: %s", words)
	}
	if st.Do != "" {
		p.Say("  What to do: %s", st.Do)
	}
}

// testMail offers a test mail, and follows it.
func (s *setup) testMail(ctx context.Context) error {
	if s.o.Offline {
		s.Say("The service does not run: start it, then watchpost test-mail sends a test mail.")
		return nil
	}
	if !config.MailConfigured(s.in.Config) {
		return nil
	}
	ok, err := s.yes("Send a test mail to "+strings.Join(s.destinations(), ", ")+" now?", false)
	if ended(err) {
		return nil
	}
	if err == nil && ok {
		send(ctx, s.b, s.Prompt)
	}
	return err
}

// send queues a test mail and tells its steps until it is delivered, refused, or the
// time is over.
func send(ctx context.Context, b Backend, p *Prompt) {
	ctx, cancel := context.WithTimeout(ctx, followTime)
	defer cancel()
	_, changes, err := b.Watch(ctx)
	if err != nil {
		p.Say("Nothing was sent: %s", tui.Because(err))
		return
	}
	// The hub keeps what comes until it is read here, the newest of it.
	m, err := b.TestMail(ctx)
	if err != nil {
		p.Say("Nothing was sent: %s", tui.Because(err))
		return
	}
	for m.Count(event.Pending) > 0 && !m.Damaged {
		select {
		case e, ok := <-changes:
			switch {
			case !ok:
				p.later(ctx, m)
				return
			case e.Lost > 0: // its outcome may be among what was missed
				var snap event.Snapshot
				if snap, changes, err = b.Watch(ctx); err != nil {
					p.Say("%s", tui.Because(err))
					return
				}
				if i := slices.IndexFunc(snap.Mails, func(x event.Mail) bool { return x.ID == m.ID }); i >= 0 {
					m = snap.Mails[i]
				}
			case e.Step != nil && e.Step.Mail == m.ID:
				p.step(e.Step.Step)
			case e.Mail != nil && e.Mail.ID == m.ID:
				m = *e.Mail
			}
		case <-ctx.Done():
			p.later(ctx, m)
			return
		}
	}
	if m.Damaged {
		p.Say("The mail was found damaged on the disk and set aside: send another one.")
		return
	}
	for _, r := range m.Recipients {
		p.Say("%s: %s. %s", r.Address, r.State, r.Reply)
	}
}

func (p *Prompt) later(ctx context.Context, m event.Mail) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	p.Say("It is not delivered yet; it stays in the queue and is tried again. %s", m.Problem)
}
