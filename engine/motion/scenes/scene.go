// Package scenes generates footage with exact truth, to judge motion detection
// by: a textured place, a camera with noise, exposure and a lens, weather and
// lamps, and people who walk through. The same options give the same pictures.
//
// It imports the standard library and engine/frame only and does not know the
// detector: what a scene shows follows from the thing itself, with its source
// where there is one. It starts no goroutine; a Renderer belongs to one.
//
// Lengths are in heights of the picture from its top left corner, times in
// seconds from the first frame, luma is full range, 0–255.
package scenes

import (
	"math"
	"slices"
)

// Options choose one variant of a scene.
type Options struct {
	Width, Height int     // pixels, multiples of 8
	FPS           float64 // frames a second
	Seed          uint64
	// Idle leaves the visitors out: only what is no event goes on, for Seconds.
	Idle    bool
	Seconds float64 // with Idle
}

// Scene is one hard case. The functions are pure: they go by the time alone.
type Scene struct {
	Name  string
	About string // what it shows, for the table
	// Reported scenes are shown and do not count: nobody promised them.
	Reported bool

	opt      Options
	seconds  float64
	place    func(o Options) *ground
	noise    func(t float64) float64                    // standard deviation of a pixel
	grainy   bool                                       // noise of a camera that smooths: neighbours are alike
	light    func(t float64) (gain, offset float64)     // of the camera, or of all light
	field    func(t float64) func(x, y float64) float64 // light at a place, as a gain; nil: even
	auto     *exposure                                  // automatic exposure, on top of light
	shift    func(t float64) (dx, dy float64)           // the camera's movement, pixels
	sway     func(t, x, y float64) (dx, dy float64)     // of leaves, pixels of a picture 480 high
	infrared func(t float64) bool                       // the cut filter is away
	things   []func(t float64) []Limb                   // in the order of drawing
	damage   func(k int, jpeg []byte) []byte            // nil: pictures are whole
}

// exposure is a camera's automatic one: it drives the mean luma to its target.
type exposure struct {
	target   float64
	constant float64 // time constant, seconds
	slack    float64 // relative error that is left alone
}

// Names lists the scenes in the order of the table.
func Names() []string {
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.name
	}
	return names
}

// Open returns a scene by its name; nil where there is none, where it has no
// idle variant and that was asked for, and where the size is no multiple of 8.
func Open(name string, o Options) *Scene {
	i := slices.IndexFunc(all, func(a maker) bool { return a.name == name })
	if i < 0 || o.Idle && !all[i].idle || o.Width < block || o.Height < block || o.Width%block != 0 || o.Height%block != 0 {
		return nil
	}
	s := &Scene{Name: name, About: all[i].about, Reported: all[i].reported, opt: o, place: yard, seconds: 60,
		noise: func(float64) float64 { return 2 }, light: func(float64) (float64, float64) { return 1, 0 }}
	all[i].build(s)
	if o.Idle {
		s.seconds = o.Seconds
	}
	return s
}

// FPS is the rate of the pictures.
func (s *Scene) FPS() float64 { return s.opt.FPS }

// Size is the picture's, in pixels.
func (s *Scene) Size() (w, h int) { return s.opt.Width, s.opt.Height }

// Frames is the number of pictures.
func (s *Scene) Frames() int { return int(s.seconds * s.opt.FPS) }

// Damaged reports whether pictures have to pass through JPEG and Damage.
func (s *Scene) Damaged() bool { return s.damage != nil }

// Damage returns the bytes of frame k as they arrive.
func (s *Scene) Damage(k int, jpeg []byte) []byte { return s.damage(k, jpeg) }

// wide is the picture's width.
func (s *Scene) wide() float64 { return float64(s.opt.Width) / float64(s.opt.Height) }

// time is the moment of a frame.
func (s *Scene) time(k int) float64 { return float64(k) / s.opt.FPS }

// Events returns the true events: first and last frame, inclusive, in which
// some of an object can be seen. A foot that swings out of the picture and in
// again, within half a second, is one event.
func (s *Scene) Events() [][2]int {
	events := [][2]int{}
	for k := range s.Frames() {
		if s.occupied(s.time(k)) {
			events = join(events, k, s.opt.FPS)
		}
	}
	return events
}

// join adds an occupied frame to the events.
func join(events [][2]int, k int, fps float64) [][2]int {
	if n := len(events); n > 0 && float64(k-events[n-1][1]) <= fps/2 {
		events[n-1][1] = k
		return events
	}
	return append(events, [2]int{k, k})
}

// occupied reports whether an object stands in the picture.
func (s *Scene) occupied(t float64) bool {
	for _, thing := range s.things {
		for _, l := range thing(t) {
			if l.Object && l.inside(s.wide()) {
				return true
			}
		}
	}
	return false
}

// hash is a pseudo-random number of 0–1 for two counters.
func hash(seed uint64, n int) float64 {
	x := seed*0x9E3779B97F4A7C15 + uint64(int64(n))*0xBF58476D1CE4E5B9 + 0x94D049BB133111EB
	x ^= x >> 30
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	x *= 0x94D049BB133111EB
	return float64((x^x>>31)>>11) / (1 << 53)
}

// wander is a smooth random walk between -1 and 1 that changes within about period.
func wander(seed uint64, t, period float64) float64 {
	n := math.Floor(t / period)
	return mix(hash(seed, int(n)), hash(seed, int(n)+1), smooth(t/period-n))*2 - 1
}

// smooth goes from 0 to 1 over 0–1 without a corner.
func smooth(x float64) float64 {
	x = min(max(x, 0), 1)
	return x * x * (3 - 2*x)
}

func mix(a, b, part float64) float64 { return a + (b-a)*part }

// luma is what a factor of light makes of luma: signals are coded with gamma 1/2.2 (ITU-R BT.709, sRGB).
func luma(light float64) float64 { return math.Pow(light, 1/2.2) }
