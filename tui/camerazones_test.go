package tui

import (
	"strings"
	"testing"

	"watchpost/engine/config"
)

// zoning opens the zones of the first motion trigger, a picture under them.
func (s *screen) zoning() {
	s.press("4", "z")
	s.send(viewMsg{s.cameraPage().live.run, viewOf(1, -1), nil})
	s.text() // how large a cell is
}

func (s *screen) yard() config.Trigger { return s.app.drafted().Triggers[0] }

// Zones drawn are those that the trigger's form has, and are saved by the same way.
func TestZonesAreDrawn(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.zoning()
	if got := s.yard().Zones; len(got) != 1 || got[0] != (config.Zone{X: 0, Y: 0, W: 100, H: 100}) {
		t.Fatalf("begins with %v", got)
	}
	is := func(want string) {
		t.Helper()
		d := s.draft
		if got := d.Raw("triggers.yard.zones") + " / " + d.Raw("triggers.yard.exclude"); got != want {
			t.Errorf("%s, want %s\n%s", got, want, s.text())
		}
		if v := d.Verdict("triggers.yard.zones"); v.Blocks() {
			t.Errorf("%s: %v", want, v)
		}
		if v := d.Verdict("triggers.yard.exclude"); v.Blocks() {
			t.Errorf("%s: %v", want, v)
		}
	}
	s.press("H", "H", "K") // the lower right corner
	is("0, 0, 98, 99 / ")
	s.press("space", "L", "J", "J")
	is("1, 2, 97, 97 / ")
	s.press("left", "left") // no further than the picture
	is("0, 2, 98, 97 / ")
	s.press("a")
	is("0, 2, 98, 97; 35, 35, 30, 30 / ")
	s.press("i", "L")
	is("0, 2, 98, 97 / 35, 35, 31, 30")
	s.press("i")
	is("0, 2, 98, 97; 35, 35, 31, 30 / ")
	s.press("i", "tab", "i")
	is("0, 2, 98, 97 / 35, 35, 31, 30")
	if !strings.Contains(s.text(), "must stay") {
		t.Errorf("the last zone may go:\n%s", s.text())
	}
	s.press("x")
	is("0, 2, 98, 97 / 35, 35, 31, 30")
	s.press("tab", "x")
	is("0, 2, 98, 97 / ")
	s.press("u")
	is("0, 2, 98, 97 / 35, 35, 31, 30")
	for range 20 {
		s.press("u")
	}
	is("0, 0, 100, 100 / ")
	if s.unsaved() != 0 {
		t.Errorf("%d changes are left of nothing", s.unsaved())
	}
	s.press("H", "esc")
	if s.cameraPage().zones != nil || s.cameraPage().live.on || !strings.Contains(s.text(), "w saves") {
		t.Errorf("after Esc:\n%s", s.text())
	}
	cmd := s.press("w")
	if cmd == nil {
		t.Fatal("w saves nothing")
	}
	if m, ok := cmd().(appliedMsg); !ok || m.err != nil || m.settings.Config.Triggers[0].Zones[0] != (config.Zone{W: 99, H: 100}) {
		t.Errorf("saved: %+v", m)
	}
	// On the Triggers page it is one step of undo.
	s = open(t, newFake(), 80, 24)
	s.zoning()
	s.press("H", "H", "H", "3", "u")
	if s.unsaved() != 0 {
		t.Errorf("%d changes after undo", s.unsaved())
	}
}

// However a corner is moved, the zones can be saved.
func TestZonesStayValid(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.zoning()
	names := []string{"left", "right", "up", "down", "H", "J", "K", "L", "h", "j", "k", "l", "space", "tab", "shift+tab", "a", "i", "x", "u", "n", "v"}
	x := uint32(1)
	for i := range 3000 {
		x = x*1664525 + 1013904223
		n := names[int(x>>16)%len(names)]
		for range 1 + x>>28 {
			s.press(n)
		}
		if i%50 == 0 {
			s.text()
		}
		if s.cameraPage().zones == nil {
			t.Fatalf("step %d, %s: closed", i, n)
		}
		if f, ok := s.draft.Blocking(); ok {
			t.Fatalf("step %d, %s: %+v", i, n, f)
		}
		for _, z := range append(s.yard().Zones, s.yard().Exclude...) {
			if z.X < 0 || z.Y < 0 || z.W < 1 || z.H < 1 || z.X+z.W > 100.001 || z.Y+z.H > 100.001 {
				t.Fatalf("step %d, %s: %+v", i, n, z)
			}
		}
	}
}

func TestZonesEdges(t *testing.T) {
	f := newFake()
	f.settings.Config.Triggers = f.settings.Config.Triggers[1:]
	s := open(t, f, 80, 24)
	if s.press("4", "z"); s.cameraPage().zones != nil || !strings.Contains(s.text(), "No trigger watches for motion") {
		t.Errorf("without a motion trigger:\n%s", s.text())
	}
	s = open(t, newFake(), 80, 24)
	s.draft.Set("triggers.yard.zones", "1, 2")
	if s.press("4", "z"); s.cameraPage().zones != nil || !strings.Contains(s.text(), "typed wrongly") {
		t.Errorf("with half a zone:\n%s", s.text())
	}
	s = open(t, newFake(), 80, 24)
	s.rights.Operator = true
	if s.press("4", "z"); s.cameraPage().zones != nil {
		t.Error("an operator draws zones")
	}
	// The trigger is deleted elsewhere.
	s = open(t, newFake(), 80, 24)
	s.zoning()
	next := s.settings
	next.Config.Triggers, next.Revision = next.Config.Triggers[1:], "r2"
	s.send(configMsg{settings: next})
	s.text()
	if s.press("left"); s.cameraPage().zones != nil {
		t.Error("the zones of a trigger that is gone are drawn")
	}
	// What was seen before is not shown in privacy mode.
	s = open(t, newFake(), 80, 24)
	s.zoning()
	s.status.Privacy.On = true
	if got := s.text(); strings.Contains(got, "=-") || !strings.Contains(got, "....") {
		t.Errorf("in privacy mode:\n%s", got)
	}
	// Two triggers: n goes on to the other one.
	f = newFake()
	f.settings.Config.Triggers = append(f.settings.Config.Triggers, f.settings.Config.Triggers[0])
	f.settings.Config.Triggers[2].Name = "gate"
	s = open(t, f, 80, 24)
	s.zoning()
	s.press("n", "H")
	if got := s.draft.Raw("triggers.gate.zones"); got != "0, 0, 99, 100" || s.draft.Changed("triggers.yard.zones") {
		t.Errorf("gate has %s", got)
	}
}

// A corner's move is a few cells on the line.
func TestZonesBytes(t *testing.T) {
	for env, most := range map[string]int64{"TERM=vt100 LANG=C": 500, xterm: 1500} {
		c := start(t, newFake(), env, 80, 24)
		c.f.view = nil
		c.sees("[1 Status]", "armed")
		c.typed("4")
		c.sees("walk test")
		c.typed("z")
		c.sees("zone 1 of 1")
		c.typed("H")
		c.sees("unsaved")
		c.typed("hhhhkkkk")
		c.settled()
		c.typed("h")
		n := c.settled()
		c.typed("H")
		m := c.settled()
		t.Logf("%s: a cell %d bytes, one percent %d", env, n, m)
		if n > most || n < 10 {
			t.Errorf("%s: a move of a corner is %d bytes", env, n)
		}
	}
}
