package motion

import (
	"testing"
	"time"

	"watchpost/engine/frame"
)

// Other params do not cost a warm-up nor an event: one that goes on, goes on in what
// is equal, and what is new sees the same scene at once.
func TestUseKeepsTheScene(t *testing.T) {
	yard, door := Params{Threshold: 5, Sensitivity: 5}, Params{Threshold: 3, Sensitivity: 7, Zones: []Rect{{50, 0, 50, 100}}}
	s := scene{w: 640, h: 480, fps: 10, seconds: 40, noise: 1, objects: []object{
		{w: 80, h: 160, luma: 30, path: walk(80, 10, 20, 250, 640)}, {w: 80, h: 160, luma: 30, path: walk(80, 30, 36, 250, 640)}}}
	d := New([]Params{yard})
	var p frame.Plane
	r := newRand()
	active := map[string][]int{}
	names := []string{"yard"}
	for k := range 400 {
		switch k {
		case 150: // inside the first event: door joins, first of the two
			d.Use([]Params{door, yard}, func(i int) int { return i - 1 })
			names = []string{"door", "yard"}
		case 250:
			d.Use([]Params{door}, func(int) int { return 0 })
			names = []string{"door"}
		case 255:
			d.Use([]Params{yard, door}, func(i int) int { return i - 1 })
			names = []string{"yard", "door"}
		}
		s.draw(&p, float64(k)/s.fps, r)
		for i, r := range d.Step(&p, uint64(k), time.Duration(k)*100*time.Millisecond) {
			if r.Started {
				active[names[i]] = append(active[names[i]], k)
			}
			if r.Ended {
				active[names[i]] = append(active[names[i]], -k)
			}
			if k > 255 && k < 295 && (r.Level > 0 || r.Active) {
				t.Fatalf("%s at plane %d: %+v", names[i], k, r)
			}
		}
		if len(d.Mask(0)) != 80*60 {
			t.Fatal("no mask")
		}
	}
	for name, at := range active {
		if len(at) != 4 || at[0] < 100 || at[0] > 160 || at[1] > -200 || at[1] < -215 || at[2] < 300 || at[2] > 340 || at[3] > -360 || at[3] < -375 {
			t.Errorf("%s: events at planes %v", name, at)
		}
	}
	if len(active) != 2 {
		t.Errorf("events of %v", active)
	}
}

// What is excluded does not count, and is no part of the zone.
func TestExclude(t *testing.T) {
	s := scene{w: 640, h: 480, fps: 10, seconds: 30, noise: 1, objects: []object{
		{w: 60, h: 60, luma: 30, path: func(t float64) (float64, float64, bool) { return 500 + 20*float64(int(t*2)%3), 100, t > 5 }}}}
	whole, without := Params{Threshold: 5, Sensitivity: 5}, Params{Threshold: 5, Sensitivity: 5, Exclude: []Rect{{75, 0, 25, 50}}}
	inside := Params{Threshold: 5, Sensitivity: 5, Zones: []Rect{{50, 0, 50, 100}}, Exclude: []Rect{{75, 0, 25, 50}}}
	found := s.run(t, whole, without, inside)
	if len(found[0]) == 0 || len(found[1]) != 0 || len(found[2]) != 0 {
		t.Errorf("%v", found)
	}
	d := New([]Params{without})
	var p frame.Plane
	s.draw(&p, 0, nil)
	d.Step(&p, 0, 0)
	if d.gates[0].area != 80*60-20*30 {
		t.Errorf("the zone has %d blocks", d.gates[0].area)
	}
}

// What stands still in an event is background after the time that was chosen.
func TestAbsorb(t *testing.T) {
	s := scene{w: 640, h: 480, fps: 5, seconds: 400, noise: 1, objects: []object{
		{w: 80, h: 160, luma: 30, path: func(t float64) (float64, float64, bool) { return min(40*(t-5), 280), 250, t > 5 }}}}
	for _, absorb := range []time.Duration{0, 10 * time.Second, 5 * time.Minute} {
		d := New([]Params{{Threshold: 5, Sensitivity: 5}})
		d.Absorb = absorb
		var p frame.Plane
		r := newRand()
		learned := 0.0
		for k := range int(s.seconds * s.fps) {
			at := float64(k) / s.fps
			s.draw(&p, at, r)
			level := d.Step(&p, uint64(k), time.Duration(at*float64(time.Second)))[0].Level
			if at > 13 && learned == 0 && level == 0 {
				learned = at - 12
			}
		}
		want := AbsorbTime.Seconds()
		if absorb > 0 {
			want = absorb.Seconds()
		}
		if learned < want-2 || learned > want+4 {
			t.Errorf("after %v: it was background after %.1f s", absorb, learned)
		}
	}
}
