package config

import "time"

// Stamp is the date and time that is appended to a subject: year, month, day,
// 24-hour time, second and millisecond of at in its zone. With mark an "s"
// stands between date and time while summer time is in force.
func Stamp(at time.Time, mark bool) string {
	s := at.Format("20060102150405.000")
	s = s[:14] + s[15:]
	if mark && summer(at) {
		s = s[:8] + "s" + s[8:]
	}
	return s
}

// summer reports whether the clock is set forward at t. The zone database's own
// word is not enough: it calls Ireland's winter and Morocco's Ramadan, when the
// clock is set back, the exception, in some of its forms and in others not. So
// where it goes from exception to rule, or back, the time that ends with the clock
// set back is summer time. That keeps apart the two times of an hour that repeats.
func summer(t time.Time) bool {
	_, offset := t.Zone()
	const year = 366 * 24 * time.Hour
	for at := t; at.Sub(t) < year; {
		// Go ends periods at the year's end too, and a leap year's a day early: hence the day.
		_, end := at.ZoneBounds()
		if end.IsZero() {
			break
		}
		if at = at.Add(24 * time.Hour); at.Before(end) {
			at = end
		}
		switch _, next := at.Zone(); {
		case at.IsDST() != t.IsDST() && next != offset:
			return offset > next
		case at.IsDST() != t.IsDST() || next != offset:
			return t.IsDST()
		}
	}
	return t.IsDST()
}
