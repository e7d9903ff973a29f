package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
)

// sheet is a form with what opens over it for one of its fields: the week of an
// active time, or a list to choose from. It is what a page that edits has.
type sheet struct {
	form
	week *activeTime
	pick *picker
	// offers is what there is to choose from in a field, by what is typed in it;
	// nil: nothing, the field is typed.
	offers func(k string) func(begun string) []string
}

func newSheet(a *app, fields []string) sheet {
	s := sheet{form: newForm(fields), offers: offersOf}
	s.shows = func(k string) (string, bool) {
		if !isWeek(k) {
			return "", false
		}
		return weekText(k, a.activeOf(k)), true
	}
	return s
}

// isWeek reports whether a field is an active time, which has an editor of its own.
func isWeek(k string) bool { return k == privacyActive || ofItem(k) && leafOf(k) == "active" }

// offersOf has the lists that fields are chosen from.
func offersOf(k string) func(string) []string {
	if k == "site.time_zone" {
		return config.ZonesLike
	}
	return nil
}

// open is the sheet itself, for the help of what is open over it.
func (s *sheet) open() *sheet { return s }

// leave leaves the field and what is open over it.
func (s *sheet) leave(*app) { s.at, s.week, s.pick = -1, nil, nil }

// take takes a key while a field is focused; false: it is the app's.
func (s *sheet) take(a *app, k tea.KeyPressMsg) bool {
	switch {
	case s.week != nil:
		closed, taken := s.week.press(a, k)
		if closed {
			s.week = nil
		}
		return taken
	case s.pick != nil:
		closed, taken := s.pick.press(a, &s.form, k)
		if closed {
			s.pick = nil
		}
		return taken
	}
	_, fixed := s.shows(s.form.key())
	switch {
	case fixed && (key.Matches(k, keys.Enter) || k.String() == "space" || k.String() == "right"):
		s.week = &activeTime{key: s.form.key()}
		return true
	case fixed && k.Text != "" && !k.Mod.Contains(tea.ModAlt):
		a.say = "Enter opens the week, where days and times are set."
		return true
	case s.listed(a) && key.Matches(k, keys.Fix):
		s.pick = newPicker(s.form.key(), a.draft.Raw(s.form.key()), s.offers(s.form.key()))
		return true
	}
	return s.press(a, k)
}

// listed reports whether a list to choose from opens at ^f.
func (s *sheet) listed(a *app) bool {
	return s.offers(s.form.key()) != nil && s.judges(a, s.form.key()).Fix == ""
}

func (s *sheet) help(a *app) string {
	switch {
	case s.week != nil:
		return s.week.help(a)
	case s.pick != nil:
		return "Type its beginning or a city's; up and down choose, Enter takes it, Esc leaves it as it was."
	case s.listed(a):
		return strings.TrimSpace(s.form.help(a) + " ^f lists them.")
	}
	return s.form.help(a)
}

func (s *sheet) bindings(a *app) []key.Binding {
	switch {
	case s.week != nil:
		return s.week.bindings()
	case s.pick != nil:
		return []key.Binding{bind("a-z", "narrow"), bind("up/down", "choose"), bind("enter", "take it"), bind("esc", "close")}
	case s.listed(a):
		return append([]key.Binding{bind("^f", "list")}, s.form.bindings(a)...)
	}
	return s.form.bindings(a)
}

func (s *sheet) paste(a *app, text string) tea.Cmd {
	switch {
	case a.draft == nil || !s.focused():
		a.say = "Tab or Enter enters the field to paste into."
	case s.week != nil, s.pick != nil:
		a.say = "Nothing can be pasted here."
	default:
		s.form.paste(a, text)
	}
	return nil
}

// over draws what is open over the form; nil: nothing is.
func (s *sheet) over(a *app, w, h int) ([]string, *tea.Position) {
	switch {
	case s.week != nil:
		return s.week.body(a, w, h)
	case s.pick != nil:
		return s.pick.body(w, h)
	}
	return nil, nil
}

// enter takes the keys that enter a field while none is focused.
func (s *sheet) enter(a *app, k tea.KeyPressMsg) bool {
	switch {
	case key.Matches(k, keys.Enter, keys.Next):
		s.at = -1
		s.move(a, 1)
	case key.Matches(k, keys.Prev):
		s.at = 0
		s.move(a, -1)
	default:
		return false
	}
	return true
}

// editKey reports whether a key would edit, if a field were focused.
func editKey(k tea.KeyPressMsg) bool {
	return slices.Contains([]string{"left", "right", "home", "end", "pgup", "pgdown", "backspace", "ctrl+h", "ctrl+k", "ctrl+f", "delete"}, k.String())
}

// goTo enters the field of a key, or the first part of it.
func (s *sheet) goTo(a *app, k string) {
	s.week, s.pick = nil, nil
	i := slices.Index(s.keys, k)
	if i < 0 {
		i = slices.IndexFunc(s.keys, func(part string) bool { return strings.HasPrefix(part, k+".") })
	}
	if i >= 0 {
		s.focus(a, i)
	}
}

// reload takes the form's text from a draft that is new. What is typed on in a field
// in conflict is the same step: undo takes the other side's value.
func (s *sheet) reload(a *app) {
	s.load(a, false)
	s.changed = s.changed && s.focused() && a.mailPage().conflicts[s.form.key()]
}
