package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// What is done with whole triggers and transfers: add, copy, move, delete. Each is
// saved at once on the revision that it was chosen on, so that it is never mixed
// with fields that are half typed, and never done to a list that another one has
// changed meanwhile. The fields that are changed and unsaved stay so.

// listed says what a change of a list is for.
type listed struct {
	list   string // triggers, transfers
	did    string // a sentence
	undone string // what taking it back comes to: "yard is there again"
	open   string // the item to open then; empty: none
	sel    string // the item to select; empty: as it is
	gone   string // the item that was deleted
	kept   event.Kept
	before string          // the list as it was
	back   []config.Change // to make with that
	lost   bool            // a password went, which taking back cannot bring again
}

type listedMsg struct {
	listed
	settings config.Settings
	err      error
}

// lastList is how to take the last change of a list back.
type lastList struct {
	listed
	revision string // only as long as this is in force
}

type keptMsg struct {
	filter event.Filter
	kept   event.Kept
	err    error
	to     counting
}

// counting is what events are counted for.
type counting int

const (
	forDelete counting = iota // of their trigger
	forRemove
	forExport
)

type removedMsg struct {
	n   int
	err error
}

func (c calls) applyList(revision string, changes []config.Change, l listed) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		s, _, err := c.b.Apply(ctx, revision, changes)
		return listedMsg{l, s, err}
	})
}

func (c calls) countKept(f event.Filter, to counting) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		k, err := c.b.Kept(ctx, f)
		return keptMsg{f, k, err, to}
	})
}

func (c calls) removeEvents(f event.Filter) tea.Cmd {
	return c.within(retryTime, func(ctx context.Context) tea.Msg {
		n, err := c.b.RemoveEvents(ctx, f)
		return removedMsg{n, err}
	})
}

// ListText is a list of a configuration as a change of it has it.
func ListText(c config.Config, list string) string {
	if s := config.NewDraft(config.Settings{Config: c}).Raw(list); s != "" {
		return s
	}
	return "[]"
}

// relist saves c's list in place of the one in force.
func (a *app) relist(c config.Config, l listed, more ...config.Change) tea.Cmd {
	l.before = ListText(a.settings.Config, l.list)
	a.say = "Saving."
	return a.applyList(a.settings.Revision, append([]config.Change{{Key: l.list, Value: ListText(c, l.list)}}, more...), l)
}

func (a *app) withItem(list, what, name string) config.Config {
	return WithItem(a.settings.Config, list, what, name)
}

// WithItem is a configuration with one more item, of the values that its fields have by
// themselves. what is a trigger's source, a transfer's kind.
func WithItem(c config.Config, list, what, name string) config.Config {
	if list == triggersKey {
		t := config.ExampleTrigger()
		t.Name, t.Source = name, event.Source(what)
		t.Notify = t.Source != event.Timer
		c.Triggers = append(slices.Clone(c.Triggers), t)
		return c
	}
	one, _, _ := config.PatchFor(config.Default(), config.Secrets{}, []config.Change{{Key: list, Value: fmt.Sprintf("[{name: %s, kind: %s}]", name, what)}})
	c.Transfers = append(slices.Clone(c.Transfers), one.Transfers...)
	return c
}

// freeName is a name that no item of the list has, like the one that is wanted.
func (a *app) freeName(list, want string) string {
	taken := func(s string) bool {
		c := a.drafted()
		for _, c := range []config.Config{a.settings.Config, c} { // saved, and as typed
			for _, t := range c.Triggers {
				if list == triggersKey && strings.EqualFold(t.Name, s) {
					return true
				}
			}
			for _, t := range c.Transfers {
				if list == transfersKey && strings.EqualFold(t.Name, s) {
					return true
				}
			}
		}
		return false
	}
	name := want
	for i := 2; taken(name); i++ {
		end := fmt.Sprintf(" %d", i)
		r := []rune(want)
		name = string(r[:min(len(r), 32-len(end))]) + end
	}
	return name
}

// full says that no more can be added to a list.
func (a *app) full(list string) bool {
	switch {
	case a.draft == nil:
		a.say = "The configuration is not known yet: the engine has not answered."
	case len(a.status.Findings) > 0:
		a.say = "Nothing can be added while the configuration file has errors: 7 System shows them."
	case list == triggersKey && len(a.settings.Config.Triggers) >= config.MaxTriggers:
		a.say = fmt.Sprintf("There are %d triggers, and no more can be added.", config.MaxTriggers)
	case list == transfersKey && len(a.settings.Config.Transfers) >= config.MaxTransfers:
		a.say = fmt.Sprintf("There are %d transfers, and no more can be added.", config.MaxTransfers)
	default:
		return false
	}
	return true
}

// add asks for the source of a new trigger, or the kind of a new transfer.
func (p *triggersPage) add(a *app, list string) {
	if a.full(list) {
		return
	}
	saved := func(what, say string) func() tea.Cmd {
		return func() tea.Cmd {
			name := a.freeName(list, what)
			return a.relist(a.withItem(list, what, name), listed{list: list, did: "Saved and in force: " + name + ". " + say, undone: name + " is taken away", open: name, sel: name})
		}
	}
	q := &question{text: "Add a trigger of which source? It is in force at once, and edited then."}
	if list == triggersKey {
		q.text += " e, b, s: inputs are not read yet."
		for _, s := range sources {
			q.options = append(q.options, option{s.key, s.label, saved(string(s.source), "Tab enters its fields; w saves what is changed.")})
		}
	} else {
		q.text = "Add a transfer of which kind? Nothing goes there until a trigger names it."
		for _, s := range transferKinds {
			q.options = append(q.options, option{s.key, s.kind, saved(s.kind, "Tab enters its fields; w saves. Then choose it in a trigger.")})
		}
	}
	q.options = append(q.options, option{"n", "none", nil})
	a.qu = q
}

// copyItem adds another one like an item, with what is changed in it and unsaved.
func (p *triggersPage) copyItem(a *app, list, name string) tea.Cmd {
	i := a.item(list, name)
	if a.full(list) || i < 0 {
		return nil
	}
	c, drafted := a.settings.Config, a.drafted()
	other := a.freeName(list, name)
	l := listed{list: list, did: "Saved and in force: " + clean(other) + ", like " + clean(name) + ". Tab enters its fields.", undone: clean(other) + " is taken away", open: other, sel: other}
	if list == triggersKey {
		t := drafted.Triggers[i]
		t.Name = other
		c.Triggers = slices.Insert(slices.Clone(c.Triggers), i+1, t)
	} else {
		t := drafted.Transfers[i]
		t.Name = other
		c.Transfers = slices.Insert(slices.Clone(c.Transfers), i+1, t)
		if a.draft.SecretSet(list + "." + name + ".password") {
			l.did += " Its password is not copied: type it."
		}
	}
	return a.relist(c, l)
}

// switchTrigger has a trigger on or off.
func (p *triggersPage) switchTrigger(a *app, name string) tea.Cmd {
	i := a.item(triggersKey, name)
	if i < 0 {
		return nil
	}
	on, word := !a.settings.Config.Triggers[i].Enabled, "off"
	if on {
		word = "on"
	}
	l := listed{list: triggersKey, did: clean(name) + " is " + word + ".", undone: clean(name) + " is as it was", sel: name,
		before: ListText(a.settings.Config, triggersKey)}
	a.say = "Saving."
	return a.applyList(a.settings.Revision, []config.Change{{Key: triggersKey + "." + name + ".enabled", Value: strconv.FormatBool(on)}}, l)
}

// shift moves an item up or down in its list.
func (p *triggersPage) shift(a *app, list, name string, by int) tea.Cmd {
	c, i := a.settings.Config, a.item(list, name)
	n := len(c.Triggers)
	if list == transfersKey {
		n = len(c.Transfers)
	}
	switch to := i + by; {
	case i < 0:
		return nil
	case to < 0 || to >= n:
		a.say = clean(name) + " is " + map[bool]string{true: "first", false: "last"}[by < 0] + " already."
		return nil
	case list == triggersKey:
		c.Triggers = slices.Clone(c.Triggers)
		c.Triggers[i], c.Triggers[to] = c.Triggers[to], c.Triggers[i]
	default:
		c.Transfers = slices.Clone(c.Transfers)
		c.Transfers[i], c.Transfers[to] = c.Transfers[to], c.Transfers[i]
	}
	return a.relist(c, listed{list: list, did: clean(name) + " is moved.", undone: clean(name) + " is back in its place", sel: name})
}

// askDelete asks whether to delete a trigger of which so much is stored.
func (p *triggersPage) askDelete(a *app, m keptMsg) {
	name := m.filter.Trigger
	i := a.item(triggersKey, name)
	if i < 0 {
		return
	}
	text := "Delete " + clean(name) + "?"
	switch {
	case m.err != nil:
		text += " How many images are kept of it is not known (" + strings.TrimSuffix(because(m.err), ".") + "); they stay."
	case m.kept.Events > 0:
		text += " The store keeps " + keptText(m.kept) + " of it; whether those go too is asked next."
	default:
		text += " The store has no images of it."
	}
	a.qu = yesNo(text, "delete", "no", func() tea.Cmd {
		c := a.settings.Config
		if i = a.item(triggersKey, name); i < 0 {
			return nil
		}
		c.Triggers = slices.Delete(slices.Clone(c.Triggers), i, i+1)
		return a.relist(c, listed{list: triggersKey, did: clean(name) + " is deleted; u brings it back.", undone: clean(name) + " is there again", gone: name, kept: m.kept})
	})
}

func keptText(k event.Kept) string {
	waiting := ""
	switch {
	case k.Waiting == 1:
		waiting = "; 1 event waits for a transfer"
	case k.Waiting > 1:
		waiting = fmt.Sprintf("; %d events wait for a transfer", k.Waiting)
	}
	return fmt.Sprintf("%s with %s (%s%s)", plural(k.Events, "event"), plural(k.Images, "image"), size(k.Bytes), waiting)
}

// deleteTransfer asks whether to delete a transfer; the triggers that name it have none then.
func (p *triggersPage) deleteTransfer(a *app, name string) {
	var users []string
	var more, back []config.Change
	for _, t := range a.settings.Config.Triggers {
		if t.Transfer == name {
			users = append(users, clean(t.Name))
			k := triggersKey + "." + t.Name + ".transfer"
			more, back = append(more, config.Change{Key: k, Value: "none"}), append(back, config.Change{Key: k, Value: name})
		}
	}
	text := "Delete " + clean(name) + "?"
	if p := a.placeOf(name); p.Waiting+p.Held > 0 {
		text += fmt.Sprintf(" %s for it: held, images kept, until a transfer %s is back or page 6 drops them.", waits(p), clean(name))
	}
	if len(users) > 0 {
		text += " New images of " + strings.Join(users, ", ") + " go nowhere."
	} else {
		text += " No trigger uses it."
	}
	a.qu = yesNo(text, "delete", "no", func() tea.Cmd {
		i := a.item(transfersKey, name)
		if i < 0 {
			return nil
		}
		c := a.settings.Config
		c.Transfers = slices.Delete(slices.Clone(c.Transfers), i, i+1)
		lost := a.settings.Secrets[transfersKey+"."+name+".password"]
		return a.relist(c, listed{list: transfersKey, did: clean(name) + " is deleted; u brings it back.", undone: clean(name) + " is there again", gone: name, back: back, lost: lost}, more...)
	})
}

// relisted takes what became of a change of a list.
func (p *triggersPage) relisted(a *app, m listedMsg) tea.Cmd {
	switch {
	case errors.Is(m.err, config.ErrConflict):
		a.say = "Nothing was done: the configuration was changed elsewhere meanwhile. It is shown now; try again."
		return a.config(false)
	case m.err != nil:
		a.say = "Nothing was done: " + because(m.err)
		return nil
	}
	if m.gone != "" {
		a.forget(m.list, m.gone)
	}
	cmd := a.configured(configMsg{settings: m.settings})
	a.kept = true
	a.say = m.did
	p.last = &lastList{m.listed, m.settings.Revision}
	if m.before == "" { // it was a taking back
		p.last = nil
	}
	if m.sel != "" {
		p.selectItem(a, m.list, m.sel)
	}
	if m.open != "" && a.item(m.list, m.open) >= 0 {
		p.edit = newEditing(a, m.list, m.open)
	}
	if m.gone != "" && m.kept.Events > 0 && a.idle(triggersAt) {
		remove := func() tea.Cmd {
			a.say = "Removing."
			return a.removeEvents(event.Filter{Trigger: m.gone})
		}
		// Not the key of the question before: a second press of it must not remove.
		a.qu = &question{clean(m.gone) + " is deleted. Of it " + keptText(m.kept) + " are kept. Remove them too, for good?",
			[]option{{"r", "remove " + plural(m.kept.Events, "event"), remove}, {"k", "keep them", nil}}}
	}
	return cmd
}

// idle reports whether a page is open and nothing on it takes the keys: only then
// may a question come that was not asked for by the last key.
func (a *app) idle(at int) bool {
	return a.at == at && a.qu == nil && !a.helping && a.focusedEditor() == nil
}

// forget takes what was typed for an item out of the draft: it is gone.
func (a *app) forget(list, name string) {
	prefix := list + "." + name + "."
	p := a.mailPage()
	p.undo = slices.DeleteFunc(p.undo, func(u undoStep) bool { return strings.HasPrefix(u.key, prefix) })
	if a.draft == nil {
		return
	}
	base := config.NewDraft(a.settings)
	for _, ch := range a.draft.Changes() {
		if strings.HasPrefix(ch.Key, prefix) {
			a.draft.Set(ch.Key, base.Raw(ch.Key))
			delete(p.conflicts, ch.Key)
		}
	}
}

// takeBack asks whether to take the last change of a list back.
func (p *triggersPage) takeBack(a *app) bool {
	l := p.last
	if l == nil || l.revision != a.settings.Revision {
		return false
	}
	text := "Take it back? " + l.undone + " then."
	if l.lost {
		text += " Its password is not: type it anew."
	}
	a.qu = yesNo(text, "take back", "no", func() tea.Cmd {
		return a.applyList(a.settings.Revision, append([]config.Change{{Key: l.list, Value: l.before}}, l.back...), listed{list: l.list, did: "Taken back: " + l.undone + "."})
	})
	return true
}
