package ring

import (
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/event"
)

// filled returns a ring with room for ten images of 10,000 bytes, after n of those.
func filled(n int, every time.Duration) *Ring {
	r := New(105_000)
	for range n {
		r.Add(event.Image{At: time.Now(), JPEG: make([]byte, 10_000)})
		time.Sleep(every)
	}
	return r
}

func TestBound(t *testing.T) {
	r := filled(500, 0)
	images, bytes := r.Size()
	if images != 10 || bytes < 100_000 || bytes > 105_000 {
		t.Errorf("%d images of %d bytes in a ring of ten", images, bytes)
	}
	r.Limit(50_000)
	if images, bytes := r.Size(); images < 4 || images > 5 || bytes > 50_000 {
		t.Errorf("%d images of %d bytes after its limit was lowered", images, bytes)
	}
	r.Add(event.Image{JPEG: make([]byte, 500_000)}) // larger than the ring: kept alone
	if images, bytes := r.Size(); images != 1 || bytes < 500_000 {
		t.Errorf("%d images of %d bytes after one that is too large", images, bytes)
	}
}

func TestAfter(t *testing.T) {
	r := filled(20, 0)
	got, missed := r.After(15)
	if len(got) != 5 || got[0].Index != 16 || missed != 0 {
		t.Errorf("after 15: %d images, %d missed", len(got), missed)
	}
	if got, missed = r.After(3); len(got) != 10 || missed != 7 {
		t.Errorf("after 3: %d images, %d missed; want 10 and 7", len(got), missed)
	}
	if got, _ = r.After(20); len(got) != 0 {
		t.Errorf("after the last: %d images", len(got))
	}
}

func TestBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := filled(0, 0)
		r.Limit(1 << 20)
		var at time.Time
		for i := range 40 { // 10 s
			if i == 20 {
				at = time.Now()
			}
			r.Add(event.Image{At: time.Now(), JPEG: make([]byte, 10_000)})
			time.Sleep(250 * time.Millisecond)
		}
		got := r.Before(at, time.Second, 3, 0)
		if len(got) != 3 {
			t.Fatalf("%d images, want 3", len(got))
		}
		for i := 1; i < len(got); i++ {
			if d := got[i].At.Sub(got[i-1].At); d < 900*time.Millisecond {
				t.Errorf("images %v apart", d)
			}
		}
		if !got[2].At.Before(at) || at.Sub(got[2].At) > 300*time.Millisecond {
			t.Errorf("the newest is of %v", got[2].At)
		}
		if got = r.Before(at, 0, 0, 2*time.Second); len(got) != 8 {
			t.Errorf("2 s at 4 a second: %d images", len(got))
		}
	})
}
