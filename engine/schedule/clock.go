package schedule

import (
	"math"
	"time"
)

// furthest is more than a clock is ever off UTC, and more than it is ever set at
// once, in seconds.
const furthest = 26 * 60 * 60

// read returns what the local clock reads at t, in seconds since 1970 on that clock.
func read(t time.Time) int64 {
	_, offset := t.Zone()
	return t.Unix() + int64(offset)
}

// dayOf returns the day of a reading, in days since 1970.
func dayOf(reading int64) int64 {
	return int64(math.Floor(float64(reading) / daySeconds))
}

// dateOf returns a day's midnight in UTC, which stands for its date.
func dateOf(day int64) time.Time {
	return time.Unix(day*daySeconds, 0).UTC()
}

// steady returns the zone's offset from UTC at a moment, and a moment until which
// it stays. It does not say since when: what Go says of that is wrong in the year
// of a zone's last change of rule (tzset in time/zoneinfo.go).
func steady(at int64, zone *time.Location) (offset, until int64) {
	t := time.Unix(at, 0).In(zone)
	_, seconds := t.Zone()
	_, end := t.ZoneBounds()
	switch {
	case end.IsZero():
		return int64(seconds), math.MaxInt64
	case end.Unix() <= at: // the last day of a leap year: Go takes the year to have 365
		return int64(seconds), (at/daySeconds + 1) * daySeconds
	}
	return int64(seconds), end.Unix()
}

// around returns the least that the clock reads at t or later and the most that it
// reads at t or before. They differ in an hour that repeats.
func around(t time.Time) (low, high int64) {
	now := t.Unix()
	low, high = read(t), read(t)
	for at := now - furthest; at < now+furthest; {
		offset, until := steady(at, t.Location())
		if at <= now {
			high = max(high, min(now, until-1)+offset)
		}
		if until > now {
			low = min(low, max(now, at)+offset)
		}
		at = until
	}
	return low, high
}

// first returns the first moment at which the clock reads that or more.
func first(reading int64, zone *time.Location) int64 {
	for at := reading - furthest; ; {
		offset, until := steady(at, zone)
		if m := max(at, reading-offset); m < until {
			return m
		}
		at = until
	}
}

// last returns the end of the last moment at which the clock reads less.
func last(reading int64, zone *time.Location) (end int64) {
	for at := reading - furthest; at < reading+furthest; {
		offset, until := steady(at, zone)
		if m := min(until, reading-offset); m > at {
			end = m
		}
		at = until
	}
	return end
}
