package mailtest

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/smtp"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// send hands a mail over with the standard library's client, as a second opinion.
func send(p Access, port int, to string, body string) error {
	var conn net.Conn
	conn, err := net.Dial("tcp", Addr(port))
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(p.CAFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conf := &tls.Config{ServerName: Host, RootCAs: roots}
	if port == p.TLS {
		conn = tls.Client(conn, conf)
	}
	c, err := smtp.NewClient(conn, Host)
	if err != nil {
		return err
	}
	defer c.Close()
	if port == p.Submission {
		if err := c.StartTLS(conf); err != nil {
			return err
		}
	}
	if port != p.Plain {
		if err := c.Auth(smtp.PlainAuth("", p.User, p.Password, Host)); err != nil {
			return err
		}
	}
	if err := c.Mail("camera@" + Domain); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(body)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

func TestPostfix(t *testing.T) {
	began := time.Now()
	p := Start(t, Options{})
	t.Logf("up in %v", time.Since(began).Round(time.Millisecond))
	const body = "Message-ID: <1@example.test>\r\nSubject: x\r\n\r\n.dot\r\nend\r\n"
	for i, port := range []int{p.Plain, p.Submission, p.TLS} {
		if err := send(p.At(), port, "guard@"+Domain, body); err != nil {
			t.Fatalf("port %d of 3: %v", i+1, err)
		}
	}
	for _, m := range p.WaitMails(3, 20*time.Second) {
		if got := string(Strip(m)); got != body && !strings.Contains(got, "From: camera") {
			t.Errorf("delivered %q\nwant %q", got, body)
		}
	}

	p.Reject("bad@"+Domain, 550)
	p.Reject("later@"+Domain, 450)
	for addr, code := range map[string]int{"bad": 550, "later": 450} {
		err := send(p.At(), p.Plain, addr+"@"+Domain, body)
		if err == nil || !strings.HasPrefix(err.Error(), strconv.Itoa(code)) {
			t.Errorf("RCPT %s: %v, want %d", addr, err, code)
		}
	}
	p.Reject("bad@"+Domain, 0)
	if err := send(p.At(), p.Plain, "bad@"+Domain, body); err != nil {
		t.Errorf("after the refusal was taken back: %v", err)
	}

	p.Stop()
	if err := send(p.At(), p.Plain, "guard@"+Domain, body); err == nil {
		t.Error("a stopped server took a mail")
	}
	p.Start()
	if err := send(p.At(), p.Plain, "guard@"+Domain, body); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	p.WaitMails(5, 20*time.Second)
	p.Idle(20 * time.Second)
}
