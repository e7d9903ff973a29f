package motion

// States of a block in a plane.
const (
	asKnown = iota // as the scene has it in the light of the whole picture
	differs        // not: an object, or never known
	lit            // neither: the light on it is another one
)

const (
	knownPart = 0.5  // of a deviation: below it a block is as known
	linkPart  = 0.35 // of a deviation: by less the light of two neighbours differs
	leastLink = 2    // neighbours that a block must be linked to
)

// local finds the light that falls on a part of the picture: a lamp, a beam, the shadow
// of a cloud. Light comes and goes little by little from block to block, and what it
// falls on keeps its texture; an object has an outline. So a deviating block is lit if
// it has the same light as two of its neighbours that are as known, or lit themselves: a
// flood from the unchanged scene, as a region grows (Adams and Bischof 1994), which an
// outline stops. What two neighbours have in common is the ratio of picture to scene
// (as in Rosin and Ellis 1995), with the light of the whole picture taken out or not,
// as gain and offset fitted to a lamp are wrong elsewhere.
func (b *background) local(pix []byte) {
	reached := b.reached[:0]
	for _, m := range b.differ {
		i := int(m)
		b.links[i] = 0
		b.eachAround(i, func(j int) {
			if b.state[j] == asKnown && b.links[i] < leastLink && b.linked(pix, i, j) {
				b.links[i]++
			}
		})
	}
	for _, m := range b.differ {
		if b.links[m] >= leastLink {
			b.state[m] = lit
			reached = append(reached, m)
		}
	}
	for k := 0; k < len(reached); k++ {
		i := int(reached[k])
		b.dev[i] = 0
		b.eachAround(i, func(j int) {
			if b.state[j] != differs || !b.linked(pix, i, j) {
				return
			}
			if b.links[j]++; b.links[j] >= leastLink {
				b.state[j] = lit
				reached = append(reached, int32(j))
			}
		})
	}
	b.reached = reached
}

// eachAround calls f with the neighbours of block i.
func (b *background) eachAround(i int, f func(j int)) {
	x, y := i%b.w, i/b.w
	for ny := max(y-1, 0); ny <= min(y+1, b.h-1); ny++ {
		for nx := max(x-1, 0); nx <= min(x+1, b.w-1); nx++ {
			if nx != x || ny != y {
				f(ny*b.w + nx)
			}
		}
	}
}

// linked reports whether the same light falls on two blocks.
func (b *background) linked(pix []byte, i, j int) bool {
	ci, cj, mi, mj := float32(pix[i]), float32(pix[j]), b.mean[i], b.mean[j]
	// What flickers is no reason to take one light for another.
	slack := linkPart * max(b.calm[i]+lightDoubt*abs(ci-mi), b.calm[j]+lightDoubt*abs(cj-mj))
	return abs(b.rel[i]-b.rel[j])*min(b.want(i), b.want(j)) < slack ||
		abs(ci*mj-cj*mi) < slack*max(mi, mj) // false where one was never known
}
