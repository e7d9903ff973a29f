package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// saves presses Enter and runs the export, but not the clock beside it.
func (s *screen) saves() {
	s.t.Helper()
	batch, ok := s.press("enter")().(tea.BatchMsg)
	if !ok {
		s.t.Fatalf("nothing was started: %s", s.say)
	}
	s.send(batch[1]())
}

func TestEventIsExported(t *testing.T) {
	f := newFake()
	id := f.stored[1].ID
	f.saved = Saved{Path: "/home/gate/x.zip", Events: 1, Images: 25, Bytes: 921_000}
	s := open(t, f, 80, 24)
	s.run("5")
	s.press("down", "e")
	s.sees("Save as "+id+".zip", "25 images (920 kB) as a zip in /home/gate.")
	s.press("tab")
	s.sees(id+".tar", "as a tar in /home/gate. Tab makes it a zip")
	for _, c := range []struct{ name, turned string }{{"x", "x.zip"}, {"x.", "x.zip"}, {".zip", ".zip.zip"}, {"a.zip/", "a.zip/.zip"}, {"", ".zip"}} {
		s.press("ctrl+k", "'"+c.name)
		if mark, _ := s.eventsPage().export.verdict("/"); mark != "!" {
			t.Errorf("%q is a name", c.name)
		}
		if s.press("enter"); !strings.Contains(s.say, "The name ends in .zip or .tar") || s.eventsPage().export.running() {
			t.Errorf("%q: %s", c.name, s.say)
		}
		s.press("tab")
		if got := s.eventsPage().export.to.String(); got != c.turned {
			t.Errorf("%q became %q, want %q", c.name, got, c.turned)
		}
	}
	s.press("ctrl+k")
	s.send(tea.PasteMsg{Content: "/media/stick/x.ZIP\n"})
	if text := s.text(); strings.Contains(text, " in /home/gate") {
		t.Error(text)
	}
	s.saves()
	s.sees("Saved 25 images, 921 kB: /home/gate/x.zip")
	if got := f.asked(); !slices.Equal(got, []string{"export " + id + " to /media/stick/x.ZIP"}) {
		t.Error(got)
	}
	s.press("up")
	if strings.Contains(s.text(), "Saved 25") {
		t.Error("it stands for ever")
	}
	s.press("e", "esc")
	if s.focusedEditor() != nil || len(f.asked()) != 1 {
		t.Error("Esc left the line open")
	}
}

// What could not be saved under a name can be saved under another one at once.
func TestExportFails(t *testing.T) {
	f := newFake()
	f.saveErr = fmt.Errorf("/home/gate/x.zip exists already; choose another name")
	s := open(t, f, 80, 24)
	s.run("5")
	s.run("enter")
	s.press("e")
	s.saves()
	s.sees("Nothing was exported: /home/gate/x.zip exists already; choose another name.", "Save as 20261123T205007-yard.zip")
	s.press("home") // it stands as long as the name
	s.sees("exists already")
	s.press("delete")
	s.sees("12 images (441 kB) so far as a zip")
	s.press("esc")
	s.press("e")
	was := s.eventsPage().export
	cmd := s.press("enter")().(tea.BatchMsg)[1]
	s.press("2") // it goes on
	s.send(cmd())
	s.sees("Nothing was exported: /home/gate/x.zip exists already")
	if s.eventsPage().export != nil || s.send(exportTickMsg{was}) != nil {
		t.Error("it goes on")
	}
}

func TestExportIsGivenUp(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	s.files.Save = func(ctx context.Context, x Export) (Saved, error) {
		x.Wrote(340_000)
		<-ctx.Done()
		return Saved{}, ctx.Err()
	}
	s.run("5")
	s.press("down", "e")
	cmd := s.press("enter")().(tea.BatchMsg)[1]
	ended := make(chan tea.Msg)
	go func() { ended <- cmd() }()
	x := s.eventsPage().export
	for x.wrote.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.send(exportTickMsg{x})
	s.sees("340 kB of about 920 kB. Esc gives it up.", "esc give up the export")
	s.press("e")
	s.sees("An export is under way; Esc gives it up.")
	s.press("q")
	s.sees("The export is given up then. Stop Watchpost?")
	s.press("n", "esc")
	s.send(<-ended)
	s.sees("The export was given up; nothing of it was left.")
}

// All that the filter shows are exported, not only the page; their number is said first.
func TestAllShownAreExported(t *testing.T) {
	f := full(150)
	f.kept = event.Kept{Events: 150, Images: 1500, Bytes: 55e6, Waiting: 3}
	f.saved = Saved{Path: "/home/gate/e.zip", Events: 150, Images: 1500, Bytes: 56e6, Left: "Some of it was removed meanwhile and is not in it."}
	s := open(t, f, 80, 24)
	s.run("5")
	s.press("f", "right", "tab", "'2026-11-18")
	s.run("enter")
	s.run("E")
	s.sees("Save as events-20261123T205107.zip", "150 events with 1500 images (55.0 MB) as a zip in /home/gate.")
	if x := s.eventsPage().export.x; x.ID != "" || x.Filter.Trigger != "yard" || x.Filter.From.IsZero() || x.Filter.N != exportMost {
		t.Errorf("%+v", x)
	}
	s.saves()
	s.sees("Saved 150 events, 1500 images, 56.0 MB: /home/gate/e.zip. Some of it was removed")
	f.kept = event.Kept{Events: 9000, Images: 60_000, Bytes: 2e9}
	s.run("E")
	s.sees(".tar ok", "as a tar")
	s.press("tab")
	s.sees("69000 files are too many for a zip, which holds 65535: Tab makes it a tar.")
	s.press("esc")
	f.kept.Events = exportMost + 1
	s.run("E")
	s.sees("10001 events: 10000 at most are exported here.", "watchpost events export --trigger yard --from 2026-11-18 events.tar")
	f.kept.Events = 0
	s.run("E")
	s.sees("There is no such event any more.")
	f.kept.Events = 5
	late := s.press("E")
	s.run("esc") // another filter by then
	s.send(late())
	if s.eventsPage().export != nil {
		t.Error("what was counted for another filter is exported")
	}
}

func TestFlagsOfFilter(t *testing.T) {
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, berlin())
	for want, f := range map[string]eventFilter{
		" --to 2026-11-23": {},
		` --trigger 'the gard'\''ner' --to 2026-11-20`: {trigger: "the gard'ner", to: day},
		" --from 2026-11-20":                           {from: day},
	} {
		if got := f.flags(noon); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Where no file may be written the commands are named that do it.
func TestExportElsewhere(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.files = nil
	s.run("5")
	s.press("down", "e")
	s.sees("On the box: watchpost events export 20261123T204107-yard. The files lie in /var/lib/watchpost/20261123T204107-yard")
	s.press("E")
	s.sees("On the box: watchpost events export --to 2026-11-23 events.tar")
	if s.focusedEditor() != nil {
		t.Error("a line is open")
	}
}

// The event that is shown is followed to its end with its transfer, also where the
// list has gone on without it.
func TestShownEventIsFollowed(t *testing.T) {
	f := newFake()
	f.stored[0].Transfer = "nas"
	job := event.Mail{ID: "00000003-transfer", Kind: event.Transfer, Event: f.stored[0].ID, Subject: "12 of 12 images",
		Recipients: []event.Recipient{{Address: "nas", State: event.Pending}}}
	f.mails = []event.Mail{job}
	s := open(t, f, 80, 24)
	now := noon
	s.now = func() time.Time { return now }
	s.run("5")
	s.run("enter")
	s.sees("still going on", "12 images", "12 of 12 images")
	s.eventsPage().events = nil
	f.stored[0].Images = images(noon.Add(-time.Minute), 20)
	job.Subject = "15 of 20 images"
	f.mails = []event.Mail{job}
	s.carry(s.eventsPage().follow(s.app))
	s.sees("12 of 12 images")
	now = now.Add(followEvery)
	s.eventsPage().events = nil
	s.carry(s.eventsPage().follow(s.app))
	s.sees("20 images, 736 kB", "15 of 20 images")
	f.stored[0].End = noon
	now = now.Add(followEvery)
	s.carry(s.eventsPage().follow(s.app))
	s.sees("(60.0 s)")
	now = now.Add(followEvery)
	if s.eventsPage().follow(s.app) != nil {
		t.Error("asked although it is over")
	}
}

// Before events are removed it is said how many of them wait for a transfer.
func TestRemovingTellsOfTransfers(t *testing.T) {
	f := newFake()
	f.kept = event.Kept{Events: 12, Images: 240, Bytes: 34_512_000, Waiting: 2}
	s := open(t, f, 80, 24)
	s.run("5")
	s.run("X")
	s.sees("Remove all events, 12 events with 240 images (34.5 MB; 2 events wait for a transfer)? That cannot be taken back.")
	s.press("n", "down")
	s.run("x")
	s.sees("Remove this event with its 25 images (920 kB)? It waits for a transfer, which does not get it then. That cannot be taken back.")
	s.press("n")
	late := s.press("x")
	s.press("up")
	s.send(late())
	if s.qu != nil {
		t.Error("it asks about an event that is no longer selected")
	}
}
