package tui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// queuePage lists the mails, newest first, with the selected one's recipients.
type queuePage struct {
	list
	mails []event.Mail
	known bool
	why   string // the list could not be had
	rows  int
}

func (p *queuePage) opened(a *app) tea.Cmd { return a.queue() }

func (p *queuePage) done(a *app, msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case queueMsg:
		p.why = ""
		if m.err != nil {
			p.why = "The queue could not be read: " + because(m.err)
			return nil
		}
		p.keep(m.mails)
	case queueDoneMsg:
		if m.err != nil {
			a.say = "Not done: " + because(m.err)
		} else {
			a.say = "The mail " + m.did + "."
			if m.did == "dropped" {
				a.say = "The mail was dropped."
			}
		}
		return a.queue()
	}
	return nil
}

// keep takes a new list; the selection stays on its mail.
func (p *queuePage) keep(mails []event.Mail) {
	id := ""
	if p.sel < len(p.mails) {
		id = p.mails[p.sel].ID
	}
	p.mails, p.known = mails, true
	for i, m := range mails {
		if m.ID == id && p.sel != 0 {
			p.sel = i
		}
	}
	p.sel = max(0, min(p.sel, len(mails)-1))
}

func (p *queuePage) selected() (event.Mail, bool) {
	if p.sel < len(p.mails) {
		return p.mails[p.sel], true
	}
	return event.Mail{}, false
}

func (p *queuePage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	m, ok := p.selected()
	switch {
	case p.list.key(k, len(p.mails), p.rows):
	case key.Matches(k, keys.Retry, keys.Drop) && !ok:
		a.say = "There is no mail in the queue."
	case key.Matches(k, keys.Retry, keys.Drop) && m.Settled():
		a.say = "This mail is " + m.QueueState() + ": nothing is left to retry or drop."
	case key.Matches(k, keys.Retry):
		return a.retry(m.ID), true
	case key.Matches(k, keys.Drop):
		n := m.Count(event.Pending) + m.Count(event.RcptHeld)
		a.qu = yesNo(fmt.Sprintf("Drop this mail for %s? It is not sent to them any more.", plural(n, "recipient")), "drop", "keep",
			func() tea.Cmd { return a.drop(m.ID) })
	default:
		return nil, noField(a, k)
	}
	return nil, true
}

func (p *queuePage) bindings(*app) []key.Binding {
	return []key.Binding{bind("up/down", "choose"), keys.Retry, keys.Drop, keys.Test, keys.Quit}
}

func (p *queuePage) hint(a *app) string {
	if p.why != "" {
		return p.why
	}
	held := 0
	for _, m := range p.mails {
		if m.Count(event.RcptHeld) > 0 {
			held++
		}
	}
	var hint string
	if held > 0 {
		hint = plural(held, "mail") + " held, marked !: r tries the chosen one again, x drops it. "
	}
	if m, ok := p.selected(); !ok || m.Problem != a.status.Queue.Problem { // else the detail tells it
		hint += clean(a.status.Queue.Problem)
	}
	return hint
}

func (p *queuePage) body(a *app, w, h int) ([]string, *tea.Position) {
	switch {
	case !p.known:
		return []string{"", "  Reading the queue."}, nil
	case len(p.mails) == 0:
		return []string{"", "  No mail yet. t sends a test mail."}, nil
	}
	m, _ := p.selected()
	var rows, whole []string // whole: the selected row, where it is cut
	when := len("Trigger at")
	for _, m := range p.mails {
		when = max(when, width(moment(m.At, a.clock())))
	}
	for i, m := range p.mails {
		what, _ := outcome(m)
		who := clean(m.Trigger)
		if who == "" {
			who = string(m.Kind)
		}
		mark := "  "
		if m.Count(event.RcptHeld) > 0 {
			mark = " !"
		}
		rows = append(rows, fmt.Sprintf("%s%s%s  %s  %s", fit(moment(m.At, a.clock()), when), mark, fit(what, 13), fit(who, 10), clean(m.Subject)))
		if i == p.sel && (width(rows[i]) > w-3 || width(who) > 10 || width(what) > 13) {
			whole = hang("  ", what+"  "+who+"  "+clean(m.Subject), w-1, 3)
		}
	}
	detail := slices.Concat(p.detail(a, m, w), whole) // the server's words first
	p.rows = max(1, h-len(detail)-2)
	head := spread(faint.Render("  "+fit("Trigger at", when)+"  "+fit("State", 13)+"  "+fit("Trigger", 10)+"  Subject"), p.position(len(rows), p.rows)+"  ", w)
	lines := append([]string{head}, p.draw(rows, w, p.rows)...)
	lines = append(lines, "")
	lines = append(lines, detail...)
	return lines[:min(h, len(lines))], nil
}

// detail tells each recipient of a mail with the server's words.
func (p *queuePage) detail(a *app, m event.Mail, w int) []string {
	next := ""
	if m.Count(event.Pending) > 0 {
		next = ", next at once"
		if !m.NextTry.IsZero() {
			next = ", next try " + moment(m.NextTry, a.clock())
		}
	}
	lines := []string{cut("  "+strong.Render(clean(m.ID))+fmt.Sprintf("  %s, %s%s", size(m.Bytes), plural(m.Attempts, "attempt"), next), w-1)}
	for _, r := range m.Recipients {
		head := fmt.Sprintf("  %s  %s  ", fit(clean(r.Address), max(26, width(clean(r.Address)))), fit(string(r.State), 9))
		lines = append(lines, beside(head, clean(r.Reply), 4, w-1, 4)...) // the server's words whole: they are what this page is for
	}
	if m.Problem != "" {
		lines = append(lines, place(clean(m.Problem), w, 2)...)
	}
	return lines
}

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
