package scenes

import (
	"math"
	"math/rand/v2"

	"watchpost/engine/frame"
)

const (
	block  = 8
	roam   = 256 // the noise of a frame is cut from a larger sheet, at a place up to so many pixels away
	leaf   = 4   // pixels of leaves that move as one, at 480 lines
	chroma = 128 // grey
)

// Picture is one rendered frame.
type Picture struct {
	Luma   []byte // width * height
	Cb, Cr byte   // flat chroma
	Truth  []byte // 1 where an object of an event is, a byte a pixel
}

// Renderer draws a scene's frames in order, either as pictures or as the means
// of their blocks. Both are the same frames: a block's mean is computed from
// the means of ground and noise, and from pixels where something moves.
type Renderer struct {
	s     *Scene
	w, h  int
	bw    int // blocks
	bh    int
	place *ground
	base  *surface
	sheet surface // noise of standard deviation 1
	sw    int     // its width

	pix     []float32 // the scene in even light
	touched []byte    // blocks in which pix is not the ground
	leaves  []int     // blocks with leaves
	nodes   []float32 // light at the corners of blocks
	dx, dy  float64   // shift of the camera
	auto    float64   // gain of the automatic exposure
	random  *rand.Rand
	next    int
	pic     Picture
}

// NewRenderer starts a scene at its first frame.
func NewRenderer(s *Scene) *Renderer {
	w, h := s.opt.Width, s.opt.Height
	r := &Renderer{s: s, w: w, h: h, bw: w / block, bh: h / block, place: s.place(s.opt), auto: 1,
		random: rand.New(rand.NewPCG(s.opt.Seed, 77))}
	r.pix = make([]float32, w*h)
	r.touched = make([]byte, r.bw*r.bh)
	r.nodes = make([]float32, (r.bw+1)*(r.bh+1))
	r.pic = Picture{Luma: make([]byte, w*h), Truth: make([]byte, w*h)}
	r.grain()
	if s.sway != nil {
		for i := range r.touched {
			if r.leafy(i) {
				r.leaves = append(r.leaves, i)
			}
		}
	}
	return r
}

// grain makes the sheet of noise. A camera that smooths leaves its noise
// correlated: a binomial filter, brought back to a deviation of 1.
func (r *Renderer) grain() {
	r.sw = r.w + roam
	sh := r.h + roam
	raw := make([]float32, r.sw*sh)
	for i := range raw {
		raw[i] = float32(r.random.NormFloat64())
	}
	if r.s.grainy {
		out := make([]float32, len(raw))
		for y := range sh {
			for x := range r.sw {
				var sum float32
				for j, b := range [...]float32{1, 2, 1} {
					for i, a := range [...]float32{1, 2, 1} {
						yy, xx := (y+j-1+sh)%sh, (x+i-1+r.sw)%r.sw
						sum += a * b * raw[yy*r.sw+xx]
					}
				}
				out[y*r.sw+x] = sum / 6
			}
		}
		raw = out
	}
	r.sheet = surfaceOf(raw, r.sw, sh)
}

func (r *Renderer) leafy(i int) bool {
	x, y := i%r.bw*block, i/r.bw*block
	for j := range block {
		for k := range block {
			if r.place.leaves[(y+j)*r.w+x+k] != 0 {
				return true
			}
		}
	}
	return false
}

// Picture renders the next frame in pixels. It is valid until the next call.
func (r *Renderer) Picture() *Picture {
	t := r.s.time(r.next)
	r.next++
	clear(r.pic.Truth)
	r.stage(t, r.pic.Truth, true)
	gain, offset, noise, from := r.camera(t)
	lit := r.lit(t)
	var sum int
	for y := range r.h {
		line, out := r.pix[y*r.w:][:r.w], r.pic.Luma[y*r.w:][:r.w]
		speck := r.sheet.pix[from+y*r.sw:][:r.w]
		if !lit {
			for x, v := range line {
				c := int(v*gain + offset + noise*speck[x] + 0.5)
				c = min(max(c, 0), 255)
				out[x] = byte(c)
				sum += c
			}
			continue
		}
		by, fy := y/block, (float32(y%block)+0.5)/block
		up, low := r.nodes[by*(r.bw+1):], r.nodes[(by+1)*(r.bw+1):]
		for bx := range r.bw {
			a := up[bx] + fy*(low[bx]-up[bx])
			step := (up[bx+1] + fy*(low[bx+1]-up[bx+1]) - a) / block
			a += step / 2
			for x := bx * block; x < (bx+1)*block; x++ {
				c := int(line[x]*a*gain + offset + noise*speck[x] + 0.5)
				a += step
				c = min(max(c, 0), 255)
				out[x] = byte(c)
				sum += c
			}
		}
	}
	r.expose(float64(sum) / float64(len(r.pix)))
	r.pic.Cb, r.pic.Cr = chroma-6, chroma+4
	if r.s.infrared != nil && r.s.infrared(t) {
		r.pic.Cb, r.pic.Cr = chroma, chroma
	}
	return &r.pic
}

// Plane renders the next frame as the means of blocks.
func (r *Renderer) Plane(p *frame.Plane) {
	t := r.s.time(r.next)
	r.next++
	r.stage(t, nil, false)
	gain, offset, noise, from := r.camera(t)
	lit := r.lit(t)
	p.Resize(r.w, r.h, block)
	var sum int
	for by := range r.bh {
		for bx := range r.bw {
			i := by*r.bw + bx
			v := r.mean(i)
			if lit {
				n := by*(r.bw+1) + bx
				v *= (r.nodes[n] + r.nodes[n+1] + r.nodes[n+r.bw+1] + r.nodes[n+r.bw+2]) / 4
			}
			v = v*gain + offset + noise*r.sheet.mean[from+by*block*r.sw+bx*block]
			c := min(max(int(v+0.5), 0), 255)
			p.Pix[i] = byte(c)
			sum += c
		}
	}
	r.expose(float64(sum) / float64(len(p.Pix)))
}

// stage brings pix to moment t: ground, leaves, things.
func (r *Renderer) stage(t float64, truth []byte, pixels bool) {
	base := &r.place.day
	if r.s.infrared != nil && r.s.infrared(t) {
		base = &r.place.infrared
	}
	var dx, dy float64
	if r.s.shift != nil {
		dx, dy = r.s.shift(t)
	}
	if r.base != base || pixels && (dx != r.dx || dy != r.dy) {
		for i := range r.touched {
			r.touched[i] = 1 // laid anew below
		}
	}
	r.base, r.dx, r.dy = base, dx, dy
	var limbs []Limb
	for _, thing := range r.s.things {
		limbs = append(limbs, thing(t)...)
	}
	if pixels { // every pixel is shown; else a block is laid when something comes into it
		for i, was := range r.touched {
			if was != 0 {
				r.lay(i)
			}
		}
	}
	clear(r.touched)
	touch := func(i int) {
		if !pixels && r.touched[i] == 0 {
			r.lay(i)
		}
		r.touched[i] = 1
	}
	for _, l := range limbs {
		x0, y0, x1, y1 := l.bounds(r.w, r.h)
		if x0 >= x1 || y0 >= y1 {
			continue
		}
		for by := y0 / block; by <= (y1-1)/block; by++ {
			for bx := x0 / block; bx <= (x1-1)/block; bx++ {
				touch(by*r.bw + bx)
			}
		}
	}
	for _, i := range r.leaves {
		touch(i)
		r.blow(i, t)
	}
	for _, l := range limbs {
		l.draw(r.pix, truth, r.w, r.h)
	}
}

// lay makes the pixels of a block the ground's.
func (r *Renderer) lay(i int) {
	x, y := i%r.bw*block, i/r.bw*block
	for j := y; j < y+block; j++ {
		if r.dx == 0 && r.dy == 0 {
			copy(r.pix[j*r.w+x:][:block], r.base.pix[j*r.w+x:])
			continue
		}
		for k := x; k < x+block; k++ {
			r.pix[j*r.w+k] = r.sample(r.base.pix, float64(k)+r.dx, float64(j)+r.dy)
		}
	}
}

// blow moves the leaves of a block.
func (r *Renderer) blow(i int, t float64) {
	unit := float64(r.h) / 480
	size := max(int(leaf*unit), 1)
	x, y := i%r.bw*block, i/r.bw*block
	for j := y; j < y+block; j++ {
		for k := x; k < x+block; {
			cx, cy := k/size*size, j/size*size
			end := min(cx+size, x+block)
			dx, dy := r.s.sway(t, float64(cx)/float64(r.h), float64(cy)/float64(r.h))
			for ; k < end; k++ {
				if r.place.leaves[j*r.w+k] != 0 {
					r.pix[j*r.w+k] = r.sample(r.base.pix, float64(k)+r.dx+dx*unit, float64(j)+r.dy+dy*unit)
				}
			}
		}
	}
}

// sample reads between pixels.
func (r *Renderer) sample(pix []float32, x, y float64) float32 {
	x, y = min(max(x, 0), float64(r.w-1)), min(max(y, 0), float64(r.h-1))
	i, j := int(x), int(y)
	ax, ay := float32(x-float64(i)), float32(y-float64(j))
	i1, j1 := min(i+1, r.w-1), min(j+1, r.h-1)
	a := pix[j*r.w+i] + ax*(pix[j*r.w+i1]-pix[j*r.w+i])
	b := pix[j1*r.w+i] + ax*(pix[j1*r.w+i1]-pix[j1*r.w+i])
	return a + ay*(b-a)
}

// mean is a block's, in even light.
func (r *Renderer) mean(i int) float32 {
	x, y := i%r.bw*block, i/r.bw*block
	if r.touched[i] == 0 {
		if r.dx == 0 && r.dy == 0 {
			return r.base.mean[y*r.w+x]
		}
		return r.sample(r.base.mean, float64(x)+r.dx, float64(y)+r.dy)
	}
	var sum float32
	for j := y; j < y+block; j++ {
		for _, v := range r.pix[j*r.w+x:][:block] {
			sum += v
		}
	}
	return sum / (block * block)
}

// camera is gain, offset and noise of moment t, and the place in the sheet of noise.
func (r *Renderer) camera(t float64) (gain, offset, noise float32, from int) {
	g, o := r.s.light(t)
	at := r.random.IntN(roam)*r.sw + r.random.IntN(roam)
	return float32(g * r.auto), float32(o), float32(r.s.noise(t)), at
}

// lit fills the light at the corners of blocks; false where it is even.
func (r *Renderer) lit(t float64) bool {
	if r.s.field == nil {
		return false
	}
	at := r.s.field(t)
	if at == nil {
		return false
	}
	for y := range r.bh + 1 {
		for x := range r.bw + 1 {
			r.nodes[y*(r.bw+1)+x] = float32(at(float64(x*block)/float64(r.h), float64(y*block)/float64(r.h)))
		}
	}
	return true
}

// expose moves the automatic exposure towards its target.
func (r *Renderer) expose(mean float64) {
	a := r.s.auto
	if a == nil {
		return
	}
	e := math.Log(a.target / max(mean, 1))
	if math.Abs(e) > a.slack {
		r.auto = min(max(r.auto*math.Exp(e*(1-math.Exp(-1/(r.s.opt.FPS*a.constant)))), 0.3), 4)
	}
}
