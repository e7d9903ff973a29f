package motion

import (
	"fmt"
	"math"
	"testing"
	"time"

	"watchpost/engine/frame"
)

// check compares events with the truth: starts at most 0.5 s and one frame late, ends within 1.5 s.
func check(t *testing.T, s scene, got []span, want ...span) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d events %v, want %v", len(got), got, want)
	}
	late := 0.5 + 1/s.fps
	for i, g := range got {
		if w := want[i]; g.start < w.start-0.2 || g.start > w.start+late || math.Abs(g.end-w.end) > 1.5 {
			t.Errorf("event %d is %v, want %v", i+1, g, w)
		}
	}
}

func vga(seconds, noise float64, objects ...object) scene {
	return scene{w: 640, h: 480, fps: 15, seconds: seconds, noise: noise, objects: objects}
}

func TestStillSceneHasNoEvent(t *testing.T) {
	for _, noise := range []float64{0, 0.6, 1.5, 3} {
		t.Run(fmt.Sprint(noise), func(t *testing.T) {
			s := vga(300, noise)
			check(t, s, s.run(t, Params{Threshold: 5, Sensitivity: 5})[0])
		})
	}
}

func TestLightIsNoEvent(t *testing.T) {
	step := func(at, gain, offset float64) func(float64) (float64, float64) {
		return func(t float64) (float64, float64) {
			if t < at {
				return 1, 0
			}
			return gain, offset
		}
	}
	for name, light := range map[string]func(float64) (float64, float64){
		"step up":      step(10, 1.35, 0),
		"step down":    step(10, 0.5, 0),
		"step offset":  step(10, 1, 40),
		"step both":    step(10, 0.7, 60),
		"ramp":         func(t float64) (float64, float64) { return 1 - 0.5*math.Min(1, math.Max(0, (t-5)/10)), 0 },
		"swings":       func(t float64) (float64, float64) { return 1 - 0.25*math.Abs(math.Sin(t)), 0 },
		"lamp, 100 Hz": func(t float64) (float64, float64) { return 1 + 0.05*math.Sin(t*40), 0 },
		"dusk to dark": func(t float64) (float64, float64) { return math.Exp(-t / 20), 2 },
	} {
		t.Run(name, func(t *testing.T) {
			s := vga(40, 0.8)
			s.light = light
			check(t, s, s.run(t)[0])
		})
	}
}

func TestSoftShadowIsNoEvent(t *testing.T) {
	s := vga(40, 0.8)
	s.shade = func(t, x, y float64) float64 {
		c := t/20 - 0.5 // a cloud's edge a third of the picture wide comes and goes
		return 1 - 0.35/(1+math.Exp(-(c-math.Abs(x-0.5))*15))
	}
	check(t, s, s.run(t)[0])
}

// TestVisitorInNewLight is the visitor under the porch lamp: the lamp is no event, the visitor is.
func TestVisitorInNewLight(t *testing.T) {
	s := vga(30, 0.8, object{w: 60, h: 140, luma: 40, path: walk(60, 10.5, 18, 200, 640)})
	s.light = func(t float64) (float64, float64) {
		if t < 10 {
			return 0.6, 0
		}
		return 1.2, 10
	}
	check(t, s, s.run(t)[0], span{10.5, 18})
}

func TestSmallWalkerIsFound(t *testing.T) {
	for _, size := range []struct{ w, h int }{{640, 480}, {1280, 720}, {1920, 1080}} {
		t.Run(fmt.Sprint(size.w), func(t *testing.T) {
			area := 0.002 * float64(size.w*size.h) // 0.2 % of the frame
			w := math.Sqrt(area / 2.5)
			s := scene{w: size.w, h: size.h, fps: 10, seconds: 25, noise: 0.6,
				objects: []object{{w: w, h: 2.5 * w, luma: 60, path: walk(w, 6, 20, float64(size.h)/2, float64(size.w))}}}
			check(t, s, s.run(t)[0], span{6, 20})
		})
	}
}

func TestFrameRates(t *testing.T) {
	for _, fps := range []float64{1, 2, 5, 10, 15, 30, 60} {
		t.Run(fmt.Sprint(fps), func(t *testing.T) {
			s := vga(24, 0.6, object{w: 50, h: 120, luma: 50, path: walk(50, 6, 16, 200, 640)})
			s.fps = fps
			got := s.run(t)[0]
			if fps < 4 { // the second frame with the object is the earliest
				if len(got) != 1 || got[0].start > 6+2/fps || math.Abs(got[0].end-16) > 1.5+1/fps {
					t.Fatalf("events %v, want one from 6 to 16", got)
				}
				return
			}
			check(t, s, got, span{6, 16})
		})
	}
}

// TestObjectThatStopsAndLeaves is one event without a ghost.
func TestObjectThatStopsAndLeaves(t *testing.T) {
	stop := func(t float64) (float64, float64, bool) {
		switch {
		case t < 8:
			return 60*(t-5) - 45, 180, t >= 5
		case t < 38:
			return 135, 180, true
		default:
			return 135 - 60*(t-38), 180, t < 42
		}
	}
	s := vga(60, 0.8, object{w: 60, h: 150, luma: 35, path: stop})
	check(t, s, s.run(t)[0], span{5, 42})
}

func TestVisitsApartAreTwoEvents(t *testing.T) {
	for _, apart := range []float64{2, 2.5, 4} {
		t.Run(fmt.Sprint(apart), func(t *testing.T) {
			s := vga(30, 0.8,
				object{w: 60, h: 150, luma: 35, path: walk(60, 5, 10, 180, 640)},
				object{w: 70, h: 130, luma: 200, path: walk(70, 10+apart, 16+apart, 220, 640)})
			check(t, s, s.run(t)[0], span{5, 10}, span{10 + apart, 16 + apart})
		})
	}
}

// TestParkedCar drives in and stays: its event ends where it stopped, the
// passer-by is an event of its own, and when the car leaves there is no ghost.
func TestParkedCar(t *testing.T) {
	car := func(t float64) (float64, float64, bool) {
		switch {
		case t < 9:
			return 90*(t-4) - 150, 250, t >= 4
		case t < 130:
			return 300, 250, true
		default:
			return 300 - 80*(t-130), 250, t < 136
		}
	}
	s := vga(150, 0.8,
		object{w: 180, h: 90, luma: 50, path: car},
		object{w: 50, h: 120, luma: 40, path: func(t float64) (float64, float64, bool) { return 40*(t-30) - 40, 20, t >= 30 && t < 36 }})
	check(t, s, s.run(t)[0], span{4, 9}, span{30, 36}, span{130, 136})
}

// TestParkedCarAlone is learned after the hold time; its event ends where it stopped.
func TestParkedCarAlone(t *testing.T) {
	car := func(t float64) (float64, float64, bool) { return math.Min(90*(t-4)-150, 300), 250, t >= 4 }
	s := vga(90, 0.8, object{w: 180, h: 90, luma: 50, path: car})
	check(t, s, s.run(t)[0], span{4, 9})
	s.seconds = 30 // and while it is held the event is open to the end
	check(t, s, s.run(t)[0], span{4, 30})
}

// TestThereFromTheStart leaves ground that nobody has seen: no ghost.
func TestThereFromTheStart(t *testing.T) {
	s := vga(40, 0.8, object{w: 90, h: 150, luma: 40, path: func(t float64) (float64, float64, bool) {
		return 300 + 80*math.Max(0, t-10), 200, t < 15
	}})
	check(t, s, s.run(t)[0], span{10, 15})
}

func TestZones(t *testing.T) {
	s := vga(25, 0.6, object{w: 40, h: 60, luma: 40, path: walk(40, 5, 15, 100, 640)}) // lines 100–160 only
	left := Params{Threshold: 5, Sensitivity: 5, Zones: []Rect{{0, 0, 50, 50}}}
	below := Params{Threshold: 5, Sensitivity: 5, Zones: []Rect{{0, 50, 100, 50}}}
	thin := Params{Threshold: 5, Sensitivity: 5, Zones: []Rect{{50, 20, 0.5, 15}}}
	got := s.run(t, left, below, thin)
	check(t, s, got[0], span{5, 10})
	check(t, s, got[1])
	check(t, s, got[2], span{9.4, 10.2})
}

// TestThresholdAndSensitivity is monotonic: a step that asks for more never finds more.
func TestThresholdAndSensitivity(t *testing.T) {
	for i := 1; i < 9; i++ {
		if ThresholdPercent(i) >= ThresholdPercent(i+1) || deviation[i-1] <= deviation[i] {
			t.Errorf("step %d is not below step %d", i, i+1)
		}
	}
	if ThresholdPercent(5) != 0.15 || deviation[4] != 1 || ThresholdPercent(0) != ThresholdPercent(1) || ThresholdPercent(99) != ThresholdPercent(9) {
		t.Error("step 5 is 0.15 %, steps outside 1–9 the nearest")
	}
	s := vga(25, 0.6, object{w: 40, h: 60, luma: 110, path: walk(40, 5, 20, 300, 640)}) // low contrast, 0.8 %
	inEvents := func(threshold, sensitivity int) (seconds float64) {
		for _, e := range s.run(t, Params{Threshold: threshold, Sensitivity: sensitivity})[0] {
			seconds += e.end - e.start
		}
		return seconds
	}
	if a, b, c := inEvents(1, 5), inEvents(5, 5), inEvents(8, 5); a < b || b < 10 || c != 0 {
		t.Errorf("%.1f s of events at threshold 1, %.1f s at 5, %.1f s at 8, where the walker is too small", a, b, c)
	}
	if a, b, c := inEvents(5, 9), inEvents(5, 5), inEvents(5, 1); a < b || b <= c {
		t.Errorf("%.1f s of events at sensitivity 9, %.1f s at 5, %.1f s at 1", a, b, c)
	}
}

// TestUnknownAtFirst damages the lower half of every plane of the first seconds, and
// of every second one: what becomes known is no motion, and what moves there later is.
func TestUnknownAtFirst(t *testing.T) {
	s := scene{w: 640, h: 480, fps: 10, seconds: 30, noise: 1, objects: []object{{w: 80, h: 160, luma: 30, path: walk(80, 15, 20, 250, 640)}}}
	for name, damaged := range map[string]func(k int) bool{
		"first seconds": func(k int) bool { return k < 50 },
		"every second":  func(k int) bool { return k%2 == 0 && k < 120 },
	} {
		d := New([]Params{{Threshold: 5, Sensitivity: 5}})
		r := newRand()
		var p frame.Plane
		var started []int
		for k := range int(s.seconds * s.fps) {
			s.draw(&p, float64(k)/s.fps, r)
			if damaged(k) {
				p.Unknown = append(p.Unknown[:0], make([]byte, len(p.Pix))...)
				for i := len(p.Pix) / 2; i < len(p.Pix); i++ {
					p.Pix[i], p.Unknown[i] = byte(i*k), 1
				}
			} else {
				p.Unknown = p.Unknown[:0]
			}
			for _, r := range d.Step(&p, uint64(k), time.Duration(k)*100*time.Millisecond) {
				if r.Started {
					started = append(started, k)
				}
				if k > 20 && k < 149 && r.Level > 0 {
					t.Errorf("%s: level %v at plane %d", name, r.Level, k)
				}
			}
		}
		if len(started) != 1 || started[0] < 150 || started[0] > 160 {
			t.Errorf("%s: events start at planes %v", name, started)
		}
	}
}

// TestUnknownBlocksDoNotMove damages the lower half of every plane.
func TestUnknownBlocksDoNotMove(t *testing.T) {
	d := New([]Params{{Threshold: 1, Sensitivity: 9}})
	var p frame.Plane
	s := vga(0, 0)
	for k := range 200 {
		s.draw(&p, 0, nil)
		if k > 30 && k%2 == 0 {
			p.Unknown = append(p.Unknown[:0], make([]byte, len(p.Pix))...)
			for i := len(p.Pix) / 2; i < len(p.Pix); i++ {
				p.Pix[i], p.Unknown[i] = byte(i*k), 1
			}
		}
		r := d.Step(&p, uint64(k), time.Duration(k)*100*time.Millisecond)[0]
		if r.Level != 0 || r.Active {
			t.Fatalf("plane %d: level %v", k, r.Level)
		}
	}
}

// TestAnotherSize ends the event that is going on and starts anew.
func TestAnotherSize(t *testing.T) {
	d := New([]Params{{Threshold: 5, Sensitivity: 5}})
	var p frame.Plane
	s := vga(0, 0, object{w: 100, h: 200, luma: 20, path: func(t float64) (float64, float64, bool) { return t * 50, 100, t > 2 }})
	var last Result
	k := 0
	for ; k < 40; k++ {
		s.draw(&p, float64(k)/10, nil)
		last = d.Step(&p, uint64(k), time.Duration(k)*100*time.Millisecond)[0]
	}
	if !last.Active || last.Box[2] == 0 || last.Box[0]+last.Box[2] > 640 {
		t.Fatalf("no event before: %+v", last)
	}
	s.w, s.h = 644, 484 // blocks at the edge are partial
	s.draw(&p, 4, nil)
	if r := d.Step(&p, 40, 4*time.Second)[0]; !r.Ended || r.Active || r.LastMovingSeq != 39 || len(d.Mask(0)) != 81*61 {
		t.Fatalf("after: %+v", r)
	}
	p.Pix = p.Pix[:5]
	if r := d.Step(&p, 41, 5*time.Second)[0]; r.Started || r.Ended {
		t.Fatalf("a plane that is too short: %+v", r)
	}
	if r := d.Close()[0]; r.Ended {
		t.Fatalf("closed twice: %+v", r)
	}
}

func TestStepDoesNotAllocate(t *testing.T) {
	d, planes := busy(640, 480)
	k := 0
	step := func() {
		d.Step(&planes[k%len(planes)], uint64(k), time.Duration(k)*66*time.Millisecond)
		k++
	}
	for range 300 {
		step()
	}
	if n := testing.AllocsPerRun(300, step); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}

// busy is a detector of two triggers and 64 planes with a walker and noise.
func busy(w, h int) (*Detector, []frame.Plane) {
	s := scene{w: w, h: h, fps: 15, noise: 0.8,
		objects: []object{{w: float64(w) / 10, h: float64(h) / 4, luma: 40, path: walk(float64(w)/10, 1, 4.5, float64(h)/2, float64(w))}}}
	planes := make([]frame.Plane, 64)
	r := newRand()
	for i := range planes {
		s.draw(&planes[i], float64(i)/15, r)
	}
	return New([]Params{{Threshold: 5, Sensitivity: 5}, {Threshold: 5, Sensitivity: 7, Zones: []Rect{{0, 0, 50, 100}}}}), planes
}

func BenchmarkStep(b *testing.B) {
	for _, size := range []struct{ w, h int }{{640, 480}, {1920, 1080}} {
		b.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(b *testing.B) {
			d, planes := busy(size.w, size.h)
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				d.Step(&planes[k%len(planes)], uint64(k), time.Duration(k)*66*time.Millisecond)
			}
		})
	}
}

// TestLightOnAPart is a lamp that lights a part of the picture, and a visitor in it.
func TestLightOnAPart(t *testing.T) {
	s := vga(40, 0.8)
	s.shade = func(t, x, y float64) float64 {
		if t < 10 || t >= 28 {
			return 0.5
		}
		d := (x-0.4)*(x-0.4) + (y-0.4)*(y-0.4)
		return 0.5 * (1 + 1.5*math.Exp(-d/0.08))
	}
	check(t, s, s.run(t)[0])
	s.objects = []object{{w: 60, h: 140, luma: 40, path: walk(60, 14, 22, 200, 640)}}
	// A straight edge in that light may be light's own: he counts once he is in with both sides.
	check(t, s, s.run(t)[0], span{14 + 60*8/(640+60.0), 22})
}

// TestBeam sweeps a beam with a straight edge over the picture.
func TestBeam(t *testing.T) {
	s := vga(30, 0.8)
	s.light = func(float64) (float64, float64) { return 0.3, 8 }
	s.shade = func(t, x, y float64) float64 {
		side := (x - math.Mod(t, 10)*0.4 + 0.5) / 0.15
		low := math.Min(math.Max((y-0.35)/0.06, 0), 1)
		return 1 + 2*math.Exp(-side*side)*low
	}
	check(t, s, s.run(t)[0])
}
