package motion

import (
	"time"

	"watchpost/engine/frame"
)

// Rect is a zone in percent of the picture.
type Rect struct{ X, Y, W, H float64 }

// Params is what one motion trigger asks for.
type Params struct {
	Threshold   int    // 1–9; see ThresholdPercent
	Sensitivity int    // 1–9: how readily change counts as motion
	Zones       []Rect // empty: the whole picture
}

// ThresholdPercent is the area, in percent of the zone, that a threshold step stands for.
func ThresholdPercent(step int) float64 { return 0 }

// Result is what one plane means for one Params.
type Result struct {
	Level   float64 // moving area, percent of the zone
	Active  bool    // an event is going on
	Started bool    // an event started on this plane
	Ended   bool    // the event has ended: it was quiet for the quiet time
	// LastMoving is, with Ended, the frame sequence and moment of the last motion.
	LastMovingSeq uint64
	LastMovingAt  time.Duration
	Peak          float64 // highest level of the event so far
	Box           [4]int  // x, y, w, h of what moves now, pixels of the picture; zero where nothing does
}

// Detector is one background model with any number of Params evaluated on it.
// It is owned by one goroutine.
type Detector struct{}

// New returns a detector. It does not detect before it has seen the scene for a moment.
func New(p []Params) *Detector { return &Detector{} }

// Reset forgets the scene: a new stream begins.
func (d *Detector) Reset() {}

// Step takes the next plane, its sequence number and its moment on a clock
// that never jumps. The slice is valid until the next call.
func (d *Detector) Step(p *frame.Plane, seq uint64, at time.Duration) []Result { return nil }

// Mask returns, after Step, one byte a block: non-zero where params i sees motion.
func (d *Detector) Mask(i int) []byte { return nil }

// Close ends the events that are going on, as at the end of a recording.
func (d *Detector) Close() []Result { return nil }
