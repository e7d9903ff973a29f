package tui

import (
	"context"
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// eventView is one event in full, over the list.
type eventView struct {
	event event.Stored
	top   int // first line shown
	lines int // how many there are
	rows  int
	mails []event.Mail // of it: mails and transfers
	known bool
	why   string
}

// eventMailsMsg is an event as it is now, and what the queue has of it.
type eventMailsMsg struct {
	event event.Stored
	mails []event.Mail
	err   error
}

// eventMails asks how far an event is, and what became of its mail and its
// transfer: those that name it, and those that tell of its firings with others.
func (a *app) eventMails(e event.Stored) tea.Cmd {
	has := a.history.tells(e.ID)
	return a.within(callTime, func(ctx context.Context) tea.Msg {
		now, _ := a.b.Events(ctx, only(e)) // what cannot be read is as it was
		all, err := a.b.Queue(ctx)
		m := eventMailsMsg{event: e, err: err}
		if len(now) > 0 {
			m.event = now[0]
		}
		for _, mail := range all {
			if mail.Event == e.ID || has(mail) {
				m.mails = append(m.mails, mail)
			}
		}
		return m
	})
}

// tells returns whether a mail tells of a firing of an event, as far as firings
// are remembered.
func (h *history) tells(id string) func(m event.Mail) bool {
	var seqs []uint64
	for _, f := range h.firings {
		if f.EventID == id {
			seqs = append(seqs, f.Seq)
		}
	}
	return func(m event.Mail) bool {
		for _, s := range seqs {
			if m.Firings.Has(s) {
				return true
			}
		}
		return false
	}
}

func (p *eventsPage) mailed(m eventMailsMsg) {
	v := p.open
	if v == nil || v.event.ID != m.event.ID {
		return
	}
	if v.event.End.IsZero() { // else it is newer than this
		v.event = m.event
	}
	v.why = ""
	if m.err != nil {
		v.why = "not known: " + because(m.err)
	}
	v.mails, v.known = m.mails, true
}

// changed takes a mail's new state, if it is of the event that is shown.
func (p *eventsPage) changed(a *app, m event.Mail) {
	v := p.open
	if v == nil || m.Event != v.event.ID && !a.history.tells(v.event.ID)(m) {
		return
	}
	for i := range v.mails {
		if v.mails[i].ID == m.ID {
			v.mails[i] = m
			return
		}
	}
	v.mails = append(v.mails, m)
}

// viewKey takes a key while one event is shown; false: the list's keys act.
func (p *eventsPage) viewKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	v := p.open
	most := max(0, v.lines-v.rows)
	switch {
	case key.Matches(k, keys.Leave, keys.Enter):
		p.open = nil
	case key.Matches(k, keys.Up):
		v.top--
	case key.Matches(k, keys.Down):
		v.top++
	case key.Matches(k, keys.PageUp):
		v.top -= v.rows
	case key.Matches(k, keys.PageDown):
		v.top += v.rows
	case key.Matches(k, keys.First):
		v.top = 0
	case key.Matches(k, keys.Last):
		v.top = most
	case key.Matches(k, keys.Export):
		p.askExport(a, v.event)
	case key.Matches(k, keys.Remove):
		return p.askRemove(a, v.event), true
	default:
		a.say = "Esc goes back to the list; up and down show more of the event."
	}
	if most == 0 && key.Matches(k, keys.Up, keys.Down, keys.PageUp, keys.PageDown, keys.First, keys.Last) {
		a.say = "All of it is in view; Esc goes back to the list."
	}
	v.top = max(0, min(v.top, most))
	return nil, true
}

func (v *eventView) body(a *app, w, h int) []string {
	const stamp = "15:04:05.000"
	e := v.event
	zone := a.clock().Location()
	start, between, end := e.Start.In(zone), ", ", "still going on"
	if !e.End.IsZero() {
		between, end = "  to  ", e.End.In(zone).Format(stamp)+fmt.Sprintf("  (%.1f s)", e.End.Sub(e.Start).Seconds())
	}
	fired := plural(e.Firings, "firing")
	if e.Peak > 0 {
		fired += ", peak " + strings.TrimSpace(percent(e.Peak)) + " % of the zone"
	}
	images := "none"
	if n := len(e.Images); n > 0 {
		images = plural(n, "image") + ", " + size(imageBytes(e))
		if e.Keep {
			images += ", never replaced by newer ones"
		}
	}
	pairs := func(name, value string) []string { return hang("  "+fit(name, 10), clean(value), w-1, 4) }
	lines := append([]string{"  " + fit("Event", 10) + strong.Render(clean(e.ID))}, pairs("Trigger", e.Trigger+", "+string(e.Source))...)
	lines = append(lines, pairs("From", start.Format("2 Jan 2006 "+stamp)+between+end)...)
	if s := e.AboutClock(); s != "" {
		lines = append(lines, pairs("Clock", s)...)
	}
	lines = append(lines, pairs("Fired", fired)...)
	lines = append(lines, pairs("Images", images)...)
	for _, s := range e.Missing {
		lines = append(lines, hang("  "+bad.Render("!")+" missing ", clean(s), w-1, 3)...)
	}
	for _, l := range v.outcomes() {
		lines = append(lines, pairs(l[0], l[1])...)
	}
	lines = append(lines, pairs("Files", a.folder(e))...)
	export := "watchpost events export " + e.ID
	if a.files != nil {
		export = "e, or " + export
	}
	lines = append(lines, pairs("Export", export)...)
	if len(e.Images) > 0 {
		lines = append(lines, "", faint.Render("  "+fit("Image", 34)+fit("Taken", 14)+fit("Level", 9)+"Size"))
	}
	v.rows, v.lines = h, len(lines)+len(e.Images)
	v.top = max(0, min(v.top, v.lines-h))
	var shown []string
	for i := v.top; i < min(v.lines, v.top+h); i++ {
		if i < len(lines) {
			shown = append(shown, lines[i])
			continue
		}
		im := e.Images[i-len(lines)]
		level := ""
		if im.Level > 0 {
			level = percent(im.Level) + " %"
		}
		shown = append(shown, cut("  "+fit(clean(im.File), 34)+fit(im.At.In(zone).Format(stamp), 14)+fit(level, 9)+size(int64(im.Bytes)), w-1))
	}
	return shown
}

// outcomes are what became of the event's mail and of its transfer.
func (v *eventView) outcomes() (out [][2]string) {
	switch {
	case v.why != "":
		return [][2]string{{"Mail", v.why}}
	case !v.known:
		return [][2]string{{"Mail", "asking the queue"}}
	}
	transfer := false
	for _, m := range v.mails {
		name := "Mail"
		what, words := fate(m)
		if m.Kind == event.Transfer {
			name, transfer = "Transfer", true
			if len(m.Recipients) > 0 {
				what = m.Recipients[0].Address + ": " + what
			}
			if !m.Settled() && m.Subject != "" {
				what += ", " + m.Subject
			}
		}
		if words != "" {
			what += ": " + words
		}
		out = append(out, [2]string{name, what})
	}
	if len(v.mails) == 0 || transfer && len(v.mails) == 1 {
		out = append([][2]string{{"Mail", "none in the queue: none was due, or it was settled long ago"}}, out...)
	}
	if !transfer && v.event.Transfer != "" {
		out = append(out, [2]string{"Transfer", v.event.Transfer + ": no longer in the queue"})
	}
	return out
}
