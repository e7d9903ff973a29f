package tui

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"watchpost/engine/event"
	"watchpost/tui/term"
)

// paint is how a picture is put on the screen.
type paint int

const (
	inASCII    paint = iota
	in16             // half blocks in colour; the sixteen of any terminal
	inGreys          // half blocks in the greys of 256 colours, whose sequences are the shortest
	in256            // half blocks in colour
	inMillions       // of any colour
)

// paintings say of each paint how many levels of brightness and how fine colours it
// has, and what a line must carry: tries is from which rate on it is begun with (bytes
// a second, as measured by a smaller picture), least below which it is given up. A whole
// picture at 80x24 takes 0.9, 2, 6, 6 and 19 kB of an even scene, and more of a busy one.
var paintings = [...]struct {
	levels, hue  int // hue: a step of a colour's difference; 0: no colours
	tries, least float64
}{
	inASCII:    {levels: len(ramp)},
	in16:       {levels: 8, hue: 24, tries: 2000, least: 8000},
	inGreys:    {levels: 16, tries: 2000, least: 8000},
	in256:      {levels: 16, hue: 16, tries: 16_000, least: 16_000},
	inMillions: {levels: 32, hue: 8, tries: 32_000, least: 32_000},
}

// paintsOf are those that a terminal can show, the poorest first.
func paintsOf(t term.Terminal) []paint {
	switch {
	case !t.UTF8 || t.Profile < colorprofile.ANSI:
		return []paint{inASCII}
	case t.Profile == colorprofile.ANSI:
		return []paint{inASCII, in16}
	case t.Profile == colorprofile.ANSI256:
		return []paint{inASCII, inGreys, in256}
	}
	return []paint{inASCII, inGreys, in256, inMillions}
}

// hues are the colours of a picture's cells, as differences from grey, and as they stand
// on the screen: in steps, kept until noise does not explain another one.
type hues struct {
	step        int
	blue, red   []float64
	showB, show []int8 // of blue and of red, in steps
	gain        float64
	sgr         map[[3]int]string
}

// settle takes the colours of a view for cols x rows cells.
func (c *hues) settle(v event.View, cols, rows, step int, gain float64) {
	if step == 0 || !coloured(v) {
		*c = hues{}
		return
	}
	n := cols * rows
	if len(c.show) != n || c.step != step {
		*c = hues{step: step, show: slices.Repeat([]int8{unset}, n), showB: slices.Repeat([]int8{unset}, n)}
	}
	if c.gain != gain {
		c.gain, c.sgr = gain, map[[3]int]string{}
	}
	cells := func(pix []byte, last []float64, shown []int8) []float64 {
		now := means(event.View{Width: v.ColourWidth, Height: v.ColourHeight, Luma: pix}, cols, rows)
		hold := max(float64(step), float64(step)/2+max(leastHue, noiseFactor*noise(now, last)))
		for i, x := range now {
			if x -= 128; shown[i] == unset || math.Abs(x-float64(int(shown[i])*step)) > hold {
				shown[i] = int8(math.Round(x / float64(step)))
			}
		}
		return now
	}
	c.blue, c.red = cells(v.Blue, c.blue, c.showB), cells(v.Red, c.red, c.show)
}

const (
	unset    = math.MaxInt8
	leastHue = 4
	mostSGR  = 8192 // colours remembered
	mostGain = 2.5  // of a dark scene's colours, which are mostly noise
)

// coloured reports whether a view has colours that can be drawn.
func coloured(v event.View) bool {
	n := v.ColourWidth * v.ColourHeight
	return v.ColourWidth > 0 && v.ColourHeight > 0 && v.ColourWidth <= 1<<14 && v.ColourHeight <= 1<<14 && len(v.Blue) == n && len(v.Red) == n
}

// of is the colour of cell i at a level, as the parameter of an SGR sequence that begins
// with "3" for the foreground.
func (c *hues) of(how paint, i, level int) string {
	if len(c.show) == 0 {
		return "8;5;" + strconv.Itoa(232+level*23/(paintings[how].levels-1))
	}
	k := [3]int{level, int(c.showB[i]), int(c.show[i])}
	if s, ok := c.sgr[k]; ok {
		return s
	}
	y := float64(level) * 255 / float64(paintings[how].levels-1)
	b, r := float64(k[1]*c.step)*c.gain, float64(k[2]*c.step)*c.gain
	channel := func(x float64) uint8 { return uint8(max(0, min(x+0.5, 255))) } // ITU-R BT.601
	rgb := color.RGBA{channel(y + 1.402*r), channel(y - 0.344136*b - 0.714136*r), channel(y + 1.772*b), 255}
	s := ""
	switch how {
	case in16:
		n := int(ansi.Convert16(rgb))
		if s = strconv.Itoa(n); n >= 8 {
			s = "b" + strconv.Itoa(n-8)
		}
	case in256:
		s = "8;5;" + strconv.Itoa(int(ansi.Convert256(rgb)))
	default:
		s = fmt.Sprintf("8;2;%d;%d;%d", rgb.R, rgb.G, rgb.B)
	}
	if len(c.sgr) >= mostSGR {
		clear(c.sgr)
	}
	c.sgr[k] = s
	return s
}

// sgr sets the foreground to one colour and what is behind it to another; an empty
// foreground is left as it is.
func sgr(fore, back string) string {
	part := func(s, normal, bright string) string {
		if len(s) > 1 && s[0] == 'b' {
			return bright + s[1:]
		}
		return normal + s
	}
	if fore == "" {
		return "\x1b[" + part(back, "4", "10") + "m"
	}
	return "\x1b[" + part(fore, "3", "9") + ";" + part(back, "4", "10") + "m"
}
