package tui

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// private is a box whose privacy mode is on.
func private(by event.PrivacyBy, since time.Time) *fake {
	f := newFake()
	s := &f.snap.Status
	s.State, s.Privacy = "privacy", event.PrivacyMode{On: true, Since: since, By: by}
	s.Camera = event.Camera{State: event.CameraEnded, Source: "clip:gate.mp4"}
	for i := range s.Triggers {
		s.Triggers[i].State, s.Triggers[i].Until = event.StatePrivacy, time.Time{}
	}
	return f
}

// On is at once, from every page; off asks first.
func TestPrivacyAtOneKey(t *testing.T) {
	for _, page := range []string{"1", "2", "3", "4", "5", "6", "7"} {
		s := open(t, newFake(), 80, 24)
		s.press(page)
		s.run("P")
		if !slices.Contains(s.f.asked(), "privacy true") || s.qu != nil {
			t.Errorf("page %s: %v", page, s.f.asked())
		}
		s.sees("Privacy mode is on: no image is taken, no trigger fires. P switches it off.")
	}
	s := open(t, private(event.ByPerson, noon.Add(-time.Hour)), 80, 24)
	s.run("P")
	s.sees("Privacy mode is on since 19:51 (by a person). Switch it off?")
	s.run("n")
	if len(s.f.asked()) != 0 {
		t.Error(s.f.asked())
	}
	s.press("P")
	s.run("y")
	if got := s.f.asked(); !slices.Equal(got, []string{"privacy false"}) || s.say != "Privacy mode is off." {
		t.Error(got, s.say)
	}
}

// In a field P is a letter, and p alone switches nothing.
func TestPrivacyIsNoAccident(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.edit("smtp.username", "")
	s.run("P")
	s.run("esc")
	s.run("p")
	if len(s.f.asked()) != 0 || s.draft.Raw("smtp.username") != "P" || !strings.Contains(s.say, "P, a capital") {
		t.Error(s.f.asked(), s.say)
	}
}

func TestPrivacyFails(t *testing.T) {
	f := newFake()
	f.privacyErr = errors.New("the engine has stopped")
	s := open(t, f, 80, 24)
	s.run("P")
	s.sees("Privacy mode is NOT on: the engine has stopped.")
}

// Since when and by what stands in the header and on the Status page, and each
// trigger gives it as its reason.
func TestPrivacyIsShown(t *testing.T) {
	for _, c := range []struct {
		by     event.PrivacyBy
		at     time.Time
		header string
		line   string
	}{
		{event.ByPerson, noon.Add(-time.Hour), "privacy since 19:51", "since 19:51 (by a person)"},
		{event.BySchedule, noon.AddDate(0, 0, -2), "privacy since 21 Nov 20:51", "since 21 Nov 20:51 (by its schedule)"},
		{event.ByLine, noon.UTC(), "privacy since 20:51", "since 20:51 (by its input line)"},
	} {
		s := open(t, private(c.by, c.at), 80, 24)
		s.sees(c.header, "Privacy on "+c.line, "yard motion privacy", "door external privacy")
		s.press("3")
		s.sees("yard motion privacy", "Privacy mode is on "+c.line)
	}
	p := private(event.BySchedule, noon.Add(-time.Hour))
	p.snap.Status.Privacy.Until = noon.Add(10 * time.Hour)
	open(t, p, 80, 24).sees("Privacy on since 19:51 (by its schedule) until Tue 06:51", "P privacy")
	open(t, p, 100, 24).sees("until Tue 06:51; P switches it off")
	open(t, p, 60, 24).sees("Privacy on until Tue 06:51 (by its schedule)")
	f := newFake()
	f.snap.Status.Privacy = event.PrivacyMode{Overruled: true, Since: noon}
	open(t, f, 80, 24).sees("Privacy off by a person, until its schedule or line is over")
}
