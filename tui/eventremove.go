package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// Removing stored events: it asks, with their number, and cannot be taken back.

// only chooses one event, whatever becomes of its times.
func only(e event.Stored) event.Filter { return event.Filter{ID: e.ID, N: 1} }

// askRemove asks whether to remove an event; whether it waits for a transfer is asked first.
func (p *eventsPage) askRemove(a *app, e event.Stored) tea.Cmd {
	if e.End.IsZero() {
		a.say = "This event is going on; it can be removed when it is over."
		return nil
	}
	return a.countKept(only(e), forRemove)
}

func (p *eventsPage) askRemoveOne(a *app, e event.Stored, waits bool) {
	text := fmt.Sprintf("Remove this event with its %s (%s)?", plural(len(e.Images), "image"), size(imageBytes(e)))
	if len(e.Images) == 0 {
		text = "Remove this event? It has no image."
	}
	if waits {
		text += " It waits for a transfer, which does not get it then."
	}
	a.qu = yesNo(text+" That cannot be taken back.", "remove", "keep", func() tea.Cmd {
		a.say = "Removing."
		return a.removeEvents(only(e))
	})
}

func imageBytes(e event.Stored) (n int64) {
	for _, im := range e.Images {
		n += int64(im.Bytes)
	}
	return n
}

// askRemoveAll asks whether to remove all that the filter chooses, which the engine counts.
func (p *eventsPage) askRemoveAll(a *app) tea.Cmd {
	a.say = "Counting them."
	return a.countKept(p.filter.filter(a.clock()), forRemove)
}

func (p *eventsPage) askRemoveCounted(a *app, f event.Filter, k event.Kept) {
	what := "all events, "
	if p.filter.set() {
		what = "all of " + p.filter.text() + ", "
	}
	a.qu = yesNo("Remove "+what+keptText(k)+"? That cannot be taken back.", "remove "+plural(k.Events, "event"), "keep", func() tea.Cmd {
		a.say = "Removing."
		return a.removeEvents(f)
	})
}

// keptOf takes what was counted, if what it was counted for is still on the screen.
func (p *eventsPage) keptOf(a *app, m keptMsg) {
	e, ok := p.selected()
	if p.open != nil {
		e, ok = p.open.event, true
	}
	one := ok && m.filter == only(e)
	switch {
	case m.err != nil && m.to == forExport:
		a.say = "They could not be counted, so none is exported: " + because(m.err)
	case m.err != nil:
		a.say = "They could not be counted, so none is removed: " + because(m.err)
	case one && m.to == forRemove:
		p.askRemoveOne(a, e, m.kept.Waiting > 0)
	case p.open != nil || m.filter != p.filter.filter(a.clock()): // gone on meanwhile
	case m.to == forExport:
		p.askExportCounted(a, m.filter, m.kept)
	case m.kept.Events == 0:
		a.say = "There is no such event any more."
	default:
		p.askRemoveCounted(a, m.filter, m.kept)
	}
}

// counted takes what Kept and RemoveEvents came to.
func (a *app) counted(msg tea.Msg) tea.Cmd {
	p := a.eventsPage()
	switch m := msg.(type) {
	case keptMsg:
		a.say = ""
		switch {
		case m.to != forDelete && a.idle(eventsAt):
			p.keptOf(a, m)
		case m.to == forDelete && a.idle(triggersAt) && a.triggersPage().edit == nil:
			a.triggersPage().askDelete(a, m)
		}
	case removedMsg:
		switch {
		case m.err != nil && m.n > 0:
			a.say = plural(m.n, "event") + " removed, then: " + because(m.err)
		case m.err != nil:
			a.say = "Nothing was removed: " + because(m.err)
		case m.n == 0:
			a.say = "Nothing was removed: there was no such event any more."
		default:
			a.say = plural(m.n, "event") + " removed."
		}
		p.open = nil
		if a.at == eventsAt {
			return p.refresh(a)
		}
	}
	return nil
}
