package serial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// drainTime is how long Close waits for what was written to leave.
const drainTime = 300 * time.Millisecond

// Port is an open port. Read and Write may be called by one goroutine each, Close
// and SetWriteDeadline by any.
type Port struct {
	device string
	baud   int
	file   *os.File // Fd is never called on it: deadlines would do nothing then
	before unix.Termios
	lock   *lockFile

	deadline atomic.Int64 // of writing, in ns since 1970; 0: none
	closed   atomic.Bool
	once     sync.Once
	err      error // of Close
}

// Open opens a port. A *TakenError says that another program has it; of errors from
// the system fs.ErrNotExist says that it is not there (a USB port that is unplugged)
// and fs.ErrPermission that this program may not.
func Open(device string, c Config) (*Port, error) {
	if err := lockedBy(device); err != nil {
		return nil, err
	}
	p := &Port{device: device, baud: c.Baud}
	if err := p.open(c); err != nil {
		if p.file != nil {
			p.file.Close()
		}
		return nil, err
	}
	p.lock = writeLockFile(device) // last: a port that is not there is tried again and again
	return p, nil
}

func (p *Port) open(c Config) error {
	// O_NONBLOCK: opening waits for no carrier, and closing for no output.
	fd, err := unix.Open(p.device, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EBUSY):
		return taken(p.device, 0)
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		return fmt.Errorf("there is no port behind %s: %w", p.device, err)
	case err != nil:
		return &os.PathError{Op: "open", Path: p.device, Err: err}
	}
	p.file = os.NewFile(uintptr(fd), p.device)
	return p.control(func(fd int) error {
		was, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
		switch {
		case errors.Is(err, unix.EIO): // the kernel lists ports that are not built in
			return fmt.Errorf("there is no port behind %s: %w", p.device, err)
		case err != nil:
			return fmt.Errorf("%s: %w", p.device, ErrNotSerial)
		}
		if err := p.claim(fd); err != nil {
			return err
		}
		p.before = *was
		now := raw(*was, c)
		err = unix.IoctlSetTermios(fd, unix.TCSETS2, &now)
		if err != nil {
			err = fmt.Errorf("set up %s: %w", p.device, err)
		} else if err = p.check(fd, c); err == nil {
			return nil
		}
		unix.IoctlSetTermios(fd, unix.TCSETS2, &p.before)
		unix.IoctlSetInt(fd, unix.TIOCNXCL, 0)
		return err
	})
}

// claim takes the port for this program alone. Root may open a port in spite of
// TIOCEXCL, so that what others hold is asked for too.
func (p *Port) claim(fd int) error {
	if pid, ok := sessionOn(fd); ok {
		e := taken(p.device, pid)
		e.Login = true
		return e
	}
	if excl, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err == nil && excl != 0 {
		return taken(p.device, 0)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) { // picocom, tio and systemd
		return taken(p.device, 0)
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return fmt.Errorf("take %s alone: %w", p.device, err)
	}
	return nil
}

// raw is 8N1 without any meaning of a byte but those of flow control. CLOCAL: three
// wires are enough, the modem lines mean nothing.
func raw(t unix.Termios, c Config) unix.Termios {
	t.Iflag = unix.IGNPAR | unix.IGNBRK
	t.Oflag, t.Lflag = 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.BOTHER
	switch c.Flow {
	case "rtscts":
		t.Cflag |= unix.CRTSCTS
	case "xonxoff":
		t.Iflag |= unix.IXON | unix.IXOFF
		t.Cc[unix.VSTART], t.Cc[unix.VSTOP] = 0x11, 0x13
	}
	t.Ispeed, t.Ospeed = uint32(c.Baud), uint32(c.Baud)
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return t
}

// check reads back what the port took: TCSETS2 succeeds where any part of it could be done.
func (p *Port) check(fd int, c Config) error {
	got, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return fmt.Errorf("set up %s: %w", p.device, err)
	}
	if off := int(got.Ospeed) - c.Baud; got.Ospeed != 0 && max(off, -off) > c.Baud/33 { // 3 %: more is not read any more
		return fmt.Errorf("%s cannot do %d baud (its nearest is %d): choose another rate, such as 9600 or 115200", p.device, c.Baud, got.Ospeed)
	}
	if c.Flow == "rtscts" && got.Cflag&unix.CRTSCTS == 0 {
		return fmt.Errorf("%s has no RTS and CTS: choose flow none or xonxoff", p.device)
	}
	return nil
}

// control calls f with the descriptor, which it must not keep.
func (p *Port) control(f func(fd int) error) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return ErrClosed
	}
	return inner
}

// Baud is the rate of the line, in bits a second.
func (p *Port) Baud() int { return p.baud }

// Read waits for bytes. io.EOF says that the line is gone: hung up, unplugged.
func (p *Port) Read(b []byte) (int, error) {
	n, err := p.file.Read(b)
	return n, p.told(err)
}

// SetReadDeadline is os.File's.
func (p *Port) SetReadDeadline(t time.Time) error { return p.file.SetReadDeadline(t) }

// SetWriteDeadline bounds the writes from now on; those that wait go on.
func (p *Port) SetWriteDeadline(t time.Time) error {
	ns := int64(0)
	if !t.IsZero() {
		ns = t.UnixNano()
	}
	p.deadline.Store(ns)
	return p.file.SetWriteDeadline(t)
}

// Write writes as fast as the line carries. The kernel alone would take some
// kilobytes at once, seconds of a slow line, behind which a key's echo would wait;
// so what is in its buffer is kept short. With os.ErrDeadlineExceeded the line has
// taken the first n bytes and then nothing; io.EOF says that it is gone.
func (p *Port) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		if err := p.room(); err != nil {
			return done, err
		}
		part := b[done:min(len(b), done+64)]
		n, err := p.file.Write(part)
		done += n
		if err != nil {
			return done, p.told(err)
		}
	}
	return done, nil
}

// room waits until there is little left in the kernel's buffer, but no longer than
// the deadline where nothing at all moves.
func (p *Port) room() error {
	little := max(64, p.baud/10/20) // bytes of 50 ms
	first := -1
	for {
		waiting := 0
		err := p.control(func(fd int) (err error) {
			waiting, err = unix.IoctlGetInt(fd, unix.TIOCOUTQ)
			return err
		})
		switch {
		case errors.Is(err, ErrClosed):
			return err
		case err != nil: // it does not tell, or is gone, which Write finds
			return nil
		case waiting <= little:
			return nil
		case first < 0:
			first = waiting
		}
		if ns := p.deadline.Load(); ns != 0 && time.Now().UnixNano() >= ns {
			if waiting < first {
				return nil // it moves
			}
			return os.ErrDeadlineExceeded
		}
		bytes := time.Duration(waiting-little) * 10 * time.Second / time.Duration(max(p.baud, 1))
		time.Sleep(min(max(bytes, 2*time.Millisecond), 20*time.Millisecond))
	}
}

// told makes one error of the many by which a line says that it is gone.
func (p *Port) told(err error) error {
	switch {
	case err == nil:
		return nil
	case p.closed.Load():
		return ErrClosed
	case errors.Is(err, unix.EIO), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EPIPE):
		return io.EOF
	}
	return err
}

// Close gives what was written a moment to leave, drops the rest, puts the port's
// settings back and closes it. It never hangs, and may be called again.
func (p *Port) Close() error {
	p.once.Do(func() {
		drop := unix.TCIFLUSH
		if !p.drain() { // the kernel would wait for a stopped line as it closes it
			drop = unix.TCIOFLUSH
		}
		p.closed.Store(true)
		p.control(func(fd int) error {
			// TCSETS2, not TCSETSW2: that would wait as well. A line that is gone refuses all three.
			unix.IoctlSetInt(fd, unix.TCFLSH, drop)
			unix.IoctlSetTermios(fd, unix.TCSETS2, &p.before)
			unix.IoctlSetInt(fd, unix.TIOCNXCL, 0)
			return nil
		})
		p.err = p.file.Close()
		p.lock.remove()
	})
	return p.err
}

// drain waits until everything has left, for a moment.
func (p *Port) drain() bool {
	for end := time.Now().Add(drainTime); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		waiting := 0
		if err := p.control(func(fd int) (err error) {
			waiting, err = unix.IoctlGetInt(fd, unix.TIOCOUTQ)
			return err
		}); err != nil || waiting == 0 {
			return true
		}
	}
	return false
}

// short is a device's name without its folder.
func short(device string) string { return device[strings.LastIndexByte(device, '/')+1:] }
