package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"watchpost/tui/term"
)

// check compares the screen with a golden file and holds it to its size.
func (s *screen) check(name string) {
	s.t.Helper()
	content, cursor := s.frame()
	got := ansi.Strip(content)
	lines := strings.Split(got, "\n")
	if len(lines) > s.h {
		s.t.Errorf("%s: %d lines on %d", name, len(lines), s.h)
	}
	for i, l := range lines {
		if width(l) > s.w {
			s.t.Errorf("%s: line %d is %d columns wide: %q", name, i+1, width(l), l)
		}
		lines[i] = strings.TrimRight(l, " ")
	}
	for i, r := range term.ASCII(content) {
		if r >= 0x7f {
			s.t.Fatalf("%s: byte %d of the ASCII frame is %#x", name, i, r)
		}
	}
	got = strings.Join(lines, "\n") + "\n"
	if cursor != nil {
		got += fmt.Sprintf("cursor %d,%d\n", cursor.X, cursor.Y)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err, " (go test ./tui -update writes it)")
	}
	if got != string(want) {
		s.t.Errorf("%s is not as it was:\n%s\nit was:\n%s", name, got, want)
	}
}

func TestGolden(t *testing.T) {
	for _, st := range states {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {60, 15}} {
			s := open(t, st.make(), size[0], size[1])
			st.do(s)
			s.check(fmt.Sprintf("%s-%dx%d", st.name, size[0], size[1]))
		}
	}
	open(t, newFake(), 40, 10).check("too-small-40x10")
	open(t, newFake(), 59, 24).check("too-small-59x24")
}

// At 80x24 nothing is cut but what a person made too long.
func TestNothingIsCut(t *testing.T) {
	for _, st := range states {
		s := open(t, st.make(), 80, 24)
		st.do(s)
		for _, l := range strings.Split(s.text(), "\n") {
			own := st.name == "mail-errors" && (strings.Contains(l, "Subject") || strings.Contains(l, "Sent as"))
			own = own || strings.Contains(l, "ehlo") // what a server offers; up and down show it
			if strings.Contains(l, "~") && !own {
				t.Errorf("%s: %s", st.name, l)
			}
		}
	}
}

// Every page in every state, at every size down to nothing, keeps to the screen.
func TestNothingSpillsOver(t *testing.T) {
	for _, st := range states {
		for _, size := range [][2]int{{200, 60}, {100, 30}, {79, 24}, {61, 16}, {60, 15}, {30, 8}, {10, 3}, {1, 1}, {0, 0}} {
			s := open(t, st.make(), size[0], size[1])
			st.do(s)
			content, cursor := s.frame()
			lines := strings.Split(content, "\n")
			if len(lines) > max(1, size[1]) {
				t.Errorf("%s at %v: %d lines", st.name, size, len(lines))
			}
			for _, l := range lines {
				if width(l) > size[0] {
					t.Errorf("%s at %v: %d columns: %q", st.name, size, width(l), l)
				}
			}
			if cursor != nil && (cursor.X >= size[0] || cursor.Y >= size[1]) {
				t.Errorf("%s at %v: cursor at %v", st.name, size, *cursor)
			}
		}
	}
}
