package scenes

import (
	"math"
)

// night is a dark place at a high gain.
func night(s *Scene) {
	s.seconds = 70
	s.noise, s.grainy = func(float64) float64 { return 8 }, true
	s.light = func(float64) (float64, float64) { return 0.32, 12 }
	s.visitors(8, 24, 44)
}

// leaves is a tree in gusts: branches swing at 0.4 Hz (Moore and Maguire 2004
// measured 0.1 to 0.5 Hz for trees, small ones are quicker), leaves flutter at 2 to 4 Hz.
func leaves(s *Scene) {
	s.seconds = 80
	s.sway = func(t, x, y float64) (float64, float64) {
		gust := 0.25 + 0.75*smooth(0.5+wander(s.opt.Seed+51, t, 4))
		phase := 3*x + 2*y
		own := 9 * mottle(s.opt.Seed+52, x*40, y*40)
		dx := 5*math.Sin(2*math.Pi*0.4*t+phase) + 1.5*math.Sin(2*math.Pi*2.3*t+own)
		dy := 1.5*math.Sin(2*math.Pi*0.7*t+2*phase) + 1.2*math.Sin(2*math.Pi*3.1*t+2*own)
		return gust * dx, gust * dy
	}
	s.visitors(8, 24, 46)
}

// insects fly near the lens in the light of its infrared lamp: bright, out of
// focus, mostly gone within half a second; one in five turns around for 1 to 3 s.
func insects(s *Scene) {
	s.seconds = 70
	s.noise, s.grainy = func(float64) float64 { return 4 }, true
	s.light = func(float64) (float64, float64) { return 0.5, 8 }
	s.infrared = func(float64) bool { return true }
	s.things = append(s.things, func(t float64) []Limb {
		since, n := cycle(t, 7)
		h := func(k int) float64 { return hash(s.opt.Seed+71, n*16+k) }
		long := 0.15 + 0.4*h(0)
		if h(1) < 0.2 {
			long = 1 + 2*h(2)
		}
		u := (since - 3*h(3)) / long
		if u < 0 || u > 1 {
			return nil
		}
		x, y := mix(-0.1, s.wide()+0.1, u), mix(h(4), h(5), u)
		if h(6) < 0.5 {
			x = s.wide() - x
		}
		if long > 1 { // erratic
			x = s.wide()*0.5 + 0.5*wander(s.opt.Seed+72+uint64(n), t, 0.35)
			y = 0.5 + 0.4*wander(s.opt.Seed+1072+uint64(n), t, 0.3)
		}
		r := 0.02 + 0.05*h(7)
		blur := 0.8 * s.wide() / long / 30 // in an exposure of 1/30 s
		if long > 1 {
			blur = 0.04
		}
		return []Limb{{X0: x - blur/2, Y0: y, X1: x + blur/2, Y1: y + 0.02, R: r, Soft: r * 0.8, Luma: 420, Alpha: 0.75}}
	})
	s.visitors(8, 24, 46)
}

// web is a thread of a spider before the lens, out of focus, in the lamp's light. It swings when the wind comes.
func web(s *Scene) {
	s.seconds = 70
	s.noise, s.grainy = func(float64) float64 { return 4 }, true
	s.light = func(float64) (float64, float64) { return 0.5, 8 }
	s.infrared = func(float64) bool { return true }
	s.things = append(s.things, func(t float64) []Limb {
		wind := smooth(0.3 + 1.5*wander(s.opt.Seed+81, t, 5))
		swing := wind * (0.05*math.Sin(2*math.Pi*0.9*t) + 0.02*math.Sin(2*math.Pi*2.1*t+1))
		a, b := 0.62*s.wide(), 0.80*s.wide()
		const bow = 0.5
		return []Limb{
			{X0: a, Y0: -0.1, X1: a + 0.06 + swing, Y1: bow, R: 0.014, Soft: 0.012, Luma: 400, Alpha: 0.3},
			{X0: a + 0.06 + swing, Y0: bow, X1: b, Y1: 1.1, R: 0.014, Soft: 0.012, Luma: 400, Alpha: 0.3},
		}
	})
	s.visitors(8, 24, 46)
}

// shake is a mast in the wind: the picture moves by up to a pixel of 480 lines.
func shake(s *Scene) {
	s.seconds = 70
	unit := float64(s.opt.Height) / 480
	s.shift = func(t float64) (float64, float64) {
		gust := smooth(0.5 + wander(s.opt.Seed+91, t, 6))
		return unit * gust * math.Sin(2*math.Pi*1.3*t), unit * gust * 0.5 * math.Sin(2*math.Pi*2.1*t+1)
	}
	s.visitors(8, 24, 46)
}

// corrupt is a bad cable: 6 % of the JPEG pictures are cut short, miss a packet
// (USB carries up to 3072 bytes in one) or have bytes changed.
func corrupt(s *Scene) {
	s.seconds = 60
	s.damage = func(k int, jpeg []byte) []byte {
		h := func(j int) float64 { return hash(s.opt.Seed+101, k*64+j) }
		const head = 700 // beyond the tables: what is lost is picture
		body := len(jpeg) - head
		if h(0) >= 0.06 || body < 100 {
			return jpeg
		}
		at := head + int(h(1)*float64(body))
		switch kind := h(2); {
		case kind < 0.4:
			return jpeg[:at]
		case kind < 0.7:
			return append(jpeg[:at], jpeg[min(at+3072, len(jpeg)-2):]...)
		}
		for i := range 1 + int(8*h(3)) {
			j := head + int(h(4+2*i)*float64(body-2))
			jpeg[j] ^= byte(1 + 254*h(5+2*i))
		}
		return jpeg
	}
	s.visitors(8, 24, 42)
}
