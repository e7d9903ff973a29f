package motion

import (
	"math"
	"time"
)

// A thing is followed from plane to plane by what its blobs cover, without a look
// at the picture (Bochinski et al. 2017). A drop of rain is in one place in one
// picture only (Garg and Nayar 2007), and is no motion.
const (
	stayTime    = 50 * time.Millisecond  // a block that deviates for so long stays
	stayPart    = 3                      // of a blob's blocks, one of so many must stay
	sparseTime  = 80 * time.Millisecond  // with planes further apart a runner (5 m/s) covers less of himself:
	sparsePart  = 6                      // one of so many
	slowTime    = 120 * time.Millisecond // with planes further apart he may cover nothing of it
	slowReach   = 1.0                    // and is sought within so many of his sizes a second
	rememberFor = 200 * time.Millisecond // a thing that was not seen for so long is another one
	mostThings  = 256                    // that are followed; the oldest is forgotten
	mostBefore  = 64                     // blobs of a plane that are remembered for the next
	farPart     = 0.5                    // a thing travels that went so many of its sizes from where it came up
)

// thing is what blobs of several planes show.
type thing struct {
	id   uint32
	far  bool          // it has travelled
	born time.Duration // when it came up,
	x, y float64       // and where
	// A visitor walks in, from the border or from behind something, at a pace of his
	// size. An insect before the lens is there at once, and off as quickly.
	first  float64       // size when it came up, blocks of its outline,
	growth float64       // by which that must grow
	grown  bool          // it came into view by and by
	rushed time.Duration // when it last moved too fast for its size
	swayed time.Duration // when it last looked like a part of the scene

	now, before outline       // of all its blobs, when it was last seen,
	at, then    time.Duration // and a paceTime before
}

// stays reports whether the blob in hand shows what the plane before has shown
// there, and finds the thing that it is.
func (v *view) stays(b *background, bl *blob, staying int, at time.Duration) bool {
	part, step := stayPart, at-v.last
	if step > sparseTime {
		part = sparsePart
	}
	stays := staying*part >= len(v.members)
	bl.born, bl.thing = at, 0
	if stays {
		bl.born = v.last
		for _, m := range v.members {
			if at-v.held[m] <= rememberFor {
				b.follow(bl, v.part[m])
			}
		}
	}
	if step > slowTime {
		reach := int(math.Ceil(math.Hypot(bl.width(), bl.height()) * slowReach * step.Seconds()))
		for k := range v.before {
			if o := &v.before[k]; o.x0 <= bl.x1+reach && o.x1 >= bl.x0-reach && o.y0 <= bl.y1+reach && o.y1 >= bl.y0-reach {
				stays, bl.born = true, min(bl.born, v.last)
				b.follow(bl, o.thing)
			}
		}
	}
	if stays {
		if b.thing(bl.thing) == nil {
			b.begin(bl, v.origin(bl))
			v.remember(b, bl, at)
		}
		b.move(bl)
		v.pace(b, bl, at)
	}
	if len(v.now) < mostBefore {
		v.now = append(v.now, *bl)
	}
	return stays
}

// origin is the blob of the plane before that covers most of bl's outline.
func (v *view) origin(bl *blob) *blob {
	from, most := bl, 0
	for k := range v.before {
		o := &v.before[k]
		w, h := min(o.x1, bl.x1)-max(o.x0, bl.x0)+1, min(o.y1, bl.y1)-max(o.y0, bl.y0)+1
		if w > 0 && h > 0 && w*h > most {
			from, most = o, w*h
		}
	}
	return from
}

// thing returns one that is followed; nil where it is none or forgotten.
func (b *background) thing(id uint32) *thing {
	if t := &b.things[id%mostThings]; id != 0 && t.id == id {
		return t
	}
	return nil
}

// follow takes a thing for the one that bl shows, unless that is one known for longer.
func (b *background) follow(bl *blob, id uint32) {
	if t := b.thing(id); t != nil && (bl.thing == 0 || t.born < bl.born) {
		bl.thing, bl.born = id, t.born
	}
}

// begin follows a new thing.
func (b *background) begin(bl, from *blob) {
	b.next++
	bl.thing = b.next
	x, y := from.middle()
	growth := growPart
	if from.x0 == 0 || from.y0 == 0 || from.x1 == b.w-1 || from.y1 == b.h-1 {
		growth = borderPart
	}
	b.things[bl.thing%mostThings] = thing{id: bl.thing, born: bl.born, x: x, y: y, first: from.width() * from.height(), growth: growth, rushed: bl.born}
}

// move notes where the thing of a blob is.
func (b *background) move(bl *blob) {
	t := b.thing(bl.thing)
	if x, y := bl.middle(); math.Hypot(x-t.x, y-t.y) >= farPart*bl.size() {
		t.far = true
	}
}

// outline is a rectangle of blocks, inclusive.
type outline struct{ x0, y0, x1, y1 int }

func (o *outline) join(p outline) {
	o.x0, o.y0, o.x1, o.y1 = min(o.x0, p.x0), min(o.y0, p.y0), max(o.x1, p.x1), max(o.y1, p.y1)
}

// way is how far all sides of an outline went since it was p.
func (o outline) way(p outline) float64 {
	along := func(d0, d1 int) float64 {
		if (d0 < 0) != (d1 < 0) {
			return 0
		}
		return math.Min(math.Abs(float64(d0)), math.Abs(float64(d1)))
	}
	return math.Hypot(along(o.x0-p.x0, o.x1-p.x1), along(o.y0-p.y0, o.y1-p.y1))
}

func (o outline) width() float64  { return float64(o.x1 - o.x0 + 1) }
func (o outline) height() float64 { return float64(o.y1 - o.y0 + 1) }
func (o outline) size() float64   { return math.Sqrt(o.width() * o.height()) }

func (o outline) middle() (x, y float64) {
	return float64(o.x0+o.x1) / 2, float64(o.y0+o.y1) / 2
}
