package mail

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// TestThirtyFailures has the commonest reasons why mail does not go out, each
// with its real cause on a socket, and asks the diagnosis. Only what providers
// say is scripted.
func TestThirtyFailures(t *testing.T) {
	type given struct {
		config  config.Config
		secrets config.Secrets
		times   func(*timeouts)
	}
	good := goodIdentity(t)
	account := func(s *stage) given {
		c, secrets := s.settings(good.caFile)
		return given{c, secrets, nil}
	}
	relay := func(s *stage) given { return given{config: s.relay()} }
	change := func(g given, f func(*config.Config)) given { f(&g.config); return g }
	short := func(g given) given { g.times = brief(400 * time.Millisecond); return g }
	// replies is a provider that answers one command so, under TLS.
	replies := func(command, reply string) func(*testing.T) given {
		return func(t *testing.T) given {
			return account(newStage(t, nil, withTLS(good.conf), withSecure(script{command: reply})))
		}
	}
	certificate := func(id identity) func(*testing.T) given {
		return func(t *testing.T) given {
			c, secrets := newStage(t, nil, withImplicit(id.conf)).settings(id.caFile)
			return given{c, secrets, nil}
		}
	}
	clientCertificate := func(version uint16) func(*testing.T) given {
		return func(t *testing.T) given {
			conf := good.conf.Clone()
			conf.ClientAuth, conf.MaxVersion = tls.RequireAnyClientCert, version
			return account(newStage(t, nil, withImplicit(conf)))
		}
	}
	old := good.conf.Clone()
	old.MaxVersion = tls.VersionTLS11
	at := func(address string, port int) given {
		c := testConfig()
		c.SMTP = config.SMTP{Server: address, Port: port, Security: "none"}
		return given{config: c}
	}
	const fine = "fine" // for a diagnosis that ends well, in spite of what it found

	for _, c := range []struct {
		name    string
		given   func(*testing.T) given
		step    string
		verdict string // its key words
		do      string
	}{
		// The address.
		{"not configured", func(t *testing.T) given { return given{config: config.Config{}} }, "config", "not configured", "Enter"},
		{"name typed wrong", func(t *testing.T) given {
			nameServer(t, 3)
			return change(at("mial.example.net", 587), func(c *config.Config) {})
		}, "lookup", "no server named mial.example.net", "spelling"},
		{"name server fails", func(t *testing.T) given { nameServer(t, 2); return at("mail.example.net", 587) }, "lookup", "could not be looked up", "network"},
		{"name server silent", func(t *testing.T) given { nameServer(t, -1); return short(at("mail.example.net", 587)) }, "lookup", "could not be looked up", "name server"},
		{"refused", func(t *testing.T) given { return at("127.0.0.1", closedPort(t)) }, "tcp", "connection refused", "587 or 465"},
		{"port blocked", func(t *testing.T) given { return short(at("127.0.0.1", blackHole(t, 0))) }, "tcp", "timed out", "firewall"},
		{"port 25 blocked", func(t *testing.T) given { return short(at("127.0.0.1", blackHole(t, 25))) }, "tcp", "timed out", "use 587 or 465"},
		{"no route", func(t *testing.T) given { return at("224.0.0.1", 587) }, "tcp", "no route", "cable"},
		{"IPv6 broken", func(t *testing.T) given {
			s := newStage(t, nil)
			resolvesTo(t, "2001:db8::25", "127.0.0.1") // for documentation (RFC 3849), so nobody's
			g := change(relay(s), func(c *config.Config) { c.SMTP.Server = "mail.example.net" })
			g.times = func(x *timeouts) { x.connect = time.Second }
			return g
		}, fine, "IPv6 broken", "repaired"},
		{"IPv4 only", func(t *testing.T) given {
			s := newStage(t, nil)
			l, err := net.Listen("tcp", "[::1]:0")
			if err != nil {
				t.Skip("no IPv6 on this machine")
			}
			l.Close()
			resolvesTo(t, "::1", "127.0.0.1")
			return change(relay(s), func(c *config.Config) { c.SMTP.Server = "mail.example.net" })
		}, fine, "no connections by IPv6", "by IPv4"},

		// The way in.
		{"TLS chosen, plain answers", func(t *testing.T) given {
			return change(account(newStage(t, nil)), func(c *config.Config) { c.SMTP.Security = "tls" })
		}, "tls", "plain SMTP first", "starttls"},
		{"TLS chosen, nothing answers to it", func(t *testing.T) given {
			return short(change(account(newStage(t, script{"GREETING": silent})), func(c *config.Config) { c.SMTP.Security = "tls" }))
		}, "tls", "does not answer to TLS", "starttls"},
		{"TLS chosen, closed", func(t *testing.T) given {
			return change(account(newStage(t, script{"GREETING": hangUp})), func(c *config.Config) { c.SMTP.Security = "tls" })
		}, "tls", "closed the connection", "starttls"},
		{"plain chosen, TLS waits", func(t *testing.T) given {
			g := change(account(newStage(t, nil, withImplicit(good.conf))), func(c *config.Config) { c.SMTP.Security = "starttls" })
			g.times = func(x *timeouts) { x.firstGreeting = 300 * time.Millisecond }
			return g
		}, "ehlo", "speaks TLS from the first byte", "Choose security tls"},
		{"nothing said", func(t *testing.T) given { return short(relay(newStage(t, script{"GREETING": silent}))) }, "ehlo", "says nothing", "465"},
		{"closed without greeting", func(t *testing.T) given { return relay(newStage(t, script{"GREETING": hangUp})) }, "ehlo", "without a greeting", "block"},
		{"portal in clear", func(t *testing.T) given {
			return relay(newStage(t, script{"GREETING": "HTTP/1.1 302 Found\r\nLocation: http://portal.example.test/\r\n"}))
		}, "ehlo", "captive portal", "browser"},
		{"portal to TLS", func(t *testing.T) given {
			w := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(w.Close)
			return change(at("127.0.0.1", w.Listener.Addr().(*net.TCPAddr).Port), func(c *config.Config) { c.SMTP.Security = "tls" })
		}, "tls", "captive portal", "browser"},
		{"not a mail server", func(t *testing.T) given { return relay(newStage(t, script{"GREETING": "RFB 003.008"})) }, "ehlo", "not a mail server", "port"},
		{"POP3", func(t *testing.T) given { return relay(newStage(t, script{"GREETING": "+OK POP3 ready"})) }, "ehlo", "for fetching mail", "587"},
		{"IMAP", func(t *testing.T) given {
			return relay(newStage(t, script{"GREETING": "* OK [CAPABILITY IMAP4rev1] ready"}))
		}, "ehlo", "for fetching mail", "587"},
		{"greeting 554", func(t *testing.T) given {
			return relay(newStage(t, script{"GREETING": "554 5.7.1 no SMTP service here"}))
		}, "ehlo", "refuses this box", "words say why"},
		{"block list", func(t *testing.T) given {
			return relay(newStage(t, script{"GREETING": "554 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org"}))
		}, "ehlo", "on a block list", "submission port"},
		{"too many connections", func(t *testing.T) given {
			return relay(newStage(t, script{"GREETING": "421 4.7.0 too many concurrent connections from your address"}))
		}, "ehlo", "too many connections", "tried again"},
		{"closing", func(t *testing.T) given {
			return relay(newStage(t, script{"GREETING": "421 4.3.2 system shutting down"}))
		}, "ehlo", "closing for now", "tried again"},
		{"endless reply", func(t *testing.T) given { return relay(newStage(t, script{"EHLO": flood + "250-and more"})) }, "ehlo", "no end", "port"},
		{"answers unasked", func(t *testing.T) given { return relay(newStage(t, script{"GREETING": "220 x" + twice + "y"})) }, "ehlo", "not asked", "in between"},

		// TLS and certificates.
		{"no STARTTLS", func(t *testing.T) given { return account(newStage(t, script{"EHLO": "250-x\r\n250 AUTH PLAIN"})) }, "tls", "does not offer STARTTLS", "port 465"},
		{"STARTTLS refused", func(t *testing.T) given {
			return account(newStage(t, script{"STARTTLS": "454 4.7.0 TLS not available due to local problem"}))
		}, "tls", "refuses to start TLS", "465"},
		{"STARTTLS taken over", func(t *testing.T) given {
			return account(newStage(t, script{"STARTTLS": "220 go" + twice + "x"}, withTLS(good.conf)))
		}, "tls", "not TLS", "another network"},
		{"expired", certificate(newIdentity(t, -240*time.Hour, -48*time.Hour, "127.0.0.1")), "tls", "has expired", "clock"},
		{"not yet valid", certificate(newIdentity(t, 48*time.Hour, 240*time.Hour, "127.0.0.1")), "tls", "clock is wrong", "Set the clock"},
		{"wrong name", certificate(newIdentity(t, -time.Hour, time.Hour, "portal.example.test")), "tls", "another name than 127.0.0.1", "captive portal"},
		{"self-signed", func(t *testing.T) given {
			return account(newStage(t, nil, withImplicit(selfSigned(t, -time.Hour, time.Hour))))
		}, "tls", "self-signed", "pin"},
		{"unknown authority", func(t *testing.T) given {
			return account(newStage(t, nil, withImplicit(goodIdentity(t).conf)))
		}, "tls", "authority that this box does not know", "CA file"},
		{"wrong pin", func(t *testing.T) given {
			return change(account(newStage(t, nil, withImplicit(good.conf))), func(c *config.Config) { c.SMTP.Pin = strings.Repeat("A", 43) + "=" })
		}, "tls", "than the pinned one", "new pin"},
		{"no CA file", func(t *testing.T) given {
			return change(account(newStage(t, nil)), func(c *config.Config) { c.SMTP.CAFile = filepath.Join(t.TempDir(), "none.pem") })
		}, "config", "CA file cannot be used", "smtp.ca_file"},
		{"TLS 1.1 only", func(t *testing.T) given { return account(newStage(t, nil, withImplicit(old))) }, "tls", "1.2 is the least", "too old"},
		{"client certificate, TLS 1.3", clientCertificate(tls.VersionTLS13), "ehlo", "client certificate", "another port"},
		{"client certificate, TLS 1.2", clientCertificate(tls.VersionTLS12), "tls", "client certificate", "another port"},
		{"password in clear", func(t *testing.T) given {
			return change(account(newStage(t, nil)), func(c *config.Config) { c.SMTP.Security = "none" })
		}, "config", "unencrypted", "starttls or tls"},

		// Signing in.
		{"AUTH not offered", replies("EHLO", "250-x\r\n250 SIZE"), "auth", "does not ask for a user name", "587 or 465"},
		{"no common mechanism", replies("EHLO", "250-x\r\n250 AUTH GSSAPI NTLM"), "auth", "no way to authenticate in common", "Choose authentication"},
		{"wrong password", replies("AUTH", "535 5.7.3 Authentication unsuccessful"), "auth", "refused user name or password", "Check both"},
		{"app password (Google 535)", replies("AUTH", "535-5.7.8 Username and Password not accepted. For more information, go to\r\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials"), "auth", "app password", "Gmail"},
		{"app password (Google 534)", replies("AUTH", "534-5.7.9 Application-specific password required. Learn more at\r\n534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor"), "auth", "Google wants an app password", "16 letters"},
		{"basic authentication disabled", replies("AUTH", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [AM0PR01CA0093.eurprd01.prod.exchangelabs.com]"), "auth", "switched off sign-in by password", "administrator"},
		{"account locked", replies("AUTH", "535 5.7.0 Authentication failed: account disabled"), "auth", "locked the account", "web page"},
		{"too many log-ins", replies("AUTH", "454 4.7.0 Too many login attempts, please try again later"), "auth", "just now", "slowly"},
		{"mechanism unknown", replies("AUTH", "504 5.5.4 Unrecognized authentication type"), "auth", "this way to authenticate", "authentication auto"},
		{"password to be changed", replies("AUTH", "432 4.7.12 A password transition is needed"), "auth", "set anew", "Change it"},
		{"538", replies("AUTH", "538 5.7.11 Encryption required for requested authentication mechanism"), "auth", "encrypted", "starttls"},
		{"530 for MAIL", replies("MAIL", "530 5.7.57 Client not authenticated to send mail"), "mail", "wants a user name", "password"},
		{"530 STARTTLS first", func(t *testing.T) given {
			return relay(newStage(t, script{"MAIL": "530 5.7.0 Must issue a STARTTLS command first"}))
		}, "mail", "encrypted connection", "starttls"},

		// The sender.
		{"may not send as (Microsoft)", replies("MAIL", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"), "mail", "may not send as", "own address"},
		{"not owned", replies("RCPT", "553 5.7.1 <camera@example.test>: Sender address rejected: not owned by user gate3@example.test"), "rcpt", "may not send as", "own address"},
		{"sender's domain unknown", replies("RCPT", "450 4.1.8 <camera@example.test>: Sender address rejected: Domain not found"), "rcpt", "refused the reply address", "provider"},
		{"quota", replies("MAIL", "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to"), "mail", "daily limit", "hold-off"},
		{"too large", replies("MAIL", "552 5.3.4 Message size exceeds fixed limit"), "mail", "too large", "images"},
		{"reverse DNS missing", replies("RCPT", "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]"), "rcpt", "reverse DNS", "login"},
		{"DMARC", replies("MAIL", "550 5.7.26 Unauthenticated email from example.test is not accepted due to domain's DMARC policy"), "mail", "SPF, DKIM, DMARC", "own provider"},
		{"name of the box", replies("RCPT", "504 5.5.2 <gate3>: Helo command rejected: need fully-qualified hostname"), "rcpt", "introduces itself", "full host name"},
		{"SMTPUTF8 missing", func(t *testing.T) given {
			return change(relay(newStage(t, script{"EHLO": "250-x\r\n250 8BITMIME"})), func(c *config.Config) { c.Mail.Destinations = []string{"wächter@example.test"} })
		}, "mail", "SMTPUTF8", "plain ASCII"},

		// The destination.
		{"relaying denied", replies("RCPT", "554 5.7.1 <guard@example.test>: Relay access denied"), "rcpt", "relaying denied", "user name"},
		{"recipient unknown", replies("RCPT", "550 5.1.1 <guard@example.test>: Recipient address rejected: User unknown in virtual mailbox table"), "rcpt", "not known", "spelling"},
		{"recipient unknown (Microsoft)", replies("RCPT", "550 5.4.1 Recipient address rejected: Access denied."), "rcpt", "not known", "spelling"},
		{"domain unknown", replies("RCPT", "450 4.1.2 <guard@example.test>: Recipient address rejected: Domain not found"), "rcpt", "domain does not exist", "after the @"},
		{"mailbox full", replies("RCPT", "452 4.2.2 The email account that you tried to reach is over quota"), "rcpt", "mailbox is full", "owner"},
		{"greylisted", replies("RCPT", "450 4.2.0 <guard@example.test>: Recipient address rejected: Greylisted"), "rcpt", "greylisting", "tried again"},
		{"too many recipients", replies("RCPT", "452 4.5.3 Too many recipients"), "rcpt", "no more destinations", "next attempt"},
		{"dropped at RCPT", func(t *testing.T) given { return relay(newStage(t, script{"RCPT": hangUp})) }, "rcpt", "closed the connection", "check the line"},
		{"silent at MAIL", func(t *testing.T) given { return short(relay(newStage(t, script{"MAIL": silent}))) }, "mail", "stopped answering", "check the line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.given(t)
			times := defaultTimeouts
			if g.times != nil {
				g.times(&times)
			}
			var steps []event.Step
			ok := diagnose(context.Background(), g.config, g.secrets, "gate3.example.test", times, func(s event.Step) { steps = append(steps, s) })
			harmless(t, steps)
			if len(steps) == 0 {
				t.Fatal("no step")
			}
			found, last := steps[len(steps)-1], steps[len(steps)-1]
			if c.step == fine {
				for _, s := range steps {
					if strings.Contains(s.Verdict, c.verdict) {
						found = s
					}
				}
			} else if ok || last.OK {
				t.Errorf("it ends well: %+v", last)
			}
			if ok != (c.step == fine) || !ok && last.Step != c.step || found.OK {
				t.Errorf("ok %v, ends with %+v", ok, last)
			}
			if !strings.Contains(found.Verdict, c.verdict) || !strings.Contains(found.Do, c.do) || found.Do == "" {
				t.Errorf("verdict %q\ndo %q\ntext %q", found.Verdict, found.Do, found.Text)
			}
		})
	}
}

// nameServer makes look-ups ask a name server that answers with a response code
// (RFC 1035 §4.1.1), or not at all where it is negative.
func nameServer(t *testing.T, code int) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if n >= 12 && code >= 0 {
				buf[2], buf[3] = buf[2]|0x80, 0x80|byte(code)
				c.WriteTo(buf[:n], from)
			}
		}
	}()
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
	before := lookupIP
	lookupIP = r.LookupNetIP
	t.Cleanup(func() { lookupIP = before; c.Close(); <-ended })
}

// resolvesTo makes every name have these addresses.
func resolvesTo(t *testing.T, addresses ...string) {
	before := lookupIP
	lookupIP = func(context.Context, string, string) (all []netip.Addr, err error) {
		for _, a := range addresses {
			all = append(all, netip.MustParseAddr(a))
		}
		return all, nil
	}
	t.Cleanup(func() { lookupIP = before })
}

// closedPort is one on which nobody listens: it is taken for the test's time, so
// that nobody else's server gets it.
func closedPort(t *testing.T) int {
	t.Helper()
	_, port := bound(t, 0)
	return port
}

// bound is a socket that has a port of 127.0.0.1 and does nothing with it.
func bound(t *testing.T, port int) (fd, got int) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EADDRINUSE) {
		t.Skipf("port %d cannot be had: %v", port, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, sa.(*syscall.SockaddrInet4).Port
}

// blackHole is a port whose queue of connections is full, so that the kernel
// answers no more of them: what a firewall that drops looks like.
func blackHole(t *testing.T, port int) int {
	t.Helper()
	fd, port := bound(t, port)
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	for range 10 {
		c, err := net.DialTimeout("tcp", addr.String(), 100*time.Millisecond)
		if err != nil {
			return addr.Port
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("this kernel's queue of connections has no end")
	return 0
}

// selfSigned is a server that vouches for itself.
func selfSigned(t *testing.T, from, to time.Duration) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "nas"}, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
