// Package frame holds a camera frame, the luma plane that detection reads, and
// the mailbox between a camera and what reads it.
//
// It knows no camera and no file format, and starts no goroutine. It imports
// the standard library only.
package frame

import (
	"errors"
	"time"
)

var (
	// ErrEnded is returned by a camera whose recording is over.
	ErrEnded = errors.New("the recording has ended")
	// ErrBusy is wrapped by the error of a camera that another program uses.
	ErrBusy = errors.New("used by another program")
)

// Format is a frame's pixel layout, by its V4L2 name.
type Format uint8

const (
	MJPEG Format = iota + 1 // one baseline JPEG file
	YUYV                    // packed 4:2:2, Y first
	UYVY                    // packed 4:2:2, U first
	NV12                    // Y plane, then interleaved CbCr at half size
	YU12                    // Y, Cb, Cr planes (I420)
	GREY                    // Y plane alone
)

// String returns the V4L2 name.
func (f Format) String() string {
	switch f {
	case MJPEG:
		return "MJPEG"
	case YUYV:
		return "YUYV"
	case UYVY:
		return "UYVY"
	case NV12:
		return "NV12"
	case YU12:
		return "YU12"
	case GREY:
		return "GREY"
	}
	return "unknown"
}

// Frame is one picture as a camera gives it.
type Frame struct {
	Seq       uint64        // counts from 0 in a stream
	Stream    uint64        // changes when the stream starts anew (a clip's loop, a reopened camera): detection starts anew
	At        time.Time     // wall time of exposure
	Mono      time.Duration // the same moment on a clock that never jumps; only differences mean anything
	Format    Format
	Width     int
	Height    int
	Stride    int  // bytes a line of the (first) plane, packed and planar formats; 0 for MJPEG
	FullRange bool // luma is 0–255 rather than 16–235; always so for MJPEG
	Data      []byte
}

// Plane is a luma plane reduced to block means: one byte for each Scale x Scale
// block of the picture, row by row, no padding. Blocks at the right and bottom
// edge are the mean of the pixels that exist, of MJPEG of the whole block as it
// was coded (encoders repeat the last line and column).
type Plane struct {
	Width, Height int // in blocks
	Scale         int // pixels a block side, 8
	PicWidth      int // of the picture, pixels
	PicHeight     int
	Pix           []byte // Width*Height
	// Unknown marks blocks whose content could not be read (damage): 1 is
	// unknown, and Pix means nothing there. Empty means that all are known.
	// Unknown is not moving.
	Unknown []byte
}

// Resize sets the plane's dimensions for a picture of w x h pixels and makes
// Pix the right length, reusing its memory.
func (p *Plane) Resize(w, h, scale int) {
	p.PicWidth, p.PicHeight, p.Scale = w, h, scale
	p.Width, p.Height = (w+scale-1)/scale, (h+scale-1)/scale
	n := p.Width * p.Height
	if cap(p.Pix) < n {
		p.Pix = make([]byte, n)
	}
	p.Pix = p.Pix[:n]
	p.Unknown = p.Unknown[:0]
}
