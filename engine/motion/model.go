package motion

import (
	"math"
	"time"

	"watchpost/engine/frame"
)

// Times and levels of the model. Levels are of luma, 0–255, of a block's mean.
const (
	warmUp      = time.Second            // the scene is looked at for so long before anything is motion
	warmUpMost  = 5 * time.Second        // at most, where the light does not settle
	lightSettle = 500 * time.Millisecond // the light must have been steady for so long

	driftTime = 8 * time.Second        // time constant of learning what is background
	noiseTime = 12 * time.Second       // time constant of learning the noise
	lightTime = 30 * time.Second       // time constant of moving the reference to the present light
	shortTime = 500 * time.Millisecond // time constant of the short mean, against which a block is active or still
	stillTime = 2 * time.Second        // a change outside events that was still for so long is background

	leastDeviation = 6.0  // no smaller deviation is motion at sensitivity 5
	noiseFactor    = 6.0  // deviations in mean absolute ones (4.8 standard deviations of a normal distribution)
	lightDoubt     = 0.08 // part of the light's change that the correction may be wrong by
	edgeDoubt      = 0.06 // part of the difference to a neighbour that half a pixel of shake moves
	leastActivity  = 4.0  // no smaller change against the short mean is activity
	startNoise     = 0.7  // mean absolute deviation taken as known before anything was seen
	mostNoise      = 20.0
	aloneFactor    = 1.06 // mean of a normal deviation over that of the smaller of itself and a second difference
	leastWant      = 16.0 // darker blocks tell nothing about light

	noiseLines = 2 // the noise changes slowly: one line in so many learns it from each plane
	renewLines = 8 // and so do the bounds: one line in so many is renewed with each

	upsetPart = 0.6 // a part of the picture that deviates from one plane to the next: the scene is another one
	calmPart  = 0.3
)

// background is the model: for each block the mean and noise of what belongs to
// the scene, in the light of a reference, and the mean that it had before
// something was learned over it.
type background struct {
	w, h   int
	scale  int
	pw, ph int

	mean  []float32 // the scene, reference light; NaN: the block was never known
	older []float32 // the scene before the last thing that was learned at once; NaN: none
	noise []float32 // mean absolute deviation
	bound []float32 // deviation that is motion at sensitivity 5, in the reference's light
	calm  []float32 // the same where nothing flickers
	short []float32 // mean of the last half second, reference light

	dev     []float32       // deviation of this plane, signed; 1 is motion at sensitivity 5
	rel     []float32       // the change as a part of its luma in the present light
	now     []float32       // this plane, reference light
	state   []byte          // asKnown, differs or lit
	differ  []int32         // blocks that differed before local light was found
	reached []int32         // blocks that are lit
	links   []byte          // of a block that differs: neighbours in the same light
	active  []byte          // changes against the short mean
	stir    []time.Duration // when the block, together with a neighbour, was last active
	moved   []time.Duration // when a blob of which it was a part last moved

	flicker

	light    light
	unknown  []byte // of this plane, nil where all are known
	warm     bool
	planes   int
	since    time.Duration // first plane of the warm-up
	unsteady time.Duration // last moment at which the light was changing, in the warm-up
	last     time.Duration
	changed  float64       // part of the picture that deviated in the last plane
	absorbed time.Duration // last moment at which something of an event was learned at once
}

func (b *background) fits(p *frame.Plane) bool {
	return b.w == p.Width && b.h == p.Height && b.scale == p.Scale && b.pw == p.PicWidth && b.ph == p.PicHeight
}

func (b *background) resize(p *frame.Plane) {
	n := p.Width * p.Height
	*b = background{
		w: p.Width, h: p.Height, scale: p.Scale, pw: p.PicWidth, ph: p.PicHeight,
		mean: make([]float32, n), older: make([]float32, n), noise: make([]float32, n), bound: make([]float32, n), calm: make([]float32, n), short: make([]float32, n),
		rel: make([]float32, n), state: make([]byte, n), links: make([]byte, n), differ: make([]int32, 0, n), reached: make([]int32, 0, n),
		dev: make([]float32, n), now: make([]float32, n), active: make([]byte, n), stir: make([]time.Duration, n), moved: make([]time.Duration, n),
		flicker: newFlicker(n),
	}
}

// size is a plane without blocks of the model's size.
func (b *background) size() *frame.Plane {
	return &frame.Plane{Width: b.w, Height: b.h, Scale: b.scale, PicWidth: b.pw, PicHeight: b.ph}
}

// forget begins a new warm-up.
func (b *background) forget() { b.warm, b.planes = false, 0 }

// compare measures how far a plane is from the scene. It is false while the
// scene is not known yet.
func (b *background) compare(p *frame.Plane, at time.Duration) bool {
	b.unknown = nil
	if len(p.Unknown) == len(p.Pix) {
		b.unknown = p.Unknown
	}
	if !b.warm {
		return false
	}
	b.light.estimate(p.Pix, b.unknown, b)
	changed := b.deviations(p.Pix)
	if changed > upsetPart && b.changed < calmPart {
		b.forget() // what no gain and offset explains: another light, another view
		return false
	}
	b.changed = changed
	b.local(p.Pix)
	b.activity(at)
	return true
}

// deviations fills now, dev, rel, state, differ and active and returns the part of the picture that deviates.
func (b *background) deviations(pix []byte) float64 {
	g, o := float32(b.light.gain), float32(b.light.offset)
	inv := 1 / g
	amp := max(g, 1)
	count := 0
	b.differ = b.differ[:0]
	for i, c := range pix {
		if b.unknown != nil && b.unknown[i] != 0 {
			b.dev[i], b.rel[i], b.active[i], b.state[i], b.now[i] = 0, 0, 0, differs, b.short[i]
			continue
		}
		m := b.mean[i]
		x := (float32(c) - o) * inv
		b.now[i] = x
		if m != m {
			b.dev[i], b.rel[i], b.active[i], b.state[i] = 0, 0, 0, differs
			continue
		}
		want := g*m + o
		bound := b.within(i, want)
		r := float32(c) - want
		if abs(r) >= bound {
			switch old := float32(c) - (g*b.older[i] + o); {
			case abs(old) < bound: // false where there is none
				b.mean[i], b.older[i] = b.older[i], m
				r = old
			case c >= 235 && want >= 225 || c <= 16 && want <= 20:
				r = 0 // the sensor's end, not the scene's
			}
		}
		d := r / bound
		b.dev[i], b.rel[i], b.state[i] = d, r/max(want, leastWant), asKnown
		if abs(d) >= knownPart {
			b.state[i] = differs
			b.differ = append(b.differ, int32(i))
		}
		if abs(d) >= 1 {
			count++
		}
		b.active[i] = 0
		if abs(x-b.short[i])*g >= max(leastActivity, noiseFactor*b.noise[i]*amp) {
			b.active[i] = 1
		}
	}
	return float64(count) / float64(len(pix))
}

// renew brings the bounds of the lines from first on, every step-th, up to date.
func (b *background) renew(first, step int) {
	amp := max(float32(b.light.gain), 1)
	for y := first; y < b.h; y += step {
		for i := y * b.w; i < (y+1)*b.w; i++ {
			edge, flicker := b.around(i)
			least := max(leastDeviation, noiseFactor*b.noise[i]*amp)
			b.calm[i] = least + edgeDoubt*amp*edge
			b.bound[i] = max(least, flicker*amp) + edgeDoubt*amp*edge
		}
	}
}

// within is the deviation of block i that is motion at sensitivity 5, where want is its luma in the present light.
func (b *background) within(i int, want float32) float32 {
	return b.bound[i] + lightDoubt*abs(want-b.mean[i])
}

// want is the luma of a block in the present light of the whole picture.
func (b *background) want(i int) float32 {
	return max(float32(b.light.gain)*b.mean[i]+float32(b.light.offset), leastWant)
}

// part is the change of a block as a part of its luma in the present light.
func (b *background) part(i int) (want, part float32) {
	g, o := float32(b.light.gain), float32(b.light.offset)
	want = b.want(i)
	return want, (g*b.now[i] + o - want) / want
}

// around is the largest difference of the scene between a block and the next
// four, and the largest flicker among them.
func (b *background) around(i int) (edge, flicker float32) {
	flicker = b.height[i]
	for _, j := range [...]int{i + 1, i - 1, i + b.w, i - b.w} {
		if j < 0 || j >= len(b.mean) {
			continue
		}
		if d := abs(b.mean[j] - b.mean[i]); d > edge { // false where one was never known
			edge = d
		}
		flicker = max(flicker, b.height[j])
	}
	return edge, flicker
}

// activity stamps the blocks that change together with a neighbour: noise alone
// makes single ones.
func (b *background) activity(at time.Duration) {
	for i, a := range b.active {
		if a == 0 {
			continue
		}
		x, y := i%b.w, i/b.w
		if x+1 < b.w && b.active[i+1] != 0 {
			b.stir[i], b.stir[i+1] = at, at
		}
		if y+1 < b.h && b.active[i+b.w] != 0 {
			b.stir[i], b.stir[i+b.w] = at, at
		}
	}
}

// learn takes the plane into the model, but for the blocks to keep and those around them.
func (b *background) learn(p *frame.Plane, keep []byte, at time.Duration) {
	dt := min(max(at-b.last, 0), time.Second)
	b.last = at
	if !b.warm {
		b.look(p, at, dt)
		return
	}
	short, drift, noise := rate(dt, shortTime), rate(dt, driftTime), rate(dt*noiseLines, noiseTime)
	g := float32(b.light.gain)
	// Far from the reference's light the correction is less sure (a white table
	// top that the sensor clips): learn less then, as light mostly comes back.
	drift /= 1 + float32(math.Abs(b.light.shiftAt(128))/lightNear)
	held := false
	for y := range b.h {
		noisy := (y+b.planes)%noiseLines == 0
		for i := y * b.w; i < (y+1)*b.w; i++ {
			x := b.now[i]
			if b.unknown != nil && b.unknown[i] != 0 {
				continue
			}
			if b.mean[i] != b.mean[i] {
				b.meet(i, x, at)
				continue
			}
			b.short[i] += short * (x - b.short[i])
			if b.out[i] == away && abs(b.dev[i]) < backPart && b.state[i] != lit {
				b.comeBack(i, at)
			}
			if keep[i] != 0 {
				held = true
				continue
			}
			if abs(b.dev[i]) >= 1 && at-b.stir[i] >= stillTime {
				b.absorb(i)
				continue
			}
			e := x - b.mean[i]
			if f := b.height[i]; f > 0 && flickerPart*abs(e) > f && abs(b.dev[i]) < 1 {
				b.height[i] = flickerPart * abs(e) // it goes on, below its bound
			}
			b.mean[i] += drift * e
			if noisy {
				b.noise[i] = min(b.noise[i]+noise*(min(b.alone(i, abs(e)*g), 4*b.noise[i]+4)-b.noise[i]), mostNoise)
			}
		}
	}
	b.planes++
	b.renew(b.planes%renewLines, renewLines)
	b.fade(b.planes%renewLines, dt*renewLines, at)
	if !held {
		b.rebase(rate(dt, lightTime))
	}
}

// alone is a block's deviation e from the scene without what it shares with its
// neighbours on both axes, which is light and no noise (second differences: Immerkaer 1996).
func (b *background) alone(i int, e float32) float32 {
	if i < b.w || i+b.w >= len(b.rel) {
		return e
	}
	c, across, down := b.rel[i], b.rel[i-1]+b.rel[i+1], b.rel[i-b.w]+b.rel[i+b.w]
	return aloneFactor * min(e, max(abs(c-across/2), abs(c-down/2))*b.want(i))
}

// meet takes up a block at the first value that is known of it.
func (b *background) meet(i int, x float32, at time.Duration) {
	b.mean[i], b.short[i], b.noise[i] = x, x, startNoise
	b.older[i] = float32(math.NaN())
	b.moved[i], b.stir[i] = at, at
	b.dev[i], b.active[i] = 0, 0
}

// absorb makes what a block shows now the scene.
func (b *background) absorb(i int) {
	b.older[i] = b.mean[i]
	b.mean[i] = b.short[i]
	b.dev[i] = 0
}

// rebase moves the reference a little towards the present light.
func (b *background) rebase(part float32) {
	l := &b.light
	if math.Abs(l.gain-1) < 0.002 && math.Abs(l.offset) < 0.2 {
		return
	}
	a := 1 + (float32(l.gain)-1)*part
	o := float32(l.offset) * part
	for i := range b.mean {
		b.mean[i] = a*b.mean[i] + o
		b.older[i] = a*b.older[i] + o
		b.short[i] = a*b.short[i] + o
		b.height[i] *= a
	}
	l.rebase(float64(a), float64(o))
}

// look is the warm-up: means of the last half second, and the noise from one plane to the next.
func (b *background) look(p *frame.Plane, at, dt time.Duration) {
	if b.planes == 0 {
		b.since, b.unsteady = at, at
		b.light.reset()
		b.changed = 0
		for i, c := range p.Pix {
			x := float32(c)
			if b.unknown != nil && b.unknown[i] != 0 {
				x = float32(math.NaN())
			}
			b.meet(i, x, at)
		}
		b.planes = 1
		return
	}
	b.planes++
	b.light.estimate(p.Pix, b.unknown, b)
	if shift := b.light.shiftAt(128); math.Abs(shift) > 2 {
		b.unsteady = at
	}
	r := rate(dt, shortTime)
	for i, c := range p.Pix {
		if b.unknown != nil && b.unknown[i] != 0 {
			continue
		}
		if b.mean[i] != b.mean[i] {
			b.meet(i, float32(c), at)
			continue
		}
		e := float32(c) - b.mean[i]
		b.mean[i] += r * e
		b.short[i] = b.mean[i]
		b.noise[i] += min(r, 0.2) * (min(abs(e), mostNoise) - b.noise[i])
	}
	b.light.reset()
	if seen := at - b.since; seen >= warmUp && (at-b.unsteady >= lightSettle || seen >= warmUpMost) {
		b.warm = true
		b.renew(0, 1)
	}
}

// rate is the part of a new value that a mean with a time constant takes after dt.
func rate(dt, constant time.Duration) float32 {
	return float32(1 - math.Exp(-float64(dt)/float64(constant)))
}

func abs(x float32) float32 {
	return math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
}
