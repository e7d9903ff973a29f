package transfer

import (
	"context"
	"errors"
	"math"
	"net"
	"sync/atomic"
	"time"
)

// patience bounds every wait of FTP and SFTP.
type patience struct {
	connect  time.Duration // name and TCP together
	command  time.Duration // one step of the dialogue with its replies
	progress time.Duration // of a file's bytes: so long none may go
	linger   time.Duration // for the server's goodbye
}

var usualPatience = patience{connect: 20 * time.Second, command: time.Minute, progress: time.Minute, linger: 2 * time.Second}

const (
	maxReply  = 64 << 10 // bytes that a server may send in one step
	blockSize = 16 << 10 // one write: with patience.progress it is the slowest line that works, 273 bytes/s

	// sendBuffer keeps what the kernel takes from us near what the server has, so
	// that the wait for the last reply is not one for megabytes still on the line.
	sendBuffer = 64 << 10
)

var errReplyTooLong = errors.New("the server's reply is longer than 64 KiB")

// wire is a TCP connection of which each step has a deadline and a bound on what
// the server may say. It lies under TLS and SSH, whose libraries know neither.
type wire struct {
	net.Conn // its TCP's own ReadFrom would pass Write by
	tcp      *net.TCPConn
	progress time.Duration // above 0: each block written begins a new step of this length
	left     atomic.Int64  // bytes that may still be read in this step
	exact    atomic.Bool   // nothing is read ahead; see Read
	broken   atomic.Pointer[error]
}

// dialWire connects within p.connect. The first step has begun when it returns.
func dialWire(ctx context.Context, addr string, p patience) (*wire, error) {
	d := net.Dialer{Timeout: p.connect}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: c, tcp: c.(*net.TCPConn)}
	_ = w.tcp.SetWriteBuffer(sendBuffer)
	w.step(p.command)
	return w, nil
}

// step begins a step that must be over within d.
func (w *wire) step(d time.Duration) {
	w.left.Store(maxReply)
	_ = w.SetDeadline(time.Now().Add(d))
}

// rest is between two files: an SSH server may ask now and then whether somebody is there.
func (w *wire) rest() {
	w.left.Store(math.MaxInt64)
	_ = w.SetDeadline(time.Time{})
}

// why is the first error that the connection had: libraries hide it behind their own.
func (w *wire) why() error {
	if err := w.broken.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *wire) note(err error) {
	if err != nil && !errors.Is(err, net.ErrClosed) { // that one is our own doing
		w.broken.CompareAndSwap(nil, &err)
	}
}

// Read gives one byte at a time while exact is set: what somebody appends to the
// clear reply to AUTH TLS must come to the handshake, which then fails, and
// never be taken for what the server says under TLS.
func (w *wire) Read(p []byte) (int, error) {
	room := w.left.Load()
	if room <= 0 {
		w.note(errReplyTooLong)
		return 0, errReplyTooLong
	}
	if w.exact.Load() {
		room = 1
	}
	n, err := w.tcp.Read(p[:min(int64(len(p)), room)])
	w.left.Add(int64(-n))
	w.note(err)
	return n, err
}

func (w *wire) Write(p []byte) (n int, err error) {
	if len(p) > 0 && p[0] == tlsHandshake {
		w.exact.Store(false)
	}
	for first := true; first || n < len(p); first = false {
		if w.progress > 0 {
			_ = w.SetDeadline(time.Now().Add(w.progress))
		}
		m, err := w.tcp.Write(p[n:min(n+blockSize, len(p))])
		n += m
		if err != nil {
			w.note(err)
			return n, err
		}
	}
	return n, nil
}

// tlsHandshake is the first byte of a TLS handshake's record (RFC 8446 §5.1); no FTP command begins with it.
const tlsHandshake = 22
