// Package cause says in plain words why a server cannot be reached or is not to be
// trusted: its name, the connection, TLS, its certificate. It is the one place for
// these words, for mail and transfers alike; what a server's own replies mean is
// said where its protocol is spoken.
//
// It opens nothing and starts no goroutine.
package cause

import (
	"bytes"
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
	"time"

	"watchpost/engine/trust"
)

// At is where an error came up, and what depends on the protocol there.
type At struct {
	Step   string // tcp, or another one
	Server string // as it was typed; empty: what was dialled has no name
	Port   string // what to do where the port may be wrong
	NoTLS  string // what to do where TLS is expected and something else comes
	CAFile string // the CA file's setting
	Again  string // what to do where only the line is at fault
}

// Cause is why, in words, and what to do: sentences, the first without its full stop.
type Cause struct {
	Verdict, Do string
	Step        string // lookup or tls where the error is of that one; else empty
	Detail      bool   // the error's own words tell more
}

// ClientCertificate is the cause where the server wants what this box does not have.
var ClientCertificate = Cause{Verdict: "The server wants a client certificate", Do: "Such servers cannot be used; ask for another port."}

// Of is the cause of an error of the system or of TLS.
func Of(err error, at At) Cause {
	if c, ok := OfTLS(err, at); ok {
		return c
	}
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return Cause{Verdict: "The attempt was stopped", Do: at.Again}
	case errors.As(err, &dns) && dns.IsNotFound:
		return Cause{Verdict: "There is no server named " + at.Server, Do: "Check the spelling of the server's name.", Step: "lookup"}
	case errors.As(err, &dns), at.Step == "lookup":
		return Cause{Verdict: fmt.Sprintf("The name %s could not be looked up", at.Server), Do: "Check the network and its name server (DNS); an IP address works without one.", Step: "lookup"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Cause{Verdict: "Nothing listens on this port of the server (connection refused)", Do: at.Port}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return Cause{Verdict: "There is no route to the server", Do: "Check the network cable, the address and the gateway of this box."}
	case errors.Is(err, os.ErrPermission): // EACCES, EPERM
		return Cause{Verdict: "This box itself forbids the connection", Do: "Check the firewall and the routes of this box, and what the service is allowed."}
	case Timeout(err) && at.Step == "tcp":
		return Cause{Verdict: "The server does not answer on this port (timed out)", Do: "Check server and port; a firewall or provider may block it."}
	case Timeout(err):
		return Cause{Verdict: "The server stopped answering (timed out)", Do: at.Again}
	case Closed(err):
		return Cause{Verdict: "The server closed the connection", Do: at.Again}
	case errors.Is(err, net.ErrClosed):
		return Cause{Verdict: "The attempt was stopped", Do: at.Again}
	}
	return Cause{Verdict: "The connection failed", Do: at.Again, Detail: true}
}

// Timeout reports whether err is that something did not come in time.
func Timeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// Closed reports whether err is the other end's, which closed the connection.
func Closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// OfTLS is the cause where err is of TLS, the certificate or how it is to be
// checked; these are cured by settings, not by waiting. ok is false where it is not.
func OfTLS(err error, at At) (c Cause, ok bool) {
	var record tls.RecordHeaderError
	var roots x509.SystemRootsError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var cert x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	today := time.Now().Format(time.DateOnly)
	switch {
	case err == nil:
		return Cause{}, false
	case errors.Is(err, trust.ErrWrongPin):
		c = Cause{Verdict: "The server shows another public key than the pinned one", Do: "If the server's key was changed on purpose, enter the new pin; else somebody is in between.", Detail: true}
	case errors.Is(err, trust.ErrBadPin):
		c = Cause{Verdict: "The pin is not one", Do: "Enter the base64 of the SHA-256 of the server's public key (44 characters)."}
	case errors.Is(err, trust.ErrBadCAFile):
		c = Cause{Verdict: "The CA file cannot be used", Do: "Check " + at.CAFile + ": a readable PEM file with the authority's certificate.", Detail: true}
	case errors.As(err, &record):
		c = Cause{Verdict: "The server does not speak TLS on this port", Do: at.NoTLS}
	case errors.As(err, &roots):
		c = Cause{Verdict: "This box has no list of authorities to check certificates against", Do: "Install ca-certificates; a private server may be trusted by its CA file or pin."}
	case errors.As(err, &authority) && authority.Cert != nil && bytes.Equal(authority.Cert.RawIssuer, authority.Cert.RawSubject):
		c = Cause{Verdict: "The server's certificate is self-signed: nobody vouches for it", Do: "For a private server enter its pin or CA file; else somebody is in between (a hotel's or office's portal)."}
	case errors.As(err, &authority):
		c = Cause{Verdict: "The server's certificate is of an authority that this box does not know", Do: "For a private server enter its CA file or pin; else check the server's name: somebody may be in between (a hotel's or office's portal)."}
	case errors.As(err, &name) && strings.Contains(err.Error(), "legacy Common Name"):
		c = Cause{Verdict: "The server's certificate is of an old kind: it does not list the names that are checked", Do: "A private server may be trusted by its pin; else tell the server's administrator."}
	case errors.As(err, &name):
		c = Cause{Verdict: "The server's certificate is for another name than " + name.Host,
			Do: "Enter the name that the server's provider gives, not an alias or address; if it is that, a captive portal (hotel, office) may answer in its place. A private server may be trusted by its pin."}
	case errors.As(err, &cert) && cert.Reason != x509.Expired:
		c = Cause{Verdict: "The server's certificate cannot be used", Do: "Tell the server's administrator; a private server may be trusted by its pin.", Detail: true}
	case errors.As(err, &cert) && cert.Cert != nil && time.Now().Before(cert.Cert.NotBefore):
		c = Cause{Verdict: "The server's certificate is not yet valid: this box's clock is wrong (" + today + ")", Do: "Set the clock."}
	case errors.As(err, &cert):
		c = Cause{Verdict: "The server's certificate has expired", Do: "Check this box's clock (" + today + "); if it is right, tell the server's administrator."}
	case errors.As(err, &verification):
		c = Cause{Verdict: "The server's certificate cannot be used", Do: "Tell the server's administrator; a private server may be trusted by its pin.", Detail: true}
	case strings.Contains(err.Error(), "certificate required"): // an alert of TLS 1.3
		c = ClientCertificate
	case strings.Contains(err.Error(), "remote error: tls:"), strings.Contains(err.Error(), "protocol version"):
		c = Cause{Verdict: "The server and this box agree on no TLS: 1.2 is the least", Do: "The server is too old, or another one than is meant; use another port or server.", Detail: true}
	default:
		return Cause{}, false
	}
	c.Step = "tls"
	return c, true
}
