package mail

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"watchpost/engine/event"
	"watchpost/engine/uptime"
)

const (
	recordVersion = 2
	maxRecord     = 4 << 20  // bytes of a state file that are read at all
	maxLetter     = 64 << 20 // bytes of a mail
	maxRecipients = 100      // RFC 5321 §4.5.3.1.8: any server takes so many
)

// record is a mail's state: the whole of ID.json. The mail itself, ID.eml, is
// never written again.
type record struct {
	Version  int        `json:"version"`
	Mail     event.Mail `json:"mail"`
	From     string     `json:"from"`     // envelope form: domain as A-labels
	Envelope []string   `json:"envelope"` // of Mail.Recipients, in their order
	UTF8     bool       `json:"smtputf8,omitempty"`
	Date     time.Time  `json:"date,omitzero"` // that it bears; a digest's Mail.Queued is older
	SHA256   string     `json:"sha256"`        // of ID.eml, hexadecimal; its length is Mail.Bytes
	// What it was rendered from, to render it again where it is too large or one
	// of the many that become a digest. The images are in ID.eml, their moments here.
	Head     letterhead    `json:"letterhead"`
	Notice   event.Notice  `json:"notice"`
	Captions []event.Image `json:"captions,omitempty"`
	// Former is the version that is being replaced by a smaller one: either may be
	// the file.
	Former *version `json:"former,omitempty"`
	// When the next attempt is due, and how many in a row failed once the server
	// was ready for the mail.
	Next *uptime.Moment `json:"next,omitempty"`
	// A server may have it: it was killed, or the connection died, between the final
	// dot and the reply. Its bytes must stay what they are.
	Handed bool `json:"handed,omitempty"`
	// What the refusal of a held recipient was about.
	Refused *refusal `json:"refused,omitempty"`
	Line    bool     `json:"line,omitempty"` // the last attempt failed for the line
	Failed  int      `json:"failed,omitempty"`
	// The recipients, from 1, at whom a connection ended: they are left out until the
	// others had their turn, and are then tried one by one.
	Ended []int `json:"ended_at,omitempty"`

	broken error // what is wrong with ID.eml, found at the start
}

// refusal is why recipients are held: by whom, and at which step.
type refusal struct {
	Account string `json:"account"` // see setup.account
	Step    string `json:"step"`    // mail, rcpt or data
}

// version tells one rendering of a mail from another.
type version struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

var errVersion = errors.New("it is of another version")

// mendable reports whether a mail whose file is damaged is rendered again from its
// state, without images: where somebody has it already, or nobody else would.
func (r record) mendable() bool {
	return r.Mail.Count(event.Delivered) > 0 || !strings.HasSuffix(r.Mail.ID, "-alarm") && r.Mail.FiringCount == 0
}

// ended reports whether a connection ended at the recipient i, and othersPending
// whether any is pending at whom none did.
func (r record) ended(i int) bool { return slices.Contains(r.Ended, i+1) }

func (r record) othersPending() bool {
	for i, rc := range r.Mail.Recipients {
		if rc.State == event.Pending && !r.ended(i) {
			return true
		}
	}
	return false
}

// parseRecord reads the state file of the mail id and refuses what this
// program would not have written.
func parseRecord(id string, data []byte) (record, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, err
	}
	m := &r.Mail
	switch {
	case r.Version != recordVersion:
		return record{}, fmt.Errorf("%w: %d, this program knows %d", errVersion, r.Version, recordVersion)
	case m.ID != id:
		return record{}, fmt.Errorf("it is of the mail %q", m.ID)
	case len(m.Recipients) == 0 || len(m.Recipients) > maxRecipients || len(r.Envelope) != len(m.Recipients):
		return record{}, errors.New("recipients are missing")
	case len(r.SHA256) != 64 || m.Bytes <= 0 || m.Bytes > maxLetter || m.Attempts < 0 || r.Failed < 0:
		return record{}, errors.New("length or hash is missing")
	}
	for i, rc := range m.Recipients {
		switch rc.State {
		case event.Pending, event.Delivered, event.RcptHeld, event.RcptDrop:
		default:
			return record{}, fmt.Errorf("unknown state %q of a recipient", rc.State)
		}
		if !safePath(r.Envelope[i]) {
			return record{}, errors.New("a recipient is not an address")
		}
	}
	if !safePath(r.From) {
		return record{}, errors.New("the sender is not an address")
	}
	return r, nil
}

// safePath guards what goes into MAIL and RCPT commands.
func safePath(a string) bool {
	return strings.Contains(a, "@") && utf8.ValidString(a) && !strings.ContainsFunc(a, isControl) && len(a) <= 1024
}

// validID keeps an ID a file name: lower case letters, digits and '-'.
func validID(id string) bool {
	if id == "" || len(id) > 100 || id[0] == '-' {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
	})
}

// clone copies r so that neither sees the other's changes.
func (r record) clone() record {
	r.Mail = cloneMail(r.Mail)
	return r
}

func cloneMail(m event.Mail) event.Mail {
	m.Recipients = append([]event.Recipient(nil), m.Recipients...)
	m.Firings = slices.Clone(m.Firings)
	return m
}
