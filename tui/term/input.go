package term

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"
)

// Input is what keys are read from. Bubble Tea drops bytes that are not UTF-8,
// and U+FFFD, from what is typed and pasted, and tells nobody; nor does it end
// where the line does. Input tells. It is for one reader at a time.
type Input struct {
	port        Port
	lost, ended func()
	rest        []byte // the beginning of a character whose end was not read yet

	reading sync.Mutex // held while reading
	mu      sync.Mutex // guards what follows
	stopped bool
	gone    error
}

// NewInput reads from p. It calls, from within Read, lost when what was read holds
// bytes that will be dropped, and ended when the line is gone.
func NewInput(p Port, lost, ended func()) *Input {
	return &Input{port: p, lost: lost, ended: ended}
}

// Read reads from the line; once that is gone, or Stop was called, it is io.EOF.
func (in *Input) Read(p []byte) (int, error) {
	in.reading.Lock()
	defer in.reading.Unlock()
	if in.over() {
		return 0, io.EOF
	}
	n, err := in.port.Read(p)
	if in.broken(p[:n]) {
		in.lost()
	}
	if err == nil || n > 0 {
		return n, nil
	}
	if in.over() && errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, io.EOF
	}
	in.mu.Lock()
	in.gone = err
	in.mu.Unlock()
	in.ended()
	return 0, io.EOF
}

func (in *Input) over() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.stopped || in.gone != nil
}

// Gone is what has ended the line, or nil.
func (in *Input) Gone() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.gone
}

// Stop ends the Read under way and all later ones, waits for that, and leaves the
// line to be read by whoever is next: no reader is left behind that would take
// his keys.
func (in *Input) Stop() {
	in.mu.Lock()
	in.stopped = true
	in.mu.Unlock()
	in.port.SetReadDeadline(time.Unix(1, 0))
	in.reading.Lock()
	in.port.SetReadDeadline(time.Time{})
	in.reading.Unlock()
}

// InputFile is the Input of a local terminal: a file in all else, for a program
// makes only a file of a terminal raw.
type InputFile struct {
	*os.File
	*Input
}

// Read reads through the Input.
func (f InputFile) Read(p []byte) (int, error) { return f.Input.Read(p) }

// broken reports whether the text read so far is broken in b.
func (in *Input) broken(b []byte) (broken bool) {
	b = append(in.rest, b...)
	in.rest = in.rest[:0]
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && !utf8.FullRune(b) {
			in.rest = append(in.rest, b...)
			break
		}
		broken = broken || r == utf8.RuneError
		b = b[n:]
	}
	return broken
}
