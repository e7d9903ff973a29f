package hw

import (
	"context"
	"image/color"
	"math"
	"math/rand/v2"
	"time"

	"watchpost/engine/frame"
)

// The generated scene's timetable: a figure crosses the yard once a cycle.
const (
	sceneCycle = 20 * time.Second
	sceneEnter = 8 * time.Second // into the cycle, so that detection has seen the empty yard
	sceneWalk  = 4 * time.Second
)

// scene is a camera that looks at a generated yard: still but for a little
// noise, and a figure that walks through it once every sceneCycle. The same
// size and rate give the same frames in every run.
type scene struct {
	w, h, fps int
}

func newScene(w, h, fps int) *scene {
	if w <= 0 || h <= 0 {
		w, h = 640, 480
	}
	if fps <= 0 {
		fps = 10
	}
	return &scene{w: min(max(w, 32), 1920), h: min(max(h, 32), 1080), fps: min(fps, 60)}
}

// Run delivers the scene at its rate until ctx ends.
func (s *scene) Run(ctx context.Context, deliver func(*frame.Frame)) error {
	p := newPainter(s.w, s.h)
	f := frame.Frame{Stream: nextStream(), Format: frame.YU12, Width: s.w, Height: s.h, Stride: p.now.stride, FullRange: true, Data: p.now.pix}
	pace := newPace(float64(s.fps), monotonic())
	for ctx.Err() == nil {
		p.draw(f.Seq, s.fps)
		var err error
		if f.Mono, err = pace.wait(ctx); err != nil {
			return err
		}
		f.At = time.Now()
		deliver(&f)
		f.Seq++
	}
	return ctx.Err()
}

// canvas is a YU12 picture, full range. The line is even, as the format asks.
type canvas struct {
	pix          []byte
	w, h, stride int
	planes       [3][]byte
}

func newCanvas(w, h int) canvas {
	c := canvas{w: w, h: h, stride: (w + 1) / 2 * 2}
	luma, chroma := c.stride*h, c.stride/2*((h+1)/2)
	c.pix = make([]byte, luma+2*chroma)
	c.planes = [3][]byte{c.pix[:luma], c.pix[luma : luma+chroma], c.pix[luma+chroma:]}
	return c
}

// fill paints what cover covers (0–1 at a point, in units of the picture's height
// from its top left corner) within the box x0, y0, x1, y1.
func (c *canvas) fill(x0, y0, x1, y1 float64, col color.RGBA, cover func(x, y float64) float64) {
	yy, cb, cr := color.RGBToYCbCr(col.R, col.G, col.B)
	for i, value := range [3]byte{yy, cb, cr} {
		stride, w, h, unit := c.stride, c.w, c.h, float64(c.h)
		if i > 0 {
			stride, w, h, unit = c.stride/2, (c.w+1)/2, (c.h+1)/2, float64(c.h)/2
		}
		left, right := max(int(x0*unit)-1, 0), min(int(x1*unit)+2, w)
		top, bottom := max(int(y0*unit)-1, 0), min(int(y1*unit)+2, h)
		for y := top; y < bottom; y++ {
			line := c.planes[i][y*stride:]
			for x := left; x < right; x++ {
				if a := cover((float64(x)+0.5)/unit, (float64(y)+0.5)/unit); a > 0 {
					line[x] = byte(float64(line[x])*(1-a) + float64(value)*a + 0.5)
				}
			}
		}
	}
}

// limb paints a line with round ends, of radius r.
func (c *canvas) limb(x0, y0, x1, y1, r float64, col color.RGBA, alpha float64) {
	dx, dy := x1-x0, y1-y0
	length := dx*dx + dy*dy
	c.fill(min(x0, x1)-r, min(y0, y1)-r, max(x0, x1)+r, max(y0, y1)+r, col, func(x, y float64) float64 {
		t := 0.0
		if length > 0 {
			t = min(max(((x-x0)*dx+(y-y0)*dy)/length, 0), 1)
		}
		d := math.Hypot(x-x0-t*dx, y-y0-t*dy)
		return alpha * min(max((r-d)*float64(c.h)+0.5, 0), 1)
	})
}

// box paints a rectangle.
func (c *canvas) box(x0, y0, x1, y1 float64, col color.RGBA) {
	c.fill(x0, y0, x1, y1, col, func(x, y float64) float64 {
		if x < x0 || x >= x1 || y < y0 || y >= y1 {
			return 0
		}
		return 1
	})
}

// painter draws the scene's pictures.
type painter struct {
	yard, now canvas
	noise     []byte // 0 to 4, mostly 2
}

func newPainter(w, h int) *painter {
	p := &painter{yard: newCanvas(w, h), now: newCanvas(w, h), noise: make([]byte, 1<<15+w)}
	r := rand.New(rand.NewPCG(2009, 618))
	for i := range p.noise {
		v := r.Uint32()
		p.noise[i] = byte(v&1 + v>>1&1 + v>>2&1 + v>>3&1)
	}
	drawYard(&p.yard, r)
	return p
}

func grey(v byte) color.RGBA { return color.RGBA{v, v, v, 255} }

func rgb(r, g, b byte) color.RGBA { return color.RGBA{r, g, b, 255} }

// drawYard paints what stands still: sky, lawn, a wall with a door and a
// window, a path, a tree. Units are the picture's height; wide is its width.
func drawYard(c *canvas, r *rand.Rand) {
	wide := float64(c.w) / float64(c.h)
	for i := range 40 { // sky, paler toward the horizon
		y := float64(i) / 40 * 0.6
		v := byte(i)
		c.box(0, y, wide, y+0.6/40+0.001, rgb(120+2*v, 160+v, 205+v/2))
	}
	for i := range 40 { // lawn, darker in front
		y := 0.6 + float64(i)/100
		v := byte(i)
		c.box(0, y, wide, y+0.011, rgb(104-v, 128-v, 78-v))
	}
	c.box(0, 0.18, 0.72*wide, 0.66, rgb(176, 150, 128)) // wall
	for row := range 16 {                               // courses of brick
		y := 0.18 + float64(row)*0.03
		c.box(0, y, 0.72*wide, y+0.004, rgb(152, 128, 108))
		for x := float64(row%2) * 0.045; x < 0.72*wide; x += 0.09 {
			c.box(x, y, min(x+0.004, 0.72*wide), y+0.03, rgb(152, 128, 108))
		}
	}
	c.box(0, 0.14, 0.74*wide, 0.19, grey(92)) // eaves
	door := 0.46 * wide
	c.box(door-0.09, 0.30, door+0.09, 0.66, grey(214))
	c.box(door-0.075, 0.315, door+0.075, 0.66, rgb(70, 92, 84))
	c.box(door-0.055, 0.34, door+0.055, 0.46, rgb(58, 78, 72))
	c.limb(door+0.05, 0.50, door+0.05, 0.50, 0.009, rgb(212, 190, 110), 1)
	win := 0.17 * wide
	c.box(win-0.13, 0.28, win+0.13, 0.47, grey(216))
	c.box(win-0.115, 0.295, win-0.006, 0.455, rgb(66, 80, 96))
	c.box(win+0.006, 0.295, win+0.115, 0.455, rgb(70, 84, 100))
	// Path from the door, and the walk across the front.
	c.fill(door-0.3, 0.66, door+0.3, 0.92, grey(158), func(x, y float64) float64 {
		if y < 0.66 || math.Abs(x-door) > 0.09+(y-0.66)*0.5 {
			return 0
		}
		return 1
	})
	c.box(0, 0.82, wide, 0.93, grey(150))
	for x := 0.1; x < wide; x += 0.24 {
		c.box(x, 0.82, x+0.004, 0.93, grey(128))
	}
	tree := 0.87 * wide
	c.limb(tree, 0.40, tree, 0.70, 0.018, rgb(92, 74, 58), 1)
	for _, b := range [][3]float64{{-0.07, 0.34, 0.10}, {0.07, 0.33, 0.10}, {0, 0.24, 0.11}, {0, 0.36, 0.11}} {
		c.limb(tree+b[0], b[1], tree+b[0], b[1], b[2], rgb(66, 98, 58), 1)
	}
	for x := 0.74 * wide; x < wide; x += 0.05 { // fence
		c.box(x, 0.54, x+0.022, 0.66, rgb(150, 132, 106))
	}
	c.box(0.74*wide, 0.57, wide, 0.585, rgb(140, 122, 98))
	for i, v := range c.planes[0] { // grain, so that surfaces are not dead flat; room for the noise on both sides
		c.planes[0][i] = byte(min(max(int(v)+int(r.Uint32N(9))-4, 8), 245))
	}
}

// draw renders picture n of a stream.
func (p *painter) draw(n uint64, fps int) {
	copy(p.now.pix, p.yard.pix)
	at := time.Duration(n) * time.Second / time.Duration(fps) % sceneCycle
	if at >= sceneEnter && at < sceneEnter+sceneWalk {
		p.figure((at - sceneEnter).Seconds() / sceneWalk.Seconds())
	}
	hash := uint32(n)*2654435761 + 1
	for y := range p.now.h {
		hash = hash*1664525 + 1013904223
		line := p.now.planes[0][y*p.now.stride:][:p.now.w]
		noise := p.noise[hash>>17:][:len(line)]
		for x := range line {
			line[x] += noise[x] - 2
		}
	}
}

// figure draws the walker; done is how much of the way is behind them, 0–1.
func (p *painter) figure(done float64) {
	c := &p.now
	wide := float64(c.w) / float64(c.h)
	x := -0.15 + done*(wide+0.3)
	phase := done * 2 * math.Pi * 5 // five double steps
	swing := math.Sin(phase)
	const foot, hip, shoulder = 0.90, 0.68, 0.50
	bob := 0.006 * math.Abs(math.Cos(phase))
	coat, dark, skin, trousers := rgb(150, 44, 40), rgb(112, 32, 32), rgb(206, 164, 136), rgb(40, 44, 62)
	c.limb(x-0.07, foot+0.012, x+0.09, foot+0.012, 0.014, grey(40), 0.4) // shadow
	for _, side := range []float64{-1, 1} {
		s := side * swing
		knee := x + 0.035 + 0.05*s
		heel := x + 0.10*s
		lift := 0.03 * max(0, -side*math.Cos(phase))
		c.limb(x, hip-bob, knee-0.02, (hip+foot)/2-bob, 0.030, trousers, 1)
		c.limb(knee-0.02, (hip+foot)/2-bob, heel, foot-0.01-lift, 0.023, trousers, 1)
		c.limb(heel, foot-lift, heel+0.035, foot-lift, 0.014, grey(26), 1)
	}
	c.limb(x, shoulder+0.03-bob, x-0.07*swing, hip-0.03-bob, 0.020, dark, 1) // far arm
	c.limb(x, shoulder+0.02-bob, x, hip-0.02-bob, 0.056, coat, 1)
	c.limb(x, shoulder+0.03-bob, x+0.07*swing, hip-0.03-bob, 0.022, dark, 1) // near arm
	c.limb(x+0.07*swing, hip-0.02-bob, x+0.07*swing, hip-0.02-bob, 0.017, skin, 1)
	c.limb(x, shoulder-0.03-bob, x+0.004, shoulder-0.045-bob, 0.020, skin, 1)
	c.limb(x+0.008, shoulder-0.09-bob, x+0.008, shoulder-0.085-bob, 0.042, skin, 1)
	c.limb(x-0.004, shoulder-0.11-bob, x+0.010, shoulder-0.112-bob, 0.034, rgb(58, 44, 36), 1)
}
