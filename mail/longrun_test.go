package mail

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// oddServer answers by a function: conn counts connections from 1, cmd is the whole line ("GREETING", "." too).
// "" closes; "-" says nothing.
func oddServer(t *testing.T, at string, say func(conn int, cmd, ordinary string) string) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var n atomic.Int32
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conn := int(n.Add(1))
			wg.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				r := bufio.NewReader(c)
				answer := func(cmd, ordinary string) bool {
					reply := say(conn, cmd, ordinary)
					if reply == "" {
						return false
					}
					if reply == "-" {
						r.ReadString(0)
						return false
					}
					_, err := c.Write([]byte(reply + "\r\n"))
					return err == nil
				}
				for ok := answer("GREETING", "220 odd.example.test"); ok; {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					line = strings.TrimSpace(line)
					switch {
					case strings.HasPrefix(line, "EHLO"):
						ok = answer(line, "250-odd.example.test\r\n250 8BITMIME")
					case line == "DATA":
						if ok = answer(line, "354 go on"); !ok {
							return
						}
						for {
							x, err := r.ReadString('\n')
							if err != nil {
								return
							}
							if x == ".\r\n" {
								break
							}
						}
						ok = answer(".", "250 queued")
					default:
						ok = answer(line, "250 ok")
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().(*net.TCPAddr)
}

func oddSettings(a *net.TCPAddr, to ...string) config.Config {
	c := testConfig()
	c.SMTP = config.SMTP{Server: a.IP.String(), Port: a.Port, Security: "none"}
	return withTo(c, to)
}

// One dead destination in the end stops every notification.
func TestOneDeadDestinationFillsTheQueue(t *testing.T) {
	o := idle(t, t.TempDir())
	o.mu.Lock()
	for i := range maxQueue { // what 10,000 alarms leave where guard has each, and gone is held with "550 no such user"
		id := fmt.Sprintf("%08d-alarm", i+100)
		o.put(&entry{record: record{Version: recordVersion, From: "camera@example.test", Envelope: []string{"guard@example.test", "gone@example.test"},
			Refused: &refusal{o.setup.account(), "rcpt"},
			Mail: event.Mail{ID: id, Kind: event.Alarm, At: time.Now(), Bytes: 1000, Recipients: []event.Recipient{
				{Address: "guard@example.test", State: event.Delivered}, {Address: "gone@example.test", State: event.RcptHeld}}}}})
	}
	o.mu.Unlock()
	if err := o.Submit(context.Background(), alarm("00099999-alarm", time.Now())); err != nil {
		t.Errorf("a new alarm for guard, who gets mail: %v", err)
	}
}

// One address of the server accepts connections and says nothing (or 421s); the other works.
func TestOtherAddressIsTried(t *testing.T) {
	for _, bad := range []string{"-", "421 too busy", ""} {
		t.Run(bad, func(t *testing.T) {
			a := oddServer(t, "127.0.0.1:0", func(int, string, string) string { return bad })
			var got atomic.Int32
			oddServer(t, fmt.Sprintf("127.0.0.2:%d", a.Port), func(_ int, cmd, o string) string {
				if cmd == "." {
					got.Add(1)
				}
				return o
			})
			before := lookupIP
			lookupIP = func(context.Context, string, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}, nil
			}
			defer func() { lookupIP = before }()
			c := oddSettings(a)
			c.SMTP.Server = "two.example.test"
			b := start(t, t.TempDir(), c, config.Secrets{}, func(t *timeouts) {
				t.firstGreeting, t.greeting = 100*time.Millisecond, 100*time.Millisecond
			})
			b.submit(alarm("alarm-1", time.Now()))
			time.Sleep(3 * time.Second)
			if got.Load() == 0 {
				t.Errorf("never: after %d attempts: %s", b.mail("alarm-1").Attempts, b.mail("alarm-1").Problem)
			}
			b.stop()
		})
	}
}

// Counts and times of a digest of digests.
func TestDigestOfDigests(t *testing.T) {
	o := idle(t, t.TempDir())
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	seq := uint64(0)
	for round := range 4 {
		for range 5 {
			seq++
			if err := o.Submit(context.Background(), firing(seq, at.Add(time.Duration(seq)*time.Hour), nil)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := o.fold(0); err != nil {
			t.Fatal(err)
		}
		m := o.Mails()[0]
		eml, _ := os.ReadFile(o.spool.queue(m.ID + ".eml"))
		text := parse(t, eml).text
		t.Logf("round %d: %d mails, len(Replaces) %d", round+1, seq, len(m.Replaces))
		want := fmt.Sprintf("%d mails could not be sent from 2026-11-24 04:00:00 on", seq)
		if !strings.Contains(text, want) {
			for l := range strings.SplitSeq(text, "\n") {
				if strings.Contains(l, "could not be sent") {
					t.Errorf("round %d: %q, want %q", round+1, l, want)
				}
			}
		}
	}
}

// What a server took, or may have, between the choice of a digest and its making.
func TestFoldOfWhatTheServerHas(t *testing.T) {
	for name, meanwhile := range map[string]func(o *Outbox, id string){
		"handed": func(o *Outbox, id string) { o.mark(id, true) },
		"delivered, and the disk is full": func(o *Outbox, id string) {
			r := outcomes{}
			r.add(0, event.Delivered, "250 ok")
			o.unsaved(id, r, os.ErrPermission)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := idle(t, t.TempDir())
			for seq := range uint64(3) {
				o.Submit(context.Background(), firing(seq+1, time.Now().Add(time.Duration(seq)*time.Second), nil))
			}
			// as fold does:
			o.mu.Lock()
			var rs []record
			for _, e := range o.backlog() {
				rs = append(rs, e.record.clone())
			}
			o.mu.Unlock()
			// the sender, while the digest is rendered:
			id := rs[0].Mail.ID
			meanwhile(o, id)
			if err := o.replace(rs); err != nil {
				t.Fatal(err)
			}
			for _, m := range o.Mails() {
				for _, r := range m.Replaces {
					if r == id {
						t.Errorf("the digest tells of %s again", id)
					}
				}
			}
		})
	}
}

// The server is corrected while the wrong one refuses the recipient.
func TestConfigureDuringARefusal(t *testing.T) {
	inRcpt, goOn := make(chan bool, 1), make(chan bool)
	wrong := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if strings.HasPrefix(cmd, "RCPT") {
			inRcpt <- true
			<-goOn
			return "550 5.7.1 relaying denied"
		}
		return o
	})
	right := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string { return o })
	b := start(t, t.TempDir(), oddSettings(wrong), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	<-inRcpt
	b.Configure(oddSettings(right), config.Secrets{}, time.UTC)
	close(goOn)
	time.Sleep(2 * time.Second)
	if m := b.mail("alarm-1"); m.QueueState() != "delivered" {
		t.Errorf("%s: %+v", m.QueueState(), m.Recipients)
	}
	b.Configure(oddSettings(right), config.Secrets{}, time.UTC)
	time.Sleep(time.Second)
	if m := b.mail("alarm-1"); m.QueueState() != "delivered" {
		t.Errorf("not even when it is saved again: %s", m.QueueState())
	}
}

// A recipient that was refused for SMTPUTF8 is forgotten where the mail is made smaller.
func TestUTF8RefusalAndSize(t *testing.T) {
	n := 0
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if cmd == "." {
			if n++; n == 1 {
				return "552 5.3.4 message size exceeds limit"
			}
		}
		return o
	})
	b := start(t, t.TempDir(), oddSettings(a, "guard@example.test", "wächter@example.test"), config.Secrets{}, func(t *timeouts) {
		t.slowRetry = []time.Duration{time.Hour}
	})
	x := alarm("alarm-1", time.Now())
	x.Images[0].JPEG = picture(t, 640, 480)
	b.submit(x)
	m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	if m.Recipients[0].State != event.Delivered || m.Recipients[1].State != event.RcptHeld {
		t.Errorf("%+v", m.Recipients)
	}
}

// Any other 2xx to the final dot.
func TestAny2xxIsDelivered(t *testing.T) {
	var got atomic.Int32
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if cmd == "." {
			got.Add(1)
			return "251 queued"
		}
		return o
	})
	b := start(t, t.TempDir(), oddSettings(a), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	time.Sleep(3 * time.Second)
	if n := got.Load(); n != 1 {
		t.Errorf("the server accepted it %d times: %s", n, b.mail("alarm-1").Problem)
	}
}

// The words of an address are no words about the account.
func TestAddressPausesTheAccount(t *testing.T) {
	for _, dead := range []string{"ops@absorbs.example", "blacklist-desk@example.test"} {
		a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
			if strings.HasPrefix(cmd, "RCPT") && strings.Contains(cmd, dead) {
				return "550 5.1.1 <" + dead + ">: Recipient address rejected: User unknown"
			}
			return o
		})
		c := oddSettings(a, dead)
		b := start(t, t.TempDir(), c, config.Secrets{})
		b.submit(alarm("alarm-1", time.Now()))
		m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
		if m.QueueState() != "held" {
			t.Errorf("%s: %s: %s", dead, m.QueueState(), m.Problem)
		}
		// another mail, for somebody else
		c.Mail.Destinations = []string{"guard@example.test"}
		b.mu.Lock()
		b.setup.config = c
		b.mu.Unlock()
		b.submit(alarm("alarm-2", time.Now()))
		time.Sleep(time.Second)
		if m := b.mail("alarm-2"); m.QueueState() != "delivered" {
			t.Errorf("guard's mail is %s: %s", m.QueueState(), m.Problem)
		}
		b.stop()
	}
}

// After a restart the line's return does not bring back what the line failed.
func TestLineBackAfterRestart(t *testing.T) {
	n := 0
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if cmd == "." {
			if n++; n == 1 {
				return ""
			}
		}
		return o
	})
	dir := t.TempDir()
	slow := func(t *timeouts) { t.networkRetry = []time.Duration{15 * time.Minute} }
	b := start(t, dir, oddSettings(a), config.Secrets{}, slow)
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	b.stop()
	b = start(t, dir, oddSettings(a), config.Secrets{}, slow)
	time.Sleep(300 * time.Millisecond)
	b.LineBack()
	time.Sleep(2 * time.Second)
	if m := b.mail("alarm-1"); m.QueueState() != "delivered" {
		t.Errorf("2 s after the line came back: %s, next try in %v", m.QueueState(), time.Until(m.NextTry).Round(time.Second))
	}
}

// A server that takes one mail a connection.
func TestOneMailAConnection(t *testing.T) {
	for _, reply := range []string{"421 4.7.0 too many messages in this connection", ""} {
		var mu sync.Mutex
		mails := map[int]int{}
		a := oddServer(t, "127.0.0.1:0", func(conn int, cmd, o string) string {
			mu.Lock()
			defer mu.Unlock()
			if strings.HasPrefix(cmd, "MAIL") {
				if mails[conn]++; mails[conn] > 1 {
					return reply
				}
			}
			return o
		})
		dir := t.TempDir()
		o := idle(t, dir)
		for i := range 4 {
			o.Submit(context.Background(), firing(uint64(i+1), time.Now(), nil))
		}
		b := start(t, dir, oddSettings(a), config.Secrets{}, func(t *timeouts) {
			t.networkRetry, t.slowRetry = defaultTimeouts.networkRetry, defaultTimeouts.slowRetry
		})
		time.Sleep(4 * time.Second)
		n := 0
		for _, m := range b.Mails() {
			if m.QueueState() == "delivered" {
				n++
			} else {
				t.Logf("%s waits until in %v: %s", m.ID, time.Until(m.NextTry).Round(time.Second), m.Problem)
			}
		}
		if n != 4 {
			t.Errorf("%q: %d of 4 delivered", reply, n)
		}
		b.stop()
	}
}

// EHLO refused with 421 and the connection closed.
func TestEHLO421(t *testing.T) {
	for _, reply := range []string{"421 4.7.0 too many connections from your address", "554 5.7.1 helo refused: dynamic address"} {
		a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
			if strings.HasPrefix(cmd, "EHLO") {
				return reply
			}
			if strings.HasPrefix(cmd, "HELO") {
				return ""
			}
			return o
		})
		b := start(t, t.TempDir(), oddSettings(a), config.Secrets{})
		b.submit(alarm("alarm-1", time.Now()))
		m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
		b.mu.Lock()
		t.Logf("%v %s", b.hold.kind, m.Problem)
		b.mu.Unlock()
		b.stop()
	}
}
