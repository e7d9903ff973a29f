package motion

import (
	"cmp"
	"slices"
	"time"

	"watchpost/engine/frame"
)

// Rect is a zone in percent of the picture.
type Rect struct{ X, Y, W, H float64 }

// Params is what one motion trigger asks for.
type Params struct {
	Threshold   int    // 1–9; see ThresholdPercent
	Sensitivity int    // 1–9: how readily change counts as motion; see deviation
	Zones       []Rect // empty: the whole picture
	Exclude     []Rect // parts of them that do not count
}

// thresholdPercent is the documented table. 0.15 % is 461 pixels of 640 x 480.
var thresholdPercent = [...]float64{0.03, 0.05, 0.07, 0.10, 0.15, 0.30, 0.70, 2, 5}

// ThresholdPercent is the area, in percent of the zone, that a threshold step
// stands for. A step outside 1–9 counts as the nearest one.
func ThresholdPercent(step int) float64 {
	return thresholdPercent[min(max(step, 1), len(thresholdPercent))-1]
}

// Result is what one plane means for one Params.
type Result struct {
	Level   float64 // moving area, percent of the zone
	Active  bool    // an event is going on; also while all that it is made of stands still
	Started bool    // an event started on this plane
	Ended   bool    // the event has ended: it was quiet for the quiet time, or gave way to another; never with Started
	// LastMoving is, with Ended, the frame sequence and moment of the last motion.
	LastMovingSeq uint64
	LastMovingAt  time.Duration
	Peak          float64 // highest level of the event so far
	Box           [4]int  // x, y, w, h of what moves now, pixels of the picture; zero where nothing does
}

// Detector is one background model with any number of Params evaluated on it.
// It is owned by one goroutine.
type Detector struct {
	// Absorb is how long something that belongs to an event stands still until it is
	// background; zero is AbsorbTime.
	Absorb time.Duration

	bg      background
	views   []*view // one for each sensitivity asked for
	gates   []gate  // one for each Params
	keep    []byte  // blocks that an event in progress forbids to learn
	results []Result
}

// New returns a detector. It does not detect before it has seen the scene for a moment.
func New(p []Params) *Detector {
	d := &Detector{}
	d.Use(p, func(int) int { return -1 })
	return d
}

// Use gives a detector other params, and keeps what it knows of the scene. The i-th
// goes on, with its event, as the from(i)-th of those before, which must be equal; -1
// begins anew. Events of those that none goes on as are over.
func (d *Detector) Use(p []Params, from func(i int) int) {
	gates, views := d.gates, d.views
	d.gates, d.views, d.results = make([]gate, len(p)), nil, make([]Result, len(p))
	for i, q := range p {
		v := d.viewFor(min(max(q.Sensitivity, 1), 9), views)
		if k := from(i); k >= 0 {
			d.gates[i] = gates[k]
			continue
		}
		d.gates[i] = gate{params: q, view: v}
		if d.bg.w > 0 {
			d.gates[i].fit(d.bg.size())
		}
	}
}

// viewFor returns the view of a sensitivity, one of old where there is one.
func (d *Detector) viewFor(sensitivity int, old []*view) *view {
	same := func(v *view) bool { return v.sensitivity == sensitivity }
	if i := slices.IndexFunc(d.views, same); i >= 0 {
		return d.views[i]
	}
	v := &view{sensitivity: sensitivity}
	if i := slices.IndexFunc(old, same); i >= 0 {
		v = old[i]
	} else if d.bg.w > 0 {
		v.resize(d.bg.w, d.bg.h)
	}
	d.views = append(d.views, v)
	return v
}

// Step takes the next plane, its sequence number and its moment on a clock
// that never jumps. The slice is valid until the next call. A plane of another
// size ends the events that are going on and starts the model anew.
func (d *Detector) Step(p *frame.Plane, seq uint64, at time.Duration) []Result {
	if p.Width < 1 || p.Height < 1 || len(p.Pix) != p.Width*p.Height {
		for i := range d.gates {
			d.results[i] = d.gates[i].result(at)
		}
		return d.results
	}
	resized := !d.bg.fits(p)
	if resized {
		d.resize(p)
	}
	seen := d.bg.compare(p, at)
	absorb := cmp.Or(d.Absorb, AbsorbTime)
	for _, v := range d.views {
		if !d.eventIn(v) {
			v.largest = 0
		}
		if seen {
			v.find(&d.bg, at, absorb)
		} else {
			v.clear()
		}
	}
	clear(d.keep)
	for i := range d.gates {
		g := &d.gates[i]
		switch {
		case resized:
			d.results[i] = g.close()
			g.fit(p)
		case seen:
			d.results[i] = g.step(&d.bg, seq, at)
			g.protect(d.keep, at, absorb)
		default:
			d.results[i] = g.result(at)
		}
	}
	d.bg.learn(p, d.keep, at)
	return d.results
}

// eventIn reports whether an event is going on that is seen through v.
func (d *Detector) eventIn(v *view) bool {
	for i := range d.gates {
		if d.gates[i].view == v && d.gates[i].active {
			return true
		}
	}
	return false
}

func (d *Detector) resize(p *frame.Plane) {
	d.bg.resize(p)
	n := p.Width * p.Height
	d.keep = make([]byte, n)
	for _, v := range d.views {
		v.resize(p.Width, p.Height)
	}
}

// Mask returns, after Step, one byte a block: non-zero where params i sees
// motion, row by row. It is valid until the next call of Step, and nil before the first.
func (d *Detector) Mask(i int) []byte { return d.gates[i].mask }

// Close ends the events that are going on, as at the end of a recording.
func (d *Detector) Close() []Result {
	for i := range d.gates {
		d.results[i] = d.gates[i].close()
	}
	return d.results
}
