package mail

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wneessen/go-mail/smtp"

	"watchpost/engine/config"
	"watchpost/engine/event"
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
	release func() bool // lets go of the context
	mails   int         // handed over so far
}

// open connects, protects and authenticates. A fault's step was reported already.
func open(ctx context.Context, set setup, ehlo string, t timeouts, report func(event.Step)) (*session, *fault) {
	c := set.config.SMTP
	host := config.HostForDial(c.Server)
	began := time.Now()
	secrets := secretsOf(c, set.secrets.SMTPPassword)
	fail := func(f *fault) *fault { report(failed(f, began)); return f }
	// unfit is what configuration or certificate rule out; refused is what the
	// server or the line says, and concerns the account and never a mail.
	unfit := func(step, target string, err error) *fault {
		f := newFault(step, target, err, secrets...)
		f.kind = account
		return fail(f)
	}
	refused := func(step, target string, err error) *fault {
		f := newFault(step, target, err, secrets...)
		unfitTLS, _ := explainTLS(err)
		if f.kind == permanent || f.kind == temporary || f.kind == network && (!isNetwork(err) || unfitTLS != "") {
			f.kind = account
		}
		return fail(f)
	}
	sec, err := protection(c)
	if err != nil {
		return nil, unfit("config", "security", err)
	}
	conf, err := tlsConfig(c, host, sec != opportunistic)
	if err != nil {
		return nil, unfit("config", "certificate", err)
	}
	l, f := dial(ctx, c, t, report)
	if f != nil {
		return nil, f
	}
	s := &session{ctx: ctx, line: l, times: t, secrets: secrets, report: report}
	s.obey()
	ok := false
	defer func() {
		if !ok {
			s.close()
		}
	}()
	target := l.RemoteAddr().String()

	var conn net.Conn = l
	if sec == implicitTLS {
		began = time.Now()
		l.phase(t.handshake)
		tc := tls.Client(l, conf)
		if err := tc.HandshakeContext(ctx); err != nil {
			return nil, refused("tls", target, err)
		}
		conn = tc
		report(passed("tls", target, began, 0, describeTLS(tc.ConnectionState()), "encrypted from the first byte"))
	}
	began = time.Now()
	l.phase(t.greeting)
	if s.client, err = smtp.NewClient(conn, host); err != nil {
		return nil, refused("ehlo", target, err) // a 5xx greeting refuses the client, not a mail
	}
	l.phase(t.command)
	if err := s.client.Hello(ehloName(ehlo, l.LocalAddr())); err != nil {
		return nil, refused("ehlo", target, err)
	}
	report(passed("ehlo", target, began, 250, s.client.HelloResponse(), "the server answers"))

	if sec == startTLS || sec == opportunistic {
		began = time.Now()
		offered, _ := s.client.Extension("STARTTLS")
		switch {
		case !offered && sec == startTLS:
			return nil, unfit("tls", target, errNoStartTLS)
		case offered:
			l.phase(t.handshake)
			if err := s.client.StartTLS(conf); err != nil {
				return nil, refused("tls", target, err)
			}
			state, _ := s.client.TLSConnectionState()
			verdict := "encrypted by STARTTLS"
			if sec == opportunistic {
				verdict += ", the certificate not checked"
			}
			report(passed("tls", target, began, 220, describeTLS(state), verdict))
		}
	}
	if credentials(c) {
		if f := s.authenticate(c, set.secrets.SMTPPassword, host, refused); f != nil {
			return nil, f
		}
	}
	ok = true
	return s, nil
}

// authenticate logs in. It is never reached without TLS, and says so itself.
func (s *session) authenticate(c config.SMTP, password, host string, refused func(step, target string, err error) *fault) *fault {
	began := time.Now()
	if _, encrypted := s.client.TLSConnectionState(); !encrypted {
		return refused("auth", c.Username, errPlainAuth)
	}
	has, offered := s.client.Extension("AUTH")
	if !has {
		return refused("auth", c.Username, errNoAuth)
	}
	mechanism, a, err := authentication(c, password, host, offered)
	if err != nil {
		return refused("auth", c.Username, err)
	}
	s.line.phase(s.times.data) // for the whole exchange, and for the QUIT that go-mail adds to a failed one
	if err := s.client.Auth(a); err != nil {
		return refused("auth", c.Username, err)
	}
	s.report(passed("auth", c.Username, began, 235, mechanism, "user name and password accepted"))
	return nil
}

// mail begins a transaction.
func (s *session) mail(from string, utf8 bool) *fault {
	began := time.Now()
	if has, _ := s.client.Extension("SMTPUTF8"); utf8 && !has {
		f := newFault("mail", from, errNoSMTPUTF8)
		f.kind = permanent
		s.report(failed(f, began))
		return f
	}
	s.client.SkipSMTPUTF8(!utf8)
	s.line.phase(s.times.command)
	if err := s.client.Mail("<" + from + ">"); err != nil {
		f := newFault("mail", from, err, s.secrets...)
		s.report(failed(f, began))
		return f
	}
	s.report(passed("mail", from, began, 250, "", "the sender is accepted"))
	return nil
}

// rcpt names a recipient.
func (s *session) rcpt(to string) *fault {
	began := time.Now()
	s.line.phase(s.times.command)
	if err := s.client.Rcpt("<" + to + ">"); err != nil {
		f := newFault("rcpt", to, err, s.secrets...)
		s.report(failed(f, began))
		return f
	}
	s.report(passed("rcpt", to, began, 250, "", "the recipient is accepted"))
	return nil
}

// data hands the mail over from r and returns the server's words. The final dot
// is sent only when every byte was read and has the hash; else the connection is
// closed, so that no server takes a part for the whole.
func (s *session) data(r io.Reader, hash string) (reply string, f *fault) {
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
	s.line.phase(s.times.data)
	w, err := s.client.Data()
	if err != nil {
		return "", broken(network, err)
	}
	sum := sha256.New()
	buf := make([]byte, 32<<10)
	for {
		n, rerr := r.Read(buf)
		sum.Write(buf[:n])
		s.line.phase(s.times.block)
		if _, err := w.Write(buf[:n]); err != nil {
			return "", broken(network, err)
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
	// From the dot on the server may have the mail. Who closes now gets it sent
	// twice: a stop waits for the reply, but not for long.
	s.line.phase(s.times.dot)
	if !s.release() {
		return "", broken(network, context.Cause(s.ctx))
	}
	s.release = context.AfterFunc(s.ctx, func() { s.line.SetDeadline(time.Now().Add(s.times.stop)) })
	err = w.Close()
	s.release()
	s.obey()
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

// reset abandons a transaction; false: the connection is of no more use.
func (s *session) reset() bool {
	s.line.phase(s.times.command)
	return s.client.Reset() == nil
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

func describeTLS(cs tls.ConnectionState) string {
	text := tls.VersionName(cs.Version) + ", " + tls.CipherSuiteName(cs.CipherSuite)
	if len(cs.PeerCertificates) > 0 {
		leaf := cs.PeerCertificates[0]
		sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		text += fmt.Sprintf(", for %s, by %s, until %s, pin %s", strings.Join(names(leaf.DNSNames, leaf.IPAddresses), " "),
			leaf.Issuer.CommonName, leaf.NotAfter.Format("2006-01-02"), base64.StdEncoding.EncodeToString(sum[:]))
	}
	return text
}

func names(dns []string, ips []net.IP) []string {
	var all []string
	for _, n := range dns {
		all = append(all, n)
	}
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	return all[:min(len(all), 5)]
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
