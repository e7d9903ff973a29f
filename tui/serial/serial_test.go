package serial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/secret"
	port "watchpost/hw/serial"
	"watchpost/tui/term"
	"watchpost/tui/term/termtest"
)

// patience is how long a broken console is waited for.
const patience = 20 * time.Second

// desk is a box with one console on a pseudo terminal, and the person at its other end.
type desk struct {
	t        *testing.T
	device   string // a link, as to a USB port that comes and goes
	master   *os.File
	consoles *Consoles
	stop     func()

	mu       sync.Mutex
	settings Settings
	seen     strings.Builder
	shown    chan *term.Line // each session as it begins
	leave    chan error      // what ends one
}

func newDesk(t *testing.T, o Options) *desk {
	t.Helper()
	d := &desk{t: t, device: filepath.Join(t.TempDir(), "ttyUSB0"), shown: make(chan *term.Line, 8), leave: make(chan error, 8)}
	d.plug()
	d.settings = Settings{Site: "Gate 3", Consoles: []config.Serial{{Device: d.device, Baud: 115200, Term: "vt220", Flow: "none"}}}
	o.Settings = func() Settings { d.mu.Lock(); defer d.mu.Unlock(); return d.settings }
	o.Open = func(c config.Serial) (Port, error) {
		p, err := port.Open(c.Device, port.Config{Baud: c.Baud, Flow: c.Flow})
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	if o.Show == nil {
		o.Show = func(ctx context.Context, l *term.Line) error {
			fmt.Fprint(l.Port, "SHOWN")
			d.shown <- l
			for {
				var b [1]byte
				if _, err := l.Port.Read(b[:]); err != nil {
					return err
				}
				fmt.Fprintf(l.Port, "<%q>", b[0])
				if b[0] == 'q' {
					return nil
				}
			}
		}
	}
	o.Problem = func(_ config.Serial, err error) (string, bool) {
		var by *port.TakenError
		return err.Error(), errors.As(err, &by)
	}
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	o.settle, o.retry = 10*time.Millisecond, 10*time.Millisecond
	d.consoles = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.consoles.Run(ctx) }()
	d.stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	}
	t.Cleanup(d.stop)
	return d
}

// plug puts a port behind the device's name.
func (d *desk) plug() {
	d.t.Helper()
	master, slave := termtest.PTY(d.t, 0, 0)
	d.mu.Lock()
	d.master = master
	d.mu.Unlock()
	if err := os.Symlink(slave.Name(), d.device); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 256)
		for {
			n, err := master.Read(buf)
			d.mu.Lock()
			d.seen.Write(buf[:n])
			d.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
}

func (d *desk) unplug() {
	os.Remove(d.device)
	d.master.Close()
}

func (d *desk) change(f func(*Settings)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.settings)
}

// sees waits for a text after all that was seen before, and forgets up to its end.
func (d *desk) sees(text string) {
	d.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		d.mu.Lock()
		all := d.seen.String()
		i := strings.Index(all, text)
		if i >= 0 {
			d.seen.Reset()
			d.seen.WriteString(all[i+len(text):])
		}
		d.mu.Unlock()
		if i >= 0 {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("%q does not come; there is %q; the state is %+v", text, all, d.consoles.Ways())
		}
	}
}

func (d *desk) state(want string) {
	d.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		ways := d.consoles.Ways()
		if len(ways) == 1 && ways[0].State == want {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("the state is %+v, want %s", ways, want)
		}
	}
}

func (d *desk) types(text string) {
	d.t.Helper()
	if _, err := d.master.WriteString(text); err != nil {
		d.t.Fatal(err)
	}
}

const greeting = "Watchpost, Gate 3. Press Enter to begin.\r\n"

// CR, LF and CR LF begin; nothing else does, and the line feed is no key.
func TestGreeting(t *testing.T) {
	d := newDesk(t, Options{})
	d.sees(greeting)
	d.state("ready")
	for _, enter := range []string{"\r\n", "\r", "\n", "login: root\x00\xff\x1b[A\r\n"} {
		d.types(enter)
		d.sees("SHOWN")
		d.state("in use")
		d.types("xq")
		d.sees(`<'x'>`)
		d.mu.Lock()
		if strings.Contains(d.seen.String(), `<'\n'>`) {
			t.Errorf("the line feed of %q was a key", enter)
		}
		d.mu.Unlock()
		d.sees(greeting)
	}
	l := <-d.shown
	if l.Baud != 115200 || l.Size.Known() || len(l.Env) != 1 || l.Env[0] != "TERM=vt220" {
		t.Errorf("the line is %+v", l)
	}
}

func TestPassword(t *testing.T) {
	hash, err := secret.Hash("let me in")
	if err != nil {
		t.Fatal(err)
	}
	var paid []int
	d := newDesk(t, Options{penalty: func(n int) time.Duration { paid = append(paid, n); return 50 * time.Millisecond }})
	d.change(func(s *Settings) { s.Password = hash })
	for range 2 {
		d.sees(greeting)
		d.types("\r\n")
		d.sees("Password: ")
		d.types("let me in\x1b[A!\r\n")
		d.sees("That is not it. Wait 1 s.")
		d.types("let me in\r") // while nobody listens
	}
	d.sees(greeting)
	d.types("\r")
	d.sees("Password: ")
	d.types("\x03")
	d.sees(greeting)
	d.types("\r")
	d.sees("Password: ")
	d.types("let me inn\x7f\r\n")
	d.sees("SHOWN")
	d.types("q")
	d.sees(`<'q'>`)
	d.stop()
	if fmt.Sprint(paid) != "[1 2]" {
		t.Errorf("paid for tries %v", paid)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if strings.Contains(d.seen.String(), "let me") {
		t.Errorf("the password was echoed: %q", d.seen.String())
	}
}

func TestPenaltyIsBounded(t *testing.T) {
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		if got := penalty(n); got != want {
			t.Errorf("after %d: %v, want %v", n, got, want)
		}
	}
}

// Who types nothing for long is sent away, also where the line is stopped by him.
func TestIdle(t *testing.T) {
	d := newDesk(t, Options{idle: 300 * time.Millisecond})
	d.sees(greeting)
	d.types("\r")
	d.sees("SHOWN")
	d.sees("Nothing was typed for long")
	d.sees(greeting)
	d.state("ready")
}

// The cable is pulled in the middle of a session: it ends, the state says so without
// being a problem, and the port is greeted on when it is back.
func TestUnpluggedAndBack(t *testing.T) {
	d := newDesk(t, Options{})
	d.sees(greeting)
	d.types("\r")
	d.sees("SHOWN")
	d.unplug()
	d.state("absent")
	if w := d.consoles.Ways()[0]; !w.Quiet || w.Problem == "" {
		t.Errorf("it is told as %+v", w)
	}
	d.plug()
	d.sees(greeting)
	d.types("\r")
	d.sees("SHOWN")
	d.state("in use")
}

// A port that never was there is a problem; one that another has says who.
func TestNotThereAndTaken(t *testing.T) {
	d := newDesk(t, Options{})
	d.sees(greeting)
	d.change(func(s *Settings) {
		s.Consoles = []config.Serial{{Device: d.device + "x", Baud: 115200, Term: "vt220", Flow: "none"}}
	})
	d.state("absent")
	for end := time.Now().Add(patience); d.consoles.Ways()[0].Problem == ""; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no problem is told")
		}
	}
	if w := d.consoles.Ways()[0]; w.Quiet || !strings.Contains(w.Problem, "no such file") {
		t.Errorf("%+v", w)
	}
	other, err := port.Open(d.device, port.Config{Baud: 9600})
	if err != nil {
		t.Fatal(err)
	}
	d.change(func(s *Settings) {
		s.Consoles = []config.Serial{{Device: d.device, Baud: 9600, Term: "vt100", Flow: "none"}}
	})
	d.state("taken")
	other.Close()
	d.sees(greeting)
	d.state("ready")
}

// Other settings end the session, with a word, and are in force at once.
func TestChangedLive(t *testing.T) {
	d := newDesk(t, Options{})
	d.sees(greeting)
	d.types("\r")
	d.sees("SHOWN")
	<-d.shown
	d.change(func(s *Settings) {
		s.Consoles = []config.Serial{{Device: d.device, Baud: 9600, Term: "linux", Flow: "none"}}
	})
	d.sees("The settings of this console have changed.")
	d.sees(greeting)
	d.types("\r")
	d.sees("SHOWN")
	if l := <-d.shown; l.Baud != 9600 || l.Env[0] != "TERM=linux" {
		t.Errorf("%+v", l)
	}
	d.change(func(s *Settings) { s.Consoles = nil })
	d.sees("The settings of this console have changed.")
	for end := time.Now().Add(patience); len(d.consoles.Ways()) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", d.consoles.Ways())
		}
	}
}

// A line that takes nothing any more holds nobody up: not the settings, not the end.
func TestStopped(t *testing.T) {
	d := newDesk(t, Options{Show: func(ctx context.Context, l *term.Line) error {
		for ctx.Err() == nil { // as prompts do: without a deadline
			if _, err := io.WriteString(l.Port, strings.Repeat("x", 4096)); err != nil {
				return err
			}
		}
		return ctx.Err()
	}})
	d.sees(greeting)
	d.change(func(s *Settings) {
		s.Consoles = []config.Serial{{Device: d.device, Baud: 115200, Term: "vt220", Flow: "xonxoff"}}
	})
	d.sees(greeting)
	d.types("\r")
	d.sees("xxxx")
	d.types("\x13") // ctrl+s
	time.Sleep(100 * time.Millisecond)
	d.stop()
}
