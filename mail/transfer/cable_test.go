package transfer

import (
	"io"
	"net"
	"sync"
)

// cable lies between a client and a server and can be cut.
type cable struct {
	to      string
	mu      sync.Mutex
	conns   []net.Conn
	blocked bool
}

func (w *cable) carry(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		blocked := w.blocked
		w.mu.Unlock()
		s, err := net.Dial("tcp", w.to)
		if blocked || err != nil {
			c.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, c, s)
		w.mu.Unlock()
		go func() { io.Copy(c, s); c.Close() }()
		go func() { io.Copy(s, c); s.Close() }()
	}
}

// cut ends all connections; block keeps new ones from coming about too.
func (w *cable) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *cable) block(on bool) {
	w.mu.Lock()
	w.blocked = on
	w.mu.Unlock()
	if on {
		w.cut()
	}
}
