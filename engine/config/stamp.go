package config

import "time"

// Stamp is the date and time that is appended to a subject: year, month, day,
// 24-hour time, second and millisecond of at in its zone. With mark an "s"
// stands between date and time while summer time is in force.
func Stamp(at time.Time, mark bool) string {
	s := at.Format("20060102150405.000")
	s = s[:14] + s[15:]
	if mark && at.IsDST() {
		s = s[:8] + "s" + s[8:]
	}
	return s
}
