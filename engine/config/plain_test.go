package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// What a form shows of a list is what the field takes, and stands for the same.
func TestPlainListsAreTakenBack(t *testing.T) {
	set := []Change{
		{"triggers", "[{name: yard, source: motion}]"}, {"transfers", "[{name: post, kind: email}]"},
		{"triggers.yard.zones", "[[0, 0, 50, 100], [60.5, 20, 39.5, 80]]"},
		{"triggers.yard.destinations", "[a@example.net, b@example.net]"}, {"transfers.post.destinations", "[c@example.net]"},
		{"site.holidays", "[2026-12-25, 01-01]"},
		{"serial", "[{device: /dev/ttyS0, baud: 9600, term: vt100}, {device: /dev/ttyS1}]"},
	}
	c, _, findings := PatchFor(Default(), Secrets{}, set)
	if hasErrors(findings) {
		t.Fatal(findings)
	}
	d := NewDraft(Settings{Config: c})
	for key, want := range map[string]string{
		"triggers.yard.zones":         "0, 0, 50, 100; 60.5, 20, 39.5, 80",
		"triggers.yard.destinations":  "a@example.net, b@example.net",
		"transfers.post.destinations": "c@example.net",
		"site.holidays":               "2026-12-25, 01-01",
		"serial":                      "/dev/ttyS0 9600 vt100; /dev/ttyS1 115200 vt220",
	} {
		if got := d.Raw(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
		again, _, refused := apply(Default(), Secrets{}, append(set[:2:2], Change{key, want}))
		was, _ := valueIn(&c, &Secrets{}, key)
		if got, _ := valueIn(&again, &Secrets{}, key); got != was || len(refused) > 0 {
			t.Errorf("%s: %q is taken for %q, want %q; %v", key, want, got, was, refused)
		}
		d.Set(key, "x")
		if d.Set(key, want); d.Changed(key) {
			t.Errorf("%s: %q again is a change", key, want)
		}
	}
}

// A plain list is incomplete while its last item is, and wrong where no key press cures it.
func TestPlainZonesAsTyped(t *testing.T) {
	f, _ := Lookup("triggers.yard.zones")
	for raw, want := range map[string]Level{
		"0": Incomplete, "0, 0, 50": Incomplete, "0,0,50,100": OK, "0 0 50 100;": OK, "0,0,50,100; 6": Incomplete,
		"0,0,50,100; 60,0,40,100": OK, "0,0,50; 60,0,40,100": Error, "0,0,50,x": Error, "0,0,x": Error,
		"0,0,50,100,1": Error, "60,0,50,100": Error, "0,0,0,50": Error, "0,0,50,101": Error, ";": Error,
		strings.Repeat("0,0,9,9;", 17): Error,
	} {
		if v := f.Check(raw); v.Level != want {
			t.Errorf("%q: level %d %q, want %d", raw, v.Level, v.Text, want)
		}
	}
}

// The second source of a trigger is edited by its parts, in any order, and is
// whole in the file; a comment beside it stays.
func TestPartsOfAnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.yaml")
	const text = "triggers:\n  - name: yard\n    source: motion # by the gate\n  - {name: door, source: manual, and: {source: motion, within: 3s}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := Open(path)
	before, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	d := NewDraft(Settings{Config: before.Config, Revision: before.Revision})
	if s, w := d.Raw("triggers.door.and.source"), d.Raw("triggers.door.and.within"); s != "motion" || w != "3s" {
		t.Errorf("door: %q within %q", s, w)
	}
	if s, w := d.Raw("triggers.yard.and.source"), d.Raw("triggers.yard.and.within"); s != "none" || w != "" {
		t.Errorf("yard: %q within %q", s, w)
	}
	d.Set("triggers.yard.and.source", "motion")
	if v := d.Verdict("triggers.yard.and.source"); v.Short != "its own source" || !v.Blocks() {
		t.Errorf("its own source: %+v", v)
	}
	if _, ok := d.Blocking(); !ok {
		t.Error("its own source does not block")
	}
	d.Set("triggers.yard.and.source", "external")
	d.Set("triggers.yard.and.within", "7x")
	if x, ok := d.Blocking(); !ok || x.Key != "triggers.yard.and.within" {
		t.Errorf("blocking: %+v", x)
	}
	if v := d.Verdict("triggers.yard.and.line"); v.Short != "line is missing" {
		t.Errorf("line: %+v", v)
	}
	d.Set("triggers.yard.and.within", "7s")
	d.Set("triggers.yard.and.line", "gpiochip0:4")
	d.Set("triggers.door.and.source", "none")
	if x, ok := d.Blocking(); ok {
		t.Fatalf("blocking: %+v", x)
	}
	after, err := f.Save(d.Changes())
	if err != nil {
		t.Fatal(err)
	}
	if a := after.Config.Triggers[0].And; a == nil || *a != (And{event.External, 7 * time.Second, "gpiochip0:4"}) {
		t.Errorf("yard: %+v", a)
	}
	if a := after.Config.Triggers[1].And; a != nil {
		t.Errorf("door: %+v", a)
	}
	got, _ := os.ReadFile(path)
	for _, want := range []string{"source: motion # by the gate", "and: {source: external, within: 7s, line: 'gpiochip0:4'}"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	// Another source has no line; one alone is within the usual time.
	c, _, refused := PatchFor(after.Config, Secrets{}, []Change{{"triggers.yard.and.source", "sound"}, {"triggers.door.and.source", "sound"}})
	if hasErrors(refused) || *c.Triggers[0].And != (And{Source: event.Sound, Within: 7 * time.Second}) || c.Triggers[1].And.Within != andWithin {
		t.Errorf("%+v %+v %v", c.Triggers[0].And, c.Triggers[1].And, refused)
	}
	// What was typed of a part outlives a change elsewhere.
	d = NewDraft(Settings{Config: before.Config})
	d.Set("triggers.yard.and.source", "sound")
	d.Set("triggers.yard.and.within", "7s")
	d.Set("triggers.door.and.within", "4s")
	other, _, _ := PatchFor(before.Config, Secrets{}, []Change{{"site.name", "x"}, {"triggers.door.and.within", "9s"}})
	if conflicts := d.Rebase(Settings{Config: other}); len(conflicts) != 1 || conflicts[0] != "triggers.door.and.within" || d.Raw("triggers.yard.and.within") != "7s" {
		t.Errorf("%v, %q", conflicts, d.Raw("triggers.yard.and.within"))
	}
	// Without a second source it is no change, and in nobody's way.
	d = NewDraft(Settings{Config: before.Config})
	d.Set("triggers.yard.and.source", "sound")
	d.Set("triggers.yard.and.within", "7x")
	d.Set("triggers.yard.and.source", "none")
	if x, ok := d.Blocking(); ok || d.Changed("") || d.Changed("triggers.yard.and.within") || len(d.Changes()) > 0 {
		t.Errorf("%v %v", d.Changes(), x)
	}
	d.Set("triggers.yard.and.source", "sound")
	if x, ok := d.Blocking(); !ok || x.Key != "triggers.yard.and.within" || len(d.Changes()) != 2 {
		t.Errorf("%v %v", d.Changes(), x)
	}
	// What was changed is in the way, not what it does not fit.
	d = NewDraft(Settings{Config: before.Config})
	d.Set("triggers.yard.and.source", "motion")
	if x, ok := d.Blocking(); !ok || x.Key != "triggers.yard.and.source" {
		t.Errorf("%v", x)
	}
	d = NewDraft(Settings{Config: before.Config})
	d.Set("triggers.door.source", "motion")
	if x, ok := d.Blocking(); !ok || x.Key != "triggers.door.source" {
		t.Errorf("%v", x)
	}
}

// Every zone that is offered is one, and is found by its beginning or its city's.
func TestZonesLike(t *testing.T) {
	f, _ := Lookup("site.time_zone")
	for _, z := range zones {
		if v := f.Check(z); v.Level != OK {
			t.Errorf("%s: %+v", z, v)
		}
	}
	for begun, want := range map[string]string{"eur": "Europe/Amsterdam", "berl": "Europe/Berlin", "new york": "America/New_York", "Asia/Tok": "Asia/Tokyo", "utc": "UTC"} {
		if got := ZonesLike(begun); len(got) == 0 || got[0] != want {
			t.Errorf("%q: %v", begun, got)
		}
	}
	if v := f.Check("Berl"); v.Level != Incomplete || v.Fix != "Europe/Berlin" {
		t.Errorf("Berl: %+v", v)
	}
	if got := ZonesLike("Mars"); len(got) > 0 {
		t.Error(got)
	}
}
