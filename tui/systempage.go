package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// systemPage edits what concerns the whole box, and tells what runs and from which
// files, and every problem. Those are whole at one key.
type systemPage struct {
	*settings
	ssh  sshKeys
	all  bool // what there is to tell, whole, in place of the fields
	from int  // first line of it that is shown
}

func newSystemPage(a *app) *systemPage {
	p := &systemPage{settings: newSettings(a, systemAt, systemFields)}
	p.judges = (*app).systemVerdict
	p.empties = func(k string) string {
		switch k {
		case "site.time_zone":
			return clean(a.status.Clock.Zone) + ", the system's"
		case "storage.directory":
			return storeDirectory(a.status)
		case "site.holidays", "privacy.line", "serial":
			return "none"
		case "ssh.authorized_keys":
			return "beside the configuration"
		}
		return ""
	}
	p.says = func(k string) string {
		switch k {
		case "storage.directory":
			return "Events, images and waiting mail are kept here. Another one is in force from the next start; nothing is moved."
		case "serial":
			return "/dev/ttyS0 115200 vt220, or rtscts behind it; a ; and the next. " + a.consolesNow()
		case privacyActive:
			return "Enter opens the week. Now: " + weekText(k, a.activeOf(k)) + "."
		}
		return ""
	}
	return p
}

// storeDirectory is the directory in force.
func storeDirectory(s event.Status) string {
	return clean(strings.TrimSuffix(s.Storage.Directory, "/events"))
}

// systemVerdict is the draft's, and says of a directory that it is not in force yet.
func (a *app) systemVerdict(k string) config.Verdict {
	v := a.verdict(k)
	if k == "storage.directory" && v.Level <= config.OK && a.directoryWaits() {
		v.Level, v.Short = config.OK, "from the next start"
	}
	return v
}

// directoryWaits reports whether another directory than the one in force is typed or saved.
func (a *app) directoryWaits() bool {
	raw := strings.TrimSpace(a.draft.Raw("storage.directory"))
	if raw == "" {
		return a.draft.Changed("storage.directory")
	}
	return a.known && strings.TrimSuffix(raw, "/") != storeDirectory(a.status)
}

func (p *systemPage) opened(a *app) tea.Cmd {
	p.all, p.from, p.ssh = false, 0, sshKeys{}
	return p.settings.opened(a)
}

func (p *systemPage) focused() bool { return p.sheet.focused() || p.ssh.add != nil }

func (p *systemPage) fieldKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	if p.ssh.add != nil {
		return nil, p.ssh.typing(a, k)
	}
	return p.settings.fieldKey(a, k)
}

func (p *systemPage) fieldHelp(a *app) string {
	if p.ssh.add != nil {
		return p.ssh.hint()
	}
	return p.settings.fieldHelp(a)
}

func (p *systemPage) paste(a *app, text string) tea.Cmd {
	if p.ssh.add != nil {
		return p.ssh.paste(a, text)
	}
	if p.ssh.open {
		a.say = "a adds a key: paste it then."
		return nil
	}
	return p.settings.paste(a, text)
}

func (p *systemPage) leave(a *app) {
	p.ssh.add = nil
	p.settings.leave(a)
}

func (p *systemPage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	switch {
	case p.ssh.open:
		return p.ssh.key(a, k)
	case key.Matches(k, keys.SSHKeys):
		return p.ssh.show(a), true
	case key.Matches(k, keys.Details):
		p.all, p.from = !p.all, 0
	case !p.all:
		return p.settings.key(a, k)
	case key.Matches(k, keys.Leave, keys.Enter):
		p.all = false
	case key.Matches(k, keys.Up):
		p.from--
	case key.Matches(k, keys.Down):
		p.from++
	case key.Matches(k, keys.PageUp):
		p.from -= 8
	case key.Matches(k, keys.PageDown):
		p.from += 8
	case key.Matches(k, keys.First):
		p.from = 0
	case key.Matches(k, keys.Last):
		p.from = len(a.details(a.w))
	default:
		return nil, false
	}
	return nil, true
}

func (p *systemPage) bindings(a *app) []key.Binding {
	switch {
	case p.ssh.open:
		return p.ssh.bindings()
	case p.focused():
		return p.sheet.bindings(a)
	case p.all:
		return []key.Binding{bind("up/down", "more"), bind("esc", "fields"), keys.Quit}
	}
	return []key.Binding{bind("tab", "fields"), keys.SSHKeys, keys.Details, keys.Save, keys.Undo, keys.Quit}
}

func (p *systemPage) hint(a *app) string {
	if p.ssh.open {
		return p.ssh.hint()
	}
	if p.all {
		return "Esc goes back to the fields."
	}
	return p.settings.hint(a, "Tab or Enter enters the first field; s shows the SSH keys, i version, files and problems.")
}

func (p *systemPage) body(a *app, w, h int) ([]string, *tea.Position) {
	if p.ssh.open {
		return p.ssh.body(a, w, h)
	}
	if p.all && !p.focused() {
		lines := a.details(w)
		p.from = max(0, min(p.from, len(lines)-h))
		return lines[p.from:min(len(lines), p.from+h)], nil
	}
	const fields = 13 // and a line between
	tail := a.problemsIn(w, max(3, h-fields-1))
	short := a.problemsIn(w, 3)
	if tail == nil {
		tail = a.facts(w, false)
		short = pairs(w, "Version", clean(a.status.Version)+"; no problems")
	}
	return p.draws(a, w, h, tail, short)
}

// facts are what there is to tell of the box: in short a line each, or whole.
func (a *app) facts(w int, whole bool) []string {
	s := a.status
	path := clean(a.settings.Path)
	if path == "" {
		path = "none: nothing is kept"
	}
	runs := map[string]string{"service": "as a service; this screen is attached to it", "terminal": "in this terminal", "demo": "demo: " + s.Demo}[s.Mode]
	if a.attached && s.Mode == "terminal" {
		runs = "in another terminal; this screen is attached to it"
	}
	store := fmt.Sprintf("%s of %s, %s free", size(s.Storage.Bytes), size(s.Storage.MaxBytes), size(s.Storage.FreeBytes))
	if whole {
		return a.waysIn(w, pairs(w,
			"Version", clean(s.Version),
			"Runs", clean(runs),
			"Configuration", path,
			"Revision", clean(s.Revision),
			"Store", clean(s.Storage.Directory),
			"", fmt.Sprintf("%s, %s", plural(s.Storage.Events, "event"), store),
			"Clock", a.clock().Format("2 Jan 2006 15:04")+"  "+clean(s.Clock.Zone),
		))
	}
	if s.Mode == "demo" {
		runs = "demo: nothing is kept"
	}
	line := func(name, text string) string { return cut("  "+fit(name, 16)+text, w-1) }
	return []string{
		line("Version", clean(s.Version)+", "+clean(runs)),
		line("Configuration", path),
		line("Store", store),
		line("Clock", a.clock().Format("2 Jan 2006 15:04")+"  "+clean(s.Clock.Zone)),
		line("Problems", "none"),
	}
}

// details are all facts and problems, whole.
func (a *app) details(w int) []string {
	lines := append([]string{""}, a.facts(w, true)...)
	lines = append(lines, "")
	ps := problems(a.status)
	if len(ps) == 0 {
		return append(lines, pairs(w, "Problems", "none")...)
	}
	lines = append(lines, pairs(w, "Problems", fmt.Sprint(len(ps)))...)
	for _, problem := range ps {
		lines = append(lines, problemLines(problem, w, 12)...)
	}
	return lines
}

// problemsIn is how many problems there are and as many of them as h lines have
// room for; nil: there is none.
func (a *app) problemsIn(w, h int) []string {
	ps := problems(a.status)
	if len(ps) == 0 {
		return nil
	}
	lines := []string{cut("  "+fit("Problems", 16)+bad.Render(fmt.Sprint(len(ps)))+": i shows all of them whole", w-1)}
	for i, problem := range ps {
		l := problemLines(problem, w, 12)
		if room := h - len(lines); len(l) > room {
			if i > 0 {
				break
			}
			l = problemLines(problem, w, room)
		}
		lines = append(lines, l...)
	}
	return lines
}

// problemLines is a problem with its mark, in at most n lines.
func problemLines(problem string, w, n int) []string {
	lines := place(problem, w-2, n)
	for i := range lines {
		mark := "  "
		if i == 0 {
			mark = bad.Render(" !")
		}
		lines[i] = mark + lines[i]
	}
	return lines
}
