package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"watchpost/engine/event"
	"watchpost/tui/term"
)

// viewOf is the nth frame of a yard at dusk with a sensor's noise, and somebody who
// walks through it: at is where, in blocks; below 0: nobody.
func viewOf(n, at int) event.View {
	const w, h = 80, 60
	v := event.View{Seq: uint64(n), At: noon, Width: w, Height: h, Scale: 8, PictureWidth: 640, PictureHeight: 480, Luma: make([]byte, w*h)}
	s := event.Seen{Trigger: "yard", Fires: 0.15, Moving: make([]byte, w*h)}
	r := rand.New(rand.NewPCG(uint64(n), 7))
	for i := range v.Luma {
		x, y := i%w, i/w
		l := 40 + 30*math.Sin(float64(x)/11)*math.Cos(float64(y)/9) + float64(y)/2
		if at >= 0 && x >= at && x < at+8 && y >= 20 && y < 46 {
			l, s.Moving[i] = 110, 1
		}
		v.Luma[i] = byte(max(0, min(l+r.NormFloat64()*0.8, 255)))
	}
	if at >= 0 {
		s.Active, s.Level, s.Box = true, 100*8*26/float64(w*h), [4]int{at * 8, 160, 64, 208}
	}
	v.ColourWidth, v.ColourHeight = w/2, h/2
	for i := range v.ColourWidth * v.ColourHeight {
		x, y := i%v.ColourWidth, i/v.ColourWidth
		v.Blue = append(v.Blue, byte(128+20*math.Sin(float64(x)/7)+r.NormFloat64()))
		v.Red = append(v.Red, byte(128+20*math.Cos(float64(y)/6)+r.NormFloat64()))
	}
	v.Seen = []event.Seen{s}
	return v
}

// looks opens the live view and lets the camera see v.
func (s *screen) looks(v event.View, err error) {
	s.press("4", "v")
	s.send(viewMsg{s.cameraPage().live.run, v, err})
}

// answered is the terminal's answer d later, with n more bytes taken by its line.
func (s *screen) answered(d time.Duration, n int64) {
	l := &s.cameraPage().live
	s.send(viewTickMsg{l.run, toAsk, l.asked})
	at, taken := l.from.Add(d), l.taken+n
	s.elapsed, s.wrote = func() time.Time { return at }, func() int64 { return taken }
	s.send(uv.PrimaryDeviceAttributesEvent{62})
}

// The view is off when the page opens and when it is left, and no answer of an older
// one comes into another.
func TestLiveViewIsOffUnlessAskedFor(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	l := &s.cameraPage().live
	for _, leave := range []string{"v", "esc", "ctrl+g", "1", "4", "tab", "d"} {
		s.press("4")
		if l.on {
			t.Fatal("on as the page opens")
		}
		s.looks(viewOf(1, 30), nil)
		if !strings.Contains(s.text(), "MMM") {
			t.Fatalf("no picture:\n%s", s.text())
		}
		old := l.run
		s.press(leave)
		if l.on {
			t.Errorf("%s: still on", leave)
		}
		s.press("esc", "4", "v")
		if s.send(viewMsg{old, viewOf(2, 30), nil}); strings.Contains(s.text(), "MMM") {
			t.Errorf("%s: another view's picture is shown", leave)
		}
		s.press("v")
	}
}

func TestLiveViewSaysWhyThereIsNone(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("there is no picture: privacy mode is on"), "There is no picture: privacy mode is on."},
		{errors.New("there is no picture: the camera is lost"), "There is no picture: the camera is lost."},
		{errors.New("the service is not running"), "The service is not running."},
	} {
		s := open(t, newFake(), 80, 24)
		s.looks(viewOf(1, 30), nil)
		s.send(viewMsg{s.cameraPage().live.run, event.View{}, c.err})
		if got := s.text(); !strings.Contains(got, c.want) || strings.Contains(got, "MMM") {
			t.Errorf("%v:\n%s", c.err, got)
		}
		s.send(viewMsg{s.cameraPage().live.run, viewOf(2, 30), nil})
		if !strings.Contains(s.text(), "MMM") {
			t.Errorf("%v: no picture afterwards", c.err)
		}
	}
	s := open(t, newFake(), 80, 24)
	s.looks(viewOf(1, 30), nil)
	s.status.Privacy.On = true
	if got := s.text(); !strings.Contains(got, "privacy mode is on.") || strings.Contains(got, "MMM") {
		t.Errorf("in privacy mode:\n%s", got)
	}
	broken := viewOf(3, 30)
	broken.Luma = broken.Luma[1:]
	s = open(t, newFake(), 80, 24)
	if s.looks(broken, nil); !strings.Contains(s.text(), "cannot be read") {
		t.Errorf("half a picture:\n%s", s.text())
	}
}

// What a line carries decides how and how often: a key line of 150 bytes, then a picture
// of 1,100, as a line of that rate takes them.
func TestLiveViewKeepsToTheLine(t *testing.T) {
	for _, c := range []struct {
		rate  int64 // bytes a second
		rtt   time.Duration
		how   paint
		still bool
	}{
		{960, 0, inASCII, true},
		{1920, 0, inASCII, false},
		{3840, 0, inGreys, false}, // tried, and given up below
		{11_520, 0, inGreys, false},
		{20_000, 0, in256, false},
		{10_000_000, 0, inMillions, false},
		{1_000_000, 300 * time.Millisecond, inMillions, false}, // far away is not slow
		{960, 300 * time.Millisecond, inASCII, true},
	} {
		s := open(t, newFake(), 80, 24)
		s.paints, s.flush = []paint{inASCII, inGreys, in256, inMillions}, 50*time.Millisecond
		takes := func(n int64) time.Duration {
			return c.rtt + 80*time.Millisecond + time.Duration(n)*time.Second/time.Duration(c.rate)
		}
		l := &s.cameraPage().live
		s.press("4", "v")
		s.answered(takes(150), 150)
		s.send(viewMsg{l.run, viewOf(1, -1), nil})
		s.answered(takes(1100), 1100)
		if l.paint(s.app) != c.how || l.still != c.still || l.still == l.busy {
			t.Errorf("%d B/s, %v: paint %d, still %v, busy %v", c.rate, c.rtt, l.paint(s.app), l.still, l.busy)
		}
		if got := s.text(); strings.Contains(got, "space takes a new one") != c.still {
			t.Errorf("%d B/s:\n%s", c.rate, got)
		}
		if cmd := s.press("space"); c.still && (cmd == nil || !l.busy) {
			t.Errorf("%d B/s: space takes none", c.rate)
		}
		if c.how == inASCII {
			continue
		}
		if !strings.Contains(s.text(), "▀") {
			t.Errorf("%d B/s: no half blocks:\n%s", c.rate, s.text())
		}
		s.answered(5*time.Second, 20_000) // it was less than it looked
		if l.at > 0 || l.top > 0 || strings.Contains(s.text(), "▀") {
			t.Errorf("%d B/s: half blocks still", c.rate)
		}
	}
}

// Where pictures keep the line busy for too long, colours go first, then size; one
// that is whole, of a light switched on, is forgiven.
func TestLiveViewLowersColoursThenSize(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.paints = []paint{inASCII, in16}
	l := &s.cameraPage().live
	s.press("4", "v")
	s.answered(20*time.Millisecond, 150)
	n := 0
	next := func(d time.Duration, bytes int64) {
		n++
		s.send(viewMsg{l.run, viewOf(n, n*5%60), nil})
		s.answered(d, bytes)
	}
	next(150*time.Millisecond, 1100)
	if l.paint(s.app) != in16 {
		t.Fatalf("paint %d", l.paint(s.app))
	}
	s.answered(600*time.Millisecond, 8000) // the same picture in colours
	s.text()
	full := l.pic.cols
	for i := range 2 {
		next(400*time.Millisecond, 3500)
		next(400*time.Millisecond, 3500)
		next(200*time.Millisecond, 500)
		if l.paint(s.app) != in16 {
			t.Fatalf("%d: given up for a picture now and then", i)
		}
	}
	slow := func() {
		for range liveLate {
			next(400*time.Millisecond, 500)
		}
		s.answered(400*time.Millisecond, 1100) // the same one drawn anew is not held against it
	}
	slow()
	if s.text(); l.paint(s.app) != inASCII || l.pic.cols != full {
		t.Errorf("paint %d, %d columns of %d", l.paint(s.app), l.pic.cols, full)
	}
	for _, want := range []float64{0.7, 0.5, 0.5} {
		slow()
		if s.text(); math.Abs(float64(l.pic.cols)/float64(full)-want) > 0.06 || l.paint(s.app) != inASCII {
			t.Errorf("%d columns of %d, want %.1f of them", l.pic.cols, full, want)
		}
	}
}

// A picture of an even scene is a few bytes; a fast line is known by them, a slow one is not.
func TestLiveViewOfAnEvenScene(t *testing.T) {
	for rate, want := range map[int64]paint{960: inASCII, 1500: inASCII, 11_520: inGreys, 1_000_000: in256} {
		s := open(t, newFake(), 80, 24)
		s.paints, s.flush = []paint{inASCII, inGreys, in256}, 50*time.Millisecond
		l := &s.cameraPage().live
		s.press("4", "v")
		takes := func(n int64) time.Duration {
			return 60*time.Millisecond + time.Duration(n)*time.Second/time.Duration(rate)
		}
		s.answered(takes(150), 150)
		s.send(viewMsg{l.run, viewOf(1, -1), nil})
		s.answered(takes(350), 350)
		if l.paint(s.app) != want || l.still {
			t.Errorf("%d B/s: paint %d, still %v", rate, l.paint(s.app), l.still)
		}
	}
}

// At 9600 baud, on a line that holds back what it has not carried yet, one picture
// comes whole, and another one at a key.
func TestLiveViewAt9600(t *testing.T) {
	f := newFake()
	master, stop := run(t, f, 80, 24)
	em := vt.NewSafeEmulator(80, 24)
	go io.Copy(master, em) // its answers
	go func() {            // 48 bytes in 50 ms
		buf := make([]byte, 48)
		for {
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			em.Write(buf[:n])
			time.Sleep(time.Duration(n) * time.Second / 960)
		}
	}()
	sees := func(text string) {
		t.Helper()
		for end := time.Now().Add(patience); !strings.Contains(ansi.Strip(em.Render()), text); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%q does not come:\n%s", text, ansi.Strip(em.Render()))
			}
		}
	}
	sees("? help")
	master.WriteString("4")
	sees("v live view")
	time.Sleep(time.Second)
	master.WriteString("v")
	sees("space takes a new one")
	frames := func() int { f.mu.Lock(); defer f.mu.Unlock(); return f.viewed }
	n := frames()
	time.Sleep(2 * time.Second)
	if frames() != n || n > 2 {
		t.Errorf("%d pictures, then %d", n, frames())
	}
	at := time.Now()
	master.WriteString("1")
	sees("[1 Status]")
	if d := time.Since(at); d > time.Second {
		t.Errorf("a key waits for %v", d)
	}
	master.WriteString("4v")
	sees("space takes a new one")
	n = frames()
	master.WriteString(" ")
	for end := time.Now().Add(patience); frames() == n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("space takes no picture")
		}
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A terminal that never says what it has drawn gets pictures on demand.
func TestLiveViewWithoutAnAnswer(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.looks(viewOf(1, -1), nil)
	l := &s.cameraPage().live
	s.send(viewTickMsg{l.run, toAsk, l.asked})
	s.send(viewTickMsg{l.run, toGive, l.asked - 1}) // of another question
	if l.still {
		t.Error("gave up too soon")
	}
	s.send(viewTickMsg{l.run, toGive, l.asked})
	if !l.still || l.busy || !strings.Contains(s.text(), "space takes a new one") {
		t.Errorf("%+v\n%s", l.still, s.text())
	}
}

// A dark scene fills the ramp, and one that is even does not show its noise.
func TestPictureIsStretched(t *testing.T) {
	used := func(v event.View) int {
		var p picture
		return len(strings.Trim(strings.Join(unique(strings.Join(p.draw(v, 76, 16, inASCII, moves), "")), ""), ""))
	}
	dark := viewOf(1, -1)
	for i := range dark.Luma {
		dark.Luma[i] = 10 + dark.Luma[i]/3
	}
	if n := used(dark); n < 8 {
		t.Errorf("a dark scene uses %d levels", n)
	}
	even := viewOf(1, -1)
	for i := range even.Luma {
		even.Luma[i] = 30 + byte(i*7%3)
	}
	if n := used(even); n > 2 {
		t.Errorf("an even scene uses %d levels", n)
	}
}

func unique(s string) (out []string) {
	for _, c := range clusters(s) {
		if !strings.Contains(strings.Join(out, ""), c) {
			out = append(out, c)
		}
	}
	return out
}

// Pictures of any shape stay in their place, in proportion.
func TestPictureFits(t *testing.T) {
	for _, size := range [][4]int{{80, 60, 640, 480}, {240, 135, 1920, 1080}, {45, 80, 360, 640}, {1, 1, 8, 8}, {1024, 2, 8192, 16}} {
		v := event.View{Seq: 1, Width: size[0], Height: size[1], PictureWidth: size[2], PictureHeight: size[3], Luma: make([]byte, size[0]*size[1])}
		v.Seen = []event.Seen{{Box: [4]int{0, 0, size[2], size[3]}, Moving: make([]byte, len(v.Luma))}, {Box: [4]int{-50, 9000, 70, 90}}}
		for how := range paint(len(paintings)) {
			var p picture
			lines := p.draw(v, 76, 12, how, moves)
			if len(lines) < 1 || len(lines) > 12 || width(lines[0]) > 76 || width(lines[0]) < 1 {
				t.Errorf("%v: %d x %d", size, width(lines[0]), len(lines))
			}
			if got, want := float64(width(lines[0]))/float64(2*len(lines)), float64(size[2])/float64(size[3]); len(lines) > 1 && math.Abs(got/want-1) > 0.1 {
				t.Errorf("%v: proportion %.2f, want %.2f", size, got, want)
			}
		}
	}
}

func TestLevelBar(t *testing.T) {
	for _, c := range []struct {
		s    event.Seen
		want string
	}{
		{event.Seen{Level: 0.08, Fires: 0.15, Moving: []byte{1}}, "0.07 of 0.15 %  [####....|..]  moves"},
		{event.Seen{Level: 0.1499, Fires: 0.15, Moving: []byte{1}}, "0.13 of 0.15 %  [#######.|..]  moves"},
		{event.Seen{Level: 0.15, Fires: 0.15, Active: true, Moving: []byte{1}}, "0.15 of 0.15 %  [########|..]  event"},
		{event.Seen{Level: 40, Fires: 0.15, Active: true, Moving: []byte{1}}, "40.0 of 0.15 %  [########|##]  event"},
		{event.Seen{Fires: 0.15, Moving: []byte{0}}, "0.00 of 0.15 %  [........|..]  still"},
		{event.Seen{Fires: 0.15}, "0.00 of 0.15 %  [........|..]  learns the scene"},
	} {
		if got := ansi.Strip(levelBar(c.s)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.s, got, c.want)
		}
	}
}

// What the view sends: of a still scene with noise at most 200 bytes a second after
// the first picture, on every kind of terminal.
func TestLiveViewBytes(t *testing.T) {
	for _, kind := range []struct {
		env                  string
		mostFirst, mostWalks int64 // bytes of the first pictures, bytes a second with a walker
	}{
		{"TERM=vt220 LANG=C", 1500, 2500},
		{"TERM=xterm LANG=C.UTF-8", 6000, 6000},
		{xterm, 14_000, 10_000},
		{"TERM=xterm-256color COLORTERM=truecolor LANG=C.UTF-8", 35_000, 25_000},
	} {
		env := kind.env
		t.Run(fmt.Sprint(term.Of(strings.Fields(env)).Profile), func(t *testing.T) {
			f := newFake()
			walks := false
			f.view = func(n int) (event.View, error) {
				if walks {
					return viewOf(n, n*2%70), nil
				}
				return viewOf(n, -1), nil
			}
			c := start(t, f, env, 80, 24)
			c.sees("[1 Status]", "armed")
			c.typed("4")
			c.sees("v live view")
			c.settled()
			c.typed("v")
			c.sees("still", "M is what moves") // the emulator knows no insert mode, so not the rest
			time.Sleep(2 * time.Second)        // ASCII, then half blocks
			first := c.bytes.Swap(0)
			frames := func() int { f.mu.Lock(); defer f.mu.Unlock(); return f.viewed }
			const d = 4
			n := frames()
			time.Sleep(d * time.Second)
			still, stillN := c.bytes.Swap(0)/d, frames()-n
			f.mu.Lock()
			walks = true
			f.mu.Unlock()
			n = frames()
			c.sees("event")
			time.Sleep(d * time.Second)
			walker := c.bytes.Swap(0) / d
			t.Logf("first %d B, still %d B/s, walker %d B/s, %d frames in %d s", first, still, walker, stillN, d)
			if still > 200 {
				t.Errorf("a still scene sends %d bytes a second", still)
			}
			if first > kind.mostFirst {
				t.Errorf("the first pictures are %d bytes, %d at most", first, kind.mostFirst)
			}
			if walker > kind.mostWalks {
				t.Errorf("a walker sends %d bytes a second, %d at most", walker, kind.mostWalks)
			}
			if stillN < 2 || stillN > 4*d+1 {
				t.Errorf("%d frames in %d s", stillN, d)
			}
			if walker <= still {
				t.Error("a walker sends nothing")
			}
			c.typed("v")
			c.sees("Image buffer")
			c.settled()
			n = frames()
			time.Sleep(time.Second)
			if frames() != n {
				t.Error("pictures are asked for while the view is off")
			}
		})
	}
}
