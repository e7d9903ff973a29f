package schedule

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
)

// row is a day's half-hours: . none, - part, # whole.
func (d Day) row() string {
	var b strings.Builder
	for _, c := range d.Halves {
		b.WriteByte(".-#"[c])
	}
	return b.String()
}

func TestWeek(t *testing.T) {
	spans := []config.Span{
		{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 18*60 + 15, To: 6 * 60},
		{Holiday: true, From: 12 * 60, To: 13 * 60},
	}
	week := Week(spans, []config.Date{{Month: 11, Day: 26}}, berlin(t, "2026-11-24 12:00"))
	morning, evening := strings.Repeat("#", 12), "-"+strings.Repeat("#", 11)
	free := strings.Repeat(".", 12)
	for i, want := range []struct {
		row     string
		holiday bool
	}{
		{morning + free + free + evening, false}, // Tuesday
		{morning + free + free + evening, false},
		{morning + free + "##" + free[:10] + free, true}, // Thursday: the holiday's
		{free + free + free + evening, false},
		{morning + free + free + free, false}, // Saturday
		{free + free + free + free, false},
		{free + free + free + evening, false}, // Monday
	} {
		d := week[i]
		if d.row() != want.row || d.Holiday != want.holiday || d.Date.Day != (24+i-1)%30+1 {
			t.Errorf("%v %v\n%s, want\n%s", d.Date, d.Holiday, d.row(), want.row)
		}
	}
	for _, d := range Week(nil, nil, berlin(t, "2026-11-24 12:00")) {
		if d.row() != strings.Repeat("#", 48) {
			t.Errorf("always: %s", d.row())
		}
	}
}

// Each half-hour is what its minutes are, both times where it repeats and none
// where it is missing, in weeks in which a clock is set or a day skipped.
func TestWeekOfTheJump(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct{ zone, day string }{
		{"Europe/Berlin", "2026-03-29"}, {"Europe/Berlin", "2026-10-25"}, {"Australia/Lord_Howe", "2026-04-05"},
		{"Australia/Lord_Howe", "2026-10-04"}, {"Pacific/Apia", "2011-12-30"}, {"America/Havana", "2026-11-01"},
		{"Asia/Beirut", "2024-03-31"}, {"America/St_Johns", "2006-10-29"}, {"Antarctica/Troll", "2026-10-25"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, _ := time.ParseInLocation(time.DateOnly, c.day, zone)
		at := settings(zone, day.Add(-30*time.Hour), day.Add(30*time.Hour))[0]
		for back := range 7 {
			from := day.AddDate(0, 0, -back)
			spans, holidays := drawn(r, at)
			var all, active [7 * 48]int // minutes
			first := dayOf(read(from))
			for m := range int64(10 * 24 * 60) {
				moment := from.Add(time.Duration(m-2*24*60) * time.Minute)
				half := (read(moment) - first*daySeconds) / (30 * 60)
				if read(moment) < first*daySeconds || half >= 7*48 {
					continue
				}
				all[half]++
				if Active(spans, moment, holidays...) {
					active[half]++
				}
			}
			for i, d := range Week(spans, holidays, from) {
				for j, got := range d.Halves {
					n, of := active[i*48+j], all[i*48+j]
					want := Part
					switch n {
					case 0:
						want = None
					case of:
						want = Whole
					}
					if got != want {
						t.Errorf("%s, the %d. half-hour of %v: %v, want %v (%d of %d minutes)\n%v %v", c.zone, j, d.Date, got, want, n, of, spans, holidays)
					}
				}
			}
		}
	}
}

func BenchmarkSchedule(b *testing.B) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	at = at.In(zone)
	var holidays []config.Date
	for i := range 64 {
		holidays = append(holidays, config.Date{Month: 12, Day: 1 + i%25})
	}
	var many []config.Span
	for i := range 28 {
		many = append(many, config.Span{Holiday: true, Days: []time.Weekday{0, 1, 2, 3, 4, 5, 6}, From: i * 40, To: i*40 + 600})
	}
	b.Run("Active", func(b *testing.B) {
		for b.Loop() {
			Active(nights, at)
		}
	})
	b.Run("Next", func(b *testing.B) {
		for b.Loop() {
			Next(nights, at, holidays...)
		}
	})
	b.Run("NextOfWhatNeverChanges", func(b *testing.B) {
		for b.Loop() {
			Next(many, at, holidays...)
		}
	})
	b.Run("Week", func(b *testing.B) {
		for b.Loop() {
			Week(nights, holidays, at)
		}
	})
}
