package tui

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// rewatch subscribes to the engine, anew where there was a subscription.
func (a *app) rewatch() tea.Cmd {
	if a.unwatch != nil {
		a.unwatch()
	}
	ctx, cancel := context.WithCancel(a.ctx)
	a.unwatch = cancel
	return a.watch(ctx)
}

func (a *app) watching(m watchMsg) tea.Cmd {
	if m.err != nil {
		a.gone = "The engine does not answer: " + because(m.err) + " Trying again."
		return tea.Tick(rewatchAfter, func(time.Time) tea.Msg { return rewatchMsg{} })
	}
	a.gone, a.changes = "", m.ch
	a.history = history{slices.Clone(m.snap.Firings), slices.Clone(m.snap.Mails)}
	var queue tea.Cmd
	if p := a.pages[queueAt].(*queuePage); p.known { // changes may have been missed
		queue = p.opened(a)
	}
	return tea.Batch(a.setStatus(m.snap.Status), a.config(false), queue, a.next(m.ch))
}

func (a *app) happened(events []event.Event) tea.Cmd {
	if events == nil {
		a.gone = "The engine has stopped. This screen shows the last that was known and goes on when it is back."
		return tea.Tick(rewatchAfter, func(time.Time) tea.Msg { return rewatchMsg{} })
	}
	cmds := make([]tea.Cmd, 0, 4)
	var fired bool
	for _, e := range events {
		switch {
		case e.Status != nil:
			cmds = append(cmds, a.setStatus(*e.Status))
		case e.Firing != nil:
			a.history.firing(*e.Firing)
			cmds = append(cmds, a.cameraPage().walk.fired(a, *e.Firing))
			fired = true
		case e.Mail != nil:
			a.mailed(*e.Mail)
		case e.Step != nil:
			a.steps = append(a.steps, *e.Step)
			a.steps = a.steps[max(0, len(a.steps)-maxSteps):]
			a.sent.over(e.Step.Mail)
			a.mailPage().stepped(*e.Step)
		case e.Sent != nil:
			a.sent.take(*e.Sent, a.now())
		case e.Lost > 0: // what was missed is in a new snapshot
			return tea.Batch(append(cmds, a.rewatch())...)
		}
	}
	if fired && a.at == eventsAt {
		cmds = append(cmds, a.eventsPage().refresh(a))
	}
	return tea.Batch(append(cmds, a.next(a.changes))...)
}

// mailed takes a mail's new state to all that show it.
func (a *app) mailed(m event.Mail) {
	a.sent.over(m.ID)
	a.history.mail(m)
	a.mailPage().mailed(a, m)
	a.pages[queueAt].(*queuePage).changed(m)
	a.eventsPage().changed(a, m)
	if m.Damaged && a.say == "" {
		a.say = "The mail " + clean(m.ID) + " was found damaged on the disk and set aside"
		if m.FiringCount > 0 {
			a.say += "; it is composed anew"
		}
		a.say += "."
	}
}

func (a *app) setStatus(s event.Status) tea.Cmd {
	other := a.known && s.Revision != a.status.Revision && s.Revision != a.settings.Revision
	a.status, a.got, a.known = s, a.now(), true
	a.pages[statusAt].(*statusPage).settle(s)
	var cmds []tea.Cmd
	if a.zoneAsked != s.Clock.Zone {
		a.zoneAsked = s.Clock.Zone
		cmds = append(cmds, a.calls.zone(s.Clock.Zone))
	}
	cmds = append(cmds, a.eventsPage().follow(a))
	if other { // somebody else has saved
		cmds = append(cmds, a.config(false))
	}
	return tea.Batch(cmds...)
}
