package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

// theAccount is what the account of firings has to say, kept by other means: by
// what was acknowledged, and by the mails that the outbox had in the end.
type theAccount struct {
	*box
	rng      *rand.Rand
	accepted map[uint64]event.Firing
	broken   atomic.Pointer[durable.Op] // what the disk refuses the journal
}

// pick returns one of the queue's mails that where allows, "" where there is none.
func (a *theAccount) pick(where func(event.Mail) bool) string {
	ids := a.out.ids(where)
	if len(ids) == 0 {
		return ""
	}
	return ids[a.rng.IntN(len(ids))]
}

func waits(m event.Mail) bool {
	return m.Count(event.Pending) == len(m.Recipients) && m.Kind != event.Test
}

// balanced holds the account at this moment against what was acknowledged.
func (a *theAccount) balanced() {
	a.t.Helper()
	fired := map[string]uint64{}
	for _, f := range a.accepted {
		fired[f.Trigger]++
	}
	for _, name := range []string{"a", "c"} {
		if got := a.account(name); got.Fired != fired[name] || !got.Balanced() {
			a.t.Fatalf("%s: %d acknowledged, account %+v", name, fired[name], got)
		}
	}
}

// step does something at random.
func (a *theAccount) step(cfg config.Config) {
	states := []event.RecipientState{event.Delivered, event.RcptHeld, event.Pending, event.Pending}
	a.out.set(func() {
		a.out.state = states[a.rng.IntN(len(states))]
		if a.rng.IntN(10) == 0 {
			a.out.err = errors.New("the queue is full")
		} else if a.rng.IntN(3) == 0 {
			a.out.err = nil
		}
	})
	if a.rng.IntN(20) == 0 {
		ops := []durable.Op{durable.OpWrite, durable.OpSync}
		a.broken.Store(&ops[a.rng.IntN(2)])
	} else if a.rng.IntN(5) == 0 {
		a.broken.Store(nil)
	}
	foldSome := func() {
		if x, y := a.pick(waits), a.pick(waits); x != y {
			a.out.fold(x, y)
		}
	}
	damageOne := func() {
		if id := a.pick(waits); id != "" {
			a.out.damage(id)
		}
	}
	switch a.rng.IntN(12) {
	case 0, 1, 2, 3, 4:
		if f, err := a.Fire(context.Background(), []string{"a", "c"}[a.rng.IntN(2)]); err == nil {
			a.accepted[f.Seq] = f
		}
	case 5, 6:
		if id := a.pick(nil); id != "" {
			a.out.change(id, states[a.rng.IntN(len(states))])
		}
	case 7:
		if id := a.pick(func(m event.Mail) bool { return m.Count(event.RcptHeld) > 0 }); id != "" {
			a.out.Drop(id)
		}
	case 8:
		foldSome()
	case 9:
		damageOne()
	case 10:
		if a.rng.IntN(3) == 0 { // what the outbox did last the engine may not have heard
			if a.rng.IntN(2) == 0 {
				foldSome()
			}
			a.stop()
			switch a.rng.IntN(4) {
			case 0:
				foldSome()
			case 1:
				damageOne()
			}
			if op := a.broken.Load(); op != nil && *op == durable.OpSync {
				a.broken.Store(nil) // a disk that syncs nothing has no start
			}
			a.start(cfg)
		}
	}
}

// finish lets everything be delivered, and compares.
func (a *theAccount) finish() {
	a.broken.Store(nil)
	a.out.set(func() { a.out.err, a.out.state = nil, event.Pending })
	time.Sleep(2 * time.Minute)
	a.accepted[a.Engine.journal.Next()] = a.fire("a")
	time.Sleep(10 * time.Second)
	for _, id := range a.out.ids(waits) { // the last run's too
		a.out.damage(id)
	}
	a.out.set(func() { a.out.state = event.Delivered })
	for range 5 {
		for _, id := range a.out.ids(nil) {
			a.out.change(id, event.Delivered)
		}
		time.Sleep(time.Minute)
	}
	a.balanced()
	told := map[uint64][]event.Mail{}
	for _, m := range a.out.settled {
		for seq := range m.Firings.All() {
			told[seq] = append(told[seq], m)
		}
	}
	want := map[string]*event.Account{"a": {}, "c": {}}
	for seq, f := range a.accepted {
		w, d := want[f.Trigger], f.Disposition
		if w.Fired++; d == event.Queued {
			if len(told[seq]) != 1 {
				a.t.Errorf("firing %d is told in %d mails", seq, len(told[seq]))
				continue
			}
			d = told[seq][0].Disposition()
		}
		switch d {
		case event.Mailed:
			w.Mailed++
		case event.Summarised:
			w.Summarised++
		case event.Dropped:
			w.Dropped++
		case event.Outside:
			w.Outside++
		case event.Extended:
			w.Extended++
		default:
			a.t.Errorf("firing %d ended as %s", seq, d)
		}
	}
	for name, w := range want {
		got := a.account(name)
		got.SilentReasons = nil
		if got.Fired != w.Fired || got.Mailed != w.Mailed || got.Summarised != w.Summarised || got.Dropped != w.Dropped || got.Outside != w.Outside || got.Extended != w.Extended || got.Queued+got.Held > 0 {
			a.t.Errorf("%s: account %+v, by the mails it is %+v", name, got, *w)
		}
	}
}

// The account of firings adds up at every moment, whatever comes: random
// schedules and outcomes, an outbox that refuses, a journal that cannot be
// written, digests, damaged mails, and stops between any two of them. In the end
// every firing that was acknowledged is told in exactly one mail and counted so.
func TestAccountProperty(t *testing.T) {
	onMemory(t)
	x, y := trig("a"), trig("c")
	x.Post, y.Post = config.Extent{Time: time.Second}, config.Extent{Time: 3 * time.Second}
	short := 7 * time.Second
	y.HoldOff = &short
	y.Active = []config.Span{{From: 0, To: 12 * 60}}
	cfg := conf(x, y)
	inBox(t, cfg, func(t *testing.T, b *box) {
		a := theAccount{box: b, rng: newRand(t), accepted: map[uint64]event.Firing{}}
		defer durable.Observe(durable.Observer{Before: func(c durable.Call) error {
			if op := a.broken.Load(); op != nil && c.Op == *op && rand.IntN(3) > 0 && strings.Contains(c.Path, "/journal/") {
				return errors.New("the disk is full")
			}
			return nil
		}})()
		b.cam.mu.Lock()
		b.cam.fail = frame.ErrEnded // no frames: only the account matters here
		b.cam.mu.Unlock()
		for range 5000 {
			a.step(cfg)
			time.Sleep(time.Duration(a.rng.IntN(3000)) * time.Millisecond)
			a.balanced()
		}
		a.finish()
		if b.out.folds < 10 {
			t.Errorf("%d digests only", b.out.folds)
		}
	})
}
