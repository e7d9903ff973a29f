package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// 5. What waits for its AND is counted when its trigger is removed.
func TestAndRemoved(t *testing.T) {
	inBox(t, conf(pirAnd(event.External, "gate")), func(t *testing.T, b *box) {
		time.Sleep(warmUp + time.Second)
		b.wires.pulse("builtin pir")
		b.use(conf())
		time.Sleep(10 * time.Second)
		if a := b.journal.Accounts(nil)["both"]; a.Fired != 1 {
			t.Errorf("account %+v", a)
		}
	})
}

// stalling has every write of a journal take long, while on.
func stalling(path string, long time.Duration, on *atomic.Bool) (undo func()) {
	return durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		if c.Path == path && on.Swap(false) {
			time.Sleep(long)
		}
		return nil
	}})
}

// 6. A disk that stalls: an AND that is met in time is met.
func TestAndOnASlowDisk(t *testing.T) {
	other := trig("other")
	inBox(t, conf(pirAnd(event.External, "gate"), other), func(t *testing.T, b *box) {
		time.Sleep(warmUp + time.Second)
		unmet := uint64(0)
		for range 10 {
			b.wires.pulse("builtin pir")
			time.Sleep(500 * time.Millisecond)
			go b.do(context.Background(), func() { time.Sleep(8 * time.Second) }) // as an fsync of the journal on a stalled disk
			time.Sleep(500 * time.Millisecond)
			go b.wires.at("external gate").pulse() // a second after the sensor
			time.Sleep(30 * time.Second)
		}
		if unmet = b.silent("both", event.AndUnmet); unmet > 0 {
			t.Errorf("%d of 10 firings were judged unmet, the other source came after 1 s of 5", unmet)
		}
	})
}

func (in *fakeInput) pulse() {
	in.readings <- Reading{Active: true, At: time.Now()}
	in.readings <- Reading{Active: false, At: time.Now()}
}

// 14. AND with motion: a camera that is lost in motion says nothing for an hour.
func TestAndWithALostCamera(t *testing.T) {
	inBox(t, conf(pirAnd(event.Motion, "")), func(t *testing.T, b *box) {
		time.Sleep(warmUp + time.Second)
		b.cam.show(true)
		time.Sleep(2 * time.Second)
		b.cam.mu.Lock()
		b.cam.fail = errors.New("camera: unplugged")
		b.cam.mu.Unlock()
		time.Sleep(time.Hour)
		if s := b.state("both"); s.State != event.Unavailable {
			t.Errorf("the camera is lost, state %q (%s)", s.State, s.Why)
		}
		b.wires.pulse("builtin pir")
		time.Sleep(10 * time.Second)
		if a := b.account("both"); a.SilentReasons[event.AndUnmet] != 1 {
			t.Errorf("met by a motion of an hour ago: %+v", a)
		}
	})
}

// 14b. The same over privacy mode.
func TestAndOverPrivacy(t *testing.T) {
	inBox(t, conf(pirAnd(event.Motion, "")), func(t *testing.T, b *box) {
		ctx := context.Background()
		time.Sleep(warmUp + time.Second)
		b.cam.show(true)
		time.Sleep(2 * time.Second)
		b.Privacy(ctx, true)
		b.cam.show(false)
		time.Sleep(time.Hour)
		b.cam.mu.Lock()
		b.cam.fail = errors.New("camera: starting") // it takes its time to start again
		b.cam.mu.Unlock()
		b.Privacy(ctx, false)
		time.Sleep(time.Second)
		b.wires.pulse("builtin pir")
		time.Sleep(10 * time.Second)
		if a := b.account("both"); a.SilentReasons[event.AndUnmet] != 1 {
			t.Errorf("met by a motion before privacy mode: %+v", a)
		}
	})
}

// What the other source said before its trigger was off, or had no AND, counts no more.
func TestAndForgetsWhatItDoesNotHear(t *testing.T) {
	for _, off := range []bool{true, false} {
		both := pirAnd(event.External, "gate")
		both.Source, both.Line = event.Manual, ""
		both = pirAnd(event.External, "gate")
		inBox(t, conf(both), func(t *testing.T, b *box) {
			time.Sleep(warmUp + time.Second)
			b.wires.set("external gate", true)
			time.Sleep(time.Second)
			without := both
			if off {
				without.Enabled = false
			} else {
				without.And = nil
			}
			b.use(conf(without))
			time.Sleep(time.Minute)
			b.use(conf(both))
			time.Sleep(warmUp + time.Second)
			b.wires.pulse("builtin pir") // the gate has been at rest since
			time.Sleep(30 * time.Second)
			if n := b.silent("both", event.AndUnmet); n != 1 {
				t.Errorf("off %v: %+v", off, b.account("both"))
			}
		})
	}
}

// A frame is told later than a contact: the moment is the later one of both all the same.
func TestAndIsMetAtTheLaterMoment(t *testing.T) {
	inBox(t, conf(pirAnd(event.External, "gate")), func(t *testing.T, b *box) {
		time.Sleep(warmUp + time.Second)
		b.do(context.Background(), func() {
			at := b.now()
			b.signalled(signal{role: role{trigger: "both"}, started: true, at: at, mono: time.Now()})
			b.signalled(signal{role: role{"both", true}, started: true, at: at.Add(-time.Second), mono: time.Now().Add(-time.Second)})
			if f := b.firings; len(f) != 1 || !f[0].At.Equal(at) {
				t.Errorf("%+v, want %v", f, at)
			}
		})
	})
}
