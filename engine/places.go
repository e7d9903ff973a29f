package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"watchpost/engine/event"
)

// handedLast is what came of a place last.
type handedLast struct {
	at time.Time
	ok bool
}

// noteOutcome remembers what a transfer's state says of its place.
func (e *Engine) noteOutcome(m event.Mail) {
	to := m.Recipients[0]
	if to.At.IsZero() || to.State == event.RcptDrop || to.At.Before(e.lastAt[to.Address].at) {
		return
	}
	e.lastAt[to.Address] = handedLast{to.At, to.State == event.Delivered || to.State == event.Pending && m.Problem == ""}
}

// placeStatus is how each place does: those that are configured, in their order, and
// those that are not any more and are waited for. What a job was told of its next try
// may be past: the place's own pause, which the others wait for too, has grown since.
func (e *Engine) placeStatus(now time.Time) []event.Place {
	all := map[string]*event.Place{}
	out := []event.Place{}
	for _, t := range e.current().Config.Transfers {
		out = append(out, event.Place{Name: t.Name})
	}
	for _, id := range slices.Sorted(maps.Keys(e.transfers)) {
		if name := e.transfers[id].Recipients[0].Address; !slices.ContainsFunc(out, func(p event.Place) bool { return p.Name == name }) {
			out = append(out, event.Place{Name: name})
		}
	}
	for i := range out {
		p := &out[i]
		last := e.lastAt[p.Name]
		p.Last, p.OK, all[p.Name] = last.at, last.ok, p
	}
	maps.DeleteFunc(e.lastAt, func(name string, _ handedLast) bool { return all[name] == nil })
	for _, id := range slices.Sorted(maps.Keys(e.transfers)) {
		m := e.transfers[id]
		p := all[m.Recipients[0].Address]
		p.Held += m.Count(event.RcptHeld)
		p.Waiting += m.Count(event.Pending)
		if p.Since.IsZero() || m.Queued.Before(p.Since) {
			p.Since = m.Queued
		}
		if m.NextTry.After(now) && (p.NextTry.IsZero() || m.NextTry.Before(p.NextTry)) {
			p.NextTry = m.NextTry
		}
		if m.Problem != "" {
			p.Problem = m.Problem
		}
	}
	for _, m := range e.recent { // what changed last speaks
		if now, ok := e.transfers[m.ID]; ok && now.Problem != "" {
			all[now.Recipients[0].Address].Problem = now.Problem
		}
	}
	return out
}

// placeProblems is a sentence for each place for which something waits or is held.
func placeProblems(places []event.Place) (out []string) {
	for _, p := range places {
		if p.Problem == "" {
			continue
		}
		text := "transfer " + p.Name + ": " + p.Problem
		if p.Held > 0 {
			text += fmt.Sprintf(" (%d held: see the queue, then retry or drop)", p.Held)
		}
		out = append(out, text)
	}
	return out
}
