package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// failing has every write to a file fail until undo.
func failing(path string) (undo func()) {
	return durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		if c.Path == path {
			return syscall.EIO
		}
		return nil
	}})
}

func TestPrivacy(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()}
		cfg := conf(trig("yard"), door())
		b.start(cfg)
		time.Sleep(3 * time.Second)
		b.wires.pulse(doorLine)
		b.fire("yard")
		on := b.now()
		if err := b.Privacy(ctx, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		list, _ := b.Events(ctx, event.Filter{})
		if len(list) != 2 {
			t.Fatalf("events %+v", list)
		}
		for _, e := range list {
			if e.End.IsZero() || e.End.Sub(on) > time.Second || len(e.Missing) != 1 || !strings.Contains(e.Missing[0], "privacy") {
				t.Errorf("%s ended %v, missing %v", e.ID, e.End, e.Missing)
			}
			for _, im := range e.Images {
				if im.At.After(on.Add(time.Millisecond)) {
					t.Errorf("an image of %v, privacy since %v", im.At, on)
				}
			}
		}
		if len(b.out.sent()) != 2 {
			t.Errorf("what was accepted before is not mailed: %d", len(b.out.sent()))
		}
		b.wires.pulse(doorLine)
		if f := b.fire("yard"); f.Disposition != event.Silent || f.Reason != event.Privacy || f.EventID != "" {
			t.Errorf("by hand: %+v", f)
		}
		frames := func() uint64 { s, _ := b.Status(ctx); return s.Camera.Frames }
		before := frames()
		b.cam.show(true)
		time.Sleep(time.Hour)
		if n := frames() - before; n != 0 {
			t.Errorf("%d frames were taken", n)
		}
		if n, _ := b.ring.Size(); n != 0 {
			t.Errorf("%d images in the ring", n)
		}
		if n := b.silent("door", event.Privacy); n != 1 {
			t.Errorf("door silent %d times", n)
		}
		b.stop()
		b.start(cfg) // it survives a restart
		time.Sleep(3 * time.Second)
		s, err := b.Status(ctx)
		if err != nil || s.State != "privacy" || s.Privacy.By != event.ByPerson || s.Privacy.Since.Sub(on).Abs() > time.Second || s.Triggers[0].State != event.StatePrivacy || s.Camera.State != event.CameraEnded {
			t.Errorf("%+v %v", s, err)
		}
		if err := b.Privacy(ctx, false); err != nil {
			t.Fatal(err)
		}
		b.cam.show(false)
		time.Sleep(3 * time.Second)
		b.wires.pulse(doorLine)
		time.Sleep(3 * time.Second)
		if list, _ = b.Events(ctx, event.Filter{N: 1}); list[0].Trigger != "door" || len(list[0].Images) < 3 {
			t.Errorf("after it: %+v", list[0])
		}
		if s, _ := b.Status(ctx); s.State == "privacy" {
			t.Error("it is on still")
		}
		b.stop()
	})
}

// By its schedule and its line; a person overrules both until they are over.
func TestPrivacyByItself(t *testing.T) {
	cfg := conf(trig("yard"))
	cfg.Privacy = config.Privacy{Active: []config.Span{{From: 2 * 60, To: 3 * 60}}, Line: "switch"}
	inBox(t, cfg, func(t *testing.T, b *box) {
		ctx := context.Background()
		is := func(when string, want event.PrivacyMode) {
			t.Helper()
			synctest.Wait()
			time.Sleep(time.Second)
			s, err := b.Status(ctx)
			got := s.Privacy
			got.Since = time.Time{}
			if err != nil || got != want {
				t.Errorf("%s: %+v, want %+v", when, got, want)
			}
		}
		until := func(clock string) {
			t.Helper()
			at, err := time.ParseInLocation("15:04", clock, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			now := b.now()
			time.Sleep(time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 1, 0, now.Location()).Sub(now))
		}
		is("at the start", event.PrivacyMode{})
		until("02:00")
		ends := time.Date(b.now().Year(), b.now().Month(), b.now().Day(), 3, 0, 0, 0, b.now().Location())
		is("in its time", event.PrivacyMode{On: true, By: event.BySchedule, Until: ends})
		if s := b.state("yard"); s.State != event.StatePrivacy || s.Until.Format("15:04") != "03:00" {
			t.Errorf("%v until %v", s.State, s.Until)
		}
		b.Privacy(ctx, false)
		is("overruled", event.PrivacyMode{By: event.BySchedule, Overruled: true})
		until("03:00")
		is("its time is over", event.PrivacyMode{})
		b.wires.set("external switch", true)
		is("line", event.PrivacyMode{On: true, By: event.ByLine})
		b.Privacy(ctx, true)
		is("a person too", event.PrivacyMode{On: true, By: event.ByPerson})
		b.wires.set("external switch", false)
		is("the person stays", event.PrivacyMode{On: true, By: event.ByPerson})
		b.Privacy(ctx, false)
		is("off", event.PrivacyMode{})
	})
}

// A journal that cannot be written does not keep the camera open.
func TestPrivacyOnAFailingDisk(t *testing.T) {
	inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
		time.Sleep(time.Second)
		journal := filepath.Join(b.dir, "journal", "journal.jsonl")
		undo := failing(journal)
		b.Privacy(context.Background(), true)
		time.Sleep(2 * time.Second)
		s, _ := b.Status(context.Background())
		if s.State != "privacy" || s.Camera.State != event.CameraEnded || !strings.Contains(strings.Join(s.Problems, "\n"), "privacy mode cannot be written down") {
			t.Errorf("%v %v %v", s.State, s.Camera.State, s.Problems)
		}
		undo()
		time.Sleep(time.Second)
		if s, _ = b.Status(context.Background()); strings.Contains(strings.Join(s.Problems, " "), "privacy") {
			t.Errorf("problems %v", s.Problems)
		}
		if js, err := os.ReadFile(journal); err != nil || !strings.Contains(string(js), `"by":"person"`) {
			t.Errorf("not journalled: %v", err)
		}
	})
}

// A person overrules the schedule, and the line cannot be read: when its time is over the
// schedule counts again, also after a restart.
func TestOverruledScheduleWithADeadLine(t *testing.T) {
	cfg := conf(trig("yard"))
	cfg.Privacy = config.Privacy{Active: []config.Span{{From: 0, To: 62}}, Line: "switch"}
	inBoxes(t, func(t *testing.T, b *box) {
		b.wires.broken = errors.New("no such line")
		b.start(cfg)
		time.Sleep(2 * time.Second)
		b.Privacy(context.Background(), false)
		b.stop()
		b.start(cfg)
		time.Sleep(3 * time.Minute) // its time is over
		if s, _ := b.Status(context.Background()); s.Privacy.Overruled {
			t.Errorf("%v: %+v", b.now(), s.Privacy)
		}
		b.stop()
	})
}

// A test mail without an image says why.
func TestTestMailInPrivacy(t *testing.T) {
	inBox(t, conf(quick()), func(t *testing.T, b *box) {
		time.Sleep(2 * time.Second)
		b.Privacy(context.Background(), true)
		b.TestMail(context.Background())
		n := b.out.sent()
		if len(n) != 1 || !strings.Contains(strings.Join(n[0].Notes, " "), "privacy mode") {
			t.Errorf("%+v", n)
		}
	})
}
