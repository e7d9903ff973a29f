package motion

import "time"

// What leaves the background and comes back is a leaf, a thread, a drop: it blinks, and its
// block gets a higher bound (St-Charles et al. 2015, SuBSENSE), as do the next ones,
// for it will go there (spread to neighbours: Barnich and Van Droogenbroeck
// 2011). Visitors do the same to a block once or twice, but they come from
// elsewhere (motion that keeps its direction is salient: Wixson 2000).
const (
	flickerLong   = 2 * time.Second // a block that comes back later does not flicker: a leaf swings at 0.4 Hz or more
	flickerTime   = 5 * time.Second // memory of how often it came back, from
	inPlace       = 1.0             // a thing that stays in its place, or
	fromFar       = 0.25            // one that travels; 1 in all is flicker
	inPlaceTime   = time.Second     // by then a thing has travelled, or it stays in its place
	flickerPart   = 1.2             // of the largest deviation, is the bound for flicker
	flickerForget = 5 * time.Minute // time constant of forgetting it
	backPart      = 0.55            // of a full deviation: a block with less is back
)

// States of a block: part of a blob, and back at the background since.
const (
	away = 1 + iota
	back
)

// flicker is the part of the background that comes and goes. Levels are in the reference's light.
type flicker struct {
	things [mostThings]thing
	next   uint32 // thing

	out     []byte          // state of each block; 0: neither
	left    []time.Duration // when it became part of a blob
	by      []uint32        // the thing whose blob that was
	peak    []float32       // largest deviation since
	returns []float32       // how often it came back lately
	height  []float32       // bound for its flicker; 0: none
}

func newFlicker(n int) flicker {
	return flicker{out: make([]byte, n), left: make([]time.Duration, n), by: make([]uint32, n),
		peak: make([]float32, n), returns: make([]float32, n), height: make([]float32, n)}
}

// leave notes that a block is part of a blob of a thing.
func (b *background) leave(i int, by uint32, at time.Duration) {
	if b.out[i] == back {
		b.judge(i, at)
	}
	if b.out[i] != away {
		b.out[i], b.left[i], b.peak[i] = away, at, 0
	}
	b.by[i] = by
	b.peak[i] = max(b.peak[i], abs(b.now[i]-b.mean[i]))
}

// comeBack notes that a block is at the background again.
func (b *background) comeBack(i int, at time.Duration) {
	b.out[i] = back
	if at-b.left[i] > flickerLong {
		b.out[i] = 0
	}
}

// judge decides whether a block that came back flickers, once it is known whether its thing travels.
func (b *background) judge(i int, at time.Duration) {
	t := b.thing(b.by[i])
	switch {
	case t == nil: // forgotten
	case t.far:
		b.returns[i] += fromFar
	case at-t.born < inPlaceTime:
		return
	default:
		b.returns[i] += inPlace
	}
	b.out[i] = 0
	if t != nil && b.returns[i] >= 1 {
		b.height[i] = max(b.height[i], flickerPart*b.peak[i])
	}
}

// fade lets the lines from first on, every renewLines-th, forget a little.
func (b *background) fade(first int, dt, at time.Duration) {
	r, f := 1-rate(dt, flickerTime), 1-rate(dt, flickerForget)
	for y := first; y < b.h; y += renewLines {
		for i := y * b.w; i < (y+1)*b.w; i++ {
			if b.out[i] == back {
				b.judge(i, at)
			}
			b.returns[i] *= r
			if b.height[i] *= f; b.height[i] < leastDeviation {
				b.height[i] = 0
			}
		}
	}
}
