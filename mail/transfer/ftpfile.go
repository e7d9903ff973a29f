package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// source is a file that is being handed over, with what it holds known: a
// temporary file that a broken attempt left behind is continued by its size alone,
// so its name must say which bytes it is the beginning of.
type source struct {
	io.ReadSeekCloser
	size int64
	part string // the temporary name: NAME.HASH.part
	err  error  // of the last read
	read int64  // bytes since the last from
}

// openSource opens f and reads it once. Its fault is temporary: what is kept here cannot be read.
func openSource(f file) (*source, *fault) {
	r, err := f.open()
	if err != nil {
		return nil, unreadable(f, err)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(r, f.size+1))
	if err == nil && n != f.size {
		err = fmt.Errorf("it has not the %d bytes that were kept", f.size)
	}
	if err != nil {
		r.Close()
		return nil, unreadable(f, err)
	}
	name := f.name[:min(len(f.name), 200)] // with what is added less than 255 bytes, the most that file systems take
	return &source{ReadSeekCloser: r, size: f.size, part: name + "." + hex.EncodeToString(sum.Sum(nil)[:6]) + ".part"}, nil
}

// from begins to read at offset.
func (s *source) from(offset int64) error {
	s.read = 0
	_, s.err = s.Seek(offset, io.SeekStart)
	return s.err
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadSeekCloser.Read(p)
	s.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func unreadable(f file, err error) *fault {
	return &fault{kind: temporary, step: "store", err: err,
		text: fmt.Sprintf("The kept file %s cannot be read: %s", f.name, serverWords(err.Error(), "")),
		do:   "Check this box's disk; it is tried again."}
}
