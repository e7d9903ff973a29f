package motion

import (
	"slices"
	"time"

	"watchpost/engine/frame"
)

const (
	leastTime   = 250 * time.Millisecond // motion above the threshold for so long is an event
	quietTime   = time.Second            // motion below half the threshold for so long ends it
	activeTime  = 500 * time.Millisecond // a blob that was active so recently moves
	protectTime = 10 * time.Minute       // an event that lasts longer, and longer than things are kept from the background, is learned like everything else
	endPart     = 0.5                    // of the threshold: hysteresis
	onePart     = 0.5                    // of the threshold must be one blob: rain and noise are scattered
)

// moment is a plane's sequence number and time.
type moment struct {
	seq uint64
	at  time.Duration
}

// gate is the event logic of one Params.
type gate struct {
	params Params
	view   *view
	zone   []byte // 1: the block belongs to the zone
	area   int    // blocks of the zone
	width  int    // blocks of a line
	mask   []byte // 1: motion in the zone

	level    float64
	box      [4]int
	over     bool // above the threshold since overFrom, without falling below the end of an event
	overFrom time.Duration

	active  bool
	started time.Duration
	peak    float64
	present moment        // last plane above the end of an event
	moving  moment        // last of them with something that moves in it
	unseen  time.Duration // last plane that could not be compared: no motion and no quiet either

	// An event in which nothing moves any more rests: what stands there may go
	// on, which goes on with the event, or something else comes, which ends it.
	resting   bool
	held      []byte // what stands there and the blocks around it
	fresh     bool   // something else moves since freshFrom
	freshFrom time.Duration
}

// levels is what moves, in percent of the zone.
type levels struct {
	now    float64 // in blobs that are active in this plane
	moving float64 // in blobs that were active lately
	again  float64 // of that, in blobs that touch what rests
	most   float64 // in the largest blob
	known  float64 // in blobs of things that are followed for long enough
	one    float64 // in the largest of them
}

// fit lays the zones over planes of p's size.
func (g *gate) fit(p *frame.Plane) {
	n := p.Width * p.Height
	g.width = p.Width
	g.zone, g.mask, g.held, g.area = make([]byte, n), make([]byte, n), make([]byte, n), 0
	for y := range p.Height {
		for x := range p.Width {
			if g.inZone(p, x, y) {
				g.zone[y*p.Width+x] = 1
				g.area++
			}
		}
	}
}

// inZone reports whether a block's centre lies in a zone. A zone thinner than a
// block has the blocks that it touches.
func (g *gate) inZone(p *frame.Plane, x, y int) bool {
	in := func(z Rect) bool {
		return within(x, z.X, z.W, p.PicWidth, p.Scale) && within(y, z.Y, z.H, p.PicHeight, p.Scale)
	}
	return (len(g.params.Zones) == 0 || slices.ContainsFunc(g.params.Zones, in)) && !slices.ContainsFunc(g.params.Exclude, in)
}

// within reports whether block k of a line of size pixels lies between from and from+length percent.
func within(k int, from, length float64, size, scale int) bool {
	a, b := from/100*float64(size), (from+length)/100*float64(size)
	left, right := float64(k*scale), float64(min((k+1)*scale, size))
	if b-a < float64(scale) {
		return right > a && left < b
	}
	middle := (left + right) / 2
	return middle >= a && middle < b
}

func (g *gate) reset() {
	g.active, g.over, g.resting, g.level, g.peak, g.box = false, false, false, 0, 0, [4]int{}
	clear(g.mask)
}

// step takes the blobs of a plane.
func (g *gate) step(b *background, seq uint64, at time.Duration) (r Result) {
	l := g.measure(b, at)
	now := moment{seq, at}
	start := ThresholdPercent(g.params.Threshold)
	end := start * endPart
	seen := g.level >= end && l.most >= end*onePart
	if !seen {
		g.over = false
	} else if g.level >= start && l.most >= start*onePart && !g.over {
		g.over, g.overFrom = true, g.view.previous
	}
	sure := l.known >= end && l.one >= end*onePart
	if !g.active && g.over && sure && at-g.overFrom >= leastTime {
		g.active, g.resting, g.started, g.peak, g.moving = true, false, at, 0, now
		r.Started = true
	}
	if g.active {
		g.peak = max(g.peak, g.level)
		if sure {
			g.present = now
		}
		if l.now >= end && !g.resting {
			g.moving = now
		}
		last, ended := g.present, false
		switch {
		case at-max(g.present.at, g.unseen) >= quietTime:
			ended = true
			if b.absorbed >= g.present.at-quietTime {
				last = g.moving // what was left did not move: it was learned
			}
		case g.rest(l, start, at):
			last, ended = g.moving, true
			g.settle(b, at)
		}
		if ended {
			g.active, g.resting = false, false
			r.Ended, r.LastMovingSeq, r.LastMovingAt = true, last.seq, last.at
		}
	}
	r.Level, r.Active, r.Box, r.Peak = g.level, g.active, g.box, g.peak
	return r
}

// rest keeps the resting state of an event. It is true when something other
// than what rests has been moving for long enough to be an event of its own.
func (g *gate) rest(l levels, start float64, at time.Duration) bool {
	switch {
	case !g.resting && at-max(g.moving.at, g.unseen) >= quietTime:
		g.resting, g.fresh = true, false
		clear(g.held)
		spread(g.held, g.mask, g.width)
	case !g.resting:
	case l.again >= start*endPart && !g.fresh: // else what came moves it
		g.resting = false
	case l.moving < start:
		g.fresh = false
	case !g.fresh:
		g.fresh, g.freshFrom = true, g.view.previous
	default:
		return at-g.freshFrom >= leastTime
	}
	return false
}

// settle makes what rests background, as its event is over, and leaves what moves.
func (g *gate) settle(b *background, at time.Duration) {
	for i, m := range g.mask {
		if m != 0 && at-g.view.blobs[g.view.labels[i]].moved > activeTime {
			b.absorb(i)
		}
	}
	b.absorbed = at
	g.over, g.overFrom = true, g.freshFrom
}

// measure fills mask, level and box.
func (g *gate) measure(b *background, at time.Duration) levels {
	clear(g.mask)
	var count, now, moving, again, most, known, one int
	x0, y0, x1, y1 := b.w, b.h, -1, -1
	for id := 1; id < len(g.view.blobs); id++ {
		bl := &g.view.blobs[id]
		blocks, touches := 0, false
		for y := bl.y0; y <= bl.y1; y++ {
			for x := bl.x0; x <= bl.x1; x++ {
				i := y*b.w + x
				if g.view.labels[i] != uint16(id) || g.zone[i] == 0 {
					continue
				}
				g.mask[i] = 1
				blocks++
				touches = touches || g.resting && g.held[i] != 0
				x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
			}
		}
		count += blocks
		most = max(most, blocks)
		if at-bl.born >= leastTime && (g.active || !bl.doubt) {
			known += blocks
			one = max(one, blocks)
		}
		if bl.moved == at {
			now += blocks
		}
		if at-bl.moved <= activeTime {
			moving += blocks
			if touches {
				again += blocks
			}
		}
	}
	percent := 100 / float64(max(g.area, 1))
	g.level, g.box = float64(count)*percent, [4]int{}
	if count > 0 {
		x, y := x0*b.scale, y0*b.scale
		g.box = [4]int{x, y, min((x1+1)*b.scale, b.pw) - x, min((y1+1)*b.scale, b.ph) - y}
	}
	return levels{float64(now) * percent, float64(moving) * percent, float64(again) * percent, float64(most) * percent, float64(known) * percent, float64(one) * percent}
}

// protect marks the blocks that an event forbids to learn: those that move and their neighbours.
func (g *gate) protect(keep []byte, at, absorb time.Duration) {
	if g.over && !g.active || g.active && at-g.started <= max(protectTime, absorb) {
		spread(keep, g.mask, g.width)
	}
}

// spread marks in to the blocks of mask and their neighbours.
func spread(to, mask []byte, w int) {
	for i, m := range mask {
		if m == 0 {
			continue
		}
		x := i % w
		for _, k := range [...]int{i - w, i, i + w} {
			if k < 0 || k >= len(to) {
				continue
			}
			to[k] = 1
			if x > 0 {
				to[k-1] = 1
			}
			if x+1 < w {
				to[k+1] = 1
			}
		}
	}
}

// result is the state at a plane that could not be compared.
func (g *gate) result(at time.Duration) Result {
	g.unseen = at
	return Result{Level: g.level, Active: g.active, Peak: g.peak, Box: g.box}
}

// close ends an event that is going on.
func (g *gate) close() Result {
	r := Result{Peak: g.peak, Level: g.level, Box: g.box}
	if g.active {
		last := g.present
		r.Ended, r.LastMovingSeq, r.LastMovingAt = true, last.seq, last.at
	}
	g.reset()
	return r
}
