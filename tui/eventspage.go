package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// eventsPage lists the stored events, newest first.
type eventsPage struct {
	list
	events []event.Stored
	known  bool
	why    string
	rows   int
}

func (p *eventsPage) opened(a *app) tea.Cmd { return a.stored() }

func (p *eventsPage) done(m storedMsg) {
	p.why = ""
	if m.err != nil {
		p.why = "The events could not be read: " + because(m.err)
		return
	}
	p.events, p.known = m.events, true
}

func (p *eventsPage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	switch {
	case p.list.key(k, len(p.events), p.rows):
	case key.Matches(k, keys.Enter) && p.sel < len(p.events):
		a.say = "Its images: watchpost events export " + clean(p.events[p.sel].ID)
	default:
		return nil, noField(a, k)
	}
	return nil, true
}

func (p *eventsPage) bindings(*app) []key.Binding {
	return []key.Binding{bind("up/down", "choose"), bind("enter", "its images"), keys.Test, keys.Quit}
}

func (p *eventsPage) hint(*app) string {
	if p.why != "" {
		return p.why
	}
	return later[eventsAt]
}

func (p *eventsPage) body(a *app, w, h int) ([]string, *tea.Position) {
	switch {
	case !p.known:
		return []string{"", "  Reading the events."}, nil
	case len(p.events) == 0:
		return []string{"", "  No event is stored yet. The Status page shows what each trigger waits for."}, nil
	}
	p.sel = max(0, min(p.sel, len(p.events)-1))
	var rows, whole []string // whole: of the selected row, where it is cut
	for i, e := range p.events {
		length := "running"
		if !e.End.IsZero() {
			length = fmt.Sprintf("%.1f s", e.End.Sub(e.Start).Seconds())
		}
		peak := ""
		if e.Peak > 0 {
			peak = "peak " + strings.TrimSpace(percent(e.Peak)) + " %"
		}
		rows = append(rows, fmt.Sprintf("%s  %s  %s  %s  %s  %s", fit(moment(e.Start, a.clock()), 12), fit(clean(e.Trigger), 10),
			fit(length, 9), fit(plural(e.Firings, "firing"), 10), fit(plural(len(e.Images), "image"), 10), peak))
		if i == p.sel && (width(rows[i]) > w-3 || width(clean(e.Trigger)) > 10) {
			whole = hang("  ", strings.Join([]string{clean(e.Trigger), length, plural(e.Firings, "firing"), plural(len(e.Images), "image"), peak}, "  "), w-1, 3)
		}
	}
	e := p.events[p.sel]
	detail := append(whole, cut("  "+strong.Render(clean(e.ID)), w-1))
	for _, s := range e.Missing {
		detail = append(detail, place("missing: "+clean(s), w, 3)...)
	}
	p.rows = max(1, h-len(detail)-2)
	head := spread(faint.Render("  "+fit("Start", 12)+"  "+fit("Trigger", 10)+"  "+fit("Length", 9)+"  "+fit("Firings", 10)+"  "+fit("Images", 10)), p.position(len(rows), p.rows)+"  ", w)
	lines := append([]string{head}, p.draw(rows, w, p.rows)...)
	lines = append(lines, "")
	lines = append(lines, detail...)
	return lines[:min(h, len(lines))], nil
}
