package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
		case !t.cfg.Enabled:
			err = fmt.Errorf("trigger %q cannot fire: it is off (triggers.%s.enabled)", name, name)
		default:
			at, set := e.best.now()
			f, err = e.fire(unaccepted{t: t, source: event.Manual, at: at, rough: !set, hidden: e.private()})
		}
	})
	if derr != nil {
		return f, derr
	}
	return f, err
}

// Privacy switches privacy mode; see API.
func (e *Engine) Privacy(ctx context.Context, on bool) error {
	return e.do(ctx, func() { e.switchPrivacy(on) })
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

// Queue lists mails and transfers; see API.
func (e *Engine) Queue(context.Context) ([]event.Mail, error) {
	return Queued(e.Outbox, e.toPlaces), nil
}

// Retry tries again what is held; see API.
func (e *Engine) Retry(_ context.Context, id string) error {
	return RetryIn(e.Outbox, e.toPlaces, id)
}

// Drop gives up what is not delivered; see API.
func (e *Engine) Drop(_ context.Context, id string) error { return DropIn(e.Outbox, e.toPlaces, id) }

// items is what the mails' queue and that of the transfers have in common.
type items interface {
	Mails() []event.Mail
	Retry(id string) error
	Drop(id string) error
}

// Queued lists both queues, newest first.
func Queued(mails, transfers items) []event.Mail {
	all := append(mails.Mails(), transfers.Mails()...)
	slices.SortStableFunc(all, func(a, b event.Mail) int { return b.At.Compare(a.At) })
	return all
}

// RetryIn tries an item of one of the two again; "" is all of both.
func RetryIn(mails, transfers items, id string) error {
	switch {
	case id == "":
		return errors.Join(mails.Retry(""), transfers.Retry(""))
	case isTransfer(id):
		return transfers.Retry(id)
	}
	return mails.Retry(id)
}

// DropIn gives up an item of one of the two.
func DropIn(mails, transfers items, id string) error {
	if isTransfer(id) {
		return transfers.Drop(id)
	}
	return mails.Drop(id)
}

// Events lists stored events; see API.
func (e *Engine) Events(_ context.Context, f event.Filter) ([]event.Stored, error) {
	return e.store.List(f)
}

// Kept counts what is stored; see API.
func (e *Engine) Kept(_ context.Context, f event.Filter) (event.Kept, error) {
	return e.store.Count(f), nil
}

// removeAtOnce is how many events are removed before the keeper writes again: the
// images of what goes on wait meanwhile.
const removeAtOnce = 16

// RemoveEvents removes stored events; see API. The keeper does it, which is the
// store's one writer. It goes on whatever becomes of the caller.
func (e *Engine) RemoveEvents(ctx context.Context, f event.Filter) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		for ids := range slices.Chunk(e.store.IDs(f), removeAtOnce) {
			n, err, goOn := e.removeSome(ids)
			r.n, r.err = r.n+n, cmp.Or(r.err, err)
			if !goOn {
				break
			}
		}
		done <- r
	}()
	select {
	case r := <-done:
		return r.n, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// removeSome has the keeper remove some events; without goOn it takes no more.
func (e *Engine) removeSome(ids []string) (n int, err error, goOn bool) {
	done := make(chan struct{})
	work := func() {
		defer close(done)
		n, err = e.store.Remove(ids)
		e.noteRemoved(ids)
		for _, id := range ids { // what waits to be transferred of them is told so
			e.toPlaces.Changed(id)
		}
	}
	if derr := e.do(context.Background(), func() {
		if goOn = e.keeping(work); !goOn {
			err = errors.New("the disk is too slow: too much waits to be written; try again")
			close(done)
		}
	}); derr != nil {
		return 0, derr, false
	}
	<-done
	return n, err, goOn
}

// Export writes the files of events; see API.
func (e *Engine) Export(_ context.Context, w io.Writer, ids []string, format string) error {
	return e.store.Export(w, ids, format)
}
