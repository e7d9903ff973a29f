package mail

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"watchpost/engine/event"
	"watchpost/mail/mailtest"
)

// wire lies between the sender and a server; once, at a moment of the dialogue,
// it has the server killed.
type wire struct {
	port   int                                // that the sender uses
	server string                             // its address
	moment func(sent int64, tail string) bool // by what the sender said so far
	first  bool                               // the server has it, and has answered, before it is killed
	kill   func()
	done   atomic.Bool
}

// run carries connections until the test ends.
func (w *wire) run(t *testing.T) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.port = l.Addr().(*net.TCPAddr).Port
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return w
}

func (w *wire) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool
	ended := make(chan struct{})
	go func() { // the replies' way
		defer close(ended)
		defer client.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || mute.Load() {
				return
			}
			client.Write(buf[:n])
		}
	}()
	defer func() { server.Close(); <-ended }()
	buf := make([]byte, 32<<10)
	var sent int64
	var tail string
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		sent += int64(n)
		tail += string(buf[:n])
		tail = tail[max(0, len(tail)-5):]
		now := w.moment(sent, tail) && w.done.CompareAndSwap(false, true)
		if now && w.first {
			mute.Store(true)
		}
		if !now || w.first {
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
		if now {
			if w.first {
				<-ended
			}
			w.kill()
			return
		}
	}
}

// killedInData kills the server while it reads a mail: nothing of it is
// delivered, and all of it once the server is up again.
func killedInData(t *testing.T, s real, port int) {
	w := &wire{server: mailtest.Addr(port), kill: s.Kill,
		moment: func(sent int64, _ string) bool { return sent > 1_000_000 }}
	c, secrets := at(s.At(), port)
	c.SMTP.Port = w.run(t).port
	b := start(t, t.TempDir(), c, secrets)
	n := alarm("alarm-1", time.Now())
	n.Images = []event.Image{{At: n.At, JPEG: photo(t, 3_000_000)}}
	b.submit(n)
	m := b.until("alarm-1", "tried twice", func(m event.Mail) bool { return m.Attempts >= 2 })
	if !w.done.Load() || m.QueueState() != "deferred" || m.Problem == "" {
		t.Errorf("server killed: %v, %+v", w.done.Load(), m)
	}
	s.arrivedNever(t, m)
	s.Start()
	s.arrived(t, b, b.untilState("alarm-1", "delivered"), 1)
}

// killedAfterDot kills the server when it has taken a mail, before the sender
// hears of it: it is sent again, the same bytes.
func killedAfterDot(t *testing.T, s real) {
	w := &wire{server: mailtest.Addr(s.At().Plain), kill: s.Kill, first: true,
		moment: func(_ int64, tail string) bool { return tail == "\r\n.\r\n" }}
	c, secrets := at(s.At(), s.At().Plain)
	c.SMTP.Port = w.run(t).port
	b := start(t, t.TempDir(), c, secrets)
	b.submit(alarm("alarm-1", time.Now()))
	m := b.until("alarm-1", "tried twice", func(m event.Mail) bool { return m.Attempts >= 2 })
	if !w.done.Load() || m.QueueState() != "deferred" {
		t.Errorf("server killed: %v, %+v", w.done.Load(), m)
	}
	s.Start()
	// One that is killed between delivering and noting it delivers again, too.
	s.arrived(t, b, b.untilState("alarm-1", "delivered"), 2, 3)
}

// arrivedNever is for a mail of which the server got a part.
func (s real) arrivedNever(t *testing.T, m event.Mail) {
	t.Helper()
	for _, got := range s.Mails() {
		if findMessageID(got, m.MessageID) {
			t.Error("a part of a mail was delivered")
		}
	}
}
