package tui

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// eventsPage lists the stored events, newest first, a page of them at a time: a
// store may have a million, and no more than one page is ever here.
type eventsPage struct {
	list
	filter eventFilter
	before []string // where each page behind the first begins: only events older than that
	asked  event.Filter
	events []event.Stored
	more   bool // there are older ones
	known  bool
	why    string
	rows   int
	open   *eventView // over the list
	export *exporting // nil: none
	result string     // of the last export, until the next key
	last   bool       // the page that is asked for is entered at its end
	read   time.Time  // when it was asked for
}

// storedPage is how many events are a page.
const storedPage = 100

// followEvery is how often an event that goes on is looked at.
const followEvery = 2 * time.Second

// storedMsg is a page of events, and one more where there is one.
type storedMsg struct {
	filter event.Filter
	events []event.Stored
	err    error
}

func (c calls) stored(f event.Filter) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		e, err := c.b.Events(ctx, f)
		return storedMsg{f, e, err}
	})
}

func (a *app) eventsPage() *eventsPage { return a.pages[eventsAt].(*eventsPage) }

func (p *eventsPage) opened(a *app) tea.Cmd { return p.refresh(a) }

// follow asks for the page anew while an event on it goes on, now and then.
func (p *eventsPage) follow(a *app) tea.Cmd {
	running := slices.ContainsFunc(p.events, func(e event.Stored) bool { return e.End.IsZero() })
	open := p.open != nil && p.open.event.End.IsZero()
	if a.at != eventsAt || !running && !open || a.now().Sub(p.read) < followEvery {
		return nil
	}
	cmd := p.refresh(a)
	if open { // what became of its images goes with their number
		cmd = tea.Batch(cmd, a.eventMails(p.open.event))
	}
	return cmd
}

// refresh asks for the page that is shown anew.
func (p *eventsPage) refresh(a *app) tea.Cmd {
	p.read = a.now()
	p.asked = p.filter.filter(a.clock())
	if n := len(p.before); n > 0 {
		p.asked.Before = p.before[n-1]
	}
	f := p.asked
	f.N = storedPage + 1
	return a.stored(f)
}

func (p *eventsPage) done(a *app, m storedMsg) tea.Cmd {
	if m.filter.N = 0; m.filter != p.asked {
		return nil // of a page that was left meanwhile
	}
	p.why = ""
	if m.err != nil {
		p.why = "The events could not be read: " + because(m.err)
		return nil
	}
	if len(m.events) == 0 && len(p.before) > 0 { // all of the page are gone
		p.before = p.before[:len(p.before)-1]
		return p.refresh(a)
	}
	was := ""
	if p.sel < len(p.events) && p.known {
		was = p.events[p.sel].ID
	}
	p.more = len(m.events) > storedPage
	p.events, p.known = m.events[:min(len(m.events), storedPage)], true
	if i := slices.IndexFunc(p.events, func(e event.Stored) bool { return e.ID == was }); i >= 0 {
		p.sel = i // the same event, wherever it is now
	} else if p.last {
		p.sel = len(p.events) - 1
	}
	p.last = false
	if p.open != nil {
		if i := slices.IndexFunc(p.events, func(e event.Stored) bool { return e.ID == p.open.event.ID }); i >= 0 {
			p.open.event = p.events[i]
		}
	}
	return nil
}

// turn goes to the next older page, or back.
func (p *eventsPage) turn(a *app, older bool) tea.Cmd {
	if older {
		p.before = append(p.before, p.events[len(p.events)-1].ID)
	} else {
		p.before = p.before[:len(p.before)-1]
	}
	p.sel, p.top, p.last = 0, 0, !older
	p.events, p.known = nil, false
	return p.refresh(a)
}

func (p *eventsPage) selected() (event.Stored, bool) {
	if p.sel < 0 || p.sel >= len(p.events) {
		return event.Stored{}, false
	}
	return p.events[p.sel], true
}

func (p *eventsPage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	p.result = ""
	if p.export.running() && key.Matches(k, keys.Leave) {
		p.export.cancel()
		return nil, true
	}
	if p.open != nil {
		if cmd, ok := p.viewKey(a, k); ok {
			return cmd, true
		}
	}
	n := len(p.events)
	e, ok := p.selected()
	switch {
	case key.Matches(k, keys.Down, keys.PageDown) && n > 0 && p.sel == n-1 && p.more:
		return p.turn(a, true), true
	case key.Matches(k, keys.Up, keys.PageUp) && n > 0 && p.sel == 0 && len(p.before) > 0:
		return p.turn(a, false), true
	case key.Matches(k, keys.First) && len(p.before) > 0:
		p.before = p.before[:1]
		cmd := p.turn(a, false)
		p.last = false
		return cmd, true
	case p.list.key(k, n, p.rows):
	case key.Matches(k, keys.Filter):
		p.filter.edit(a)
	case key.Matches(k, keys.Leave) && p.filter.set():
		p.filter = eventFilter{}
		return p.filtered(a), true
	case !ok:
		return nil, noField(a, k)
	case key.Matches(k, keys.Enter):
		p.open = &eventView{event: e}
		return a.eventMails(e), true
	case key.Matches(k, keys.Export):
		p.askExport(a, e)
	case key.Matches(k, keys.ExportAll):
		return p.askExportAll(a), true
	case key.Matches(k, keys.Remove):
		return p.askRemove(a, e), true
	case key.Matches(k, keys.RemoveAll):
		return p.askRemoveAll(a), true
	default:
		return nil, noField(a, k)
	}
	return nil, true
}

// filtered begins anew at the newest event.
func (p *eventsPage) filtered(a *app) tea.Cmd {
	p.before, p.events, p.known, p.sel, p.top, p.last = nil, nil, false, 0, 0, false
	return p.refresh(a)
}

// exportText says how to get an event's files: this screen may be far from the box.
func (a *app) exportText(e event.Stored) string {
	s := "On the box: watchpost events export " + clean(e.ID)
	if dir := clean(a.folder(e)); dir != "" {
		s += ". The files lie in " + dir
	}
	return s
}

func (p *eventsPage) bindings(*app) []key.Binding {
	giveUp := bind("esc", "give up the export", "esc")
	switch {
	case p.filter.editing():
		return p.filter.bindings()
	case p.export.editing():
		return p.export.bindings()
	case p.export.running() && p.open != nil:
		return []key.Binding{bind("up/down", "more"), giveUp, keys.Quit}
	case p.export.running():
		return []key.Binding{bind("up/down", "choose"), bind("enter", "details", "enter"), giveUp, keys.Filter}
	case p.open != nil:
		return []key.Binding{bind("up/down", "more"), keys.Export, keys.Remove, bind("esc", "back to the list", "esc"), keys.Quit}
	case len(p.events) == 0:
		return []key.Binding{keys.Filter, keys.Quit}
	}
	return []key.Binding{bind("up/down", "choose"), bind("enter", "details", "enter"), keys.Filter, bind("e, E", "export"), bind("x, X", "remove")}
}

func (p *eventsPage) hint(a *app) string {
	switch {
	case p.why != "":
		return p.why
	case p.result != "":
		return p.result
	case p.export.running():
		return p.export.progress()
	case p.open != nil:
		return ""
	case p.filter.set():
		return "Only " + p.filter.text() + ". f changes that, Esc shows all; E exports these, X removes these."
	case p.more:
		return "Down goes on to older events at the end; f filters by trigger and day. E exports all, X removes all."
	case len(p.events) > 1:
		return "e exports one event, E all of them; x removes one, X all."
	}
	return ""
}

func (p *eventsPage) body(a *app, w, h int) ([]string, *tea.Position) {
	var bar []string
	var cursor *tea.Position
	switch {
	case p.filter.editing():
		bar, cursor = p.filter.bar(a, w)
	case p.export.editing():
		bar, cursor = p.export.bar(a, w)
	}
	h -= len(bar)
	switch {
	case p.open != nil:
		return append(bar, p.open.body(a, w, h)...), cursor
	case !p.known:
		return append(bar, "", "  Reading the events."), cursor
	case len(p.events) == 0 && p.filter.set():
		return append(append(bar, ""), place("No event is stored of "+p.filter.text()+".", w, 2)...), cursor
	case len(p.events) == 0:
		return append(bar, "", "  No event is stored yet. The Status page shows what each trigger waits for."), cursor
	}
	p.sel = max(0, min(p.sel, len(p.events)-1))
	e := p.events[p.sel]
	var detail []string
	if row := a.eventRow(e); width(row) > w-3 || width(clean(e.Trigger)) > 10 {
		detail = hang("  ", strings.Join(strings.Fields(row), " "), w-1, 3)
	}
	detail = append(detail, cut("  "+strong.Render(clean(e.ID)), w-1))
	for i, s := range e.Missing {
		if i == 2 && len(e.Missing) > 3 {
			detail = append(detail, fmt.Sprintf("  and %d more that are missing: enter shows all", len(e.Missing)-i))
			break
		}
		detail = append(detail, place("missing: "+clean(s), w, 3)...)
	}
	if h < 12 {
		detail = detail[:min(len(detail), 2)]
	}
	p.rows = max(1, h-len(detail)-2)
	head := spread(faint.Render("  "+fit("Start", 12)+"  "+fit("Trigger", 10)+"  "+fit("Length", 9)+"  "+fit("Firings", 10)+"  "+fit("Images", 10)), p.position()+"  ", w)
	lines := append(bar, head)
	lines = append(lines, p.drawRows(len(p.events), w, p.rows, func(i int) string { return a.eventRow(p.events[i]) })...)
	lines = append(append(lines, ""), detail...)
	return lines[:min(h+len(bar), len(lines))], cursor
}

// position says where in the store the selected event is, where not all are in view.
func (p *eventsPage) position() string {
	from, n := len(p.before)*storedPage, len(p.events)
	switch {
	case p.more:
		return fmt.Sprintf("%d of %d+", from+p.sel+1, from+n)
	case from > 0:
		return fmt.Sprintf("%d of %d", from+p.sel+1, from+n)
	}
	return p.list.position(n, p.rows)
}

func (a *app) eventRow(e event.Stored) string {
	length := "running"
	if !e.End.IsZero() {
		length = fmt.Sprintf("%.1f s", e.End.Sub(e.Start).Seconds())
	}
	last := ""
	if e.Peak > 0 {
		last = "peak " + strings.TrimSpace(percent(e.Peak)) + " %"
	}
	if len(e.Missing) > 0 {
		last = strings.TrimSpace(last + " !") // the detail says what is missing
	}
	return fmt.Sprintf("%s  %s  %s  %s  %s  %s", fit(moment(e.Start, a.clock()), 12), fit(clean(e.Trigger), 10),
		fit(length, 9), fit(plural(e.Firings, "firing"), 10), fit(plural(len(e.Images), "image"), 10), last)
}

// folder is where an event's files lie.
func (a *app) folder(e event.Stored) string {
	if a.status.Storage.Directory == "" {
		return ""
	}
	return path.Join(a.status.Storage.Directory, e.ID)
}
