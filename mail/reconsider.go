package mail

import (
	"fmt"
	"time"

	"watchpost/engine/event"
)

// account is who hands mail over to whom: what a refusal depends on beside the mail.
func (s setup) account() string {
	c := s.config.SMTP
	return fmt.Sprintf("%s@%s:%d %s %s", c.Username, c.Server, c.Port, c.Security, c.Auth)
}

// reconsider makes held recipients pending again where the configuration that
// caused the refusal has changed: another server or account; or, where the sender
// was refused and nobody has the mail yet, another reply address, which it then
// gets. A recipient whose own address was refused is for a person to decide.
func (o *Outbox) reconsider() {
	o.mu.Lock()
	var held []record
	set := o.setup
	if o.anew && set.config.SMTP.Server != "" && set.config.Mail.ReplyAddress != "" {
		o.anew = false
		for _, e := range o.mails {
			if e.Refused != nil {
				held = append(held, e.record.clone())
			}
		}
	}
	o.mu.Unlock()
	for _, r := range held {
		id := r.Mail.ID
		sender := r.Refused.Step == "mail" && r.Head.ReplyAddress != set.config.Mail.ReplyAddress && r.Mail.Count(event.Delivered) == 0
		if r.Refused.Account == set.account() && !sender {
			continue
		}
		var err error
		if sender {
			err = o.resend(id, set.config.Mail.ReplyAddress)
		}
		if err == nil {
			err = o.change(id, func(r *record) bool { return r.release() }, func(e *entry) { e.next = time.Time{} })
		}
		if err != nil {
			o.options.Log.Warn("mail spool", "problem", "what is held could not be taken up again: "+err.Error())
		}
	}
}

// resend renders a mail again from another reply address.
func (o *Outbox) resend(id, reply string) error {
	o.disk.Lock()
	defer o.disk.Unlock()
	e := o.entry(id)
	if e == nil {
		return nil
	}
	images, err := o.images(e, max(summaryImages, mostImages(e.Mail.Kind)))
	if err != nil {
		return err
	}
	head := e.Head
	head.ReplyAddress = reply
	return o.rewrite(e, head, images, "")
}

// release makes held recipients pending and lets the mail be tried at once; it
// reports whether that changed anything.
func (r *record) release() bool {
	m := &r.Mail
	changed := m.Problem != "" || !m.NextTry.IsZero() || r.Next != nil
	m.Problem, m.NextTry, r.Next, r.Failed, r.Refused = "", time.Time{}, nil, 0, nil
	for i := range m.Recipients {
		if rc := &m.Recipients[i]; rc.State == event.RcptHeld {
			rc.State, changed = event.Pending, true
		}
	}
	return changed
}
