package hw

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"watchpost/engine/frame"
	"watchpost/hw/mjpeg"
)

// directory is a recording kept as one JPEG file a picture.
type directory struct {
	path  string
	names []string
	buf   []byte
}

func openDirectory(path string) (reader, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, plainPath(err)
	}
	d := &directory{path: path}
	for _, e := range entries {
		if ext := strings.ToLower(filepath.Ext(e.Name())); (ext == ".jpg" || ext == ".jpeg") && !e.IsDir() {
			d.names = append(d.names, e.Name())
		}
	}
	if len(d.names) == 0 {
		return nil, errors.New("the directory holds no JPEG files (*.jpg, *.jpeg)")
	}
	slices.SortFunc(d.names, naturalOrder)
	return d, nil
}

func (d *directory) rate() float64 { return 0 }

func (d *directory) Close() error { return nil }

func (d *directory) next(f *frame.Frame) error {
	if len(d.names) == 0 {
		return io.EOF
	}
	name := d.names[0]
	d.names = d.names[1:]
	file, err := os.Open(filepath.Join(d.path, name))
	if err != nil {
		return fmt.Errorf("%s: %w", name, plainPath(err))
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", name, plainPath(err))
	}
	if st.Size() > maxJPEG {
		return fmt.Errorf("%s has %d bytes, more than the %d that a picture may have", name, st.Size(), maxJPEG)
	}
	d.buf = slices.Grow(d.buf[:0], int(st.Size()))[:st.Size()]
	if _, err := io.ReadFull(file, d.buf); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	setJPEG(f, d.buf)
	return nil
}

// setJPEG makes f the picture data, with its dimensions where they can be read.
func setJPEG(f *frame.Frame, data []byte) {
	f.Format, f.FullRange, f.Stride, f.Data = frame.MJPEG, true, 0, data
	if h := mjpeg.ReadHeader(data); h.Width > 0 && h.Height > 0 {
		f.Width, f.Height = h.Width, h.Height
	}
}

// naturalOrder compares names with their runs of digits as numbers: img2
// before img10.
func naturalOrder(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		dx, dy := leadingDigits(x), leadingDigits(y)
		if dx == "" || dy == "" {
			if x[0] != y[0] {
				return int(x[0]) - int(y[0])
			}
			x, y = x[1:], y[1:]
			continue
		}
		nx, ny := strings.TrimLeft(dx, "0"), strings.TrimLeft(dy, "0")
		if len(nx) != len(ny) {
			return len(nx) - len(ny)
		}
		if c := strings.Compare(nx, ny); c != 0 {
			return c
		}
		x, y = x[len(dx):], y[len(dy):]
	}
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(a, b)
}

func leadingDigits(s string) string {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}
