package scenes

import "math"

// dress is the luma of clothes and skin in the light of the place.
type dress struct{ coat, trousers, skin, hair float64 }

var (
	black  = dress{38, 32, 160, 36}
	jeans  = dress{84, 56, 165, 60}
	pale   = dress{196, 150, 175, 90}
	khaki  = dress{124, 104, 150, 48} // close to paving and wall
	all4   = [...]dress{black, pale, jeans, khaki}
	stride = 0.8 // body heights a second: 1.4 m/s at 1.75 m (Bohannon 1997: 1.3 to 1.5 m/s, comfortable)
)

// figureArea is the area of a figure of height 1 (see TestFigureArea).
const figureArea = 0.185

// sizeOf is the height of a figure that fills a part of the picture.
func (s *Scene) sizeOf(part float64) float64 { return math.Sqrt(part * s.wide() / figureArea) }

// figure is a person of a height, who stands at x, foot, at a phase of the step (0–1 is two steps).
func figure(x, foot, size, phase float64, d dress) []Limb {
	swing := math.Sin(2 * math.Pi * phase)
	bob := 0.01 * math.Abs(math.Cos(2*math.Pi*phase))
	at := func(ox, oy float64) (float64, float64) { return x + ox*size, foot + (oy-bob)*size }
	limb := func(x0, y0, x1, y1, r, luma float64) Limb {
		ax, ay := at(x0, y0)
		bx, by := at(x1, y1)
		l := bar(ax, ay, bx, by, r*size, luma)
		l.Object = true
		return l
	}
	var ls []Limb
	for _, side := range [...]float64{-1, 1} {
		s := side * swing
		ls = append(ls, limb(0, -0.48, 0.03+0.09*s, -0.25, 0.06, d.trousers),
			limb(0.03+0.09*s, -0.25, 0.17*s, -0.04, 0.045, d.trousers),
			limb(0.17*s, -0.015, 0.17*s+0.07, -0.015, 0.025, d.hair))
	}
	return append(ls,
		limb(0, -0.78, -0.13*swing, -0.48, 0.035, d.coat*0.8),
		limb(0, -0.76, 0, -0.5, 0.1, d.coat),
		limb(0, -0.77, 0.13*swing, -0.5, 0.04, d.coat),
		limb(0.13*swing, -0.48, 0.13*swing, -0.48, 0.03, d.skin),
		limb(0.01, -0.92, 0.01, -0.93, 0.068, d.skin),
		limb(-0.005, -0.955, 0.01, -0.96, 0.058, d.hair))
}

// walk is somebody who crosses the picture from one side, entering at a moment.
func (s *Scene) walk(from, foot, size float64, leftward bool, d dress) func(t float64) []Limb {
	return func(t float64) []Limb {
		way := stride * size * (t - from)
		start := -0.25 * size
		if t < from || start+way > s.wide()+0.25*size {
			return nil
		}
		x := start + way
		if leftward {
			x = s.wide() - x
		}
		return figure(x, foot, size, way/size/0.8, d) // two steps of 0.4 body heights
	}
}

// lasts is the time that a walk takes.
func (s *Scene) lasts(size float64) float64 { return (s.wide() + 0.5*size) / (stride * size) }

// visitors walk through at these moments, one after the other of another size
// and dress: 4.6, 2.3 and 1.2 % of the picture. None comes to an idle scene.
func (s *Scene) visitors(at ...float64) {
	if s.opt.Idle {
		return
	}
	for i, from := range at {
		size := [...]float64{0.58, 0.41, 0.30}[i%3]
		s.things = append(s.things, s.walk(from, 0.95-0.03*float64(i%3), size, i%2 == 1, all4[i%3]))
	}
}

// still has nothing but noise and visitors.
func still(s *Scene) { s.visitors(8, 20, 34) }

// walkers are small: four of them in different dress, one like the ground.
func walkers(part float64) func(s *Scene) {
	return func(s *Scene) {
		size := s.sizeOf(part)
		long := s.lasts(size)
		for i, d := range all4 {
			s.things = append(s.things, s.walk(6+float64(i)*(long+5), 0.9-0.06*float64(i), size, i%2 == 1, d))
		}
		s.seconds = 6 + 4*(long+5)
	}
}

// stops has a person who comes, stands for 30 s and leaves. Nobody stands like a
// post: the body sways by about 1 % of its height.
func stops(s *Scene) {
	const size, from, stands = 0.5, 6, 30
	s.seconds = 60
	half := s.wide() / 2 / (stride * size)
	s.things = append(s.things, func(t float64) []Limb {
		way := t - from
		sway := 0.0
		switch {
		case way < 0:
			return nil
		case way > half && way < half+stands:
			way, sway = half, 0.01*size*wander(3, t, 1.5)
		case way >= half+stands:
			way -= stands
		}
		x := way*stride*size - 0.1
		if x > s.wide()+0.15 {
			return nil
		}
		return figure(x+sway, 0.93, size, way*stride/0.8, jeans)
	})
}

// vehicle is a car of a height, its middle at x.
func vehicle(x, ground, size, luma float64, object bool) []Limb {
	limb := func(x0, y0, x1, y1, r, v float64) Limb {
		l := bar(x+x0*size, ground+y0*size, x+x1*size, ground+y1*size, r*size, v)
		l.Object = object
		return l
	}
	under := limb(-1.3, -0.03, 1.3, -0.03, 0.09, 0.45)
	under.Dims, under.Object, under.Soft = true, false, 0.05*size
	return []Limb{under,
		limb(-1.25, -0.42, 1.25, -0.42, 0.25, luma), // body
		limb(-0.6, -0.78, 0.35, -0.78, 0.22, luma),  // roof
		limb(-0.52, -0.76, -0.2, -0.76, 0.13, 50), limb(0, -0.76, 0.28, -0.76, 0.13, 50),
		limb(-0.85, -0.18, -0.85, -0.18, 0.18, 28), limb(0.85, -0.18, 0.85, -0.18, 0.18, 28)}
}

// parked has a car that comes, parks and drives away 90 s later, and a passer-by
// meanwhile. The car is an event while it moves; parked it belongs to the place.
func parked(s *Scene) {
	const size, from, speed = 0.2, 6, 0.22
	const stop, leave = from + 4.2, from + 94.2
	s.seconds = leave + 18
	s.things = append(s.things, func(t float64) []Limb {
		if t < from || t > leave+8 {
			return nil
		}
		way := min(t, stop) - from
		if t > leave {
			way += t - leave
		}
		return vehicle(way*speed-0.3, 0.8, size, 70, t < stop || t > leave)
	}, s.walk(stop+30, 0.97, 0.3, true, pale))
}

// bottle has a hand that takes a bottle from one place of the table to another,
// puts it down and leaves; later one that takes it away.
func bottle(s *Scene) {
	s.place = room
	s.seconds = 50
	const left, right = 0.45, 0.85
	s.things = append(s.things, func(t float64) []Limb {
		x, in, moving := left, true, false
		reach, arm := 0.0, 0.0
		switch {
		case t >= 8 && t < 12: // in 1 s, move 1.5 s, out 1.5 s
			u := t - 8
			x = mix(left, right, smooth((u-1)/1.5))
			reach = min(smooth(u), smooth((4-u)/1.5))
			arm, moving = x, u > 1 && u < 2.5
		case t >= 12 && t < 34:
			x = right
		case t >= 34 && t < 37: // in 1 s, lift and take away
			u := t - 34
			x, arm = right, right
			reach = min(smooth(u), smooth((3-u)/1.5))
			moving = u > 1
			in = u < 2.6
		case t >= 37:
			in = false
		}
		up := 0.0
		if t >= 35.5 && t < 37 {
			up = 0.75 * smooth((t-35.5)/1.5)
		}
		var ls []Limb
		if in {
			for _, l := range []Limb{bar(x, 0.565-up, x, 0.665-up, 0.035, 62), bar(x, 0.475-up, x, 0.515-up, 0.014, 62),
				bar(x, 0.605-up, x, 0.635-up, 0.0345, 190)} {
				l.Object = moving
				ls = append(ls, l)
			}
		}
		if reach > 0 {
			y := mix(-0.1, 0.56, reach)
			for _, l := range []Limb{bar(arm+0.18, y-0.75, arm+0.05, y-0.1, 0.055, 92), bar(arm+0.05, y-0.1, arm, y, 0.035, 172)} {
				l.Object = true
				ls = append(ls, l)
			}
		}
		return ls
	})
}

// twice is two pairs of visits with so many seconds without anyone between them.
func twice(apart float64) func(s *Scene) {
	return func(s *Scene) {
		const size = 0.45
		// A figure is gone a little before its walk is over.
		long := s.lasts(size) - 0.12*size/(stride*size)
		second := 6 + long + apart - 0.12/stride
		s.things = append(s.things, s.walk(6, 0.93, size, false, black), s.walk(second, 0.96, size, true, pale),
			s.walk(second+long+8, 0.93, size, true, jeans), s.walk(second+2*long+8+apart-0.12/stride, 0.96, size, true, black))
		s.seconds = second + 3*long + 8 + apart + 5
	}
}
