package tui

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

const shownKey = "SHA256:fcpWxhka4soCcJMA1Hp5bagkqi4xJB87KxDMN3nHYK4"

// unknownKey is how a trial ends whose host key is not set.
var unknownKey = event.Step{Step: "hostkey", Target: "nas.example.net:22", MS: 21, Text: "ssh-ed25519 " + shownKey,
	Verdict: "The server's host key is not known yet. The server shows: ssh-ed25519 " + shownKey,
	Do:      "Compare it on the server itself (ssh-keygen -lf on its /etc/ssh/ssh_host_*_key.pub); if one is the same, enter it as the host key."}

// trialSteps are what the trial of a real SFTP server told, under other names.
func trialSteps() []event.Step {
	const at, name = "nas.example.net:22", "watchpost-test-6347.txt"
	return []event.Step{
		{Step: "lookup", Target: "nas.example.net", OK: true, MS: 3.1, Text: "[192.0.2.40]", Verdict: "1 address"},
		{Step: "tcp", Target: "192.0.2.40:22", OK: true, MS: 1.2, Verdict: "connected"},
		{Step: "hostkey", Target: at, OK: true, MS: 21.5, Text: "ssh-ed25519 " + shownKey, Verdict: "the host key is the one that is set"},
		{Step: "login", Target: "gate3", OK: true, MS: 40.2, Verdict: "user name and password accepted"},
		{Step: "sftp", Target: at, OK: true, MS: 8.8, Verdict: "the server offers SFTP"},
		{Step: "folder", Target: "watchpost-test-6347", OK: true, MS: 2.2, Verdict: "the folder was made"},
		{Step: "send", Target: name, OK: true, MS: 4.9, Text: "all 15 bytes are there", Verdict: "written under a temporary name"},
		{Step: "rename", Target: name, OK: true, MS: 1.1, Verdict: "under its name"},
		{Step: "remove", Target: name, OK: true, MS: 2.3, Verdict: "taken away again: nothing is left there"},
	}
}

// withWaiting is a box with a transfer for which events wait.
func withWaiting() *fake {
	f := withTransfers()
	f.snap.Status.Places = []event.Place{
		{Name: "nas", Waiting: 3, Held: 1, Since: noon.Add(-70 * time.Minute), Last: noon.Add(-time.Minute), NextTry: noon.Add(4 * time.Minute),
			Problem: "Nothing listens on this port of the server (connection refused): nas.example.net:22. Check server and port, and that the service runs there."},
		{Name: "cloud", Last: noon.Add(-25 * time.Hour), OK: true},
	}
	return f
}

// trial has the trial of the first transfer told.
func (s *screen) trial(steps []event.Step, ok bool) {
	s.press("3", "down", "down", "d")
	for _, st := range steps {
		s.send(stepMsg{s.runs, st})
	}
	s.send(diagnosedMsg{run: s.runs, ok: ok})
}

// follow runs a diagnosis and gives its messages.
func (s *screen) follow(cmd tea.Cmd) iter.Seq[tea.Msg] {
	return func(yield func(tea.Msg) bool) {
		batch := cmd().(tea.BatchMsg)
		go batch[0]()
		for {
			msg := batch[1]()
			if _, last := msg.(diagnosedMsg); !yield(msg) || last {
				return
			}
		}
	}
}

// d on a transfer tries it with what is typed for it and for nothing else, in the
// list, in its form and in a field; on a trigger it is the mail's diagnosis.
func TestTrialKeys(t *testing.T) {
	s := open(t, withTransfers(), 80, 24)
	s.press("3", "down", "down")
	s.press("d")
	s.sees("Trial of nas: a small test file goes there and is removed", "esc cancel")
	if s.at != triggersAt || s.mailPage().walk != nil {
		t.Error("it is the mail's")
	}
	s.press("esc")
	s.send(diagnosedMsg{run: s.runs, err: context.Canceled})
	s.sees("cancelled")
	s.press("esc")
	s.sees("Transfer Kind To")
	s.field("transfers.nas.server")
	s.press("'.test")
	s.press("ctrl+d")
	s.sees("Trial of nas, as typed")
	s.press("esc")
	s.send(diagnosedMsg{run: s.runs, err: context.Canceled})
	s.press("esc")
	if s.triggersPage().edit == nil || s.draft.Raw("transfers.nas.server") != "nas.example.net.test" {
		t.Error("the form, or what was typed, is gone")
	}
	s.press("esc", "home")
	s.press("d")
	if s.at != mailAt {
		t.Errorf("on a trigger it is not the mail's\n%s", s.text())
	}
	// A second key press in the trial acts on nothing that is not in view.
	s = open(t, withTransfers(), 80, 24)
	s.trial(trialSteps(), true)
	s.sees("Images would arrive there.", "ok remove")
	s.press("x")
	if s.qu != nil {
		t.Error("deleted out of view")
	}
	s.sees("Esc closes the trial first.")
}

// What the engine is asked: the draft of the transfer, and of the mail where it goes by that.
func TestTrialAsksWithTheDraft(t *testing.T) {
	f := withTransfers()
	f.settings.Config, f.secrets, _ = config.PatchFor(f.settings.Config, f.secrets, []config.Change{
		{Key: "transfers", Value: "[{name: nas, kind: sftp, server: nas.example.net, username: gate3}, {name: post, kind: email}]"}})
	for name, want := range map[string]string{"nas": "transfer nas 1", "post": "transfer post 1"} {
		s := open(t, f, 80, 24)
		s.draft.Set("transfers.nas.server", "other.example.net")
		s.draft.Set("smtp.port", "465")
		s.draft.Set("triggers.yard.threshold", "9")
		s.press("3")
		s.triggersPage().selectItem(s.app, transfersKey, name)
		cmd := s.triggersPage().diagnose(s.app, name)
		for msg := range s.follow(cmd) {
			s.send(msg)
		}
		if all := f.asked(); !slices.Contains(all, want) || !s.triggersPage().walk.ok {
			t.Errorf("%s: asked %q", name, all)
		}
	}
	// A field of the transfer that is wrong is gone to; one of a trigger is in no way.
	s := open(t, withTransfers(), 80, 24)
	s.draft.Set("transfers.nas.port", "70000")
	s.press("3", "down", "down", "d")
	s.sees("Not diagnosed: Port", ">*Port")
}

// The host key that a trial shows is taken into the draft by one key, and saved by
// nothing but a save; the same goes for a pin, of the server's own certificate.
func TestTrialOffersTheKey(t *testing.T) {
	f := withTransfers()
	s := open(t, f, 80, 24)
	s.trial([]event.Step{trialSteps()[0], trialSteps()[1], unknownKey}, false)
	s.sees("not known yet", shownKey, "enter go to the field")
	s.press("enter")
	s.sees("> Host key", "^f: the one found", "compare it with the server's own")
	s.press("ctrl+f")
	if got := s.draft.Raw("transfers.nas.host_key"); got != shownKey {
		t.Errorf("the draft has %q", got)
	}
	if f.settings.Config.Transfers[0].HostKey != "" || strings.Contains(strings.Join(f.asked(), " "), "apply") {
		t.Error("it was saved")
	}
	s = open(t, f, 80, 24)
	s.press("3", "down", "down", "down", "d")
	own, ca := goodSteps()[3], goodSteps()[4]
	s.send(stepMsg{s.runs, own})
	s.send(stepMsg{s.runs, ca})
	s.send(stepMsg{s.runs, badCertificate})
	s.send(diagnosedMsg{run: s.runs})
	s.press("enter", "ctrl+f")
	if got := s.draft.Raw("transfers.cloud.pin"); got != "a/7YqyYP4EeYMeE2+DnTa61t6xftceR2PG563n4407s=" {
		t.Errorf("the pin is %q", got)
	}
}

// The list tells where each transfer goes and how it does; deleting one says what
// becomes of what waits for it.
func TestTransferHealth(t *testing.T) {
	s := open(t, withWaiting(), 80, 24)
	s.press("3", "down", "down")
	s.sees("nas sftp nas.example.net:22 1 held, 3 wait since 19:41", "cloud http up.example.net ok 22 Nov 19:51",
		"Images of yard go there.", "The last attempt failed, at 20:50. 4 events wait, the oldest since 19:41, 1 held (page 6), tried again at 20:55.", "Nothing listens on this port")
	s.press("x")
	s.sees("Delete nas? 4 events wait for it: held, images kept, until a transfer nas is back or page 6 drops them. New images of yard go nowhere.")
	for _, c := range []struct {
		p    event.Place
		want string
	}{
		{event.Place{}, ""},
		{event.Place{Last: noon, OK: true}, "ok 20:51"},
		{event.Place{Last: noon}, "failed 20:51"},
		{event.Place{Last: noon, OK: true, Waiting: 2, Since: noon}, "ok 20:51, 2 wait"},
		{event.Place{Last: noon, Waiting: 10_000, Since: noon.AddDate(0, 0, -9)}, "10000 wait since 14 Nov 20:51"},
		{event.Place{Waiting: 1, Since: noon.Add(-time.Hour)}, "1 waits since 19:51"},
	} {
		if got := placeText(c.p, noon); got != c.want || width(got) > 30 {
			t.Errorf("%+v: %q, want %q", c.p, got, c.want)
		}
	}
}

// Where a failed step of a trial leads is a field that the kind has.
func TestTrialLeadsToAField(t *testing.T) {
	for _, k := range transferKinds {
		for _, step := range []string{"config", "lookup", "tcp", "hello", "tls", "protection", "data", "hostkey", "key", "login", "sftp", "subsystem", "folder", "send", "size", "rename", "remove"} {
			s := open(t, withTransfers(), 80, 24)
			s.settings.Config, _, _ = config.PatchFor(s.settings.Config, config.Secrets{}, []config.Change{{Key: "transfers", Value: "[{name: nas, kind: " + k.kind + "}]"}})
			s.take(s.settings)
			s.trial([]event.Step{{Step: step, Target: "x", Verdict: "no", Do: "Enter its pin."}}, false)
			s.press("enter")
			impossible := step == "hostkey" && k.kind != "sftp" || step == "key" && k.kind != "sftp" || step == "tls" && k.kind == "sftp" || k.kind == "email"
			if !s.triggersPage().focused() && !impossible {
				t.Errorf("%s %s leads nowhere", k.kind, step)
			}
		}
	}
}
