package term

import (
	"errors"
	"io"
	"os"

	xterm "github.com/charmbracelet/x/term"
)

// ErrNotTerminal says that a file is not a terminal.
var ErrNotTerminal = errors.New("not a terminal")

// Screen is a line as a renderer writes to it: through a Filter and a Writer.
type Screen struct {
	Lines  *Writer // run its Watch
	filter *Filter
}

// NewScreen writes to l, a terminal that does what t says.
func NewScreen(l *Line, t Terminal) *Screen {
	w := NewWriter(l.Port)
	var out io.Writer = w
	if l.local == nil {
		out = newlines{w}
		if l.Baud == 0 {
			w.chunk = packet
		}
	}
	return &Screen{Lines: w, filter: NewFilter(out, t)}
}

// Write writes through the filter and the deadline.
func (s *Screen) Write(p []byte) (int, error) { return s.filter.Write(p) }

// TTY is the screen of a local terminal: Fd and Read are the first opening's,
// for its size and settings. Writing is to a second one, because a write
// deadline does nothing on a file whose Fd was called.
type TTY struct {
	*Screen
	First *os.File
}

// Fd is the first opening's descriptor.
func (t TTY) Fd() uintptr { return t.First.Fd() }

// Read reads from the first opening.
func (t TTY) Read(p []byte) (int, error) { return t.First.Read(p) }

// Close closes nothing: the line is its opener's.
func (t TTY) Close() error { return nil }

// Is reports whether f is a terminal.
func Is(f *os.File) bool { return xterm.IsTerminal(f.Fd()) }

// SizeKnown reports whether the device tells its size; a serial line says 0x0.
func SizeKnown(f *os.File) bool { return sizeOf(f).Known() }

func sizeOf(f *os.File) Size {
	w, h, err := xterm.GetSize(f.Fd())
	if err != nil {
		return Size{}
	}
	return Size{w, h}
}

// AskSize is what to send to learn the size of a terminal that does not tell:
// save the cursor, go where the screen ends, report the position, restore. The
// reply, CSI row ; column R, is the size. A VT100 answers it.
const AskSize = "\x1b7\x1b[999;999H\x1b[6n\x1b8"
