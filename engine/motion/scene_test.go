package motion

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"watchpost/engine/frame"
)

// scene is generated footage with exact truth, at the scale of block means.
type scene struct {
	w, h    int // pixels
	fps     float64
	seconds float64
	noise   float64                                // standard deviation of a block's mean, luma levels
	light   func(t float64) (gain, offset float64) // nil: steady
	shade   func(t, x, y float64) float64          // gain at a place of 0–1, nil: none
	objects []object
}

// object is a rectangle that moves along a path.
type object struct {
	w, h float64                                 // pixels
	luma float64                                 // of its darker half; the other is 15 lighter
	path func(t float64) (x, y float64, in bool) // top left corner, pixels
}

// walk is of something w wide, which crosses the picture from left to right between two
// moments: it comes in by and by, as visitors do.
func walk(w, from, to, y, width float64) func(t float64) (float64, float64, bool) {
	return func(t float64) (float64, float64, bool) {
		outside := 0.95 * w // at first
		return (width+outside)*(t-from)/(to-from) - outside, y, t >= from && t < to
	}
}

// ground is the scene's luma at a block: a floor, a wall, a few edges.
func ground(x, y, w, h int) float64 {
	v := 90 + 50*float64(y)/float64(h)
	if y < h/3 {
		v = 170
	}
	if x%17 == 5 && y > h/4 {
		v -= 40
	}
	return v + float64((x*7+y*13)%9) - 4
}

// span is one event found.
type span struct{ start, end float64 } // seconds

// run plays the scene and returns the events of each Params.
func (s scene) run(t testing.TB, params ...Params) [][]span {
	t.Helper()
	if len(params) == 0 {
		params = []Params{{Threshold: 5, Sensitivity: 5}}
	}
	d := New(params)
	found := make([][]span, len(params))
	starts := make([]float64, len(params))
	var p frame.Plane
	n := int(s.seconds * s.fps)
	sec := func(seq uint64) float64 { return float64(seq) / s.fps }
	take := func(seq uint64, rs []Result) {
		for i, r := range rs {
			if r.Started {
				starts[i] = sec(seq)
			}
			if r.Ended {
				if got, want := r.LastMovingAt.Seconds(), sec(r.LastMovingSeq); math.Abs(got-want) > 1e-6 {
					t.Fatalf("last motion at %v s has sequence number %d", got, r.LastMovingSeq)
				}
				found[i] = append(found[i], span{starts[i], sec(r.LastMovingSeq)})
			}
		}
	}
	r := newRand()
	for k := range n {
		tm := float64(k) / s.fps
		s.draw(&p, tm, r)
		take(uint64(k), d.Step(&p, uint64(k), time.Duration(tm*float64(time.Second))))
	}
	take(uint64(n-1), d.Close())
	return found
}

func (s scene) draw(p *frame.Plane, t float64, r *rand.Rand) {
	p.Resize(s.w, s.h, 8)
	gain, offset := 1.0, 0.0
	if s.light != nil {
		gain, offset = s.light(t)
	}
	for y := range p.Height {
		for x := range p.Width {
			v := ground(x, y, p.Width, p.Height)
			for _, o := range s.objects {
				ox, oy, in := o.path(t)
				if !in {
					continue
				}
				luma := o.luma
				if float64(y*8) > oy+o.h/2 {
					luma += 15
				}
				c := overlap(x, ox, o.w) * overlap(y, oy, o.h)
				v += c * (luma - v)
			}
			if s.shade != nil {
				v *= s.shade(t, float64(x)/float64(p.Width), float64(y)/float64(p.Height))
			}
			v = gain*v + offset
			if r != nil {
				v += s.noise * normals[r.Uint32()%uint32(len(normals))]
			}
			p.Pix[y*p.Width+x] = byte(math.Min(math.Max(math.Round(v), 0), 255))
		}
	}
}

// overlap is the part of block k that from…from+size covers on one axis.
func overlap(k int, from, size float64) float64 {
	a, b := math.Max(float64(k*8), from), math.Min(float64(k*8+8), from+size)
	return math.Max(0, b-a) / 8
}

// normals is a table of normal deviates: drawing from it is quick.
var normals = func() []float64 {
	r, n := newRand(), make([]float64, 1<<16)
	for i := range n {
		n[i] = r.NormFloat64()
	}
	return n
}()

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
