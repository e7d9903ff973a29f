package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// run presses keys and carries out what the last one asks of the engine.
func (s *screen) run(names ...string) {
	s.t.Helper()
	s.carry(s.press(names...))
}

func (s *screen) carry(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch m := cmd().(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range m {
			s.carry(c)
		}
	default:
		s.carry(s.send(m))
	}
}

// field enters a field of a trigger or a transfer on the Triggers page.
func (s *screen) field(k string) {
	s.t.Helper()
	if s.at != triggersAt {
		s.press("3")
	}
	s.triggersPage().goTo(s.app, k)
	if !s.triggersPage().focused() {
		s.t.Fatal("no field ", k)
	}
}

func (s *screen) names(list string) (out []string) {
	for _, e := range s.triggersPage().entries(s.app) {
		if e.list == list {
			out = append(out, e.name)
		}
	}
	return out
}

func (s *screen) sees(texts ...string) {
	s.t.Helper()
	flat := strings.Join(strings.Fields(s.text()), " ")
	for _, x := range texts {
		if !strings.Contains(flat, x) {
			s.t.Errorf("%q is not on the screen:\n%s", x, s.text())
		}
	}
}

// The form has the fields that the source uses; a timer has no notification.
func TestFieldsOfASource(t *testing.T) {
	for source, want := range map[event.Source]string{
		event.Motion:   "threshold sensitivity zones exclude and.source notify hold_off destinations subject",
		event.BuiltIn:  "line and.source notify hold_off destinations subject",
		event.External: "line edge debounce and.source notify hold_off destinations subject",
		event.Sound:    "and.source notify hold_off destinations subject",
		event.Timer:    "every",
		event.Manual:   "notify hold_off destinations subject",
	} {
		s := open(t, newFake(), 80, 24)
		s.field("triggers.yard.source")
		s.press("home", "'"+string(source)[:2])
		if got := s.draft.Raw("triggers.yard.source"); got != string(source) {
			t.Fatalf("%s: %s", source, got)
		}
		var got []string
		for _, k := range s.triggersPage().edit.keys {
			if k != "" && !slices.Contains(strings.Fields("name source active pre post interval quality full transfer"), leafOf(k)) {
				got = append(got, leafOf(k))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", source, got, want)
		}
		if s.triggersPage().edit.form.key() != "triggers.yard.source" {
			t.Errorf("%s: the focus went to %s", source, s.triggersPage().edit.form.key())
		}
	}
}

func TestTriggerIsEdited(t *testing.T) {
	f := newFake()
	c := start(t, f, xterm, 80, 24)
	c.typed("3")
	c.sees("[3 Triggers]", "> yard")
	c.typed("\r")
	c.sees("Name            yard")
	c.typed("\t\t\t")
	c.sees("> Threshold", "5 = 0.15 % of the zone, now 0.08 %.")
	c.typed("\x7f12")
	c.sees("3 Triggers*", ">*Threshold       12")
	c.typed("\x17")
	c.sees("Not saved: yard: Threshold")
	c.typed("\x15\x15")
	c.typed("\x7f7\x17")
	c.sees("Saved and in force", "[3 Triggers]", "> Threshold       7")
	c.asked("apply triggers.yard.threshold")
}

// A field that is in the way of a save is gone to from whatever page.
func TestSaveGoesToTheField(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.field("triggers.door.pre")
	s.press("ctrl+k", "'5 ima", "esc", "esc", "2", "w")
	if s.at != triggersAt || s.triggersPage().edit.form.key() != "triggers.door.pre" || !strings.HasPrefix(s.say, "Not saved: door: Images before is incomplete.") {
		t.Errorf("%d %q", s.at, s.say)
	}
	// One that the source chosen since does not use is not hidden.
	s.field("triggers.yard.threshold")
	s.press("ctrl+k", "'99", "shift+tab", "'ti", "tab")
	s.field("triggers.door.pre")
	s.press("ctrl+u", "ctrl+w")
	if s.triggersPage().edit.form.key() != "triggers.yard.threshold" {
		t.Errorf("%s: %s", s.triggersPage().edit.form.key(), s.say)
	}
}

func TestRenamedTriggerStaysOpen(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.field("triggers.yard.name")
	s.press("'2")
	s.sees("Under another name the account begins anew")
	s.run("ctrl+w")
	if e := s.triggersPage().edit; e == nil || e.name != "yard2" || e.form.key() != "triggers.yard2.name" || s.unsaved() != 0 {
		t.Fatalf("%+v", e)
	}
	s.sees("Saved and in force.", "> Name yard2")
	s.press("'3")
	if got := s.draft.Changes(); !slices.Equal(got, []config.Change{{Key: "triggers.yard2.name", Value: "yard23"}}) {
		t.Error(got)
	}
}

// What two change in one trigger is a conflict, told before it is saved over.
func TestTriggerConflict(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	s.field("triggers.yard.threshold")
	s.press("ctrl+k", "'3")
	c, _, _ := config.PatchFor(f.settings.Config, f.secrets, []config.Change{{Key: "triggers.yard.threshold", Value: "9"}, {Key: "triggers.door.quality", Value: "50"}})
	f.settings.Config, f.settings.Revision = c, "r2"
	s.run("ctrl+w")
	s.sees("Changed elsewhere as well: yard Threshold.", "? changed elsewhere")
	s.press("esc")
	if !strings.Contains(s.hintNow(), "yard Threshold") {
		t.Error(s.hintNow())
	}
	s.press("t")
	s.sees("No test mail sent, for it saves first: yard Threshold was changed elsewhere as well.")
	s.press("w")
	s.sees("Save over what was changed elsewhere? yard Threshold")
	s.press("n", "u")
	if got := s.draft.Raw("triggers.yard.threshold"); got != "9" || s.unsaved() != 0 {
		t.Errorf("%q, %d unsaved", got, s.unsaved())
	}
}

func (s *screen) hintNow() string { return s.pages[s.at].hint(s.app) }

// A trigger that another one deletes takes what was typed for it along.
func TestDeletedElsewhere(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	s.field("triggers.door.quality")
	s.press("ctrl+k", "'30")
	next := f.settings
	next.Config.Triggers, next.Revision = next.Config.Triggers[:1], "r2"
	s.send(configMsg{settings: next})
	if s.unsaved() != 0 || s.triggersPage().edit != nil {
		t.Errorf("%v, %v", s.draft.Changes(), s.triggersPage().edit)
	}
	s.sees("> yard", "door is gone: it was deleted or renamed elsewhere, and your unsaved changes to it with it.")
}

func TestListOfTriggers(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	s.press("3", "a")
	s.sees("m motion", "t timer", "n none")
	s.run("t")
	s.sees("Saved and in force: timer.", "Every 1h")
	if c := f.settings.Config.Triggers; len(c) != 3 || c[2].Name != "timer" || c[2].Source != event.Timer || c[2].Notify {
		t.Errorf("%+v", c)
	}
	s.press("esc")
	s.run("K")
	s.run("K")
	if got := s.names(triggersKey); !slices.Equal(got, []string{"timer", "yard", "door"}) || s.triggersPage().sel != 0 {
		t.Error(got, s.triggersPage().sel)
	}
	s.run("K")
	s.sees("timer is first already.")
	// A copy has what is changed and unsaved, which stays so.
	s.field("triggers.yard.quality")
	s.press("ctrl+k", "'33", "esc", "esc")
	s.triggersPage().selectItem(s.app, triggersKey, "yard")
	s.run("c")
	if c := f.settings.Config.Triggers; len(c) != 4 || c[2].Name != "yard 2" || c[2].Quality != 33 || c[1].Quality != 80 {
		t.Errorf("%+v", c)
	}
	if s.draft.Raw("triggers.yard.quality") != "33" || s.unsaved() != 1 {
		t.Error(s.draft.Changes())
	}
	s.press("esc")
	s.run("c")
	s.press("esc", "c")
	s.sees("There are 5 triggers, and no more can be added.")
	s.press("a")
	if s.qu != nil {
		t.Error("a sixth trigger is offered")
	}
}

// A trigger is switched off and on at one key, and that is taken back as any change of the list.
func TestTriggerIsSwitchedOff(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	s.press("3")
	s.run("o")
	s.sees("yard is off.")
	if f.settings.Config.Triggers[0].Enabled {
		t.Errorf("%+v", f.settings.Config.Triggers[0])
	}
	s.run("o")
	s.sees("yard is on.")
	if !f.settings.Config.Triggers[0].Enabled {
		t.Errorf("%+v", f.settings.Config.Triggers[0])
	}
}

// A list is never put over one that another has changed.
func TestListConflict(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	f.settings.Config.Triggers = f.settings.Config.Triggers[:1]
	f.settings.Revision = "r2"
	s.press("3")
	s.run("J")
	if got := s.names(triggersKey); !slices.Equal(got, []string{"yard"}) || len(f.settings.Config.Triggers) != 1 {
		t.Error(got)
	}
}

// Images are never deleted with their trigger but by an answer of their own.
func TestDeletingAsksForTheImagesApart(t *testing.T) {
	for _, c := range []struct {
		keys    []string
		deleted bool
		removed bool
	}{
		{[]string{"n"}, false, false},
		{[]string{"y", "k"}, true, false},
		{[]string{"y", "esc"}, true, false},
		{[]string{"y", "y", "enter", "k"}, true, false}, // a second press of the same key
		{[]string{"y", "r"}, true, true},
	} {
		f := newFake()
		f.kept = event.Kept{Events: 12, Images: 240, Bytes: 34_512_000}
		s := open(t, f, 80, 24)
		s.press("3")
		s.run("x")
		s.sees("Delete yard? The store keeps 12 events with 240 images (34.5 MB) of it; whether those go too is asked next.")
		for i, k := range c.keys {
			s.run(k)
			if i == 0 && c.deleted {
				s.sees("yard is deleted. Of it 12 events with 240 images (34.5 MB) are kept. Remove them too, for good?", "r remove 12 events", "k keep them")
			}
		}
		if got := len(f.settings.Config.Triggers) == 1; got != c.deleted {
			t.Errorf("%v: deleted %v", c.keys, got)
		}
		if got := slices.Contains(f.asked(), "remove yard"); got != c.removed {
			t.Errorf("%v: removed %v", c.keys, got)
		}
		if c.deleted {
			s.run("u")
			s.run("y")
			if got := s.names(triggersKey); !slices.Equal(got, []string{"yard", "door"}) {
				t.Errorf("%v: taken back: %v", c.keys, got)
			}
		}
	}
}

// How much is kept may not be known; then nothing of it is offered to be removed.
func TestDeletingWithoutACount(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("3")
	s.send(keptMsg{filter: event.Filter{Trigger: "yard"}, err: errors.New("the disk does not answer")})
	s.sees("is not known (the disk does not answer); they stay.")
	s.run("y")
	if s.qu != nil || len(s.names(triggersKey)) != 1 {
		t.Error(s.text())
	}
}

// What is typed while a save is under way stays.
func TestTriggerTypedWhileSaving(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.field("triggers.yard.quality")
	s.press("ctrl+k", "'70")
	cmd := s.press("ctrl+w")
	s.press("ctrl+k", "'60")
	s.carry(cmd)
	if got := s.draft.Raw("triggers.yard.quality"); got != "60" || s.settings.Config.Triggers[0].Quality != 70 {
		t.Errorf("%s on %d", got, s.settings.Config.Triggers[0].Quality)
	}
}

func TestPasteIntoATrigger(t *testing.T) {
	s := open(t, withTransfers(), 80, 24)
	for _, c := range []struct{ key, text, want string }{
		{"triggers.yard.subject", "Gate\x1b[2J 3\r\nmore", "Gate [2J 3"},
		{"triggers.yard.notify", "false", "false"},
		{"triggers.yard.notify", "perhaps", "false"},
		{"triggers.yard.active", "mon", ""},
		{"transfers.nas.password", " a\tb \r\n", " a\tb "},
	} {
		s.field(c.key)
		s.send(tea.PasteMsg{Content: c.text})
		if got := s.draft.Raw(c.key); got != c.want {
			t.Errorf("%q into %s: %q", c.text, c.key, got)
		}
	}
}

// Every key does something in the form and in the week, or says why not.
func TestNoKeyIsDeadInTheForm(t *testing.T) {
	for _, before := range [][]string{{"enter"}, {"enter", "tab"}, {"enter", "tab", "tab", "tab", "tab", "tab", "tab", "tab"}} {
		for _, k := range append(append([]string{}, plainKeys...), controlKeys...) {
			if strings.HasSuffix(k, "3") {
				continue // the page that is open
			}
			s := open(t, newFake(), 80, 24)
			s.press("3")
			s.press(before...)
			was, pos := s.text(), s.triggersPage().edit.form.edit.pos
			if cmd := s.press(k); cmd == nil && s.text() == was && (s.triggersPage().edit == nil || s.triggersPage().edit.form.edit.pos == pos) {
				t.Errorf("%v: %s does nothing", before, k)
			}
		}
	}
}

func TestTmuxTriggers(t *testing.T) {
	p := tmux(t, "WATCHPOST_FAKE=full LANG=C.UTF-8", 80, 24)
	p.sees("[1 Status]", "delivered 2/2")
	p.do("send-keys", "3", "Enter", "Tab")
	p.sees("> Name            yard", "F1 help")
	p.do("send-keys", "Up", "Up", "Up", "Up", "Up", "Up")
	for i := range 5 {
		p.do("send-keys", "Up")
		_ = i
	}
	p.sees("> Active time     always", "Enter opens the week")
	p.do("send-keys", "Enter", "a", "Space", "End", "0", "8", "3", "0")
	p.sees("[ ] [x] [x] [x] [x] [x] [x] [x]   18:00   08:30  next day", "not active now, next Tue 18:00", "3 Triggers*")
	p.do("send-keys", "C-w")
	p.sees("Saved and in force")
	p.do("send-keys", "C-g", "C-g")
	p.sees("Active time     Tue-Sun holidays 18:00-08:30")
	p.do("send-keys", "Escape")
	p.sees("> yard", "Active Tue-Sun holidays 18:00-08:30; 5 images before")
}

func TestFollowsText(t *testing.T) {
	for _, c := range []struct {
		notify         bool
		transfer, want string
	}{{true, "none", "mail"}, {true, "nas", "mail, nas"}, {false, "nas", "nas"}, {false, "none", "images only"}} {
		if got := followsText(config.Trigger{Notify: c.notify, Transfer: c.transfer}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestFreeName(t *testing.T) {
	f := newFake()
	long := strings.Repeat("ä", 32)
	f.settings.Config.Triggers[0].Name, f.settings.Config.Triggers[1].Name = long, "Motion"
	s := open(t, f, 80, 24)
	for want, name := range map[string]string{"motion": "motion 2", long: strings.Repeat("ä", 30) + " 2", "door": "door"} {
		if got := s.freeName(triggersKey, want); got != name {
			t.Errorf("%s: %q", want, got)
		}
	}
	if v := fmt.Sprint(s.draft.Verdict("triggers.Motion.name").Level); v != "1" {
		t.Error(v)
	}
}
