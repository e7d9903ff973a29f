package engine

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

// 1. A line that is changed while it is active: its event ends.
func TestLineChangedWhileActive(t *testing.T) {
	inBox(t, conf(door()), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		going := 0
		for i := range 20 {
			cfg := door()
			from, to := "gpiochip0:4", "gpiochip0:5"
			if i%2 == 1 {
				from, to = to, from
			}
			b.wires.set("external "+from, true)
			cfg.Line = to
			b.use(conf(cfg))
			time.Sleep(10 * time.Second)
			var active bool
			b.do(context.Background(), func() { active = b.trigger("door").active })
			if active {
				going++
			}
		}
		if going > 0 {
			t.Errorf("after %d of 20 changes the trigger is active still, with a line that is at rest", going)
		}
	})
}

// 2. Privacy's line is changed while it is active.
func TestPrivacyLineChangedWhileActive(t *testing.T) {
	cfg := conf(trig("yard"))
	cfg.Privacy.Line = "a"
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		stays := 0
		lines := []string{"a", "b"}
		for i := range 20 {
			b.wires.set("external "+lines[i%2], true)
			cfg.Privacy.Line = lines[(i+1)%2]
			b.use(cfg)
			time.Sleep(10 * time.Second)
			if s, _ := b.Status(context.Background()); s.State == "privacy" {
				stays++
				b.wires.set("external "+lines[(i+1)%2], false)
			}
		}
		if stays > 0 {
			t.Errorf("after %d of 20 changes privacy mode stays on, with a line that is at rest", stays)
		}
	})
}

// 3. Privacy by its line survives a restart.
func TestPrivacyLineRestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()}
		cfg := conf(trig("yard"))
		cfg.Privacy.Line = "switch"
		b.start(cfg)
		time.Sleep(time.Second)
		b.wires.set("external switch", true)
		time.Sleep(time.Second)
		b.stop()
		b.wires.broken = errors.New("busy") // the line takes a while, as a chip on USB does
		b.start(cfg)
		time.Sleep(10 * time.Second)
		s, _ := b.Status(context.Background())
		if n, _ := b.ring.Size(); n > 0 || s.State != "privacy" {
			t.Errorf("10 s after the restart: state %s, %d images in the ring, %d frames", s.State, n, s.Camera.Frames)
		}
		b.stop()
	})
}

// 3b. And a person who overruled it stays obeyed.
func TestOverruledRestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()}
		cfg := conf(trig("yard"))
		cfg.Privacy.Line = "switch"
		b.start(cfg)
		time.Sleep(time.Second)
		b.wires.set("external switch", true)
		time.Sleep(time.Second)
		b.Privacy(context.Background(), false)
		b.stop()
		b.start(cfg)
		time.Sleep(time.Second)
		b.wires.set("external switch", true) // as it is
		time.Sleep(time.Second)
		if s, _ := b.Status(context.Background()); s.State == "privacy" {
			t.Errorf("privacy %+v", s.Privacy)
		}
		b.stop()
	})
}

// 4. A start within privacy's time: nothing is captured.
func TestPrivacyTimeAtStart(t *testing.T) {
	cfg := conf(trig("yard"))
	cfg.Privacy.Active = []config.Span{{From: 0, To: 12 * 60}}
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(5 * time.Second)
		s, _ := b.Status(context.Background())
		if s.Camera.Frames > 0 {
			t.Errorf("%d frames were captured in privacy's time (%s)", s.Camera.Frames, s.State)
		}
	})
}

// 7. What fired in privacy mode is silent, also where the journal could not take it then.
func TestPrivacyUnaccepted(t *testing.T) {
	inBox(t, conf(door()), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.Privacy(context.Background(), true)
		time.Sleep(time.Second)
		undo := failing(filepath.Join(b.dir, "journal", "journal.jsonl"))
		b.wires.pulse(doorLine)
		time.Sleep(time.Minute)
		b.Privacy(context.Background(), false)
		time.Sleep(time.Second)
		undo()
		time.Sleep(5 * time.Second)
		if n := len(b.out.sent()); n > 0 || b.silent("door", event.Privacy) != 1 {
			t.Errorf("%d mails; account %+v", n, b.account("door"))
		}
	})
}

// 8. What fired before privacy mode is mailed.
func TestFiredBeforePrivacy(t *testing.T) {
	inBox(t, conf(door()), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		undo := failing(filepath.Join(b.dir, "journal", "journal.jsonl"))
		b.wires.pulse(doorLine)
		time.Sleep(time.Second)
		b.Privacy(context.Background(), true)
		undo()
		time.Sleep(5 * time.Second)
		if a := b.account("door"); a.Silent > 0 {
			t.Errorf("account %+v", a)
		}
	})
}

// clocked is a camera whose frames are stamped by the box's clock, as the real ones are.
type clocked struct {
	*fakeCamera
	clock *testClock
}

func (c clocked) Run(ctx context.Context, deliver func(*frame.Frame)) error {
	return c.fakeCamera.Run(ctx, func(f *frame.Frame) { f.At = c.clock.Now(); deliver(f) })
}

// 9. The clock is set back in an event, and before one.
func TestClockSetBack(t *testing.T) {
	y := trig("yard")
	y.Pre, y.Post, y.Interval = config.Extent{Images: 3}, config.Extent{Time: 20 * time.Second}, time.Second
	inBox(t, conf(y), func(t *testing.T, b *box) {
		const set = 27 * 365 * 24 * time.Hour // a clock that is set
		b.clock.ahead.Store(int64(set))
		b.Engine.camera.open = func(config.Camera) (Camera, error) { return clocked{b.cam, &b.clock}, nil }
		b.use(func() config.Config { c := conf(y); c.Camera.FPS = 7; return c }())
		time.Sleep(10 * time.Second)
		b.fire("yard")
		time.Sleep(5 * time.Second)
		b.clock.ahead.Store(int64(set - time.Hour))
		time.Sleep(time.Minute)
		list, _ := b.Events(context.Background(), event.Filter{})
		if n := len(list[0].Images); n < 20 {
			t.Errorf("set back within the event: %d images of about 24, missing %v", n, list[0].Missing)
		}
		time.Sleep(10 * time.Minute) // the ring has only what the clock says now
		b.clock.ahead.Store(int64(set - 2*time.Hour))
		time.Sleep(2 * time.Second)
		b.fire("yard")
		time.Sleep(time.Minute)
		list, _ = b.Events(context.Background(), event.Filter{N: 1})
		after := 0
		for _, im := range list[0].Images {
			if d := im.At.Sub(list[0].Start); d >= 0 && d < time.Minute {
				after++
			}
		}
		if after < 18 {
			t.Errorf("set back before the event: %d images of its 20 s (of %d in all), missing %v", after, len(list[0].Images), list[0].Missing)
		}
	})
}

// 10. Post-trigger images are as many as asked for.
func TestPostImages(t *testing.T) {
	for _, interval := range []time.Duration{250 * time.Millisecond, 700 * time.Millisecond, time.Second} {
		y, other := door(), trig("other")
		y.Pre, y.Post, y.Interval = config.Extent{}, config.Extent{Images: 10}, interval
		other.Interval = 500 * time.Millisecond
		inBox(t, conf(y, other), func(t *testing.T, b *box) {
			time.Sleep(10 * time.Second)
			b.wires.pulse(doorLine)
			time.Sleep(time.Minute)
			list, _ := b.Events(context.Background(), event.Filter{})
			if n := len(list[0].Images); n < 10 {
				t.Errorf("interval %v: %d images of 10, missing %q", interval, n, list[0].Missing)
			}
		})
	}
}

// 11. An event beyond its images does not rewrite event.json for each.
func TestEndlessEvent(t *testing.T) {
	y := door()
	y.Interval = 100 * time.Millisecond
	inBox(t, conf(y), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.wires.set(doorLine, true)
		time.Sleep(220 * time.Second) // 2000 images are there
		var n atomic.Int64
		defer durable.Observe(durable.Observer{Before: func(c durable.Call) error {
			if strings.Contains(c.Path+c.To, "event.json") {
				n.Add(1)
			}
			return nil
		}})()
		time.Sleep(time.Minute)
		if n.Load() > 20 {
			t.Errorf("%d calls for event.json in a minute in which nothing was kept", n.Load())
		}
		b.wires.set(doorLine, false)
		time.Sleep(time.Minute)
	})
}

// 12. A trigger with its own destinations is removed or renamed: its summary goes to them.
func TestOwnDestinationsOfARemoved(t *testing.T) {
	own := trig("gate")
	own.Destinations = []string{"boss@example.net"}
	inBox(t, conf(own), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.fire("gate")
		time.Sleep(20 * time.Second)
		b.fire("gate")
		time.Sleep(5 * time.Second)
		renamed := own
		renamed.Name = "Gate"
		b.use(conf(renamed))
		time.Sleep(2 * time.Minute)
		for _, n := range b.out.sent() {
			if len(n.Destinations) == 0 {
				t.Errorf("%s of %v goes to mail.destinations", n.ID, n.Firings)
			}
		}
	})
}

// failingOnce is a queue of transfers that cannot take its first job.
type failingOnce struct {
	*fakeTransfers
	failed bool
}

// 13. A transfer that could not be queued is queued later.
func TestTransferQueuedLater(t *testing.T) {
	y := door()
	y.Transfer = "nas"
	q := &fakeTransfers{}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox(), transfers: q}
		b.start(conf(y))
		b.toPlaces = &failOnce{Transfers: b.toPlaces}
		time.Sleep(3 * time.Second)
		b.wires.pulse(doorLine)
		time.Sleep(10 * time.Second)
		b.wires.pulse(doorLine)
		time.Sleep(10 * time.Minute)
		list, _ := b.Events(context.Background(), event.Filter{})
		s, _ := b.Status(context.Background())
		if len(q.jobs) != len(list) {
			t.Errorf("%d events, %d jobs; problems %q", len(list), len(q.jobs), s.Problems)
		}
		b.stop()
	})
}

type failOnce struct {
	Transfers
	did bool
}

func (f *failOnce) Add(j event.Job) error {
	if !f.did {
		f.did = true
		return syscall.ENOSPC
	}
	return f.Transfers.Add(j)
}

// 15. A line of privacy mode that does not work is told.
func TestPrivacyLineBroken(t *testing.T) {
	cfg := conf(trig("yard"))
	cfg.Privacy.Line = "switch"
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.wires.mu.Lock()
		b.wires.broken = errors.New("gpiochip0 is gone")
		b.wires.mu.Unlock()
		b.wires.at("external switch").fail <- errors.New("read: input/output error")
		time.Sleep(10 * time.Second)
		s, _ := b.Status(context.Background())
		if !strings.Contains(strings.Join(s.Problems, "\n"), "gpiochip0 is gone") {
			t.Errorf("problems %q", s.Problems)
		}
	})
}

// 17. A built-in sensor is not blind again because its trigger was renamed.
func TestRenamedSensor(t *testing.T) {
	pir := door()
	pir.Name, pir.Source, pir.Line = "pir", event.BuiltIn, "pir"
	inBox(t, conf(pir), func(t *testing.T, b *box) {
		time.Sleep(10 * time.Minute)
		pir.Name = "PIR"
		b.use(conf(pir))
		time.Sleep(time.Second)
		b.wires.pulse("builtin pir")
		time.Sleep(5 * time.Second)
		if a := b.account("PIR"); a.Mailed != 1 {
			t.Errorf("account %+v", a)
		}
	})
}

// 22. The clock jumps forward over a timer's moment, as at boot without a battery.
func TestTimerJump(t *testing.T) {
	timer := trig("lapse")
	timer.Source, timer.Notify, timer.Every = event.Timer, false, 24*time.Hour
	inBox(t, conf(timer), func(t *testing.T, b *box) {
		time.Sleep(time.Minute)
		b.clock.ahead.Store(int64(31 * time.Hour)) // to 08:01 of the next day
		time.Sleep(time.Minute)
		list, _ := b.Events(context.Background(), event.Filter{})
		for _, e := range list {
			t.Errorf("event of %v, now %v", e.Start, b.now())
		}
	})
}
