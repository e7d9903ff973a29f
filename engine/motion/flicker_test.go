package motion

import (
	"fmt"
	"math"
	"testing"
)

// whole is what an event of somebody who is there at once, whole, starts later, in seconds.
var whole = suddenTime.Seconds()

// drops is rain: n streaks in other places in each picture.
func drops(n int, fps float64) (objects []object) {
	for i := range n {
		objects = append(objects, object{w: 10, h: 60, luma: 250, path: func(t float64) (float64, float64, bool) {
			k := uint32(math.Round(t*fps))*2654435761 + uint32(i)*40503*65537
			k ^= k >> 13
			k *= 0x85ebca6b
			k ^= k >> 16
			return float64(k % 640), float64(k >> 8 % 480), true
		}})
	}
	return objects
}

// TestDropsAreNoMotion also where somebody walks through the rain.
func TestDropsAreNoMotion(t *testing.T) {
	for _, fps := range []float64{10, 15, 30} {
		t.Run(fmt.Sprint(fps), func(t *testing.T) {
			s := vga(60, 0.6, append(drops(6, fps), object{w: 50, h: 120, luma: 40, path: walk(50, 20, 26, 200, 640)})...)
			s.fps = fps
			check(t, s, s.run(t)[0], span{20, 26})
		})
	}
}

// TestSwingIsLearned: what swings in its place may be an event for a moment, and is none
// later, but somebody who walks past it is.
func TestSwingIsLearned(t *testing.T) {
	for _, fps := range []float64{10, 15, 30} {
		t.Run(fmt.Sprint(fps), func(t *testing.T) {
			thread := object{w: 16, h: 300, luma: 220, path: func(t float64) (float64, float64, bool) {
				gust := math.Max(0, math.Sin(t/5))
				return 400 + 30*gust*math.Sin(2*math.Pi*0.9*t), 60, true
			}}
			s := vga(120, 0.6, thread, object{w: 60, h: 140, luma: 30, path: walk(60, 100, 106, 300, 640)})
			s.fps = fps
			var late []span
			for _, e := range s.run(t)[0] {
				switch {
				case e.start > 12:
					late = append(late, e)
				case e.end-e.start > 5:
					t.Errorf("it was an event from %.1f to %.1f s", e.start, e.end)
				}
			}
			check(t, s, late, span{100, 106})
		})
	}
}

// TestPacingIsNoFlicker: somebody who goes to and fro is not learned, nor is a path where many pass.
func TestPacingIsNoFlicker(t *testing.T) {
	pace := object{w: 50, h: 130, luma: 40, path: func(t float64) (float64, float64, bool) {
		return 300 + 60*math.Sin(2*math.Pi*t/4), 200, t >= 10 && t < 70
	}}
	s := vga(80, 0.6, pace)
	check(t, s, s.run(t)[0], span{10 + whole, 70})

	var many []object
	var want []span
	for k := range 12 {
		from := 6 + 6*float64(k)
		many = append(many, object{w: 40, h: 100, luma: 40, path: walk(40, from, from+3, 250, 640)})
		want = append(want, span{from, from + 3})
	}
	s = vga(80, 0.6, many...)
	check(t, s, s.run(t)[0], want...)
}

// TestInPlace: somebody who comes up in a place and waves there stays an event.
func TestInPlace(t *testing.T) {
	in := func(t float64) bool { return t >= 10 && t < 30 }
	body := object{w: 50, h: 150, luma: 50, path: func(t float64) (float64, float64, bool) { return 300 + 3*math.Sin(4*t), 200, in(t) }}
	arm := func(side float64) object {
		return object{w: 50, h: 14, luma: 60, path: func(t float64) (float64, float64, bool) {
			return 300 + side*(20+25*math.Sin(2*math.Pi*0.7*t)), 240 + 25*math.Sin(2*math.Pi*1.1*t), in(t)
		}}
	}
	s := vga(45, 0.6, body, arm(-1), arm(1))
	check(t, s, s.run(t)[0], span{10 + whole, 30})
}

// TestTowardsTheCamera: somebody who comes nearer without going aside, with legs that swing.
func TestTowardsTheCamera(t *testing.T) {
	var parts []object
	for k := range 20 { // a figure that grows by steps of half a second
		from, size := 8+0.5*float64(k), 40+8*float64(k)
		in := func(t float64) bool { return t >= from && t < from+0.5 }
		foot := 240 + size/2
		parts = append(parts, object{w: size * 0.3, h: size * 0.55, luma: 70, path: func(t float64) (float64, float64, bool) {
			return 320 - size*0.15, foot - size, in(t)
		}})
		for _, side := range []float64{-1, 1} {
			parts = append(parts, object{w: size * 0.12, h: size * 0.45, luma: 60, path: func(t float64) (float64, float64, bool) {
				return 320 - size*0.06 + side*size*0.12*math.Sin(2*math.Pi*t), foot - size*0.45, in(t)
			}})
		}
	}
	s := vga(28, 0.6, parts...)
	check(t, s, s.run(t)[0], span{8 + whole, 18})
}

// TestRunnerIsFollowed: 3 heights a second are 5 m/s.
func TestRunnerIsFollowed(t *testing.T) {
	for _, fps := range []float64{5, 7, 10, 15, 30} {
		t.Run(fmt.Sprint(fps), func(t *testing.T) {
			const to = 10 + (640+0.95*50)/(3*130)
			s := vga(20, 0.6, object{w: 50, h: 130, luma: 40, path: walk(50, 10, to, 200, 640)})
			s.fps = fps
			check(t, s, s.run(t)[0], span{10, to})
		})
	}
}
