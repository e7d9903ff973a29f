package mail

import (
	"context"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"

	"watchpost/engine/foreign"
)

// replyText bounds a reply that is kept, in characters.
const replyText = foreign.Longest

// What makes foreign words harmless.
var (
	oneLine   = foreign.OneLine
	isControl = foreign.IsControl
	plainText = foreign.Plain
	sanitise  = foreign.Sanitise
	scrub     = foreign.Scrub
)

// kind says whose trouble a fault is, and so what waits.
type kind int

const (
	network   kind = iota // the line or the server: everything waits, a short time at first
	account               // configuration, TLS, AUTH, a limit: everything waits, longer; not the mail's fault
	busy                  // 421 and its like: everything waits
	temporary             // 4xx, or not understood: this recipient or mail waits
	permanent             // 5xx: this recipient or mail is held, unless its words are about the account
	local                 // the spool's file cannot be read
)

// fault is what went wrong in one step of the dialogue.
type fault struct {
	kind   kind
	step   string // as in event.Step
	target string
	code   int    // SMTP reply code; 0: no reply
	text   string // the server's or the system's words, sanitised
	err    error
	rcpt   int // of a recipient at whom the connection ended: its index in the transaction, from 1
}

func (f *fault) Error() string {
	verdict, do := explain(f)
	if f.code != 0 {
		verdict += ": " + f.words()
	}
	return strings.TrimSuffix(verdict, ".") + ". " + do
}

func (f *fault) Unwrap() error { return f.err }

// newFault classifies an error of a step: by reply code where there is one, and
// anything not understood as temporary. secrets are taken out of the words.
func newFault(step, target string, err error, secrets ...string) *fault {
	f := &fault{step: step, target: target, err: err}
	var reply *textproto.Error
	var bad textproto.ProtocolError
	switch {
	case errors.As(err, &reply):
		f.code = reply.Code
		f.text = sanitise(scrub(reply.Msg, secrets...))
		w := wordsFor(f)
		switch {
		case reply.Code == 421:
			f.kind = busy
		case w != nil && w.account, reply.Code == 530, reply.Code == 534, reply.Code == 535, reply.Code == 538: // RFC 4954 §6: wants AUTH or TLS first
			f.kind = account
		case reply.Code == 503: // bad sequence of commands: about the dialogue, never about a mail
			f.kind = temporary
		case reply.Code >= 500 && reply.Code < 600:
			f.kind = permanent
		default:
			f.kind = temporary
		}
	case errors.As(err, &bad): // not SMTP, or not any more
		f.kind, f.text = network, sanitise(scrub("not an SMTP reply: "+bad.Error(), secrets...))
	default:
		f.kind, f.text = network, sanitise(scrub(err.Error(), secrets...))
	}
	return f
}

// isNetwork reports that err is the line's or the far end's silence, not a
// judgement about what was said or shown.
func isNetwork(err error) bool {
	var ne net.Error
	var bad textproto.ProtocolError
	return errors.As(err, &ne) || errors.As(err, &bad) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errReplyTooLong) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// fatal reports that the connection is of no more use.
func (f *fault) fatal() bool { return f.kind == network || f.kind == busy || f.kind == local }

// words is the reply as it is kept: its code and its text.
func (f *fault) words() string {
	if f.code == 0 {
		return f.text
	}
	return strings.TrimSpace(strconv.Itoa(f.code) + " " + f.text)
}
