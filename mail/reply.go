package mail

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// replyText bounds a reply that is kept, in characters.
const replyText = 400

// oneLine replaces what cannot stand in one line of text: controls of ASCII and
// Latin-1, line and paragraph separators, what is not UTF-8.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

func isControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// plainText is oneLine with single spaces, none at the ends.
func plainText(s string) string { return strings.Join(strings.Fields(oneLine(s)), " ") }

// sanitise makes foreign words harmless for a terminal, a log and JSON: one
// line of valid UTF-8, no controls, no invisible or bidirectional format
// characters, at most replyText characters.
func sanitise(s string) string {
	s = plainText(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd")))
	if utf8.RuneCountInString(s) > replyText {
		s = string([]rune(s)[:replyText-1]) + "…"
	}
	return s
}

// scrub takes secrets and their base64, padded or not, out of a text, should a
// server echo them.
func scrub(text string, secrets ...string) string {
	for _, s := range secrets {
		if len(s) < 4 {
			continue // would mangle every reply, and says nothing
		}
		text = strings.ReplaceAll(text, s, "****")
		text = strings.ReplaceAll(text, base64.RawStdEncoding.EncodeToString([]byte(s)), "****")
	}
	return text
}

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
