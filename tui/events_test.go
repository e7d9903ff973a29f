package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// full is a box with n events, one each hour, of yard and of a trigger that is gone.
func full(n int) *fake {
	f := newFake()
	f.stored = nil
	for i := range n {
		at := noon.Add(-time.Duration(i+1) * time.Hour)
		e := event.Stored{ID: fmt.Sprintf("%08d", n-i), Trigger: "yard", Source: event.Motion, Start: at, End: at.Add(12 * time.Second), Firings: 1, Images: images(at, 10)}
		if i%10 == 9 {
			e.Trigger = "old gate"
		}
		f.stored = append(f.stored, e)
	}
	return f
}

// asking counts what a page of events costs.
type asking struct {
	*fake
	most int
}

func (a *asking) Events(ctx context.Context, x event.Filter) ([]event.Stored, error) {
	a.most = max(a.most, x.N)
	if x.N == 0 {
		a.most = len(a.stored)
	}
	return a.fake.Events(ctx, x)
}

// However many events there are, a page is asked for and held at a time.
func TestEventsComeInPages(t *testing.T) {
	f := &asking{fake: full(250)}
	s := open(t, f.fake, 80, 24)
	s.b = f
	s.run("5")
	s.sees("1 of 100+", "> 19:51:07")
	s.press("end")
	s.run("down")
	s.sees("101 of 200+", "00000150")
	if p := s.eventsPage(); len(p.events) != 100 || p.sel != 0 {
		t.Error(len(p.events), p.sel)
	}
	s.press("end")
	s.run("down")
	s.sees("201 of 250")
	s.press("end")
	if cmd := s.press("down"); cmd != nil || s.eventsPage().sel != 0 {
		t.Error("there is a page behind the last")
	}
	s.run("up")
	s.sees("200 of 200+", "00000051")
	s.run("home")
	s.run("home")
	s.sees("1 of 100+")
	if f.most > storedPage+1 {
		t.Errorf("%d events were asked for at once", f.most)
	}
}

// A new event moves no other from under the hand, and a late answer for a page
// that was left changes nothing.
func TestEventsStayChosen(t *testing.T) {
	f := full(150)
	s := open(t, f, 80, 24)
	s.run("5")
	s.press("down", "down")
	was, _ := s.eventsPage().selected()
	f.stored = slices.Insert(f.stored, 0, event.Stored{ID: "00000151", Trigger: "yard", Start: noon, Firings: 1})
	s.carry(s.eventsPage().refresh(s.app))
	if now, _ := s.eventsPage().selected(); now.ID != was.ID || s.eventsPage().sel != 3 {
		t.Errorf("%s at %d, was %s", now.ID, s.eventsPage().sel, was.ID)
	}
	late := s.eventsPage().refresh(s.app)
	s.press("end")
	s.run("down")
	first := s.eventsPage().events[0].ID
	s.carry(late)
	if s.eventsPage().events[0].ID != first {
		t.Error("a late answer changed the page")
	}
}

func TestEventsAreFiltered(t *testing.T) {
	f := full(150)
	s := open(t, f, 80, 24)
	s.run("5")
	s.press("f", "'ol", "tab", "'2026-11-2", "enter")
	s.sees("A day is 2026-11-23, 11-23, today or yesterday.")
	if !s.eventsPage().filter.editing() {
		t.Fatal("half a day was taken")
	}
	s.press("'1", "tab", "'yesterday")
	s.sees("Trigger old gate", "2026-11-21 ok", "yesterday ok", "Sunday 22 November 2026. The day counts whole.")
	s.run("enter")
	s.sees("Only old gate, from 2026-11-21 to 2026-11-22.")
	zone := berlin()
	for _, e := range s.eventsPage().events {
		if d := e.Start.In(zone).Day(); e.Trigger != "old gate" || d != 21 && d != 22 {
			t.Errorf("%s at %v", e.Trigger, e.Start)
		}
	}
	if n := len(s.eventsPage().events); n != 4 {
		t.Errorf("%d events", n)
	}
	s.press("f", "tab", "ctrl+k", "'today", "enter")
	s.sees("The last day is before the first one.")
	s.press("esc", "2") // what was not shown is forgotten
	s.run("5")
	s.sees("Only old gate, from 2026-11-21 to 2026-11-22.")
	s.run("esc")
	if s.eventsPage().filter.set() || len(s.eventsPage().events) != storedPage {
		t.Error(s.text())
	}
}

func TestParseDay(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2026-11-20", "2026-11-20"}, {"11-20", "2026-11-20"}, {"11-24", "2025-11-24"}, {"02-29", "2024-02-29"}, {" Today ", "2026-11-23"}, {"yesterday", "2026-11-22"},
		{"2026-1", ".."}, {"11", ".."}, {"to", ".."}, {"", ""}, {"2026-02-30", "!"}, {"13-01-", ".."}, {"monday", "!"},
	} {
		day, begun, ok := parseDay(c.in, noon)
		got := "!"
		switch {
		case ok && day.IsZero():
			got = ""
		case ok:
			got = day.Format(dayForm)
		case begun:
			got = ".."
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
}

// What became of an event's mail and transfer stands with it, and follows.
func TestEventInFull(t *testing.T) {
	f := newFake()
	f.stored[1].Missing = []string{"2 images from before the trigger: the camera had just started"}
	f.stored[1].Transfer = "nas"
	f.snap.Firings[1].EventID = f.stored[1].ID // told in a mail that does not name the event
	f.mails = append(f.mails, event.Mail{ID: "00000002-transfer", Kind: event.Transfer, Event: f.stored[1].ID, Subject: "12 of 25 images",
		Recipients: []event.Recipient{{Address: "nas", State: event.Pending, Reply: "226 Transfer complete"}}})
	s := open(t, f, 80, 24)
	s.run("5")
	s.press("down")
	s.run("enter")
	s.sees("yard, motion", "23 Nov 2026 20:41:07.512 to 20:41:21.712 (14.2 s)", "1 firing, peak 0.90 % of the zone", "25 images, 920 kB",
		"! missing 2 images from before the trigger: the camera had just started", "held 1/2: 550 5.1.1", "nas: queued, 12 of 25 images: 226 Transfer complete",
		"watchpost events export 20261123T204107-yard", "/var/lib/watchpost/20261123T204107-yard")
	m := f.mails[2]
	m.Recipients = []event.Recipient{{Address: "nas", State: event.Delivered, Reply: "226 Transfer complete"}}
	s.send(eventsMsg{[]event.Event{{Mail: &m}}})
	s.sees("nas: delivered: 226 Transfer complete")
	s.press("end")
	s.sees("0025-20261123T204117")
	s.press("esc")
	s.sees("> 20:41:07")
}

// One event is removed by its id, after its images were said: its times may have been
// corrected since it was listed, and what is damaged has none of its own.
func TestEventIsRemoved(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	s.run("5")
	s.press("x")
	if s.qu != nil || !strings.Contains(s.say, "is going on") {
		t.Error(s.say)
	}
	s.press("down")
	s.run("x")
	s.sees("Remove this event with its 25 images (920 kB)? That cannot be taken back.")
	s.run("n")
	if len(f.asked()) != 0 {
		t.Error(f.asked())
	}
	f.kept.Events = 1
	s.run("x")
	s.run("y")
	if got := f.asked(); !slices.Equal(got, []string{"remove " + f.stored[1].ID}) || s.say != "1 event removed." {
		t.Error(got, s.say)
	}
}

func TestAllShownAreRemoved(t *testing.T) {
	f := full(150)
	f.kept = event.Kept{Events: 150, Images: 1500, Bytes: 55e6}
	s := open(t, f, 80, 24)
	s.run("5")
	s.run("X")
	s.sees("Remove all events, 150 events with 1500 images (55.0 MB)?", "y remove 150 events")
	s.press("n", "f", "tab", "'2026-11-18")
	s.run("enter")
	s.run("X")
	s.sees("Remove all of from 2026-11-18, 150 events with 1500 images")
	s.run("y")
	if !slices.Contains(f.asked(), "remove ") {
		t.Error(f.asked())
	}
}

func TestEventsCannotBeRead(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("5")
	s.send(storedMsg{err: errors.New("events: the folder was removed")})
	s.sees("The events could not be read: events: the folder was removed.")
}

// An event that goes on is followed to its end, but not at every change of the status.
func TestRunningEventIsFollowed(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	now := noon
	s.now = func() time.Time { return now }
	s.run("5")
	s.sees("> 20:50:07 yard running")
	f.stored[0].End = noon
	if cmd := s.setStatus(f.snap.Status); s.eventsPage().follow(s.app) != nil {
		t.Error("asked at once", cmd)
	}
	now = now.Add(followEvery)
	s.carry(s.eventsPage().follow(s.app))
	s.sees("> 20:50:07 yard 60.0 s")
	now = now.Add(followEvery)
	if s.eventsPage().follow(s.app) != nil {
		t.Error("asked although none goes on")
	}
}
