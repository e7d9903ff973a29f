package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/tui/term"
)

// patience is how long a screen may take to show something, on a slow machine.
const patience = 20 * time.Second

// console is a program that runs in a virtual terminal.
type console struct {
	t     *testing.T
	em    *vt.SafeEmulator
	keys  *io.PipeWriter
	bytes atomic.Int64
	sent  atomic.Int64 // bytes, never set back
	out   *term.Filter
	done  chan error
	f     *fake
	mu    sync.Mutex
	raw   bytes.Buffer
}

// Write is the terminal's end of the line: LF comes as CR LF, since the pipe
// that is the program's input is no tty.
func (c *console) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	c.sent.Add(int64(len(p)))
	c.mu.Lock()
	c.raw.Write(p)
	c.mu.Unlock()
	if _, err := c.em.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func start(t *testing.T, f *fake, env string, w, h int) *console {
	t.Helper()
	c := &console{t: t, em: vt.NewSafeEmulator(w, h), done: make(chan error, 1), f: f}
	tm := term.Of(strings.Fields(env))
	c.out = term.NewFilter(c, tm)
	in, keys := io.Pipe()
	c.keys = keys
	go c.reply()
	ctx, cancel := context.WithCancel(context.Background())
	a := newApp(ctx, f, func() time.Time { return noon })
	a.ascii, a.wrote, a.flush = !tm.UTF8, c.sent.Load, time.Second/60
	a.paints = paintsOf(tm)
	p := tea.NewProgram(a, tea.WithInput(in), tea.WithOutput(c.out), tea.WithEnvironment(strings.Fields(env)),
		tea.WithColorProfile(tm.Profile), tea.WithFPS(60), tea.WithWindowSize(w, h), tea.WithoutSignalHandler())
	go func() {
		_, err := p.Run()
		c.done <- err
	}()
	t.Cleanup(func() {
		cancel()
		p.Quit()
		p.Wait()
		keys.Close()
		c.em.InputPipe().(io.Closer).Close() // ends the drain; Close itself races with Read
	})
	return c
}

// reply passes the terminal's answers to DA1 on; the others are drained.
func (c *console) reply() {
	buf := make([]byte, 256)
	for {
		n, err := c.em.Read(buf)
		if err != nil {
			return
		}
		if s := string(buf[:n]); strings.HasPrefix(s, "\x1b[?") && strings.HasSuffix(s, "c") {
			if _, err := c.keys.Write(buf[:n]); err != nil {
				return
			}
		}
	}
}

const xterm = "TERM=xterm-256color LANG=C.UTF-8"

func (c *console) screen() string {
	return ansi.Strip(c.em.Render())
}

func (c *console) typed(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.keys, s); err != nil {
		c.t.Fatal(err)
	}
}

// mail opens the Mail page and waits for the configuration.
func (c *console) mail() {
	c.t.Helper()
	c.typed("2")
	c.sees("[2 Mail]", "SMTP server")
}

// sees waits for all texts to stand on the screen.
func (c *console) sees(texts ...string) {
	c.t.Helper()
	end := time.Now().Add(patience)
	for {
		s := c.screen()
		missing := ""
		for _, t := range texts {
			if !strings.Contains(s, t) {
				missing = t
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("%q does not come on the screen:\n%s\nasked: %v", missing, s, c.f.asked())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// settled waits until nothing more is written and returns how much was since
// the last call.
func (c *console) settled() int64 {
	for {
		n := c.bytes.Load()
		time.Sleep(150 * time.Millisecond)
		if c.bytes.Load() == n {
			c.bytes.Store(0)
			return n
		}
	}
}

func (c *console) asked(want string) {
	c.t.Helper()
	for _, call := range c.f.asked() {
		if call == want {
			return
		}
	}
	c.t.Errorf("the engine was not asked %q but %q", want, c.f.asked())
}

// From an empty box to a delivered test mail.
func TestSetUp(t *testing.T) {
	c := start(t, emptyFake(), xterm, 80, 24)
	c.sees("Not set up yet")
	c.mail()
	c.sees("[2 Mail]", "Tab or Enter enters the first field")
	c.typed("\t")
	c.typed("2001:db8::25")
	c.sees("needs brackets", "An IPv6 address needs brackets")
	c.typed("\x06")
	c.sees("[2001:db8::25]", "ok  IPv6")
	c.typed("\x15")
	c.sees("2001:db8::25 ")
	c.typed("\x15")
	c.sees("SMTP server is empty again")
	c.typed("mail.example.net")
	c.sees("ok  host name")
	c.typed("\r\n\r\n\r\n\r\n") // port, security, login method, user name
	c.typed("gate3@example.net\rsecret words\r")
	c.sees("************")
	if strings.Contains(c.screen(), "secret words") {
		t.Fatal("the password is on the screen")
	}
	c.typed("gate3@example.net\rguard@")
	c.sees("..  incomplete")
	c.typed("\x17") // save
	c.sees("Not saved: Destination 1")
	c.typed("example.net\x14") // test
	c.sees("Save and send?", "guard@example.net")
	c.typed("y")
	c.sees("Test mail to guard@example.net", "ok lookup", "ok rcpt", "delivered to 1 of 1: 250 2.0.0 Ok")
	c.asked("test")
	for _, call := range c.f.asked() {
		if strings.HasPrefix(call, "apply") {
			for _, k := range []string{"smtp.server", "smtp.username", "smtp.password", "mail.reply_address", "mail.destinations"} {
				if !strings.Contains(call, k) {
					t.Errorf("%s lacks %s", call, k)
				}
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Contains(c.raw.Bytes(), []byte("secret")) {
		t.Error("the password was sent to the terminal")
	}
}

// A test that fails after a save offers the last good settings.
func TestFailedTestOffersLastGood(t *testing.T) {
	f := newFake()
	f.steps = refusedSteps()
	c := start(t, f, xterm, 80, 24)
	c.mail()
	c.typed("\t\x1b[Fx")
	c.sees("mail.example.netx", "2 Mail*")
	c.typed("\x14")
	c.sees("Save and send?")
	c.typed("y")
	c.sees("!  auth", "535 5.7.8", "tried again at 20:56", "r returns to the last good settings")
	c.typed("r")
	c.sees("Return to the last good settings")
	c.typed("y")
	c.sees("The last good settings are in force again", "[2 Mail]")
	c.asked("revert")
}

func TestDiagnosisIsCancelled(t *testing.T) {
	f := newFake()
	f.pause = time.Hour
	c := start(t, f, xterm, 80, 24)
	c.mail()
	c.typed("d")
	c.sees("Diagnosis, nothing is sent", "esc cancel")
	c.typed("\x07")
	c.sees("cancelled", "esc close")
	c.typed("\x07")
	c.sees("SMTP server")
}

func TestDiagnosisOfTheDraft(t *testing.T) {
	f := newFake()
	f.steps = refusedSteps()
	c := start(t, f, xterm, 80, 24)
	c.mail()
	c.typed("\tx\x04")
	c.sees("Diagnosis of the settings as typed, unsaved", "!  auth", "The server does not accept this user name and password")
	c.asked("diagnose 1")
	c.typed("\r")
	c.sees("> User name")
}

func TestConflict(t *testing.T) {
	f := newFake()
	c := start(t, f, xterm, 80, 24)
	c.mail()
	c.typed("\tx")
	c.sees("2 Mail*")
	f.mu.Lock()
	f.settings.Config.SMTP.Server, f.settings.Revision = "other.example.net", "r2"
	f.mu.Unlock()
	c.typed("\x17")
	c.sees("Changed elsewhere as well: SMTP server", "mail.example.netx")
	c.typed("\x17")
	c.sees("Save over what was changed elsewhere? SMTP server")
	c.typed("y")
	c.sees("Saved and in force", "[2 Mail]")
}

// What another session saves comes on this screen.
func TestChangedElsewhere(t *testing.T) {
	f := newFake()
	c := start(t, f, xterm, 80, 24)
	c.typed("2")
	c.sees("mail.example.net ")
	f.mu.Lock()
	f.settings.Config.SMTP.Server, f.settings.Revision = "other.example.net", "r2"
	f.mu.Unlock()
	s := f.snap.Status
	s.Revision = "r2"
	f.feed <- event.Event{Status: &s}
	c.sees("other.example.net")
}

func TestRefusedSave(t *testing.T) {
	f := newFake()
	f.applyErr = config.ErrRefused
	c := start(t, f, xterm, 80, 24)
	c.mail()
	c.typed("\tx\x17")
	c.sees("Not saved: the configuration was not accepted")
}

func TestQueue(t *testing.T) {
	c := start(t, newFake(), xterm, 80, 24)
	c.typed("6")
	c.sees("> 20:50:07", "held 1/2")
	c.typed("r")
	c.sees("This is delivered: nothing is left to retry or drop")
	c.typed("\x1b[B")
	c.sees("> 20:41:07", "550 5.1.1")
	c.typed("r")
	c.sees("It is tried again now")
	c.asked("retry 20261123-yard-2")
	c.typed("x")
	c.sees("Drop this mail for 1 recipient?")
	c.typed("n")
	c.sees("x drop")
	c.typed("xy")
	c.sees("The mail was dropped")
	c.asked("drop 20261123-yard-2")
}

func TestFire(t *testing.T) {
	c := start(t, newFake(), xterm, 80, 24)
	c.sees("armed")
	c.typed("f")
	c.sees("Fire which trigger by hand?", "1 yard", "2 door")
	c.typed("1")
	c.sees("yard fired; its mail is on the way")
	c.typed("f2")
	c.sees("door was not fired: trigger door is unavailable")
}

// Firings and what the server said of their mails come as they happen.
func TestLive(t *testing.T) {
	f := newFake()
	c := start(t, f, xterm, 80, 24)
	c.sees("Last results")
	f.feed <- event.Event{Firing: &event.Firing{Seq: 9, Trigger: "yard", At: noon, Disposition: event.Queued}}
	c.sees("20:51:07", "yard        queued")
	m := event.Mail{ID: "m9", Kind: event.Alarm, Firings: event.Seqs{{From: 9, To: 9}}, At: noon, Recipients: []event.Recipient{{Address: "a", State: event.Delivered, Reply: "250 accepted"}}}
	f.feed <- event.Event{Mail: &m}
	c.sees("yard        delivered      250 accepted")
}

func TestLeaving(t *testing.T) {
	c := start(t, newFake(), xterm, 80, 24)
	c.sees("armed")
	c.typed("q")
	c.sees("Stop Watchpost?")
	c.typed("n")
	c.sees("f fire a trigger")
	c.mail()
	c.typed("\tx\x03")
	c.sees("1 unsaved change will be lost")
	c.typed("y")
	select {
	case err := <-c.done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("still there")
	}
}

func TestEngineGoneAndBack(t *testing.T) {
	f := newFake()
	f.watchErr = errors.New("dial unix: no such file")
	c := start(t, f, xterm, 80, 24)
	c.sees("no engine", "The engine does not answer: dial unix")
	f.mu.Lock()
	f.watchErr = nil
	f.mu.Unlock()
	c.sees("armed", "yard")
}

// What was missed because this screen was slow comes with a new snapshot.
func TestLost(t *testing.T) {
	f := newFake()
	c := start(t, f, xterm, 80, 24)
	c.sees("Last results")
	f.mu.Lock()
	f.snap.Firings = append(f.snap.Firings, event.Firing{Seq: 77, Trigger: "missed", At: noon, Disposition: event.Outside})
	f.mu.Unlock()
	f.feed <- event.Event{Lost: 12}
	c.sees("missed")
	f.feed <- event.Event{Firing: &event.Firing{Seq: 78, Trigger: "after", At: noon, Disposition: event.Outside}}
	c.sees("missed", "after")
}

func TestRunRefuses(t *testing.T) {
	if err := Run(t.Context(), newFake(), Options{Line: &term.Line{Env: []string{"TERM=dumb"}}}); !errors.Is(err, ErrDumb) {
		t.Errorf("TERM=dumb: %v", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	t.Setenv("TERM", "xterm")
	in, out := os.Stdin, os.Stdout
	defer func() { os.Stdin, os.Stdout = in, out }()
	os.Stdin, os.Stdout = null, null
	if err := Run(t.Context(), newFake(), Options{}); !errors.Is(err, ErrNoTerminal) {
		t.Errorf("/dev/null: %v", err)
	}
}
