package mailtest

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestServers(t *testing.T) {
	for name, startServer := range map[string]func(testing.TB) *Server{
		"opensmtpd": StartOpenSMTPD, "exim": StartExim,
		"aiosmtpd": func(t testing.TB) *Server { return StartAiosmtpd(t, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tryServer(t, startServer(t))
		})
	}
}

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
	s.Idle(20 * time.Second)
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

func TestSink(t *testing.T) {
	const body = "Message-ID: <1@example.test>\r\nSubject: x\r\n\r\n.dot\r\nend\r\n"
	s := StartSink(t, "-f", "RCPT")
	try := func() error { return send(Access{Plain: s.Port, CAFile: "/dev/null"}, s.Port, "guard@"+Domain, body) }
	if err := try(); err == nil || !strings.HasPrefix(err.Error(), "500") || len(s.Mails()) != 0 {
		t.Errorf("%v, %d mails", err, len(s.Mails()))
	}
	s.Restart()
	if err := try(); err != nil {
		t.Error(err)
	}
	if m := s.Mails(); len(m) != 1 || string(m[0]) != body {
		t.Errorf("%q", m)
	}
}
