package term

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A write of chunk bytes that takes longer than patience means a stalled line:
// even 300 baud carries 30 bytes a second.
const (
	chunk    = 64
	patience = 2 * time.Second
	// packet is a chunk where each is a packet with its own overhead; it counts on
	// 4000 baud, which no network is below for long.
	packet = 1024
	// probing is how often a stalled line is tried again.
	probing = 500 * time.Millisecond
)

// Output is a file that write deadlines work on.
type Output interface {
	Write([]byte) (int, error)
	SetWriteDeadline(time.Time) error
}

// Writer writes to a terminal that may stop taking bytes: XOFF, an unplugged
// cable, a client that stops reading. A stalled line costs one patience, once;
// then everything is dropped until it moves again, so that neither drawing nor
// quitting hangs. Watch tells when it does: the screen must then be drawn anew.
//
// It is safe for concurrent use. mu guards stalled and the order of writes.
type Writer struct {
	out     Output
	chunk   int
	tell    chan struct{} // holds one token while stalled and not yet watched
	sent    atomic.Int64
	mu      sync.Mutex
	stalled bool
}

// NewWriter writes to out.
func NewWriter(out Output) *Writer {
	return &Writer{out: out, chunk: chunk, tell: make(chan struct{}, 1)}
}

// Write writes p, or drops what the line does not take. Dropping is no error:
// the program goes on. A line that is gone is one.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stalled {
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		part := rest[:min(w.chunk, len(rest))]
		n, err := w.write(part, patience)
		rest = rest[n:]
		w.sent.Add(int64(n))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.stalled = true
			select {
			case w.tell <- struct{}{}:
			default:
			}
			return len(p), nil
		}
		if err != nil {
			return len(p) - len(rest), err
		}
	}
	return len(p), nil
}

// Sent is how many bytes the line has taken so far.
func (w *Writer) Sent() int64 { return w.sent.Load() }

// write hands p over, waiting at most d. Files without deadlines wait for ever.
func (w *Writer) write(p []byte, d time.Duration) (int, error) {
	if err := w.out.SetWriteDeadline(time.Now().Add(d)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return 0, err
	}
	return w.out.Write(p)
}

// Watch calls recovered each time that a stalled line moves again, until ctx ends.
func (w *Writer) Watch(ctx context.Context, recovered func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.tell:
		}
		for !w.probe() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(probing):
			}
		}
		recovered()
	}
}

// probe tries the line with CAN, which also ends the sequence that was cut off.
func (w *Writer) probe() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.write([]byte{0x18}, 10*time.Millisecond)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	w.stalled = false
	return true
}
