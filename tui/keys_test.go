package tui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// plainKeys act while no field is focused, controlKeys always (design: the interface).
var (
	plainKeys   = strings.Fields("1 2 3 4 5 6 7 t d w u ? q P tab shift+tab enter esc ctrl+g")
	controlKeys = strings.Fields("ctrl+t ctrl+d ctrl+w ctrl+u ctrl+c ctrl+l f1 alt+1 alt+2 alt+3 alt+4 alt+5 alt+6 alt+7")
)

// No key is dead: on every page, with something there and with nothing, each
// does something or says why not.
func TestNoKeyIsDead(t *testing.T) {
	for _, box := range []func() *fake{newFake, emptyFake} {
		for at := range pages {
			for _, k := range append(append([]string{}, plainKeys...), controlKeys...) {
				s := open(t, box(), 80, 24)
				s.press(fmt.Sprint(at + 1))
				s.send(queueMsg{mails: s.f.mails})
				s.send(storedMsg{events: s.f.stored})
				if strings.HasSuffix(k, fmt.Sprint(at+1)) {
					continue // the page that is open
				}
				before := s.text()
				if cmd := s.press(k); cmd == nil && s.text() == before {
					t.Errorf("%s: %s does nothing", pages[at].name, k)
				}
			}
		}
	}
}

// Every key that a page's key line names does something there.
func TestNamedKeysAct(t *testing.T) {
	for at := range pages {
		s := open(t, newFake(), 80, 24)
		s.press(fmt.Sprint(at + 1))
		s.send(queueMsg{mails: s.f.mails})
		s.send(storedMsg{events: s.f.stored})
		for _, b := range s.pages[at].bindings(s.app) {
			for _, k := range b.Keys() {
				s := open(t, newFake(), 80, 24)
				s.press(fmt.Sprint(at + 1))
				s.send(queueMsg{mails: s.f.mails})
				s.send(storedMsg{events: s.f.stored})
				if strings.HasPrefix(b.Help().Key, "up") {
					continue
				}
				before := s.text()
				if cmd := s.press(k); cmd == nil && s.text() == before {
					t.Errorf("%s: %q does nothing", pages[at].name, k)
				}
			}
		}
	}
}

func TestAFieldTakesEveryPrintableKey(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.edit("smtp.username", "")
	var want strings.Builder
	for c := rune(0x20); c < 0x7f; c++ {
		want.WriteRune(c)
		s.press("'" + string(c))
	}
	if got := s.draft.Raw("smtp.username"); got != want.String() {
		t.Errorf("got  %q\nwant %q", got, want.String())
	}
	if s.at != mailAt || s.qu != nil || s.helping {
		t.Error("a printable key acted")
	}
}

func TestEditing(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"'abc backspace", "ab"},
		{"'abc ctrl+h", "ab"},
		{"'abc left left backspace", "bc"},
		{"'abc home delete 'x", "xbc"},
		{"'abc home right 'x end 'y", "axbcy"},
		{"'漢字 left 'x", "漢x字"},
		{"'e\u0301 backspace", ""},
		{"'ab 👩‍👩‍👧 backspace", "ab"},
		{"backspace delete left right home end", ""},
		{"'e left right '\u0301 backspace", ""},
	} {
		s := open(t, newFake(), 80, 24)
		s.edit("mail.subject", "")
		for _, k := range strings.Fields(c.keys) {
			if strings.HasPrefix(k, "👩") {
				k = "'" + k
			}
			s.press(k)
		}
		if got := s.draft.Raw("mail.subject"); got != c.want {
			t.Errorf("%s: %q, want %q", c.keys, got, c.want)
		}
	}
}

// A carriage return and a line feed are one Enter; a line feed alone is one too.
func TestCRLF(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("2", "enter", "ctrl+j")
	if s.mailPage().at != 0 {
		t.Errorf("CR LF: field %d", s.mailPage().at)
	}
	s.press("enter", "ctrl+j", "enter", "ctrl+j")
	if s.mailPage().at != 2 {
		t.Errorf("three times CR LF: field %d", s.mailPage().at)
	}
	s.press("ctrl+j")
	if s.mailPage().at != 3 {
		t.Errorf("LF: field %d", s.mailPage().at)
	}
}

func TestMoving(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("2")
	if s.mailPage().focused() {
		t.Fatal("a page opens with a field focused")
	}
	var seen []string
	for range 21 {
		s.press("tab")
		seen = append(seen, s.mailPage().focusedKey())
	}
	if seen[0] != "smtp.server" || seen[6] != "mail.reply_address" || seen[10] != "mail.subject" || seen[11] != "mail.hold_off" || seen[19] != "smtp.pin" || seen[20] != "smtp.server" {
		t.Error(seen)
	}
	s.press("shift+tab")
	if k := s.mailPage().focusedKey(); k != "smtp.pin" {
		t.Error("shift+tab from the first:", k)
	}
	s.press("enter")
	if s.mailPage().focused() {
		t.Error("Enter in the last field does not leave it")
	}
	s.mailPage().focusKey(s.app, "mail.subject") // the last on the sheet of mail settings
	s.press("enter")
	if s.mailPage().focused() {
		t.Error("Enter in the last field does not leave it")
	}
	s.press("tab", "ctrl+g")
	if s.mailPage().focused() {
		t.Error("ctrl+g does not leave a field")
	}
	s.press("tab", "alt+6")
	if s.at != queueAt {
		t.Error("alt+6 does not open a page from a field")
	}
}

func TestChoices(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("2", "tab", "tab", "tab")
	for _, c := range []struct{ key, want string }{
		{"right", "starttls"}, {"right", "tls"}, {"left", "starttls"}, {"'n", "none"}, {"right", "auto"}, {"left", "none"},
		{"home", "auto"}, {"end", "none"}, {"space", "auto"}, {"'S", "starttls"}, {"'z", "starttls"}, {"backspace", "auto"},
	} {
		s.press(c.key)
		if got := s.draft.Raw("smtp.security"); got != c.want {
			t.Errorf("%s: %q, want %q", c.key, got, c.want)
		}
	}
}

func TestUndo(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.edit("smtp.server", "mail.example.org")
	s.edit("smtp.port", "25")
	s.edit("smtp.password", "hunter2")
	s.press("esc")
	if got := s.unsaved(); got != 3 {
		t.Fatal("unsaved: ", got)
	}
	if strings.Contains(s.text(), "hunter2") || strings.Contains(s.text(), "Password        set") {
		t.Error(s.text())
	}
	s.press("u")
	if strings.Contains(s.say, "hunter2") || s.unsaved() != 2 {
		t.Error(s.say, s.unsaved())
	}
	s.press("u", "u")
	if s.unsaved() != 0 || s.draft.Raw("smtp.port") != "587" {
		t.Error(s.draft.Changes())
	}
	s.press("u")
	if !strings.Contains(s.say, "Nothing to undo") {
		t.Error(s.say)
	}
	// In the field: its own changes only.
	s.edit("smtp.port", "465")
	s.edit("smtp.server", "x")
	s.press("shift+tab", "tab", "tab", "ctrl+u")
	if s.draft.Raw("smtp.port") != "587" || s.draft.Raw("smtp.server") != "x" {
		t.Error(s.draft.Raw("smtp.port"), s.draft.Raw("smtp.server"))
	}
}

func TestPaste(t *testing.T) {
	for _, c := range []struct {
		field, text string
		want        map[string]string
	}{
		{"smtp.server", " mail.example.org\r\n", map[string]string{"smtp.server": "mail.example.org"}},
		{"smtp.password", " a\x1b[31mb\x00\u202ec\td \r\n", map[string]string{"smtp.password": " a\x1b[31mb\x00\u202ec\td "}},
		{"smtp.password", strings.Repeat("x", 8000), map[string]string{"smtp.password": strings.Repeat("x", 8000)}},
		{"mail.reply_address", "Gate 3 <gate3@example.org>", map[string]string{"mail.reply_address": "gate3@example.org"}},
		{"mail.destinations.1", "Guard <guard@example.org>, ops@example.org;\n third@example.org\n", map[string]string{
			"mail.destinations.1": "guard@example.org", "mail.destinations.2": "ops@example.org", "mail.destinations.3": "third@example.org"}},
		{"mail.destinations.2", "a@b.example c", map[string]string{"mail.destinations.2": "a@b.example c"}},
		{"mail.destinations.3", "a@b.example,c@d.example", map[string]string{"mail.destinations.3": "a@b.example", "mail.subject": "CameraNotification"}},
		{"smtp.security", "starttls", map[string]string{"smtp.security": "starttls"}},
		{"smtp.security", "nonsense", map[string]string{"smtp.security": "auto"}},
		{"mail.subject", strings.Repeat("x", 10_000), map[string]string{"mail.subject": ""}},
	} {
		s := open(t, newFake(), 80, 24)
		if strings.HasPrefix(c.field, "smtp.sec") {
			s.mailPage().focusKey(s.app, c.field)
			s.at = mailAt
		} else {
			s.at = mailAt
			s.edit(c.field, "")
		}
		s.send(tea.PasteMsg{Content: c.text})
		for k, want := range c.want {
			if got := s.draft.Raw(k); got != want {
				t.Errorf("%q into %s: %s is %q, want %q", c.text, c.field, k, got, want)
			}
		}
	}
}

// What servers, sites and files say cannot draw on the screen.
func TestForeignWordsAreHarmless(t *testing.T) {
	const evil = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u0085\xff\r\n"
	f := newFake()
	st := &f.snap.Status
	st.Site, st.Version, st.Revision, st.State = evil, evil, evil, evil
	st.Camera.Source, st.Camera.Problem = evil, evil
	st.Problems, st.Findings, st.Queue.Problem, st.Storage.Directory = []string{evil}, []string{evil}, evil, evil
	st.Triggers[0].Name, st.Triggers[1].Why = evil, evil
	f.snap.Firings[0].Trigger = evil
	m := &f.snap.Mails[0]
	m.Subject, m.Problem, m.Recipients[1].Reply, m.Recipients[0].Address = evil, evil, evil, evil
	f.stored[0].ID, f.stored[0].Trigger, f.stored[0].Missing = evil, evil, []string{evil}
	f.settings.Config.Mail.Subject, f.settings.Path = evil, evil
	s := open(t, f, 80, 24)
	s.send(queueMsg{mails: f.snap.Mails})
	s.send(storedMsg{events: f.stored})
	for _, k := range []string{"1", "2", "tab", "esc", "3", "4", "5", "6", "7", "q", "n", "f"} {
		s.press(k)
		content, _ := s.frame()
		for _, never := range []string{"\x1b]", "\x1b[2J", "\u202e", "\u0085", "\xff", "\r", "\x07"} {
			if strings.Contains(content, never) {
				t.Errorf("after %s the screen holds %q", k, never)
			}
		}
	}
	s.press("2", "d")
	s.send(stepMsg{1, event.Step{Step: evil, Target: evil, Text: evil, Verdict: evil, Do: evil}})
	s.send(diagnosedMsg{run: 1})
	if content, _ := s.frame(); strings.Contains(content, "\x1b]") || strings.Contains(content, "\u202e") {
		t.Errorf("%q", content)
	}
}

// Whatever is typed, at whatever size, the screen stands.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("2\tmail\x08.example\x0e\x0e465\x17"), uint8(80), uint8(24))
	f.Add([]byte("7654321?qn\x1b"), uint8(60), uint8(15))
	f.Add([]byte("2dt\x14y\x15uu"), uint8(40), uint8(10))
	f.Add([]byte("3\u0082\t\t\t\t\t\t\t\u0082a \t1930\x1b\x1bxJKcAafP"), uint8(80), uint8(24))
	f.Add([]byte("5\u00a2f\t11-2\t\u0082\u0082\x1bXxe"), uint8(70), uint8(20))
	f.Fuzz(func(t *testing.T, b []byte, w, h uint8) {
		s := open(t, newFake(), int(w), int(h))
		named := []string{"tab", "shift+tab", "enter", "esc", "left", "right", "home", "end", "delete", "up", "down", "pgup", "pgdown", "f1", "alt+1", "alt+2", "space"}
		for _, r := range string(b) {
			switch {
			case r == '\t':
				s.press("tab")
			case r == 0x1b:
				s.press("esc")
			case r < 0x20 && r > 0:
				s.press("ctrl+" + string('a'+r-1))
			case r >= 0x80 && r < 0x80+rune(len(named)):
				s.press(named[r-0x80])
			case r == 0xa0:
				s.send(tea.PasteMsg{Content: string(b)})
			case r == 0xa1:
				s.send(tea.WindowSizeMsg{Width: int(h), Height: int(w)})
			case r == 0xa2:
				s.send(queueMsg{mails: s.f.mails})
				s.send(storedMsg{events: s.f.stored})
			default:
				s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
			}
			content, _ := s.frame()
			lines := strings.Split(content, "\n")
			if len(lines) > max(1, s.h) {
				t.Fatalf("%d lines on %dx%d", len(lines), s.w, s.h)
			}
			for _, l := range lines {
				if width(l) > s.w {
					t.Fatalf("%d columns on %dx%d: %q", width(l), s.w, s.h, l)
				}
			}
		}
	})
}
