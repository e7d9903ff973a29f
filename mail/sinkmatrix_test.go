package mail

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail/mailtest"
)

// cell is smtp-sink with a fault and what is to come of it.
type cell struct {
	options  string
	state    event.RecipientState // of both recipients while the fault lasts
	reply    string               // how the server's words begin, where there are any
	again    bool                 // the server may have the mail already: it comes again
	size     int                  // of the image, 0 for a small one
	timeouts func(*timeouts)
}

// matrix is every command of smtp-sink with each way to fail at it, and its delays.
func matrix() []cell {
	const commands = "CONNECT EHLO HELO AUTH MAIL RCPT DATA . RSET NOOP VRFY QUIT"
	var cells []cell
	for _, command := range strings.Fields(commands) {
		for _, flag := range []string{"-f", "-r", "-q", "-Q"} {
			c := cell{options: flag + " " + command, state: event.Pending}
			switch command {
			case "HELO", "AUTH", "NOOP", "VRFY", "RSET": // never said in a transaction that goes well
				c.state = event.Delivered
			case "QUIT": // the mail was delivered before
				c.state = event.Delivered
			case "EHLO":
				if flag == "-f" || flag == "-r" { // HELO it is
					c.state = event.Delivered
				}
			case "MAIL", "RCPT", "DATA", ".":
				switch flag {
				case "-f":
					c.state, c.reply = event.RcptHeld, "500 5.3.0 "
				case "-r":
					c.reply = "450 4.3.0 "
				}
				c.again = command == "."
			}
			cells = append(cells, c)
		}
	}
	// RSET is said after a refusal. The next attempt is none the worse for what came of it.
	for _, flag := range []string{"-f", "-r", "-q", "-Q"} {
		cells = append(cells, cell{options: "-r RCPT " + flag + " RSET", state: event.Pending, reply: "450 4.3.0 "})
	}
	short := func(t *timeouts) {
		t.greeting, t.firstGreeting, t.command = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
		t.data, t.dot, t.quit = t.command, t.command, t.command
	}
	// Without PIPELINING: smtp-sink goes on with the next command while it delays one.
	for _, command := range strings.Fields("CONNECT EHLO MAIL RCPT DATA . QUIT") {
		delay := cell{options: "-p -W " + command + ":1", state: event.Delivered}
		cells = append(cells, delay)
		delay.timeouts, delay.again = short, command == "."
		if command != "QUIT" {
			delay.state = event.Pending
		}
		delay.options = "-p -W " + command + ":3"
		cells = append(cells, delay)
	}
	const big = 3_000_000
	stalled := func(t *timeouts) { t.block, t.dot = 300*time.Millisecond, 300*time.Millisecond }
	return append(cells,
		cell{options: "-w 1", state: event.Delivered},
		cell{options: "-H 1", state: event.Delivered},
		cell{options: "-H 1 -T 1000", state: event.Delivered, size: big / 3},
		cell{options: "-H 60 -T 1000", state: event.Pending, size: big, timeouts: stalled},
		cell{options: "-A 0", state: event.RcptHeld, reply: "550 "},
		cell{options: "-T 1000", state: event.Delivered, size: big / 3},
		cell{options: "-p", state: event.Delivered},
		cell{options: "-e", state: event.Delivered},
		cell{options: "-P", state: event.Delivered},
		cell{options: "-8", state: event.Delivered},
		cell{options: "-a -E -N", state: event.Delivered},
	)
}

// TestSinkMatrix goes through the faults of Postfix's smtp-sink: in each the
// recipients' states are right, nothing counts as delivered that is not, and
// when the fault ends the server gets the mail once.
func TestSinkMatrix(t *testing.T) {
	mailtest.StartSink(t).Kill() // skips here where there is none
	var wg sync.WaitGroup
	room := make(chan struct{}, 16) // t.Parallel allows as many as there are cores; these mostly wait
	for _, c := range matrix() {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			t.Run(strings.ReplaceAll(c.options, " ", "_"), c.run)
		})
	}
	wg.Wait()
}

func (c cell) run(t *testing.T) {
	s := mailtest.StartSink(t, strings.Fields(c.options)...)
	cfg := testConfig()
	cfg.SMTP = config.SMTP{Server: "127.0.0.1", Port: s.Port, Security: "none"}
	cfg.Mail.Destinations = []string{"guard@example.test", "ops@example.test"}
	adjust := []func(*timeouts){func(t *timeouts) { t.account = t.slowRetry }}
	if c.timeouts != nil {
		adjust = append(adjust, c.timeouts)
	}
	b := start(t, t.TempDir(), cfg, config.Secrets{}, adjust...)
	n := alarm("alarm-1", time.Now())
	if c.size > 0 {
		n.Images = []event.Image{{At: n.At, JPEG: photo(t, c.size)}}
	}
	b.submit(n)

	attempts := 1
	if c.state == event.Pending {
		attempts = 2
	}
	m := b.until("alarm-1", fmt.Sprintf("tried %d times", attempts), func(m event.Mail) bool { return m.Attempts >= attempts })
	if m.Count(c.state) != 2 || c.state != event.Pending && m.Attempts != 1 || c.state != event.Delivered && m.Problem == "" {
		t.Errorf("%+v, want %s", m, c.state)
	}
	if r := m.Recipients[0].Reply; !strings.HasPrefix(r, c.reply) {
		t.Errorf("reply %q, want %q", r, c.reply)
	}
	if c.state == event.Delivered {
		time.Sleep(400 * time.Millisecond) // several retries' worth
	} else {
		for _, m := range b.said.changesOf("alarm-1") {
			if m.Count(event.Delivered) > 0 {
				t.Errorf("counted as delivered: %+v", m)
			}
		}
	}
	s.Kill() // nothing is accepted from here on
	before := len(s.Mails())
	b.mu.Lock()
	apart := b.mails["alarm-1"] != nil && len(b.mails["alarm-1"].Ended) > 0 // then the others get it first
	b.mu.Unlock()
	if c.state == event.Delivered && before != 1 || c.state != event.Delivered && !c.again && before != 0 || c.again && before == 0 {
		t.Errorf("the server has the mail %d times, %+v", before, m)
	}

	s.Restart()
	if c.state == event.RcptHeld {
		if err := b.Retry("alarm-1"); err != nil {
			t.Error(err)
		}
	}
	m = b.untilState("alarm-1", "delivered")
	b.stop()
	all := s.Mails()
	want := before + 1
	if apart {
		want++
	}
	if c.state == event.Delivered {
		want = 1
	}
	if len(all) != want {
		t.Errorf("the server has the mail %d times, want %d", len(all), want)
	}
	for _, got := range all {
		if !bytes.Equal(got, b.eml("alarm-1")) {
			t.Errorf("the server has\n%.1000s\nthe spool\n%.1000s", got, b.eml("alarm-1"))
		}
	}
}

// TestDuplicates: only a connection that dies between the final dot and its reply
// makes a mail come twice, and then as the same bytes.
func TestDuplicates(t *testing.T) {
	for _, c := range []struct {
		command, reply string
		twice          bool
	}{
		{"DOT", "", true},
		{"DOT", "421 4.3.2 closing", true},
		{"RSET", "", false}, {"RSET", "421 closing", false}, {"RSET", "502 no", false},
		{"QUIT", "", false}, {"QUIT", "421 closing", false}, {"QUIT", "502 no", false},
	} {
		t.Run(c.command+" "+c.reply, func(t *testing.T) {
			f := newFaulty(t, map[string]string{c.command: c.reply})
			var mu sync.Mutex
			var bodies []string
			f.onDot = func(body string) (string, bool) {
				mu.Lock()
				defer mu.Unlock()
				bodies = append(bodies, body)
				if c.command == "DOT" && len(bodies) > 1 {
					return "250 2.0.0 queued", true
				}
				return "", false
			}
			if c.command == "RSET" { // it is said after a refusal
				f.script["RCPT"] = "450 4.2.0 later"
			}
			b := start(t, t.TempDir(), f.settings(), config.Secrets{})
			b.submit(alarm("alarm-1", time.Now()))
			if c.command == "RSET" {
				b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
				f.unset("RCPT")
			}
			b.untilState("alarm-1", "delivered")
			time.Sleep(400 * time.Millisecond) // several retries' worth
			b.stop()
			mu.Lock()
			defer mu.Unlock()
			want := 1
			if c.twice {
				want = 2
			}
			if len(bodies) != want {
				t.Errorf("the server has it %d times, want %d", len(bodies), want)
			}
			for _, body := range bodies {
				if body != string(b.eml("alarm-1")) {
					t.Errorf("not the spool's bytes: %.500s", body)
				}
			}
		})
	}
}
