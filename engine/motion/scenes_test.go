package motion

import (
	"math"
	"testing"
	"time"

	"watchpost/engine/frame"
	"watchpost/engine/motion/scenes"
)

// play runs a generated scene and returns its events, in frames.
func play(s *scenes.Scene) (found [][2]int) {
	d := New([]Params{{Threshold: 5, Sensitivity: 5}})
	r := scenes.NewRenderer(s)
	var p frame.Plane
	take := func(k int, res Result) {
		if res.Started {
			found = append(found, [2]int{k, k})
		}
		if res.Ended {
			found[len(found)-1][1] = int(res.LastMovingSeq)
		}
	}
	for k := range s.Frames() {
		r.Plane(&p)
		take(k, d.Step(&p, uint64(k), time.Duration(float64(k)/s.FPS()*float64(time.Second)))[0])
	}
	take(s.Frames()-1, d.Close()[0])
	return found
}

// TestHardScenes: every visit of each generated scene is one event, none is false, and
// with nobody there is none in two minutes. What passes through JPEG, and whole
// hours, are for make eval.
func TestHardScenes(t *testing.T) {
	for _, name := range scenes.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := scenes.Options{Width: 640, Height: 480, FPS: 15, Seed: 1}
			s := scenes.Open(name, o)
			if !s.Damaged() {
				found, truth := play(s), s.Events()
				if len(found) != len(truth) {
					t.Fatalf("%d events %v, true are %v", len(found), found, truth)
				}
				for i, f := range found {
					late, off := float64(f[0]-truth[i][0])/o.FPS, math.Abs(float64(f[1]-truth[i][1]))/o.FPS
					if late < -0.2 || late > 1 || off > 2 {
						t.Errorf("event %v, true is %v", f, truth[i])
					}
				}
			}
			o.Idle, o.Seconds, o.Seed, o.FPS = true, 120, 2, 10
			if s := scenes.Open(name, o); s != nil {
				if found := play(s); len(found) > 0 {
					t.Errorf("with nobody there: %v", found)
				}
			}
		})
	}
}
