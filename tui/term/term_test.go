package term

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/sys/unix"

	"watchpost/tui/term/termtest"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		env     string
		dumb    bool
		modern  bool
		utf8    bool
		profile colorprofile.Profile
	}{
		{"TERM=xterm-256color LANG=de_DE.UTF-8", false, true, true, colorprofile.ANSI256},
		{"TERM=xterm LANG=C", false, true, false, colorprofile.ANSI},
		{"TERM=xterm-256color COLORTERM=truecolor LC_ALL=C LANG=en_GB.UTF-8", false, true, false, colorprofile.TrueColor},
		{"TERM=xterm-kitty LC_CTYPE=C.utf8", false, true, true, colorprofile.TrueColor},
		{"TERM=tmux-256color", false, true, false, colorprofile.ANSI256},
		{"TERM=screen.xterm-256color", false, false, false, colorprofile.Ascii},
		{"TERM=screen-256color", false, false, false, colorprofile.ANSI256},
		{"TERM=nsterm", false, true, false, colorprofile.ANSI},
		{"TERM=vt100", false, false, false, colorprofile.Ascii},
		{"TERM=vt220 COLORTERM=truecolor", false, false, false, colorprofile.Ascii},
		{"TERM=linux LANG=C.UTF-8", false, false, true, colorprofile.ANSI},
		{"TERM=xterm-256color NO_COLOR=yes", false, true, false, colorprofile.Ascii},
		{"TERM=xterm NO_COLOR=0", false, true, false, colorprofile.Ascii},
		{"TERM=xterm NO_COLOR=", false, true, false, colorprofile.ANSI},
		{"TERM=xterm NO_COLOR=1 COLORTERM=truecolor", false, true, false, colorprofile.Ascii},
		{"TERM=something-new COLORTERM=24bit", false, false, false, colorprofile.Ascii},
		{"TERM=stterm", false, false, false, colorprofile.Ascii},
		{"TERM=dumb LANG=C.UTF-8", true, false, true, colorprofile.Ascii},
		{"TERM=xterm TERM=dumb", true, false, false, colorprofile.Ascii},
		{"LANG=C", true, false, false, colorprofile.Ascii},
	} {
		got := Of(strings.Fields(c.env))
		if got.Dumb != c.dumb || got.Modern != c.modern || got.UTF8 != c.utf8 || got.Profile != c.profile {
			t.Errorf("Of(%s) = %+v (profile %v)", c.env, got, got.Profile)
		}
	}
}

// What Bubble Tea 2.1.1 writes at its start and end.
const beginning = "\x1b[?2026$p\x1b[?2027$p\x1b[>4;0m\x1b[?1049h\x1b[?25l\x1b[?5W\x1b[?2004h\x1b[>4;2m\x1b[>1u\x1b[?u\x1b[1 q\x1b]0;title\x07\x1b[H\x1b[2Jbody\x1b[31mred\x1b[m\x1b[?25h"

func TestFilter(t *testing.T) {
	for _, c := range []struct{ term, in, want string }{
		{"xterm", beginning, "\x1b[?1049h\x1b[?25l\x1b[?5W\x1b[?2004h\x1b]0;title\x07\x1b[H\x1b[2Jbody\x1b[31mred\x1b[m\x1b[?25h"},
		{"vt100", beginning, clear + "\x1b[?25l\x1b[H\x1b[2Jbody\x1b[31mred\x1b[m\x1b[?25h"},
		{"xterm", "\x1b[>4m\x1b[<1u\x1b[=1;1u\x1b[?1049l", "\x1b[?1049l"},
		{"vt220", "\x1b[?1049l\x1b[?2004l", clear},
		{"vt100", "\x1b7\x1b[999;999H\x1b[6n\x1b8", "\x1b7\x1b[999;999H\x1b[6n\x1b8"},
		{"vt100", "\x1bPdevice\x1b\\\x1b_app\x1b\\after", "after"},
		{"xterm", "grün 漢字 👩‍👩‍👧 \x1b[4m", "grün 漢字 👩‍👩‍👧 \x1b[4m"},
		{"linux", "bad utf8 \xff\xfe", "bad utf8 \xff\xfe"},
		{"xterm", "", ""},
	} {
		tm := Of([]string{"TERM=" + c.term})
		var whole bytes.Buffer
		if n, err := NewFilter(&whole, tm).Write([]byte(c.in)); n != len(c.in) || err != nil {
			t.Errorf("%s: wrote %d, %v", c.term, n, err)
		}
		if whole.String() != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.term, &whole, c.want)
		}
		// Cut anywhere, it is the same.
		for i := range c.in {
			var parts bytes.Buffer
			f := NewFilter(&parts, tm)
			f.Write([]byte(c.in[:i]))
			f.Write([]byte(c.in[i:]))
			if parts.String() != c.want && !strings.Contains(c.in, "👩") && !strings.Contains(c.in, "\xff") {
				t.Errorf("%s cut at %d:\n got %q\nwant %q", c.term, i, &parts, c.want)
			}
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add([]byte(beginning), 7, true)
	f.Add([]byte("\x1b]"), 1, false)
	f.Add([]byte("\x1b["), 2, false)
	f.Fuzz(func(t *testing.T, b []byte, cut int, modern bool) {
		var out bytes.Buffer
		w := NewFilter(&out, Terminal{Modern: modern})
		cut = max(0, min(cut, len(b)))
		for _, p := range [][]byte{b[:cut], b[cut:], bytes.Repeat([]byte("x"), 2*maxPending)} {
			if n, err := w.Write(p); n != len(p) || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, len(p), err)
			}
		}
		if len(w.pending) > maxPending+len(b) {
			t.Fatalf("%d bytes pending", len(w.pending))
		}
		for _, never := range []string{"\x1b[>4;2m", "\x1b[>1u", "\x1b[?2026$p"} {
			if strings.Contains(out.String(), never) && !bytes.Contains(b, []byte("\x1b]")) && !bytes.Contains(b, []byte("\x1bP")) && !strings.ContainsAny(string(b), "\x90\x98\x9d\x9e\x9f") && !bytes.Contains(b, []byte("\x1b_")) && !bytes.Contains(b, []byte("\x1b^")) && !bytes.Contains(b, []byte("\x1bX")) {
				t.Fatalf("%q in %q from %q", never, &out, b)
			}
		}
	})
}

func TestASCII(t *testing.T) {
	for in, want := range map[string]string{
		"plain \x1b[1mbold\x1b[m":         "plain \x1b[1mbold\x1b[m",
		"Tür 漢字…":                         "T?r ????~",
		"── a–b · \x1b[2m“x”\x1b[m\nnext": "-- a-b . \x1b[2m\"x\"\x1b[m\nnext",
		"e\u0301": "e",
		"\xff":    "?",
	} {
		got := ASCII(in)
		if got != want {
			t.Errorf("ASCII(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzASCII(f *testing.F) {
	f.Add("Tür 漢字…\x1b[31m\x00")
	f.Fuzz(func(t *testing.T, s string) {
		for i, b := range []byte(ASCII(s)) {
			if b >= 0x7f {
				t.Fatalf("byte %d of %q is %#x", i, s, b)
			}
		}
	})
}

// stuck is an output that takes room bytes and then nothing.
type stuck struct {
	mu       sync.Mutex
	room     int
	got      bytes.Buffer
	deadline time.Time
}

func (s *stuck) SetWriteDeadline(t time.Time) error { s.deadline = t; return nil }

func (s *stuck) Write(p []byte) (int, error) {
	s.mu.Lock()
	n := min(s.room, len(p))
	s.room -= n
	s.got.Write(p[:n])
	s.mu.Unlock()
	if n < len(p) {
		time.Sleep(time.Until(s.deadline))
		return n, os.ErrDeadlineExceeded
	}
	return n, nil
}

func isStalled(w *Writer) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stalled
}

func TestStalledWriter(t *testing.T) {
	out := &stuck{room: 100}
	w := NewWriter(out)
	ctx, cancel := context.WithCancel(t.Context())
	recovered := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() { defer close(done); w.Watch(ctx, func() { recovered <- struct{}{} }) }()

	frame := bytes.Repeat([]byte("x"), 500)
	if n, err := w.Write(frame); n != 500 || err != nil {
		t.Fatalf("a stalled write returned %d, %v", n, err)
	}
	if !isStalled(w) {
		t.Fatal("not stalled")
	}
	begin := time.Now()
	for range 1000 {
		w.Write(frame)
	}
	if d := time.Since(begin); d > patience {
		t.Fatalf("1000 writes to a stalled line took %v", d)
	}
	out.mu.Lock()
	out.room = 1 << 20
	out.mu.Unlock()
	select {
	case <-recovered:
	case <-time.After(30 * time.Second):
		t.Fatal("the recovery was not told")
	}
	w.Write([]byte("again"))
	if !bytes.HasSuffix(out.got.Bytes(), []byte("\x18again")) {
		t.Errorf("after the recovery: %q", out.got.Bytes()[max(0, out.got.Len()-20):])
	}
	cancel()
	<-done
}

// gone is an output that has an error of its own.
type gone struct{ stuck }

func (*gone) Write([]byte) (int, error) { return 0, unix.EIO }

func TestWriterReportsALineThatIsGone(t *testing.T) {
	if _, err := NewWriter(&gone{}).Write([]byte("x")); !errors.Is(err, unix.EIO) {
		t.Errorf("error %v", err)
	}
}

// A terminal that nobody reads from takes a few kilobytes, then nothing. Its
// Fd has been called, as Bubble Tea does.
func TestStalledTTY(t *testing.T) {
	_, slave := termtest.PTY(t, 80, 24)
	_ = slave.Fd()
	line, err := Local(slave, slave, []string{"TERM=xterm"})
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	tty := NewScreen(line, Of(line.Env))
	begin := time.Now()
	for range 100 {
		if _, err := tty.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
			t.Fatal(err)
		}
	}
	if !isStalled(tty.Lines) {
		t.Fatal("100 writes of 4 kB, none of them read, and not stalled")
	}
	if d := time.Since(begin); d > 15*patience {
		t.Errorf("took %v", d)
	}
}

func TestSize(t *testing.T) {
	if _, slave := termtest.PTY(t, 0, 0); SizeKnown(slave) {
		t.Error("0x0 is a known size")
	}
	if _, slave := termtest.PTY(t, 80, 24); !SizeKnown(slave) {
		t.Error("80x24 is not")
	}
}

func TestOpenRefusesAFile(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Local(f, f, nil); !errors.Is(err, ErrNotTerminal) {
		t.Errorf("error %v", err)
	}
}

func TestInputTellsOfBytesThatAreNoText(t *testing.T) {
	for _, c := range []struct {
		in   string
		lost bool
	}{
		{"plain\x1b[200~Tür 漢字\x1b[201~\r", false},
		{"p\xe4ss", true},
		{"\x1b[200~p\xe4ss\x1b[201~", true},
		{"a\ufffdb", true},
		{"\xe4", false}, // its end may come
		{"\xe4x", true},
		{"\x80", true},
	} {
		for cut := range len(c.in) + 1 {
			in := NewInput(nil, nil, nil)
			first, second := in.broken([]byte(c.in[:cut])), in.broken([]byte(c.in[cut:]))
			if (first || second) != c.lost {
				t.Errorf("%q cut at %d: told %v", c.in, cut, !c.lost)
			}
		}
	}
}
