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
		if ofItem(ch.Key) == (at == triggersAt) {
			n++
		}
	}
	return n
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
	if f, ok := a.draft.Blocking(); ok && ofItem(f.Key) && !p.saving {
		cmd := a.toTriggers()
		a.triggersPage().goTo(a, f.Key)
		a.say = "Not saved: " + itemOf(f.Key) + ": " + finding(f, a.draft.Raw(f.Key) != "")
		return cmd
	} else if a.at != triggersAt || ok {
		return a.savingItems(a.onMail(p.save))
	}
	return a.savingItems(p.save(a))
}

// test sends a test mail, which saves first; what is in conflict is settled before.
func (a *app) test() tea.Cmd {
	if names := a.itemConflicts(); len(names) > 0 {
		a.say = "No test mail sent, for it saves first: " + strings.Join(names, ", ") + " was changed elsewhere as well. w saves yours, u on page 3 takes the other."
		return nil
	}
	return a.onMail(a.mailPage().test)
}

// savingItems has the Mail page remember what the fields of triggers and
// transfers held when a save began, so that what is typed meanwhile stays.
func (a *app) savingItems(cmd tea.Cmd) tea.Cmd {
	if p := a.mailPage(); p.saving && cmd != nil {
		for _, k := range itemKeys(a.settings.Config) {
			p.sent[k] = heldIn(a.draft, k)
		}
	}
	return cmd
}

// saveItems asks first where fields of triggers or transfers are in conflict, then saves.
func (a *app) saveItems() tea.Cmd {
	names := a.itemConflicts()
	if len(names) == 0 {
		return a.save()
	}
	a.qu = yesNo("Save over what was changed elsewhere? "+strings.Join(names, ", "), "save mine", "no", func() tea.Cmd {
		if now := a.itemConflicts(); !slices.Equal(now, names) { // changed while it was asked
			return a.saveItems()
		}
		return a.save()
	})
	return nil
}

// applied takes what became of a save; a field of a trigger or a transfer that was
// refused is gone to.
func (a *app) applied(m appliedMsg) tea.Cmd {
	cmd := a.mailPage().done(a, m)
	if !errors.Is(m.err, config.ErrRefused) {
		return cmd
	}
	for _, f := range m.findings {
		if f.Level == config.Error {
			if list, _, _ := strings.Cut(f.Key, "."); ofItem(f.Key) && a.item(list, itemOf(f.Key)) >= 0 {
				cmd = tea.Batch(cmd, a.toTriggers())
				a.triggersPage().goTo(a, f.Key)
			}
			break
		}
	}
	return cmd
}

// itemConflicts names the fields of triggers and transfers that were changed on
// both sides.
func (a *app) itemConflicts() []string {
	var out []string
	for _, k := range itemKeys(a.settings.Config) {
		if a.mailPage().conflicts[k] {
			out = append(out, itemOf(k)+" "+label(k))
		}
	}
	return out
}

func (a *app) toTriggers() tea.Cmd {
	if a.at == triggersAt {
		return nil
	}
	return a.open(triggersAt)
}

// takeBack takes back the last change: on the Triggers page that of a trigger or
// a transfer, on others the last one of all, shown on the Mail page.
func (a *app) takeBack() tea.Cmd {
	if a.at != triggersAt || a.draft == nil {
		return a.onMail(a.mailPage().takeBack)
	}
	p, m := a.triggersPage(), a.mailPage()
	for i := len(m.undo) - 1; i >= 0; i-- {
		if !ofItem(m.undo[i].key) {
			continue
		}
		k := m.undo[i].key
		m.takeBackAt(a, i)
		a.say = itemOf(k) + ": " + a.say
		p.reload(a)
		return nil
	}
	if !p.takeBack(a) {
		a.say = "Nothing to undo on this page since the last save."
	}
	return nil
}

// rebaseItems is what rebase does for triggers and transfers: fields changed on
// both sides are in conflict, what was typed for one that is gone goes with it.
// It returns the names of the fields in conflict, and those of what is gone.
func (a *app) rebaseItems(before, now *config.Draft, was config.Config) (names, gone []string) {
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
	for _, k := range itemKeys(a.settings.Config) {
		list, _, _ := strings.Cut(k, ".")
		if itemIn(was, list, itemOf(k)) < 0 || !differs(before, now, k) {
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
		names = append(names, itemOf(k)+" "+label(k))
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
