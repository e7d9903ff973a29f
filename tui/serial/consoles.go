package serial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Why a session ends that the person did not end; they are told on the line.
var (
	errChanged = errors.New("The settings of this console have changed.")
	errStopped = errors.New("Watchpost stops here.")
	errIdle    = errors.New("Nothing was typed for long, so this ended. What was not saved is lost.")
)

// Consoles are the serial consoles of a box.
type Consoles struct {
	Options
	mu       sync.Mutex // guards what follows
	consoles []*console
}

// New makes the consoles; Run does everything.
func New(o Options) *Consoles {
	if o.settle == 0 {
		o.settle = settleEvery
	}
	if o.retry == 0 {
		o.retry = retryAfter
	}
	if o.idle == 0 {
		o.idle = idleTime
	}
	if o.penalty == nil {
		o.penalty = penalty
	}
	return &Consoles{Options: o}
}

// Ways are the consoles' states for the engine's status.
func (c *Consoles) Ways() (all []event.Way) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.consoles {
		all = append(all, one.now())
	}
	return all
}

// Run keeps a console on each port that the settings name, and follows their changes.
// It returns when ctx ends, and all consoles have.
func (c *Consoles) Run(ctx context.Context) error {
	for {
		c.follow(ctx, c.Settings().Consoles)
		select {
		case <-ctx.Done():
			c.follow(ctx, nil)
			return ctx.Err()
		case <-time.After(c.settle):
		}
	}
}

// follow ends the consoles that are not wanted any more, waits for that (a port is
// opened by one only), and begins new ones.
func (c *Consoles) follow(ctx context.Context, want []config.Serial) {
	c.mu.Lock()
	var keep, gone []*console
	for _, one := range c.consoles {
		if slices.Contains(want, one.config) {
			keep = append(keep, one)
		} else {
			gone = append(gone, one)
		}
	}
	c.mu.Unlock()
	why := errChanged
	if ctx.Err() != nil {
		why = errStopped
	}
	for _, one := range gone {
		one.cancel(why)
	}
	for _, one := range gone {
		<-one.done
	}
	for _, s := range want {
		if slices.ContainsFunc(keep, func(one *console) bool { return one.config == s }) {
			continue
		}
		one := &console{all: c, config: s, done: make(chan struct{})}
		one.state = event.Way{Kind: "serial", Name: s.Device, How: how(s), State: "absent"}
		// Not a child of ctx: that would end it before its reason is known.
		inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		one.cancel = cancel
		go func() { defer close(one.done); one.run(inner) }()
		keep = append(keep, one)
	}
	c.mu.Lock()
	c.consoles = keep
	c.mu.Unlock()
}

// how is a console's settings in short.
func how(s config.Serial) string {
	text := fmt.Sprintf("%d baud, %s", s.Baud, s.Term)
	if s.Flow != "none" {
		text += ", " + s.Flow
	}
	return text
}
