package term

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	xterm "github.com/charmbracelet/x/term"
)

// ErrNotTerminal says that a file is not a terminal.
var ErrNotTerminal = errors.New("not a terminal")

// TTY is an open terminal as a renderer wants it: Fd and Read are the file's it
// was made from, writing goes through a Filter and a Writer on a second opening
// of the same device. The second one is needed because a write deadline does
// nothing on a file whose Fd was called.
type TTY struct {
	Lines  *Writer // run its Watch
	first  *os.File
	second *os.File
	filter *Filter
}

// Open opens f's terminal a second time. f itself stays the caller's.
func Open(f *os.File, t Terminal) (*TTY, error) {
	if !Is(f) {
		return nil, fmt.Errorf("%s: %w", f.Name(), ErrNotTerminal)
	}
	// After su the device belongs to somebody else; /dev/tty is always ours.
	second, err := reopen("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
	if err != nil {
		if second, err = reopen("/dev/tty"); err != nil {
			return nil, fmt.Errorf("open the terminal a second time, for writing with a deadline: %w", err)
		}
	}
	w := NewWriter(second)
	return &TTY{Lines: w, first: f, second: second, filter: NewFilter(w, t)}, nil
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

// Fd is the first opening's descriptor, for its size and settings.
func (t *TTY) Fd() uintptr { return t.first.Fd() }

// Read reads from the first opening.
func (t *TTY) Read(p []byte) (int, error) { return t.first.Read(p) }

// Write writes through the filter and the deadline.
func (t *TTY) Write(p []byte) (int, error) { return t.filter.Write(p) }

// Close closes the second opening. What a stalled line has not taken is lost.
func (t *TTY) Close() error { return t.second.Close() }

// Is reports whether f is a terminal.
func Is(f *os.File) bool { return xterm.IsTerminal(f.Fd()) }

// SizeKnown reports whether the device tells its size; a serial line says 0x0.
func SizeKnown(f *os.File) bool {
	w, h, err := xterm.GetSize(f.Fd())
	return err == nil && w > 0 && h > 0
}

// AskSize is what to send to learn the size of a terminal that does not tell:
// save the cursor, go where the screen ends, report the position, restore. The
// reply, CSI row ; column R, is the size. A VT100 answers it.
const AskSize = "\x1b7\x1b[999;999H\x1b[6n\x1b8"
