package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"watchpost/engine/event"
)

// A state mail was sent while the clock showed 2036. It was corrected; after a
// restart the next loss of the camera is to be mailed.
func TestCameraLostAfterClockWasAhead(t *testing.T) {
	cfg := mailed(trig("yard"))
	inSetBox(t, cfg, func(t *testing.T, b *box) {
		b.clock.set(time.Date(2036, 3, 1, 12, 0, 0, 0, time.UTC))
		time.Sleep(time.Minute)
		b.camera(errors.New("unplugged"))
		time.Sleep(2 * time.Minute)
		b.camera(nil)
		time.Sleep(time.Minute)
		b.expect("camera lost", "camera back")
		b.clock.set(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)) // the network clock
		time.Sleep(2 * time.Hour)
		b.stop()
		b.start(cfg)
		time.Sleep(2 * time.Hour)
		b.camera(errors.New("unplugged"))
		time.Sleep(48 * time.Hour)
		b.expect("camera lost", "camera back", "camera lost")
	})
}

func TestHeartbeatAfterClockWasAhead(t *testing.T) {
	cfg := mailed(quick())
	cfg.Mail.Heartbeat = 6 * time.Hour
	cfg.Mail.StateMails = false
	inSetBox(t, cfg, func(t *testing.T, b *box) {
		b.clock.set(time.Date(2036, 3, 1, 12, 0, 0, 0, time.UTC))
		time.Sleep(time.Hour)
		b.clock.set(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
		b.stop()
		b.start(cfg)
		time.Sleep(14 * time.Hour)
		b.expect("heartbeat", "heartbeat")
	})
}

// An outage of ten days: one heartbeat waits, not forty.
func TestHeartbeatsPileUp(t *testing.T) {
	cfg := mailed(quick())
	cfg.Mail.Heartbeat = 6 * time.Hour
	cfg.Mail.StateMails = false
	inSetBox(t, cfg, func(t *testing.T, b *box) {
		b.cam.mu.Lock()
		b.cam.every = 2 * time.Second
		b.cam.mu.Unlock()
		b.out.keep = true // no line
		time.Sleep(5 * 24 * time.Hour)
		if ids := b.out.ids(nil); len(ids) > 2 {
			t.Errorf("%d heartbeats wait for the line, the first %s", len(ids), ids[0])
		}
	})
}

// A digest that is found damaged before the engine heard of it is composed anew.
func TestDigestDamagedAtOnce(t *testing.T) {
	cfg := conf(quick())
	cfg.Mail.HoldOff = 0
	inBox(t, cfg, func(t *testing.T, b *box) {
		b.out.keep = true
		time.Sleep(time.Second)
		for range 3 {
			b.fire("yard")
			time.Sleep(5 * time.Second)
		}
		ids := b.out.ids(nil)
		b.do(context.Background(), func() { // the loop is behind: a slow disk
			b.out.fold(ids...)
			b.out.damage(b.out.ids(nil)[0])
		})
		b.out.set(func() { b.out.keep = false })
		time.Sleep(time.Hour)
		if a := b.account("yard"); a.Queued != 0 {
			t.Errorf("a day later %+v; %d mails in the spool", a, len(b.out.ids(nil)))
		}
	})
}

// A mail that is found damaged before the engine heard that it was composed.
func TestDamagedBeforeComposedIsHeard(t *testing.T) {
	cfg := conf(quick())
	cfg.Mail.HoldOff = 0
	cfg.Mail.PictureWait = 0
	for i := range 6 { // select is random
		inBox(t, cfg, func(t *testing.T, b *box) {
			b.out.keep = true
			time.Sleep(time.Second)
			b.fire("yard")
			time.Sleep(99 * time.Millisecond)
			b.do(context.Background(), func() {
				b.compose(time.Now().Add(time.Second))
				for len(b.out.ids(nil)) == 0 { // the disk is slow
					time.Sleep(time.Second)
				}
				time.Sleep(time.Second)
				b.out.damage(b.out.ids(nil)[0])
				b.out.keep = false
			})
			time.Sleep(time.Hour)
			if a := b.account("yard"); a.Queued != 0 {
				t.Errorf("run %d: a day later %+v; %d mails in the spool", i, a, len(b.out.ids(nil)))
			}
		})
	}
}

// The loop waits for a slow disk, something moves, and the program is stopped.
func TestStopWhileSignalsWait(t *testing.T) {
	cfg := conf(trig("yard"))
	lost := 0
	for range 8 {
		inBox(t, cfg, func(t *testing.T, b *box) {
			time.Sleep(10 * time.Second)
			b.cam.show(true)
			b.do(context.Background(), func() {
				time.Sleep(5 * time.Second)
				b.cancel()
				time.Sleep(time.Second)
			})
			<-b.ran
			b.ran <- nil
			if n := len(b.journal.Tail()); n == 0 {
				lost++
			}
		})
	}
	if lost > 0 {
		t.Errorf("in %d of 8 runs the firing that was detected before the stop is in no journal", lost)
	}
}

// A damaged line of the journal has firings wait again that a mail in the queue
// tells of. Those that came later are told too.
func TestGatherLineDamaged(t *testing.T) {
	inBox(t, conf(quick()), func(t *testing.T, b *box) {
		b.out.keep = true
		time.Sleep(time.Second)
		b.fire("yard")
		time.Sleep(10 * time.Second)
		b.fire("yard")          // held off
		time.Sleep(time.Minute) // summary
		b.fire("yard")
		time.Sleep(10 * time.Second)
		f := b.fire("yard") // held off
		b.stop()
		path := filepath.Join(b.dir, "journal", "journal.jsonl")
		js, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range js {
			if i > 12 && string(js[i:i+8]) == `"gather"` {
				js[i+2] = 'X'
				break
			}
		}
		os.WriteFile(path, js, 0o600)
		b.start(conf(quick()))
		time.Sleep(10 * time.Minute)
		told := false
		for _, n := range b.out.sent() {
			told = told || n.Seqs.Has(f.Seq)
		}
		if !told {
			t.Errorf("firing %d is told in no mail: %v; account %+v", f.Seq, b.out.ids(nil), b.account("yard"))
		}
	})
	_ = fmt.Sprint
	_ = event.State
}
