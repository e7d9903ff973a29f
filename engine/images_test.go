package engine

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/store"
)

// A box whose clock is not set goes by the time that it saved last. That was ahead;
// then the clock is set, and what an event keeps is what it asks for all the same.
func TestImagesWhenTheClockIsSet(t *testing.T) {
	yard := trig("yard")
	yard.Pre, yard.Post, yard.Interval = config.Extent{Time: 3 * time.Second}, config.Extent{Time: 5 * time.Second}, 500*time.Millisecond
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()}
		right := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
		b.clock.set(right.Add(10 * time.Hour)) // and saved
		b.start(conf(yard))
		time.Sleep(time.Minute)
		b.stop()
		b.clock.set(time.Unix(0, 0))
		b.start(conf(yard))
		time.Sleep(20 * time.Second)
		at := b.now()
		b.fire("yard")
		time.Sleep(2 * time.Second)
		b.clock.set(right)
		time.Sleep(20 * time.Second)
		b.fire("yard")
		time.Sleep(20 * time.Second)
		list, err := b.Events(context.Background(), event.Filter{})
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v %v", list, err)
		}
		for _, e := range list {
			if n := len(e.Images); n < 15 || n > 18 || len(e.Missing) > 0 {
				t.Errorf("event of %v: %d images for 8 s at two a second, missing %q; the clock was set after %v", e.Start, n, e.Missing, at)
			}
		}
		b.stop()
	})
}

// What the camera did not give is told as missing, before and after the trigger.
func TestImagesThatTheCameraDidNotGiveAreTold(t *testing.T) {
	yard := trig("yard")
	yard.Pre, yard.Post, yard.Interval = config.Extent{Images: 5}, config.Extent{Images: 10}, time.Second
	inBox(t, conf(yard), func(t *testing.T, b *box) {
		time.Sleep(2500 * time.Millisecond) // the program has just begun
		b.fire("yard")
		time.Sleep(3 * time.Second)
		b.camera(errors.New("unplugged"))
		time.Sleep(20 * time.Second)
		list, _ := b.Events(context.Background(), event.Filter{})
		if len(list) != 1 || toldMissing(list[0].Missing)+len(list[0].Images) < 14 || toldMissing(list[0].Missing) > 15 {
			t.Errorf("of 15 images: %+v", list)
		}
	})
}

// Where an event's folder could not be ordered for a full keeper, an image that
// could be is not lost without a word.
func TestImagesOfAnEventThatIsNotInTheStoreYet(t *testing.T) {
	yard := trig("yard")
	yard.Pre, yard.Post, yard.Interval = config.Extent{}, config.Extent{Time: 5 * time.Second}, 500*time.Millisecond
	inBox(t, conf(yard), func(t *testing.T, b *box) {
		time.Sleep(3 * time.Second)
		b.do(context.Background(), func() {
			free := b.fullKeeper()
			b.fireInLoop("yard")
			free()
			time.Sleep(2 * time.Second) // the loop is behind, the keeper is not any more
			b.keepImages()
		})
		time.Sleep(20 * time.Second)
		list, _ := b.Events(context.Background(), event.Filter{})
		if len(list) != 1 || len(list[0].Images)+toldMissing(list[0].Missing) < 10 {
			t.Errorf("of 10 images: %+v", list)
		}
	})
}

// No event is in the store before its transfer is known, also where the keeper had
// no room for that at first.
func TestTransferIsKnownBeforeItsEvent(t *testing.T) {
	yard := trig("yard")
	yard.Transfer = "nas"
	q := &fakeTransfers{}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox(), transfers: q}
		b.start(conf(yard))
		time.Sleep(time.Second)
		b.do(context.Background(), func() { // what beginEvent does, and the keeper comes on in between
			s := event.Stored{ID: "00000007-20260101T120000", Trigger: "yard", Transfer: "nas", Start: b.now()}
			free := b.fullKeeper()
			b.beginTransfer(s, 7)
			free()
			for len(b.keeper) > 0 {
				time.Sleep(time.Millisecond)
			}
			t := b.trigger("yard")
			t.running = &running{cfg: t.cfg, stored: s, end: time.Now().Add(time.Second)}
			b.put(t.running)
		})
		time.Sleep(5 * time.Second)
		b.stop()
		if len(q.early) > 0 || len(q.jobs) != 1 {
			t.Errorf("stored before their job: %v; %d jobs", q.early, len(q.jobs))
		}
	})
}

// fullKeeper fills the keeper's list behind a disk that does not answer until free
// is called. In the loop.
func (b *box) fullKeeper() (free func()) {
	gate := make(chan struct{})
	b.keeper <- func() { <-gate }
	for b.keeping(func() {}) || !b.isBlocked() {
	}
	return func() { close(gate) }
}

// isBlocked lets the keeper take what it can.
func (b *box) isBlocked() bool {
	time.Sleep(time.Millisecond)
	return !b.keeping(func() {})
}

// fireInLoop fires by hand, in the loop.
func (b *box) fireInLoop(name string) {
	if _, err := b.Engine.fire(unaccepted{t: b.trigger(name), source: event.Manual, at: b.now()}); err != nil {
		b.t.Error(err)
	}
}

// An event of which the disk took nothing while it went on is stored once the disk is
// well, and says so.
func TestEventOfAFailingDiskIsStoredLater(t *testing.T) {
	quick := trig("yard")
	quick.Post = config.Extent{Time: time.Second}
	inBox(t, conf(quick), func(t *testing.T, b *box) {
		time.Sleep(2 * time.Second)
		events := filepath.Join(b.dir, "events")
		undo := durable.Observe(durable.Observer{Before: func(c durable.Call) error {
			if strings.HasPrefix(c.Path, events) {
				return syscall.EIO
			}
			return nil
		}})
		f := b.fire("yard")
		time.Sleep(20 * time.Second)
		if list, _ := b.Events(context.Background(), event.Filter{}); len(list) != 0 {
			t.Errorf("while the disk fails: %+v", list)
		}
		undo()
		time.Sleep(5 * time.Second)
		list, err := b.Events(context.Background(), event.Filter{})
		if err != nil || len(list) != 1 || list[0].ID != f.EventID || list[0].End.IsZero() || !slices.Contains(list[0].Missing, diskFailed) {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// After an hour without a camera no image of before that is one from before the trigger.
func TestImagesBeforeTheTriggerAreOfItsTime(t *testing.T) {
	inBox(t, conf(door()), func(t *testing.T, b *box) {
		time.Sleep(5 * time.Second)
		b.cam.mu.Lock()
		b.cam.fail = errors.New("unplugged")
		b.cam.mu.Unlock()
		time.Sleep(time.Hour)
		b.wires.pulse(doorLine)
		time.Sleep(10 * time.Second)
		list, _ := b.Events(context.Background(), event.Filter{})
		if len(list) != 1 || len(list[0].Images) != 0 || len(list[0].Missing) == 0 {
			t.Errorf("%+v", list)
		}
	})
}

// An event that began well and whose end the disk refuses gets it, and the list of what was lost,
// once the disk is well; nobody says that the power was cut.
func TestEndOfAnEventThatTheDiskRefuses(t *testing.T) {
	y := quick()
	y.Post = config.Extent{Time: 3 * time.Second}
	inBox(t, conf(y), func(t *testing.T, b *box) {
		time.Sleep(2 * time.Second)
		f := b.fire("yard")
		time.Sleep(time.Second)
		events := filepath.Join(b.dir, "events")
		undo := durable.Observe(durable.Observer{Before: func(c durable.Call) error {
			if strings.HasPrefix(c.Path, events) {
				return syscall.EIO
			}
			return nil
		}})
		time.Sleep(20 * time.Second)
		undo()
		time.Sleep(10 * time.Second)
		e, err := b.store.Get(f.EventID)
		if err != nil || e.End.Sub(f.At) < 3*time.Second || e.End.Sub(f.At) > 5*time.Second {
			t.Errorf("%v %v: %v", e.Start, e.End, err)
		}
		lost := false
		for _, m := range e.Missing {
			if strings.Contains(m, "power") || strings.Contains(m, "stopped") {
				t.Errorf("missing %q", m)
			}
			lost = lost || strings.Contains(m, "input/output")
		}
		if !lost {
			t.Errorf("missing %q", e.Missing)
		}
	})
}

// A clock that is set back in an event does not end it before it began.
func TestEndOfAnEventWhenTheClockIsSetBack(t *testing.T) {
	inBox(t, conf(quick()), func(t *testing.T, b *box) {
		b.clock.ahead.Store(int64(27 * 365 * 24 * time.Hour))
		time.Sleep(time.Second)
		b.fire("yard")
		b.clock.ahead.Add(-int64(time.Hour))
		time.Sleep(10 * time.Second)
		list, _ := b.Events(context.Background(), event.Filter{})
		if d := list[0].End.Sub(list[0].Start); d < time.Second || d > 2*time.Second {
			t.Errorf("it lasted %v", d)
		}
	})
}

// What goes on keeps its images while very many events are removed.
func TestImagesWhileEventsAreRemoved(t *testing.T) {
	y := quick()
	y.Interval, y.Post = 100*time.Millisecond, config.Extent{Time: 50 * time.Second}
	inBox(t, conf(y, trig("old")), func(t *testing.T, b *box) {
		time.Sleep(2 * time.Second)
		for seq := range uint64(60) {
			if err := b.store.Put(event.Stored{ID: store.ID(seq, b.now()), Trigger: "old", Start: b.now(), End: b.now()}); err != nil {
				t.Fatal(err)
			}
		}
		undo := durable.Observe(durable.Observer{Before: func(c durable.Call) error {
			if c.Op == durable.OpRename && strings.Contains(c.Path, "-2000") {
				if filepath.Dir(c.Path) == filepath.Join(b.dir, "events") { // an event that goes
					time.Sleep(time.Second)
				}
			}
			return nil
		}})
		defer undo()
		b.journal.AtLeast(100)
		f := b.fire("yard")
		time.Sleep(2 * time.Second)
		if n, err := b.RemoveEvents(context.Background(), event.Filter{Trigger: "old"}); n != 60 || err != nil {
			t.Errorf("%d removed, %v", n, err)
		}
		time.Sleep(2 * time.Minute)
		e, err := b.store.Get(f.EventID)
		if err != nil || len(e.Images) < 480 {
			t.Errorf("%d images, missing %q, %v", len(e.Images), e.Missing, err)
		}
	})
}
