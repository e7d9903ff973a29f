package mail

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// slowServer is a line of 300 ms: every reply takes that long. All is accepted.
func slowServer(t *testing.T, delay time.Duration) (port int, conns *int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	n := 0
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n++
			go func() {
				defer c.Close()
				say := func(s string) { time.Sleep(delay); fmt.Fprintf(c, "%s\r\n", s) }
				say("220 slow.example.test")
				r, data := bufio.NewReader(c), false
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					switch {
					case data && line == ".\r\n":
						data = false
						say("250 ok")
					case data:
					case strings.HasPrefix(line, "EHLO"):
						say("250-slow.example.test\r\n250 8BITMIME")
					case strings.HasPrefix(line, "DATA"):
						data = true
						say("354 go on")
					case strings.HasPrefix(line, "QUIT"):
						say("221 bye")
						return
					default:
						say("250 ok")
					}
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, &n
}

// A container that is started over and over, or a second interface that flaps,
// makes network news every second. A mail over a working, slow line (700 ms a
// reply, as by satellite or GPRS) still goes.
func TestNewsEverySecond(t *testing.T) {
	port, conns := slowServer(t, 700*time.Millisecond)
	c := testConfig()
	c.SMTP = config.SMTP{Server: "127.0.0.1", Port: port, Security: "none"}
	b := start(t, t.TempDir(), c, config.Secrets{})
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
				b.LineBack()
			}
		}
	}()
	b.submit(alarm("alarm-1", time.Now()))
	time.Sleep(30 * time.Second)
	if m := b.mail("alarm-1"); m.Count(event.Delivered) == 0 {
		t.Errorf("after 30 s: %s, %d attempts noted, %d connections, problem %q", m.QueueState(), m.Attempts, *conns, m.Problem)
	}
	close(stop)
	time.Sleep(5 * time.Second)
	t.Logf("5 s after the news ended: %s", b.mail("alarm-1").QueueState())
}

// Changes of a trigger do not make the box log in again with a refused password.
func TestTriggerChangeKeepsThePause(t *testing.T) {
	f := newFaulty(t, map[string]string{"GREETING": "554 go away"})
	c := f.settings()
	b := start(t, t.TempDir(), c, config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	asked := f.conns.Load()
	for i := range 10 {
		c.Triggers = []config.Trigger{config.ExampleTrigger()}
		c.Triggers[0].Threshold = i%9 + 1
		b.Configure(c, config.Secrets{}, time.UTC)
		time.Sleep(200 * time.Millisecond)
	}
	if n := f.conns.Load() - asked; n > 0 {
		t.Errorf("10 changes of a trigger's threshold: %d more attempts within 2 s at a server that has refused, pause gone", n)
	}
}
