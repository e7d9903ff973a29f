package scenes

import "math"

// turn goes from a to b at a moment, within a time.
func turn(t, at, within, a, b float64) float64 { return mix(a, b, smooth((t-at)/within)) }

// cycle is the time since the last multiple of period, and how many there were.
func cycle(t, period float64) (since float64, n int) {
	k := math.Floor(t / period)
	return t - k*period, int(k)
}

// fall is the light of a lamp at lx, ly: it falls with the square of the
// distance, from a lamp that hangs high above.
func fall(x, y, lx, ly, high float64) float64 {
	d := (x-lx)*(x-lx) + (y-ly)*(y-ly)
	return high * high / (high*high + d)
}

// lampOn is a room lamp that is switched every 20 s; it gives four times the
// light of the window where it hangs. The camera follows within a second.
func lampOn(s *Scene) {
	s.place, s.seconds = room, 90
	s.auto = &exposure{target: 125, constant: 0.8, slack: 0.08}
	s.field = func(t float64) func(x, y float64) float64 {
		since, n := cycle(t+4, 20)
		on := smooth(since / 0.06) // an LED or a tube: within two frames
		if n%2 == 0 {
			on = 1 - on
		}
		return func(x, y float64) float64 { return 0.62 * luma(1+3*on*fall(x, y, s.wide()*0.6, -0.1, 0.8)) }
	}
	s.visitors(8, 24.5, 48, 66)
}

// porch is a lamp with a motion sensor at night: it goes on 1 s after a visitor
// came and off 20 s later. Idle, it is switched by what the camera does not see.
func porch(s *Scene) {
	s.seconds = 90
	s.noise = func(float64) float64 { return 5 }
	s.grainy = true
	s.light = func(float64) (float64, float64) { return 0.28, 8 }
	starts := []float64{8, 52}
	lit := func(t float64) float64 {
		if s.opt.Idle {
			since, n := cycle(t, 60)
			on := 5 + 20*hash(s.opt.Seed+11, n)
			return turn(since, on, 0.15, 0, 1) * turn(since, on+20, 0.15, 1, 0)
		}
		on := 0.0
		for _, at := range starts {
			on = max(on, turn(t, at+1, 0.15, 0, 1)*turn(t, at+21, 0.15, 1, 0))
		}
		return on
	}
	s.field = func(t float64) func(x, y float64) float64 {
		on := lit(t)
		if on == 0 {
			return nil
		}
		return func(x, y float64) float64 { return luma(1 + 14*on*fall(x, y, s.wide()*0.4, 0.4, 0.35)) }
	}
	if !s.opt.Idle {
		for i, at := range starts {
			walk := s.walk(at, 0.94, 0.5, i == 1, all4[i])
			s.things = append(s.things, func(t float64) []Limb {
				ls := walk(t)
				if len(ls) == 0 {
					return nil
				}
				x, _ := ls[0].X0, ls[0].Y0 // the lamp throws a shadow away from itself
				away := (x - s.wide()*0.4) * 0.5
				shadow := Limb{X0: x, Y0: 0.93, X1: x + away, Y1: 0.985, R: 0.035, Soft: 0.02, Luma: mix(1, 0.5, lit(t)), Alpha: 1, Dims: true}
				return append([]Limb{shadow}, ls...)
			})
		}
	}
}

// ramps is daylight that fades and comes back, slowly and within seconds.
func ramps(s *Scene) {
	s.seconds = 90
	s.light = func(t float64) (float64, float64) {
		slow := 1 + 0.25*math.Sin(2*math.Pi*t/240)
		since, n := cycle(t, 30)
		quick := mix(1, 0.55, smooth((since-5)/(1.5+6*hash(s.opt.Seed+5, n)))) * mix(1, 1/0.55, smooth((since-18)/4))
		return 0.8 * slow * quick, 6
	}
	s.visitors(7, 22, 40, 66)
}

// swings is automatic exposure: a bright van fills a third of the picture and
// the camera darkens everything, as in the recorded car clip, and comes back
// when it is gone. Idle, the exposure hunts by itself.
func swings(s *Scene) {
	s.seconds = 80
	s.auto = &exposure{target: 118, constant: 0.8, slack: 0.03}
	s.light = func(t float64) (float64, float64) {
		since, n := cycle(t, 45)
		size := 0.3 * hash(s.opt.Seed+21, n)
		if !s.opt.Idle && n%2 == 0 {
			size = 0
		}
		u := max(since-32, 0) // hunting that dies away
		return 1 + size*math.Sin(2*math.Pi*u/2.5)*math.Exp(-u/4), 0
	}
	if s.opt.Idle {
		return
	}
	for i, from := range [...]float64{8, 24, 58} {
		bright := [...]float64{240, 225, 30}[i]
		s.things = append(s.things, func(t float64) []Limb {
			x := (t-from)*0.75 - 1.1
			if t < from || x > s.wide()+1.1 {
				return nil
			}
			ls := vehicle(x, 0.95, 0.55, bright, true)
			van := bar(x-0.4, 0.54, x+0.45, 0.54, 0.2, bright)
			van.Object = true
			return append(ls, van)
		})
	}
}

// clouds are shadows with soft edges that cross the yard: an edge is about a
// third of the picture wide, for a view 30 m wide and an edge of some 10 m.
func clouds(s *Scene) {
	s.seconds = 80
	s.field = func(t float64) func(x, y float64) float64 {
		return func(x, y float64) float64 {
			at := (x+0.4*y)*0.55 - t*0.16 // 9 m/s
			c := mottle(s.opt.Seed+31, at, 0.5)
			return mix(luma(0.3), 1, smooth(0.5+1.2*c))
		}
	}
	s.visitors(8, 24, 44, 62)
}

// headlights is a road out of sight: beams sweep over a yard at night, 2 to 4 s
// each, four a minute.
func headlights(s *Scene) {
	s.seconds = 80
	s.noise, s.grainy = func(float64) float64 { return 5 }, true
	s.light = func(float64) (float64, float64) { return 0.3, 8 }
	s.auto = &exposure{target: 55, constant: 1.2, slack: 0.25}
	s.field = func(t float64) func(x, y float64) float64 {
		since, n := cycle(t, 15)
		h := func(k uint64) float64 { return hash(s.opt.Seed+k, n) }
		long := 2 + 2*h(41)
		u := (since - 6*h(42)) / long
		if u < 0 || u > 1 {
			return nil
		}
		x0 := (u*1.8 - 0.4) * s.wide()
		if h(43) < 0.5 {
			x0 = s.wide() - x0
		}
		power := 8 + 22*h(44)
		return func(x, y float64) float64 {
			side := (x - x0) / 0.22
			beam := math.Exp(-side*side) * smooth((y-0.32)/0.12) // the cut-off of a dipped beam
			return luma(1 + power*beam)
		}
	}
	s.visitors(9, 31, 55)
}

// nightfall is the infrared cut filter: dusk, noise grows, the filter swings
// away (three black pictures), the exposure hunts for 2 s, and the picture is
// grey in infrared light, where leaves are bright. Back at dawn.
func nightfall(s *Scene) {
	s.seconds = 100
	period := 100.0
	if s.opt.Idle {
		period = 300 // six nights an hour; a day has one
	}
	night := func(t float64) (in bool, dusk, since float64) {
		u, _ := cycle(t, period)
		down, up := period*0.3, period*0.7
		switch {
		case u < down:
			return false, smooth((u - down + 20) / 20), u + period - up
		case u < up:
			return true, 0, u - down
		}
		return false, 1 - smooth((u-up)/20), u - up
	}
	s.infrared = func(t float64) bool { in, _, _ := night(t); return in }
	s.grainy = true
	s.noise = func(t float64) float64 {
		in, dusk, _ := night(t)
		if in {
			return 4
		}
		return 2 + 6*dusk
	}
	s.light = func(t float64) (float64, float64) {
		in, dusk, since := night(t)
		if t > 1 && since < 0.2 {
			return 0.02, 4 // the filter moves: black
		}
		hunt := 1 + 0.5*math.Exp(-since/0.7)*math.Cos(2*math.Pi*since/1.1)
		if in {
			return 0.85 * hunt, 5
		}
		return mix(1, 0.45, dusk) * hunt, mix(0, 10, dusk)
	}
	s.field = func(t float64) func(x, y float64) float64 {
		if in, _, _ := night(t); !in {
			return nil
		}
		return func(x, y float64) float64 { return luma(0.25 + 1.1*fall(x, y, s.wide()/2, 0.55, 0.6)) } // the camera's own lamp
	}
	s.visitors(8, 40, 55, 84)
}
