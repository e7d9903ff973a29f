package mail

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/trust"
)

// writes counts what goes out at a time.
type writes struct {
	net.Conn
	all []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.all = append(w.all, string(p))
	return w.Conn.Write(p)
}

func text(n int) (io.Reader, string) {
	b := bytes.Repeat([]byte("0123456789abcdef0123456789abcdef0123456789abcdef01234567890abc\r\n"), n/64+1)
	sum := sha256.Sum256(b)
	return bytes.NewReader(b), hex.EncodeToString(sum[:])
}

func TestBegin(t *testing.T) {
	const bare, piped = "250-x\r\n250-SIZE 1000\r\n250-SMTPUTF8\r\n250 8BITMIME", "250-x\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 8BITMIME"
	to := []string{"a@example.test", "b@example.test", "c@example.test"}
	for _, c := range []struct {
		name     string
		play     script
		to       []string
		utf8     bool
		size     int64
		writes   int      // 0: not looked at
		mail     string   // the command
		faults   [3]int   // reply codes; -1: the fault of the whole
		f        int      // its code; -1: without one; 0: none
		kind     kind     // of f
		useless  bool     // the connection afterwards
		unsaid   []string // commands that must not be said
		recorded int      // steps
	}{
		{name: "one write", play: script{"EHLO": piped}, to: to, size: 777, writes: 1, mail: "MAIL FROM:<x@example.test> BODY=8BITMIME SIZE=777", recorded: 4},
		{name: "one by one", play: script{"EHLO": bare}, to: to, size: 777, writes: 4, mail: "MAIL FROM:<x@example.test> BODY=8BITMIME SIZE=777", recorded: 4},
		{name: "nothing offered", play: script{"EHLO": "250 x"}, to: to, size: 777, writes: 4, mail: "MAIL FROM:<x@example.test>", recorded: 4},
		{name: "lower case", play: script{"EHLO": "250-x\r\n250-size 1000\r\n250-pipelining\r\n250-smtputf8\r\n250 8bitmime"}, to: to, utf8: true, size: 5, writes: 1,
			mail: "MAIL FROM:<x@example.test> BODY=8BITMIME SMTPUTF8 SIZE=5", recorded: 4},
		{name: "no size known", play: script{"EHLO": piped}, to: to, mail: "MAIL FROM:<x@example.test> BODY=8BITMIME", recorded: 4},
		{name: "refused MAIL, pipelined", play: script{"EHLO": piped, "MAIL": "550 5.7.60 no", "RCPT": "503 5.5.1 MAIL first"}, to: to, writes: 1,
			faults: [3]int{-1, -1, -1}, f: 550, kind: permanent, recorded: 1},
		{name: "refused MAIL, recipients accepted", play: script{"EHLO": piped, "MAIL": "452 4.3.1 full"}, to: to, writes: 1,
			faults: [3]int{-1, -1, -1}, f: 452, kind: temporary, recorded: 1},
		{name: "refused MAIL, one by one", play: script{"EHLO": bare, "MAIL": "550 no"}, to: to, writes: 1, faults: [3]int{-1, -1, -1}, f: 550, kind: permanent,
			unsaid: []string{"RCPT"}, recorded: 1},
		{name: "421 to MAIL", play: script{"EHLO": piped, "MAIL": "421 closing"}, to: to, faults: [3]int{-1, -1, -1}, f: 421, kind: busy, useless: true, recorded: 1},
		{name: "refused RCPT", play: script{"EHLO": piped, "RCPT": "550 5.1.1 unknown"}, to: to, writes: 1, faults: [3]int{550, 550, 550}, recorded: 4},
		{name: "421 to RCPT", play: script{"EHLO": piped, "RCPT": "421 closing"}, to: to, faults: [3]int{-1, -1, -1}, f: 421, kind: busy, useless: true, recorded: 2},
		{name: "dropped at RCPT", play: script{"EHLO": piped, "RCPT": hangUp}, to: to, faults: [3]int{-1, -1, -1}, f: -1, kind: network, useless: true, recorded: 2},
		{name: "251 will forward", play: script{"EHLO": piped, "RCPT": "251 elsewhere"}, to: to, writes: 1, recorded: 4},
		{name: "SMTPUTF8 missing", play: script{"EHLO": "250-x\r\n250 PIPELINING"}, to: to, utf8: true, faults: [3]int{-1, -1, -1}, f: -1, kind: permanent,
			unsaid: []string{"MAIL", "RCPT"}, recorded: 1},
		{name: "two commands in an address", play: script{"EHLO": piped}, to: []string{to[0], "b@example.test>\r\nRCPT TO:<evil@example.test", to[2]},
			faults: [3]int{-1, -1, -1}, f: -1, kind: permanent, unsaid: []string{"MAIL", "RCPT"}, recorded: 1},
		{name: "parameter in an address", play: script{"EHLO": piped}, to: []string{to[0], "b@example.test> NOTIFY=NEVER", to[2]},
			faults: [3]int{-1, -1, -1}, f: -1, kind: permanent, unsaid: []string{"MAIL", "RCPT"}, recorded: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.play)
			x := openTo(t, s, defaultTimeouts)
			var steps []event.Step
			x.report = func(st event.Step) { steps = append(steps, st) }
			w := &writes{Conn: x.line.Conn}
			x.line.Conn = w
			faults, f := x.begin("x@example.test", c.to, c.utf8, c.size)
			if (f != nil) != (c.f != 0) || f != nil && (f.code != max(c.f, 0) || f.kind != c.kind) {
				t.Errorf("fault %+v", f)
			}
			for i, want := range c.faults {
				got := faults[i]
				switch {
				case want == 0 && got != nil, want == -1 && got != f, want > 0 && (got == nil || got.code != want):
					t.Errorf("recipient %d: %+v, want %d", i, got, want)
				}
			}
			if c.writes > 0 && len(w.all) != c.writes {
				t.Errorf("%d writes: %q", len(w.all), w.all)
			}
			if len(steps) != c.recorded {
				t.Errorf("%d steps: %+v", len(steps), steps)
			}
			said := s.lines()
			if c.mail != "" && !slices.Contains(said, c.mail) {
				t.Errorf("said %q, want %q", said, c.mail)
			}
			for _, u := range append(c.unsaid, "DATA") {
				if s.saw(u) {
					t.Errorf("%s was said", u)
				}
			}
			if c.useless {
				return
			}
			// The connection is in step: the next transaction is judged by its own replies.
			if !x.reset() {
				t.Fatal("RSET failed")
			}
			s.mu.Lock()
			delete(s.play, "MAIL")
			delete(s.play, "RCPT")
			s.mu.Unlock()
			if _, f := x.begin("x@example.test", to[:1], false, 70); f != nil {
				t.Fatalf("the second transaction: %+v", f)
			}
			r, hash := text(64)
			if _, f := x.data(r, hash, nil); f != nil || s.mails.Load() != 1 {
				t.Errorf("%+v", f)
			}
			x.quit()
			s.closed(t)
		})
	}
}

// Each recipient of a pipelined transaction gets its own reply.
func TestBeginMixed(t *testing.T) {
	for _, offer := range []string{"250-x\r\n250 PIPELINING", "250 x"} {
		s := newStage(t, script{"EHLO": offer, "RCPT B": "550 5.1.1 unknown", "RCPT C": "450 4.2.0 greylisted"})
		x := openTo(t, s, defaultTimeouts)
		faults, f := x.begin("x@example.test", []string{"a@example.test", "b@example.test", "c@example.test", "d@example.test"}, false, 1)
		if f != nil || faults[0] != nil || faults[1].kind != permanent || faults[2].kind != temporary || faults[3] != nil {
			t.Errorf("%+v %+v", f, faults)
		}
	}
}

func TestMaxSize(t *testing.T) {
	for offer, want := range map[string]int64{"SIZE 35882577": 35882577, "SIZE": 0, "SIZE 0": 0, "SIZE x": 0, "SIZE -1": 0, "size 12": 12,
		"SIZE 99999999999999999999": 0, "8BITMIME": 0} {
		x := openTo(t, newStage(t, script{"EHLO": "250-x\r\n250 " + offer}), defaultTimeouts)
		if got := x.maxSize(); got != want {
			t.Errorf("%s: %d, want %d", offer, got, want)
		}
	}
}

// What the owner of the mail does between two blocks is not the server's time.
func TestSentIsToldAndMayWait(t *testing.T) {
	s := newStage(t, nil)
	times := defaultTimeouts
	times.block, times.data = time.Second, time.Second
	x := openTo(t, s, times)
	if _, f := x.begin("x@example.test", []string{"a@example.test"}, false, 0); f != nil {
		t.Fatal(f)
	}
	r, hash := text(100_000)
	var told []int64
	if _, f := x.data(r, hash, func(n int64) {
		if told = append(told, n); len(told) == 2 {
			time.Sleep(2 * times.block)
		}
	}); f != nil {
		t.Fatal(f)
	}
	if len(told) < 3 || !slices.IsSorted(told) || told[len(told)-1] != 100_032 || s.mails.Load() != 1 {
		t.Errorf("told %v", told)
	}
}

func TestHappyEyeballs(t *testing.T) {
	s := newStage(t, nil)
	listens, refuses := s.addr.String(), fmt.Sprintf("127.0.0.1:%d", closedPort(t))
	hole := fmt.Sprintf("127.0.0.1:%d", blackHole(t, 0))
	const none = "224.0.0.1:587" // has no route, anywhere
	for _, c := range []struct {
		name    string
		targets []string
		stagger time.Duration
		winner  string
		steps   string // their verdicts' beginnings, in their order
	}{
		{"the first is silent", []string{hole, listens}, 20 * time.Millisecond, listens, "connected, Not waited"},
		{"two are silent", []string{hole, hole, listens, hole}, 20 * time.Millisecond, listens, "connected, Not waited, Not waited"},
		{"the first is refused: no waiting", []string{refuses, listens}, time.Hour, listens, "Nothing listens, connected"},
		{"no family's route: no waiting", []string{none, listens}, time.Hour, listens, "There is no route, connected"},
		{"the first is quick", []string{listens, hole}, time.Hour, listens, "connected"},
		{"none", []string{refuses, none}, time.Hour, "", "Nothing listens, There is no route"},
	} {
		t.Run(c.name, func(t *testing.T) {
			times := defaultTimeouts
			times.connect, times.stagger = 2*patience, c.stagger
			var verdicts []string
			conn, f := dialFirst(context.Background(), c.targets, times, func(st event.Step) {
				verdicts = append(verdicts, st.Verdict)
				if !st.OK && st.Do == "" {
					t.Errorf("nothing to do: %+v", st)
				}
			})
			if conn != nil {
				defer conn.Close()
				if got := conn.RemoteAddr().String(); got != c.winner {
					t.Errorf("%s has won, want %s", got, c.winner)
				}
			} else if c.winner != "" || f == nil || f.target != refuses {
				t.Errorf("%+v", f)
			}
			want := strings.Split(c.steps, ", ")
			if len(verdicts) != len(want) {
				t.Fatalf("%q, want %q", verdicts, want)
			}
			for i := range want {
				if !strings.HasPrefix(verdicts[i], want[i]) {
					t.Errorf("%q, want %q", verdicts[i], want[i])
				}
			}
		})
	}
}

// A pin takes the place of name, dates and authority, and nothing takes its place.
func TestPin(t *testing.T) {
	valid, expired := selfSigned(t, -time.Hour, time.Hour), selfSigned(t, -48*time.Hour, -24*time.Hour)
	pin := func(der []byte) string {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return trust.Pin(c)
	}
	for _, implicit := range []bool{false, true} {
		for name, c := range map[string]struct {
			pin      string
			expired  bool
			accepted bool
		}{
			"matching, self-signed":  {pin(valid.Certificates[0].Certificate[0]), false, true},
			"matching, expired":      {pin(expired.Certificates[0].Certificate[0]), true, true},
			"another":                {pin(expired.Certificates[0].Certificate[0]), false, false},
			"none, self-signed":      {"", false, false},
			"none, expired as it is": {"", true, false},
		} {
			t.Run(fmt.Sprintf("%s, implicit %v", name, implicit), func(t *testing.T) {
				conf := valid
				if c.expired {
					conf = expired
				}
				s := newStage(t, nil, withTLS(conf), func(s *stage) { s.implicit = implicit })
				cfg, secrets := s.settings("")
				cfg.SMTP.Pin = c.pin
				var last event.Step
				ok := diagnose(context.Background(), cfg, secrets, "", defaultTimeouts, func(st event.Step) { last = st })
				if ok != c.accepted || !ok && last.Step != "tls" || s.saw("+AUTH") != c.accepted {
					t.Errorf("ok %v, AUTH %v, %+v", ok, s.saw("+AUTH"), last)
				}
				s.leaked(t)
			})
		}
	}
}

// What a person sees where all is well.
func TestDiagnoseShows(t *testing.T) {
	id := goodIdentity(t)
	s := newStage(t, nil, withTLS(id.conf))
	cfg, secrets := s.settings(id.caFile)
	cfg.Mail.Destinations = append(cfg.Mail.Destinations, "ops@example.test")
	var all []string
	var names []string
	if !diagnose(context.Background(), cfg, secrets, "", defaultTimeouts, func(st event.Step) {
		names = append(names, st.Step)
		all = append(all, st.Verdict+" "+st.Text)
		if !st.OK {
			t.Errorf("%+v", st)
		}
	}) {
		t.Error("not well")
	}
	if got, want := strings.Join(names, " "), "tcp ehlo tls tls ehlo auth mail rcpt rcpt"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
	shown := strings.Join(all, "\n")
	for _, want := range []string{"certificate 1 of 1: good for another 0 days", "by CN=mailtest authority", "TLS 1.3", "pin ", "mails up to 1.0 MB",
		"sign-in by PLAIN, LOGIN", "STARTTLS"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not shown:\n%s", want, shown)
		}
	}
	if s.mails.Load() != 0 || s.saw("+DATA") {
		t.Error("a diagnosis sent something")
	}
	s.closed(t)
}

func FuzzKeywords(f *testing.F) {
	f.Add("x\nSTARTTLS\nSIZE 10\nAUTH PLAIN LOGIN")
	f.Add("x\n\n size\t5\n\x00")
	f.Add(everything)
	f.Fuzz(func(t *testing.T, reply string) {
		for k := range keywords(reply) {
			if k == "" || strings.ContainsAny(k, "\n ") || k != strings.ToUpper(k) {
				t.Errorf("%q from %q", k, reply)
			}
		}
	})
}

// What a server says comes to a screen as one harmless line with a verdict, whatever it is.
func FuzzReply(f *testing.F) {
	f.Add("550 5.1.1 no\r\n")
	f.Add("250-x\r\n550 \x1b[2J\u202e\xff\r\n")
	f.Add("220")
	f.Fuzz(func(t *testing.T, bytes string) {
		_, _, err := textproto.NewReader(bufio.NewReader(strings.NewReader(bytes))).ReadResponse(250)
		if err == nil {
			return
		}
		for _, step := range []string{"ehlo", "tls", "auth", "mail", "rcpt", "data"} {
			fault := newFault(step, "x", err, stagePassword)
			st := failed(fault, time.Now())
			if st.Verdict == "" || st.Do == "" {
				t.Errorf("no words for %+v", st)
			}
			if !strings.Contains(st.Verdict+st.Do, stagePassword) {
				harmless(t, []event.Step{st}, fault.Error())
			}
		}
	})
}

func FuzzSayable(f *testing.F) {
	f.Add("gate3@example.test")
	f.Add(`"a b"@example.test`)
	f.Add("x> SIZE=1")
	f.Fuzz(func(t *testing.T, address string) {
		if sayable(address) && strings.ContainsAny(address, "\r\n\x00") {
			t.Errorf("%q", address)
		}
	})
}
