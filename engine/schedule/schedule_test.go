package schedule

import (
	"testing"
	"time"
	_ "time/tzdata"

	"watchpost/engine/config"
)

func berlin(t *testing.T, s string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", s, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// weekday nights: Monday to Friday 18:00 to 06:00 of the next day.
var nights = []config.Span{{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 18 * 60, To: 6 * 60}}

func TestActive(t *testing.T) {
	for _, c := range []struct {
		spans []config.Span
		at    string
		want  bool
	}{
		{nil, "2026-11-23 12:00", true},
		{nights, "2026-11-23 17:59", false}, // Monday
		{nights, "2026-11-23 18:00", true},
		{nights, "2026-11-24 05:59", true},
		{nights, "2026-11-24 06:00", false},
		{nights, "2026-11-23 03:00", false}, // the night of Sunday
		{nights, "2026-11-28 03:00", true},  // Saturday morning is Friday's night
		{nights, "2026-11-28 19:00", false},
		{[]config.Span{{Days: []time.Weekday{6}}}, "2026-11-28 00:00", true}, // From == To: the whole day
		{[]config.Span{{Days: []time.Weekday{6}}}, "2026-11-29 00:00", false},
		{[]config.Span{{From: 8 * 60, To: 24 * 60}}, "2026-11-29 23:59", true},
		{[]config.Span{{From: 8 * 60, To: 9 * 60}, {From: 20 * 60, To: 21 * 60}}, "2026-11-29 20:30", true},
	} {
		if got := Active(c.spans, berlin(t, c.at)); got != c.want {
			t.Errorf("%v at %s: %v", c.spans, c.at, got)
		}
	}
}

func TestNext(t *testing.T) {
	for _, c := range []struct{ at, want string }{
		{"2026-11-23 12:00", "2026-11-23 18:00"},
		{"2026-11-23 20:00", "2026-11-24 06:00"},
		{"2026-11-28 07:00", "2026-11-30 18:00"}, // over the week-end
	} {
		got, ok := Next(nights, berlin(t, c.at))
		if !ok || !got.Equal(berlin(t, c.want)) {
			t.Errorf("after %s: %v %v, want %s", c.at, got, ok, c.want)
		}
	}
	if at, ok := Next(nil, berlin(t, "2026-11-23 12:00")); ok || !at.IsZero() {
		t.Errorf("always active changes at %v", at)
	}
}

// The rule of the hour that repeats (2026-10-25) and of the one that is missing
// (2026-03-29), in Berlin, with moments in UTC.
func TestSummerTime(t *testing.T) {
	zone := berlin(t, "2026-01-01 00:00").Location()
	for _, c := range []struct {
		what       string
		from, to   int // hours and minutes
		begin, end string
	}{
		{"the hour that repeats, twice", 200, 300, "2026-10-25 00:00", "2026-10-25 02:00"},
		{"into it: to the second time", 100, 230, "2026-10-24 23:00", "2026-10-25 01:30"},
		{"out of it: from the first time", 230, 400, "2026-10-25 00:30", "2026-10-25 03:00"},
		{"within it: from the first to the second time", 215, 245, "2026-10-25 00:15", "2026-10-25 01:45"},
		{"up to it", 100, 200, "2026-10-24 23:00", "2026-10-25 00:00"},
		{"after it", 300, 400, "2026-10-25 02:00", "2026-10-25 03:00"},
		{"over it", 2200, 600, "2026-10-24 20:00", "2026-10-25 05:00"},
		{"the missing hour never comes", 200, 300, "2026-03-30 00:00", "2026-03-30 01:00"},
		{"into it: to the jump", 100, 230, "2026-03-29 00:00", "2026-03-29 01:00"},
		{"out of it: from the jump", 230, 400, "2026-03-29 01:00", "2026-03-29 02:00"},
		{"over the missing hour", 2200, 600, "2026-03-28 21:00", "2026-03-29 04:00"},
	} {
		minutes := func(hhmm int) int { return hhmm/100*60 + hhmm%100 }
		spans := []config.Span{{From: minutes(c.from), To: minutes(c.to)}}
		want, _ := time.Parse("2006-01-02 15:04", c.begin)
		stop, _ := time.Parse("2006-01-02 15:04", c.end)
		before := want.Add(-time.Nanosecond).In(zone)
		if c.what == "the missing hour never comes" {
			before = berlin(t, "2026-03-28 12:00")
		}
		begin, _ := Next(spans, before)
		end, _ := Next(spans, begin)
		if Active(spans, before) || !begin.Equal(want) || !end.Equal(stop) {
			t.Errorf("%s: %v to %v, want %v to %v", c.what, begin.UTC(), end.UTC(), want, stop)
		}
	}
}

// What a missing hour lies between touches: there is no change.
func TestNoChangeAtTheJump(t *testing.T) {
	spans := []config.Span{{From: 20 * 60, To: 2 * 60}, {From: 3 * 60, To: 6 * 60}}
	if at, _ := Next(spans, berlin(t, "2026-03-28 23:00")); !at.Equal(berlin(t, "2026-03-29 06:00")) {
		t.Error(at)
	}
}

func TestHolidays(t *testing.T) {
	christmas := []config.Date{{Year: 2026, Month: 12, Day: 25}, {Month: 12, Day: 26}} // Friday, Saturday
	offices := []config.Span{
		{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 18 * 60, To: 6 * 60},
		{Days: []time.Weekday{0, 6}, Holiday: true, From: 8 * 60, To: 7 * 60},
	}
	weekdays, holidays := offices[:1], []config.Span{{Holiday: true, From: 20 * 60, To: 4 * 60}}
	for _, c := range []struct {
		spans []config.Span
		at    string
		want  bool
	}{
		{offices, "2026-12-25 05:59", true},  // Thursday's night
		{offices, "2026-12-25 07:30", false}, // Friday, a holiday
		{offices, "2026-12-25 12:00", true},
		{offices, "2026-12-26 06:30", true}, // the night after the holiday is the holiday's
		{weekdays, "2026-12-25 19:00", false},
		{weekdays, "2026-12-26 05:00", false},
		{weekdays, "2027-12-24 19:00", true}, // Friday again
		{holidays, "2026-12-25 19:59", false},
		{holidays, "2026-12-26 03:59", true},
		{holidays, "2026-12-27 03:59", true},
		{holidays, "2026-12-28 03:59", false},
		{holidays, "2027-12-25 21:00", false}, // that was 2026
		{holidays, "2027-12-26 21:00", true},
		{[]config.Span{{From: 60, To: 120}}, "2026-12-25 01:30", true}, // names no day: every day
		{[]config.Span{{Days: []time.Weekday{6}}}, "2026-12-26 12:00", false},
		{[]config.Span{{Days: []time.Weekday{1}, Holiday: true}}, "2026-12-26 12:00", true},
	} {
		if got := Active(c.spans, berlin(t, c.at), christmas...); got != c.want {
			t.Errorf("%v at %s: %v", c.spans, c.at, got)
		}
	}
}

func TestNextHoliday(t *testing.T) {
	day := []config.Span{{Holiday: true}}
	for _, c := range []struct {
		spans    []config.Span
		holiday  config.Date
		at, want string // empty: never
	}{
		{day, config.Date{Month: 12, Day: 24}, "2026-11-24 12:00", "2026-12-24 00:00"},
		{day, config.Date{Month: 11, Day: 23}, "2026-11-24 12:00", "2027-11-23 00:00"},
		{day, config.Date{Month: 11, Day: 24}, "2026-11-24 12:00", "2026-11-25 00:00"},
		{day, config.Date{Year: 2027, Month: 12, Day: 24}, "2026-11-24 12:00", "2027-12-24 00:00"}, // 13 months
		{day, config.Date{Month: 2, Day: 29}, "2096-03-01 00:00", "2104-02-29 00:00"},
		{day, config.Date{Year: 2026, Month: 11, Day: 23}, "2026-11-24 12:00", ""},
		{day, config.Date{Year: 2027, Month: 2, Day: 29}, "2026-11-24 12:00", ""},
		{[]config.Span{{Holiday: true, From: 130, To: 140}}, config.Date{Year: 2027, Month: 3, Day: 28}, "2026-11-24 12:00", ""},
	} {
		holidays := []config.Date{c.holiday}
		at := berlin(t, c.at)
		next, ok := Next(c.spans, at, holidays...)
		never := Never(c.spans, holidays, at)
		if ok != (c.want != "") || ok && !next.Equal(berlin(t, c.want)) || never == ok {
			t.Errorf("%v after %s: %v %v, never %v; want %q", c.holiday, c.at, next, ok, never, c.want)
		}
	}
	if Never(nil, nil, berlin(t, "2026-11-24 12:00")) || Never(nights, nil, berlin(t, "2026-11-28 12:00")) {
		t.Error("an active time that comes is taken for one that never does")
	}
	if !Never(day, nil, berlin(t, "2026-11-24 12:00")) {
		t.Error("holidays without a date")
	}
}
