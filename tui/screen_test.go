package tui

import (
	"context"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"watchpost/engine/event"
)

// screen is an app driven by hand: messages in, commands run at once, except
// for the ones that wait.
type screen struct {
	*app
	f *fake
	t testing.TB
}

func open(t testing.TB, f *fake, w, h int) *screen {
	a := newApp(context.Background(), f, func() time.Time { return noon })
	a.keys = f
	a.files = &Files{Dir: "/home/gate", Save: f.save}
	s := &screen{a, f, t}
	s.send(tea.WindowSizeMsg{Width: w, Height: h})
	s.send(watchMsg{snap: f.snap, ch: make(chan event.Event)})
	settings, _ := f.Config(context.Background())
	s.send(configMsg{settings: settings})
	s.send(zoneMsg{berlin()})
	return s
}

// send updates the app. The commands are dropped: a test that wants their
// results sends them itself, or runs a program (flow_test.go).
func (s *screen) send(msg tea.Msg) tea.Cmd { return s.update(msg) }

// press presses keys by their names; a text in quotes is typed.
func (s *screen) press(names ...string) tea.Cmd {
	var last tea.Cmd
	for _, n := range names {
		if text, ok := strings.CutPrefix(n, "'"); ok {
			for _, c := range clusters(text) {
				last = s.send(tea.KeyPressMsg{Code: []rune(c)[0], Text: c})
			}
			continue
		}
		last = s.send(keyNamed(n))
	}
	return last
}

func keyNamed(n string) tea.KeyPressMsg {
	var k tea.KeyPressMsg
	for _, m := range []struct {
		name string
		mod  tea.KeyMod
	}{{"ctrl+", tea.ModCtrl}, {"alt+", tea.ModAlt}, {"shift+", tea.ModShift}} {
		if rest, ok := strings.CutPrefix(n, m.name); ok {
			k.Mod |= m.mod
			n = rest
		}
	}
	codes := map[string]rune{"tab": tea.KeyTab, "enter": tea.KeyEnter, "esc": tea.KeyEscape, "backspace": tea.KeyBackspace,
		"left": tea.KeyLeft, "right": tea.KeyRight, "up": tea.KeyUp, "down": tea.KeyDown, "home": tea.KeyHome, "end": tea.KeyEnd,
		"delete": tea.KeyDelete, "f1": tea.KeyF1, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "space": tea.KeySpace}
	if c, ok := codes[n]; ok {
		k.Code = c
		if n == "space" {
			k.Text = " "
		}
		return k
	}
	k.Code = []rune(n)[0]
	if k.Mod&(tea.ModCtrl|tea.ModAlt) == 0 {
		k.Text = n
	}
	return k
}

// text is what the screen shows, without styles.
func (s *screen) text() string {
	content, _ := s.frame()
	return ansi.Strip(content)
}

// edit enters a field and replaces what is in it.
func (s *screen) edit(k, text string) {
	s.t.Helper()
	s.at = mailAt
	s.mailPage().focusKey(s.app, k)
	if !s.mailPage().focused() {
		s.t.Fatal("no field ", k)
	}
	for range s.mailPage().edit.text {
		s.press("backspace")
	}
	s.press("'" + text)
}
