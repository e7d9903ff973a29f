package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// privacyActive is when privacy mode is on by itself.
const privacyActive = "privacy.active"

// The fields of the Camera and the System page; an empty one is a gap.
var (
	cameraFields = []string{"camera.source", "camera.width", "camera.height", "camera.fps", "camera.buffer", "camera.absorb"}
	systemFields = []string{
		"site.name", "site.time_zone", "site.holidays", "",
		privacyActive, "privacy.line", "",
		"storage.directory", "storage.max_bytes", "storage.max_age", "",
		"ssh.listen", "ssh.authorized_keys", "ssh.password", "serial", "console.password",
	}
)

// settings is what the Camera and the System page have in common: a sheet of
// fields that are always the same, over what there is to tell.
type settings struct {
	sheet
	page int
}

func newSettings(a *app, page int, fields []string) *settings {
	return &settings{sheet: newSheet(a, fields), page: page}
}

func (p *settings) opened(*app) tea.Cmd { return nil }

func (p *settings) fieldKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) { return nil, p.take(a, k) }

func (p *settings) fieldHelp(a *app) string { return p.help(a) }

// key takes a key while no field is focused.
func (p *settings) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	switch {
	case a.draft == nil && (key.Matches(k, keys.Enter, keys.Next, keys.Prev) || editKey(k)):
		a.say = "The configuration is not known yet: the engine has not answered."
	case p.enter(a, k):
	case key.Matches(k, keys.Leave):
		a.say = "Nothing to leave here; q leaves Watchpost."
	case editKey(k):
		a.say = "Tab or Enter enters a field."
	default:
		return nil, false
	}
	return nil, true
}

func (p *settings) bindings(a *app) []key.Binding {
	if p.focused() {
		return p.sheet.bindings(a)
	}
	return []key.Binding{bind("tab", "fields"), keys.Save, keys.Undo, keys.Quit}
}

// hint says what is unsaved or in conflict on the page, else what is passed to it.
func (p *settings) hint(a *app, other string) string {
	switch names := a.conflictsOn(p.page); {
	case len(names) > 0:
		return "Changed elsewhere as well: " + strings.Join(names, ", ") + ". Enter the field to see the other value; u takes it."
	case a.unsavedOn(p.page) > 0:
		return plural(a.unsavedOn(p.page), "unsaved change") + " on this page: w saves, u takes the last one back."
	}
	return other
}

// draws draws the fields and below them the tail, or where there is no room for
// it the short one; the fields are scrolled then.
func (p *settings) draws(a *app, w, h int, tail, short []string) ([]string, *tea.Position) {
	if lines, cursor := p.over(a, w, h); lines != nil {
		return lines, cursor
	}
	if a.draft == nil {
		return append([]string{"", "  Waiting for the engine to tell the configuration.", ""}, tail...)[:min(h, len(tail)+3)], nil
	}
	fields := 0
	for _, k := range p.keys {
		if k != "" {
			fields++
		}
	}
	if fields+1+len(tail) > h {
		tail = short
	} else {
		tail = append([]string{""}, tail...)
	}
	lines, cursor := p.form.body(a, w, max(1, h-len(tail)))
	return append(lines, tail...), cursor
}
