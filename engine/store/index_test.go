package store

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// summary is all that the index and the folders must agree on.
func summary(s *Store) string {
	var b strings.Builder
	for _, x := range s.order {
		fmt.Fprintf(&b, "%s %q %d %d %d %d %v\n", x.id, x.trigger, x.start, x.end, x.bytes, x.images, x.keep)
	}
	return fmt.Sprint(b.String(), s.total)
}

// some makes a store of n finished events by turns of two triggers, one of them kept.
func some(t *testing.T, dir string, n int) *Store {
	t.Helper()
	s := open(t, dir)
	for seq := 1; seq <= n; seq++ {
		at := t0.Add(time.Duration(seq) * time.Minute)
		e := event.Stored{ID: ID(uint64(seq), at), Trigger: "yard", Start: at, Firings: 1}
		if seq%2 == 0 {
			e.Trigger, e.Keep = `Tür "1"`+"\n", true
		}
		for range 2 {
			if err := s.Put(e); err != nil {
				t.Fatal(err)
			}
			if e.End.IsZero() {
				if err := s.AddImage(e.ID, event.Image{At: at, JPEG: make([]byte, 100+seq)}); err != nil {
					t.Fatal(err)
				}
			}
			e.End = at.Add(time.Second)
		}
	}
	return s
}

// A start reads no folder that the index knows: what it tells of them it tells
// without their files too.
func TestStartReadsTheIndexOnly(t *testing.T) {
	dir := t.TempDir()
	want := summary(some(t, dir, 20))
	s := open(t, dir)
	if got := summary(s); s.read != 0 || got != want {
		t.Fatalf("%d folders read; %s\nwant %s", s.read, got, want)
	}
	for _, id := range s.IDs(event.Filter{}) { // nobody misses them
		if err := os.RemoveAll(filepath.Join(dir, id)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, id), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if again := open(t, dir); again.read != 0 || summary(again) != want {
		t.Errorf("%d folders read", again.read)
	}
}

// However the index is damaged, a start finds what the folders hold, and the one
// after it finds a good index.
func TestDamagedIndex(t *testing.T) {
	dir := t.TempDir()
	want := summary(some(t, dir, 6))
	path := filepath.Join(dir, indexName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(good), "\n")
	for name, c := range map[string]struct {
		text string
		read int
	}{
		"missing":        {"", 6},
		"empty":          {"\x00", 6},
		"another form":   {strings.Replace(string(good), "events 1", "events 2", 1), 6},
		"torn":           {string(good[:len(good)-20]), 1},
		"torn at a line": {strings.Join(lines[:5], ""), 2},
		"a changed byte": {strings.Replace(string(good), " 1 ", " 2 ", 1), 1},
		"zeros":          {string(good[:len(good)-200]) + strings.Repeat("\x00", 200), 3},
		"other order":    {lines[0] + lines[6] + lines[2] + lines[1] + lines[5] + lines[3] + lines[4], 0},
		"twice":          {string(good) + strings.Join(lines[1:], ""), 0},
		"noise":          {lines[0] + "noise\n" + strings.Join(lines[1:], ""), 0},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if name == "missing" {
				os.Remove(path)
			}
			s := open(t, dir)
			if got := summary(s); s.read != c.read || got != want {
				t.Errorf("%d folders read, want %d; %s\nwant %s", s.read, c.read, got, want)
			}
			if s = open(t, dir); s.read != 0 || summary(s) != want {
				t.Errorf("the next start reads %d folders", s.read)
			}
		})
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path, "in its way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if s := open(t, dir); summary(s) != want {
		t.Errorf("with a folder in the place of the index: %s", summary(s))
	}
}

// Events that came or went by hand while nobody looked are noticed at a start.
func TestChangedByHand(t *testing.T) {
	dir := t.TempDir()
	s := some(t, dir, 5)
	other := t.TempDir()
	some(t, other, 9)
	ids := open(t, other).IDs(event.Filter{})
	if err := os.Rename(filepath.Join(other, ids[0]), filepath.Join(dir, ids[0])); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.Dir(ids[6])); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(event.Filter{N: 3}); err != nil || len(list) != 3 || slices.ContainsFunc(list, func(e event.Stored) bool { return e.ID == ids[6] }) {
		t.Errorf("%v %v", list, err)
	}
	s = open(t, dir)
	if got := s.IDs(event.Filter{}); s.read != 1 || len(got) != 5 || got[0] != ids[0] || slices.Contains(got, ids[6]) {
		t.Errorf("%d read: %v", s.read, got)
	}
	if k := s.Count(event.Filter{}); k.Bytes != s.Usage().Bytes || k != (event.Kept{Events: 5, Images: 5, Bytes: 5*eventCost + 101 + 102 + 104 + 105 + 109}) {
		t.Errorf("%+v", k)
	}
}

// The index does not grow with events that are gone.
func TestIndexIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for seq := range uint64(2*indexSlack + 100) { // without their folders, for the time that those take
		s.mu.Lock()
		x := s.enter(ID(seq+1, t0))
		x.end = 1
		line := x.line()
		s.mu.Unlock()
		s.record(line)
		if seq >= 5 {
			s.take([]string{ID(seq-4, t0)})
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, indexName))
	if n := strings.Count(string(data), "\n"); err != nil || n > indexSlack+20 || n != s.index.lines+1 {
		t.Errorf("%d lines, %d known: %v", n, s.index.lines, err)
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	s := some(t, dir, 10)
	all := s.IDs(event.Filter{})
	minute := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	for name, c := range map[string]struct {
		f    event.Filter
		want []int // of all
	}{
		"all":                  {event.Filter{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"the newest":           {event.Filter{N: 2}, []int{0, 1}},
		"a trigger":            {event.Filter{Trigger: "yard", N: 3}, []int{1, 3, 5}},
		"no such trigger":      {event.Filter{Trigger: "gate"}, nil},
		"a time":               {event.Filter{From: minute(3), To: minute(6)}, []int{5, 6, 7}},
		"the next page":        {event.Filter{Before: all[4], N: 2}, []int{5, 6}},
		"of a trigger":         {event.Filter{Before: all[4], Trigger: "yard", From: minute(2)}, []int{5, 7}},
		"before one that went": {event.Filter{Before: ID(8, minute(1)), N: 1}, []int{3}},
		"before the first":     {event.Filter{Before: all[9]}, nil},
		"before nonsense":      {event.Filter{Before: "x", N: 1}, nil},
	} {
		list, err := s.List(c.f)
		if err != nil || len(list) != len(c.want) {
			t.Errorf("%s: %d events, want %v: %v", name, len(list), c.want, err)
			continue
		}
		for i, n := range c.want {
			if e := list[i]; e.ID != all[n] || len(e.Images) != 1 || e.End.IsZero() {
				t.Errorf("%s: %d is %+v, want %s", name, i, e, all[n])
			}
		}
	}
	if k := s.Count(event.Filter{Trigger: "yard"}); k != (event.Kept{Events: 5, Images: 5, Bytes: 5*eventCost + 101 + 103 + 105 + 107 + 109}) {
		t.Errorf("%+v", k)
	}
}

// No line, whatever is in it, is taken for another one or stops the program.
func FuzzIndexLine(f *testing.F) {
	x := entry{id: ID(7, t0), trigger: "yard\n\"\xff", start: -5, end: 1, bytes: eventCost, images: 3, keep: true}
	f.Add(x.line(), "yard", int64(1), int64(2), int64(3), 4, true)
	f.Add([]byte("00000000 "), "", int64(-1), int64(1<<62), int64(1), 0, false)
	f.Add([]byte{}, "\xff\x00 \"", int64(0), int64(-9), int64(8), 2, true)
	f.Fuzz(func(t *testing.T, line []byte, trigger string, start, end, bytes int64, images int, keep bool) {
		if _, x, ok := parseLine(line); ok && (x.bytes <= 0 || x.images < 0 || x.end == 0) {
			t.Errorf("%q is %+v", line, x)
		}
		if end == 0 || bytes <= 0 || images < 0 {
			return
		}
		want := entry{id: ID(7, t0), trigger: trigger, start: start, end: end, bytes: bytes, images: images, keep: keep}
		text := want.line()
		if strings.Count(string(text), "\n") != 1 {
			t.Errorf("%q", text)
		}
		id, got, ok := parseLine(text[:len(text)-1])
		if got.id = string(id); !ok || got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	})
}
