package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"watchpost/engine/event"
)

// input is one that is open once, whoever listens to it: the kernel gives a line to
// one only. Each listener hears it by his own edge and debounce.
//
// Invariant, under mu: raw is the newest reading of an open input.
type input struct {
	InputConfig // as it is opened
	in          *inputs
	all         context.Context // the program's
	stop        context.CancelFunc
	done        chan struct{}
	by          map[role]InputConfig // who listens; run's

	mu        sync.Mutex
	raw       Reading
	listeners map[role]*listener
}

// listener is a role that hears an input.
type listener struct {
	InputConfig
	high   bool        // the input, as this one knows it
	active bool        // as was told
	wait   *time.Timer // until a change has lasted for its debounce
}

// key is the same of those that are opened once: a line's, or for what has none all of it.
func (c InputConfig) key() string {
	if c.Source != event.Sound && c.Line != "" {
		return "line " + c.Line
	}
	return fmt.Sprintf("%+v", c)
}

// common is how an input is opened for all who listen to it: by the edge that they
// agree on, else as the contact is, and by the shortest debounce.
func common(listeners map[role]InputConfig) InputConfig {
	all := slices.Collect(maps.Values(listeners))
	c := all[0]
	for _, l := range all[1:] {
		if l.Source == event.External {
			c.Source = l.Source
		}
		if l.Edge != c.Edge {
			c.Edge = "rising"
		}
		c.Debounce = min(c.Debounce, l.Debounce)
	}
	return c
}

// heard takes who listens. To one that comes later a state is told that the others
// know, where it is a state that he wants: a trigger waits for the next change.
func (i *input) heard(by map[role]InputConfig) {
	if maps.Equal(i.by, by) {
		return
	}
	i.by = by
	i.mu.Lock()
	defer i.mu.Unlock()
	for r, l := range i.listeners {
		if by[r] == l.InputConfig {
			continue
		}
		l.still()
		if l.active {
			i.send(r, l, Reading{At: i.in.best.clock.Now()}, time.Now())
		}
		delete(i.listeners, r)
	}
	for r, c := range by {
		if i.listeners[r] != nil {
			continue
		}
		l := &listener{InputConfig: c, high: i.raw.Active}
		i.listeners[r] = l
		if l.high && (r.second || r == role{}) {
			i.send(r, l, i.raw, time.Now())
		}
	}
}

// tell takes a reading of the input.
func (i *input) tell(x Reading) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.raw = x
	mono := time.Now()
	if x.Active { // before the loop comes to it, which may have to wait for the disk
		i.in.freeze.Store(true)
	}
	for r, l := range i.listeners {
		l.still()
		if l.Debounce <= i.Debounce { // the input has seen to it
			i.hear(r, l, x, mono)
			continue
		}
		if x.Active == l.high {
			continue
		}
		var timer *time.Timer
		timer = time.AfterFunc(l.Debounce, func() {
			i.mu.Lock()
			defer i.mu.Unlock()
			if l.wait == timer {
				l.wait = nil
				i.hear(r, l, x, mono)
			}
		})
		l.wait = timer
	}
}

// still ends the wait for a change to last. Called with the input's mu held.
func (l *listener) still() {
	if l.wait != nil {
		l.wait.Stop()
		l.wait = nil
	}
}

// hear tells a listener a reading as he wants it. Called with mu held.
func (i *input) hear(r role, l *listener, x Reading, mono time.Time) {
	same := x.Active == l.high
	l.high = x.Active
	switch {
	case l.Edge == i.Edge || l.Edge == "rising":
	case same:
		return
	case l.Edge == "falling":
		x.Active = !x.Active
	case l.Edge == "both":
		x.Active = true
		i.send(r, l, x, mono)
		x.Active = false
	}
	i.send(r, l, x, mono)
}

// send tells the loop. Called with mu held.
func (i *input) send(r role, l *listener, x Reading, mono time.Time) {
	l.active = x.Active
	if x.Active {
		i.in.freeze.Store(true)
	}
	at, rough := i.in.best.of(x.At)
	s := signal{role: r, started: x.Active, at: at, rough: rough, mono: mono, level: x.Level}
	select { // at a stop too, where there is room
	case i.in.signals <- s:
		return
	default:
	}
	select {
	case i.in.signals <- s:
	case <-i.all.Done():
	}
}

// rest is the input failing, or with over ending: what is active is at rest then, and
// that is told until all of them end; but what has privacy mode on keeps it on while
// it cannot be read.
func (i *input) rest(over bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.raw = Reading{}
	for r, l := range i.listeners {
		l.still()
		l.high = false
		if l.active && i.all.Err() == nil && (r != role{} || over) {
			i.send(r, l, Reading{At: i.in.best.clock.Now()}, time.Now())
		}
	}
}

// watch keeps the input going until ctx ends.
func (i *input) watch(ctx context.Context, key string) {
	for wait := reopenFirst; ctx.Err() == nil; wait = min(2*wait, reopenLast) {
		open, err := i.in.openOne(i.InputConfig)
		if err == nil {
			i.in.set(key, inputState{since: i.in.since(key)})
			err = open.Run(ctx, func(x Reading) {
				i.tell(x)
				wait = reopenFirst
			})
		}
		i.rest(ctx.Err() != nil)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the input ended without a reason")
		}
		i.in.set(key, inputState{problem: err.Error()})
		retry := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-retry.C:
		}
		retry.Stop()
	}
	i.rest(true)
}
