package hw

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"watchpost/engine/frame"
	"watchpost/hw/mjpeg"
)

// maxGap bounds what may stand before the first picture and between two of
// them: a multipart header, padding.
const maxGap = 1 << 20

// mjpegStream splits a stream of JPEG pictures, one after another, at their markers.
// Segments are skipped by their length, so that a thumbnail inside one does
// not end the picture that holds it.
type mjpegStream struct {
	r       *bufio.Reader
	close   io.Closer
	buf     []byte
	started bool // the start marker of the next picture has been read
}

func newMJPEG(r *bufio.Reader, c io.Closer) (*mjpegStream, error) {
	m := &mjpegStream{r: r, close: c}
	if err := m.start(); err == io.EOF || errors.Is(err, errNoPicture) {
		return m, errors.New("not an MJPEG stream: no JPEG picture starts in it")
	} else if err != nil {
		return m, err
	}
	m.started = true
	return m, nil
}

func (m *mjpegStream) rate() float64 { return 0 }

func (m *mjpegStream) Close() error { return closeOwned(m.close) }

var errNoPicture = errors.New("no JPEG picture follows; the rest is something else")

// start reads up to the start marker of a picture.
func (m *mjpegStream) start() error {
	last := byte(0)
	for n := 0; ; n++ {
		b, err := m.r.ReadByte()
		if err != nil {
			return err
		}
		if last == 0xFF && b == mjpeg.SOI {
			return nil
		}
		if n > maxGap {
			return errNoPicture
		}
		last = b
	}
}

func (m *mjpegStream) next(f *frame.Frame) error {
	if !m.started {
		if err := m.start(); err != nil {
			return err
		}
	}
	m.started = false
	m.buf = append(m.buf[:0], 0xFF, mjpeg.SOI)
	for {
		marker, err := m.marker()
		if err != nil {
			return cutShort(err)
		}
		switch {
		case marker == mjpeg.EOI:
			setJPEG(f, m.buf)
			return nil
		case marker == mjpeg.SOI:
			// The picture before lacks its end. It is given as it is, so that the frame numbers stay right.
			m.started = true
			setJPEG(f, m.buf[:len(m.buf)-2])
			return nil
		case marker == mjpeg.TEM:
		default:
			if err := m.segment(); err != nil {
				return cutShort(err)
			}
		}
	}
}

// marker reads up to and with the next marker that is not a restart: in a
// healthy picture the next two bytes, or what follows the coded data.
func (m *mjpegStream) marker() (byte, error) {
	for {
		chunk, err := m.r.ReadSlice(0xFF)
		m.buf = append(m.buf, chunk...)
		if len(m.buf) > maxJPEG {
			return 0, errTooLarge
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return 0, err
		}
		b := byte(0xFF)
		for b == 0xFF { // fill bytes
			if b, err = m.r.ReadByte(); err != nil {
				return 0, err
			}
			if m.buf = append(m.buf, b); len(m.buf) > maxJPEG {
				return 0, errTooLarge
			}
		}
		if b != 0 && (b < mjpeg.RST0 || b > mjpeg.RST7) {
			return b, nil
		}
	}
}

// segment reads a marker's segment, whose length counts its own two bytes. A
// length below two is damage: the search for the next marker goes on from there.
func (m *mjpegStream) segment() error {
	at := len(m.buf)
	if err := m.read(2); err != nil {
		return err
	}
	n := int(m.buf[at])<<8 | int(m.buf[at+1])
	return m.read(max(n-2, 0))
}

func (m *mjpegStream) read(n int) error {
	at := len(m.buf)
	if at+n > maxJPEG {
		return errTooLarge
	}
	m.buf = slices.Grow(m.buf, n)[:at+n]
	_, err := io.ReadFull(m.r, m.buf[at:])
	return err
}

var errTooLarge = fmt.Errorf("a picture of more than %d bytes: the stream is damaged, or not MJPEG", maxJPEG)

// cutShort says what an end of file in the middle of a picture is.
func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w, in the middle of a picture", ErrTruncated)
	}
	return err
}
