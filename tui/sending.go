package tui

import (
	"fmt"
	"time"

	"watchpost/engine/event"
)

// sending is the mail that is handed to the server now: one at a time is.
type sending struct {
	event.MailSent
	from time.Time // when it began
	long bool      // it takes long enough to be worth a word
}

// worthAWord is how long a mail must be on its way before the screen says how
// far it is: less would only flash by.
const worthAWord = time.Second

func (s *sending) take(m event.MailSent, now time.Time) {
	if m.Of <= 0 {
		return
	}
	if m.Mail != s.Mail || m.Sent < s.Sent { // another one, or another attempt
		*s = sending{from: now}
	}
	m.Sent = max(0, min(m.Sent, m.Of))
	s.MailSent, s.long = m, now.Sub(s.from) >= worthAWord
}

// over forgets a mail of which something else became known.
func (s *sending) over(id string) {
	if s.Mail == id {
		*s = sending{}
	}
}

// sending is how far a mail is, if it is being sent and takes long.
func (a *app) sending(id string) (event.MailSent, bool) {
	return a.sent.MailSent, id != "" && a.sent.long && a.sent.Mail == id
}

// progress is "sending 1.2 of 3.4 MB".
func progress(s event.MailSent) string {
	unit, per := "kB", 1e3
	if s.Of >= 1e6 {
		unit, per = "MB", 1e6
	}
	if s.Sent >= s.Of {
		return fmt.Sprintf("%.1f %s sent, waiting for the server", float64(s.Of)/per, unit)
	}
	return fmt.Sprintf("sending %.1f of %.1f %s", float64(s.Sent)/per, float64(s.Of)/per, unit)
}
