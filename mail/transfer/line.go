package transfer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"watchpost/engine/foreign"
	"watchpost/engine/trust"
)

// The waits of a connection. Each is for a step or a piece, so that a slow line
// does not end a large file and a server that stands still does.
const (
	dialTime  = 10 * time.Second // look-up and connection
	tlsTime   = 15 * time.Second
	stallTime = 60 * time.Second // for one piece to go, and for an answer to come
	piece     = 16 << 10         // bytes

	kernelBuffer = 64 << 10 // bytes; Linux takes the double
)

var errEndless = errors.New("the server's answer is longer than it may be")

// line is a connection on which every piece that is written has its deadline, and
// of which no more is read between two writes than most bytes.
type line struct {
	net.Conn
	stall time.Duration
	most  int64
	left  atomic.Int64
}

func (l *line) Write(p []byte) (n int, err error) {
	l.left.Store(l.most)
	for n < len(p) {
		if err := l.Conn.SetWriteDeadline(time.Now().Add(l.stall)); err != nil {
			return n, err
		}
		m, err := l.Conn.Write(p[n:min(len(p), n+piece)])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// dialLine connects. Go's dialler tries the families side by side (RFC 8305).
func dialLine(ctx context.Context, address string, stall time.Duration) (*line, error) {
	d := net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// What the kernel holds back is written, and the wait for an answer begins: no
	// more of it than a slow line takes in that time.
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(kernelBuffer)
	}
	return &line{Conn: c, stall: stall}, nil
}

// wireFault is the fault of an error below the protocol: look-up, connection, TLS,
// time. secrets are taken out of the words.
func wireFault(step string, err error, secrets ...string) *fault {
	f := &fault{kind: network, step: step, err: err, do: "Check the server's name and port, the network and the server; it is tried again"}
	words := foreign.Harmless(err.Error(), secrets...)
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var op *net.OpError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.Is(err, trust.ErrWrongPin):
		return &fault{kind: account, step: "tls", err: err, text: "The server shows another public key than the pinned one: " + words,
			do: "If the server's key was changed on purpose, enter the new pin; else somebody is in between"}
	case errors.Is(err, trust.ErrBadPin), errors.Is(err, trust.ErrBadCAFile):
		return &fault{kind: account, step: "tls", err: err, text: "The CA file or the pin cannot be used: " + words,
			do: "Check the transfer's ca_file (a readable PEM file with the authority's certificate) and pin"}
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid):
		return &fault{kind: account, step: "tls", err: err, text: "The server's certificate is not trusted: " + words,
			do: "Check the server's name and the clock; a certificate of your own needs its authority as ca_file, or its pin"}
	case errors.As(err, &record):
		return &fault{kind: account, step: "tls", err: err, text: "The server does not speak TLS on this port: " + words,
			do: "Check the port and the security"}
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert
		return &fault{kind: account, step: "tls", err: err, text: "The server refuses TLS: " + words,
			do: "Check the server's TLS settings; a client certificate cannot be had"}
	case errors.As(err, &dns):
		f.step, f.text = "lookup", "The server's name cannot be looked up: "+words
	case errors.Is(err, syscall.ECONNREFUSED):
		f.step, f.text = "tcp", "Nobody answers at that port: "+words
	case errors.Is(err, errEndless):
		f.text = "The server's answer has no end, so the connection was closed: " + words
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.text = "The server does not go on: " + words
	case strings.Contains(words, "EOF"):
		f.text = "The server closed the connection: " + words
	default:
		f.text = "The connection failed: " + words
	}
	if f.step == "tls" {
		f.do = "Perhaps there is no TLS on this port: check the port and the security; it is tried again"
	}
	return f
}
