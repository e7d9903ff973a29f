package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

// heap is what is in use, in MB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// onMemory has the test's folders on a disk in memory where there is one.
func onMemory(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm")
	}
}

// sum is the account of all triggers.
func (b *box) sum() (a event.Account) {
	s, err := b.Status(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, t := range s.Triggers {
		a.Fired += t.Fired
		a.Mailed += t.Mailed
		a.Summarised += t.Summarised
		a.Queued += t.Queued
		a.Extended += t.Extended
	}
	return a
}

// Ten thousand triggers a minute: the mails, the memory and the journal stay
// bounded, the account adds up at every look, and in the end all of it is told.
func TestFlood(t *testing.T) {
	const minutes, perMinute, every = 3, 10_000, 6 * time.Millisecond
	onMemory(t)
	for _, c := range []struct {
		name    string
		holdOff time.Duration
		outbox  func(o *fakeOutbox)
		mails   int // at most, at the end of the flood
	}{
		{"hold-off of a minute", time.Minute, func(*fakeOutbox) {}, config.MaxTriggers * 2 * (minutes + 1)},
		{"no hold-off, an outbox that refuses", 0, func(o *fakeOutbox) { o.err = errors.New("the mail queue is full") }, 0},
		{"no hold-off, a slow outbox", 0, func(o *fakeOutbox) { o.slow = 2 * time.Second }, minutes * 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			var triggers []config.Trigger
			for i := range config.MaxTriggers {
				tr := trig(fmt.Sprint("t", i))
				tr.Post, tr.Pre = config.Extent{}, config.Extent{}
				triggers = append(triggers, tr)
			}
			cfg := conf(triggers...)
			cfg.Mail.HoldOff, cfg.Mail.PictureWait = c.holdOff, 0
			inBox(t, cfg, func(t *testing.T, b *box) {
				b.cam.mu.Lock()
				b.cam.fail = frame.ErrEnded
				b.cam.mu.Unlock()
				c.outbox(b.out)
				time.Sleep(time.Second)
				before := heap()
				mailed := map[uint64]bool{} // firings that are to be told
				for i := range minutes * perMinute {
					if f := b.fire(triggers[i%len(triggers)].Name); f.Disposition == event.Queued {
						mailed[f.Seq] = true
					}
					time.Sleep(every)
					if i%200 == 0 {
						if a := b.sum(); a.Fired != uint64(i+1) || !a.Balanced() {
							t.Fatalf("firing %d: %+v", i+1, a)
						}
						b.do(context.Background(), func() {
							if len(b.due) > dueMax+1 || len(b.toSettle) > 100 || len(b.mails) > 100 {
								t.Errorf("%d notices wait, %d mails", len(b.due), len(b.mails))
							}
						})
					}
				}
				if grown := heap() - before; grown > 20 {
					t.Errorf("the heap grew by %.1f MB", grown)
				}
				if n := len(b.out.sent()); n > c.mails {
					t.Errorf("%d mails", n)
				}
				st, err := os.Stat(filepath.Join(b.dir, "journal", "journal.jsonl"))
				if err != nil || st.Size() > 6<<20 {
					t.Errorf("the journal: %v %v", st.Size(), err)
				}
				b.out.set(func() { b.out.err, b.out.slow = nil, 0 })
				time.Sleep(5 * time.Minute)
				a := b.sum()
				if a.Fired != minutes*perMinute || a.Queued > 0 || a.Mailed == 0 || a.Summarised == 0 || a.Mailed+a.Summarised != uint64(len(mailed)) || !a.Balanced() {
					t.Errorf("%d to be told, account %+v", len(mailed), a)
				}
				var told uint64
				for _, n := range b.out.sent() {
					told += n.Count()
					for seq := range n.Seqs.All() {
						delete(mailed, seq)
					}
				}
				if told != a.Mailed+a.Summarised || len(mailed) > 0 {
					t.Errorf("%d of %d told, %d of them never", told, a.Mailed+a.Summarised, len(mailed))
				}
				t.Logf("%d mails for %d firings, the journal has %d bytes", len(b.out.sent()), told, st.Size())
			})
		})
	}
}
