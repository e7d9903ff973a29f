package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"watchpost/engine/event"
)

// runTestMail is `watchpost test-mail`: a mail on the real path, followed until
// it is delivered, refused, or the time is over.
func runTestMail(ctx context.Context, args []string, s streams) int {
	f := newFlags("test-mail", s)
	timeout := f.Duration("timeout", 60*time.Second, "how long to follow it")
	if _, ok := f.parse(args, -1, 0, 0); !ok {
		return exitUsage
	}
	client, err := f.service(ctx)
	if err != nil {
		return f.failed(err)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	_, changes, err := client.Watch(ctx)
	if ctx.Err() != nil {
		return testTimeout(f, "", event.Mail{})
	}
	if err != nil {
		return f.failed(err)
	}
	// Steps can come before the call below has returned: they are kept, bounded.
	type result struct {
		mail event.Mail
		err  error
	}
	submitted := make(chan result, 1)
	go func() {
		m, err := client.TestMail(ctx)
		submitted <- result{m, err}
	}()
	show := f.stepPrinter()
	var id string
	var mail event.Mail
	var early []event.MailStep
	known := map[string]event.Mail{}
	var far progress
	for {
		select {
		case r := <-submitted:
			if r.err != nil && ctx.Err() == nil {
				return f.failed(r.err)
			}
			if r.err != nil {
				return testTimeout(f, id, mail)
			}
			id, mail = r.mail.ID, r.mail
			if m, ok := known[id]; ok {
				mail = m
			}
			for _, st := range early {
				if st.Mail == id {
					show(st.Step)
				}
			}
			early = nil
		case ev, ok := <-changes:
			switch {
			case !ok && ctx.Err() != nil:
				return testTimeout(f, id, mail)
			case !ok:
				return f.failed(errors.New("the service has stopped"))
			case ev.Step != nil && id == "" && len(early) < 200:
				early = append(early, *ev.Step)
			case ev.Step != nil && ev.Step.Mail == id:
				show(ev.Step.Step)
			case ev.Sent != nil && ev.Sent.Mail == id && f.onTerminal():
				if line := far.line(*ev.Sent, time.Now()); line != "" {
					fmt.Fprintln(f.s.out, line)
				}
			case ev.Mail != nil && ev.Mail.Kind == event.Test:
				if known[ev.Mail.ID] = *ev.Mail; ev.Mail.ID == id {
					mail = *ev.Mail
				}
			}
		case <-ctx.Done():
			return testTimeout(f, id, mail)
		}
		if id != "" && (mail.Damaged || mail.Count(event.Pending) == 0 && len(mail.Recipients) > 0) {
			return testOutcome(f, mail)
		}
	}
}

// progress says how far a mail is that takes long to hand over.
type progress struct {
	began time.Time
	last  event.MailSent
	told  int64 // quarters
}

// quiet is how long nothing is said: most mails are through by then.
const quiet = 2 * time.Second

// line is what to print at s: a line for each quarter, none before quiet is over.
func (p *progress) line(s event.MailSent, now time.Time) string {
	if s.Of <= 0 {
		return ""
	}
	if p.began.IsZero() || s.Sent < p.last.Sent { // another attempt
		*p = progress{began: now}
	}
	p.last = s
	quarter := s.Sent * 4 / s.Of
	if now.Sub(p.began) < quiet || quarter <= p.told || quarter >= 4 {
		return ""
	}
	p.told = quarter
	return fmt.Sprintf("    sending: %.1f of %.1f MB, %d %%", float64(s.Sent)/1e6, float64(s.Of)/1e6, s.Sent*100/s.Of)
}

// onTerminal reports whether a person watches what is printed.
func (f *flags) onTerminal() bool {
	t, ok := f.s.out.(*os.File)
	return ok && !f.json && isTerminal(t)
}

func testOutcome(f *flags, m event.Mail) int {
	ok := !m.Damaged && m.Count(event.Delivered) == len(m.Recipients)
	if f.json {
		f.printJSON(map[string]any{"ok": ok, "queue_id": m.ID})
	}
	if m.Damaged && !f.json {
		fmt.Fprintln(f.s.out, "not delivered: the mail's file was found damaged on the disk and set aside; send another one")
		return exitFailed
	}
	for _, r := range m.Recipients {
		if !f.json {
			fmt.Fprintf(f.s.out, "%s: %s  %s\n", r.Address, r.State, r.Reply)
		}
	}
	if !ok {
		return exitFailed
	}
	return exitOK
}

func testTimeout(f *flags, id string, m event.Mail) int {
	if f.json {
		f.printJSON(map[string]any{"ok": false, "queue_id": id})
		return exitTimeout
	}
	if id == "" {
		fmt.Fprintln(f.s.out, "not delivered: the time was over before the service had taken it")
		return exitTimeout
	}
	fmt.Fprintf(f.s.out, "not delivered yet; it stays in the queue as %s and is tried again\n", id)
	if m.Problem != "" {
		fmt.Fprintln(f.s.out, m.Problem)
	}
	return exitTimeout
}
