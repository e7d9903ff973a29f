package mail

import (
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// This file is what go-mail's client does not say: MAIL with SIZE, and MAIL and
// RCPT in one write. It is said through the client's textproto connection.

var errBadAddress = errors.New("an address may not hold control characters, spaces or angle brackets outside its quotes")

// begin opens a transaction: MAIL FROM with the mail's size in bytes, and RCPT TO
// for each recipient, in one write where the server offers PIPELINING (RFC 2920).
// faults[i] is nil only where recipient i was accepted. f is set where MAIL was
// refused or the connection is of no more use; who was not judged then has it too.
// DATA is never in the same write: it waits for what the recipients are told.
func (s *session) begin(from string, to []string, utf8 bool, size int64) (faults []*fault, f *fault) {
	faults = make([]*fault, len(to))
	unjudged := func(first int, f *fault) ([]*fault, *fault) {
		for i := first; i < len(to); i++ {
			faults[i] = f
		}
		return faults, f
	}
	refuse := func(step, target string, err error) *fault { // before anything was said
		f := newFault(step, target, err)
		f.kind = permanent
		s.report(failed(f, time.Now()))
		return f
	}
	if has, _ := s.extension("SMTPUTF8"); utf8 && !has {
		return unjudged(0, refuse("mail", from, errNoSMTPUTF8))
	}
	if !sayable(from) {
		return unjudged(0, refuse("mail", sanitise(from), errBadAddress))
	}
	for _, a := range to {
		if !sayable(a) {
			return unjudged(0, refuse("rcpt", sanitise(a), errBadAddress))
		}
	}
	if err := s.unasked(); err != nil {
		f := newFault("mail", from, err)
		s.close()
		s.report(failed(f, time.Now()))
		return unjudged(0, f)
	}
	pipelined, _ := s.extension("PIPELINING")
	w := s.client.Text.W
	if pipelined {
		s.line.phase(s.times.command)
		w.WriteString(s.mailCommand(from, utf8, size))
		for _, a := range to {
			w.WriteString("RCPT TO:<" + a + ">\r\n")
		}
	}
	// The first write's error would be the next reply's too, so it is looked at there.
	say := func(step, target, command string, code int, accepted string) *fault {
		began := time.Now()
		s.line.phase(s.times.command)
		if !pipelined {
			w.WriteString(command)
		}
		got, text, err := 0, "", w.Flush()
		if err == nil {
			got, text, err = s.client.Text.ReadResponse(code)
			err = s.whole(err)
		}
		if err != nil {
			f := newFault(step, target, err, s.secrets...)
			s.report(failed(f, began))
			return f
		}
		s.report(passed(step, target, began, got, scrub(text, s.secrets...), accepted))
		return nil
	}
	f = say("mail", from, s.mailCommand(from, utf8, size), 250, "the sender is accepted")
	if f != nil && (f.fatal() || !pipelined) {
		return unjudged(0, f)
	}
	refusedMail := f
	for i, a := range to {
		if refusedMail != nil { // what was written ahead is answered, and means nothing
			s.line.phase(s.times.command)
			if _, _, err := s.client.Text.ReadResponse(0); err != nil {
				s.close()
				break
			}
			continue
		}
		if faults[i] = say("rcpt", a, "RCPT TO:<"+a+">\r\n", 25, "the recipient is accepted"); faults[i] != nil && faults[i].fatal() {
			faults[i].rcpt = i + 1
			return unjudged(i, faults[i])
		}
	}
	if refusedMail != nil {
		return unjudged(0, refusedMail)
	}
	return faults, nil
}

// unasked finds a reply that came before its command: with it every later reply
// would be taken for the one before, and in the end a refused mail for a delivered one.
func (s *session) unasked() error {
	if s.client.Text.R.Buffered() > 0 {
		return errUnasked
	}
	return nil
}

// whole passes err, of the reply that was just read, on, and finds one whose last
// line has no end: where the line breaks, textproto takes what came for all of it.
func (s *session) whole(err error) error {
	r := s.client.Text.R
	if err != nil || r.UnreadByte() != nil {
		return err
	}
	switch c, _ := r.ReadByte(); {
	case c == '\n':
		return nil
	case s.line.left <= 0:
		return errReplyTooLong
	}
	return io.ErrUnexpectedEOF
}

func (s *session) mailCommand(from string, utf8 bool, size int64) string {
	c := "MAIL FROM:<" + from + ">"
	if has, _ := s.extension("8BITMIME"); has {
		c += " BODY=8BITMIME"
	}
	if utf8 {
		c += " SMTPUTF8"
	}
	if has, _ := s.extension("SIZE"); has && size > 0 {
		c += " SIZE=" + strconv.FormatInt(size, 10) // RFC 1870 §6
	}
	return c + "\r\n"
}

// sayable reports that an address is one argument of one command.
func sayable(address string) bool {
	quoted := strings.HasPrefix(address, `"`)
	for i := range len(address) {
		switch c := address[i]; {
		case c < ' ' || c == 0x7f:
			return false
		case (c == ' ' || c == '<' || c == '>') && !quoted:
			return false
		}
	}
	return true
}

// maxSize is the largest mail that the server takes, in bytes; 0: no limit is known.
func (s *session) maxSize() int64 {
	_, parameter := s.extension("SIZE")
	n, err := strconv.ParseInt(strings.TrimSpace(parameter), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// extension is the client's, and for a server that writes its keywords in lower
// case what learn found (RFC 5321 §2.4: they are the same in any case).
func (s *session) extension(keyword string) (has bool, parameter string) {
	if has, parameter = s.client.Extension(keyword); !has {
		parameter, has = s.keywords[keyword]
	}
	return has, parameter
}

// learn says EHLO once more where the client did not see the keyword wanted, or
// none of those that any server has: it looks for upper case only. It is
// called again after STARTTLS, as what was offered before that is void (RFC 3207 §4.2).
func (s *session) learn(ehlo, wanted string) error {
	s.keywords = nil
	sees := func(k string) bool { has, _ := s.client.Extension(k); return has }
	if wanted != "" && sees(wanted) || wanted == "" && (sees("8BITMIME") || sees("PIPELINING") || sees("SIZE")) {
		return nil
	}
	s.client.Text.W.WriteString("EHLO " + ehlo + "\r\n")
	if err := s.client.Text.W.Flush(); err != nil {
		return err
	}
	_, text, err := s.client.Text.ReadResponse(250)
	if reply := (*textproto.Error)(nil); errors.As(err, &reply) { // it knows HELO only
		return nil
	}
	if err = s.whole(err); err == nil {
		s.keywords = keywords(text)
	}
	return err
}

// keywords takes an EHLO reply apart: keywords in upper case, and their parameters.
func keywords(reply string) map[string]string {
	all := map[string]string{}
	_, lines, _ := strings.Cut(reply, "\n")
	for l := range strings.SplitSeq(lines, "\n") {
		if k, parameter, _ := strings.Cut(strings.TrimSpace(l), " "); k != "" {
			all[strings.ToUpper(k)] = parameter
		}
	}
	return all
}

// offers is the server's extensions in words, those that matter here.
func (s *session) offers() string {
	var all []string
	if has, _ := s.extension("STARTTLS"); has {
		all = append(all, "STARTTLS")
	}
	if has, mechanisms := s.extension("AUTH"); has {
		all = append(all, "sign-in by "+strings.Join(strings.Fields(sanitise(mechanisms)), ", "))
	}
	if n := s.maxSize(); n > 0 {
		all = append(all, fmt.Sprintf("mails up to %.1f MB", float64(n)/1e6))
	}
	for _, k := range []string{"PIPELINING", "8BITMIME", "SMTPUTF8"} {
		if has, _ := s.extension(k); has {
			all = append(all, k)
		}
	}
	if len(all) == 0 {
		return ", and offers nothing that matters here"
	}
	return ", and offers " + strings.Join(all, "; ")
}
