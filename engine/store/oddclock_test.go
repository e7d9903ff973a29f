package store

import (
	"testing"
	"time"

	"watchpost/engine/event"
)

// One event of a moment when the clock showed 1970, or 2036, or 60 days too much, does
// not keep all that came after it.
func TestAgeBehindAnOddClock(t *testing.T) {
	for _, odd := range []time.Time{time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC), time.Now().AddDate(10, 0, 0), time.Now().Add(-time.Hour)} {
		s, err := Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s.Limit(0, 30*24*time.Hour)
		put := func(seq uint64, at time.Time) {
			if err := s.Put(event.Stored{ID: ID(seq, at), Start: at, End: at.Add(time.Second)}); err != nil {
				t.Fatal(err)
			}
		}
		put(1, odd)
		for i := range 20 {
			put(uint64(i+2), time.Now().AddDate(0, 0, -60))
		}
		put(30, time.Now())
		s.looked = time.Time{} // a minute later
		s.Prune()
		if n := s.Usage().Events; n > 3 {
			t.Errorf("behind an event of %v: %d events stay, 20 of them of 60 days ago, with max_age 30 days", odd, n)
		}
	}
}
