package scenes

import "math"

// ground is what stands still: its luma by day, and as an infrared lamp shows it.
type ground struct {
	day, infrared surface
	leaves        []byte // 1: a pixel of a tree's crown, which the wind moves
}

// surface is a picture of the place with the mean of 8 x 8 pixels at each pixel.
type surface struct {
	pix, mean []float32
}

// material is what a place is made of.
type material struct {
	luma     float64
	texture  float64 // amplitude of its mottle
	size     float64 // and the size of that
	infrared float64 // luma under infrared against daylight: leaves are bright there (the Wood effect)
	leaves   bool
}

var (
	skyStuff  = material{212, 3, 0.2, 0.3, false}
	brick     = material{150, 9, 0.02, 0.95, false}
	mortar    = material{122, 6, 0.01, 1, false}
	eaves     = material{70, 4, 0.03, 1, false}
	frameWood = material{205, 3, 0.05, 0.9, false}
	doorWood  = material{78, 6, 0.03, 1.3, false}
	glass     = material{58, 10, 0.08, 0.6, false}
	lawn      = material{92, 16, 0.012, 1.5, false}
	paving    = material{142, 7, 0.015, 0.95, false}
	joint     = material{112, 5, 0.01, 0.95, false}
	trunk     = material{66, 10, 0.015, 1.2, false}
	crown     = material{74, 34, 0.014, 1.7, true}
	paint     = material{168, 3, 0.1, 1, false}
	board     = material{112, 8, 0.02, 1.1, false}
	table     = material{128, 6, 0.02, 1.1, false}
	dark      = material{48, 5, 0.03, 1.2, false}
)

// yard is a wall with a door and a window, a lawn, a path, a fence and a tree.
func yard(o Options) *ground {
	wide := float64(o.Width) / float64(o.Height)
	return grow(o, func(x, y float64) material {
		tree := 0.87 * wide
		for _, c := range [...][3]float64{{-0.07, 0.34, 0.10}, {0.07, 0.33, 0.10}, {0, 0.22, 0.12}, {0, 0.37, 0.11}} {
			if math.Hypot(x-tree-c[0], y-c[1]) < c[2]+0.012*math.Sin(x*90)*math.Sin(y*110) {
				return crown
			}
		}
		door, win := 0.46*wide, 0.17*wide
		switch {
		case math.Abs(x-tree) < 0.018 && y > 0.4 && y < 0.7:
			return trunk
		case x < 0.74*wide && y >= 0.14 && y < 0.19:
			return eaves
		case within(x, y, door-0.075, 0.315, door+0.075, 0.66):
			return doorWood
		case within(x, y, door-0.09, 0.30, door+0.09, 0.66):
			return frameWood
		case within(x, y, win-0.115, 0.295, win-0.006, 0.455), within(x, y, win+0.006, 0.295, win+0.115, 0.455):
			return glass
		case within(x, y, win-0.13, 0.28, win+0.13, 0.47):
			return frameWood
		case x < 0.72*wide && y >= 0.18 && y < 0.66:
			row := math.Floor((y - 0.18) / 0.03)
			if math.Mod(y-0.18, 0.03) < 0.004 || math.Mod(x+0.045*math.Mod(row, 2), 0.09) < 0.004 {
				return mortar
			}
			return brick
		case y >= 0.82 && y < 0.93:
			if math.Mod(x, 0.24) < 0.005 {
				return joint
			}
			return paving
		case y >= 0.66 && y < 0.82 && math.Abs(x-door) < 0.09+(y-0.66)*0.5:
			return paving
		case x >= 0.74*wide && y >= 0.54 && y < 0.66 && math.Mod(x, 0.05) < 0.022:
			return board
		case y < 0.6:
			return skyStuff
		}
		return lawn
	}, o.Seed)
}

// room is a wall with pictures, a floor of boards, a table.
func room(o Options) *ground {
	wide := float64(o.Width) / float64(o.Height)
	return grow(o, func(x, y float64) material {
		switch {
		case within(x, y, 0.1*wide, 0.70, 0.9*wide, 0.76):
			return table
		case within(x, y, 0.14*wide, 0.76, 0.17*wide, 1), within(x, y, 0.83*wide, 0.76, 0.86*wide, 1):
			return dark
		case within(x, y, 0.30*wide, 0.16, 0.46*wide, 0.36), within(x, y, 0.56*wide, 0.12, 0.66*wide, 0.40):
			if math.Mod(x*7+y*3, 1) < 0.5 {
				return dark
			}
			return board
		case within(x, y, 0.05*wide, 0.2, 0.18*wide, 0.62):
			return doorWood
		case y >= 0.8:
			if math.Mod(x+y*0.3, 0.11) < 0.006 {
				return dark
			}
			return board
		case y >= 0.78:
			return frameWood
		}
		return paint
	}, o.Seed)
}

func within(x, y, x0, y0, x1, y1 float64) bool { return x >= x0 && x < x1 && y >= y0 && y < y1 }

// grow paints the materials with their mottle and a fine grain.
func grow(o Options, at func(x, y float64) material, seed uint64) *ground {
	w, h := o.Width, o.Height
	g := &ground{leaves: make([]byte, w*h)}
	day, red := make([]float32, w*h), make([]float32, w*h)
	for j := range h {
		for i := range w {
			x, y := (float64(i)+0.5)/float64(h), (float64(j)+0.5)/float64(h)
			m := at(x, y)
			v := m.luma + m.texture*(mottle(seed, x/m.size, y/m.size)+0.5*mottle(seed+1, x/m.size*2.7, y/m.size*2.7))
			v += 4 * (hash(seed+2, j*w+i) - 0.5)
			day[j*w+i] = float32(min(max(v, 20), 235))
			red[j*w+i] = float32(min(max(v*m.infrared, 10), 235))
			if m.leaves {
				g.leaves[j*w+i] = 1
			}
		}
	}
	g.day, g.infrared = surfaceOf(day, w, h), surfaceOf(red, w, h)
	return g
}

// mottle is value noise between -1 and 1.
func mottle(seed uint64, x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	i, j := int(fx), int(fy)
	at := func(i, j int) float64 { return hash(seed, i*7919+j) }
	ax, ay := smooth(x-fx), smooth(y-fy)
	return mix(mix(at(i, j), at(i+1, j), ax), mix(at(i, j+1), at(i+1, j+1), ax), ay)*2 - 1
}

func surfaceOf(pix []float32, w, h int) surface { return surface{pix, means(pix, w, h)} }

// means is the mean of the 8 x 8 pixels right of and below each pixel; the
// edge's pixels go on beyond it.
func means(pix []float32, w, h int) []float32 {
	across, out := make([]float32, w*h), make([]float32, w*h)
	for y := range h {
		for x := range w {
			var sum float32
			for k := range 8 {
				sum += pix[y*w+min(x+k, w-1)]
			}
			across[y*w+x] = sum
		}
	}
	for y := range h {
		for x := range w {
			var sum float32
			for k := range 8 {
				sum += across[min(y+k, h-1)*w+x]
			}
			out[y*w+x] = sum / 64
		}
	}
	return out
}
