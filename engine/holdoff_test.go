package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// another is a trigger of another source: the same one under a new name it is not.
func another(name string) config.Trigger {
	t := trig(name)
	t.Source = event.Manual
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
		b.use(conf(another("gate")))
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
		b.use(conf(another("gate")))
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
			list, err := b.Events(context.Background(), event.Filter{N: 10})
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

// A trigger that goes on firing: the first is mailed at once, those inside the
// hold-off in one mail at its end, and the next one after that at once again,
// which begins the next hold-off.
func TestGoesOnFiring(t *testing.T) {
	inBox(t, conf(quick()), func(t *testing.T, b *box) {
		time.Sleep(2 * time.Second)
		began := time.Now()
		for range 24 { // four minutes
			b.fire("yard")
			time.Sleep(10*time.Second + 10*time.Millisecond)
		}
		var got []string
		for _, n := range b.out.sent() {
			got = append(got, fmt.Sprintf("%s of %d after %d s", n.Kind, n.Count(), int(n.Firings[0].At.Sub(began).Seconds())))
		}
		want := []string{
			"summary of 5 after 10 s", "alarm of 1 after 0 s", "summary of 5 after 70 s", "alarm of 1 after 60 s",
			"summary of 5 after 130 s", "alarm of 1 after 120 s", "summary of 5 after 190 s", "alarm of 1 after 180 s",
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
	})
}

// A summary shows the best image of at most nine of its events: the first, the
// last, and those spread evenly between them; no more are read.
func TestSummaryImages(t *testing.T) {
	long := 10 * time.Minute
	tr := quick()
	tr.HoldOff = &long
	inBox(t, conf(tr), func(t *testing.T, b *box) {
		time.Sleep(10 * time.Second)
		b.fire("yard")
		time.Sleep(5 * time.Second)
		var at []time.Time
		for i := range 60 { // most of them in the first two minutes
			at = append(at, b.fire("yard").At)
			if i < 40 {
				time.Sleep(3 * time.Second)
			} else {
				time.Sleep(20 * time.Second)
			}
		}
		time.Sleep(2 * time.Minute)
		sent := b.out.sent()
		n := sent[len(sent)-1]
		if n.Kind != event.Summary || n.Count() != 60 || len(n.Images) != summaryImages {
			t.Fatalf("%s of %d with %d images", n.Kind, n.Count(), len(n.Images))
		}
		near := func(a, b time.Time, d time.Duration) bool { return a.Sub(b).Abs() <= d }
		step := at[59].Sub(at[0]) / (summaryImages - 1)
		for i, im := range n.Images {
			if !near(im.At, at[0].Add(time.Duration(i)*step), 15*time.Second) {
				t.Errorf("image %d is of %v, %v after the first", i, im.At, im.At.Sub(at[0]))
			}
		}
		if !near(n.Images[0].At, at[0], 2*time.Second) || !near(n.Images[8].At, at[59], 2*time.Second) {
			t.Errorf("from %v to %v, want %v to %v", n.Images[0].At, n.Images[8].At, at[0], at[59])
		}
	})
}

// While so many notices wait that there is no room, firings wait for a summary.
func TestNoRoomForAlarms(t *testing.T) {
	tr := quick()
	tr.Post = config.Extent{}
	cfg := conf(tr)
	cfg.Mail.HoldOff = 0
	inBox(t, cfg, func(t *testing.T, b *box) {
		b.out.err = errors.New("mail is not configured")
		time.Sleep(time.Second)
		for i := range dueMax + 20 {
			if f := b.fire("yard"); f.HeldOff != (i >= dueMax) {
				t.Fatalf("firing %d: %+v", i+1, f)
			}
			time.Sleep(300 * time.Millisecond)
		}
		b.out.set(func() { b.out.err = nil })
		time.Sleep(time.Minute)
		if a := b.account("yard"); a.Mailed != dueMax || a.Summarised != 20 || len(b.out.sent()) != dueMax+1 {
			t.Errorf("%d mails, account %+v", len(b.out.sent()), a)
		}
		if f := b.fire("yard"); f.HeldOff {
			t.Errorf("with room again: %+v", f)
		}
	})
}

// A mail of the spool that is damaged is composed again from the journal, and
// says so; the damaged one is on no list.
func TestDamagedMail(t *testing.T) {
	cfg := conf(quick())
	inBox(t, cfg, func(t *testing.T, b *box) {
		b.out.keep = true
		time.Sleep(10 * time.Second)
		b.fire("yard")
		for range 3 {
			time.Sleep(5 * time.Second)
			b.fire("yard")
		}
		time.Sleep(time.Minute)
		for _, id := range b.out.ids(nil) {
			b.out.damage(id)
		}
		b.out.set(func() { b.out.keep = false })
		time.Sleep(10 * time.Second)
		sent := b.out.sent()
		if len(sent) != 4 || sent[2].ID != sent[0].ID || sent[3].ID != sent[1].ID || sent[3].Count() != 3 || sent[3].Kind != event.Summary || len(sent[3].Images) != 3 || len(sent[2].Images) != 1 {
			t.Fatalf("%+v", sent)
		}
		for _, n := range sent[2:] {
			if !slices.Contains(n.Notes, noteDamaged) {
				t.Errorf("%q", n.Notes)
			}
		}
		if a := b.account("yard"); a.Mailed != 1 || a.Summarised != 3 {
			t.Errorf("account %+v", a)
		}
	})
}

// The mails that a digest stands for are on no list any more, and their firings
// are summarised when it is delivered.
func TestDigest(t *testing.T) {
	cfg := conf(quick())
	cfg.Mail.HoldOff = 0
	inBox(t, cfg, func(t *testing.T, b *box) {
		b.out.keep = true
		time.Sleep(time.Second)
		for range 3 {
			b.fire("yard")
			time.Sleep(5 * time.Second)
		}
		b.out.fold(b.out.ids(nil)[:2]...)
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		snap, _, err := b.Watch(ctx)
		if err != nil || len(snap.Mails) != 2 || snap.Status.Queue.Queued != 2 || snap.Status.Triggers[0].Queued != 3 {
			t.Errorf("%+v, %v", snap, err)
		}
		b.out.change("00000001-digest", event.Delivered)
		b.out.change("00000003-alarm", event.Delivered)
		time.Sleep(time.Second)
		if a := b.account("yard"); a.Summarised != 2 || a.Mailed != 1 || a.Queued != 0 {
			t.Errorf("account %+v", a)
		}
	})
}

// Another quality of the images ends no motion.
func TestDetectorGoesOnWithOtherImages(t *testing.T) {
	inBox(t, conf(quick()), func(t *testing.T, b *box) {
		time.Sleep(10 * time.Second)
		b.cam.show(true)
		time.Sleep(3 * time.Second)
		q := quick()
		q.Quality = 50
		b.use(conf(q))
		time.Sleep(300 * time.Millisecond)
		var active bool
		b.do(context.Background(), func() { active = b.trigger("yard").active })
		if !active {
			t.Error("the motion ended")
		}
		if b.detector.now.Load().quality != 50 {
			t.Error("quality")
		}
	})
}
