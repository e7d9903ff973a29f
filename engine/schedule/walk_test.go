package schedule

import (
	"math/rand/v2"
	"testing"
	"time"

	"watchpost/engine/config"
)

// walk is the minutes around a moment, and the rule of the package's comment in its
// plainest form: a span is active from the first minute at which the clock has
// reached its beginning to the last at which it has not reached its end.
type walk struct {
	start     int64 // in minutes since 1970
	low, high []int64
}

const (
	readAround = 4 * 24 * 60 // minutes that are read, to either side
	compared   = 32 * 60     // minutes that are compared
)

func newWalk(at time.Time) walk {
	w := walk{start: at.Unix()/60 - readAround}
	n := 2 * readAround
	w.low, w.high = make([]int64, n), make([]int64, n)
	for i := range n {
		w.high[i] = read(time.Unix((w.start+int64(i))*60, 0).In(at.Location())) / 60
		w.low[i] = w.high[i]
		if i > 0 {
			w.high[i] = max(w.high[i], w.high[i-1])
		}
	}
	for i := n - 2; i >= 0; i-- {
		w.low[i] = min(w.low[i], w.low[i+1])
	}
	return w
}

func (w walk) active(spans []config.Span, holidays []config.Date, i int) bool {
	const minutes = 24 * 60
	for day := dayOf(w.low[i]*60) - 1; day <= dayOf(w.high[i]*60); day++ {
		date := time.Unix(day*daySeconds, 0).UTC()
		holiday := false
		for _, h := range holidays {
			holiday = holiday || h.Is(date)
		}
		for _, s := range spans {
			on := len(s.Days) == 0 && !s.Holiday || holiday && s.Holiday
			for _, d := range s.Days {
				on = on || !holiday && d == date.Weekday()
			}
			from, to := day*minutes+int64(s.From), day*minutes+int64(s.To)
			if s.From == s.To {
				from, to = day*minutes, (day+1)*minutes
			} else if s.To < s.From {
				to += minutes
			}
			if on && from <= w.high[i] && w.low[i] < to {
				return true
			}
		}
	}
	return false
}

// compare holds Active and Next against the walk around at.
func (w walk) compare(t *testing.T, at time.Time, spans []config.Span, holidays []config.Date) {
	t.Helper()
	moment := func(i int) time.Time { return time.Unix((w.start+int64(i))*60, 0).In(at.Location()) }
	const first, end = readAround - compared, readAround + compared
	var is [end]bool
	for i := first; i < end; i++ {
		is[i] = w.active(spans, holidays, i)
		if got := Active(spans, moment(i), holidays...); got != is[i] {
			t.Fatalf("%v (set at %v): Active %v\nspans %v\nholidays %v", moment(i), at, got, spans, holidays)
		}
	}
	change := 0
	for i := end - 2; i >= first; i-- {
		if is[i] != is[i+1] {
			change = i + 1
		}
		if i%13 != 0 && change != i+1 && (i == first || is[i] == is[i-1]) {
			continue // all minutes of a stretch have the same next
		}
		for _, off := range []time.Duration{0, time.Nanosecond, time.Minute - time.Nanosecond} {
			got, ok := Next(spans, moment(i).Add(off), holidays...)
			if change == 0 { // beyond what is compared
				if ok && got.Before(moment(end-1)) {
					t.Fatalf("after %v (set at %v): %v, and there is none\nspans %v\nholidays %v", moment(i).Add(off), at, got, spans, holidays)
				}
			} else if want := moment(change); !ok || !got.Equal(want) {
				t.Fatalf("after %v (set at %v): %v %v, want %v\nspans %v\nholidays %v", moment(i).Add(off), at, got, ok, want, spans, holidays)
			}
		}
	}
}

// drawn is an active time whose edges lie about the reading at which a clock is set.
func drawn(r *rand.Rand, at time.Time) (spans []config.Span, holidays []config.Date) {
	const minutes = 24 * 60
	set := int(read(at.Add(-time.Second))/60%minutes) + 1
	edge := func() int {
		near := []int{-120, -90, -61, -60, -59, -31, -30, -15, -1, 0, 1, 15, 29, 30, 31, 59, 60, 61, 90, 120, 180}
		m := set + near[r.IntN(len(near))]
		if r.IntN(4) == 0 {
			m = []int{0, 60, 12 * 60, minutes - 1}[r.IntN(4)]
		}
		return (m + minutes) % minutes
	}
	for range 1 + r.IntN(3) {
		s := config.Span{From: edge(), To: edge(), Holiday: r.IntN(3) == 0}
		if s.To == 0 && r.IntN(2) == 0 {
			s.To = minutes
		}
		if r.IntN(2) == 0 {
			for range 1 + r.IntN(3) {
				s.Days = append(s.Days, at.AddDate(0, 0, r.IntN(3)-1).Weekday())
			}
		}
		spans = append(spans, s)
	}
	if r.IntN(2) == 0 {
		y, m, d := at.AddDate(0, 0, r.IntN(3)-1).Date()
		holidays = append(holidays, config.Date{Year: y * r.IntN(2), Month: m, Day: d})
	}
	return spans, holidays
}
