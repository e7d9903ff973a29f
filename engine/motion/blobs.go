package motion

import (
	"math"
	"time"
)

const (
	weakPart    = 0.55 // of a full deviation: such a block counts where it touches a full one
	leastBlocks = 3    // a smaller blob is noise
	leastFull   = 2    // blocks of a blob that deviate fully
	leastStir   = 2    // active blocks of a blob that moves
	stirPart    = 64   // or of its blocks, one of so many
	sharpLine   = 3.0  // least sharp blocks of a blob, times the root of its blocks: a square's outline has 8
	sharpPart   = 0.5  // or as a part of a small blob
	steepLine   = 0.7  // least steep ones, likewise
	steepPart   = 1.0  // of the blob's mean change, within two blocks, is steep

	uncoveredTime = time.Second     // bare ground that was still for so long is background, in an event too
	displacedTime = 2 * time.Second // so is a thing that a visitor moved a little
	displacedPart = 1.0 / 8         // which is so much smaller than the visitor
)

// AbsorbTime is how long an object of an event stands still until it is background,
// unless a Detector has a time of its own.
const AbsorbTime = time.Minute

// deviation is the deviation that is motion at a sensitivity of 1–9, where 1 is
// the one of sensitivity 5. A step is a factor of 1.25.
var deviation = [...]float32{2.44, 1.95, 1.56, 1.25, 1, 0.8, 0.64, 0.51, 0.41}

const rejected = 1<<16 - 1 // label of a blob that is none

// two is two blocks on, across and down, as those on an outline are part object, part ground.
var two = [...][2]int{{-2, 0}, {2, 0}, {0, -2}, {0, 2}}

// blob is a connected area of blocks that deviate from the scene.
type blob struct {
	moved time.Duration // last activity of any of its blocks
	thing uint32        // that it shows
	born  time.Duration // since when that is followed
	doubt bool          // it may yet be no visitor
	outline
}

// view is the blobs at one sensitivity.
type view struct {
	sensitivity int
	w, h        int
	labels      []uint16 // blob of each block; 0 and rejected: none
	blobs       []blob   // from 1
	members     []int32  // blocks of the blob in hand
	largest     int      // blocks of the largest blob of the event

	// For follow.go.
	last       time.Duration   // the last plane
	previous   time.Duration   // the one before
	came, seen []time.Duration // since when, without a gap, and when a block last deviated
	held       []time.Duration // when a block was last part of a thing,
	part       []uint32        // and of which
	now        []blob          // things of this plane, also those that do not stay, and
	before     []blob          // of the one before; for cameras that are slow
}

func (v *view) resize(w, h int) {
	*v = view{sensitivity: v.sensitivity, w: w, h: h,
		labels: make([]uint16, w*h), blobs: make([]blob, 1, 64), members: make([]int32, 0, w*h),
		came: make([]time.Duration, w*h), seen: make([]time.Duration, w*h), last: -1,
		held: make([]time.Duration, w*h), part: make([]uint32, w*h),
		now: make([]blob, 0, mostBefore), before: make([]blob, 0, mostBefore)}
}

func (v *view) clear() {
	clear(v.labels)
	if len(v.blobs) > 0 {
		v.blobs = v.blobs[:1]
	}
}

// find labels the blobs of the plane that b compared last. Blobs that turn out
// to be background are given to b to learn.
func (v *view) find(b *background, at, absorb time.Duration) {
	v.clear()
	v.now, v.before = v.before[:0], v.now
	full := deviation[v.sensitivity-1]
	for i, d := range b.dev {
		if abs(d) < full || v.labels[i] != 0 || len(v.blobs) == rejected {
			continue
		}
		id := uint16(len(v.blobs))
		bl, fulls, staying := v.flood(b, int32(i), id, full, at)
		keep := len(v.members) >= leastBlocks && fulls >= leastFull && v.stays(b, &bl, staying, at) && v.sharp(b)
		if keep && v.settled(b, id, at-bl.moved, absorb) {
			for _, m := range v.members {
				b.absorb(int(m))
			}
			b.absorbed = at
			keep = false
		}
		if keep {
			v.doubt(b, &bl, id, at)
			v.blobs = append(v.blobs, bl)
			v.largest = max(v.largest, len(v.members))
			for _, m := range v.members {
				v.part[m], v.held[m] = bl.thing, at
				b.leave(int(m), bl.thing, at)
			}
			continue
		}
		for _, m := range v.members {
			v.labels[m] = rejected
		}
	}
	v.previous, v.last = v.last, at
}

// flood collects in members the blob around a block that deviates fully, and
// counts the blocks that deviate fully and those that stay.
func (v *view) flood(b *background, from int32, id uint16, full float32, at time.Duration) (bl blob, fulls, staying int) {
	w := int32(v.w)
	x, y := int(from%w), int(from/w)
	bl = blob{moved: b.moved[from], outline: outline{x, y, x, y}}
	weak := full * weakPart
	stirred := 0
	v.members = append(v.members[:0], from)
	v.labels[from] = id
	for k := 0; k < len(v.members); k++ {
		i := v.members[k]
		x, y := int(i%w), int(i/w)
		bl.join(outline{x, y, x, y})
		bl.moved = max(bl.moved, b.moved[i])
		if b.stir[i] == at {
			stirred++
		}
		if v.seen[i] != v.last {
			v.came[i] = at
		}
		v.seen[i] = at
		if at-v.came[i] >= stayTime {
			staying++
		}
		isFull := abs(b.dev[i]) >= full
		if isFull {
			fulls++
		}
		for ny := max(y-1, 0); ny <= min(y+1, v.h-1); ny++ {
			for nx := max(x-1, 0); nx <= min(x+1, v.w-1); nx++ {
				j := int32(ny)*w + int32(nx)
				// A weak block belongs to a full neighbour, and ends the blob.
				if v.labels[j] == 0 && (abs(b.dev[j]) >= full || isFull && abs(b.dev[j]) >= weak) {
					v.labels[j] = id
					v.members = append(v.members, j)
				}
			}
		}
	}
	if stirred >= max(leastStir, len(v.members)/stirPart) {
		bl.moved = at
		for _, m := range v.members {
			b.moved[m] = at
		}
	}
	return bl, fulls, staying
}

// sharp reports whether the blob in hand has the outline or the texture of an
// object. Soft shadows and lamps change the light smoothly. They scale what they
// fall on, so changes are compared as parts of the scene's luma. Where most of what
// surrounds it is lit, it may be the edge of a beam: that is straight, and only what
// changes along both axes counts (a corner, not an edge: Moravec 1980).
func (v *view) sharp(b *background) bool {
	n := float32(len(v.members))
	change := float32(0)
	for _, m := range v.members {
		want, part := b.part(int(m))
		change += abs(part) * want
	}
	steep := steepPart * change / n
	edges, corners, around, inLight, steeps := 0, 0, 0, 0, 0
	for _, m := range v.members {
		i := int(m)
		x, y := i%v.w, i/v.w
		want, part := b.part(i)
		bound := b.within(i, want)
		var along [2]bool
		most := float32(0)
		for k, to := range two {
			nx, ny := x+to[0], y+to[1]
			if nx < 0 || ny < 0 || nx >= v.w || ny >= v.h {
				continue
			}
			j := ny*v.w + nx
			if v.labels[j] != v.labels[i] {
				around++
				if b.state[j] == lit {
					inLight++
				}
			}
			w, p := b.part(j)
			step := abs(p-part) * min(w, want)
			if step >= bound {
				along[k/2] = true
			}
			if step > most { // false where one was never known
				most = step
			}
		}
		if along[0] || along[1] {
			edges++
		}
		if along[0] && along[1] {
			corners++
		}
		if most >= max(steep, bound) {
			steeps++
		}
	}
	if inLight*2 > around {
		edges = corners
	}
	line := min(float32(math.Sqrt(float64(n))), sharpPart/sharpLine*n)
	return float32(edges) >= sharpLine*line && float32(steeps) >= steepLine*line
}

// settled reports whether the blob in hand, still for a while, is background from now on.
func (v *view) settled(b *background, id uint16, still, absorb time.Duration) bool {
	if still >= absorb {
		return true
	}
	if still < uncoveredTime {
		return false
	}
	// Bare ground (an object left, or was taken away) has its outline in the
	// scene's memory and not in the picture; a thing that was moved, in both;
	// an object that stopped, in the picture.
	scene, picture := v.contrast(b, id, b.short)
	return scene > 1.4*picture ||
		scene > 0.8*picture && still >= displacedTime && float64(len(v.members)) < displacedPart*float64(v.largest)
}

// contrast is the one across the outline of the blob in hand, in the scene and in a picture.
func (v *view) contrast(b *background, id uint16, pic []float32) (scene, picture float32) {
	for _, m := range v.members {
		i := int(m)
		x, y := i%v.w, i/v.w
		for _, to := range two {
			nx, ny := x+to[0], y+to[1]
			if nx < 0 || ny < 0 || nx >= v.w || ny >= v.h {
				continue
			}
			if j := ny*v.w + nx; v.labels[j] != id {
				picture += abs(pic[i] - pic[j])
				scene += abs(b.mean[i] - b.mean[j])
			}
		}
	}
	return scene, picture
}
