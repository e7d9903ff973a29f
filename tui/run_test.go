package tui

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/tui/term"
	"watchpost/tui/term/termtest"
)

// run starts the interface on a pseudo terminal of that size.
func run(t *testing.T, f *fake, w, h uint16) (master *os.File, stop func() error) {
	t.Helper()
	master, slave := termtest.PTY(t, w, h)
	line, err := term.Local(slave, slave, []string{"TERM=vt220"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, f, Options{Line: line, Rights: Rights{Commands: true}, Now: func() time.Time { return noon }})
	}()
	stop = func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			t.Fatal("Run does not return")
			return nil
		}
	}
	t.Cleanup(cancel)
	return master, stop
}

// A serial line says 0x0. It is asked, and the answer is the size.
func TestSerialSize(t *testing.T) {
	master, stop := run(t, newFake(), 0, 0)
	first := comes(t, master, term.AskSize)
	if strings.Contains(first, "\x1b[?1049h") || strings.Contains(first, "\x1b[>") {
		t.Errorf("a vt220 was sent %q", first)
	}
	if _, err := master.WriteString("\x1b[10;40R"); err != nil {
		t.Fatal(err)
	}
	comes(t, master, "Watchpost needs 60 columns")
	if _, err := master.WriteString("\x0c"); err != nil { // ctrl+l asks again
		t.Fatal(err)
	}
	comes(t, master, term.AskSize)
	if _, err := master.WriteString("\x1b[24;80R"); err != nil {
		t.Fatal(err)
	}
	comes(t, master, "1 Status")
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Nobody reads the line: the interface still ends when it is told to, and one
// that starts reading again gets a whole screen.
func TestStalledLine(t *testing.T) {
	f := newFake()
	master, stop := run(t, f, 80, 24)
	s := f.snap.Status
	for i := range 400 { // more than a line's buffers hold
		s.Site = strings.Repeat(string(rune('a'+i%26)), 39)
		s.Camera.Source = strings.Repeat(string(rune('a'+i%26)), 20)
		s.Camera.Problem = s.Site
		again := s
		select {
		case f.feed <- event.Event{Status: &again}:
		case <-time.After(patience):
			t.Fatal("the interface does not take events any more")
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	s.Site = "recovered"
	f.feed <- event.Event{Status: &s}
	comes(t, master, "recovered")
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestStalledLineEnds(t *testing.T) {
	f := newFake()
	_, stop := run(t, f, 80, 24)
	s := f.snap.Status
	for i := range 400 {
		s.Site = strings.Repeat(string(rune('a'+i%26)), 39)
		again := s
		select {
		case f.feed <- event.Event{Status: &again}:
		case <-time.After(patience):
			t.Fatal("the interface does not take events any more")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What is typed while a save is under way is not lost by its success.
func TestTypedWhileSaving(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.edit("smtp.server", "a.example.net")
	s.edit("smtp.password", "new")
	s.press("ctrl+w")
	s.edit("smtp.server", "b.example.net")
	saved := s.f.settings
	saved.Config.SMTP.Server, saved.Revision = "a.example.net", "r2"
	s.send(appliedMsg{settings: saved})
	if got := s.draft.Raw("smtp.server"); got != "b.example.net" || s.unsaved() != 1 {
		t.Errorf("%q, %d unsaved", got, s.unsaved())
	}
	if got := s.mailPage().edit.String(); got != "b.example.net" {
		t.Errorf("the field shows %q", got)
	}
}

func TestStamp(t *testing.T) {
	zone := berlin()
	for _, c := range []struct {
		at   time.Time
		mark bool
		want string
	}{
		{time.Date(2009, 6, 18, 17, 30, 20, 500e6, zone), false, "20090618173020500"},
		{time.Date(2009, 6, 18, 17, 30, 20, 500e6, zone), true, "20090618s173020500"},
		{time.Date(2009, 12, 18, 17, 30, 20, 7e6, zone), true, "20091218173020007"},
		{time.Date(2009, 6, 18, 17, 30, 20, 999_999_999, zone), false, "20090618173020999"},
	} {
		if got := config.Stamp(c.at, c.mark); got != c.want {
			t.Errorf("stamp(%v, %v) = %s, want %s", c.at, c.mark, got, c.want)
		}
	}
}

func TestMeter(t *testing.T) {
	for _, c := range []struct {
		level, fires float64
		want         string
	}{
		{0, 0.15, "0.00/0.15 ..."},
		{0.004, 0.15, "0.00/0.15 ..."},
		{0.08, 0.15, "0.07/0.15 #.."},
		{0.1499, 0.15, "0.13/0.15 ##."},
		{0.15, 0.15, "0.15/0.15 ###"},
		{42, 0.15, "42.0/0.15 ###"},
		{100, 5, " 100/5.00 ###"},
	} {
		if got := meter(c.level, c.fires); got != c.want {
			t.Errorf("meter(%v, %v) = %q, want %q", c.level, c.fires, got, c.want)
		}
	}
}

// BenchmarkKey is a key typed in a field with its screen.
func BenchmarkKey(b *testing.B) {
	s := open(b, newFake(), 80, 24)
	s.edit("mail.subject", "")
	for b.Loop() {
		s.press("'x")
		s.View()
		s.press("backspace")
		s.View()
	}
}

// BenchmarkStatus is a status that comes with its screen.
func BenchmarkStatus(b *testing.B) {
	s := open(b, newFake(), 80, 24)
	for b.Loop() {
		s.send(eventsMsg{[]event.Event{{Status: &s.f.snap.Status}}})
		s.View()
	}
}

// A terminal that is not set to UTF-8 is told so, in a paste too.
func TestBytesThatAreNoText(t *testing.T) {
	master, stop := run(t, newFake(), 80, 24)
	comes(t, master, "1 Status")
	if _, err := master.WriteString("2\t\x1b[200~p\xe4ss\x1b[201~"); err != nil {
		t.Fatal(err)
	}
	comes(t, master, "UTF-8")
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
