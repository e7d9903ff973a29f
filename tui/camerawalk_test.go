package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// firing is the nth of somebody who walks.
func firing(n uint64, d event.Disposition) event.Firing {
	return event.Firing{Seq: 1000 + n, Trigger: "yard", Source: event.Motion, At: noon.Add(time.Duration(n) * time.Second), Disposition: d}
}

// walks begins a walk test, in which n events start, with a picture where there is one.
func (s *screen) walks(n int) {
	s.press("4", "b")
	if l := &s.cameraPage().live; l.on {
		s.send(viewMsg{l.run, viewOf(1, 30), nil})
	}
	for i := range n {
		s.send(eventsMsg{[]event.Event{{Firing: new(firing(uint64(i), event.Queued))}}})
	}
}

// The bell rings as an event starts, once a second at most, and only in a walk test
// that is not muted.
func TestWalkTestBell(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	now := time.Unix(0, 0)
	s.elapsed = func() time.Time { return now }
	w := &s.cameraPage().walk
	n := uint64(0)
	rings := func(d event.Disposition, source event.Source) bool {
		n++
		f := firing(n, d)
		f.Source = source
		cmd := w.fired(s.app, f)
		if cmd == nil {
			return false
		}
		raw, ok := cmd().(tea.RawMsg)
		return ok && fmt.Sprint(raw.Msg) == "\a"
	}
	check := func(what string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s: rings %v", what, got)
		}
		now = now.Add(2 * time.Second)
	}
	check("no walk test", rings(event.Queued, event.Motion), false)
	s.press("4", "b")
	check("a start", rings(event.Queued, event.Motion), true)
	check("an event goes on", rings(event.Extended, event.Motion), false)
	check("outside its hours", rings(event.Outside, event.Motion), true)
	check("no mail wanted", rings(event.Silent, event.Motion), true)
	check("a contact", rings(event.Queued, event.External), true)
	check("fired by hand", rings(event.Queued, event.Manual), false)
	for i, want := range []bool{true, false, false, true} { // every 400 ms
		if got := rings(event.Queued, event.Motion); got != want {
			t.Errorf("the start %d ms after the first: rings %v", i*400, got)
		}
		now = now.Add(400 * time.Millisecond)
	}
	now = now.Add(time.Minute)
	s.press("m")
	check("muted", rings(event.Queued, event.Motion), false)
	if !strings.Contains(s.text(), "9 events") {
		t.Errorf("what is muted is not counted:\n%s", s.text())
	}
	s.press("m")
	check("not muted any more", rings(event.Queued, event.Motion), true)
	for _, leave := range []string{"b", "esc", "ctrl+g", "1", "tab"} {
		s.press("4", "b")
		if !w.on {
			t.Fatalf("before %s: not on", leave)
		}
		s.press(leave)
		check("left by "+leave, rings(event.Queued, event.Motion), false)
		if w.on || s.cameraPage().live.on {
			t.Errorf("%s: still on", leave)
		}
		s.press("esc")
	}
}

// On a line that is too slow for pictures the levels are shown without one.
func TestWalkTestOnASlowLine(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("4", "b")
	l := &s.cameraPage().live
	if !l.on {
		t.Fatal("no picture is asked for")
	}
	s.send(viewMsg{l.run, viewOf(1, 30), nil})
	if got := s.text(); !strings.Contains(got, "MMM") || !strings.Contains(got, "4.33 of 0.15 %") {
		t.Errorf("on a line that is fast enough:\n%s", got)
	}
	l.still = true
	if got := s.text(); strings.Contains(got, "MMM") || !strings.Contains(got, "0.08 of 0.15 %") && !strings.Contains(got, "0.07 of 0.15 %") {
		t.Errorf("on a slow line:\n%s", got)
	}
	s = open(t, newFake(), 80, 24)
	s.flush = slowFlush
	if s.press("4", "b"); s.cameraPage().live.on {
		t.Error("at 9600 baud a picture is asked for")
	}
	// The level moves with what the engine tells.
	st := s.status
	st.Triggers = append([]event.Trigger(nil), st.Triggers...)
	st.Triggers[0].Level = 0.6
	s.send(eventsMsg{[]event.Event{{Status: &st}}})
	if got := s.text(); !strings.Contains(got, "0.60 of 0.15 %  [########|##]  event") {
		t.Errorf("the level stands still:\n%s", got)
	}
}

// A bell reaches the terminal, and a serial console of 9600 baud has room for the test.
func TestWalkTestBytes(t *testing.T) {
	for _, env := range []string{"TERM=vt100 LANG=C", xterm} {
		f := newFake()
		c := start(t, f, env, 80, 24)
		c.sees("[1 Status]", "armed")
		c.typed("4")
		c.sees("walk test")
		c.typed("b")
		c.sees("end walk test")
		time.Sleep(time.Second)
		c.typed("v") // the picture off
		c.sees("Walk test")
		c.settled()
		c.mu.Lock()
		c.raw.Reset()
		c.mu.Unlock()
		for i := range 8 {
			st := f.snap.Status
			st.Triggers = append([]event.Trigger(nil), st.Triggers...)
			st.Triggers[0].Level = float64(i%4) * 0.07
			f.feed <- event.Event{Status: &st}
			time.Sleep(250 * time.Millisecond)
		}
		f.feed <- event.Event{Firing: new(firing(1, event.Queued))}
		c.sees("1 event")
		n := c.settled()
		c.mu.Lock()
		bells := strings.Count(c.raw.String(), "\a")
		c.mu.Unlock()
		t.Logf("%s: %d bytes in 2 s, %d bells", env, n, bells)
		if bells != 1 {
			t.Errorf("%s: %d bells", env, bells)
		}
		if n > 960 {
			t.Errorf("%s: two seconds of a moving level and a start are %d bytes", env, n)
		}
	}
}
