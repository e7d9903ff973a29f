package benchmail

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"watchpost/mail/mailtest"
)

// patience bounds every wait; a slow machine needs it, a sound one does not.
const patience = 2 * time.Minute

// traffic is what went through a proxy.
type traffic struct {
	Sent, Received int // bytes, by and to the clients
	RoundTrips     int // how often a client had said something and heard the server
	Connections    int
}

// proxy counts what goes between clients and a server.
type proxy struct {
	Port int

	mu     sync.Mutex
	count  traffic
	active int
}

// newProxy listens on loopback for what is meant for the port there. It ends with the test.
func newProxy(t testing.TB, port int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Port: l.Addr().(*net.TCPAddr).Port}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.count.Connections++
			p.active++
			p.mu.Unlock()
			all.Go(func() { p.carry(client, port) })
		}
	})
	t.Cleanup(func() { l.Close(); p.take(t); all.Wait() })
	return p
}

// carry joins one client to the server until both have nothing more to say.
func (p *proxy) carry(client net.Conn, port int) {
	defer func() {
		client.Close()
		p.mu.Lock()
		p.active--
		p.mu.Unlock()
	}()
	server, err := net.DialTimeout("tcp", mailtest.Addr(port), patience)
	if err != nil {
		return
	}
	defer server.Close()
	asked := false // the client spoke last. Guarded by p.mu
	var both sync.WaitGroup
	both.Go(func() {
		relay(server, client, func(n int) {
			p.mu.Lock()
			p.count.Sent += n
			asked = true
			p.mu.Unlock()
		})
	})
	relay(client, server, func(n int) {
		p.mu.Lock()
		p.count.Received += n
		if asked {
			p.count.RoundTrips++
		}
		asked = false
		p.mu.Unlock()
	})
	both.Wait()
}

// relay copies, and counts each piece before it goes on.
func relay(to, from net.Conn, count func(int)) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			count(n)
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			if c, ok := to.(*net.TCPConn); ok {
				c.CloseWrite()
			}
			return
		}
	}
}

// take waits until no client is connected, and returns what has come through
// since it was called last.
func (p *proxy) take(t testing.TB) traffic {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		p.mu.Lock()
		if p.active == 0 {
			c := p.count
			p.count = traffic{}
			p.mu.Unlock()
			return c
		}
		p.mu.Unlock()
		if time.Now().After(end) {
			t.Fatal("a client stays connected")
		}
	}
}

// TestProxy: a dialogue of known length is counted to the byte and to the turn.
func TestProxy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var server sync.WaitGroup
	server.Go(func() {
		for range 2 {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(c, "220 hello\r\n")
			buf := make([]byte, 10)
			for range 3 {
				if _, err := io.ReadFull(c, buf); err != nil {
					t.Error(err)
				}
				io.WriteString(c, "25")
				time.Sleep(20 * time.Millisecond) // a reply in two pieces is one
				io.WriteString(c, "0\r\n")
			}
			c.Close()
		}
	})
	p := newProxy(t, l.Addr().(*net.TCPAddr).Port)
	for range 2 {
		c, err := net.Dial("tcp", mailtest.Addr(p.Port))
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 11)
		io.ReadFull(c, buf)
		for range 3 {
			io.WriteString(c, "a com")
			time.Sleep(20 * time.Millisecond) // and so is a command
			io.WriteString(c, "mand.")
			io.ReadFull(c, buf[:5])
		}
		c.Close()
	}
	server.Wait()
	if got, want := p.take(t), (traffic{Sent: 60, Received: 52, RoundTrips: 6, Connections: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := p.take(t); got != (traffic{}) {
		t.Errorf("counted twice: %+v", got)
	}
}
