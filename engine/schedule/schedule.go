// Package schedule answers whether a moment lies in a trigger's active time, and
// when that next changes.
//
// It is not a timer and starts no goroutine. Spans are local wall-clock time of
// the moment's zone: an hour that summer time repeats is active twice, one that
// it skips never comes.
package schedule

import (
	"time"

	"watchpost/engine/config"
)

const dayMinutes = 24 * 60

// Active reports whether t lies in one of the spans. No span at all is always.
func Active(spans []config.Span, t time.Time) bool {
	if len(spans) == 0 {
		return true
	}
	for _, s := range spans {
		if covers(s, t) {
			return true
		}
	}
	return false
}

func covers(s config.Span, t time.Time) bool {
	minute := t.Hour()*60 + t.Minute()
	today, yesterday := t.Weekday(), (t.Weekday()+6)%7
	switch {
	case s.From == s.To: // the whole day
		return onDay(s, today)
	case s.From < s.To:
		return onDay(s, today) && minute >= s.From && minute < s.To
	default: // over midnight
		return onDay(s, today) && minute >= s.From || onDay(s, yesterday) && minute < s.To
	}
}

func onDay(s config.Span, d time.Weekday) bool {
	if len(s.Days) == 0 {
		return true
	}
	for _, x := range s.Days {
		if x == d {
			return true
		}
	}
	return false
}

// Next returns the first moment after t at which Active changes, or false where
// it does not within eight days.
func Next(spans []config.Span, t time.Time) (time.Time, bool) {
	now := Active(spans, t)
	var best time.Time
	for day := -1; day <= 8; day++ {
		for _, s := range spans {
			for _, m := range [...]int{0, s.From, s.To, dayMinutes} {
				c := time.Date(t.Year(), t.Month(), t.Day()+day, 0, m, 0, 0, t.Location())
				if c.After(t) && (best.IsZero() || c.Before(best)) && Active(spans, c) != now {
					best = c
				}
			}
		}
	}
	return best, !best.IsZero()
}
