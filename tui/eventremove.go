package tui

import (
	"context"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// Removing stored events: it asks, with their number, and cannot be taken back.

// only chooses one event: no other of its trigger began in the same millisecond,
// which is as fine as the store's index knows.
func only(e event.Stored) event.Filter {
	at := time.UnixMilli(e.Start.UnixMilli())
	return event.Filter{Trigger: e.Trigger, From: at, To: at.Add(time.Millisecond), N: 1}
}

func (p *eventsPage) askRemove(a *app, e event.Stored) {
	if e.End.IsZero() {
		a.say = "This event is going on; it can be removed when it is over."
		return
	}
	text := fmt.Sprintf("Remove this event with its %s (%s)? That cannot be taken back.", plural(len(e.Images), "image"), size(imageBytes(e)))
	if len(e.Images) == 0 {
		text = "Remove this event? It has no image. That cannot be taken back."
	}
	a.qu = yesNo(text, "remove", "keep", func() tea.Cmd {
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

// askRemoveAll asks whether to remove all that the filter chooses. The engine
// counts those of a trigger; of days they are counted where they are one page.
func (p *eventsPage) askRemoveAll(a *app) tea.Cmd {
	f := p.filter.filter(a.clock())
	if f.From.IsZero() && f.To.IsZero() {
		a.say = "Counting them."
		return a.within(callTime, func(ctx context.Context) tea.Msg {
			k, err := a.b.Kept(ctx, f.Trigger)
			return keptMsg{trigger: f.Trigger, kept: k, err: err, events: true}
		})
	}
	if p.more || len(p.before) > 0 {
		a.say = fmt.Sprintf("These are more than %d events: narrow the days with f, to see what is removed.", storedPage)
		return nil
	}
	k := event.Kept{Events: len(p.events)}
	for _, e := range p.events {
		k.Images += len(e.Images)
		k.Bytes += imageBytes(e)
	}
	p.askRemoveCounted(a, f, k)
	return nil
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

// counted takes what Kept and RemoveEvents came to.
func (a *app) counted(msg tea.Msg) tea.Cmd {
	p := a.eventsPage()
	switch m := msg.(type) {
	case keptMsg:
		a.say = ""
		switch {
		case !m.events && a.idle(triggersAt) && a.triggersPage().edit == nil:
			a.triggersPage().askDelete(a, m)
		case !m.events || !a.idle(eventsAt): // left meanwhile
		case m.err != nil:
			a.say = "They could not be counted, so none is removed: " + because(m.err)
		case p.filter.filter(a.clock()) == event.Filter{Trigger: m.trigger}:
			p.askRemoveCounted(a, event.Filter{Trigger: m.trigger}, m.kept)
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
