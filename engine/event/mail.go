package event

import "time"

// NoticeKind says what a mail is about.
type NoticeKind string

const (
	Alarm   NoticeKind = "alarm"   // one firing
	Summary NoticeKind = "summary" // the firings of a hold-off
	Digest  NoticeKind = "digest"  // the alarms and summaries that an outage left waiting; the outbox makes it of them
	Test    NoticeKind = "test"    // asked for by a person: never held off, no firing
	State   NoticeKind = "state"   // the box itself has something to say
	Images  NoticeKind = "images"  // all images of an event, or a part of them: a transfer by e-mail

	// Transfer is no mail: the images of an event on their way to another place, as
	// the queue shows them. Its one recipient is the transfer's name.
	Transfer NoticeKind = "transfer"
)

// Notice is everything that a mail is rendered from. The engine makes it from
// the journal and submits it to its outbox once.
type Notice struct {
	// ID is the mail's name in the spool: lower case letters, digits and '-'.
	// It is derived from the firing, so that a second submission after a crash
	// finds the first.
	ID       string     `json:"id"`
	Kind     NoticeKind `json:"kind"`
	Gathered            // the firings; one for an alarm, none for a test or a state
	At       time.Time  `json:"at"`              // the trigger's moment, in the configured zone: the subject's stamp
	Event    string     `json:"event,omitempty"` // the event's id
	Title    string     `json:"title,omitempty"` // of a state: what it is in two or three words, "camera lost"; of images: the trigger's name
	Images   []Image    `json:"-"`               // the best first; may be empty
	Notes    []string   `json:"notes,omitempty"` // sentences for the text, such as why there is no image
	// Whom it goes to and what its subject says before the stamp, where that is not
	// mail.destinations and mail.subject.
	Destinations []string `json:"destinations,omitempty"`
	Subject      string   `json:"subject,omitempty"`
}

// Job is an event whose images are to go to another place, in the queue of transfers.
type Job struct {
	ID       string // see TransferID
	Event    string // its id in the store
	Trigger  string
	Transfer string    // the place's name
	At       time.Time // the trigger's moment
}

// RecipientState is the outcome for one recipient of one mail.
type RecipientState string

const (
	Pending   RecipientState = "pending"   // not tried, or refused for now
	Delivered RecipientState = "delivered" // the server said 250 after the final dot
	RcptHeld  RecipientState = "held"      // refused for good: kept and shown until retried or dropped
	RcptDrop  RecipientState = "dropped"   // given up by the operator
)

// Recipient is one destination of a mail and what the server said of it.
type Recipient struct {
	Address string         `json:"address"`
	State   RecipientState `json:"state"`
	Reply   string         `json:"reply,omitempty"` // the server's last words, made harmless for a terminal
	At      time.Time      `json:"at,omitzero"`     // of that outcome
}

// Mail is a mail's state as the queue shows it.
type Mail struct {
	ID          string      `json:"id"`
	Kind        NoticeKind  `json:"kind"`
	Firings     Seqs        `json:"firings,omitempty"`      // Seq of each firing that it tells of
	FiringCount uint64      `json:"firing_count,omitempty"` // how many those are
	Replaces    []string    `json:"replaces,omitempty"`     // with a digest: the mails that it stands for, which are gone
	Stands      int         `json:"stands,omitempty"`       // how many those were, earlier digests not counted
	Trigger     string      `json:"trigger,omitempty"`
	Event       string      `json:"event,omitempty"`
	Subject     string      `json:"subject"`
	MessageID   string      `json:"message_id"`
	Recipients  []Recipient `json:"recipients"`
	At          time.Time   `json:"at"`     // the trigger's moment
	Queued      time.Time   `json:"queued"` // when it entered the spool
	Attempts    int         `json:"attempts"`
	NextTry     time.Time   `json:"next_try,omitzero"` // zero: at once, or never (nothing pending)
	Problem     string      `json:"problem,omitempty"` // why it is not delivered yet: what happened, why, what to do
	Bytes       int64       `json:"bytes"`
	// Damaged says that its files were found damaged and set aside: it is in the
	// queue no more, and whoever has what it told of composes it anew.
	Damaged bool `json:"damaged,omitempty"`
}

// Count returns how many recipients are in state s.
func (m Mail) Count(s RecipientState) int {
	n := 0
	for _, r := range m.Recipients {
		if r.State == s {
			n++
		}
	}
	return n
}

// Settled reports that no recipient is pending or held: nothing more will happen to it.
func (m Mail) Settled() bool { return m.Count(Pending) == 0 && m.Count(RcptHeld) == 0 }

// Disposition is what the mail means for each firing it tells of.
func (m Mail) Disposition() Disposition {
	switch {
	case m.Count(Delivered) > 0 && (m.Kind == Summary || m.Kind == Digest):
		return Summarised
	case m.Count(Delivered) > 0:
		return Mailed
	case m.Count(Pending) > 0:
		return Queued
	case m.Count(RcptHeld) > 0:
		return Held
	}
	return Dropped
}

// QueueState is the one word for a mail in lists: "queued", "deferred" (tried
// and waiting), "held" or "delivered" (also where the rest was dropped), "dropped".
func (m Mail) QueueState() string {
	switch {
	case m.Count(Pending) > 0 && m.Attempts > 0:
		return "deferred"
	case m.Count(Pending) > 0:
		return "queued"
	case m.Count(RcptHeld) > 0:
		return "held"
	case m.Count(Delivered) > 0:
		return "delivered"
	}
	return "dropped"
}

// Step is one step of a diagnosis or of a mail's delivery. The JSON names are
// the contract of `watchpost doctor --json`.
type Step struct {
	Step    string  `json:"step"`   // config, lookup, tcp, tls, ehlo, auth, mail, rcpt, data
	Target  string  `json:"target"` // the name, address or recipient it was about
	OK      bool    `json:"ok"`
	MS      float64 `json:"ms"`      // how long it took, milliseconds
	Code    int     `json:"code"`    // SMTP reply code, 0 where there was none
	Text    string  `json:"text"`    // the server's or system's words, harmless for a terminal, no secret
	Verdict string  `json:"verdict"` // plain words
	Do      string  `json:"do"`      // what to do; empty when OK
}
