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
	if at, ok := Next(nil, berlin(t, "2026-11-23 12:00")); ok {
		t.Errorf("always active changes at %v", at)
	}
}

// The hour that the end of summer time repeats is active both times.
func TestRepeatedHour(t *testing.T) {
	spans := []config.Span{{From: 2*60 + 30, To: 3 * 60}}
	first := berlin(t, "2026-10-25 01:45").Add(time.Hour)
	second := first.Add(time.Hour)
	if first.Hour() != 2 || second.Hour() != 2 {
		t.Fatalf("not the repeated hour: %v, %v", first, second)
	}
	if !Active(spans, first) || !Active(spans, second) {
		t.Errorf("02:45 is active %v and %v", Active(spans, first), Active(spans, second))
	}
}
