package mail

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/uptime"
)

// hold is a back-off that concerns every mail: the line, the server, the account.
type hold struct {
	kind    kind
	count   int       // failures of that kind in a row; 0: no hold
	until   time.Time // monotonic
	problem string
	mail    string // that failed once the server was ready for it; "": the connection did
}

// heldFile is a hold as it outlives the program: one that is started again and
// again must not ask a server again and again for what that has refused, or the
// account is locked.
type heldFile struct {
	Kind    kind           `json:"kind"`
	Count   int            `json:"count"`
	Until   *uptime.Moment `json:"until"`
	Problem string         `json:"problem"`
	// For which settings it holds, so that others are tried at once: derived from
	// all of them, the password too, slowly and with salt, so that it gives none away.
	Salt  []byte `json:"salt"`
	Check []byte `json:"check"`
}

func (s spool) holdName() string { return filepath.Join(s.dir, "hold.json") }

// sameAccount reports that what a server refuses under one it refuses under the other.
func (s setup) sameAccount(o setup) bool {
	return s.config.SMTP == o.config.SMTP && s.secrets.SMTPPassword == o.secrets.SMTPPassword &&
		s.config.Mail.ReplyAddress == o.config.Mail.ReplyAddress
}

func (s setup) check(salt []byte) []byte {
	const rounds = 100_000
	key, err := pbkdf2.Key(sha256.New, fmt.Sprintf("%q %q %q", fmt.Sprint(s.config.SMTP), s.secrets.SMTPPassword, s.config.Mail.ReplyAddress), salt, rounds, 32)
	if err != nil {
		return nil
	}
	return key
}

// keepHold writes the hold where it is to outlive the program, and removes what
// was written where it is over. It is the sender's; a failure costs an attempt
// too early.
func (o *Outbox) keepHold() {
	o.mu.Lock()
	h, set, kept := o.hold, o.setup, o.holdKept
	o.mu.Unlock()
	lasting := h.count > 0 && (h.kind == account || h.kind == busy)
	switch {
	case lasting && !kept.Equal(h.until):
		f := heldFile{Kind: h.kind, Count: h.count, Until: o.uptime.Keep(h.until), Problem: h.problem, Salt: make([]byte, 16)}
		rand.Read(f.Salt)
		f.Check = set.check(f.Salt)
		data, err := json.Marshal(f)
		if err == nil {
			err = durable.WriteFile(o.spool.holdName(), 0o600, append(data, '\n'))
		}
		if err != nil {
			o.options.Log.Warn("mail spool", "problem", "the pause of the account could not be saved: "+err.Error())
		}
	case !lasting && !kept.IsZero():
		durable.Remove(o.spool.holdName())
		h.until = time.Time{}
	default:
		return
	}
	o.mu.Lock()
	o.holdKept = h.until
	o.mu.Unlock()
}

// resume takes up the hold of the last run where the settings are those it was
// for. Called with mu held, by the first Configure.
func (o *Outbox) resume() {
	data, err := readBounded(o.spool.holdName())
	var f heldFile
	if err != nil || json.Unmarshal(data, &f) != nil || f.Kind != account && f.Kind != busy || f.Count < 1 {
		return
	}
	left := o.uptime.Left(f.Until)
	if left == 0 || subtle.ConstantTimeCompare(o.setup.check(f.Salt), f.Check) != 1 {
		durable.Remove(o.spool.holdName())
		return
	}
	o.hold = hold{f.Kind, min(f.Count, 100), time.Now().Add(min(left, 2*o.times.longest())), sanitise(f.Problem), ""}
	o.holdKept = o.hold.until
}
