package hw

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/vladimirvivien/go4vl/v4l2"
	"golang.org/x/sys/unix"

	"watchpost/engine/frame"
)

const (
	bufferCount = 4
	discarded   = 2               // frames after a start, often damaged or half exposed
	firstFrame  = 5 * time.Second // a camera may take this long to start
	leastStall  = 2 * time.Second
)

// buffer is struct v4l2_buffer of linux/videodev2.h, whose layout follows the
// word size as Go's own does.
type buffer struct {
	index, kind, bytesUsed, flags, field uint32
	timestamp                            unix.Timeval
	timecode                             v4l2.Timecode
	sequence, memory                     uint32
	offset                               uintptr // a union; of mapped memory its first 32 bits, on machines that put the low end first
	length, reserved, request            uint32
}

// ioctl numbers (asm-generic/ioctl.h: direction, size of the argument, 'V', number).
var (
	ioReqBufs   = ioRW(8, unsafe.Sizeof(v4l2.RequestBuffers{}))
	ioQueryBuf  = ioRW(9, unsafe.Sizeof(buffer{}))
	ioQBuf      = ioRW(15, unsafe.Sizeof(buffer{}))
	ioDQBuf     = ioRW(17, unsafe.Sizeof(buffer{}))
	ioStreamOn  = uintptr(1<<30 | 4<<16 | 'V'<<8 | 18)
	ioStreamOff = uintptr(1<<30 | 4<<16 | 'V'<<8 | 19)
)

func ioRW(number, size uintptr) uintptr { return 3<<30 | size<<16 | 'V'<<8 | number }

// ioctl converts the pointer within the call, so that what it points to cannot move.
func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

// stream is an open node with its buffers. It belongs to one goroutine.
type stream struct {
	fd   int
	mode mode
	bufs [][]byte
	buf  buffer // of the last call
	on   bool
}

// start maps and queues the buffers, and turns the stream on.
func (s *stream) start() error {
	req := v4l2.RequestBuffers{Count: bufferCount, StreamType: v4l2.BufTypeVideoCapture, Memory: v4l2.IOTypeMMAP}
	if err := ioctl(s.fd, ioReqBufs, unsafe.Pointer(&req)); err != nil {
		return fmt.Errorf("asking for buffers: %w", err)
	}
	if req.Count < 2 {
		return errors.New("the driver has no memory for two pictures: choose a smaller size")
	}
	for i := range min(req.Count, 32) {
		if err := s.call(ioQueryBuf, i); err != nil {
			return fmt.Errorf("asking for buffer %d: %w", i, err)
		}
		mem, err := unix.Mmap(s.fd, int64(uint32(s.buf.offset)), int(s.buf.length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("mapping buffer %d: %w", i, err)
		}
		s.bufs = append(s.bufs, mem)
		if err := s.call(ioQBuf, i); err != nil {
			return fmt.Errorf("queueing buffer %d: %w", i, err)
		}
	}
	kind := int32(v4l2.BufTypeVideoCapture)
	if err := ioctl(s.fd, ioStreamOn, unsafe.Pointer(&kind)); err != nil {
		return fmt.Errorf("starting the stream: %w", err)
	}
	s.on = true
	return nil
}

// call makes a request about one buffer; s.buf is the answer.
func (s *stream) call(request uintptr, index uint32) error {
	s.buf = buffer{index: index, kind: v4l2.BufTypeVideoCapture, memory: v4l2.IOTypeMMAP}
	return ioctl(s.fd, request, unsafe.Pointer(&s.buf))
}

// close gives everything back, whatever the state. What is left mapped would
// keep the camera busy, or give it another number when it is plugged in again.
func (s *stream) close() {
	if s.on {
		kind := int32(v4l2.BufTypeVideoCapture)
		ioctl(s.fd, ioStreamOff, unsafe.Pointer(&kind))
	}
	for _, mem := range s.bufs {
		unix.Munmap(mem)
	}
	req := v4l2.RequestBuffers{StreamType: v4l2.BufTypeVideoCapture, Memory: v4l2.IOTypeMMAP}
	ioctl(s.fd, ioReqBufs, unsafe.Pointer(&req))
	unix.Close(s.fd)
}

// loop delivers frames until ctx ends or the camera fails or stalls.
func (s *stream) loop(ctx context.Context, deliver func(*frame.Frame)) error {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	defer func() {
		if !stop() {
			<-woken
		}
		unix.Close(wake)
	}()

	f := frame.Frame{Stream: nextStream(), Format: s.mode.format, Width: s.mode.width, Height: s.mode.height, Stride: s.mode.stride, FullRange: s.mode.fullRange}
	var clock frameClock
	skip := discarded
	deadline := monotonic() + firstFrame
	for {
		ready, err := s.wait(wake, deadline)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !ready:
			return errors.New("the camera has stopped sending pictures: check its cable and its power supply")
		}
		switch err := s.call(ioDQBuf, 0); {
		case errors.Is(err, unix.EAGAIN):
			continue
		case err != nil:
			return fmt.Errorf("waiting for a picture: %w", err)
		case int(s.buf.index) >= len(s.bufs):
			return fmt.Errorf("the driver gave buffer %d of %d", s.buf.index, len(s.bufs))
		}
		index := s.buf.index
		if f.Data = s.picture(); f.Data != nil {
			deadline = monotonic() + max(3*s.mode.interval, leastStall)
			if skip > 0 {
				skip--
			} else {
				clock.take(&f, &s.buf)
				deliver(&f)
			}
		}
		if err := s.call(ioQBuf, index); err != nil {
			return fmt.Errorf("giving a buffer back: %w", err)
		}
	}
}

// wait waits for a picture or an error on the node (true), the wake-up (which
// the caller sees in its context) or the deadline (false).
func (s *stream) wait(wake int, deadline time.Duration) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	for {
		left := deadline - monotonic()
		if left <= 0 {
			return false, nil
		}
		n, err := unix.Poll(fds, int(left/time.Millisecond)+1)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return false, fmt.Errorf("waiting for a picture: %w", err)
		case n > 0 && fds[0].Revents&(unix.POLLHUP|unix.POLLNVAL) != 0:
			return false, fmt.Errorf("waiting for a picture: %w", unix.ENODEV)
		case n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLIN) == unix.POLLERR:
			return false, fmt.Errorf("waiting for a picture: %w", unix.EIO)
		case n > 0:
			return true, nil
		}
	}
}

// picture returns the data of the buffer that was just taken, nil where it is
// damaged: the driver says so, or it is too short, or a JPEG without its end.
func (s *stream) picture() []byte {
	mem := s.bufs[s.buf.index]
	if s.buf.flags&v4l2.BufFlagError != 0 || s.buf.bytesUsed == 0 || int(s.buf.bytesUsed) > len(mem) {
		return nil
	}
	data := mem[:s.buf.bytesUsed]
	if s.mode.format == frame.MJPEG {
		data, _ = wholeJPEG(data)
	}
	return data
}

// frameClock turns a driver's sequence number and time stamp into the frame's.
type frameClock struct {
	last uint32
	seq  uint64
	mono time.Duration
	any  bool
}

// maxAge is how old a frame may be; a stamp beyond it is wrong.
const maxAge = 10 * time.Second

// take numbers f from 0, keeping the gaps of frames that were lost or damaged; a
// number that does not rise is counted as the next one. A stamp that is not of
// the monotonic clock, or not believable, is replaced by the present moment.
func (c *frameClock) take(f *frame.Frame, b *buffer) {
	if c.any {
		step := b.sequence - c.last
		if step == 0 || step > 1<<31 {
			step = 1
		}
		c.seq += uint64(step)
	}
	now := monotonic()
	mono := time.Duration(b.timestamp.Nano())
	if b.flags&v4l2.BufFlagTimestampMask != v4l2.BufFlagTimestampMonotonic || mono > now || mono < now-maxAge || c.any && mono <= c.mono {
		mono = now
	}
	c.any, c.last, c.mono = true, b.sequence, mono
	f.Seq, f.Mono, f.At = c.seq, mono, time.Now().Add(mono-now)
}
