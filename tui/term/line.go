package term

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Line is a terminal that a session runs on: this one (Local), an SSH channel
// (NewPipe), a serial line.
type Line struct {
	// Port carries the keys and the screen.
	Port Port
	// Env is NAME=value: TERM, NO_COLOR, COLORTERM and the locale are read.
	Env []string
	// Size is the size at the start; the zero one is not known, and asked for.
	Size Size
	// Resized tells each later size; nil: nothing does.
	Resized <-chan Size
	// Baud is how many bits a second a slow line carries, ten for a byte; 0: a fast one.
	Baud int

	local *os.File // the terminal's first opening, whose settings and size are the renderer's
}

// Port is both directions of a line, with deadlines: an opened device, a network
// connection, a Pipe. A read or write that its deadline ends returns
// os.ErrDeadlineExceeded; setting a deadline ends those under way too.
type Port interface {
	io.Reader
	Output
	SetReadDeadline(time.Time) error
}

// Size is a terminal's in character cells.
type Size struct{ Width, Height int }

// Known reports whether s is a size.
func (s Size) Known() bool { return s.Width > 0 && s.Height > 0 }

// FPS is how often a second the screen is drawn at most: what the line carries.
func (l *Line) FPS() int {
	switch {
	case l.Baud <= 0 || l.Baud > 57600:
		return 20
	case l.Baud > 19200:
		return 10
	}
	return 5
}

// Local is the terminal of in and out; env nil: the process's. Close it.
func Local(in, out *os.File, env []string) (*Line, error) {
	for _, f := range []*os.File{in, out} {
		if !Is(f) {
			return nil, fmt.Errorf("%s: %w", f.Name(), ErrNotTerminal)
		}
	}
	if env == nil {
		env = os.Environ()
	}
	// After su the device belongs to somebody else; /dev/tty is always ours.
	second, err := reopen("/proc/self/fd/" + strconv.Itoa(int(out.Fd())))
	if err != nil {
		if second, err = reopen("/dev/tty"); err != nil {
			return nil, fmt.Errorf("open the terminal a second time, for writing with a deadline: %w", err)
		}
	}
	l := &Line{Port: local{second, in}, Env: env, local: out}
	if SizeKnown(out) {
		l.Size = sizeOf(out)
	}
	return l, nil
}

// local reads from one opening of the terminal, as the program's renderer does
// itself, and writes to another.
type local struct {
	*os.File
	in *os.File
}

func (l local) Read(p []byte) (int, error) { return l.in.Read(p) }

// Close closes what Local opened. What a stalled line has not taken is lost.
func (l *Line) Close() error {
	if p, ok := l.Port.(local); ok {
		return p.File.Close()
	}
	return nil
}

// File is what the renderer sets and asks, nil where the line is no local terminal.
func (l *Line) File() (in, out *os.File) {
	if p, ok := l.Port.(local); ok {
		return p.in, l.local
	}
	return nil, nil
}

func reopen(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := f.SetWriteDeadline(time.Time{}); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// newlines makes each line feed a carriage return and one: a renderer on what is
// no terminal of this system takes that for the line's business.
type newlines struct{ w io.Writer }

func (n newlines) Write(p []byte) (int, error) {
	if _, err := n.w.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}
