package engine

import (
	"context"
	"errors"
	"os"
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
)

// A start composes what has a record and no mail, and rebuilds a hold-off in progress.
func TestRestart(t *testing.T) {
	quick := trig("yard")
	quick.Post = config.Extent{Time: time.Second}
	inBox(t, conf(quick), func(t *testing.T, b *box) {
		time.Sleep(2 * time.Second)
		lost := b.fire("yard") // accepted, but stopped before picture_wait is over
		b.stop()
		b.start(conf(quick))
		time.Sleep(2 * time.Second)
		if sent := b.out.sent(); len(sent) != 1 || sent[0].Firings[0].Seq != lost.Seq || len(sent[0].Images) != 1 {
			t.Fatalf("after the restart: %+v", sent)
		}
		held := b.fire("yard")
		if !held.HeldOff {
			t.Errorf("the hold-off did not survive: %+v", held)
		}
		time.Sleep(2 * time.Second)
		b.stop()
		b.start(conf(quick))
		time.Sleep(70 * time.Second)
		sent := b.out.sent()
		if len(sent) != 2 || sent[1].Kind != event.Summary || sent[1].Firings[0].Seq != held.Seq {
			t.Fatalf("after the second restart: %+v", sent)
		}
		if a := b.account("yard"); a.Fired != 2 || a.Mailed != 1 || a.Summarised != 1 {
			t.Errorf("account %+v", a)
		}
	})
}

// The image of a mail that is composed after a restart is the event's own, not a
// later one of the image buffer.
func TestPictureAfterRestart(t *testing.T) {
	cfg := conf(quick())
	cfg.Mail.PictureWait = 5 * time.Second
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(10 * time.Second)
		f := b.fire("yard")
		time.Sleep(2 * time.Second)
		b.stop()
		time.Sleep(20 * time.Second)
		b.start(cfg)
		time.Sleep(10 * time.Second)
		n := b.out.sent()
		if len(n) != 1 || len(n[0].Images) != 1 || n[0].Images[0].At.Sub(f.At) > 5*time.Second {
			t.Errorf("%+v", n)
		}
	})
}

// Where the journal is lost and the spool and the events are not, no number is
// given twice: a new firing would be taken for an old mail and never be told.
func TestLostJournal(t *testing.T) {
	cfg := conf(quick())
	cfg.Mail.HoldOff = 0
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		b.fire("yard")
		time.Sleep(10 * time.Second)
		b.stop()
		if err := os.RemoveAll(filepath.Join(b.dir, "journal")); err != nil {
			t.Fatal(err)
		}
		b.start(cfg)
		time.Sleep(time.Second)
		if f := b.fire("yard"); f.Seq != 2 {
			t.Errorf("seq %d", f.Seq)
		}
		time.Sleep(time.Minute)
		if a := b.account("yard"); len(b.out.sent()) != 2 || a.Queued != 0 {
			t.Errorf("%d mails for 2 firings; account %+v", len(b.out.sent()), a)
		}
	})
}

// What the journal lost to damage stays on the screen.
func TestDamagedJournalIsTold(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "journal", "journal.jsonl"), []byte("damage\ndamage\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()}
		b.start(conf(trig("yard")))
		b.fire("yard")
		if s, _ := b.Status(context.Background()); !strings.Contains(strings.Join(s.Problems, "\n"), "could not be read") {
			t.Errorf("problems: %v", s.Problems)
		}
		b.stop()
	})
}

// A reload that is under way when the program is stopped does not hold it up.
// In real time: the bubble of fake time stands still while a lock is waited for.
func TestStopDuringReload(t *testing.T) {
	b := &box{t: t, dir: t.TempDir(), cam: &fakeCamera{}, out: newFakeOutbox()}
	b.start(conf(trig("yard")))
	b.account("yard") // it runs
	b.applyMu.Lock()  // stands for a slow disk
	reloaded := make(chan error, 1)
	go func() { reloaded <- b.Reload(context.Background()) }()
	b.cancel()
	b.applyMu.Unlock()
	for range 2 {
		select {
		case <-b.ran:
		case <-reloaded:
		case <-time.After(30 * time.Second):
			t.Fatal("it does not end")
		}
	}
}

// An event whose firing was acknowledged and of which nothing reached the disk is
// there after a crash, and says so.
func TestEventOfACrashIsTold(t *testing.T) {
	inBoxes(t, func(t *testing.T, b *box) {
		b.start(conf(trig("yard")))
		time.Sleep(2 * time.Second)
		f := b.fire("yard")
		path := filepath.Join(b.dir, "journal", "journal.jsonl")
		fired, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.stop()
		if err := os.RemoveAll(filepath.Join(b.dir, "events", f.EventID)); err != nil {
			t.Fatal(err)
		}
		for _, crashed := range []bool{false, true} {
			if crashed { // the disk is as it was when the firing was acknowledged
				if err := os.WriteFile(path, fired, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b.start(conf(trig("yard")))
			time.Sleep(time.Second)
			e, err := b.store.Get(f.EventID)
			if told := err == nil && slices.Equal(e.Missing, []string{neverWritten}) && e.Trigger == "yard"; told != crashed {
				t.Errorf("after a crash %v: %+v, %v", crashed, e, err)
			}
			b.stop()
		}
	})
}

// Nor is an event of which the disk took nothing until the end of the program.
func TestEventThatWasNotStoredIsToldAtTheStart(t *testing.T) {
	inBoxes(t, func(t *testing.T, b *box) {
		b.start(conf(quick()))
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
		b.stop()
		undo()
		b.start(conf(quick()))
		time.Sleep(10 * time.Second)
		if e, err := b.store.Get(f.EventID); err != nil || len(e.Missing) == 0 {
			t.Errorf("%+v %v", e, err)
		}
		b.stop()
	})
}

// A power cut does not bring back what was removed, nor hand it over again.
func TestRemovedEventStaysRemoved(t *testing.T) {
	y := quick()
	y.Transfer = "nas"
	inBoxes(t, func(t *testing.T, b *box) {
		b.transfers = &fakeTransfers{}
		b.start(conf(y))
		time.Sleep(2 * time.Second)
		b.fire("yard")
		time.Sleep(time.Minute)
		if n, err := b.RemoveEvents(context.Background(), event.Filter{}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		time.Sleep(time.Minute)
		path := filepath.Join(b.dir, conditionsName)
		running, _ := os.ReadFile(path)
		b.stop()
		os.WriteFile(path, running, 0o600) // a power cut
		b.start(conf(y))
		time.Sleep(10 * time.Second)
		if list, _ := b.Events(context.Background(), event.Filter{}); len(list) != 0 {
			t.Errorf("%+v", list)
		}
		b.stop()
	})
}

// Nor does a crash right after it, of an event that has just ended. One of which
// nothing was written says that its time is an estimate, where it is.
func TestRemovedJustBeforeACrash(t *testing.T) {
	inBoxes(t, func(t *testing.T, b *box) {
		b.clock.set(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
		b.start(conf(quick()))
		time.Sleep(2*time.Second + 50*time.Millisecond)
		path := filepath.Join(b.dir, "journal", "journal.jsonl")
		f := b.fire("yard")
		fired, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for e, err := b.store.Get(f.EventID); e.End.IsZero(); e, err = b.store.Get(f.EventID) {
			if time.Sleep(10 * time.Millisecond); err != nil && !errors.Is(err, event.ErrNotFound) {
				t.Fatal(err)
			}
		}
		if n, err := b.RemoveEvents(context.Background(), event.Filter{}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		removed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b.stop()
		for want, journal := range [][]byte{removed, fired} {
			if err := os.WriteFile(path, journal, 0o600); err != nil {
				t.Fatal(err)
			}
			b.start(conf(quick()))
			time.Sleep(10 * time.Second)
			list, _ := b.Events(context.Background(), event.Filter{})
			if len(list) != want || want == 1 && (list[0].Unset == nil || list[0].AboutClock() == "") {
				t.Errorf("%d: %+v", want, list)
			}
			b.stop()
		}
	})
}
