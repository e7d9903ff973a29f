//go:build vivid

package lab

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"watchpost/engine/frame"
	"watchpost/hw"
)

const node = "/dev/video0"

// seen is what a test keeps of the frames of one run.
type seen struct {
	frames []frame.Frame // without Data
	planes [][]byte
	err    error
	took   time.Duration // from the moment that the run was told to stop
}

// record runs the camera until it has given n frames, or fails. during is
// called once, from the camera's goroutine, at frame 3.
func record(t *testing.T, c hw.Camera, n int, during func()) seen {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var s seen
	var p frame.Plane
	var stopped time.Time
	s.err = c.Run(ctx, func(f *frame.Frame) {
		if len(s.frames) == n {
			return
		}
		if err := (hw.Pictures{}).Luma(&p, f); err != nil {
			t.Error(err)
		}
		g := *f
		g.Data = nil
		s.frames = append(s.frames, g)
		s.planes = append(s.planes, bytes.Clone(p.Pix))
		if age := time.Since(f.At); age < 0 || age > 5*time.Second {
			t.Errorf("frame %d is stamped %v ago", f.Seq, age)
		}
		if len(s.frames) == 3 && during != nil {
			during()
		}
		if len(s.frames) == n {
			stopped = time.Now()
			cancel()
		}
	})
	s.took = time.Since(stopped)
	return s
}

func camera(t *testing.T, w, h, fps int) hw.Camera {
	t.Helper()
	c, err := hw.OpenCamera("v4l2:"+node, w, h, fps)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFind(t *testing.T) {
	source, why := hw.FindCamera()
	if source != "v4l2:"+node || why != "found vivid at "+node {
		t.Errorf("%q, %q", source, why)
	}
}

// TestMetadataNode: a camera's second node is refused in plain words.
func TestMetadataNode(t *testing.T) {
	nodes, _ := os.ReadDir("/sys/class/video4linux")
	if len(nodes) < 2 {
		t.Fatalf("the driver made %d nodes, not two", len(nodes))
	}
	c, _ := hw.OpenCamera("v4l2:/dev/video1", 0, 0, 0)
	if err := c.Run(t.Context(), func(*frame.Frame) {}); err == nil || !strings.Contains(err.Error(), "metadata") {
		t.Error(err)
	}
}

func TestFrames(t *testing.T) {
	s := record(t, camera(t, 640, 480, 25), 20, nil)
	if !errors.Is(s.err, context.Canceled) || len(s.frames) != 20 {
		t.Fatalf("%d frames, %v", len(s.frames), s.err)
	}
	if s.took > 10*time.Second {
		t.Errorf("it took %v to stop", s.took)
	}
	first, last := s.frames[0], s.frames[19]
	if first.Seq != 0 || first.Width != 640 || first.Height != 480 || first.Format != frame.NV12 || first.Stride != 640 {
		t.Errorf("%+v", first)
	}
	for i := 1; i < 20; i++ {
		a, b := s.frames[i-1], s.frames[i]
		if b.Seq <= a.Seq || b.Mono <= a.Mono || b.Stream != a.Stream {
			t.Errorf("frame %d at %v after frame %d at %v", b.Seq, b.Mono, a.Seq, a.Mono)
		}
	}
	interval := (last.Mono - first.Mono) / time.Duration(last.Seq)
	if interval < 35*time.Millisecond || interval > 50*time.Millisecond {
		t.Errorf("%v a frame, not 40 ms", interval)
	}
	low, high := s.planes[0][0], s.planes[0][0]
	for _, v := range s.planes[0] {
		low, high = min(low, v), max(high, v)
	}
	if high-low < 100 {
		t.Errorf("the colour bars' luma goes from %d to %d only", low, high)
	}
	t.Logf("%s, %v a frame, %d of %d frames, stopped in %v", first.Format, interval, len(s.frames), last.Seq+1, s.took)
}

// TestSizes: what the frames say is what the driver gives.
func TestSizes(t *testing.T) {
	for _, size := range [][5]int{ // asked for: width, height, rate; given: width, height
		{641, 481, 29, 640, 480},
		{320, 180, 30, 320, 180},
		{1280, 720, 10, 1280, 720},
		{1920, 1080, 5, 1920, 1080},
		{0, 0, 0, 640, 480},
	} {
		s := record(t, camera(t, size[0], size[1], size[2]), 2, nil)
		if len(s.frames) != 2 {
			t.Errorf("%v: %v", size, s.err)
			continue
		}
		if f := s.frames[1]; f.Width != size[3] || f.Height != size[4] || f.Stride < f.Width {
			t.Errorf("%v: %+v", size, f)
		}
	}
}

func TestReopen(t *testing.T) {
	c := camera(t, 640, 480, 25)
	streams := map[uint64]bool{}
	for i := range 5 {
		s := record(t, c, 3, nil)
		if len(s.frames) != 3 {
			t.Fatalf("run %d: %d frames, %v", i, len(s.frames), s.err)
		}
		streams[s.frames[0].Stream] = true
	}
	if len(streams) != 5 {
		t.Errorf("five runs gave %d stream numbers", len(streams))
	}
}

func TestBusy(t *testing.T) {
	s := record(t, camera(t, 640, 480, 25), 10, func() {
		err := camera(t, 320, 180, 25).Run(t.Context(), func(*frame.Frame) { t.Error("a frame came") })
		if !errors.Is(err, frame.ErrBusy) || !strings.Contains(err.Error(), "another program") {
			t.Errorf("second user: %v", err)
		}
	})
	if len(s.frames) != 10 {
		t.Errorf("the first user was disturbed: %v", s.err)
	}
}

// TestFaults: each ends the run with an error that tells it from the others,
// and the camera works again afterwards.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		control string
		value   int32
		want    string
		errno   error
	}{
		{"Disconnect", 1, "is gone", unix.ENODEV},
		{"Inject Fatal Streaming Error", 1, "has failed", unix.EIO},
		{"Percentage of Dropped Buffers", 100, "stopped sending pictures", nil},
	} {
		start := time.Now()
		var wg sync.WaitGroup // beside the camera, which waits in poll meanwhile
		s := record(t, camera(t, 640, 480, 25), 1000, func() { wg.Go(func() { set(t, tt.control, tt.value) }) })
		wg.Wait()
		if s.err == nil || !strings.Contains(s.err.Error(), tt.want) || tt.errno != nil && !errors.Is(s.err, tt.errno) {
			t.Errorf("%s: %v", tt.control, s.err)
		}
		t.Logf("%s: after %v: %v", tt.control, time.Since(start).Round(100*time.Millisecond), s.err)
		if tt.value == 100 {
			set(t, tt.control, 0)
		}
		if s := record(t, camera(t, 640, 480, 25), 3, nil); len(s.frames) != 3 {
			t.Errorf("after %s: %v", tt.control, s.err)
		}
	}
}

// TestUnplug takes the driver away under the running camera, as pulling the
// cable does, and plugs it in again: the node is there again under its own number,
// which it would not be while something of the old one is held.
func TestUnplug(t *testing.T) {
	plug := func(how string) {
		if err := os.WriteFile("/sys/bus/platform/drivers/vivid/"+how, []byte("vivid.0"), 0); err != nil {
			t.Error(err)
		}
	}
	c := camera(t, 640, 480, 25)
	var wg sync.WaitGroup
	s := record(t, c, 1000, func() { wg.Go(func() { plug("unbind") }) })
	wg.Wait()
	if !errors.Is(s.err, unix.ENODEV) || !strings.Contains(s.err.Error(), "is gone") {
		t.Errorf("unplugged: %v", s.err)
	}
	if err := c.Run(t.Context(), func(*frame.Frame) {}); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("without it: %v", err)
	}
	if source, why := hw.FindCamera(); source != "" || !strings.Contains(why, "no /dev/video") {
		t.Errorf("without it: found %q, %q", source, why)
	}
	plug("bind")
	if s := record(t, c, 3, nil); len(s.frames) != 3 {
		t.Errorf("plugged in again: %v", s.err)
	}
}

// TestLosses: damaged and dropped frames are gaps, and nothing worse.
func TestLosses(t *testing.T) {
	s := record(t, camera(t, 640, 480, 25), 15, func() {
		set(t, "Inject V4L2_BUF_FLAG_ERROR", 1)
		set(t, "Percentage of Dropped Buffers", 50)
	})
	set(t, "Percentage of Dropped Buffers", 0)
	if len(s.frames) != 15 {
		t.Fatalf("%d frames, %v", len(s.frames), s.err)
	}
	if last := s.frames[14].Seq; last < 16 {
		t.Errorf("half the frames were dropped, and frame 15 has number %d", last)
	}
}

func TestRefusals(t *testing.T) {
	for _, control := range []string{"Inject VIDIOC_REQBUFS Error", "Inject VIDIOC_QBUF Error", "Inject VIDIOC_STREAMON Error"} {
		set(t, control, 1)
		s := record(t, camera(t, 640, 480, 25), 3, nil)
		if len(s.frames) == 3 || s.err == nil {
			t.Errorf("%s: it streamed", control)
		}
		t.Logf("%s: %v", control, s.err)
		if s := record(t, camera(t, 640, 480, 25), 3, nil); len(s.frames) != 3 {
			t.Errorf("after %s: %v", control, s.err)
		}
	}
}

// query is struct v4l2_queryctrl, control struct v4l2_control.
type (
	query struct {
		id, kind                       uint32
		name                           [32]byte
		minimum, maximum, step, preset int32
		flags, reserved1, reserved2    uint32
	}
	control struct {
		id    uint32
		value int32
	}
)

// set sets one of vivid's controls, by its name, through a descriptor of its own.
func set(t *testing.T, name string, value int32) {
	t.Helper()
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	var names []string
	q := query{id: 1 << 31} // V4L2_CTRL_FLAG_NEXT_CTRL
	for ioctl(fd, 3<<30|unsafe.Sizeof(q)<<16|'V'<<8|36, unsafe.Pointer(&q)) == 0 {
		got, _, _ := strings.Cut(string(q.name[:]), "\x00")
		names = append(names, got)
		if strings.EqualFold(got, name) {
			c := control{q.id, value}
			if err := ioctl(fd, 3<<30|unsafe.Sizeof(c)<<16|'V'<<8|28, unsafe.Pointer(&c)); err != 0 {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		q.id |= 1 << 31
	}
	t.Errorf("no control %q among %q", name, names)
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno
}
