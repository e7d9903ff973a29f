package tui

import (
	"errors"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
)

// The draft belongs to all pages that edit: what is unsaved on one is saved with
// what is unsaved on another, since they are judged together.

// editor is a page with fields. While one is focused it takes the keys first.
type editor interface {
	focused() bool
	fieldKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool)
	fieldHelp(a *app) string
	paste(a *app, text string) tea.Cmd
	leave(a *app)
}

// editor is that of the open page; nil where it has none.
func (a *app) editor() editor {
	e, _ := a.pages[a.at].(editor)
	return e
}

// focusedEditor is the open page's while a field is focused; else nil.
func (a *app) focusedEditor() editor {
	if e := a.editor(); e != nil && e.focused() {
		return e
	}
	return nil
}

// unsavedOn counts the changed fields that a page edits.
func (a *app) unsavedOn(at int) int {
	if a.draft == nil {
		return 0
	}
	n := 0
	for _, ch := range a.draft.Changes() {
		if pageOf(ch.Key) == at {
			n++
		}
	}
	return n
}

// pageOf is the page that edits a field.
func pageOf(k string) int {
	switch {
	case ofItem(k):
		return triggersAt
	case slices.Contains(cameraFields, k):
		return cameraAt
	case slices.Contains(systemFields, k):
		return systemAt
	}
	return mailAt
}

// fieldKeys are the keys of all fields that no list has, page by page.
func fieldKeys() []string {
	return slices.DeleteFunc(slices.Concat(mailFields, cameraFields, systemFields), func(k string) bool { return k == "" })
}

// otherKeys are the keys of all fields but those of the Mail page.
func otherKeys(c config.Config) []string {
	return slices.DeleteFunc(slices.Concat(itemKeys(c), fieldKeys()), func(k string) bool { return pageOf(k) == mailAt })
}

// named is a field's name with the item that it is of.
func named(k string) string {
	if ofItem(k) {
		return itemOf(k) + " " + label(k)
	}
	return label(k)
}

// unsavedOf counts the changed fields of one trigger or transfer.
func (a *app) unsavedOf(list, name string) int {
	n := 0
	for _, ch := range a.draft.Changes() {
		if strings.HasPrefix(ch.Key, list+"."+name+".") {
			n++
		}
	}
	return n
}

// save saves the draft from whatever page is open. A field that is in the way is
// gone to, on its page.
func (a *app) save() tea.Cmd {
	if a.draft == nil {
		return a.onMail(a.mailPage().save) // it says that nothing is known
	}
	p := a.mailPage()
	if f, ok := a.draft.Blocking(); ok && pageOf(f.Key) == mailAt || !edits(a.at) {
		return a.savingOthers(a.onMail(p.save)) // which goes to what is in the way
	}
	return a.savingOthers(p.save(a))
}

// edits reports whether a page has fields of the draft.
func edits(at int) bool { return at == mailAt || at == triggersAt || at == cameraAt || at == systemAt }

// toField goes to a field on its page.
func (a *app) toField(k string) tea.Cmd {
	at := pageOf(k)
	var cmd tea.Cmd
	if a.at != at {
		cmd = a.open(at)
	}
	switch p := a.pages[at].(type) {
	case *mailPage:
		p.focusKey(a, k)
	case *triggersPage:
		p.goTo(a, k)
	case *cameraPage:
		p.goTo(a, k)
	case *systemPage:
		p.all = false
		p.goTo(a, k)
	}
	return cmd
}

// reloadOthers takes the texts of the forms from a draft that is new; the Mail
// page's are not among them.
func (a *app) reloadOthers() {
	a.triggersPage().reload(a)
	a.pages[cameraAt].(*cameraPage).reload(a)
	a.pages[systemAt].(*systemPage).reload(a)
}

// test sends a test mail, which saves first; what is in conflict is settled before.
func (a *app) test() tea.Cmd {
	if names := a.otherConflicts(); len(names) > 0 {
		a.say = "No test mail sent, for it saves first: " + strings.Join(names, ", ") + " was changed elsewhere as well. w saves yours, u on its page takes the other."
		return nil
	}
	return a.onMail(a.mailPage().test)
}

// savingOthers has the Mail page remember what the fields of other pages held when
// a save began, so that what is typed meanwhile stays.
func (a *app) savingOthers(cmd tea.Cmd) tea.Cmd {
	if p := a.mailPage(); p.saving && cmd != nil {
		for _, k := range otherKeys(a.settings.Config) {
			p.sent[k] = heldIn(a.draft, k)
		}
	}
	return cmd
}

// saveAll asks first where fields of other pages than the Mail page are in conflict, then saves.
func (a *app) saveAll() tea.Cmd {
	names := a.otherConflicts()
	if len(names) == 0 {
		return a.save()
	}
	a.qu = yesNo("Save over what was changed elsewhere? "+strings.Join(names, ", "), "save mine", "no", func() tea.Cmd {
		if now := a.otherConflicts(); !slices.Equal(now, names) { // changed while it was asked
			return a.saveAll()
		}
		return a.save()
	})
	return nil
}

// applied takes what became of a save; a field of another page than the Mail page
// that was refused is gone to.
func (a *app) applied(m appliedMsg) tea.Cmd {
	cmd := a.mailPage().done(a, m)
	if !errors.Is(m.err, config.ErrRefused) {
		return cmd
	}
	for _, f := range m.findings {
		if f.Level == config.Error {
			say := a.say
			if list, _, _ := strings.Cut(f.Key, "."); pageOf(f.Key) != mailAt && (!ofItem(f.Key) || a.item(list, itemOf(f.Key)) >= 0) {
				cmd = tea.Batch(cmd, a.toField(f.Key))
			}
			a.say = say
			break
		}
	}
	return cmd
}

// otherConflicts names the fields that were changed on both sides, of all pages
// but the Mail page.
func (a *app) otherConflicts() []string {
	return slices.Concat(a.conflictsOn(triggersAt), a.conflictsOn(cameraAt), a.conflictsOn(systemAt))
}

// conflictsOn are those of one page.
func (a *app) conflictsOn(at int) []string {
	var out []string
	for _, k := range otherKeys(a.settings.Config) {
		if a.mailPage().conflicts[k] && pageOf(k) == at {
			out = append(out, named(k))
		}
	}
	return out
}

// takeBack takes back the last change: on a page with fields that of one of its
// own, on the Mail page and on others the last one of all, shown on the Mail page.
func (a *app) takeBack() tea.Cmd {
	if p := a.cameraPage(); a.at == cameraAt && p.goesOn(a) {
		return p.zones.takeBack(a)
	}
	if a.at == mailAt || !edits(a.at) || a.draft == nil {
		return a.onMail(a.mailPage().takeBack)
	}
	m := a.mailPage()
	for i := len(m.undo) - 1; i >= 0; i-- {
		k := m.undo[i].key
		if pageOf(k) != a.at {
			continue
		}
		m.takeBackAt(a, i)
		if ofItem(k) {
			a.say = itemOf(k) + ": " + a.say
		}
		a.reloadOthers()
		return nil
	}
	if a.at != triggersAt || !a.triggersPage().takeBack(a) {
		a.say = "Nothing to undo on this page since the last save."
	}
	return nil
}

// rebaseOthers is what rebase does for the fields of other pages than the Mail page:
// those changed on both sides are in conflict, what was typed for a trigger or a
// transfer that is gone goes with it. It returns the names of the fields in conflict,
// and those of what is gone.
func (a *app) rebaseOthers(before, now *config.Draft, was config.Config) (names, gone []string) {
	p := a.mailPage()
	for _, list := range []string{triggersKey, transfersKey} {
		for _, ch := range a.draft.Changes() {
			if strings.HasPrefix(ch.Key, list+".") && a.item(list, itemOf(ch.Key)) < 0 {
				a.forget(list, itemOf(ch.Key))
				if name := clean(itemOf(ch.Key)); !slices.Contains(gone, name) {
					gone = append(gone, name)
				}
			}
		}
	}
	for _, k := range otherKeys(a.settings.Config) {
		list, _, _ := strings.Cut(k, ".")
		if ofItem(k) && itemIn(was, list, itemOf(k)) < 0 || !differs(before, now, k) {
			continue
		}
		p.undo = slices.DeleteFunc(p.undo, func(u undoStep) bool { return u.key == k })
		delete(p.conflicts, k)
		if !a.draft.Changed(k) {
			continue
		}
		if p.conflicts == nil {
			p.conflicts = map[string]bool{}
		}
		p.conflicts[k] = true
		p.undo = append(p.undo, undoStep{key: k, held: heldIn(now, k)})
		names = append(names, named(k))
	}
	return names, gone
}

// itemsChanged tells which triggers and transfers another one changed; empty: none.
func itemsChanged(from, to config.Settings, before, now *config.Draft) string {
	var names []string
	say := func(name string) {
		if name = clean(name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, s := range []struct{ a, b config.Settings }{{from, to}, {to, from}} { // gone, new
		for _, t := range s.a.Config.Triggers {
			if itemIn(s.b.Config, triggersKey, t.Name) < 0 {
				say(t.Name)
			}
		}
		for _, t := range s.a.Config.Transfers {
			if itemIn(s.b.Config, transfersKey, t.Name) < 0 {
				say(t.Name)
			}
		}
	}
	for _, k := range itemKeys(to.Config) {
		if differs(before, now, k) {
			say(itemOf(k))
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case len(names) > 3:
		return plural(len(names), "trigger") + " or transfers were changed elsewhere."
	case len(names) > 1:
		return strings.Join(names, ", ") + " were changed elsewhere."
	}
	return names[0] + " was changed elsewhere."
}

// helpKey is the key for the help: another one while a field is focused.
func (a *app) helpKey() key.Binding {
	if a.focusedEditor() != nil {
		return keys.FieldHelp
	}
	return keys.Help
}
