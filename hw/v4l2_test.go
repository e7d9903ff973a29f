package hw

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/vladimirvivien/go4vl/v4l2"
	"golang.org/x/sys/unix"

	"watchpost/engine/frame"
)

// The streaming loop is tested against a real driver in the lab folder.

// TestIoctlNumbers compares with the numbers of linux/videodev2.h.
func TestIoctlNumbers(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the numbers below are those of 64-bit machines")
	}
	for name, n := range map[string][2]uintptr{
		"REQBUFS":   {ioReqBufs, 0xC0145608},
		"QUERYBUF":  {ioQueryBuf, 0xC0585609},
		"QBUF":      {ioQBuf, 0xC058560F},
		"DQBUF":     {ioDQBuf, 0xC0585611},
		"STREAMON":  {ioStreamOn, 0x40045612},
		"STREAMOFF": {ioStreamOff, 0x40045613},
	} {
		if n[0] != n[1] {
			t.Errorf("%s: %#x, want %#x", name, n[0], n[1])
		}
	}
}

func TestFrameClock(t *testing.T) {
	now := monotonic()
	at := func(ago time.Duration, seq, flags uint32) *buffer {
		b := &buffer{sequence: seq, flags: flags}
		b.timestamp = unix.NsecToTimeval(int64(now - ago))
		return b
	}
	const mono = v4l2.BufFlagTimestampMonotonic
	steps := []struct {
		name string
		b    *buffer
		seq  uint64
		age  time.Duration // of the stamp; 0: the present is taken
	}{
		{"first", at(900*time.Millisecond, 7, mono), 0, 900 * time.Millisecond},
		{"next", at(800*time.Millisecond, 8, mono), 1, 800 * time.Millisecond},
		{"three lost", at(500*time.Millisecond, 12, mono), 5, 500 * time.Millisecond},
		{"a number twice", at(400*time.Millisecond, 12, mono), 6, 400 * time.Millisecond},
		{"counter starts again", at(300*time.Millisecond, 0, mono), 7, 300 * time.Millisecond},
		{"counter wraps", at(200*time.Millisecond, 1<<32-1, mono), 8, 200 * time.Millisecond},
		{"wrapped", at(100*time.Millisecond, 0, mono), 9, 100 * time.Millisecond},
		{"stamp goes back", at(300*time.Millisecond, 1, mono), 10, 0},
		{"stamp of the future", at(-time.Hour, 2, mono), 11, 0},
		{"stamp too old", at(time.Hour, 3, mono), 12, 0},
		{"another clock", at(0, 4, 0), 13, 0},
	}
	var c frameClock
	var f frame.Frame
	for _, s := range steps {
		last := f.Mono
		c.take(&f, s.b)
		age := now - f.Mono
		if s.age == 0 && age > 0 || s.age != 0 && (age-s.age).Abs() > time.Millisecond {
			t.Errorf("%s: stamped %v ago", s.name, age)
		}
		if f.Seq != s.seq || f.Mono < last {
			t.Errorf("%s: frame %d at %v after %v", s.name, f.Seq, f.Mono, last)
		}
		if d := time.Since(f.At) - (monotonic() - f.Mono); d.Abs() > time.Second {
			t.Errorf("%s: wall time is off by %v", s.name, d)
		}
	}
}

func TestV4L2CameraRefuses(t *testing.T) {
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "video9"):     "there is no such device",
		writeFile(t, "video0", []byte("a file")): "not a V4L2 device",
		"/dev/null":                              "not a V4L2 device",
	} {
		c, err := OpenCamera("v4l2:"+path, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Run(t.Context(), func(*frame.Frame) { t.Error("a frame came") })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPlainV4L2(t *testing.T) {
	for errno, want := range map[error]string{
		unix.EACCES: "group video", unix.ENODEV: "gone", unix.EIO: "has failed", unix.ENOSPC: "USB bus",
		unix.EBUSY: "used by another program", fs.ErrNotExist: "no such device", v4l2.ErrorSystem: "does not answer",
	} {
		if err := plainV4L2(fmt.Errorf("starting: %w", errno)); !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if !errors.Is(plainV4L2(unix.EBUSY), frame.ErrBusy) {
		t.Error("EBUSY is not frame.ErrBusy")
	}
}

func TestFindCameraFindsNone(t *testing.T) {
	dev := t.TempDir()
	if source, why := findCamera(dev); source != "" || !strings.Contains(why, "no /dev/video*") {
		t.Errorf("%q, %q", source, why)
	}
	os.WriteFile(filepath.Join(dev, "video0"), nil, 0o600)
	if source, why := findCamera(dev); source != "" || !strings.Contains(why, "not a V4L2 device") {
		t.Errorf("%q, %q", source, why)
	}
}

func TestStableName(t *testing.T) {
	dev := t.TempDir()
	for link, to := range map[string]string{"by-path/pci-1": "video2", "by-id/usb-cam": "video2", "by-path/pci-2": "video4"} {
		p := filepath.Join(dev, "v4l", link)
		os.MkdirAll(filepath.Dir(p), 0o700)
		os.WriteFile(filepath.Join(dev, to), nil, 0o600)
		if err := os.Symlink("../../"+to, p); err != nil {
			t.Fatal(err)
		}
	}
	for node, want := range map[string]string{"video2": "v4l/by-id/usb-cam", "video4": "v4l/by-path/pci-2", "video6": "video6"} {
		if got := stableName(dev, filepath.Join(dev, node)); got != filepath.Join(dev, want) {
			t.Errorf("%s: %s", node, got)
		}
	}
}
