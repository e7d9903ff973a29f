package cause

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/trust"
)

// Each error has its words and what to do, at the step that it is of.
func TestOf(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", err)} }
	at := At{Step: "tcp", Server: "nas.example.net", Port: "PORT", NoTLS: "NOTLS", CAFile: "CAFILE", Again: "AGAIN"}
	later := at
	later.Step = "send"
	for _, c := range []struct {
		err         error
		at          At
		verdict, do string
		step        string
	}{
		{&net.DNSError{IsNotFound: true}, at, "no server named nas.example.net", "spelling", "lookup"},
		{&net.DNSError{IsTimeout: true}, at, "could not be looked up", "DNS", "lookup"},
		{dial(syscall.ECONNREFUSED), at, "Nothing listens", "PORT", ""},
		{dial(syscall.EHOSTUNREACH), at, "no route", "cable", ""},
		{dial(syscall.EPERM), at, "itself forbids", "firewall", ""},
		{os.ErrDeadlineExceeded, at, "does not answer", "firewall", ""},
		{context.DeadlineExceeded, later, "stopped answering", "AGAIN", ""},
		{fmt.Errorf("read: %w", io.EOF), later, "closed the connection", "AGAIN", ""},
		{syscall.ECONNRESET, later, "closed the connection", "AGAIN", ""},
		{context.Canceled, later, "was stopped", "AGAIN", ""},
		{errors.New("strange"), later, "The connection failed", "AGAIN", ""},
		{fmt.Errorf("x: %w", trust.ErrWrongPin), later, "another public key", "in between", "tls"},
		{trust.ErrBadPin, later, "pin", "44 characters", "tls"},
		{trust.ErrBadCAFile, later, "CA file", "CAFILE", "tls"},
		{tls.RecordHeaderError{Msg: "x"}, later, "does not speak TLS", "NOTLS", "tls"},
		{x509.UnknownAuthorityError{}, later, "does not know", "CA file or pin", "tls"},
		{x509.UnknownAuthorityError{Cert: &x509.Certificate{}}, later, "self-signed", "pin", "tls"},
		{x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"a.example"}}, Host: "b.example"}, later, "another name than b.example", "pin", "tls"},
		{x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}, later, "has expired", "clock", "tls"},
		{x509.CertificateInvalidError{Cert: &x509.Certificate{NotBefore: time.Now().Add(time.Hour)}, Reason: x509.Expired}, later, "not yet valid", "Set the clock", "tls"},
		{errors.New("remote error: tls: certificate required"), later, "client certificate", "cannot be used", "tls"},
		{errors.New("remote error: tls: protocol version not supported"), later, "no TLS", "another port", "tls"},
	} {
		got := Of(c.err, c.at)
		if !strings.Contains(got.Verdict, c.verdict) || !strings.Contains(got.Do, c.do) || got.Step != c.step || strings.HasSuffix(got.Verdict, ".") {
			t.Errorf("%v: %+v", c.err, got)
		}
		if _, is := OfTLS(c.err, c.at); is != (c.step == "tls") {
			t.Errorf("%v: of TLS: %v", c.err, is)
		}
	}
	if _, is := OfTLS(nil, at); is {
		t.Error("no error is no cause")
	}
}
