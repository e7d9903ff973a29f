package tui

import (
	"fmt"
	"slices"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// picker is a list to choose a field's value from, narrowed by what is typed.
type picker struct {
	list
	field string
	begun line
	like  func(begun string) []string
	found []string
	rows  int
}

// newPicker begins with what the field holds: at it, where it is one of the list,
// else narrowed by it.
func newPicker(field, now string, like func(string) []string) *picker {
	p := &picker{field: field, begun: newLine(now, false), like: like}
	if all := like(""); slices.Contains(all, now) {
		p.begun, p.found = newLine("", false), all
		p.sel = slices.Index(all, now)
	} else {
		p.found = like(now)
	}
	return p
}

// press takes a key; closed: the list is left.
func (p *picker) press(a *app, f *form, k tea.KeyPressMsg) (closed, taken bool) {
	switch {
	case key.Matches(k, keys.Leave):
		return true, true
	case key.Matches(k, keys.Enter) && len(p.found) == 0:
		a.say = "None begins so: Backspace widens the list."
	case key.Matches(k, keys.Enter):
		f.changed = false
		a.mailPage().set(a, p.field, held{raw: p.found[p.sel]}, false)
		f.load(a, true)
		return true, true
	case k.Text != "" && !k.Mod.Contains(tea.ModAlt) && !k.Mod.Contains(tea.ModCtrl):
		p.begun.insert(k.Text)
		p.narrow()
	case slices.Contains([]string{"backspace", "ctrl+h"}, k.String()):
		p.begun.key("backspace")
		p.narrow()
	case key.Matches(k, keys.Empty):
		p.begun = newLine("", false)
		p.narrow()
	case p.list.key(k, len(p.found), p.rows):
	default:
		return false, key.Matches(k, keys.Up, keys.Down, keys.PageUp, keys.PageDown, keys.First, keys.Last)
	}
	return false, true
}

func (p *picker) narrow() {
	p.found = p.like(p.begun.String())
	p.sel, p.top = 0, 0
}

func (p *picker) body(w, h int) ([]string, *tea.Position) {
	const at = 2
	text, x := p.begun.view(min(30, w-valueAt-24))
	name := fit(label(p.field), valueAt-at)
	lines := []string{fit("  "+name+text, w-22) + fmt.Sprintf("%d to choose from", len(p.found)), ""}
	p.rows = max(1, h-len(lines))
	if len(p.found) == 0 {
		return append(lines, "  None begins so."), &tea.Position{X: valueAt + x}
	}
	return append(lines, p.draw(p.found, w, p.rows)...), &tea.Position{X: valueAt + x}
}
