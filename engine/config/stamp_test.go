package config

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// The mark stands while the clock is set forward, whatever the zone database calls it.
func TestStampMarksSummerTime(t *testing.T) {
	for _, c := range []struct{ zone, at, want string }{ // at is UTC
		{"Europe/Berlin", "2009-06-18 15:30:20.5", "20090618s173020500"},
		{"Europe/Berlin", "2009-12-18 16:30:20.007", "20091218173020007"},
		{"Europe/Berlin", "2026-10-25 00:30:00", "20261025s023000000"}, // the hour that repeats
		{"Europe/Berlin", "2026-10-25 01:30:00", "20261025023000000"},
		{"Europe/Berlin", "2026-03-29 00:59:59.999999", "20260329015959999"}, // cut, not rounded
		{"Europe/Berlin", "2026-03-29 01:00:00", "20260329s030000000"},
		{"Europe/Berlin", "2028-12-31 12:00:00", "20281231130000000"},
		{"Australia/Sydney", "2028-12-31 12:00:00", "20281231s230000000"}, // summer over the year's end
		{"Australia/Sydney", "2028-07-01 12:00:00", "20280701220000000"},
		{"Australia/Lord_Howe", "2026-04-04 14:45:00", "20260405s014500000"}, // half an hour
		{"Australia/Lord_Howe", "2026-04-04 15:15:00", "20260405014500000"},
		{"Europe/Dublin", "2026-07-01 12:00:00", "20260701s130000000"}, // its winter is the database's exception
		{"Europe/Dublin", "2026-12-01 12:00:00", "20261201120000000"},
		{"Europe/Dublin", "2028-12-31 12:00:00", "20281231120000000"},
		{"Africa/Casablanca", "2026-06-01 12:00:00", "20260601s130000000"},
		{"Africa/Casablanca", "2026-03-01 12:00:00", "20260301120000000"}, // Ramadan
		{"Africa/Windhoek", "2016-12-01 12:00:00", "20161201s140000000"},
		{"Africa/Windhoek", "2026-12-01 12:00:00", "20261201140000000"}, // stays forward: the usual time
		{"Antarctica/Troll", "2026-07-01 12:00:00", "20260701s140000000"},
		{"Antarctica/Troll", "2026-12-01 12:00:00", "20261201120000000"},
		{"America/Sao_Paulo", "2019-02-17 01:59:59", "20190216s235959000"},
		{"America/Sao_Paulo", "2019-02-17 02:59:59", "20190216235959000"},
		{"America/Sao_Paulo", "2026-01-01 12:00:00", "20260101090000000"}, // given up
		{"Pacific/Apia", "2011-12-30 09:59:00", "20111229s235900000"},
		{"Pacific/Apia", "2011-12-30 10:00:00", "20111231s000000000"}, // a day is skipped
		{"Asia/Almaty", "2024-02-01 12:00:00", "20240201180000000"},   // a change of the zone is no summer time
		{"Europe/Moscow", "2013-07-01 12:00:00", "20130701160000000"},
		{"Asia/Tokyo", "2026-07-01 12:00:00", "20260701210000000"},
		{"UTC", "2026-07-01 12:00:00", "20260701120000000"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("2006-01-02 15:04:05", c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := Stamp(at.In(zone), true); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.zone, c.at, got, c.want)
		}
		if got := Stamp(at.In(zone), false); got != strings.Replace(c.want, "s", "", 1) {
			t.Errorf("%s %s without mark: %s", c.zone, c.at, got)
		}
	}
}

// tzif is a zone file (RFC 9636) of nothing but the rule in its footer.
func tzif(rule string) []byte {
	block := func(b []byte) []byte {
		b = append(append(b, "TZif2"...), make([]byte, 15)...)
		for _, count := range []uint32{0, 0, 0, 0, 1, 4} { // one kind of time, four bytes of names
			b = binary.BigEndian.AppendUint32(b, count)
		}
		return append(b, 0, 0, 0, 0, 0, 0, 'L', 'M', 'T', 0)
	}
	return append(block(block(nil)), "\n"+rule+"\n"...)
}

// The database comes in forms that call Ireland's winter, or its summer, the
// exception ("main", "rearguard"): stamps are the same with both.
func TestStampWithEitherFormOfTheDatabase(t *testing.T) {
	var zones []*time.Location
	for _, rule := range []string{"IST-1GMT0,M10.5.0,M3.5.0/1", "GMT0IST,M3.5.0/1,M10.5.0"} {
		zone, err := time.LoadLocationFromTZData("Dublin", tzif(rule))
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, zone)
	}
	july := time.Date(2028, 7, 1, 12, 0, 0, 0, time.UTC)
	if july.In(zones[0]).IsDST() || !july.In(zones[1]).IsDST() {
		t.Fatal("these are not the two forms")
	}
	marked := 0
	for at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2030; at = at.Add(time.Hour) {
		a, b := Stamp(at.In(zones[0]), true), Stamp(at.In(zones[1]), true)
		if a != b {
			t.Fatalf("%v: %s and %s", at, a, b)
		}
		if a[8] == 's' {
			marked++
		}
	}
	if want := 3 * 31 * 7 * 24; marked != want { // 31 weeks a year
		t.Errorf("%d hours of summer time, want %d", marked, want)
	}
}
