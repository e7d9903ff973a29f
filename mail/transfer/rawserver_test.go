package transfer

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// listening is a listener on loopback.
func listening(t *testing.T) (net.Listener, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).Port
}

// rawServer runs serve for each connection and closes that behind it.
func rawServer(t *testing.T, serve func(*rawConn)) (url string) {
	t.Helper()
	l, port := listening(t)
	over := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				c.(*net.TCPConn).SetReadBuffer(128 << 10)
				go func() { <-over; c.Close() }()
				serve(&rawConn{c, over})
			})
		}
	})
	t.Cleanup(func() { close(over); l.Close(); all.Wait() })
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

// rawConn is the server's end of a connection.
type rawConn struct {
	net.Conn
	over chan struct{}
}

// swallow reads so many bytes, or to the end.
func (c *rawConn) swallow(n int) {
	buf := make([]byte, 64<<10)
	for n > 0 {
		m, err := c.Read(buf)
		if n -= m; err != nil {
			return
		}
	}
}

// sip is swallow in small bits, slower than the stall time of the tests in all.
func (c *rawConn) sip(n int) {
	buf := make([]byte, n/20)
	for n > 0 {
		m, err := c.Read(buf)
		if n -= m; err != nil {
			return
		}
		time.Sleep(time.Duration(m) * time.Second / 2_000_000)
	}
}

func (c *rawConn) say(text string) { c.Write([]byte(text)) }

// flood says a text until the other end has had enough, and trickle a character of
// no meaning.
func (c *rawConn) flood(text string) {
	for range 10_000_000 {
		if _, err := c.Write([]byte(text)); err != nil {
			return
		}
	}
}

func (c *rawConn) trickle(text string) {
	c.say(text)
	for range 10_000 {
		if _, err := c.Write([]byte("x")); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// wait does nothing until the test ends or the other end closes.
func (c *rawConn) wait() { <-c.over }
