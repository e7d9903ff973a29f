// Package ring keeps the newest images, compressed, in bounded memory, so that
// what was there before a trigger can still be had after it.
//
// It is not the store: nothing in it survives a restart. It starts no goroutine;
// one writer adds, any number read.
package ring

import (
	"sync"
	"time"

	"watchpost/engine/event"
)

// Ring is a bounded sequence of images, oldest dropped first.
//
// Invariant, under mu: images holds the newest in order of Index; bytes is the
// sum of what they take, the slack of their allocation too, and at most max unless there is only one.
type Ring struct {
	mu     sync.Mutex
	max    int
	paused bool
	bytes  int
	next   uint64
	images []Image
}

// Image is an image with its place in the sequence.
type Image struct {
	Index uint64 // counts from 1
	// Taken is when it came, on the clock that is never set, unlike its At. The ring
	// goes by it.
	Taken time.Time
	event.Image
}

// listCost is what an image's place in the list takes, with room to grow.
const listCost = 128

func cost(im event.Image) int { return cap(im.JPEG) + listCost }

// New returns a ring of at most max bytes of images.
func New(max int) *Ring { return &Ring{max: max} }

// Add puts an image into the ring, which shares its bytes, and drops the oldest
// where there is no room.
func (r *Ring) Add(im event.Image) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paused {
		return
	}
	r.next++
	r.images = append(r.images, Image{Index: r.next, Taken: time.Now(), Image: im})
	r.bytes += cost(im)
	r.bound()
}

// Limit changes the bound, in bytes of images.
func (r *Ring) Limit(max int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.max = max
	r.bound()
}

// Pause empties the ring and has it take nothing, or ends that.
func (r *Ring) Pause(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = on
	if on {
		r.images, r.bytes = nil, 0
	}
}

// bound drops the oldest where there is no room. Called with mu held.
func (r *Ring) bound() {
	drop := 0
	for r.bytes > r.max && drop < len(r.images)-1 {
		r.bytes -= cost(r.images[drop].Image)
		drop++
	}
	if drop > 0 {
		n := copy(r.images, r.images[drop:])
		clear(r.images[n:]) // let the dropped bytes go
		r.images = r.images[:n]
	}
}

// After returns the images with an Index above index, oldest first, and how many
// of those that were added since are already gone. Nothing is copied but the headers.
func (r *Ring) After(index uint64) (images []Image, missed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.images {
		if r.images[i].Index > index {
			missed = int(r.images[i].Index - index - 1)
			return append([]Image(nil), r.images[i:]...), missed
		}
	}
	return nil, 0
}

// Before returns the images taken before the monotonic moment at that are at least every apart,
// counted back from at; n limits their number and back their age, zero is no limit.
// Oldest first.
func (r *Ring) Before(at time.Time, every time.Duration, n int, back time.Duration) []Image {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Image
	next := at
	for i := len(r.images) - 1; i >= 0; i-- {
		im := r.images[i]
		if !im.Taken.Before(at) || im.Taken.After(next) {
			continue
		}
		if n > 0 && len(out) == n || back > 0 && at.Sub(im.Taken) > back {
			break
		}
		out = append(out, im)
		next = im.Taken.Add(-every + every/10) // a tenth of slack for a camera's jitter
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// Last returns the Index of the newest image, 0 where there is none yet.
func (r *Ring) Last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}

// Size returns how many images the ring holds and their bytes.
func (r *Ring) Size() (images, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.images), r.bytes
}
