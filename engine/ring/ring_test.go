package ring

import (
	"testing"
	"time"

	"watchpost/engine/event"
)

var t0 = time.Date(2026, 11, 23, 20, 51, 0, 0, time.UTC)

func filled(max, n, size int, every time.Duration) *Ring {
	r := New(max)
	for i := range n {
		r.Add(event.Image{At: t0.Add(time.Duration(i) * every), JPEG: make([]byte, size)})
	}
	return r
}

func TestBound(t *testing.T) {
	r := filled(1000, 500, 99, time.Second)
	images, bytes := r.Size()
	if images != 10 || bytes != 990 {
		t.Errorf("%d images of %d bytes in a ring of 1000", images, bytes)
	}
	r.Add(event.Image{JPEG: make([]byte, 5000)}) // larger than the ring: kept alone
	if images, bytes := r.Size(); images != 1 || bytes != 5000 {
		t.Errorf("%d images of %d bytes after one of 5000", images, bytes)
	}
}

func TestAfter(t *testing.T) {
	r := filled(1000, 20, 100, time.Second)
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
	r := filled(1<<20, 40, 10, 250*time.Millisecond) // 10 s
	at := t0.Add(5 * time.Second)
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
}
