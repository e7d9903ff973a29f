package tui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/tui/term"
)

// View draws the screen: header, tabs, rule, body, rule, message, keys.
func (a *app) View() tea.View {
	content, cursor := a.frame()
	if a.ascii {
		content = term.ASCII(content)
	}
	v := tea.NewView(content)
	v.AltScreen = true
	if cursor != nil {
		v.Cursor = tea.NewCursor(cursor.X, cursor.Y)
	}
	return v
}

// messages is how many lines the message has: a verdict and its cure need two.
const messages = 2

func (a *app) frame() (string, *tea.Position) {
	w, h := a.w, a.h
	if w < 1 || h < 1 {
		return "", nil
	}
	if w < minWidth || h < minHeight {
		return a.tooSmall(w, h), nil
	}
	rows := h - 5 - messages
	var body []string
	var cursor *tea.Position
	if a.helping {
		body = a.help(w, rows)
	} else {
		body, cursor = a.pages[a.at].body(a, w, rows)
	}
	lines := make([]string, 0, h)
	lines = append(lines, a.header(w), a.tabs(w), rule(w))
	if cursor != nil {
		cursor.Y += len(lines)
	}
	for i := range rows {
		if i < len(body) {
			lines = append(lines, body[i])
		} else {
			lines = append(lines, "")
		}
	}
	lines = append(lines, rule(w))
	message := place(a.message(), w, messages)
	for i := range messages {
		if i < len(message) {
			lines = append(lines, message[i])
		} else {
			lines = append(lines, "")
		}
	}
	lines = append(lines, a.keyLine(w))
	if a.qu != nil || a.helping {
		cursor = nil
	}
	return strings.Join(lines, "\n"), cursor
}

func (a *app) tooSmall(w, h int) string {
	text := fmt.Sprintf("Watchpost needs %d columns and %d lines; this terminal has %d by %d.", minWidth, minHeight, w, h)
	lines := wrap(text, max(1, w-2), h)
	out := make([]string, 0, h)
	for range (h - len(lines)) / 2 {
		out = append(out, "")
	}
	for _, l := range lines {
		out = append(out, cut(strings.Repeat(" ", max(0, (w-width(l))/2))+l, w))
	}
	return strings.Join(out, "\n")
}

func (a *app) header(w int) string {
	left := " " + accent.Render("watchpost")
	if a.status.Site != "" {
		left += "  " + strong.Render(cut(clean(a.status.Site), w/2))
	}
	var right []string
	if n := len(a.status.Problems) + len(a.status.Findings); n > 0 {
		right = append(right, bad.Render(plural(n, "problem")))
	}
	if a.status.Mode == "demo" {
		right = append(right, "demo")
	}
	if a.rights.Operator {
		right = append(right, "operator")
	}
	switch {
	case a.gone != "":
		right = append(right, bad.Render("no engine"))
	case !a.known:
		right = append(right, "starting")
	default:
		right = append(right, strong.Render(a.state()))
	}
	right = append(right, a.clock().Format("_2 Jan 15:04"))
	return spread(left, strings.Join(right, "  ")+" ", w)
}

func (a *app) tabs(w int) string {
	var b strings.Builder
	for i, p := range pages {
		name := fmt.Sprintf("%d %s", i+1, p.name)
		if w < 76 && i != a.at {
			name = fmt.Sprint(i + 1)
		}
		if a.unsavedOn(i) > 0 {
			name += "*"
		}
		if i == a.at {
			b.WriteString("[" + accent.Render(name) + "]")
		} else {
			b.WriteString(" " + name + " ")
		}
	}
	return cut(b.String(), w)
}

// message is the one thing to say now, the most pressing first.
func (a *app) message() string {
	switch {
	case a.qu != nil:
		return a.qu.text
	case a.say != "":
		return a.say
	case a.helping && len(a.helpText(a.w)) > a.h-5-messages:
		return "Up and down show more; any other key closes the help."
	case a.helping:
		return "Any key closes the help."
	}
	if e := a.focusedEditor(); e != nil {
		return e.fieldHelp(a)
	}
	if a.gone != "" {
		return a.gone
	}
	return a.pages[a.at].hint(a)
}

// keyLine names the keys that act now.
func (a *app) keyLine(w int) string {
	if a.qu != nil {
		var parts []string
		for _, o := range a.qu.options {
			parts = append(parts, strong.Render(o.key)+" "+o.label)
		}
		return cut("  "+strings.Join(parts, "   "), w)
	}
	bs, help := a.offered(a.pages[a.at].bindings(a)), a.helpKey()
	right := strong.Render(help.Help().Key) + " " + help.Help().Desc + " "
	left := " "
	for _, b := range bs {
		part := " " + strong.Render(b.Help().Key) + " " + b.Help().Desc + " "
		if width(left)+width(part)+width(right) > w {
			break
		}
		left += part
	}
	return spread(left, right, w)
}

// help shows the part of the help that fits.
func (a *app) help(w, rows int) []string {
	lines := a.helpText(w)
	a.helpTop = max(0, min(a.helpTop, len(lines)-rows))
	return lines[a.helpTop:min(len(lines), a.helpTop+rows)]
}

// scrollHelp takes the keys that move the help; false: k is none, or all is in view.
func (a *app) scrollHelp(k tea.KeyPressMsg) bool {
	rows := a.h - 5 - messages
	if len(a.helpText(a.w)) <= rows {
		return false
	}
	switch {
	case key.Matches(k, keys.Up):
		a.helpTop--
	case key.Matches(k, keys.Down):
		a.helpTop++
	case key.Matches(k, keys.PageUp):
		a.helpTop -= rows
	case key.Matches(k, keys.PageDown), k.String() == "space":
		a.helpTop += rows
	default:
		return false
	}
	a.helpTop = max(0, min(a.helpTop, len(a.helpText(a.w))-rows))
	return true
}

// helpText is the help: of what is open over a form first.
func (a *app) helpText(w int) []string {
	lines := helpLines(w)
	if p := a.cameraPage(); a.at == cameraAt && p.zones != nil {
		lines = append(helpEntries(w, "While zones are drawn", zonesHelp()...), lines...)
	}
	if e, ok := a.focusedEditor().(interface{ open() *sheet }); ok && e.open().week != nil {
		lines = append(helpEntries(w, "In the week of an active time", e.open().week.helpBindings()...), lines...)
	}
	return lines
}

// helpEntries are keys under a title, in as many columns as there is room for.
func helpEntries(w int, title string, bs ...key.Binding) []string {
	const keyW, whatW = 11, 15
	lines := []string{"  " + accent.Render(title)}
	for row := range slices.Chunk(bs, max(1, w/(keyW+whatW))) {
		l := ""
		for _, b := range row {
			l += strong.Render(fit(b.Help().Key, keyW)) + fit(b.Help().Desc, whatW)
		}
		lines = append(lines, "  "+strings.TrimRight(l, " "))
	}
	return lines
}

// helpLines explains the keys and the pages.
func helpLines(w int) []string {
	entries := func(title string, bs ...key.Binding) []string { return helpEntries(w, title, bs...) }
	lines := entries("While no field is focused", keys.Pages, keys.Test, keys.Diagnose, keys.Save, keys.Undo, keys.Privacy, keys.Quit)
	lines = append(lines, entries("In a field", keys.FieldPages, keys.FieldTest, keys.FieldDiagnose, keys.FieldSave, keys.FieldUndo, keys.FieldQuit,
		bind("tab, enter", "next field"), bind("shift+tab", "field before"), bind("esc, ^g", "leave field"),
		bind("^k", "empty it"), keys.Fix, keys.Redraw)...)
	lines = append(lines, "  "+accent.Render("Pages")+"  in a list up, down, home, end, pgup and pgdn choose")
	for i, p := range pages {
		head := "  " + fit(fmt.Sprintf("%d %s", i+1, p.name), 12)
		lines = append(lines, hang(head, p.about, w-1, 2)...)
	}
	return lines
}
