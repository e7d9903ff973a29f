package engine

import (
	"context"
	"fmt"
	"slices"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/motion"
)

var _ API = (*Engine)(nil)

// fires is the level at which a motion trigger fires, percent of its zone.
func fires(t config.Trigger) float64 { return motion.ThresholdPercent(t.Threshold) }

// Fire fires a trigger by hand; see API.
func (e *Engine) Fire(ctx context.Context, name string) (f event.Firing, err error) {
	derr := e.do(ctx, func() {
		t := e.trigger(name)
		switch {
		case t == nil:
			err = fmt.Errorf("trigger %q: %w", name, event.ErrNotFound)
		case t.why != "":
			err = fmt.Errorf("trigger %q cannot fire: %s", name, t.why)
		default:
			f, err = e.fire(t, event.Manual, e.now(), 0)
		}
	})
	if derr != nil {
		return f, derr
	}
	return f, err
}

// TestMail queues a test mail; see API.
func (e *Engine) TestMail(ctx context.Context) (m event.Mail, err error) {
	reply := make(chan error, 1)
	var id string
	if err := e.do(ctx, func() { id = e.testMail(reply) }); err != nil {
		return m, err
	}
	select {
	case err := <-reply:
		if err != nil {
			return m, err
		}
	case <-ctx.Done():
		return m, ctx.Err()
	case <-e.done:
		return m, errStopped
	}
	mails := e.Outbox.Mails()
	if i := slices.IndexFunc(mails, func(m event.Mail) bool { return m.ID == id }); i >= 0 {
		return mails[i], nil
	}
	return event.Mail{ID: id, Kind: event.Test}, nil
}

// Queue lists the mails; see API.
func (e *Engine) Queue(context.Context) ([]event.Mail, error) {
	mails := e.Outbox.Mails()
	slices.SortFunc(mails, func(a, b event.Mail) int { return b.At.Compare(a.At) })
	return mails, nil
}

// Retry tries held mail again; see API.
func (e *Engine) Retry(_ context.Context, id string) error { return e.Outbox.Retry(id) }

// Drop gives up what is not delivered of a mail; see API.
func (e *Engine) Drop(_ context.Context, id string) error { return e.Outbox.Drop(id) }

// Events lists stored events; see API.
func (e *Engine) Events(_ context.Context, n int) ([]event.Stored, error) { return e.store.List(n) }
