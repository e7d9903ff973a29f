package engine

import (
	"context"
	"testing"
	"time"

	"watchpost/engine/event"
)

// A board without a battery: the events of the time before the clock was set get
// their true times, over a restart of the program and in the middle of one too. Those
// of a start of the box before have what was estimated. No id changes.
func TestStampsAreCorrected(t *testing.T) {
	cfg := mailed(quick())
	cfg.Mail.HoldOff = 0
	inSetBox(t, cfg, func(t *testing.T, b *box) {
		at := func(id string) event.Stored {
			t.Helper()
			list, err := b.Events(context.Background(), event.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				if e.ID == id {
					return e
				}
			}
			t.Fatalf("there is no event %s", id)
			return event.Stored{}
		}
		time.Sleep(25 * time.Minute)
		b.stop()

		b.boot = "boot with a dead battery"
		b.clock.set(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
		b.start(cfg)
		time.Sleep(time.Minute)
		lost := b.fire("yard").EventID
		time.Sleep(time.Minute)
		b.stop()

		b.boot, b.up, b.booted = "the next one", 0, time.Now()
		b.clock.set(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
		b.start(cfg)
		time.Sleep(30 * time.Second)
		firedAt := time.Now()
		f := b.fire("yard")
		time.Sleep(20 * time.Second)
		if e := at(f.EventID); e.Unset == nil || !e.Unset.End || !f.Estimate || e.Corrected != 0 {
			t.Errorf("before the clock is set: %+v", e)
		}
		b.stop() // the program only
		b.start(cfg)
		time.Sleep(30 * time.Second)
		movedAt := time.Now()
		b.cam.show(true)
		time.Sleep(7 * time.Second)
		setAt, now := time.Now(), time.Date(2027, 3, 9, 8, 0, 0, 0, time.UTC)
		b.clock.set(now)
		truth := func(mono time.Time) time.Time { return now.Add(mono.Sub(setAt)) }
		time.Sleep(4 * time.Second)
		if going, _ := b.Events(context.Background(), event.Filter{N: 1}); !going[0].End.IsZero() || going[0].Unset == nil || going[0].Unset.End {
			t.Errorf("after the clock was set during it: %+v", going[0])
		}
		b.cam.show(false)
		restAt := time.Now()
		time.Sleep(30 * time.Second)
		last := b.fire("yard")
		time.Sleep(20 * time.Second)

		check := func() {
			t.Helper()
			e := at(f.EventID)
			if e.Unset != nil || e.Corrected == 0 || e.Start.Sub(truth(firedAt)).Abs() > time.Second ||
				e.End.Sub(e.Start) < time.Second || e.End.Sub(e.Start) > 20*time.Second || !e.Start.Add(-time.Duration(e.Corrected)).Equal(f.At) {
				t.Errorf("the first one began at %v: %+v", truth(firedAt), e)
			}
			all, _ := b.Events(context.Background(), event.Filter{})
			moving := all[1]
			if moving.Source != event.Motion || moving.Unset != nil || moving.Start.Sub(truth(movedAt)).Abs() > 5*time.Second ||
				moving.End.Before(truth(restAt)) || moving.End.Sub(truth(restAt)) > 20*time.Second {
				t.Errorf("the second one began at %v and came to rest at %v: %+v", truth(movedAt), truth(restAt), moving)
			}
			for _, e := range []event.Stored{e, moving} {
				for i, im := range e.Images {
					if i > 0 {
						if gap := im.At.Sub(e.Images[i-1].At); gap <= 0 || gap > 2*time.Second {
							t.Errorf("image %d of %s is %v after the one before", i, e.ID, gap)
						}
					}
					if im.Estimate || im.At.Sub(e.Start).Abs() > 30*time.Second {
						t.Errorf("image %d of %s: %+v", i, e.ID, im)
					}
				}
			}
			if e := at(last.EventID); e.Unset != nil || e.Corrected != 0 || !e.Start.Equal(last.At) {
				t.Errorf("the last one: %+v", e)
			}
			if e := at(lost); e.Unset == nil || e.Corrected != 0 || e.Start.Sub(time.Date(2027, 3, 1, 12, 26, 0, 0, time.UTC)).Abs() > 5*time.Second {
				t.Errorf("that of the start before: %+v", e)
			}
		}
		check()
		b.stop()
		b.start(cfg)
		check()
	})
}
