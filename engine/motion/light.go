package motion

import "math"

const (
	lightSamples = 1200 // blocks that the light is estimated from
	lightNear    = 6.0  // a block within this of the estimate agrees with it
	lightTrust   = 0.6  // part of the samples that must agree with a small correction of the last estimate
	lightLeast   = 0.5  // part of the samples that must agree with an estimate found by searching
	lightBetter  = 0.2  // and by so much it must be better than the last one
	leastGain    = 0.25
	mostGain     = 4.0
)

// light is the present light against the reference: luma = gain * reference + offset.
// A change of exposure, of a lamp or of the sun changes these two for the whole
// picture; an object does not fit them.
type light struct {
	gain, offset float64
	n            int
	ref, luma    [lightSamples * 2]float32
}

func (l *light) reset() { l.gain, l.offset = 1, 0 }

// rebase follows a move of the reference to a*reference + o.
func (l *light) rebase(a, o float64) {
	l.gain /= a
	l.offset -= l.gain * o
}

// shiftAt is the change of a luma level of the reference.
func (l *light) shiftAt(level float64) float64 { return l.gain*level + l.offset - level }

// estimate fits gain and offset. It follows the last estimate by trimmed least
// squares; where too few blocks agree (a light was switched) it searches.
func (l *light) estimate(pix, unknown []byte, b *background) {
	l.sample(pix, unknown, b)
	if l.n < 8 {
		return
	}
	g, o, agree := l.refine(l.gain, l.offset)
	if agree >= lightTrust {
		l.gain, l.offset = g, o
		return
	}
	if sg, so, sa := l.refine(l.search()); sa >= lightLeast && sa >= agree+lightBetter {
		l.gain, l.offset = sg, so
		return
	}
	if agree >= 0.1 {
		l.gain, l.offset = g, o
	}
}

// sample takes known blocks evenly over the picture.
func (l *light) sample(pix, unknown []byte, b *background) {
	stride := max(1, len(pix)/lightSamples)
	if stride > 1 && b.w%stride == 0 {
		stride++ // never the same columns only
	}
	l.n = 0
	for i := stride / 2; i < len(pix) && l.n < len(l.ref); i += stride {
		if unknown != nil && unknown[i] != 0 {
			continue
		}
		if pix[i] >= 235 || pix[i] <= 4 {
			continue // at the sensor's end there is no gain to see
		}
		if b.mean[i] != b.mean[i] {
			continue // it was never known
		}
		l.ref[l.n], l.luma[l.n] = b.mean[i], float32(pix[i])
		l.n++
	}
}

// refine improves an estimate by least squares over the samples near it and
// returns it with the part of the samples that agree with it.
func (l *light) refine(g, o float64) (gain, offset, agree float64) {
	for range 3 {
		var n, sx, sy, sxx, sxy float32
		gf, of := float32(g), float32(o)
		for i, x := range l.ref[:l.n] {
			y := l.luma[i]
			if abs(y-gf*x-of) < lightNear {
				n++
				sx += x
				sy += y
				sxx += x * x
				sxy += x * y
			}
		}
		if n < 8 {
			return g, o, float64(n) / float64(l.n)
		}
		g, o = solve(float64(n), float64(sx), float64(sy), float64(sxx), float64(sxy))
	}
	gf, of := float32(g), float32(o)
	near := 0
	for i, x := range l.ref[:l.n] {
		if abs(l.luma[i]-gf*x-of) < lightNear {
			near++
		}
	}
	return g, o, float64(near) / float64(l.n)
}

// solve is least squares with a weak pull to a pure gain: where all blocks are
// alike, gain and offset cannot be told apart, and exposure is a gain.
func solve(n, sx, sy, sxx, sxy float64) (gain, offset float64) {
	mx, my := sx/n, sy/n
	vxx, vxy := sxx/n-mx*mx, sxy/n-mx*my
	pull := 16.0
	pure := my / math.Max(mx, 1)
	gain = (vxy + pull*pure) / (vxx + pull)
	gain = math.Min(math.Max(gain, leastGain), mostGain)
	return gain, my - gain*mx
}

// search tries gains over the whole range, each with the offset that most
// samples share, and returns the best.
func (l *light) search() (gain, offset float64) {
	best := -1
	gain, offset = l.gain, l.offset
	for g := leastGain; g <= mostGain; g *= 1.06 {
		var bins [1536]uint16 // offsets -1024…511
		for i, x := range l.ref[:l.n] {
			k := int(l.luma[i]-float32(g)*x) + 1024
			if k >= 0 && k < len(bins) {
				bins[k]++
			}
		}
		const window = int(2 * lightNear)
		run := 0
		for k, c := range bins {
			run += int(c)
			if k >= window {
				run -= int(bins[k-window])
			}
			if run > best {
				best = run
				gain, offset = g, float64(k-1024)-float64(window)/2+0.5
			}
		}
	}
	return gain, offset
}
