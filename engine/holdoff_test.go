package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

// quick is a trigger whose events are short.
func quick() config.Trigger {
	t := trig("yard")
	t.Post = config.Extent{Time: time.Second}
	return t
}

// use puts a configuration in force as Apply does.
func (b *box) use(c config.Config) {
	b.t.Helper()
	if err := b.do(context.Background(), func() {
		l := b.current()
		l.Config = c
		b.adopt(l, nil)
	}); err != nil {
		b.t.Fatal(err)
	}
}

// A firing right behind the hold-off's end, before the loop's next tick, does
// not put the summary off by another hold-off.
func TestFiringAtHoldOffsEnd(t *testing.T) {
	inBox(t, conf(quick()), func(t *testing.T, b *box) {
		time.Sleep(2*time.Second + 30*time.Millisecond)
		b.fire("yard")
		time.Sleep(30 * time.Second)
		b.fire("yard")
		time.Sleep(30*time.Second + 10*time.Millisecond)
		b.fire("yard")
		time.Sleep(30 * time.Second)
		n := b.out.sent()
		if len(n) != 3 || n[0].Kind != event.Alarm || n[1].Kind != event.Summary && n[2].Kind != event.Summary {
			t.Errorf("%+v", n)
		}
	})
}

// A trigger that goes and comes back, as when an editor empties the file for a
// moment, is still in its hold-off.
func TestHoldOffOutlivesItsTrigger(t *testing.T) {
	inBox(t, conf(quick()), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.fire("yard")
		time.Sleep(5 * time.Second)
		b.use(conf())
		time.Sleep(2 * time.Second)
		b.use(conf(quick()))
		if f := b.fire("yard"); !f.HeldOff {
			t.Errorf("7 s after an alarm, with a hold-off of 60 s: %+v", f)
		}
	})
}

// A shorter hold-off is in force at once.
func TestHoldOffShortened(t *testing.T) {
	tr := quick()
	long, none := time.Hour, time.Duration(0)
	tr.HoldOff = &long
	inBox(t, conf(tr), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.fire("yard")
		time.Sleep(5 * time.Second)
		tr.HoldOff = &none
		b.use(conf(tr))
		if f := b.fire("yard"); f.HeldOff {
			t.Errorf("%+v", f)
		}
	})
}

// Firings whose notices cannot be composed do not keep a test mail from being tried.
func TestTestMailIsNotStarved(t *testing.T) {
	tr := quick()
	tr.Post = config.Extent{}
	cfg := conf(tr)
	cfg.Mail.HoldOff = 0
	inBox(t, cfg, func(t *testing.T, b *box) {
		b.out.err = errors.New("mail is not configured")
		b.out.slow = 10 * time.Millisecond
		time.Sleep(time.Second)
		for range 300 {
			b.fire("yard")
			time.Sleep(150 * time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := b.TestMail(ctx); !errors.Is(err, b.out.err) {
			t.Errorf("a test mail: %v", err)
		}
	})
}

// A firing that waits for the journal is accepted although its trigger is removed meanwhile.
func TestTriggerRemovedBeforeItsFiringIsAccepted(t *testing.T) {
	inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.do(context.Background(), func() {
			b.unaccepted = append(b.unaccepted, unaccepted{t: b.trigger("yard"), source: event.Motion, at: time.Now()})
		})
		b.use(conf(trig("gate")))
		time.Sleep(time.Minute)
		if n := b.out.sent(); len(n) != 1 || n[0].Firings[0].Trigger != "yard" {
			t.Errorf("%+v", n)
		}
	})
}

// A removed trigger is shown as long as its mail is under way.
func TestRemovedTriggerIsShown(t *testing.T) {
	inBox(t, conf(quick()), func(t *testing.T, b *box) {
		b.out.state = event.RcptHeld
		time.Sleep(time.Second)
		b.fire("yard")
		time.Sleep(5 * time.Second)
		b.use(conf(trig("gate")))
		if a := b.account("yard"); a.Held != 1 {
			t.Errorf("account %+v", a)
		}
		if err := b.Drop(context.Background(), "00000001-alarm"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s, err := b.Status(context.Background())
		if err != nil || len(s.Triggers) != 1 || s.Triggers[0].Name != "gate" {
			t.Errorf("%+v, %v", s.Triggers, err)
		}
	})
}

// A recording that ends, or a camera that is torn out, in the middle of motion
// ends the event: later firings are mailed.
func TestCameraEndsInMotion(t *testing.T) {
	for _, how := range []error{frame.ErrEnded, errors.New("unplugged")} {
		inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
			time.Sleep(10 * time.Second)
			b.cam.show(true)
			time.Sleep(3 * time.Second)
			b.cam.mu.Lock()
			b.cam.fail = how
			b.cam.mu.Unlock()
			time.Sleep(2 * time.Minute)
			list, err := b.Events(context.Background(), 10)
			if err != nil || len(list) != 1 || list[0].End.IsZero() {
				t.Errorf("%v: %+v, %v", how, list, err)
			}
			if f := b.fire("yard"); f.Disposition != event.Queued {
				t.Errorf("%v: a firing later is %s", how, f.Disposition)
			}
		})
	}
}

// Only what the detector reads starts it anew.
func TestDetectorStays(t *testing.T) {
	inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
		before := b.detector.now.Load()
		tr := trig("yard")
		tr.Notify = false
		b.use(conf(tr))
		if b.detector.now.Load() != before {
			t.Error("it learns anew although only notify changed")
		}
		tr.Threshold = 9
		b.use(conf(tr))
		if b.detector.now.Load() == before {
			t.Error("it goes on although the threshold changed")
		}
	})
}

// One who begins to watch hears of the return to a state that was published before.
func TestWatcherHearsOfTheReturn(t *testing.T) {
	inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
		fail := func(err error) {
			b.cam.mu.Lock()
			b.cam.fail = err
			b.cam.mu.Unlock()
		}
		time.Sleep(10 * time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		b.Watch(ctx)
		time.Sleep(5 * time.Second)
		cancel()
		fail(errors.New("unplugged"))
		time.Sleep(5 * time.Second)
		ctx, cancel = context.WithCancel(context.Background())
		snap, ch, err := b.Watch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		state := snap.Status.Camera.State
		fail(nil)
		time.Sleep(20 * time.Second)
		cancel()
		time.Sleep(time.Second)
		for ev := range ch {
			if ev.Status != nil {
				state = ev.Status.Camera.State
			}
		}
		if state != event.CameraOK {
			t.Errorf("the watcher's last word is %s", state)
		}
	})
}
