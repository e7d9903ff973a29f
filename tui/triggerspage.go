package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// triggersPage lists the triggers, with the account of the selected one, and the
// transfers below; a form edits one of them.
type triggersPage struct {
	list
	rows int
	edit *editing
	last *lastList // the last change of a list, to be taken back
	walk *walk     // the trial of a transfer, over list and form
	of   string    // that transfer's name
	// found are keys that trials showed, by the field that they may be put into.
	found map[string]string
}

func (a *app) triggersPage() *triggersPage { return a.pages[triggersAt].(*triggersPage) }

func (p *triggersPage) opened(*app) tea.Cmd { return nil }

// entries are the items of the page in its order: the triggers, then the transfers.
func (p *triggersPage) entries(a *app) (out []struct{ list, name string }) {
	add := func(list, name string) { out = append(out, struct{ list, name string }{list, name}) }
	if a.draft == nil { // all that is known
		for _, t := range a.status.Triggers {
			add(triggersKey, t.Name)
		}
		return out
	}
	for _, t := range a.settings.Config.Triggers {
		add(triggersKey, t.Name)
	}
	for _, t := range a.settings.Config.Transfers {
		add(transfersKey, t.Name)
	}
	return out
}

func (p *triggersPage) selectItem(a *app, list, name string) {
	for i, e := range p.entries(a) {
		if e.list == list && e.name == name {
			p.sel = i
		}
	}
}

// stateOf is what the engine says of a trigger.
func (a *app) stateOf(name string) (event.Trigger, bool) {
	for _, t := range a.status.Triggers {
		if t.Name == name {
			return t, true
		}
	}
	return event.Trigger{Name: name}, false
}

// editor of the page: its sheet, while a field of it is focused.

func (p *triggersPage) focused() bool { return p.edit != nil && p.edit.focused() }

func (p *triggersPage) open() *sheet { return &p.edit.sheet }

func (p *triggersPage) leave(a *app) {
	if p.edit != nil {
		p.edit.leave(a)
	}
}

func (p *triggersPage) fieldKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	taken := p.edit.take(a, k)
	p.edit.refresh(a)
	return nil, taken
}

func (p *triggersPage) fieldHelp(a *app) string { return p.edit.help(a) }

func (p *triggersPage) paste(a *app, text string) tea.Cmd {
	if p.edit == nil || !p.edit.focused() {
		a.say = "There is no field here to paste into: Enter opens a trigger, Tab enters a field."
		return nil
	}
	p.edit.paste(a, text)
	p.edit.refresh(a)
	return nil
}

// goTo opens the form at the field of a key, if it is of an item that there is.
func (p *triggersPage) goTo(a *app, k string) {
	list, _, _ := strings.Cut(k, ".")
	if a.item(list, itemOf(k)) < 0 {
		return
	}
	p.hide()
	p.selectItem(a, list, itemOf(k))
	if p.edit == nil || p.edit.list != list || p.edit.name != itemOf(k) {
		p.edit = newEditing(a, list, itemOf(k))
	}
	p.edit.goTo(a, k)
}

// follow keeps the form on its item in a newer configuration: old is the draft on
// the one before, which may have renamed it.
func (p *triggersPage) follow(a *app, old *config.Draft, s config.Settings) {
	e := p.edit
	switch {
	case e == nil || itemIn(s.Config, e.list, e.name) >= 0:
		return
	case old != nil:
		if name := strings.TrimSpace(old.Raw(e.list + "." + e.name + ".name")); itemIn(s.Config, e.list, name) >= 0 {
			e.name = name
			return // its keys follow with reload
		}
	}
	p.edit = nil
}

// reload takes the form's text from a draft that is new.
func (p *triggersPage) reload(a *app) {
	if e := p.edit; e != nil {
		if e.form.at >= len(e.keys) {
			e.form.at = -1
		}
		if e.focused() && itemOf(e.form.key()) != e.name { // it was renamed
			e.keys[e.form.at] = e.list + "." + e.name + "." + leafOf(e.form.key())
			if e.week != nil {
				e.week.key = e.form.key()
			}
		}
		e.refresh(a)
		e.sheet.reload(a)
	}
}

func (p *triggersPage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	if p.walk != nil && p.walkKey(a, k) {
		return nil, true
	}
	if p.edit != nil {
		return nil, p.editKey(a, k)
	}
	es := p.entries(a)
	switch {
	case p.list.key(k, len(es), p.rows):
		return nil, true
	case key.Matches(k, keys.AddTrigger):
		p.add(a, triggersKey)
		return nil, true
	case key.Matches(k, keys.AddTransfer):
		p.add(a, transfersKey)
		return nil, true
	case p.sel >= len(es) || a.draft == nil:
		return nil, noField(a, k)
	}
	e := es[p.sel]
	switch {
	case key.Matches(k, keys.Edit):
		p.edit = newEditing(a, e.list, e.name)
	case key.Matches(k, keys.Fire) && e.list == triggersKey:
		if t, ok := a.stateOf(e.name); ok {
			a.fireThis(t)
		} else {
			a.say = "The engine has not told of this trigger yet."
		}
	case key.Matches(k, keys.Fire):
		a.say = "A transfer cannot be fired: choose a trigger."
	case key.Matches(k, keys.Switch) && e.list == triggersKey:
		return p.switchTrigger(a, e.name), true
	case key.Matches(k, keys.Copy):
		return p.copyItem(a, e.list, e.name), true
	case key.Matches(k, keys.MoveUp):
		return p.shift(a, e.list, e.name, -1), true
	case key.Matches(k, keys.MoveDown):
		return p.shift(a, e.list, e.name, 1), true
	case key.Matches(k, keys.Delete) && e.list == triggersKey:
		a.say = "Counting what is kept of it."
		return a.countKept(event.Filter{Trigger: e.name}, forDelete), true
	case key.Matches(k, keys.Delete):
		p.deleteTransfer(a, e.name)
	default:
		return nil, noField(a, k)
	}
	return nil, true
}

// editKey takes a key while the form is open and no field of it is focused.
func (p *triggersPage) editKey(a *app, k tea.KeyPressMsg) bool {
	switch {
	case key.Matches(k, keys.Leave):
		p.edit = nil
		if n := a.unsavedOn(triggersAt); n > 0 {
			a.say = plural(n, "unsaved change") + " on this page: w saves, u takes the last one back."
		}
	case p.edit.enter(a, k):
	case editKey(k):
		a.say = "Tab or Enter enters a field; Esc closes the form."
	default:
		return false
	}
	return true
}

func (p *triggersPage) bindings(a *app) []key.Binding {
	switch es := p.entries(a); {
	case p.edit != nil && p.edit.focused():
		return p.edit.bindings(a)
	case p.walk != nil:
		return p.walkBindings()
	case p.edit != nil && p.edit.list == transfersKey:
		return []key.Binding{bind("tab", "fields", "tab"), keys.Diagnose, keys.Save, keys.Undo, bind("esc", "close", "esc"), keys.Quit}
	case p.edit != nil:
		return []key.Binding{bind("tab", "fields", "tab"), keys.Save, keys.Undo, bind("esc", "close", "esc"), keys.Quit}
	case len(es) == 0:
		return []key.Binding{keys.AddTrigger, keys.AddTransfer, keys.Quit}
	case p.sel < len(es) && es[p.sel].list == transfersKey:
		return []key.Binding{keys.Edit, keys.Diagnose, keys.AddTrigger, keys.AddTransfer, keys.Copy, keys.Delete, keys.Move}
	}
	return []key.Binding{keys.Edit, keys.AddTrigger, keys.AddTransfer, keys.Copy, keys.Delete, keys.Switch, keys.Move, keys.FireThis}
}

func (p *triggersPage) hint(a *app) string {
	n, names := a.unsavedOn(triggersAt), a.conflictsOn(triggersAt)
	switch {
	case p.walk != nil && !p.walk.over:
		return "Triggers go on meanwhile."
	case p.walk != nil && len(p.walk.steps) > 0:
		return "Up and down show all that a step told."
	case len(names) > 0:
		return "Changed elsewhere as well: " + strings.Join(names, ", ") + ". Enter the field to see the other value; u takes it."
	case n > 0:
		return plural(n, "unsaved change") + " on this page: w saves, u takes the last one back."
	case p.edit != nil:
		return "Tab or Enter enters the first field; Esc goes back to the list."
	case len(a.settings.Config.Triggers) == 0 && a.known:
		return "Nothing is watched for yet: a adds a trigger."
	case a.status.Privacy.On:
		return "Privacy mode is on since " + since(a.status.Privacy.Since, a.clock()) + by(a.status.Privacy.By) + ": no trigger fires. P switches it off."
	}
	return ""
}
