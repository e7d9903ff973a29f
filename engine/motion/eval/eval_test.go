package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestMajority holds the running sums against counting.
func TestMajority(t *testing.T) {
	const w, h = 40, 24
	r := rand.New(rand.NewPCG(1, 2))
	for _, part := range []float64{0.2, 0.5, 0.8} {
		b := newBaseline(w, h, 10)
		for i := range b.marked {
			if r.Float64() < part {
				b.marked[i] = 1
			}
		}
		area := b.majority()
		for y := 2; y < h-2; y++ {
			for x := 2; x < w-2; x++ {
				n := 0
				for j := -2; j <= 2; j++ {
					for i := -2; i <= 2; i++ {
						n += int(b.marked[(y+j)*w+x+i])
					}
				}
				want := byte(0)
				if n >= 13 {
					want = 1
				}
				if b.mask[y*w+x] != want {
					t.Fatalf("part %v at %d,%d: %d, %d of 25 are marked", part, x, y, b.mask[y*w+x], n)
				}
				area -= int(want)
			}
		}
		if area < 0 {
			t.Errorf("part %v: fewer counted than there are", part)
		}
	}
}

// TestBaselineEvents: a bright square comes twice, 2 s apart, at 10 frames a second.
func TestBaselineEvents(t *testing.T) {
	const w, h = 160, 120
	b := newBaseline(w, h, 10)
	empty, full := make([]byte, w*h), make([]byte, w*h)
	for y := 20; y < 80; y++ {
		for x := 30; x < 90; x++ {
			full[y*w+x] = 120
		}
	}
	for k := range 60 {
		luma := empty
		if k >= 10 && k < 13 || k >= 33 && k < 36 {
			luma = full
		}
		b.step(k, luma)
	}
	b.close()
	if want := []span{{10, 12}, {33, 35}}; !reflect.DeepEqual(b.found, want) {
		t.Errorf("events %v, want %v", b.found, want)
	}
}

func TestPixels(t *testing.T) {
	var p pixels
	p.add([]byte{1, 1, 255, 0, 0}, []byte{1, 0, 1, 1, 0})
	if p != (pixels{hit: 2, false: 1, missed: 1}) || p.f() != 2.0/3 {
		t.Errorf("%+v, F %v", p, p.f())
	}
	mask := []byte{1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1}
	got := make([]byte, len(mask))
	unpack(got, pack(mask))
	if !reflect.DeepEqual(got, mask) {
		t.Errorf("packed and unpacked: %v", got)
	}
}

func TestEventsOfReplay(t *testing.T) {
	got, err := events([]byte(`{"event":1,"start_frame":0,"end_frame":12,"start":0}` + "\n" + `{"frames":40,"events":1}` + "\n"))
	if err != nil || !reflect.DeepEqual(got, []span{{0, 12}}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := events([]byte("oops\n")); err == nil {
		t.Error("no JSON was taken")
	}
}

// TestTotals: rows with a star do not count, nor do rows without labels.
func TestTotals(t *testing.T) {
	r := func(name string, hits, reported int) *row {
		v := result{labelled: true, True: 4, Hits: hits, Reported: reported, Clean: hits}
		return &row{name: name, ours: v, base: v}
	}
	star := r("star", 0, 9)
	star.reported = true
	text := table([]*row{r("a", 4, 4), r("b", 2, 4), star, {name: "bare", clip: true}})
	if !strings.Contains(text, "| **all but \\*** |  | 8 | 0.75 / 0.75 | 0.75 / 0.75 | 6 / 6 |") || !strings.Contains(text, "| star * |") {
		t.Error(text)
	}
}

func TestPut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.md")
	doc := "before\n\n" + beginMark + "\nold\n" + endMark + "\n\nafter\n"
	os.WriteFile(path, []byte(doc), 0o644)
	for range 2 {
		if err := put(path, "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := os.ReadFile(path); string(b) != strings.Replace(doc, "old", "new", 1) {
		t.Errorf("%s", b)
	}
	os.WriteFile(path, []byte("no markers"), 0o644)
	if put(path, "new\n") == nil {
		t.Error("written into a file without markers")
	}
}
