package tui

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"watchpost/engine/config"
)

// A field that was changed here, unsaved, and elsewhere too is in conflict until
// it is saved, taken back, or edited to what stands elsewhere.

// rebase puts the draft's changes on top of newer settings. What a field held
// before that is no step of undo any more where it was changed elsewhere: the
// one step of a field in conflict takes the other side's value.
func (a *app) rebase(s config.Settings) {
	p := a.mailPage()
	before, now := config.NewDraft(a.settings), config.NewDraft(s)
	news := changedElsewhere(a.settings, s)
	was := a.settings.Config
	a.triggersPage().follow(a, a.draft, s)
	a.settings = s
	a.draft.Rebase(s)
	var names []string
	for _, k := range mailFields {
		if !differs(before, now, k) {
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
		names = append(names, label(k))
	}
	others, gone := a.rebaseOthers(before, now, was)
	names = append(names, others...)
	if reflect.DeepEqual(was, s.Config) && len(names)+len(gone) == 0 && a.fileIsWrong() {
		news = "The file was changed elsewhere and has errors: what was in force before stays."
	}
	changed := p.changed
	p.reload(a)
	a.reloadOthers()
	if p.focused() && p.conflicts[p.focusedKey()] {
		p.changed = changed // what is typed on is the same step
	}
	switch {
	case len(names) > 0:
		a.say = "Changed elsewhere as well: " + strings.Join(names, ", ") + ". Yours stand here, unsaved; ^u in a field takes the other value, ^w saves yours."
	case p.saving: // it is what is being saved
	case len(gone) > 0:
		a.say = strings.Join(gone, ", ") + " is gone: it was deleted or renamed elsewhere, and your unsaved changes to it with it."
	case a.unsaved() > 0:
		a.say = news + " Your changes are kept; ^w saves them."
	default:
		a.say = news
	}
}

// fileIsWrong reports whether the configuration's file has errors, so that a copy is in force.
func (a *app) fileIsWrong() bool {
	return slices.ContainsFunc(a.status.Findings, func(f string) bool { return !strings.Contains(f, ": warning: ") })
}

// inConflict lists the fields in conflict, in the order of the page.
func (p *mailPage) inConflict() []string {
	var out []string
	for _, k := range mailFields {
		if p.conflicts[k] {
			out = append(out, k)
		}
	}
	return out
}

// overwrites names the fields in conflict, for the question before a save; empty
// where there is none.
func (p *mailPage) overwrites() string {
	var names []string
	for _, k := range p.inConflict() {
		names = append(names, label(k))
	}
	return strings.Join(names, ", ")
}

// otherValue says what stands elsewhere in a field in conflict.
func (a *app) otherValue(k string) string {
	f, _ := config.Lookup(k)
	raw := config.NewDraft(a.settings).Raw(k)
	switch {
	case f.Secret:
		return "Changed elsewhere as well; ^u takes that one."
	case raw == "":
		return "Now empty elsewhere; ^u empties it here."
	}
	return "Now " + clean(raw) + " elsewhere; ^u takes that one."
}

// differs reports whether a field is not the same on both sides; of a secret
// only whether there is one is known.
func differs(before, now *config.Draft, k string) bool {
	return k != "" && (before.Raw(k) != now.Raw(k) || before.SecretSet(k) != now.SecretSet(k))
}

// changedElsewhere tells which fields another one changed.
func changedElsewhere(from, to config.Settings) string {
	before, now := config.NewDraft(from), config.NewDraft(to)
	var keys, names []string
	for _, k := range fieldKeys() {
		if differs(before, now, k) {
			keys, names = append(keys, k), append(names, label(k))
		}
	}
	switch {
	case len(keys) == 0 && itemsChanged(from, to, before, now) != "":
		return itemsChanged(from, to, before, now)
	case len(keys) == 0:
		return "The file was changed elsewhere; no field of these pages is another one."
	case len(keys) > 3:
		return fmt.Sprintf("%s and %d more fields were changed elsewhere.", strings.Join(names[:2], ", "), len(names)-2)
	case len(keys) > 1:
		return strings.Join(names, ", ") + " were changed elsewhere."
	}
	value := "it is empty now"
	switch f, _ := config.Lookup(keys[0]); {
	case f.Secret && now.SecretSet(keys[0]):
		value = "another one is saved"
	case f.Secret:
		value = "none is saved now"
	case now.Raw(keys[0]) != "":
		value = clean(now.Raw(keys[0]))
	}
	return names[0] + " was changed elsewhere: " + value + "."
}
