package frame

import (
	"context"
	"sync"
)

// Mailbox hands the newest frame from a camera to one reader. The camera never
// waits: a frame that was not taken in time is replaced by the newer one and
// counted as dropped. Three buffers, reused: no allocation in the steady state.
//
// Invariant: under mu, full is the newest frame not taken yet and fresh says
// that there is one; spare is nobody's; the third buffer is the reader's.
type Mailbox struct {
	mu      sync.Mutex
	spare   *Frame
	full    *Frame
	taken   *Frame
	fresh   bool
	frames  uint64
	dropped uint64
	wake    chan struct{}
}

// NewMailbox returns an empty mailbox.
func NewMailbox() *Mailbox {
	return &Mailbox{spare: &Frame{}, full: &Frame{}, taken: &Frame{}, wake: make(chan struct{}, 1)}
}

// Put copies f into the mailbox. It never blocks on the reader.
func (m *Mailbox) Put(f *Frame) {
	m.mu.Lock()
	s := m.spare
	m.mu.Unlock()
	data := append(s.Data[:0], f.Data...) // only Put touches spare, and there is one camera
	*s = *f
	s.Data = data
	m.mu.Lock()
	m.frames++
	if m.fresh {
		m.dropped++
	}
	m.spare, m.full, m.fresh = m.full, s, true
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Take waits for a frame newer than the last one taken and returns it. The
// frame is the caller's until the next call of Take.
func (m *Mailbox) Take(ctx context.Context) (*Frame, error) {
	for {
		m.mu.Lock()
		if m.fresh {
			m.taken, m.full, m.fresh = m.full, m.taken, false
			f := m.taken
			m.mu.Unlock()
			return f, nil
		}
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-m.wake:
		}
	}
}

// Counts returns how many frames were put and how many of them nobody took.
func (m *Mailbox) Counts() (frames, dropped uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.frames, m.dropped
}
