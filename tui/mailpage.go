package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
)

// mailFields are the fields of the Mail page; an empty one is a gap.
var mailFields = []string{
	"smtp.server", "smtp.port", "smtp.security", "smtp.auth", "smtp.username", "smtp.password",
	"",
	"mail.reply_address", "mail.destinations.1", "mail.destinations.2", "mail.destinations.3",
	"",
	"mail.subject",
	"mail.hold_off", "mail.digest_after", "mail.daily_budget", "mail.state_mails", "mail.heartbeat",
	"",
	"smtp.ca_file", "smtp.pin",
}

// secondPart is the place of the first field that a small screen shows apart:
// the first part is what the customer's sheet of mail settings says.
var secondPart = slices.Index(mailFields, "mail.hold_off")

// mailPage edits the draft, saves it, tries it. The draft itself is the app's.
type mailPage struct {
	at      int // place in mailFields of the focused field; -1: none
	edit    line
	changed bool   // in this visit to the field
	prefix  string // what was typed of a choice's name
	undo    []undoStep
	pastes  int // pasted lists so far
	// conflicts are the fields that were changed elsewhere too (conflict.go).
	conflicts map[string]bool
	top       int // first row shown where not all fit
	walk      *walk
	pin       string // of the server's key, as the last diagnosis found it; empty: none
	runs      int    // diagnoses begun
	saving    bool
	sent      map[string]held // what each field held when the save began
}

// held is what a field of the draft holds.
type held struct {
	raw     string
	cleared bool // a secret that will be removed; one that is saved and unchanged has no raw text either
}

func heldIn(d *config.Draft, k string) held {
	f, _ := config.Lookup(k)
	raw := d.Raw(k)
	return held{raw, f.Secret && raw == "" && d.Changed(k)}
}

func (h held) put(d *config.Draft, k string) {
	if h.cleared {
		d.Clear(k)
	} else {
		d.Set(k, h.raw)
	}
}

// undoStep is what a field held before it was changed.
type undoStep struct {
	key string
	held
	paste int // the pasted list that changed it, with other fields; 0: none
}

// maxUndo bounds the undo stack.
const maxUndo = 100

func newMailPage() *mailPage { return &mailPage{at: -1} }

func (p *mailPage) opened(*app) tea.Cmd { return nil }

func (p *mailPage) focused() bool { return p.at >= 0 }

func (p *mailPage) focusedKey() string { return mailFields[p.at] }

// focus enters the field at i.
func (p *mailPage) focus(a *app, i int) {
	p.leave(a)
	if a.draft == nil || i < 0 || i >= len(mailFields) || mailFields[i] == "" {
		return
	}
	p.hide()
	p.at, p.changed, p.prefix = i, false, ""
	f, _ := config.Lookup(mailFields[i])
	p.edit = newLine(a.draft.Raw(mailFields[i]), f.Secret)
	if len(f.Choices) > 0 {
		p.edit.pos = 0
	}
}

// focusKey enters the field of that key, if it is on this page.
func (p *mailPage) focusKey(a *app, k string) {
	if i := slices.Index(mailFields, k); i >= 0 && k != "" {
		p.focus(a, i)
	} else if strings.HasPrefix(k, "mail.destinations") {
		p.focus(a, slices.Index(mailFields, "mail.destinations.1"))
	}
}

// move enters the next field in the direction of by, round the ends.
func (p *mailPage) move(a *app, by int) {
	i := p.at
	for range mailFields {
		i = (i + by + len(mailFields)) % len(mailFields)
		if mailFields[i] != "" {
			break
		}
	}
	p.focus(a, i)
}

// leave leaves the field; what was typed is in the draft already.
func (p *mailPage) leave(*app) { p.at = -1 }

// hide takes the panel away; a diagnosis that runs is cancelled.
func (p *mailPage) hide() {
	if p.walk != nil {
		p.walk.stop()
		if pin := p.walk.pin(); pin != "" {
			p.pin = pin
		}
	}
	p.walk = nil
}

// reload takes the focused field's text from a draft that is new.
func (p *mailPage) reload(a *app) {
	if p.focused() {
		pos := p.edit.pos
		f, _ := config.Lookup(p.focusedKey())
		p.edit = newLine(a.draft.Raw(p.focusedKey()), f.Secret)
		p.edit.pos, p.changed = min(pos, len(p.edit.text)), false
	}
}

// set changes a field and remembers what it held.
func (p *mailPage) set(a *app, k string, to held, again bool) {
	old := heldIn(a.draft, k)
	if old == to {
		return
	}
	if !again {
		p.undo = append(p.undo, undoStep{key: k, held: old})
		p.undo = p.undo[max(0, len(p.undo)-maxUndo):]
	}
	p.put(a, k, to)
}

// put changes the draft; a field that is as it stands elsewhere is in no conflict.
func (p *mailPage) put(a *app, k string, to held) {
	to.put(a.draft, k)
	if !a.draft.Changed(k) {
		delete(p.conflicts, k)
	}
}

// typed puts the edited line into the draft. A visit to a field is one step of undo.
func (p *mailPage) typed(a *app) {
	before := a.draft.Raw(p.focusedKey())
	if before == p.edit.String() {
		return // the cursor moved
	}
	p.set(a, p.focusedKey(), held{raw: p.edit.String()}, p.changed)
	p.changed = true
}

// empty takes everything out of the focused field; a secret of which nothing was
// typed is removed. It is a step of undo, together with what is typed then.
func (p *mailPage) empty(a *app) {
	k := p.focusedKey()
	f, _ := config.Lookup(k)
	switch {
	case len(p.edit.text) > 0:
		p.changed = false
		p.edit = newLine("", f.Secret)
		p.typed(a)
	case f.Secret && a.draft.SecretSet(k):
		p.set(a, k, held{cleared: true}, false)
		p.changed = true
	default:
		a.say = "This field is empty already."
	}
}

// fieldKey takes a key while a field is focused; false: it is the app's.
func (p *mailPage) fieldKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	field, _ := config.Lookup(p.focusedKey())
	switch {
	case key.Matches(k, keys.Leave):
		p.leave(a)
	case key.Matches(k, keys.Enter):
		if p.at == len(mailFields)-1 || p.at == secondPart-1 {
			p.leave(a)
		} else {
			p.move(a, 1)
		}
	case key.Matches(k, keys.Next):
		p.move(a, 1)
	case key.Matches(k, keys.Prev):
		p.move(a, -1)
	case key.Matches(k, keys.FieldUndo):
		p.undoField(a)
	case key.Matches(k, keys.Fix):
		p.fix(a)
	case len(field.Choices) > 0 && p.choose(a, field.Choices, k):
	case key.Matches(k, keys.Empty):
		p.empty(a)
	case slices.Contains([]string{"backspace", "ctrl+h"}, k.String()) && field.Secret && len(p.edit.text) == 0 && a.draft.SecretSet(p.focusedKey()):
		p.empty(a)
	case k.Text != "" && !k.Mod.Contains(tea.ModAlt) && !k.Mod.Contains(tea.ModCtrl):
		if len(field.Choices) > 0 {
			a.say = "One of: " + strings.Join(field.Choices, ", ") + ". Left and right choose, or the first letters."
		} else if p.edit.insert(k.Text) {
			p.typed(a)
			if p.edit.keeps(k.Text) == "" {
				a.say = "An invisible character was left out."
			}
		} else {
			a.say = "This field is full."
		}
	case p.edit.key(k.String()):
		p.typed(a)
	default:
		return nil, key.Matches(k, keys.Up, keys.Down, keys.PageUp, keys.PageDown)
	}
	return nil, true
}

// choose moves among a field's choices: left and right, home and end, a space,
// or the first letters. False: the key chooses nothing.
func (p *mailPage) choose(a *app, choices []string, k tea.KeyPressMsg) bool {
	now := slices.Index(choices, a.draft.Raw(p.focusedKey()))
	next, n := -1, len(choices)
	letters := p.prefix + strings.ToLower(k.Text)
	p.prefix = ""
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
		begins := func(c string) bool { return strings.HasPrefix(c, letters) }
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
		if next >= 0 {
			p.prefix = letters
		}
	}
	if next < 0 {
		return false
	}
	p.edit = newLine(choices[next], false)
	p.edit.pos = 0
	p.typed(a)
	return true
}

// verdict is the draft's; where no pin is typed it offers the one that the
// diagnosis found.
func (p *mailPage) verdict(a *app, k string) config.Verdict {
	v := a.draft.Verdict(k)
	if k == "smtp.pin" && v.Level == config.Empty && p.pin != "" {
		v = config.Verdict{Level: config.Empty, Short: "^f: the one found", Fix: p.pin,
			Text: "The diagnosis found this key; compare it with the server's own before you trust it."}
	}
	return v
}

// fix takes the value that the verdict offers.
func (p *mailPage) fix(a *app) {
	v := p.verdict(a, p.focusedKey())
	if v.Fix == "" {
		a.say = "Nothing is offered for this field; ^f takes what a verdict offers."
		return
	}
	p.changed = false
	p.set(a, p.focusedKey(), held{raw: v.Fix}, false)
	p.reload(a)
	p.edit.pos = len(p.edit.text)
}

// undoField takes back the last change of the focused field.
func (p *mailPage) undoField(a *app) {
	for i := len(p.undo) - 1; i >= 0; i-- {
		if p.undo[i].key == p.focusedKey() {
			p.takeBackAt(a, i)
			return
		}
	}
	a.say = "Nothing to undo in this field."
}

// takeBack takes back the last change of the page.
func (p *mailPage) takeBack(a *app) tea.Cmd {
	if len(p.undo) == 0 {
		a.say = "Nothing to undo: no field was changed since the last save."
		return nil
	}
	p.takeBackAt(a, len(p.undo)-1)
	return nil
}

func (p *mailPage) takeBackAt(a *app, i int) {
	s := p.undo[i]
	again := " again."
	if p.conflicts[s.key] {
		again = "."
	}
	if s.paste > 0 {
		p.takeBackPaste(a, s.paste)
	} else {
		p.undo = slices.Delete(p.undo, i, i+1)
		p.put(a, s.key, s.held)
	}
	p.reload(a)
	switch f, _ := config.Lookup(s.key); {
	case s.paste > 0:
		a.say = "What was pasted is taken back."
	case f.Secret && again == ".":
		a.say = label(s.key) + " is as it is elsewhere."
	case f.Secret:
		a.say = label(s.key) + " is as it was."
	case s.raw != "":
		a.say = label(s.key) + " is " + clean(s.raw) + again
	default:
		a.say = label(s.key) + " is empty" + again
	}
	if p.focused() {
		p.edit.pos = len(p.edit.text)
	}
}

// takeBackPaste takes back a pasted list, and what was done to its fields since.
func (p *mailPage) takeBackPaste(a *app, n int) {
	before := map[string]held{}
	p.undo = slices.DeleteFunc(p.undo, func(u undoStep) bool {
		_, since := before[u.key]
		if u.paste == n {
			before[u.key] = u.held
		}
		return since || u.paste == n
	})
	for k, h := range before {
		p.put(a, k, h)
	}
}

// key takes a key while no field is focused.
func (p *mailPage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	switch {
	case p.focused():
	case key.Matches(k, keys.Leave):
		p.escape(a)
	case a.draft == nil:
		a.say = "The configuration is not known yet: the engine has not answered."
	case p.walk != nil && p.walk.key(k):
	case key.Matches(k, keys.Enter, keys.Next):
		if p.walk != nil && p.walk.over && p.walk.failed() != nil {
			f := *p.walk.failed()
			p.focusKey(a, fieldOf(f, func(i int) string { return a.draft.Raw(destination(i)) }))
		} else {
			p.move(a, 1)
		}
	case key.Matches(k, keys.Prev):
		p.at = 0
		p.move(a, -1)
	case key.Matches(k, keys.Good):
		p.good(a)
	case key.Matches(k, keys.Fix):
		a.say = "^f takes what the verdict of a field offers: Tab enters a field."
	case slices.Contains([]string{"left", "right", "home", "end", "backspace", "ctrl+h", "ctrl+k", "delete"}, k.String()):
		a.say = "Tab or Enter enters a field."
	default:
		return nil, false
	}
	return nil, true
}

// escape cancels a diagnosis that runs, or takes the panel away.
func (p *mailPage) escape(a *app) {
	switch {
	case p.walk == nil:
		a.say = "Nothing to leave here; q leaves Watchpost."
	case p.walk.cancel != nil && !p.walk.over:
		p.walk.stop()
	default:
		p.hide()
	}
}
