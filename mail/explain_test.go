package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/trust"
	"watchpost/mail/mailtest"
)

// What providers really say, in their words of facts and manuals, and what the
// installer reads.
func TestExplainReplies(t *testing.T) {
	for _, c := range []struct {
		step  string
		code  int
		text  string
		words string
	}{
		{"auth", 535, "5.7.8 Username and Password not accepted. For more information, go to https://support.google.com/mail/?p=BadCredentials", "app password"},
		{"auth", 534, "5.7.9 Application-specific password required. Learn more at https://support.google.com/mail/?p=InvalidSecondFactor", "Google wants an app password"},
		{"auth", 535, "5.7.139 Authentication unsuccessful, basic authentication is disabled.", "switched off"},
		{"auth", 535, "5.7.3 Authentication unsuccessful", "refused user name or password"},
		{"auth", 454, "4.7.0 Temporary authentication failure", "just now"},
		{"mail", 550, "5.7.60 SMTP; Client does not have permissions to send as this sender", "may not send as"},
		{"mail", 530, "5.7.0 Must issue a STARTTLS command first", "encrypted"},
		{"mail", 530, "5.7.0 Authentication Required", "user name and password"},
		{"mail", 553, "5.7.1 <x@example.test>: Sender address rejected: not owned by user", "reply address"},
		{"mail", 552, "5.3.4 Message size exceeds fixed limit", "too large"},
		{"rcpt", 554, "5.7.1 <x@example.org>: Relay access denied", "relaying denied"},
		{"rcpt", 550, "5.1.1 <x@example.test>: Recipient address rejected: User unknown in virtual mailbox table", "not known"},
		{"rcpt", 450, "4.2.0 <x@example.test>: Recipient address rejected: Greylisted", "greylisting"},
		{"rcpt", 552, "5.2.2 mailbox full", "full"},
		{"data", 550, "5.4.5 Daily user sending limit exceeded", "daily limit"},
		{"data", 554, "5.7.1 Message identified as SPAM", "spam"},
		{"data", 421, "4.7.0 Try again later", "closing"},
		{"ehlo", 554, "5.7.1 Service unavailable; Client host blocked using zen.example.test", "on a block list"},
		{"rcpt", 554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "submission port"},
		{"mail", 550, "5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Part of their network is on our block list (S3150).", "on a block list"},
		{"data", 554, "5.7.1 [192.0.2.1] blacklisted", "on a block list"},
		{"rcpt", 550, "5.1.1 x@example.test... not listed in Domino Directory", "not known"},
		{"rcpt", 450, "4.2.0 <x@example.test> greylisted, blocked for 300 s", "greylisting"},
		{"mail", 550, "5.4.5 Daily user sending limit exceeded. For more information on Gmail", "daily limit"},
		{"rcpt", 550, "5.4.5 Daily user sending limit exceeded", "daily limit"},
		{"data", 550, "5.1.90 Your message can't be sent because you've reached your daily limit for message recipients", "daily limit"},
		{"mail", 550, "5.7.1 You are not allowed to relay from 192.0.2.1", "relaying denied"},
		{"rcpt", 550, "5.7.1 <relay3.example.net[192.0.2.1]>: Client host rejected: Access denied", "address from which"},
		{"rcpt", 553, "5.7.1 <x@example.test>: Sender address rejected: not owned by user gate3", "may not send as"},
		{"rcpt", 452, "4.5.3 Too many recipients", "no more destinations"},
		{"rcpt", 452, "4.2.2 The email account that you tried to reach is over quota", "mailbox is full"},
		{"rcpt", 450, "4.2.1 try later, 10.5.4.5", "for now"},
		{"data", 550, "5.7.26 This mail has been blocked because the sender is unauthenticated", "SPF"},
		{"data", 550, "5.7.1 [192.0.2.1] likely unsolicited mail, this message has been blocked", "spam"},
		{"auth", 535, "5.7.0 account blocked", "refused user name or password"},
		{"auth", 421, "4.7.0 too many login attempts", "no sign-in"},
		{"mail", 451, "4.7.1 try later", "passing trouble"},
		{"tls", 454, "4.7.0 TLS not available due to local problem", "TLS"},
		{"rcpt", 999, "what", "unexpected"},
	} {
		f := newFault(c.step, "x", &textproto.Error{Code: c.code, Msg: c.text})
		verdict, do := explain(f)
		if !strings.Contains(verdict+do, c.words) || do == "" {
			t.Errorf("%s %d %s: %q %q, want %q", c.step, c.code, c.text, verdict, do, c.words)
		}
		if !strings.Contains(f.Error(), c.text) {
			t.Errorf("the problem hides the server's words: %s", f.Error())
		}
	}
}

func TestExplainLine(t *testing.T) {
	for _, c := range []struct {
		step, target string
		err          error
		words        string
	}{
		{"tcp", "192.0.2.1:25", os.ErrDeadlineExceeded, "block port 25"},
		{"tcp", "192.0.2.1:587", context.DeadlineExceeded, "does not answer"},
		{"ehlo", "192.0.2.1:465", os.ErrDeadlineExceeded, "security tls"},
		{"ehlo", "192.0.2.1:80", textproto.ProtocolError("short response"), "not a mail server"},
		{"lookup", "x.invalid", &net.DNSError{IsNotFound: true}, "no server named x.invalid"},
		{"lookup", "x.example", &net.DNSError{IsTimeout: true}, "could not be looked up"},
		{"data", "", errors.New("strange"), "strange"},
		{"tcp", "192.0.2.1:25", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}, "firewall"},
		{"tcp", "192.0.2.1:25", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EPERM)}, "firewall"},
	} {
		verdict, do := explain(newFault(c.step, c.target, c.err))
		if !strings.Contains(verdict+" "+do, c.words) {
			t.Errorf("%s %v: %q %q, want %q", c.step, c.err, verdict, do, c.words)
		}
	}
}

// TestCertificates has real handshakes with certificates that will not do.
func TestCertificates(t *testing.T) {
	ca, err := mailtest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, c := range map[string]struct {
		from, to time.Time
		host     string
		version  uint16
		words    string
	}{
		"expired":       {now.AddDate(0, 0, -9), now.AddDate(0, 0, -2), "127.0.0.1", 0, "has expired"},
		"not yet valid": {now.AddDate(0, 0, 2), now.AddDate(0, 0, 9), "127.0.0.1", 0, "clock is wrong"},
		"wrong name":    {now.AddDate(0, 0, -1), now.AddDate(0, 0, 1), "mail.example.net", 0, "another name than 127.0.0.1"},
		"old TLS":       {now.AddDate(0, 0, -1), now.AddDate(0, 0, 1), "127.0.0.1", tls.VersionTLS11, "1.2 is the least"},
	} {
		t.Run(name, func(t *testing.T) {
			cert, key, err := ca.Certificate(c.from, c.to, c.host)
			if err != nil {
				t.Fatal(err)
			}
			pair, err := tls.X509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: c.version, MinVersion: tls.VersionTLS10})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					conn.(*tls.Conn).Handshake()
					conn.Close()
				}
			}()
			cfg := testConfig()
			cfg.SMTP = config.SMTP{Server: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Security: "tls", CAFile: caFile}
			var last event.Step
			if idle(t, t.TempDir()).Diagnose(context.Background(), cfg, config.Secrets{}, func(s event.Step) { last = s }) {
				t.Fatal("accepted")
			}
			if last.Step != "tls" || !strings.Contains(last.Verdict, c.words) || last.Do == "" {
				t.Errorf("%+v", last)
			}
		})
	}
}

func TestProtection(t *testing.T) {
	for _, c := range []struct {
		port     int
		security string
		user     string
		auth     string
		want     security
		refused  bool
	}{
		{465, "auto", "", "", implicitTLS, false},
		{465, "", "u", "", implicitTLS, false},
		{587, "auto", "", "", startTLS, false},
		{25, "auto", "", "", opportunistic, false},
		{25, "auto", "u", "", startTLS, false},
		{25, "auto", "u", "none", opportunistic, false},
		{2525, "starttls", "", "", startTLS, false},
		{2525, "tls", "", "", implicitTLS, false},
		{25, "none", "", "", plain, false},
		{25, "none", "u", "", plain, true},
		{25, "none", "u", "none", plain, false},
		{25, "sometimes", "", "", plain, true},
	} {
		got, err := protection(config.SMTP{Port: c.port, Security: c.security, Username: c.user, Auth: c.auth})
		if got != c.want || (err != nil) != c.refused {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	for _, c := range []config.SMTP{{Port: 25, Pin: "x"}, {Port: 25, CAFile: "x", Auth: "none", Username: "u"}} {
		if got, err := protection(c); got != startTLS || err != nil {
			t.Errorf("%+v: %v, %v; what is to be checked must be", c, got, err)
		}
	}
}

// A pin or a CA file is looked at, whatever the rest says.
func TestPinIsNeverIgnored(t *testing.T) {
	conf, err := tlsConfig(config.SMTP{Pin: strings.Repeat("A", 43) + "="}, "x.example", false)
	if err != nil || conf.VerifyConnection == nil {
		t.Errorf("a pin is ignored: %v", err)
	}
	if _, err := tlsConfig(config.SMTP{CAFile: filepath.Join(t.TempDir(), "none")}, "x.example", false); !errors.Is(err, trust.ErrBadCAFile) {
		t.Errorf("a CA file is ignored: %v", err)
	}
	if conf, err := tlsConfig(config.SMTP{}, "x.example", false); err != nil || !conf.InsecureSkipVerify {
		t.Errorf("opportunistic TLS verifies: %v", err)
	}
}

func TestEHLOName(t *testing.T) {
	v4 := &net.TCPAddr{IP: net.ParseIP("192.0.2.5"), Port: 1}
	v6 := &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 1}
	for _, c := range []struct {
		host string
		addr net.Addr
		want string
	}{
		{"gate3.example.net", v4, "gate3.example.net"},
		{"gate3", v4, "[192.0.2.5]"},
		{"", v6, "[IPv6:fe80::1]"},
		{"bad name.example\r\n", v4, "[192.0.2.5]"},
	} {
		if got := ehloName(c.host, c.addr); got != c.want {
			t.Errorf("%q: %s, want %s", c.host, got, c.want)
		}
	}
}
