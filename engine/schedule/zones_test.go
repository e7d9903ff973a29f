package schedule

import (
	"archive/zip"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/need"
)

// zoneDatabase returns the zones of the database that Go comes with, each rule once.
func zoneDatabase(t *testing.T) []*time.Location {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib/time/zoneinfo.zip"))
	if err != nil {
		need.Skip(t, "no zone database: "+err.Error())
	}
	defer z.Close()
	var zones []*time.Location
	seen := map[string]bool{}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(data)] {
			continue
		}
		seen[string(data)] = true
		zone, err := time.LoadLocationFromTZData(f.Name, data)
		if err != nil {
			t.Fatal(f.Name, err)
		}
		zones = append(zones, zone)
	}
	if len(zones) < 300 {
		t.Fatalf("only %d zones", len(zones))
	}
	return zones
}

// settings returns the moments at which the zone's clock is set, found by looking
// at the offset alone.
func settings(zone *time.Location, from, until time.Time) []time.Time {
	offset := func(sec int64) int { _, o := time.Unix(sec, 0).In(zone).Zone(); return o }
	const step = 6 * 60 * 60
	var all []time.Time
	for a := from.Unix(); a < until.Unix(); a += step {
		low, high := a, a+step
		if offset(low) == offset(high) {
			continue
		}
		for high-low > 1 {
			if m := (low + high) / 2; offset(m) == offset(low) {
				low = m
			} else {
				high = m
			}
		}
		all = append(all, time.Unix(high, 0).In(zone))
	}
	return all
}

// Around every moment of 2024–2030 at which any zone's clock is set, Active and Next
// are what walking through the minutes gives.
func TestEveryZone(t *testing.T) {
	from, until := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	for _, zone := range zoneDatabase(t) {
		all := settings(zone, from, until)
		for i, at := range all {
			_, before := at.Add(-time.Second).Zone()
			_, after := at.Zone()
			same := fmt.Sprint(at.Unix(), before, after)
			if i > 0 && at.Sub(all[i-1]) < 10*24*time.Hour || i+1 < len(all) && all[i+1].Sub(at) < 10*24*time.Hour {
				same += zone.String()
			}
			if seen[same] { // another zone's clock is set as this one
				continue
			}
			seen[same] = true
			w := newWalk(at)
			for range 2 {
				spans, holidays := drawn(r, at)
				w.compare(t, at, spans, holidays)
			}
		}
	}
	if len(seen) < 300 {
		t.Errorf("only %d settings", len(seen))
	}
	t.Logf("%d different settings", len(seen))
}

// What zones have done, and may do again.
func TestOddZones(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct{ zone, day, why string }{
		{"Pacific/Apia", "2011-12-30", "a day is skipped"},
		{"Pacific/Kwajalein", "1993-08-21", "a day is skipped"},
		{"Pacific/Kwajalein", "1969-09-30", "23 hours repeat"},
		{"America/Sao_Paulo", "2018-11-04", "midnight is missing"},
		{"America/Sao_Paulo", "2019-02-16", "midnight comes twice"},
		{"Asia/Beirut", "2024-03-31", "midnight is missing"},
		{"Asia/Beirut", "2024-10-26", "midnight comes twice"},
		{"Africa/Cairo", "2026-04-24", "midnight is missing"},
		{"America/Havana", "2026-03-08", "midnight is missing"},
		{"America/Havana", "2026-11-01", "from 1 to midnight"},
		{"America/St_Johns", "1988-04-03", "two hours at a minute past midnight"},
		{"America/St_Johns", "2006-10-29", "from a minute past midnight to the day before"},
		{"Australia/Lord_Howe", "2026-04-05", "half an hour"},
		{"Australia/Lord_Howe", "2026-10-04", "half an hour"},
		{"Antarctica/Troll", "2026-03-29", "two hours"},
		{"Antarctica/Troll", "2026-10-25", "two hours"},
		{"Antarctica/Casey", "2020-10-04", "a minute past midnight, three hours"},
		{"Europe/Dublin", "2026-10-25", "winter is the exception"},
		{"Africa/Casablanca", "2026-02-15", "Ramadan"},
		{"Asia/Pyongyang", "2018-05-04", "half an hour at half past eleven"},
		{"America/Caracas", "2016-05-01", "half an hour"},
		{"America/Ciudad_Juarez", "2022-11-29", "from midnight to the day before, the table's last entry"},
		{"Asia/Kathmandu", "1986-01-01", "a quarter of an hour"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, _ := time.ParseInLocation(time.DateOnly, c.day, zone)
		all := settings(zone, day.Add(-30*time.Hour), day.Add(30*time.Hour))
		if len(all) != 1 {
			t.Errorf("%s is not set once on %s (%s): %v", c.zone, c.day, c.why, all)
		}
		for _, at := range all {
			w := newWalk(at)
			for range 12 {
				spans, holidays := drawn(r, at)
				w.compare(t, at, spans, holidays)
			}
		}
	}
}

// Go ends a leap year's last period a day early, before the moment that it is asked for.
func TestLastDayOfALeapYear(t *testing.T) {
	spans := []config.Span{{From: 60, To: 120}}
	for _, zone := range zoneDatabase(t) {
		for hour := range 24 {
			at := time.Date(2028, 12, 31, 2+hour, 0, 0, 0, zone)
			want := time.Date(2029, 1, 1, 1, 0, 0, 0, zone)
			if hour == 23 {
				want = want.Add(time.Hour)
			}
			if got, ok := Next(spans, at); !ok || !got.Equal(want) || Active(spans, at) != (hour == 23) {
				t.Fatalf("after %v: %v %v", at, got, ok)
			}
		}
	}
}

// Go begins a zone's last rule before it came into force.
func TestChangeOfZoneWithinAYear(t *testing.T) {
	zones := zoneDatabase(t)
	zone := zones[slices.IndexFunc(zones, func(z *time.Location) bool { return z.String() == "America/Ciudad_Juarez" })]
	// 2022-11-30 00:00 CST became 2022-11-29 23:00 MST
	spans := []config.Span{{Days: []time.Weekday{time.Tuesday}, From: 60, To: 22*60 + 59}}
	at := time.Date(2022, 11, 30, 5, 46, 0, 0, time.UTC).In(zone) // 23:46 CST
	got, ok := Next(spans, at)
	if want := time.Date(2022, 12, 6, 1, 0, 0, 0, zone); !ok || !got.Equal(want) || Active(spans, at) {
		t.Errorf("after %v: %v, want %v", at, got, want)
	}
}
