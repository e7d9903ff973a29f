package hw

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"watchpost/engine/frame"
	"watchpost/hw/mjpeg"
)

// ErrTruncated is wrapped by the error of a clip that stops in the middle of a
// picture. The whole pictures before it have been given.
var ErrTruncated = errors.New("the file ends too early")

// defaultRate is the rate, in frames a second, of a clip that does not state its own.
const defaultRate = 10

const (
	maxRate   = 1000
	maxJPEG   = 32 << 20 // bytes of one compressed picture
	maxSide   = 16384    // pixels
	maxPixels = mjpeg.MaxPixels
)

// reader is one kind of recording. next fills in everything of f but its
// number and its clock; rate is 0 where the recording states none.
type reader interface {
	next(f *frame.Frame) error
	rate() float64
	Close() error
}

// Clip is an open recording. It belongs to one goroutine.
type Clip struct {
	ctx  context.Context
	name string
	r    reader
	fps  float64
	seq  uint64
}

// OpenClip opens a recording: a directory of JPEG files (in natural order of
// their names), an MJPEG or YUV4MPEG2 file, "-" for either of the two on stdin,
// or anything else that ffmpeg can read. fps, frames a second, overrides the
// recording's own rate; 0 keeps that, or takes 10 where there is none.
//
// The end of ctx stops ffmpeg and makes Next fail; it cannot interrupt a read of stdin or of a named pipe.
func OpenClip(ctx context.Context, path string, fps float64, stdin io.Reader) (*Clip, error) {
	if fps < 0 || fps > maxRate || math.IsNaN(fps) {
		return nil, fmt.Errorf("clip %s: a rate of %g frames a second is impossible: give one between 0 and %d", path, fps, maxRate)
	}
	r, err := openReader(ctx, path, stdin)
	if err != nil {
		return nil, fmt.Errorf("clip %s: %w", path, err)
	}
	c := &Clip{ctx: ctx, name: path, r: r, fps: fps}
	if c.fps == 0 {
		c.fps = r.rate()
	}
	if !(c.fps > 0 && c.fps <= maxRate) {
		c.fps = defaultRate
	}
	return c, nil
}

// FPS returns the rate that Next's clock goes by, frames a second.
func (c *Clip) FPS() float64 { return c.fps }

// Next reads the next picture into f, whose Data is valid until the next call.
// Seq counts from 0 and Mono is Seq divided by the rate; At is zero. The error is
// io.EOF after the last picture; it wraps ErrTruncated where the last one is
// not whole. A JPEG that cannot be read is given as it is, so that the frame
// numbers stay right; Width and Height are those of the picture before it, or 0.
func (c *Clip) Next(f *frame.Frame) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	*f = frame.Frame{Width: f.Width, Height: f.Height, Data: f.Data}
	if c.seq == 0 {
		f.Width, f.Height = 0, 0
	}
	if err := c.r.next(f); err != nil {
		if cause := c.ctx.Err(); cause != nil {
			return cause
		}
		if err == io.EOF {
			return err
		}
		return fmt.Errorf("clip %s: after %d pictures: %w", c.name, c.seq, err)
	}
	f.Seq = c.seq
	f.Mono = time.Duration(float64(c.seq) / c.fps * float64(time.Second))
	c.seq++
	return nil
}

// Close releases the recording and ends ffmpeg. It may be called twice.
func (c *Clip) Close() error { return c.r.Close() }

func openReader(ctx context.Context, path string, stdin io.Reader) (reader, error) {
	if path == "-" {
		return openStdin(stdin)
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("no such file or directory: check the path")
	case err != nil:
		return nil, plainPath(err)
	case st.IsDir():
		return openDirectory(path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, plainPath(err)
	}
	br := bufio.NewReaderSize(file, 256<<10)
	head, _ := br.Peek(len(y4mMagic)) // a short file is short
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case len(head) == 0:
		err = errors.New("it is empty: not a video")
	case isY4M(head):
		return orClose(newY4M(br, file))
	case isJPEG(head), ext == ".mjpeg", ext == ".mjpg":
		return orClose(newMJPEG(br, file))
	case ext == ".y4m":
		err = errors.New("not a YUV4MPEG2 file, though it is called so: its first line is missing")
	case !st.Mode().IsRegular():
		err = errors.New("neither an MJPEG nor a YUV4MPEG2 stream, and only those two can be read from a pipe or device")
	default:
		container := bytes.HasPrefix(head[min(4, len(head)):], []byte("ftyp"))
		file.Close()
		return openFFmpeg(ctx, path, container)
	}
	file.Close()
	return nil, err
}

func openStdin(stdin io.Reader) (reader, error) {
	if stdin == nil {
		return nil, errors.New("there is no standard input")
	}
	br := bufio.NewReaderSize(stdin, 256<<10)
	head, err := br.Peek(len(y4mMagic))
	switch {
	case isY4M(head):
		return orClose(newY4M(br, nil))
	case isJPEG(head):
		return orClose(newMJPEG(br, nil))
	case len(head) == 0 && err == io.EOF:
		return nil, errors.New("standard input is empty")
	case err != nil && err != io.EOF:
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	return nil, errors.New("standard input is neither YUV4MPEG2 nor MJPEG: convert it, as with ffmpeg -i … -f yuv4mpegpipe -pix_fmt yuv420p -")
}

// orClose closes what a reader owns when it could not be made.
func orClose[R reader](r R, err error) (reader, error) {
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// closeOwned closes what a reader owns; standard input is not its own.
func closeOwned(c io.Closer) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

// plainPath drops the path that the os package repeats in its errors.
func plainPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func isY4M(head []byte) bool { return bytes.HasPrefix(head, []byte(y4mMagic)) }
