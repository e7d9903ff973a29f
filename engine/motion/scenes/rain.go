package scenes

import "math"

// Rain of 10 mm an hour, from its physics. Drops of more than 1 mm: 250 in a
// cubic metre, their excess exponential with a mean of 0.4 mm (Marshall and
// Palmer 1948). They fall with 9.65 - 10.3 exp(-0.6 D) m/s (Atlas et al. 1973)
// and cover a pixel for the part D/v of the exposure (Garg and Nayar 2007). The
// lens sees 60 degrees across, has an opening of 2 mm and is focused far away.
const (
	drops   = 250.0
	focal   = 1.155 // heights of the picture
	opening = 0.002 // m
)

// rainDay is lit by the sky, exposed for 1/250 s: short faint streaks.
func rainDay(s *Scene) {
	s.seconds = 70
	s.noise = func(float64) float64 { return 3 }
	s.light = func(float64) (float64, float64) { return 0.75, 10 }
	s.things = append(s.things, s.rain(1.0/250, 1.5, func(cover, _ float64) (float64, float64) {
		return 330, 1.65 * cover // of the sky's luma, by the coding's slope at a mean background
	}))
	s.visitors(8, 24, 44)
}

// rainLamp is lit by the camera's own infrared lamp, exposed for 1/30 s: long
// streaks that are bright near the lens, for the lamp is 36 times as bright at
// 1 m as at the wall, 6 m away. A drop sends back a fifth of its light: a guess.
func rainLamp(s *Scene) {
	s.seconds = 70
	s.noise, s.grainy = func(float64) float64 { return 4 }, true
	s.light = func(float64) (float64, float64) { return 0.5, 8 }
	s.infrared = func(float64) bool { return true }
	const wall = 0.04 / 0.3 // its light, where a reflectance of 0.3 has luma 60
	s.things = append(s.things, s.rain(1.0/30, 0.7, func(cover, z float64) (float64, float64) {
		added := cover * 0.2 * wall * 36 / (z * z)
		bright := 255 * math.Pow(0.04+added, 1/2.2)
		return 2 * 255, min((bright-60)/(255-60), 1)
	}))
	s.visitors(8, 24, 44)
}

// rain is the drops up to a distance in an exposure. look gives luma and cover
// of a streak by the part of the exposure that it covers a pixel, and its distance.
func (s *Scene) rain(exposure, far float64, look func(cover, z float64) (luma, alpha float64)) func(t float64) []Limb {
	pixel := 1 / float64(s.opt.Height)
	volume := s.wide() / (focal * focal) * far * far * far / 3
	return func(t float64) []Limb {
		k := int(math.Round(t * s.opt.FPS))
		at := func(i, j int) float64 { return hash(s.opt.Seed+61, (k*4000+i)*8+j) }
		n := drops * volume * (1 + 0.6*wander(s.opt.Seed+62, t, 20)) // heavier and lighter by turns
		ls := make([]Limb, int(n))
		for i := range ls {
			z := far * math.Cbrt(at(i, 0))
			size := 1 - 0.4*math.Log(1-0.999*at(i, 1)) // mm
			speed := 9.65 - 10.3*math.Exp(-0.6*size)
			wide, long := size/1000/z*focal, speed*exposure/z*focal
			blur := max(opening/z*focal, pixel)
			luma, alpha := look(size/1000/speed/exposure, z)
			x, y := at(i, 2)*s.wide(), at(i, 3)*(1+long)-long
			ls[i] = Limb{X0: x, Y0: y, X1: x + 0.12*long, Y1: y + long, R: (wide + blur) / 2, Soft: blur / 2,
				Luma: luma, Alpha: alpha * wide / (wide + blur)}
		}
		return ls
	}
}
