package scenes

import "math"

// Limb is the one shape that is drawn: a line with round ends.
type Limb struct {
	X0, Y0, X1, Y1 float64
	R              float64 // half its width
	Soft           float64 // half the width of its edge; a pixel at least
	Luma           float64 // in the light of the place; with Dims a factor on what is there
	Alpha          float64 // cover
	Dims           bool    // a shadow
	Object         bool    // part of a true event
}

// dot is a disc.
func dot(x, y, r, luma float64) Limb {
	return Limb{X0: x, Y0: y, X1: x, Y1: y, R: r, Luma: luma, Alpha: 1}
}

// bar is a line of width 2r.
func bar(x0, y0, x1, y1, r, luma float64) Limb {
	return Limb{X0: x0, Y0: y0, X1: x1, Y1: y1, R: r, Luma: luma, Alpha: 1}
}

// inside reports whether some of it lies in a picture of that width.
func (l Limb) inside(wide float64) bool {
	const steps = 16
	r := l.R * 0.8
	for i := range steps + 1 {
		a := float64(i) / steps
		x, y := mix(l.X0, l.X1, a), mix(l.Y0, l.Y1, a)
		if x > -r && x < wide+r && y > -r && y < 1+r {
			return true
		}
	}
	return false
}

// bounds is the rectangle of pixels that it may touch.
func (l Limb) bounds(w, h int) (x0, y0, x1, y1 int) {
	u := float64(h)
	out := l.R + l.Soft + 1/u
	clip := func(v float64, most int) int { return int(min(max(v, 0), float64(most))) }
	return clip((min(l.X0, l.X1)-out)*u, w), clip((min(l.Y0, l.Y1)-out)*u, h),
		clip(math.Ceil((max(l.X0, l.X1)+out)*u), w), clip(math.Ceil((max(l.Y0, l.Y1)+out)*u), h)
}

// draw paints it into luma, and into truth what it covers by half.
func (l Limb) draw(pix []float32, truth []byte, w, h int) {
	x0, y0, x1, y1 := l.bounds(w, h)
	u := float32(h)
	ax, ay := float32(l.X0)*u, float32(l.Y0)*u
	dx, dy := float32(l.X1)*u-ax, float32(l.Y1)*u-ay
	inv := dx*dx + dy*dy
	if inv > 0 {
		inv = 1 / inv
	}
	r, soft := float32(l.R)*u, max(float32(l.Soft)*u, 0.5)
	outer := (r + soft) * (r + soft)
	value, alpha := float32(l.Luma), float32(l.Alpha)
	for y := y0; y < y1; y++ {
		py := float32(y) + 0.5 - ay
		line := pix[y*w:][:w]
		for x := x0; x < x1; x++ {
			px := float32(x) + 0.5 - ax
			a := min(max((px*dx+py*dy)*inv, 0), 1)
			ex, ey := px-a*dx, py-a*dy
			d := ex*ex + ey*ey
			if d >= outer {
				continue
			}
			cover := min((r+soft-float32(math.Sqrt(float64(d))))/(2*soft), 1)
			if l.Object && truth != nil && cover*alpha >= 0.5 {
				truth[y*w+x] = 1
			}
			if l.Dims {
				line[x] *= 1 - cover*alpha*(1-value)
			} else {
				line[x] += cover * alpha * (value - line[x])
			}
		}
	}
}
