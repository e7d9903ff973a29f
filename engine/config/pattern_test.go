package config

import (
	"path"
	"strings"
	"testing"
	"time"
)

var filled = PatternValues{Site: "Gate 3", Trigger: "Tür/../x", Event: "00000042-20260618T173020", At: time.Date(2026, 6, 18, 17, 30, 20, 500e6, time.UTC), N: 7}

func TestExpand(t *testing.T) {
	for pattern, want := range map[string]string{
		"{trigger}/{date}":                 "T_r_.._x/20260618",
		"{trigger}-{stamp}.jpg":            "T_r_.._x-20260618173020500.jpg",
		"/srv/{year}/{month}/{day}/{hour}": "/srv/2026/06/18/17",
		"{site}/{event}-{n}.jpg":           "Gate_3/00000042-20260618T173020-0007.jpg",
		"watchpost/{site}/{trigger}":       "watchpost/Gate_3/T_r_.._x",
		"fixed":                            "fixed",
		".":                                "",
	} {
		if got := Expand(pattern, filled); got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
	summer := filled
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	summer.At, summer.Mark = summer.At.In(zone), true
	if got := Expand("{date}-{hour}-{stamp}", summer); got != "20260618-19-20260618s193020500" {
		t.Errorf("in Berlin's summer: %q", got)
	}
}

// TestExpandNeverLeavesItsFolder: whatever a value is, it is one name.
func TestExpandNeverLeavesItsFolder(t *testing.T) {
	for _, value := range []string{"", ".", "..", "...", "/", "../..", "\x00", "a/b", `..\..`, "~", strings.Repeat("ä", 500), "\xff", " "} {
		v := PatternValues{Site: value, Trigger: value, Event: value}
		for _, pattern := range []string{"{site}", "{trigger}/{site}", "{site}{trigger}", ".{event}", "a/{site}/b"} {
			got := Expand(pattern, v)
			contained(t, pattern, got)
		}
	}
}

// contained checks that a filled pattern has the parts of the pattern, each of them a plain name.
func contained(t *testing.T, pattern, got string) {
	t.Helper()
	if pattern == "." {
		if got != "" {
			t.Errorf("the place's own folder is %q", got)
		}
		return
	}
	if path.Clean(got) != got || strings.Count(got, "/") != strings.Count(pattern, "/") || strings.HasPrefix(got, "/") != strings.HasPrefix(pattern, "/") {
		t.Errorf("%q gives %q, which is not its folder", pattern, got)
	}
	for _, part := range strings.Split(strings.TrimPrefix(got, "/"), "/") {
		if part == "" || part == "." || part == ".." || len(part) > maxName || hasControl(part) {
			t.Errorf("%q gives %q with the part %q", pattern, got, part)
		}
	}
}

// FuzzExpand: a pattern that is accepted stays in its folder with any values.
func FuzzExpand(f *testing.F) {
	for _, s := range seeds(others["transfers.nas.path"], others["transfers.nas.file"], others["transfers.nas.topic"]) {
		f.Add(s, "Gate 3", "..", int64(1781803820), 7)
	}
	f.Fuzz(func(t *testing.T, pattern, site, trigger string, at int64, n int) {
		v := PatternValues{Site: site, Trigger: trigger, Event: trigger + site, At: time.Unix(at%253402300799, 0).UTC(), N: n}
		for _, key := range []string{"path", "file", "topic"} {
			sp, _ := find("transfers.nas." + key)
			if strings.TrimSpace(pattern) == "" || sp.f.Check(pattern).Blocks() {
				continue
			}
			kept := canonical(sp, pattern)
			contained(t, kept, Expand(kept, v))
		}
	})
}

func FuzzFolder(f *testing.F) {
	fuzzField(f, "transfers.nas.path", seeds(others["transfers.nas.path"])...)
}
func FuzzURL(f *testing.F) {
	fuzzField(f, "transfers.nas.url", seeds(others["transfers.nas.url"])...)
}
func FuzzHeaders(f *testing.F) {
	fuzzField(f, "transfers.nas.headers", seeds(others["transfers.nas.headers"])...)
}
func FuzzHostKey(f *testing.F) {
	fuzzField(f, "transfers.nas.host_key", seeds(others["transfers.nas.host_key"])...)
}
func FuzzHolidays(f *testing.F) { fuzzField(f, "site.holidays", seeds(others["site.holidays"])...) }
func FuzzDestinations(f *testing.F) {
	fuzzField(f, "transfers.nas.destinations", seeds(others["transfers.nas.destinations"])...)
}
func FuzzAnd(f *testing.F) { fuzzField(f, "triggers.yard.and", seeds(others["triggers.yard.and"])...) }
