package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
)

// form edits fields of the draft, one line each with its verdict, as the Mail
// page does: the same line, marks, values and verdicts, and one stack of undo and
// one set of conflicts with it (mailPage.set, put, takeBackAt). It does not know
// which fields those are, and saves nothing.
type form struct {
	keys    []string // of the fields; an empty one is a gap
	at      int      // place in keys of the focused field; -1: none
	changed bool     // in this visit to the field
	prefix  string   // what was typed of a choice's name
	top     int      // first row shown where not all fit
	edit    line
	// judges gives a field's verdict.
	judges func(a *app, k string) config.Verdict
	// choices are of a field that has its own by what else is configured; nil:
	// those of the field table.
	choices func(k string) []string
	// shows is what stands in place of a field's text; it has no line to edit then.
	shows func(k string) (text string, ok bool)
	// empties is what an empty field stands for.
	empties func(k string) string
	// says is more to say of a field than its help.
	says func(k string) string
}

// newForm has fields as the field table has them, none focused.
func newForm(fields []string) form {
	return form{
		keys: fields, at: -1,
		judges:  (*app).verdict,
		choices: func(string) []string { return nil },
		shows:   func(string) (string, bool) { return "", false },
		empties: func(string) string { return "" },
		says:    func(string) string { return "" },
	}
}

func (f *form) focused() bool { return f.at >= 0 }

// key is that of the focused field.
func (f *form) key() string { return f.keys[f.at] }

func (f *form) choicesOf(k string) []string {
	if c := f.choices(k); c != nil {
		return c
	}
	return Choices(k)
}

// show sets the fields; the focused one stays so where it is still there.
func (f *form) show(a *app, keys []string) {
	if slices.Equal(f.keys, keys) {
		return
	}
	was := ""
	if f.focused() {
		was = f.key()
	}
	f.keys = keys
	if f.focused() {
		if f.at = slices.Index(keys, was); f.at < 0 {
			f.focus(a, 0)
		}
	}
}

// focus enters the field at i.
func (f *form) focus(a *app, i int) {
	f.at = -1
	if a.draft == nil || i < 0 || i >= len(f.keys) || f.keys[i] == "" {
		return
	}
	f.at, f.changed, f.prefix = i, false, ""
	f.load(a, true)
}

// move enters the next field in the direction of by, round the ends.
func (f *form) move(a *app, by int) {
	i := f.at
	for range f.keys {
		if i = (i + by + len(f.keys)) % len(f.keys); f.keys[i] != "" {
			break
		}
	}
	f.focus(a, i)
}

// load takes the focused field's text from the draft.
func (f *form) load(a *app, atEnd bool) {
	if !f.focused() {
		return
	}
	pos := f.edit.pos
	field, _ := config.Lookup(f.key())
	f.edit = newLine(a.draft.Raw(f.key()), field.Secret)
	if !atEnd {
		f.edit.pos = min(pos, len(f.edit.text))
	}
	if len(f.choicesOf(f.key())) > 0 {
		f.edit.pos = 0
	}
}

// typed puts the edited line into the draft. A visit to a field is one step of undo.
func (f *form) typed(a *app) {
	if text := f.edit.String(); text != a.draft.Raw(f.key()) { // else the cursor moved
		a.mailPage().set(a, f.key(), held{raw: text}, f.changed)
		f.changed = true
	}
}

// empty takes everything out of the focused field; a secret of which nothing was
// typed is removed.
func (f *form) empty(a *app) {
	field, _ := config.Lookup(f.key())
	switch {
	case len(f.edit.text) > 0:
		f.changed = false
		f.edit = newLine("", field.Secret)
		f.typed(a)
	case field.Secret && a.draft.SecretSet(f.key()):
		a.mailPage().set(a, f.key(), held{cleared: true}, false)
		f.changed = true
	default:
		a.say = "This field is empty already."
	}
}

// press takes a key while a field is focused; false: it is not the form's.
func (f *form) press(a *app, k tea.KeyPressMsg) bool {
	field, _ := config.Lookup(f.key())
	choices := f.choicesOf(f.key())
	_, fixed := f.shows(f.key())
	switch {
	case key.Matches(k, keys.Leave):
		f.at = -1
	case key.Matches(k, keys.Enter) && f.at == len(f.keys)-1:
		f.at = -1
	case key.Matches(k, keys.Enter, keys.Next):
		f.move(a, 1)
	case key.Matches(k, keys.Prev):
		f.move(a, -1)
	case key.Matches(k, keys.FieldUndo):
		f.undo(a)
	case key.Matches(k, keys.Fix):
		f.fix(a)
	case fixed:
		return k.Text != "" || key.Matches(k, keys.PageUp, keys.PageDown)
	case len(choices) > 0 && f.choose(a, choices, k):
	case key.Matches(k, keys.Empty):
		f.empty(a)
	case slices.Contains([]string{"backspace", "ctrl+h"}, k.String()) && field.Secret && len(f.edit.text) == 0 && a.draft.SecretSet(f.key()):
		f.empty(a)
	case k.Text != "" && !k.Mod.Contains(tea.ModAlt) && !k.Mod.Contains(tea.ModCtrl):
		f.insert(a, k.Text, choices)
	case f.edit.key(k.String()):
		f.typed(a)
	default:
		return key.Matches(k, keys.PageUp, keys.PageDown)
	}
	return true
}

func (f *form) insert(a *app, text string, choices []string) {
	switch {
	case len(choices) > 0:
		a.say = "One of: " + strings.Join(choices, ", ") + ". Left and right choose, or the first letters."
	case !f.edit.insert(text):
		a.say = "This field is full."
	default:
		f.typed(a)
		if f.edit.keeps(text) == "" {
			a.say = "An invisible character was left out."
		}
	}
}

// choose moves among choices: left and right, home and end, a space, or the first
// letters. False: the key chooses nothing.
func (f *form) choose(a *app, choices []string, k tea.KeyPressMsg) bool {
	now, n := slices.Index(choices, a.draft.Raw(f.key())), len(choices)
	next := -1
	letters := f.prefix + strings.ToLower(k.Text)
	f.prefix = ""
	begins := func(c string) bool { return strings.HasPrefix(strings.ToLower(c), letters) }
	switch k.String() {
	case "left":
		next = (max(now, 0) + n - 1) % n
	case "right", "space":
		next = (now + 1) % n
	case "home", "backspace", "ctrl+h", "ctrl+k", "delete":
		next = 0
	case "end":
		next = n - 1
	default:
		if k.Text == "" {
			return false
		}
		if len(letters) > len(k.Text) { // they go on
			next = slices.IndexFunc(choices, begins)
		}
		if next < 0 { // a first letter: the next choice that it begins
			letters = strings.ToLower(k.Text)
			if i := slices.IndexFunc(slices.Concat(choices[now+1:], choices[:now+1]), begins); i >= 0 {
				next = (now + 1 + i) % n
			}
		}
		if next < 0 {
			return false
		}
		f.prefix = letters
	}
	f.edit = newLine(choices[next], false)
	f.edit.pos = 0
	f.typed(a)
	return true
}

// fix takes the value that the verdict offers.
func (f *form) fix(a *app) {
	v := f.judges(a, f.key())
	if v.Fix == "" {
		a.say = "Nothing is offered for this field; ^f takes what a verdict offers."
		return
	}
	f.changed = false
	a.mailPage().set(a, f.key(), held{raw: v.Fix}, false)
	f.load(a, true)
}

// undo takes back the last change of the focused field.
func (f *form) undo(a *app) {
	p := a.mailPage()
	for i := len(p.undo) - 1; i >= 0; i-- {
		if p.undo[i].key == f.key() {
			p.takeBackAt(a, i)
			f.changed = false
			f.load(a, true)
			return
		}
	}
	a.say = "Nothing to undo in this field."
}

// paste takes pasted text; of a secret nothing but line ends behind it is left out.
func (f *form) paste(a *app, text string) {
	field, _ := config.Lookup(f.key())
	choices := f.choicesOf(f.key())
	_, fixed := f.shows(f.key())
	whole, rest := strings.TrimRight(text, "\r\n"), 0
	if !field.Secret {
		whole, rest = firstLine(text)
	}
	switch {
	case fixed:
		a.say = "Nothing can be pasted here; Enter opens it."
	case len(choices) > 0 && !slices.Contains(choices, whole):
		a.say = "One of: " + strings.Join(choices, ", ") + "."
	case len(choices) > 0:
		f.edit = newLine(whole, false)
		f.edit.pos = 0
		f.typed(a)
	case !f.edit.insert(whole):
		a.say = "Too long for a field: nothing was pasted."
	default:
		f.typed(a)
		switch {
		case rest > 0:
			a.say = "Only the first line was pasted: " + plural(rest, "more line") + " left out."
		case !field.Secret && clean(whole) != whole:
			a.say = "Invisible characters were left out of what was pasted: check it."
		}
	}
}
