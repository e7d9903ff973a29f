package hw

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/vladimirvivien/go4vl/v4l2"
	"golang.org/x/sys/unix"

	"watchpost/engine/frame"
)

// v4l2Camera is a V4L2 capture node. go4vl gives types, capabilities, formats
// and rates; the streaming loop is v4l2_stream.go.
type v4l2Camera struct {
	path               string
	width, height, fps int
}

// Run streams from the node until ctx ends or the camera fails. Everything
// is unmapped and closed when it returns, so that it can be opened again.
func (c *v4l2Camera) Run(ctx context.Context, deliver func(*frame.Frame)) error {
	err := c.run(ctx, deliver)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("camera %s: %w", c.path, plainV4L2(err))
}

func (c *v4l2Camera) run(ctx context.Context, deliver func(*frame.Frame)) error {
	var fd uintptr
	var m mode
	err := onSteadyStack(func() (err error) {
		if fd, err = openNode(c.path); err != nil {
			return err
		}
		if m, err = c.negotiate(fd); err != nil {
			v4l2.CloseDevice(fd)
		}
		return err
	})
	if err != nil {
		return err
	}
	s := &stream{fd: int(fd), mode: m}
	defer s.close()
	if err := s.start(); err != nil {
		return err
	}
	return s.loop(ctx, deliver)
}

func openNode(path string) (uintptr, error) {
	return v4l2.OpenDevice(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

// mode is what the driver has agreed to.
type mode struct {
	format        frame.Format
	width, height int
	stride        int // 0 for MJPEG
	fullRange     bool
	interval      time.Duration // between two frames; 0 is unknown
}

// usable lists the formats that can be read, best first: a luma plane of
// its own costs least, MJPEG must be decoded. GREY stands behind the others that
// need no decoding, because the recipient's picture is better in colour.
var usable = []struct {
	code   v4l2.FourCCType
	format frame.Format
}{
	{fourCC("NV12"), frame.NV12},
	{fourCC("YU12"), frame.YU12},
	{v4l2.PixelFmtYUYV, frame.YUYV},
	{v4l2.PixelFmtUYVY, frame.UYVY},
	{v4l2.PixelFmtGrey, frame.GREY},
	{v4l2.PixelFmtMJPEG, frame.MJPEG},
	{v4l2.PixelFmtJPEG, frame.MJPEG},
}

func fourCC(s string) v4l2.FourCCType {
	return v4l2.FourCCType(s[0]) | v4l2.FourCCType(s[1])<<8 | v4l2.FourCCType(s[2])<<16 | v4l2.FourCCType(s[3])<<24
}

func fourCCName(c v4l2.FourCCType) string {
	return strings.TrimSpace(string([]byte{byte(c), byte(c >> 8), byte(c >> 16), byte(c >> 24 & 0x7F)}))
}

// capture checks that a node gives pictures, and returns the codes that it
// offers. Runs on a steady stack.
func capture(fd uintptr) (map[v4l2.FourCCType]bool, error) {
	caps, err := v4l2.GetCapability(fd)
	if err != nil {
		return nil, errors.New("not a V4L2 device, or its driver does not answer: give the path of a camera node, as in /dev/v4l/by-id")
	}
	can := caps.GetCapabilities() // of the node; the fields beside it are of the whole device
	switch {
	case can&v4l2.CapVideoCapture == 0 && can&v4l2.CapVideoCaptureMPlane != 0:
		return nil, errors.New("it gives its pictures in several planes (the multi-planar interface), which cannot be read: use a USB camera")
	case can&v4l2.CapVideoCapture == 0:
		return nil, errors.New("this node gives no pictures (a camera's second node carries only metadata): choose the camera's first node")
	case can&v4l2.CapStreaming == 0:
		return nil, errors.New("its driver cannot stream: use another camera")
	}
	descs, err := v4l2.GetAllFormatDescriptions(fd)
	if len(descs) == 0 && err != nil {
		return nil, fmt.Errorf("asking for its formats: %w", err)
	}
	offered := map[v4l2.FourCCType]bool{}
	var names []string
	bayer := false
	for _, d := range descs {
		offered[d.PixelFormat] = true
		names = append(names, fourCCName(d.PixelFormat))
		bayer = bayer || strings.Contains(d.Description, "Bayer")
	}
	for _, u := range usable {
		if offered[u.code] {
			return offered, nil
		}
	}
	if bayer {
		return nil, errors.New("it gives only the raw data of its sensor (Bayer), as Raspberry Pi cameras do: pictures need the camera's own software; use a USB camera")
	}
	return nil, fmt.Errorf("it offers no format that can be read, only %.100s: use another camera", strings.Join(names, " "))
}

// negotiate takes the first usable format that gives the wished size and
// rate, else the one that comes nearest. What the driver answers counts, not
// what was asked for. Runs on a steady stack.
func (c *v4l2Camera) negotiate(fd uintptr) (mode, error) {
	offered, err := capture(fd)
	if err != nil {
		return mode{}, err
	}
	var best v4l2.FourCCType
	bestMiss := -1.0
	var last error
	for _, u := range usable {
		if !offered[u.code] {
			continue
		}
		m, err := c.try(fd, u.code, u.format)
		if err != nil {
			last = err
			continue
		}
		miss := c.miss(m)
		if miss == 0 {
			return m, nil
		}
		if bestMiss < 0 || miss < bestMiss {
			best, bestMiss = u.code, miss
		}
	}
	if bestMiss < 0 {
		return mode{}, last
	}
	for _, u := range usable {
		if u.code == best {
			return c.try(fd, u.code, u.format)
		}
	}
	return mode{}, last
}

// miss says how far m is from what was wished: 0 is there.
func (c *v4l2Camera) miss(m mode) float64 {
	w, h := c.size()
	off := 0.0
	if m.width != w || m.height != h {
		off = 1 + float64(max(m.width*m.height-w*h, w*h-m.width*m.height))/float64(w*h)
	}
	if c.fps > 0 && m.interval > 0 {
		if rate := float64(time.Second) / float64(m.interval); rate < 0.9*float64(c.fps) {
			off += 1 - rate/float64(c.fps)
		}
	}
	return off
}

func (c *v4l2Camera) size() (w, h int) {
	if c.width <= 0 || c.height <= 0 {
		return 640, 480
	}
	return min(c.width, maxSide), min(c.height, maxSide)
}

// try sets a format and a rate, and reads back what came of it.
func (c *v4l2Camera) try(fd uintptr, code v4l2.FourCCType, format frame.Format) (mode, error) {
	w, h := c.size()
	if err := v4l2.SetPixFormat(fd, v4l2.PixFormat{Width: uint32(w), Height: uint32(h), PixelFormat: code, Field: v4l2.FieldNone}); err != nil {
		return mode{}, fmt.Errorf("setting the format %s: %w", fourCCName(code), err)
	}
	got, err := v4l2.GetPixFormat(fd)
	if err != nil {
		return mode{}, fmt.Errorf("reading the format back: %w", err)
	}
	if got.PixelFormat != code {
		return mode{}, fmt.Errorf("the driver offers %s and gives %s", fourCCName(code), fourCCName(got.PixelFormat))
	}
	m := mode{format: format, width: int(got.Width), height: int(got.Height)}
	if m.width < 1 || m.height < 1 || m.width > maxSide || m.height > maxSide {
		return mode{}, fmt.Errorf("the driver gives a picture of %dx%d", got.Width, got.Height)
	}
	if format == frame.MJPEG {
		m.fullRange = true
	} else {
		m.stride = int(got.BytesPerLine)
		// The default for YCbCr is limited range, but for JPEG's colours (V4L2_MAP_QUANTIZATION_DEFAULT).
		m.fullRange = got.Quantization == v4l2.QuantizationFullRange ||
			got.Quantization == v4l2.QuantizationDefault && got.Colorspace == v4l2.ColorspaceJPEG
	}
	m.interval = c.setRate(fd)
	return m, nil
}

// setRate asks for the wished rate and returns the interval that the driver
// then states, 0 where it states none. A driver without rates is no failure.
func (c *v4l2Camera) setRate(fd uintptr) time.Duration {
	p, err := v4l2.GetStreamParam(fd, v4l2.BufTypeVideoCapture)
	if err == nil && c.fps > 0 && p.Capture.Capability&v4l2.StreamParamTimePerFrame != 0 {
		p.Capture.TimePerFrame = v4l2.Fract{Numerator: 1, Denominator: uint32(c.fps)}
		if v4l2.SetStreamParam(fd, v4l2.BufTypeVideoCapture, p) == nil {
			p, err = v4l2.GetStreamParam(fd, v4l2.BufTypeVideoCapture)
		}
	}
	t := p.Capture.TimePerFrame
	if err != nil || t.Denominator == 0 {
		return 0
	}
	return time.Duration(float64(t.Numerator) / float64(t.Denominator) * float64(time.Second))
}

// plainV4L2 says what an error of a camera means and what to do about it.
func plainV4L2(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such device: plug the camera in, or choose another one (/dev/v4l/by-id names them)")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("no permission: add the user to the group video")
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: close that program", frame.ErrBusy)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("the camera is gone, unplugged or without power: check its cable (%w)", err)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("the USB bus has no room for this size and rate: lower them, or use another port (%w)", err)
	case errors.Is(err, unix.EIO), errors.Is(err, unix.EPROTO):
		return fmt.Errorf("the camera has failed: check its cable and its power supply (%w)", err)
	case errors.Is(err, v4l2.ErrorSystem): // go4vl's one word for ENODEV, EIO and others
		return fmt.Errorf("the camera does not answer, unplugged or failed: check its cable and its power supply (%w)", err)
	}
	return err
}
