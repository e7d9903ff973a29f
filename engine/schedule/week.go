package schedule

import (
	"time"

	"watchpost/engine/config"
)

// Cover is how much of a time is active.
type Cover uint8

const (
	None Cover = iota
	Part
	Whole
)

// Day is one day of an active time.
type Day struct {
	Date    config.Date
	Holiday bool
	Halves  [48]Cover // of each half-hour, both times where it repeats; None where it is missing
}

// Week returns the active time of the day of from and the six that follow, in
// from's zone.
func Week(spans []config.Span, holidays []config.Date, from time.Time) (week [7]Day) {
	const half = 30 * 60
	zone, today := from.Location(), dayOf(read(from))
	type stretch struct{ from, to int64 }
	var active []stretch
	for from, to := range moments(spans, holidays, zone, today-3, today+9) {
		active = append(active, stretch{from, to})
	}
	for i := range week {
		day := today + int64(i)
		date := dateOf(day)
		year, month, number := date.Date()
		week[i] = Day{Date: config.Date{Year: year, Month: month, Day: number}, Holiday: isHoliday(holidays, date)}
		for j := range week[i].Halves {
			reading := day*daySeconds + int64(j)*half
			var all, covered int64 // seconds
			for at, end := first(reading, zone), last(reading+half, zone); at < end; {
				offset, until := steady(at, zone)
				a, b := max(at, reading-offset), min(end, until, reading+half-offset)
				all += max(0, b-a)
				for _, s := range active {
					covered += max(0, min(b, s.to)-max(a, s.from))
				}
				at = until
			}
			switch {
			case covered > 0 && covered == all:
				week[i].Halves[j] = Whole
			case covered > 0:
				week[i].Halves[j] = Part
			}
		}
	}
	return week
}
