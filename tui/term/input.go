package term

import (
	"os"
	"unicode/utf8"
)

// Input is a terminal's file to read keys from. Bubble Tea drops bytes that are
// not UTF-8, and U+FFFD, from what is typed and pasted, and tells nobody; Input
// tells. It is for one reader at a time, and a file in all else, for a program
// makes only a file of a terminal raw.
type Input struct {
	*os.File
	lost func()
	rest []byte // the beginning of a character whose end was not read yet
}

// NewInput calls lost, from within Read, when what was read holds bytes that will be dropped.
func NewInput(f *os.File, lost func()) *Input { return &Input{File: f, lost: lost} }

// Read reads from the file.
func (in *Input) Read(p []byte) (int, error) {
	n, err := in.File.Read(p)
	if in.broken(p[:n]) {
		in.lost()
	}
	return n, err
}

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
