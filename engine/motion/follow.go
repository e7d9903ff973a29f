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
		}
		b.move(bl)
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
	b.things[bl.thing%mostThings] = thing{id: bl.thing, born: bl.born, x: x, y: y}
}

// move notes where the thing of a blob is.
func (b *background) move(bl *blob) {
	t := b.thing(bl.thing)
	if x, y := bl.middle(); math.Hypot(x-t.x, y-t.y) >= farPart*math.Sqrt(bl.width()*bl.height()) {
		t.far = true
	}
}

func (bl *blob) width() float64  { return float64(bl.x1 - bl.x0 + 1) }
func (bl *blob) height() float64 { return float64(bl.y1 - bl.y0 + 1) }

func (bl *blob) middle() (x, y float64) {
	return float64(bl.x0+bl.x1) / 2, float64(bl.y0+bl.y1) / 2
}
