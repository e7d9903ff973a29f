package tui

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// However often a trigger fires outside its active time, what was delivered stays.
func TestQuietFiringsFold(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	for i := range uint64(60) {
		at := noon.Add(time.Duration(i) * 20 * time.Second)
		fired := event.Firing{Seq: 100 + i, Trigger: "yard", At: at, Disposition: event.Outside}
		if i%3 == 0 {
			fired.Trigger, fired.Disposition, fired.Reason = "door", event.Silent, event.Privacy
		}
		s.send(eventsMsg{[]event.Event{{Firing: &fired}}})
	}
	rs := s.history.results()
	if len(rs) != 4 { // two that fold, two mails whose firings are forgotten
		t.Fatalf("%+v", rs)
	}
	text := s.text()
	for _, want := range []string{"yard        outside x34    of its active time: no mail", "door        silent x16     privacy mode was on", "yard        delivered 2/2", "yard        held 1/2"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// Firings with a mail fold only where they follow each other and say the same.
func TestResultsFold(t *testing.T) {
	var h history
	for i := range uint64(6) {
		h.firing(event.Firing{Seq: i, Trigger: []string{"a", "a", "b", "a", "a", "a"}[i], At: noon.Add(time.Duration(i)), Disposition: event.Queued})
	}
	h.mail(event.Mail{ID: "m", Kind: event.Alarm, Firings: event.Seqs{{From: 5, To: 5}}, At: noon, Recipients: []event.Recipient{{State: event.Delivered, Reply: "250 ok"}}})
	got := ""
	for _, r := range h.results() {
		got += fmt.Sprintf("%s %s %d, ", r.who, r.what, r.times)
	}
	if want := "a delivered 1, a queued 2, b queued 1, a queued 2, "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A trigger that is not available is refused before anything is asked.
func TestUnavailableIsNotFired(t *testing.T) {
	why := "door cannot be fired: its AND with another source is not carried out by this version."
	s := open(t, unavailable(), 80, 24)
	s.press("3", "down", "f")
	if s.qu != nil || s.say != why {
		t.Error(s.qu, s.say)
	}
	s.press("1", "f")
	if cmd := s.press("2"); cmd != nil || s.say != why {
		t.Error(cmd, s.say)
	}
	s.status.Triggers = s.status.Triggers[:1]
	s.press("f")
	if s.qu != nil || s.say != "yard cannot be fired: the camera is lost." {
		t.Error(s.qu, s.say)
	}
}

// Of several pasted lines a field takes the first and says so; a pasted list is
// one step of undo.
func TestPastedLines(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.edit("smtp.server", "")
	s.send(tea.PasteMsg{Content: "\r\n  mail.example.org\r\nport 587\r\n\r\nuser x\r\n"})
	if got := s.draft.Raw("smtp.server"); got != "mail.example.org" || s.say != "Only the first line was pasted: 2 more lines left out." {
		t.Errorf("%q, %q", got, s.say)
	}
	for _, k := range []string{"ctrl+u", "u"} {
		s = open(t, newFake(), 80, 24)
		s.at = mailAt
		s.mailPage().focusKey(s.app, "mail.destinations.1")
		s.send(tea.PasteMsg{Content: "a@x.example\nb@x.example\nc@x.example"})
		if s.draft.Raw("mail.destinations.3") != "c@x.example" {
			t.Fatal(s.draft.Changes())
		}
		s.press("'x")
		if k == "u" {
			s.press("esc", "u")
		} else {
			s.press("ctrl+u")
		}
		s.press(k)
		if s.unsaved() != 0 || s.say != "What was pasted is taken back." || len(s.mailPage().undo) != 0 {
			t.Errorf("%s: %v, %q, %v", k, s.draft.Changes(), s.say, s.mailPage().undo)
		}
	}
}

// The keys of a list as terminals send them, on the Queue and the Events page.
func TestListKeys(t *testing.T) {
	f := newFake()
	f.mails, f.stored = nil, nil
	for i := range 40 {
		m := f.snap.Mails[1]
		m.ID, m.At = fmt.Sprintf("mail-%02d", i), noon.Add(-time.Duration(i)*time.Minute)
		f.mails = append(f.mails, m)
		f.stored = append(f.stored, event.Stored{ID: fmt.Sprintf("event-%02d", i), Trigger: "yard", Start: m.At, End: m.At.Add(time.Second)})
	}
	c := start(t, f, xterm, 80, 24)
	c.sees("armed")
	for _, page := range []struct{ key, name string }{{"6", "mail"}, {"5", "event"}} {
		c.typed(page.key)
		c.sees(page.name+"-00", "1 of 40")
		for _, end := range []string{"\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"} {
			for _, home := range []string{"\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"} {
				c.typed(end)
				c.sees(page.name+"-39", "40 of 40")
				c.typed(home)
				c.sees(page.name+"-00", "1 of 40")
			}
		}
		c.typed("\x1b[6~")
		c.sees("> 20:3")
		c.typed("\x1b[5~")
		c.sees(page.name+"-00", "1 of 40")
	}
}

// A digest takes the place of what it stands for, a damaged mail goes, and each
// kind has its name.
func TestHistoryOfDigests(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	mail := func(m event.Mail) { s.send(eventsMsg{[]event.Event{{Mail: &m}}}) }
	pending := []event.Recipient{{State: event.Pending, Reply: "450 4.2.0 Greylisted"}}
	s.history = history{}
	for i := range uint64(4) {
		s.history.firing(event.Firing{Seq: i + 1, Trigger: "yard", At: noon.Add(time.Duration(i) * time.Second), Disposition: event.Queued})
		mail(event.Mail{ID: event.AlarmID(i + 1), Kind: event.Alarm, Trigger: "yard", Firings: event.Seqs{{From: i + 1, To: i + 1}}, FiringCount: 1, At: noon, Recipients: pending})
	}
	mail(event.Mail{ID: "d", Kind: event.Digest, Firings: event.Seqs{{From: 1, To: 55}}, FiringCount: 55, At: noon, Recipients: pending,
		Replaces: []string{event.AlarmID(1), event.AlarmID(2), event.AlarmID(3), event.AlarmID(4)}})
	if len(s.history.mails) != 1 {
		t.Errorf("%d mails are remembered", len(s.history.mails))
	}
	for _, want := range []string{"yard queued x4 in the digest of 55 firings", "digest of 55 firings queued 450 4.2.0 Greylisted"} {
		if !strings.Contains(flat(s.text()), want) {
			t.Errorf("%q is not in\n%s", want, s.text())
		}
	}
	mail(event.Mail{ID: "d", Kind: event.Digest, Firings: event.Seqs{{From: 1, To: 55}}, FiringCount: 55, At: noon, Recipients: []event.Recipient{{State: event.Delivered, Reply: "250 ok"}}})
	if want := "yard summarised x4 in the digest of 55 firings"; !strings.Contains(flat(s.text()), want) {
		t.Errorf("%q is not in\n%s", want, s.text())
	}
	s.say = ""
	mail(event.Mail{ID: "d", Kind: event.Digest, FiringCount: 55, Damaged: true})
	if want := "The mail d was found damaged on the disk and set aside; it is composed anew."; len(s.history.mails) != 0 || !strings.Contains(flat(s.text()), want) {
		t.Errorf("%d mails\n%s", len(s.history.mails), s.text())
	}
	for want, m := range map[string]event.Mail{
		"yard":                    {Kind: event.Alarm, Trigger: "yard"},
		"summary of 12 firings":   {Kind: event.Summary, FiringCount: 12},
		"digest of 1 firing":      {Kind: event.Digest, FiringCount: 1},
		"digest of 1234k firings": {Kind: event.Digest, FiringCount: 1_234_567},
		"camera lost":             {Kind: event.State, Subject: "CameraNotification - camera lost:20261123205107512"},
		"back after a power cut":  {Kind: event.State, Subject: "Gate - yard - back after a power cut:20261123205107512"},
		"disk low":                {Kind: event.State, Subject: "disk low:20261123205107512"},
		"state mail":              {Kind: event.State},
		"test mail":               {Kind: event.Test},
	} {
		if got := mailName(m); got != want {
			t.Errorf("%+v: %q, want %q", m, got, want)
		}
	}
}

// A test mail that is watched and whose file is damaged is not waited for.
func TestDamagedTestMail(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("2", "t")
	m := event.Mail{ID: "test-1", Kind: event.Test, Recipients: []event.Recipient{{State: event.Pending}}}
	s.send(testMsg{mail: m})
	m.Damaged = true
	s.send(eventsMsg{[]event.Event{{Mail: &m}}})
	if w := s.mailPage().walk; !w.over || w.ok || !strings.Contains(flat(s.text()), "found damaged on the disk and set aside: t sends another one") {
		t.Error(s.text())
	}
}

// Where the firings went, with those that were summarised and are held; why a
// trigger is stuck.
func TestAccountIsWhole(t *testing.T) {
	s := open(t, stuck(), 80, 24)
	if text := flat(s.text()); !strings.Contains(text, "yard motion armed 0.07/0.15 #.. 140 131 1 7 1") || !strings.Contains(text, "stuck 3 3 0 0 0 its source has said active") {
		t.Error(s.text())
	}
	s.press("3")
	if want := "fired 140 = mailed 11 + summarised 120 + queued 1 + held 7 + outside 1"; !strings.Contains(flat(s.text()), want) || strings.Contains(s.text(), "does not add up") {
		t.Error(s.text())
	}
	s.press("down")
	if want := "stuck: its source has said active for 42 minutes without an end"; !strings.Contains(s.text(), want) {
		t.Error(s.text())
	}
}

// What a timer fires is as it should be: one line, with the newest event and what
// became of its images.
func TestTimerResults(t *testing.T) {
	var h history
	for i := range 3 {
		h.firing(event.Firing{Seq: uint64(i + 1), Trigger: "hourly", Source: event.Timer, At: noon.Add(time.Duration(i) * time.Hour),
			Disposition: event.Silent, Reason: event.TimerOff, EventID: "0000000" + strconv.Itoa(i+1) + "-20261123T200000"})
	}
	if rs := h.results(); len(rs) != 1 || rs[0].times != 3 || rs[0].what != "event" || rs[0].words != "00000003-20261123T200000: 5 Events shows its images" {
		t.Errorf("%+v", rs)
	}
	h.mail(event.Mail{ID: "00000003-transfer", Kind: event.Transfer, Event: "00000003-20261123T200000", Subject: "12 images", At: noon,
		Recipients: []event.Recipient{{Address: "nas", State: event.Delivered}}})
	if rs := h.results(); rs[0].words != "00000003-20261123T200000: 12 images to nas, delivered" {
		t.Errorf("%+v", rs[0])
	}
}

// Without a mail server nothing is being sent.
func TestQueueWithoutAServer(t *testing.T) {
	f := newFake()
	f.snap.Status.Queue = event.Queue{Queued: 2}
	open(t, f, 80, 24).sees("Queue sending 2 queued")
	f.settings.Config.SMTP.Server = ""
	open(t, f, 80, 24).sees("Queue waiting 2 queued")
}
