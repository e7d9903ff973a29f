package tui

import (
	"fmt"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// page is one of the seven. A page is a plain struct that the app owns and calls
// from Update and View; what it wants done it returns as a command.
type page interface {
	// opened is called each time that the page comes to the front.
	opened(a *app) tea.Cmd
	// key takes a key press that the app has no use for; false: neither has the page.
	key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool)
	// body draws at most h lines of w columns. A cursor is shown where it says, in its lines.
	body(a *app, w, h int) (lines []string, cursor *tea.Position)
	// hint is what the message lines say while there is nothing else to say.
	hint(a *app) string
	// bindings are the keys for the key line, the most useful first.
	bindings(a *app) []key.Binding
}

// pages is the table of pages, in the order of their keys.
var pages = []struct {
	name  string
	about string // for the help: what it shows, and the keys that act on it only
	make  func(*app) page
}{
	{"Status", "camera, triggers, queue, results; f fires, a adds a trigger", func(*app) page { return &statusPage{} }},
	{"Mail", "server, addresses, subject, hold-off; r: the last good settings", func(*app) page { return newMailPage() }},
	{"Triggers", "enter edits, a, A add, c copies, x deletes, J, K move, f fires", func(*app) page { return &triggersPage{} }},
	{"Camera", "source, size, buffer; v: live view, b: walk test, m mutes, z: zones", func(a *app) page { return newCameraPage(a) }},
	{"Events", "enter shows one, f filters, e exports, x removes it; E, X all", func(*app) page { return &eventsPage{} }},
	{"Queue", "each mail: r tries it again, x drops it, h finds held ones, R all", func(*app) page { return &queuePage{} }},
	{"System", "site, zone, storage, ways in; s: SSH keys, i: version, problems", func(a *app) page { return newSystemPage(a) }},
}

// Places in pages.
const (
	statusAt = iota
	mailAt
	triggersAt
	cameraAt
	eventsAt
	queueAt
	systemAt
)

// list is the selection in a list of n lines, of which a window is shown.
type list struct{ sel, top int }

// key moves the selection; false: not a key of a list, or nothing to move in.
func (l *list) key(k tea.KeyPressMsg, n, rows int) bool {
	if n == 0 {
		return false
	}
	switch {
	case key.Matches(k, keys.Up):
		l.sel = (l.sel + n - 1) % n
	case key.Matches(k, keys.Down):
		l.sel = (l.sel + 1) % n
	case key.Matches(k, keys.PageUp):
		l.sel -= max(1, rows)
	case key.Matches(k, keys.PageDown):
		l.sel += max(1, rows)
	case key.Matches(k, keys.First):
		l.sel = 0
	case key.Matches(k, keys.Last):
		l.sel = n - 1
	default:
		return false
	}
	l.sel = max(0, min(l.sel, n-1))
	return true
}

// window returns which of n lines to show in rows lines.
func (l *list) window(n, rows int) (from, to int) {
	l.sel = max(0, min(l.sel, n-1))
	rows = max(1, rows)
	l.top = max(0, min(l.top, n-rows))
	if l.sel < l.top {
		l.top = l.sel
	}
	if l.sel >= l.top+rows {
		l.top = l.sel - rows + 1
	}
	return l.top, min(n, l.top+rows)
}

// draw draws the window of a list with the selected line marked by '>' too.
func (l *list) draw(lines []string, w, rows int) []string {
	return l.drawRows(len(lines), w, rows, func(i int) string { return lines[i] })
}

// drawRows is draw where a line is made only when it is shown.
func (l *list) drawRows(n, w, rows int, line func(i int) string) []string {
	from, to := l.window(n, rows)
	var out []string
	for i := from; i < to; i++ {
		if i == l.sel {
			out = append(out, marked.Render(fit("> "+line(i), w-1)))
			continue
		}
		out = append(out, "  "+cut(line(i), w-3))
	}
	return out
}

// position says which part of a list is in view, where it is not all of it.
func (l *list) position(n, rows int) string {
	if n <= rows {
		return ""
	}
	return fmt.Sprintf("%d of %d", l.sel+1, n)
}

// noField answers the keys that enter, move among and leave fields and lists on
// a page that has none.
func noField(a *app, k tea.KeyPressMsg) bool {
	switch {
	case key.Matches(k, keys.Leave):
		a.say = "Nothing to leave here; q leaves Watchpost."
	case key.Matches(k, keys.PageUp, keys.PageDown, keys.First, keys.Last):
		a.say = "There is nothing to page through here."
	case key.Matches(k, keys.Enter, keys.Up, keys.Down):
		a.say = "There is no field on this page; 2 opens the Mail page."
	default:
		return false
	}
	return true
}

// place puts s on lines of w columns with the margin that all pages have.
func place(s string, w, n int) []string {
	lines := wrap(s, w-4, n)
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return lines
}
