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
	"mail.hold_off", "mail.digest_after", "mail.daily_budget", "mail.state_mails", "mail.heartbeat", "mail.picture_wait", "mail.dst_mark",
	"",
	"smtp.ca_file", "smtp.pin",
}

// secondPart is the place of the first field that a small screen shows apart:
// the first part is what the customer's sheet of mail settings says.
var secondPart = slices.Index(mailFields, "mail.hold_off")

// mailPage edits the draft, saves it, tries it. The draft itself is the app's. Its
// undo and conflicts are those of all pages with fields.
type mailPage struct {
	form
	undo   []undoStep
	pastes int // pasted lists so far
	// conflicts are the fields that were changed elsewhere too (conflict.go).
	conflicts map[string]bool
	walk      *walk
	pin       string // of the server's key, as the last diagnosis found it; empty: none
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

func newMailPage() *mailPage {
	p := &mailPage{form: newForm(mailFields)}
	p.judges = p.verdict
	return p
}

func (p *mailPage) opened(*app) tea.Cmd { return nil }

func (p *mailPage) focusedKey() string { return p.form.key() }

// focus enters the field at i; the panel goes.
func (p *mailPage) focus(a *app, i int) {
	if p.form.focus(a, i); p.focused() {
		p.hide()
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

// move enters the next field in the direction of by, round the ends; the panel goes.
func (p *mailPage) move(a *app, by int) {
	if p.form.move(a, by); p.focused() {
		p.hide()
	}
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
	p.load(a, false)
	p.changed = false
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

// fieldKey takes a key while a field is focused; false: it is the app's.
func (p *mailPage) fieldKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	if key.Matches(k, keys.Enter) && p.at == secondPart-1 { // the last on the sheet of mail settings
		p.leave(a)
		return nil, true
	}
	return nil, p.press(a, k)
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
