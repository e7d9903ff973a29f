package tui

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"watchpost/engine/event"
)

// ramp is a picture's brightness in ASCII, from dark to bright. 'M', and the corners
// of a box, are not in it.
const ramp = " .:-=+*#%@"

// What is not shown: a cell keeps its level until its luma has left it by more than
// one step and by more than leastChange, and by more than noise explains. A picture
// is stretched to its own range, but to no smaller one than leastRange.
const (
	leastChange = 3
	leastRange  = 32
	noiseFactor = 6 // of the median difference between two frames, which is about one sigma
	rangeFrames = 8 // for so many frames the range must have been another one
)

var (
	moving = lipgloss.NewStyle().Foreground(lipgloss.Yellow).Reverse(true)
	corner = lipgloss.NewStyle().Foreground(lipgloss.Cyan).Reverse(true)
)

// picture is a view as it stands on the screen. It remembers the levels shown, so
// that noise alone sends nothing.
type picture struct {
	cols, rows int
	how        paint
	hues       hues
	luma       []float64 // means of the frame drawn last, row by row; below 0: not known
	shown      []int     // level of each; below 0: none yet
	lo, hi     float64   // the range that is stretched
	off        int       // frames in which it was another one
	seq        uint64
	over       []byte // the marks on it
	lines      []string
}

// viewOK reports whether a view can be drawn: it may come from another version.
func viewOK(v event.View) bool {
	return v.Width > 0 && v.Height > 0 && v.PictureWidth > 0 && v.PictureHeight > 0 && v.Width <= 1<<14 && v.Height <= 1<<14 && len(v.Luma) == v.Width*v.Height
}

// draw draws v into at most w columns and h lines, as large as its proportions let
// it: a cell is twice as high as it is wide. A frame that is drawn already stays. What
// stands over it is put there by marks, which gets the picture's size in cells.
func (p *picture) draw(v event.View, w, h int, how paint, marks func(p *picture, v event.View) []byte) []string {
	cols, rows := fitted(v.PictureWidth, v.PictureHeight, w, h)
	tall := rows // rows of luma
	if how != inASCII {
		tall = 2 * rows
	}
	fresh := p.cols != cols || p.rows != rows || p.how != how || len(p.shown) == 0
	if fresh {
		*p = picture{cols: cols, rows: rows, how: how, shown: slices.Repeat([]int{-1}, cols*tall)}
	}
	over := marks(p, v)
	if !fresh && p.seq == v.Seq && slices.Equal(p.over, over) {
		return p.lines
	}
	if fresh || p.seq != v.Seq {
		p.settle(means(v, cols, tall))
		p.hues.settle(v, cols, tall, paintings[how].hue, min(mostGain, 255/(p.hi-p.lo)))
	}
	p.seq, p.over = v.Seq, over
	p.lines = p.lines[:0:0]
	for y := range rows {
		if how != inASCII {
			p.lines = append(p.lines, p.halfBlocks(over, y))
		} else {
			p.lines = append(p.lines, p.ascii(over, y))
		}
	}
	return p.lines
}

// fitted is how many cells a picture of that many pixels takes of w x h.
func fitted(width, height, w, h int) (cols, rows int) {
	aspect := float64(width) / float64(height)
	cols, rows = int(math.Round(float64(h)*2*aspect)), h
	if cols > w {
		cols, rows = w, int(math.Round(float64(w)/2/aspect))
	}
	return max(1, cols), max(1, min(rows, h))
}

// means shrinks a view to cols x rows cells.
func means(v event.View, cols, rows int) []float64 {
	out := make([]float64, 0, cols*rows)
	unknown := len(v.Unknown) == len(v.Luma)
	for y := range rows {
		y0 := y * v.Height / rows
		y1 := max(y0+1, (y+1)*v.Height/rows)
		for x := range cols {
			x0 := x * v.Width / cols
			x1 := max(x0+1, (x+1)*v.Width/cols)
			sum, n := 0, 0
			for by := y0; by < y1; by++ {
				for i := by*v.Width + x0; i < by*v.Width+x1; i++ {
					if unknown && v.Unknown[i] != 0 {
						continue
					}
					sum += int(v.Luma[i])
					n++
				}
			}
			if n == 0 {
				out = append(out, -1)
				continue
			}
			out = append(out, float64(sum)/float64(n))
		}
	}
	return out
}

// noise is the median difference between two frames; 0 where there is only one.
func noise(now, last []float64) float64 {
	if len(last) != len(now) {
		return 0
	}
	var d []float64
	for i, l := range now {
		if l >= 0 && last[i] >= 0 {
			d = append(d, math.Abs(l-last[i]))
		}
	}
	slices.Sort(d)
	if len(d) == 0 {
		return 0
	}
	return d[len(d)/2]
}

// settle decides the level of each cell.
func (p *picture) settle(luma []float64) {
	n := noise(luma, p.luma)
	p.luma = luma
	p.stretch()
	levels := paintings[p.how].levels
	step := (p.hi - p.lo) / float64(levels-1)
	hold := max(step, step/2+max(leastChange, noiseFactor*n)) // rounding has taken up to half a step of it
	for i, l := range luma {
		switch {
		case l < 0:
			p.shown[i] = -1
		case p.shown[i] < 0 || math.Abs(l-p.lo-float64(p.shown[i])*step) > hold:
			p.shown[i] = max(0, min(int(math.Round((l-p.lo)/step)), levels-1))
		}
	}
}

// stretch chooses the range of luma that is shown. Another range is another picture,
// all of it, so it stays until it has been wrong for a while or by far.
func (p *picture) stretch() {
	known := slices.DeleteFunc(slices.Clone(p.luma), func(l float64) bool { return l < 0 })
	if len(known) == 0 {
		p.lo, p.hi = 0, 255
		return
	}
	slices.Sort(known)
	lo, mid, hi := known[len(known)/50], known[len(known)/2], known[len(known)-1-len(known)/50]
	if d := leastRange - (hi - lo); d > 0 {
		lo, hi = lo-d/2, hi+d/2
	}
	near := (p.hi - p.lo) / 6
	switch {
	case p.hi > 0 && math.Abs(lo-p.lo) <= near && math.Abs(hi-p.hi) <= near:
		p.off = 0
	case p.hi > 0 && mid > p.lo && mid < p.hi && p.off < rangeFrames:
		p.off++
	default:
		p.lo, p.hi, p.off = lo, hi, 0
		for i := range p.shown {
			p.shown[i] = -1
		}
	}
}

// moves are the marks over the picture of what moves, a character a cell: 'M' where
// something does, and the corners around it; 0: nothing.
func moves(p *picture, v event.View) []byte {
	marks := make([]byte, p.cols*p.rows)
	for _, s := range v.Seen {
		if len(s.Moving) != len(v.Luma) {
			continue
		}
		for i, m := range s.Moving {
			if m != 0 {
				marks[i/v.Width*p.rows/v.Height*p.cols+i%v.Width*p.cols/v.Width] = 'M'
			}
		}
	}
	for _, s := range v.Seen {
		b := s.Box
		if b[2] <= 0 || b[3] <= 0 {
			continue
		}
		x0, x1 := b[0]*p.cols/v.PictureWidth, (b[0]+b[2]-1)*p.cols/v.PictureWidth
		y0, y1 := b[1]*p.rows/v.PictureHeight, (b[1]+b[3]-1)*p.rows/v.PictureHeight
		for _, c := range []struct {
			x, y int
			char byte
		}{{x0, y0, '/'}, {x1, y0, '\\'}, {x0, y1, '\\'}, {x1, y1, '/'}} {
			if c.x >= 0 && c.x < p.cols && c.y >= 0 && c.y < p.rows {
				marks[c.y*p.cols+c.x] = c.char
			}
		}
	}
	return marks
}

// markCell draws a mark.
func markCell(m byte) string {
	if m == 'M' || m&selected != 0 {
		return moving.Render(string(m &^ selected))
	}
	return corner.Render(string(m))
}

func (p *picture) ascii(marks []byte, y int) string {
	var b strings.Builder
	for i := y * p.cols; i < (y+1)*p.cols; i++ {
		switch {
		case marks[i] != 0:
			b.WriteString(markCell(marks[i]))
		case p.shown[i] < 0:
			b.WriteByte('?')
		default:
			b.WriteByte(ramp[p.shown[i]])
		}
	}
	return b.String()
}

// halfBlocks draws two rows of luma in one line: the upper one is the half block, the
// lower one what is behind it.
func (p *picture) halfBlocks(marks []byte, y int) string {
	var b strings.Builder
	last := ""
	set := func(s string) {
		if s != last {
			b.WriteString(s)
		}
		last = s
	}
	plain := func() {
		if last != "" {
			b.WriteString("\x1b[m")
		}
		last = ""
	}
	for x := range p.cols {
		at := 2*y*p.cols + x
		upper, lower := p.shown[at], p.shown[at+p.cols]
		switch m := marks[y*p.cols+x]; {
		case m != 0:
			plain()
			b.WriteString(markCell(m))
		case upper < 0 || lower < 0:
			plain()
			b.WriteByte('?')
		default:
			fore, back := p.hues.of(p.how, at, upper), p.hues.of(p.how, at+p.cols, lower)
			if fore == back {
				plain() // a space of another foreground is another cell to the renderer
				set(sgr("", back))
				b.WriteByte(' ')
			} else {
				set(sgr(fore, back))
				b.WriteString("▀")
			}
		}
	}
	plain()
	return b.String()
}

// levels are the motion triggers' levels, a line each, at most n of them; with the events
// that each has started where these are counted.
func levels(seen []event.Seen, starts map[string]int, w, n int) []string {
	var lines []string
	name := 4
	for _, s := range seen {
		name = max(name, min(16, width(seenName(s))))
	}
	for i, s := range seen {
		if n > 0 && i == n-1 && len(seen) > n {
			return append(lines, fmt.Sprintf("  and %d more: a larger window shows them", len(seen)-i))
		}
		if i == n {
			break
		}
		lines = append(lines, cut("  "+fit(seenName(s), name)+"  "+levelBar(s)+started(starts, s), w))
	}
	return lines
}

func seenName(s event.Seen) string {
	if s.Second {
		return clean(s.Trigger) + " (and)"
	}
	return clean(s.Trigger)
}

// levelBar shows a motion level against the threshold, with figures and in a word:
// "0.08 of 0.15 %  [####....|..]  moves".
func levelBar(s event.Seen) string {
	const upTo, beyond = 8, 2 // cells before and behind the threshold
	tenths := tenthsOf(s.Level, s.Fires)
	full, over := int(min(tenths, 10)*upTo/10), int(max(0, min((tenths-10)/5, beyond)))
	bar := strings.Repeat("#", full) + strings.Repeat(".", upTo-full) + "|" + strings.Repeat("#", over) + strings.Repeat(".", beyond-over)
	word := "still"
	switch {
	case s.Active:
		word = bad.Render("event")
	case len(s.Moving) == 0:
		word = "learns the scene"
	case s.Level > 0:
		word = uneasy.Render("moves")
	}
	return fmt.Sprintf("%s of %s %%  [%s]  %s", percent(tenths*s.Fires/10), percent(s.Fires), bar, word)
}
