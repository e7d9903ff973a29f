package main

// baseline is what everybody starts with: a running average of each pixel, a
// threshold, a majority of 5 x 5, and an event while more than an area changes.
// A second without ends an event, as the detector's quiet time does.
type baseline struct {
	w, h   int
	fps    float64
	mean   []float32
	marked []byte
	sums   []byte // of five pixels across
	mask   []byte // after the majority
	open   bool
	event  span
	found  []span
}

const (
	baseThreshold = 30   // levels
	baseRate      = 0.05 // alpha, a frame
	baseArea      = 1500 // pixels: Motion's, at every size
)

// span is an event: first and last frame, inclusive.
type span struct {
	Start int `json:"start_frame"`
	End   int `json:"end_frame"`
}

func newBaseline(w, h int, fps float64) *baseline {
	n := w * h
	return &baseline{w: w, h: h, fps: fps, marked: make([]byte, n), sums: make([]byte, n), mask: make([]byte, n)}
}

// step takes frame k.
func (b *baseline) step(k int, luma []byte) {
	if b.mean == nil {
		b.mean = make([]float32, len(luma))
		for i, v := range luma {
			b.mean[i] = float32(v)
		}
	}
	any := 0
	for i, v := range luma {
		d := float32(v) - b.mean[i]
		b.mean[i] += baseRate * d
		m := byte(0)
		if d > baseThreshold || d < -baseThreshold {
			m = 1
			any++
		}
		b.marked[i] = m
	}
	clear(b.mask)
	area := 0
	if any > 0 {
		area = b.majority()
	}
	switch {
	case area > baseArea && !b.open:
		b.open, b.event = true, span{k, k}
	case area > baseArea:
		b.event.End = k
	case b.open && float64(k-b.event.End) >= b.fps:
		b.close()
	}
}

// majority fills mask where 13 of 25 pixels are marked and counts it.
func (b *baseline) majority() (area int) {
	w, h := b.w, b.h
	for y := range h {
		line, sums := b.marked[y*w:][:w], b.sums[y*w:][:w]
		sum := line[0] + line[1]
		for x := range w {
			if x+2 < w {
				sum += line[x+2]
			}
			if x >= 3 {
				sum -= line[x-3]
			}
			sums[x] = sum
		}
	}
	for y := 2; y < h-2; y++ {
		a, c, d, e, f := b.sums[(y-2)*w:][:w], b.sums[(y-1)*w:][:w], b.sums[y*w:][:w], b.sums[(y+1)*w:][:w], b.sums[(y+2)*w:][:w]
		mask := b.mask[y*w:][:w]
		for x := range mask {
			if a[x]+c[x]+d[x]+e[x]+f[x] >= 13 {
				mask[x] = 1
				area++
			}
		}
	}
	return area
}

func (b *baseline) close() {
	if b.open {
		b.found = append(b.found, b.event)
	}
	b.open = false
}
