package hw

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"watchpost/engine/frame"
)

// y4mMagic starts a YUV4MPEG2 stream (mjpegtools, yuv4mpeg(5)).
const y4mMagic = "YUV4MPEG2 "

// y4m reads a YUV4MPEG2 stream of 8-bit pictures. Chroma finer than 4:2:0 is
// reduced to that.
type y4m struct {
	r     *bufio.Reader
	close io.Closer
	w, h  int
	fps   float64
	full  bool
	form  frame.Format
	raw   []byte // one picture as the file has it
	buf   []byte // and as YU12, where that differs
	cw    int    // width of the file's chroma planes
	ch    int
}

func newY4M(r *bufio.Reader, c io.Closer) (*y4m, error) {
	y := &y4m{r: r, close: c}
	line, err := y.line()
	if err != nil {
		return y, fmt.Errorf("YUV4MPEG2 header: %w", cutShort(err))
	}
	if err := y.header(string(line)); err != nil {
		return y, fmt.Errorf("YUV4MPEG2 header: %w", err)
	}
	return y, nil
}

// line reads one line of at most 4 KiB.
func (y *y4m) line() ([]byte, error) {
	const limit = 4 << 10
	chunk, err := y.r.ReadSlice('\n')
	switch {
	case err == io.EOF && len(chunk) > 0 && len(chunk) < limit:
		return nil, io.ErrUnexpectedEOF
	case err == bufio.ErrBufferFull, len(chunk) > limit:
		return nil, errors.New("a line of more than 4 KiB: damaged, or not YUV4MPEG2")
	case err != nil:
		return nil, err
	}
	return chunk[:len(chunk)-1], nil
}

func (y *y4m) header(line string) error {
	if !strings.HasPrefix(line, y4mMagic) {
		return errors.New("its first line is missing")
	}
	chroma := "420"
	for tag := range strings.FieldsSeq(line[len(y4mMagic):]) {
		val := tag[1:]
		var err error
		switch tag[0] {
		case 'W':
			y.w, err = strconv.Atoi(val)
		case 'H':
			y.h, err = strconv.Atoi(val)
		case 'F':
			y.fps, err = ratio(val)
		case 'C':
			chroma = val
		case 'X':
			if val == "COLORRANGE=FULL" {
				y.full = true
			}
		}
		if err != nil {
			return fmt.Errorf("%q is no number", tag)
		}
	}
	if y.w < 1 || y.h < 1 || y.w > maxSide || y.h > maxSide || y.w*y.h > maxPixels {
		return fmt.Errorf("a picture of %dx%d pixels: 1x1 to 7680x4320 can be read", y.w, y.h)
	}
	y.form = frame.YU12
	switch chroma {
	case "mono":
		y.form = frame.GREY
	case "420", "420jpeg", "420mpeg2", "420paldv":
		y.cw, y.ch = (y.w+1)/2, (y.h+1)/2
	case "422":
		y.cw, y.ch = (y.w+1)/2, y.h
	case "444":
		y.cw, y.ch = y.w, y.h
	default:
		return fmt.Errorf("chroma layout C%.20s cannot be read: convert it with ffmpeg -pix_fmt yuv420p", chroma)
	}
	y.raw = make([]byte, y.w*y.h+2*y.cw*y.ch)
	return nil
}

// ratio reads the rate N:D; 0:0 is unknown.
func ratio(s string) (float64, error) {
	n, d, _ := strings.Cut(s, ":")
	num, err := strconv.Atoi(n)
	if err != nil {
		return 0, err
	}
	den, err := strconv.Atoi(d)
	if err != nil || num <= 0 || den <= 0 {
		return 0, err
	}
	return float64(num) / float64(den), nil
}

func (y *y4m) rate() float64 { return y.fps }

func (y *y4m) Close() error { return closeOwned(y.close) }

func (y *y4m) next(f *frame.Frame) error {
	line, err := y.line()
	if err == io.EOF {
		return err
	}
	if err != nil {
		return fmt.Errorf("YUV4MPEG2: %w", cutShort(err))
	}
	if !bytes.Equal(line, []byte("FRAME")) && !bytes.HasPrefix(line, []byte("FRAME ")) {
		return errors.New("YUV4MPEG2: a picture does not begin with FRAME: the file is damaged")
	}
	if _, err := io.ReadFull(y.r, y.raw); err != nil {
		return fmt.Errorf("YUV4MPEG2: %w", cutShort(err))
	}
	f.Format, f.Width, f.Height, f.Stride, f.FullRange = y.form, y.w, y.h, y.w, y.full
	f.Data = y.raw
	if cw, ch := (y.w+1)/2, (y.h+1)/2; y.form == frame.YU12 && (y.cw != cw || y.ch != ch) {
		f.Data = y.reduce(cw, ch)
	}
	return nil
}

// reduce brings the chroma planes to cw x ch, the mean of the samples that
// fall on one.
func (y *y4m) reduce(cw, ch int) []byte {
	luma := y.w * y.h
	y.buf = append(y.buf[:0], y.raw[:luma]...)
	dx, dy := 1, 1 // to the second sample of a pair
	if y.cw == cw {
		dx = 0
	}
	if y.ch == ch {
		dy = 0
	}
	for plane := range 2 {
		src := y.raw[luma+plane*y.cw*y.ch:][:y.cw*y.ch]
		for j := range ch {
			row := src[j*(1+dy)*y.cw:][:y.cw]
			below := src[min(j*(1+dy)+dy, y.ch-1)*y.cw:][:y.cw]
			for i := range cw {
				a := i * (1 + dx)
				b := min(a+dx, y.cw-1)
				sum := int(row[a]) + int(row[b]) + int(below[a]) + int(below[b])
				y.buf = append(y.buf, byte((sum+2)/4))
			}
		}
	}
	return y.buf
}
