package transfer

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"watchpost/engine/cause"
	"watchpost/engine/foreign"
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

const againByItself = "It is tried again by itself; check the line or the server if it lasts."

// far is the other end of a connection, as its faults name it.
type far struct {
	kind   string // of the place
	server string // as the installer typed it
	addr   string // as it was dialled
}

// noTLS is what to do, by kind, where a server does not speak TLS.
var noTLS = map[string]string{
	"ftp":  "Choose security starttls for port 21, tls for port 990; else check server and port.",
	"http": "Check the port of the url; or let it begin with http://, if everybody on the way may see the images.",
	"mqtt": "Check server and port (8883 with TLS, 1883 without); or choose security none for a broker without TLS.",
}

// lineFault is the fault of an error below the protocol: look-up, connection, TLS,
// time. The words are engine/cause's. secrets are kept out.
func lineFault(step string, to far, err error, secrets ...string) *fault {
	words := foreign.Harmless(err.Error(), secrets...)
	f := &fault{kind: network, step: step, err: err}
	if clean := foreign.Scrub(err.Error(), secrets...); clean != err.Error() {
		f.err = errors.New(clean)
	}
	if errors.Is(err, errReplyTooLong) || errors.Is(err, errEndless) {
		f.text, f.do = "The server says more than any server has to, so the connection was closed: "+words, "Check server and port: something else may answer there."
		return f
	}
	// What failed before a connection was there is about that, whoever tells it.
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		f.step = "tcp"
	}
	c := cause.Of(err, cause.At{Step: f.step, Server: to.server, NoTLS: noTLS[to.kind], CAFile: "ca_file", Again: againByItself,
		Port: "Check server and port, and that the service runs there."})
	f.text, f.do = c.Verdict, c.Do
	switch {
	case c.Step == "" && f.step == "tls" && (cause.Closed(err) || cause.Timeout(err)):
		f.do = "Perhaps there is no TLS on this port: " + noTLS[to.kind]
	case f.step == "tcp" && to.addr != "" && c.Step == "":
		f.text += ": " + to.addr
	}
	if c.Detail {
		f.text += ": " + words
	}
	if c.Step != "" {
		f.step = c.Step
	}
	if c.Step == "tls" {
		f.kind = account
	}
	return f
}

// isTLS reports whether an error is about TLS or the certificate.
func isTLS(err error) bool {
	_, is := cause.OfTLS(err, cause.At{})
	return is
}
