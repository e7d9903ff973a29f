// Package schedule answers whether a moment lies in an active time, when that next
// changes, and what a week of it looks like.
//
// It is not a timer and starts no goroutine. Spans are what the local clock reads,
// in the moment's zone. A span belongs to the day on which it begins: the night
// after a holiday is the holiday's. It lasts from the first moment at which the
// clock has reached its beginning until the last at which the clock has not
// reached its end. So where the clock is set back, an hour that repeats is active
// twice, and a span that begins in it begins in the first, one that ends in it
// ends in the second; where the clock is set forward, the hour that is missing
// never comes, and a beginning or an end in it is at the jump.
package schedule

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"watchpost/engine/config"
)

const (
	daySeconds = 24 * 60 * 60

	// soon is, in days, within which a change comes that needs no holiday: a week,
	// and some more, because summer time may skip a span.
	soon = 31
	// late is, in days, within which a change comes that needs one: from a 29
	// February to the next it may be eight years.
	late = 8*366 + soon
)

// Active reports whether t lies in one of the spans. No span at all is always.
func Active(spans []config.Span, t time.Time, holidays ...config.Date) bool {
	low, high := around(t)
	for from, to := range readings(spans, holidays, dayOf(low)-1, dayOf(high)+1) {
		if from <= high && low < to {
			return true
		}
	}
	return false
}

// Next returns the first moment after t at which Active changes, or the zero time
// and false where it does not within a month, or eight years with holidays to come.
func Next(spans []config.Span, t time.Time, holidays ...config.Date) (time.Time, bool) {
	today, now, zone := dayOf(read(t)), t.Unix(), t.Location()
	until := today + soon
	matter := func(s config.Span) bool { return s.Holiday || len(s.Days) > 0 }
	coming := func(d config.Date) bool { return d.Year == 0 || d.Year >= t.Year()-1 }
	if slices.ContainsFunc(spans, matter) && slices.ContainsFunc(holidays, coming) {
		until = today + late
	}
	for from, to := range moments(spans, holidays, zone, today-3, until) {
		switch {
		case to <= now: // over
		case from > now:
			return time.Unix(from, 0).In(zone), true
		case to < first(until*daySeconds, zone):
			return time.Unix(to, 0).In(zone), true
		default: // to the end of what is looked at
			return time.Time{}, false
		}
	}
	return time.Time{}, false
}

// Never reports whether the active time does not come any more: it is not now, and
// Next sees none. Such are a holiday's spans without a holiday to come.
func Never(spans []config.Span, holidays []config.Date, now time.Time) bool {
	_, changes := Next(spans, now, holidays...)
	return !changes && !Active(spans, now, holidays...)
}

// moments yields the active time that begins on the days from day to before until:
// from and until when it lasts, in Unix seconds, in order and never touching.
func moments(spans []config.Span, holidays []config.Date, zone *time.Location, day, until int64) iter.Seq2[int64, int64] {
	return func(yield func(from, to int64) bool) {
		var from, to int64 // none yet
		for a, b := range readings(spans, holidays, day, until) {
			a, b = first(a, zone), last(b, zone)
			switch {
			case a >= b: // in a missing hour
			case from < to && a <= to: // what is apart on the clock may touch where it is set
				to = max(to, b)
			case from < to && !yield(from, to):
				return
			default:
				from, to = a, b
			}
		}
		if from < to {
			yield(from, to)
		}
	}
}

// readings yields what moments does as what the clock reads, in seconds since 1970.
// It is where years of an active time without a gap cost little.
func readings(spans []config.Span, holidays []config.Date, day, until int64) iter.Seq2[int64, int64] {
	if len(spans) == 0 {
		spans = []config.Span{{}} // every day, all day
	}
	spans = slices.SortedFunc(slices.Values(spans), func(a, b config.Span) int { return cmp.Compare(begin(a), begin(b)) })
	return func(yield func(from, to int64) bool) {
		var from, to int64 // none yet
		for ; day < until; day++ {
			date := dateOf(day)
			weekday, holiday := date.Weekday(), isHoliday(holidays, date)
			for _, s := range spans {
				if !onDay(s, weekday, holiday) {
					continue
				}
				a := day*daySeconds + begin(s)
				b := day*daySeconds + int64(s.To)*60
				switch {
				case s.From == s.To:
					b = a + daySeconds
				case s.To < s.From: // over midnight
					b += daySeconds
				}
				switch {
				case from < to && a <= to:
					to = max(to, b)
				case from < to && !yield(from, to):
					return
				default:
					from, to = a, b
				}
			}
		}
		if from < to {
			yield(from, to)
		}
	}
}

// begin returns when in the day a span begins, in seconds after midnight: From,
// but midnight where From == To, the whole day.
func begin(s config.Span) int64 {
	if s.From == s.To {
		return 0
	}
	return int64(s.From) * 60
}

func onDay(s config.Span, d time.Weekday, holiday bool) bool {
	switch {
	case len(s.Days) == 0 && !s.Holiday:
		return true
	case holiday:
		return s.Holiday
	}
	return slices.Contains(s.Days, d)
}

func isHoliday(holidays []config.Date, date time.Time) bool {
	return slices.ContainsFunc(holidays, func(d config.Date) bool { return d.Is(date) })
}
