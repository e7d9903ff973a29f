package mailtest

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestOpenSMTPD(t *testing.T) { tryServer(t, StartOpenSMTPD(t)) }
func TestExim(t *testing.T)      { tryServer(t, StartExim(t)) }
func TestAiosmtpd(t *testing.T)  { tryServer(t, StartAiosmtpd(t, 0)) }

// tryServer asks with the standard library's client for all that a Counterpart promises.
func tryServer(t *testing.T, s *Server) {
	const body = "Message-ID: <1@example.test>\r\nDate: Tue, 24 Nov 2026 09:00:00 +0000\r\n" +
		"From: <camera@example.test>\r\nTo: <guard@example.test>\r\nSubject: x\r\n\r\n.dot\r\nend\r\n"
	for i, port := range s.port {
		if err := send(s.Access, port, "guard@"+Domain, body); err != nil {
			t.Fatalf("port %d of 3: %v", i+1, err)
		}
	}
	for _, m := range s.WaitMails(len(s.port), 20*time.Second) {
		if got := string(Strip(m)); got != body {
			t.Errorf("delivered %q\nwant %q", got, body)
		}
	}
	stranger := s.Access
	stranger.Password = "wrong"
	for _, port := range s.port {
		if port == s.Plain {
			continue
		}
		if err := send(stranger, port, "guard@"+Domain, body); err == nil || !strings.HasPrefix(err.Error(), "535") {
			t.Errorf("a wrong password: %v", err)
		}
	}
	if err := send(s.Access, s.Plain, "guard@example.org", body); err == nil || !strings.HasPrefix(err.Error(), "55") {
		t.Errorf("relaying: %v", err)
	}
	for addr, code := range map[string]int{"bad": 550, "later": 450} {
		s.Reject(addr+"@"+Domain, code)
		err := send(s.Access, s.Plain, addr+"@"+Domain, body)
		if err == nil || !strings.HasPrefix(err.Error(), strconv.Itoa(code)+" ") || !strings.Contains(err.Error(), "refused by the test") {
			t.Errorf("RCPT %s: %v, want %d", addr, err, code)
		}
		s.Reject(addr+"@"+Domain, 0)
	}
	s.Kill()
	if err := send(s.Access, s.Plain, "guard@"+Domain, body); err == nil {
		t.Error("a killed server took a mail")
	}
	s.Start()
	for _, to := range []string{"bad@" + Domain, "guard@" + IDNDomain} {
		if err := send(s.Access, s.Plain, to, body); err != nil {
			t.Errorf("after a restart, to %s: %v", to, err)
		}
	}
	s.Idle(20 * time.Second)
	if n, want := len(s.Mails()), len(s.port)+2; n != want {
		t.Errorf("%d mails, want %d", n, want)
	}
}
