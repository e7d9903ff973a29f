package mail

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// attemptWith is a delivery without an outbox.
func attemptWith(ctx context.Context, c config.Config, secrets config.Secrets, times timeouts, size int) *fault {
	s, f := open(ctx, setup{config: c, secrets: secrets}, "gate3.example.test", times, func(event.Step) {})
	if f != nil {
		return f
	}
	defer s.close()
	faults, f := s.begin("x@example.test", []string{"guard@example.test"}, false, int64(size))
	if f != nil {
		return f
	}
	if faults[0] != nil {
		return faults[0]
	}
	r, hash := text(size)
	_, f = s.data(r, hash, nil)
	return f
}

// TestCancelInEveryPhase: where the server is silent for as long as it likes,
// the end of the context ends the attempt and closes the socket. How long that
// took is in the log; the timeouts are hours, so that only the cancel can.
func TestCancelInEveryPhase(t *testing.T) {
	good := goodIdentity(t)
	const big = 32 << 20 // more than the sockets' buffers take
	slow := good.conf.Clone()
	type phase struct {
		name     string
		play     script
		secure   script
		implicit bool
		reached  string // the command that shows it
		server   func(*testing.T, *config.SMTP)
		size     int
	}
	var asked atomic.Bool
	for _, c := range []phase{
		{name: "lookup", server: func(t *testing.T, c *config.SMTP) {
			before := lookupIP
			nameServer(t, -1)
			silent := lookupIP
			lookupIP = func(ctx context.Context, network, host string) (a []netip.Addr, err error) {
				asked.Store(true)
				return silent(ctx, network, host)
			}
			t.Cleanup(func() { lookupIP = before })
			c.Server = "mail.example.net"
		}},
		{name: "connect", server: func(t *testing.T, c *config.SMTP) { c.Port = blackHole(t, 0); asked.Store(true) }},
		{name: "TLS handshake", play: script{"GREETING": silent}, reached: "GREETING", server: func(t *testing.T, c *config.SMTP) { c.Security = "tls" }},
		{name: "greeting", play: script{"GREETING": silent}, reached: "GREETING"},
		{name: "EHLO", play: script{"EHLO": silent}, reached: "EHLO"},
		{name: "STARTTLS", play: script{"STARTTLS": silent}, reached: "STARTTLS"},
		{name: "EHLO under TLS", secure: script{"EHLO": silent}, reached: "+EHLO"},
		{name: "AUTH", secure: script{"AUTH": silent}, reached: "+AUTH"},
		{name: "MAIL", secure: script{"MAIL": silent}, reached: "+MAIL"},
		{name: "RCPT", secure: script{"RCPT": silent}, reached: "+RCPT"},
		{name: "DATA", secure: script{"DATA": silent}, reached: "+DATA"},
		{name: "text, a server that does not read", play: script{"BODY": deaf}, reached: "+BODY", size: big},
		{name: "dot, bounded by stop", secure: script{"DOT": silent}, reached: "+DOT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked.Store(false)
			s := newStage(t, c.play, withTLS(slow), withSecure(c.secure))
			cfg, secrets := s.settings(good.caFile)
			if c.server != nil {
				c.server(t, &cfg.SMTP)
			}
			times := defaultTimeouts
			brief(time.Hour)(&times)
			times.stop = 200 * time.Millisecond
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			ended := make(chan *fault, 1)
			go func() { ended <- attemptWith(ctx, cfg, secrets, times, max(c.size, 64)) }()
			until(t, c.name+" is reached", func() bool { return c.reached != "" && s.saw(c.reached) || asked.Load() })
			time.Sleep(30 * time.Millisecond) // well into it
			began := time.Now()
			cancel()
			select {
			case f := <-ended:
				t.Logf("ended %v after the cancel", time.Since(began).Round(100*time.Microsecond))
				if f == nil || f.kind != network {
					t.Errorf("%+v", f)
				}
			case <-time.After(patience):
				t.Fatal("the cancel ends nothing")
			}
			if c.play["BODY"] != deaf { // which does not see it
				s.closed(t)
			}
			if s.mails.Load() != 0 {
				t.Error("the server has a mail")
			}
		})
	}
}

// The dot's reply comes within the time that a stop leaves: the mail is delivered, not sent again.
func TestStopWaitsForTheDot(t *testing.T) {
	s := newStage(t, script{"DOT": slowly + "250 2.0.0 queued"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	times := defaultTimeouts
	times.stop = patience
	ended := make(chan *fault, 1)
	go func() { ended <- attemptWith(ctx, s.relay(), config.Secrets{}, times, 64) }()
	until(t, "the dot", func() bool { return s.saw("DOT") })
	cancel()
	if f := <-ended; f != nil {
		t.Errorf("%+v", f)
	}
	s.closed(t)
}

// A person waits for a test mail: a server that says nothing at EHLO or AUTH
// gets no more time than one that does not greet.
func TestUrgentIsNotHeldLong(t *testing.T) {
	good := goodIdentity(t)
	for _, x := range []script{{"EHLO": silent}, {"AUTH": silent}} {
		s := newStage(t, nil, withTLS(good.conf), withSecure(x))
		cfg, secrets := s.settings(good.caFile)
		times := defaultTimeouts
		brief(time.Hour)(&times)
		times.greeting, times.handshake = 300*time.Millisecond, patience
		if _, under := x["EHLO"]; under {
			times.handshake = 300 * time.Millisecond // the EHLO under TLS is part of it
		}
		if f := attemptWith(context.Background(), cfg, secrets, times, 64); f == nil || f.kind != network || !errors.Is(f.err, os.ErrDeadlineExceeded) {
			t.Errorf("not ended by this side: %+v", f)
		}
	}
	s := newStage(t, script{"EHLO": silent})
	times := defaultTimeouts
	brief(time.Hour)(&times)
	times.greeting = 300 * time.Millisecond
	if f := attemptWith(context.Background(), s.relay(), config.Secrets{}, times, 64); f == nil || f.step != "ehlo" || !errors.Is(f.err, os.ErrDeadlineExceeded) {
		t.Errorf("not ended by this side: %+v", f)
	}
}

// TestTenThousandFailures leaves no descriptor and no goroutine behind, whatever fails.
func TestTenThousandFailures(t *testing.T) {
	attempts := 10_000
	if testing.Short() {
		attempts = 1_000
	}
	good := goodIdentity(t)
	times := defaultTimeouts
	brief(patience)(&times)
	type target struct {
		name    string
		config  config.Config
		secrets config.Secrets
		step    string
	}
	var targets []target
	clear := func(name, step string, play script) {
		targets = append(targets, target{name, newStage(t, play).relay(), config.Secrets{}, step})
	}
	refused := newStage(t, nil).relay()
	refused.SMTP.Port = closedPort(t)
	targets = append(targets, target{"refused", refused, config.Secrets{}, "tcp"})
	clear("closed at the greeting", "ehlo", script{"GREETING": hangUp})
	clear("closed at EHLO", "ehlo", script{"EHLO": hangUp})
	clear("closed at MAIL", "mail", script{"MAIL": hangUp})
	clear("closed at RCPT", "rcpt", script{"RCPT": hangUp})
	clear("closed at DATA", "data", script{"DATA": hangUp})
	clear("closed in the text", "data", script{"BODY": hangUp})
	clear("closed at the dot", "data", script{"DOT": hangUp})
	clear("greeting 554", "ehlo", script{"GREETING": "554 no"})
	login := func(name, step string, s *stage, ca string) {
		c, secrets := s.settings(ca)
		targets = append(targets, target{name, c, secrets, step})
	}
	login("closed at STARTTLS", "tls", newStage(t, script{"STARTTLS": hangUp}), good.caFile)
	login("no trust", "tls", newStage(t, nil, withTLS(good.conf)), goodIdentity(t).caFile)
	login("no TLS", "tls", newStage(t, script{"STARTTLS": "220 go"}), good.caFile)
	login("wrong password", "auth", newStage(t, script{"AUTH": "535 no"}, withTLS(good.conf)), good.caFile)
	run := func(n int) {
		var wg sync.WaitGroup
		next := atomic.Int64{}
		for range 32 {
			wg.Go(func() {
				for i := next.Add(1); i <= int64(n); i = next.Add(1) {
					x := targets[i%int64(len(targets))]
					if f := attemptWith(context.Background(), x.config, x.secrets, times, 200); f == nil || f.step != x.step {
						t.Errorf("%s: %+v", x.name, f)
					}
				}
			})
		}
		wg.Wait()
	}
	run(2 * len(targets)) // what is made once is not left behind
	var fds, goroutines int
	until(t, "the beginning is quiet", func() bool {
		n, g := descriptors(t), runtime.NumGoroutine()
		quiet := n == fds && g == goroutines
		fds, goroutines = n, g
		time.Sleep(50 * time.Millisecond)
		return quiet
	})
	run(attempts)
	until(t, "as many descriptors and goroutines as before", func() bool {
		return descriptors(t) <= fds && runtime.NumGoroutine() <= goroutines
	})
}

func descriptors(t *testing.T) int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
