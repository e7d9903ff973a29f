package benchmail

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/textproto"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"watchpost/mail/mailtest"
)

// bare is the least that a client can do: one command, one reply.
type bare struct {
	conn net.Conn
	text *textproto.Conn
}

// roots is the server's authority as a client's configuration.
func roots(t testing.TB, a mailtest.Access) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(a.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{ServerName: mailtest.Host, RootCAs: pool}
}

// prompt is a connection that acknowledges at once what it receives. Linux falls
// back to waiting by itself, so that each read asks anew (tcp(7)).
type prompt struct{ *net.TCPConn }

func (p prompt) Read(b []byte) (int, error) {
	raw, err := p.SyscallConn()
	if err != nil {
		return 0, err
	}
	if err := raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) }); err != nil {
		return 0, err
	}
	return p.TCPConn.Read(b)
}

// dialBare connects to the submission port, protects and authenticates. atOnce:
// nothing is acknowledged with delay, which else holds up Postfix's second TLS 1.3
// ticket, and the reply behind it, for 40 ms (RFC 1122 §4.2.3.2, RFC 896).
func dialBare(a mailtest.Access, conf *tls.Config, atOnce bool) (*bare, error) {
	conn, err := net.Dial("tcp", mailtest.Addr(a.Submission))
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok && atOnce {
		conn = prompt{tcp}
	}
	b := &bare{conn: conn, text: textproto.NewConn(conn)}
	if _, _, err := b.text.ReadResponse(220); err != nil {
		return nil, err
	}
	if err := b.says("EHLO [127.0.0.1]", 250); err != nil {
		return nil, err
	}
	if err := b.says("STARTTLS", 220); err != nil {
		return nil, err
	}
	b.conn = tls.Client(conn, conf)
	b.text = textproto.NewConn(b.conn)
	if err := b.says("EHLO [127.0.0.1]", 250); err != nil {
		return nil, err
	}
	return b, b.says("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00"+a.User+"\x00"+a.Password)), 235)
}

// says sends a line and expects a code.
func (b *bare) says(line string, code int) error {
	if err := b.text.PrintfLine("%s", line); err != nil {
		return err
	}
	_, _, err := b.text.ReadResponse(code)
	return err
}

// send hands over what was stuffed.
func (b *bare) send(from, to string, stuffed []byte) error {
	if err := b.says("MAIL FROM:<"+from+">", 250); err != nil {
		return err
	}
	if err := b.says("RCPT TO:<"+to+">", 250); err != nil {
		return err
	}
	if err := b.says("DATA", 354); err != nil {
		return err
	}
	if _, err := b.conn.Write(stuffed); err != nil {
		return err
	}
	_, _, err := b.text.ReadResponse(250)
	return err
}

func (b *bare) quit() { b.says("QUIT", 221); b.text.Close(); b.conn.Close() }

// stuff is a mail as DATA carries it, with the final dot (RFC 5321 §4.5.2).
func stuff(eml []byte) []byte {
	s := bytes.ReplaceAll(eml, []byte("\r\n."), []byte("\r\n.."))
	if bytes.HasPrefix(s, []byte(".")) {
		s = append([]byte("."), s...)
	}
	return append(s, ".\r\n"...)
}

// TestBare: what the bare client hands over arrives as it was.
func TestBare(t *testing.T) {
	p := mailtest.Start(t, mailtest.Options{})
	eml := []byte("Date: Mon, 23 Nov 2026 20:51:07 +0100\r\nFrom: <camera@example.test>\r\nTo: <guard@example.test>\r\nMessage-ID: <1@example.test>\r\n\r\n.dot\r\n..\r\nend\r\n")
	for _, atOnce := range []bool{false, true} {
		b, err := dialBare(p.At(), roots(t, p.At()), atOnce)
		if err == nil {
			err = b.send(sender, guard, stuff(eml))
		}
		if err != nil {
			t.Fatal(err)
		}
		b.quit()
	}
	for _, m := range p.WaitMails(2, patience) {
		if got := mailtest.Strip(m); !bytes.Equal(got, eml) {
			t.Errorf("delivered %q", got)
		}
	}
}
