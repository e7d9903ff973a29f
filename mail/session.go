package mail

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wneessen/go-mail/smtp"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/trust"
)

// session is a connection on which MAIL may be said. The end of its context
// closes it at once, but between a final dot and its reply. It is used by one
// goroutine.
type session struct {
	ctx     context.Context
	line    *line
	client  *smtp.Client
	times   timeouts
	secrets []string // never to be seen in a step
	report  func(event.Step)

	keywords map[string]string // of the last EHLO, by their upper case, where the client did not see them
	asked    bool              // the server has asked for a client certificate
	thorough bool              // for a person who wants to know: every address, each certificate

	release func() bool // lets go of the context
	mails   int         // handed over so far
	dotted  bool        // the final dot of the last one was, or may have been, sent
}

// open connects, protects and authenticates. A fault's step was reported already.
func open(ctx context.Context, set setup, ehlo string, t timeouts, report func(event.Step)) (*session, *fault) {
	return (&session{ctx: ctx, times: t, report: report}).open(set, ehlo)
}

// open fills in a session that has its context, times and report.
func (s *session) open(set setup, ehlo string) (_ *session, f *fault) {
	c := set.config.SMTP
	host := config.HostForDial(c.Server)
	s.secrets = secretsOf(c, set.secrets.SMTPPassword)
	began := time.Now()
	sec, err := protection(c)
	if err != nil {
		return nil, s.refused("config", "security", err, began)
	}
	conf, err := tlsConfig(c, host, sec != opportunistic)
	if err != nil {
		return nil, s.refused("config", "certificate", err, began)
	}
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		s.asked = true // many ask and go on without; some do not
		return new(tls.Certificate), nil
	}
	if s.line, f = dial(s.ctx, c, set.avoid, s.times, s.thorough, s.report); f != nil {
		return nil, f
	}
	s.obey()
	defer func() {
		if f != nil {
			s.close()
		}
	}()
	if f = s.greet(sec, conf, host, ehlo); f != nil {
		return nil, f
	}
	if sec == startTLS || sec == opportunistic {
		if f = s.startTLS(sec, conf, ehlo, credentials(c)); f != nil {
			return nil, f
		}
	}
	if credentials(c) {
		if f = s.authenticate(c, set.secrets.SMTPPassword, host); f != nil {
			return nil, f
		}
	}
	return s, nil
}

// refused reports a fault that comes before any mail: what server, certificate or
// configuration rule out concerns the account, and only the line's silence the line.
func (s *session) refused(step, target string, err error, began time.Time) *fault {
	if s.asked && strings.Contains(err.Error(), "remote error: tls:") { // the alert is after the handshake in TLS 1.3, and a general one in 1.2
		err = fmt.Errorf("%w: %w", errClientCert, err)
	}
	f := newFault(step, target, err, s.secrets...)
	unfit, _ := explainTLS(f)
	if step == "config" || f.kind == permanent || f.kind == temporary || f.kind == network && (!isNetwork(err) || unfit != "") {
		f.kind = account
	}
	s.report(failed(f, began))
	return f
}

// greet makes the connection a client's: TLS from the first byte where that is
// chosen, greeting, EHLO.
func (s *session) greet(sec security, conf *tls.Config, host, ehlo string) *fault {
	l, target := s.line, s.line.RemoteAddr().String()
	var conn net.Conn = l
	if sec == implicitTLS {
		began := time.Now()
		l.phase(s.times.handshake)
		tc := tls.Client(l, conf)
		err := tc.HandshakeContext(s.ctx)
		s.certificates(err, tc.ConnectionState(), target)
		if err != nil {
			return s.refused("tls", target, err, began)
		}
		conn = tc
		s.report(passed("tls", target, began, 0, trust.DescribeTLS(tc.ConnectionState()), "encrypted from the first byte"))
	}
	began := time.Now()
	l.phase(s.times.greeting)
	var err error
	if s.client, err = smtp.NewClient(conn, host); err != nil {
		if wondering := s.thorough || s.times.greeting == s.times.firstGreeting; wondering && sec != implicitTLS && s.speaksTLS(err, target) {
			err = errSpeaksTLS
		}
		return s.refused("ehlo", target, err, began) // a 5xx greeting refuses the client, not a mail
	}
	// Where little time is given to the greeting, a person waits or nothing is
	// known of the server yet: so it is for all that comes before a mail.
	l.phase(min(s.times.command, s.times.greeting))
	name := ehloName(ehlo, l.LocalAddr())
	if err = s.unasked(); err == nil {
		err = s.whole(s.client.Hello(name))
	}
	if err != nil {
		return s.refused("ehlo", target, fmt.Errorf("%w: %w", errGreeted, err), began)
	}
	wanted := ""
	if sec == startTLS || sec == opportunistic {
		wanted = "STARTTLS"
	}
	if err := s.learn(name, wanted); err != nil {
		return s.refused("ehlo", target, err, began)
	}
	s.report(passed("ehlo", target, began, 250, s.client.HelloResponse(), "the server answers"+s.offers()))
	return nil
}

// startTLS protects a connection that began in clear, or finds that it cannot be.
func (s *session) startTLS(sec security, conf *tls.Config, ehlo string, login bool) *fault {
	began, target := time.Now(), s.line.RemoteAddr().String()
	if offered, _ := s.extension("STARTTLS"); !offered {
		if sec == startTLS {
			return s.refused("tls", target, errNoStartTLS, began)
		}
		if s.thorough {
			s.report(passed("tls", target, began, 0, "", "not encrypted: the server offers no STARTTLS, and no password is sent"))
		}
		return nil
	}
	s.line.phase(s.times.handshake)
	err := s.unasked()
	if err == nil {
		err = s.whole(s.client.StartTLS(conf))
	}
	state, _ := s.client.TLSConnectionState()
	s.certificates(err, state, target)
	if err != nil {
		if record := (tls.RecordHeaderError{}); errors.As(err, &record) {
			err = fmt.Errorf("%w: %w", errInjected, err)
		}
		return s.refused("tls", target, err, began)
	}
	verdict := "encrypted by STARTTLS"
	if sec == opportunistic {
		verdict += ", the certificate not checked"
	}
	s.report(passed("tls", target, began, 220, trust.DescribeTLS(state), verdict))
	began = time.Now()
	s.line.phase(min(s.times.command, s.times.greeting))
	wanted := ""
	if login {
		wanted = "AUTH"
	}
	if err := s.learn(ehloName(ehlo, s.line.LocalAddr()), wanted); err != nil {
		return s.refused("ehlo", target, err, began)
	}
	if s.thorough {
		s.report(passed("ehlo", target, began, 250, s.client.HelloResponse(), "the server answers under TLS"+s.offers()))
	}
	return nil
}

// authenticate logs in. It is never reached without TLS, and says so itself.
func (s *session) authenticate(c config.SMTP, password, host string) *fault {
	began := time.Now()
	if _, encrypted := s.client.TLSConnectionState(); !encrypted {
		return s.refused("auth", c.Username, errPlainAuth, began)
	}
	has, offered := s.extension("AUTH")
	if !has {
		return s.refused("auth", c.Username, errNoAuth, began)
	}
	if err := s.unasked(); err != nil {
		return s.refused("auth", c.Username, err, began)
	}
	mechanism, a, err := authentication(c, password, host, offered)
	if err != nil {
		return s.refused("auth", c.Username, err, began)
	}
	s.line.phase(min(s.times.data, s.times.greeting)) // for the whole exchange, and for the QUIT that go-mail adds to a failed one
	if err := s.whole(s.client.Auth(a)); err != nil {
		return s.refused("auth", c.Username, err, began)
	}
	s.report(passed("auth", c.Username, began, 235, mechanism, "user name and password accepted"))
	return nil
}

// data hands the mail over from r and returns the server's words. The final dot
// is sent only when every byte was read and has the hash; else the connection is
// closed, so that no server takes a part for the whole. sent, if not nil, is
// called with the bytes handed over so far after each block; what it waits is
// not counted as the server's.
func (s *session) data(r io.Reader, hash string, sent func(n int64)) (reply string, f *fault) {
	began := time.Now()
	broken := func(k kind, err error) *fault {
		f := newFault("data", "", err, s.secrets...)
		if k == local {
			f.kind = local
		}
		if f.fatal() {
			s.close()
		}
		s.report(failed(f, began))
		return f
	}
	s.dotted = false
	s.line.phase(s.times.data)
	err := s.unasked()
	if err != nil {
		return "", broken(network, err)
	}
	w, err := s.client.Data()
	if err = s.whole(err); err != nil {
		return "", broken(network, err)
	}
	sum := sha256.New()
	buf := make([]byte, 32<<10)
	for total := int64(0); ; {
		n, rerr := r.Read(buf)
		sum.Write(buf[:n])
		s.line.phase(s.times.block)
		if _, err := w.Write(buf[:n]); err != nil {
			err = s.lastWords(err)
			s.close()
			return "", broken(network, err)
		}
		if total += int64(n); sent != nil && n > 0 {
			sent(total)
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return "", broken(local, rerr)
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != hash {
		return "", broken(local, errDamagedSpool)
	}
	if err := s.unasked(); err != nil { // a refusal in the middle of the text, or an acceptance of what it does not have
		err = s.lastWords(err)
		s.close()
		return "", broken(network, err)
	}
	// From the dot on the server may have the mail. Who closes now gets it sent
	// twice: a stop waits for the reply, but not for long.
	s.line.phase(s.times.dot)
	if !s.release() {
		return "", broken(network, context.Cause(s.ctx))
	}
	s.release = context.AfterFunc(s.ctx, func() { s.line.SetDeadline(time.Now().Add(s.times.stop)) })
	s.dotted = true
	err = s.whole(w.Close())
	s.release()
	s.obey()
	if yes := (*textproto.Error)(nil); errors.As(err, &yes) && yes.Code/100 == 2 { // RFC 5321 §4.2: the first digit counts
		reply, err = sanitise(scrub(yes.Msg, s.secrets...)), nil
	}
	if err != nil {
		return "", broken(network, err)
	}
	if d, ok := w.(*smtp.DataCloser); ok {
		reply = sanitise(scrub(d.ServerResponse(), s.secrets...))
	}
	s.mails++
	s.report(passed("data", "", began, 250, reply, "the server has the mail"))
	return reply, nil
}

// lastWords is the refusal that a server may have said before it closed in the
// middle of the mail's text: it says more than the broken line, err. An acceptance
// there means nothing.
func (s *session) lastWords(err error) error {
	s.line.phase(s.times.quit)
	var reply *textproto.Error
	if _, _, said := s.client.Text.ReadResponse(250); errors.As(said, &reply) && reply.Code >= 400 {
		return said
	}
	return err
}

// reset abandons a transaction; false: the connection is of no more use.
func (s *session) reset() bool {
	s.line.phase(s.times.command)
	return s.whole(s.client.Reset()) == nil
}

// quit takes leave; what the server says to that changes nothing.
func (s *session) quit() {
	s.line.phase(s.times.quit)
	s.client.Quit()
	s.close()
}

// obey lets the end of the context close the connection.
func (s *session) obey() {
	s.release = context.AfterFunc(s.ctx, func() { s.line.Close() })
}

// close closes the socket, without a word to the server.
func (s *session) close() {
	s.release()
	s.line.Close()
}

// ehloName is a fully qualified name or else an address literal (RFC 5321 §4.1.3).
func ehloName(host string, local net.Addr) string {
	if strings.Contains(strings.Trim(host, "."), ".") && !strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= utf8.RuneSelf }) {
		return host
	}
	a, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return "[127.0.0.1]"
	}
	ip := a.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return "[" + ip.String() + "]"
	}
	return "[IPv6:" + ip.String() + "]"
}
