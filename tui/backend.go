package tui

import (
	"context"
	"errors"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Backend is what the interface needs of the engine. The engine itself has
// these methods, and so has the client of its socket. Their contracts are those
// of engine.API; all are safe for concurrent use and none waits past its context.
type Backend interface {
	Watch(ctx context.Context) (event.Snapshot, <-chan event.Event, error)
	Config(ctx context.Context) (config.Settings, error)
	Apply(ctx context.Context, revision string, changes []config.Change) (config.Settings, []config.Finding, error)
	Revert(ctx context.Context) (config.Settings, error)
	TestMail(ctx context.Context) (event.Mail, error)
	Diagnose(ctx context.Context, changes []config.Change, step func(event.Step)) (ok bool, err error)
	DiagnoseTransfer(ctx context.Context, name string, changes []config.Change, step func(event.Step)) (ok bool, err error)
	Fire(ctx context.Context, trigger string) (event.Firing, error)
	View(ctx context.Context) (event.View, error)
	Queue(ctx context.Context) ([]event.Mail, error)
	Retry(ctx context.Context, id string) error
	Drop(ctx context.Context, id string) error
	Events(ctx context.Context, f event.Filter) ([]event.Stored, error)
	Kept(ctx context.Context, f event.Filter) (event.Kept, error)
	RemoveEvents(ctx context.Context, f event.Filter) (int, error)
	Privacy(ctx context.Context, on bool) error
}

// How long a call may take before the screen says that it failed, and how long
// to wait before the engine is watched again after it has gone.
const (
	callTime     = 15 * time.Second
	diagnoseTime = 5 * time.Minute
	retryTime    = 5 * time.Minute // of all that is held
	rewatchAfter = 2 * time.Second
)

// What the commands below report to Update.
type (
	watchMsg struct {
		snap event.Snapshot
		ch   <-chan event.Event
		err  error
	}
	eventsMsg   struct{ events []event.Event } // a batch; nil: the engine is gone
	rewatchMsg  struct{}
	reconfigMsg struct{}
	minuteMsg   struct{}
	zoneMsg     struct{ zone *time.Location }
	notTextMsg  struct{ taken bool } // bytes came that are not UTF-8; taken: the keys read with them have been, too

	configMsg struct {
		settings config.Settings
		conflict bool // asked for because a save met ErrConflict
		err      error
	}
	appliedMsg struct {
		settings config.Settings
		findings []config.Finding
		test     bool // a test mail was asked for as well
		err      error
	}
	addedMsg struct { // the first trigger
		settings config.Settings
		err      error
	}
	revertedMsg struct {
		settings config.Settings
		err      error
	}
	testMsg struct {
		mail event.Mail
		err  error
	}
	stepMsg struct {
		run  int // which diagnosis
		step event.Step
	}
	diagnosedMsg struct {
		run int
		ok  bool
		err error
	}
	firedMsg struct {
		trigger string
		firing  event.Firing
		err     error
	}
	viewMsg struct {
		run  int // which live view
		view event.View
		err  error
	}
	queueMsg struct {
		mails []event.Mail
		err   error
	}
	queueDoneMsg struct { // Retry or Drop
		did string // a sentence
		err error
	}
)

// calls makes commands of the backend's methods. ctx ends with the interface.
type calls struct {
	ctx context.Context
	b   Backend
}

// within runs f with a context of its own, inside the command.
func (c calls) within(d time.Duration, f func(ctx context.Context) tea.Msg) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(c.ctx, d)
		defer cancel()
		return f(ctx)
	}
}

func (c calls) watch(ctx context.Context) tea.Cmd {
	return func() tea.Msg {
		snap, ch, err := c.b.Watch(ctx)
		return watchMsg{snap, ch, err}
	}
}

// next waits for an event and takes what waits behind it, so that a burst is
// one redrawing.
func (c calls) next(ch <-chan event.Event) tea.Cmd {
	return func() tea.Msg {
		first, ok := <-ch
		if !ok {
			return eventsMsg{}
		}
		batch := []event.Event{first}
		for len(batch) < 64 {
			select {
			case e, ok := <-ch:
				if !ok {
					return eventsMsg{batch} // the next call tells that it is closed
				}
				batch = append(batch, e)
			default:
				return eventsMsg{batch}
			}
		}
		return eventsMsg{batch}
	}
}

// zone reads a time zone: a time that came over a socket knows its offset, not
// whether that is summer time.
func (c calls) zone(name string) tea.Cmd {
	return func() tea.Msg {
		zone, err := time.LoadLocation(name)
		if err != nil {
			return nil
		}
		return zoneMsg{zone}
	}
}

func (c calls) config(conflict bool) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		s, err := c.b.Config(ctx)
		return configMsg{s, conflict, err}
	})
}

func (c calls) apply(revision string, changes []config.Change, test bool) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		s, f, err := c.b.Apply(ctx, revision, changes)
		return appliedMsg{s, f, test, err}
	})
}

// addTrigger saves a first trigger; the answer is the new configuration.
func (c calls) addTrigger(revision string) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		s, _, err := c.b.Apply(ctx, revision, []config.Change{{Key: "triggers", Value: "[{name: motion, source: motion}]"}})
		return addedMsg{s, err}
	})
}

func (c calls) revert() tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		s, err := c.b.Revert(ctx)
		return revertedMsg{s, err}
	})
}

func (c calls) testMail() tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		m, err := c.b.TestMail(ctx)
		return testMsg{m, err}
	})
}

// diagnose makes the command that runs a diagnosis, do, until ctx ends and the one
// that waits for its next message: a stepMsg as each step is done, at last a
// diagnosedMsg.
func (c calls) diagnose(ctx context.Context, run int, do func(ctx context.Context, step func(event.Step)) (bool, error)) (start, next tea.Cmd) {
	ch := make(chan tea.Msg)
	start = func() tea.Msg {
		defer close(ch)
		ctx, cancel := context.WithTimeout(ctx, diagnoseTime)
		defer cancel()
		tell := func(m tea.Msg) {
			select {
			case ch <- m:
			case <-ctx.Done():
			}
		}
		ok, err := do(ctx, func(s event.Step) { tell(stepMsg{run, s}) })
		tell(diagnosedMsg{run, ok, err})
		return nil
	}
	next = func() tea.Msg {
		if m, ok := <-ch; ok {
			return m
		}
		return diagnosedMsg{run: run, err: context.Canceled}
	}
	return start, next
}

func (c calls) fire(trigger string) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		f, err := c.b.Fire(ctx, trigger)
		return firedMsg{trigger, f, err}
	})
}

func (c calls) view(run int) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		v, err := c.b.View(ctx)
		return viewMsg{run, v, err}
	})
}

func (c calls) queue() tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		m, err := c.b.Queue(ctx)
		return queueMsg{m, err}
	})
}

func (c calls) retry(id string) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		return queueDoneMsg{"It is tried again now.", c.b.Retry(ctx, id)}
	})
}

// retryAll tries mails again one by one, so that only these are; one that is
// gone by now is passed over.
func (c calls) retryAll(ids []string) tea.Cmd {
	return c.within(retryTime, func(ctx context.Context) tea.Msg {
		n := 0
		for _, id := range ids {
			switch err := c.b.Retry(ctx, id); {
			case err == nil:
				n++
			case !errors.Is(err, event.ErrNotFound):
				return queueDoneMsg{err: fmt.Errorf("%d of %d are tried again, then: %w", n, len(ids), err)}
			}
		}
		return queueDoneMsg{did: plural(n, "held mail") + " tried again now."}
	})
}

func (c calls) drop(id string) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		return queueDoneMsg{"The mail was dropped.", c.b.Drop(ctx, id)}
	})
}
