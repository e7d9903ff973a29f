package trust_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/trust"
	"watchpost/mail/mailtest"
)

// A pin takes the place of name and chain, a CA file that of the system's
// authorities, and nothing but an explicit word that of both.
func TestConfig(t *testing.T) {
	ca, err := mailtest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Certificate(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "nas.example.test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pin := trust.Pin(leaf)
	other := strings.Repeat("A", 43) + "="
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "empty.pem")
	if err := errors.Join(os.WriteFile(file, ca.PEM, 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, pin, ca, host string
		verify              bool
		conf, shake         error // nil: none
		fails               bool
	}{
		{name: "authority", ca: file, host: "nas.example.test", verify: true},
		{name: "authority, zone", ca: file, host: "nas.example.test%eth0", verify: true},
		{name: "another name", ca: file, host: "other.example.test", verify: true, fails: true},
		{name: "a CA file is verified whatever else", ca: file, host: "other.example.test", fails: true},
		{name: "system", host: "nas.example.test", verify: true, fails: true},
		{name: "not verified", host: "nas.example.test"},
		{name: "pin", pin: pin, host: "other.example.test", verify: true},
		{name: "another pin", pin: other, ca: file, host: "nas.example.test", shake: trust.ErrWrongPin, fails: true},
		{name: "no pin", pin: "abc", conf: trust.ErrBadPin},
		{name: "no file", ca: file + "x", conf: trust.ErrBadCAFile},
		{name: "empty file", ca: empty, conf: trust.ErrBadCAFile},
	} {
		conf, err := trust.Config(c.pin, c.ca, c.host, c.verify)
		if c.conf != nil || err != nil {
			if !errors.Is(err, c.conf) || c.conf == nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		ours, theirs := connected(t) // a pipe has no room for an alert while the other end writes
		go func() {
			defer theirs.Close()
			s := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{pair}})
			if s.Handshake() == nil {
				io.Copy(io.Discard, s)
			}
		}()
		err = tls.Client(ours, conf).Handshake()
		ours.Close()
		if (err != nil) != c.fails || c.shake != nil && !errors.Is(err, c.shake) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// connected is both ends of a connection.
func connected(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}
