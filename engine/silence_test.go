package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

type badPictures struct{ fakePictures }

func (badPictures) Luma(*frame.Plane, *frame.Frame) error { return errors.New("no JPEG") }

// A camera all of whose pictures are damaged (a bad cable, a wrong format) sees nothing. Somebody is told.
func TestDamagedPictures(t *testing.T) {
	inSetBox(t, mailed(trig("yard")), func(t *testing.T, b *box) {
		b.detector.pictures = badPictures{}
		b.cam.show(true)
		time.Sleep(2 * time.Hour)
		s, _ := b.Status(context.Background())
		if len(b.states()) == 0 && len(s.Problems) == 0 && s.Camera.Problem == "" {
			t.Errorf("two hours of pictures that cannot be read : camera %q, trigger %q, problems %q, no mail", s.Camera.State, s.Triggers[0].State, s.Problems)
		}
	})
}

type mute struct{}

func (mute) Run(ctx context.Context, _ func(*frame.Frame)) error { <-ctx.Done(); return ctx.Err() }

// A camera that opens and never gives its first picture is lost too.
func TestFirstPictureNeverComes(t *testing.T) {
	inSetBox(t, mailed(trig("yard")), func(t *testing.T, b *box) {
		cfg := mailed(trig("yard"))
		b.stop()
		b.boot = "two"
		b.out.feed = NewMailFeed()
		e, err := New(Options{OpenCamera: func(config.Camera) (Camera, error) { return mute{}, nil }, FindCamera: b.cam.find,
			Pictures: fakePictures{}, Outbox: b.out, Mail: b.out.feed, Clock: &b.clock, BootID: func() string { return "one" },
			File: config.Open(filepath.Join(b.dir, "w.yaml")), Loaded: config.Loaded{Config: cfg, Revision: "r"}, Directory: b.dir, Mode: "service"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		b.Engine, b.cancel, b.ran = e, cancel, make(chan error, 1)
		go func() { b.ran <- e.Run(ctx) }()
		time.Sleep(24 * time.Hour)
		s, _ := b.Status(context.Background())
		if len(b.states()) == 0 {
			t.Errorf("a day without a picture: camera %q, trigger %q, problems %q, no mail", s.Camera.State, s.Triggers[0].State, s.Problems)
		}
	})
}

// What was owed and remembered is lost with its file: the screen says so.
func TestConditionsCorrupt(t *testing.T) {
	inSetBox(t, mailed(trig("yard")), func(t *testing.T, b *box) {
		b.out.set(func() { b.out.err = errors.New("the disk is full") })
		time.Sleep(time.Minute)
		b.camera(errors.New("unplugged"))
		time.Sleep(3 * time.Minute)
		b.camera(nil)
		time.Sleep(3 * time.Minute)
		b.stop()
		path := filepath.Join(b.dir, conditionsName)
		os.WriteFile(path, []byte("\x00\x00\x00"), 0o600)
		b.out.set(func() { b.out.err = nil })
		b.start(mailed(trig("yard")))
		time.Sleep(time.Hour)
		s, _ := b.Status(context.Background())
		if len(b.states()) == 0 && !strings.Contains(strings.Join(s.Problems, "\n"), "conditions") {
			t.Errorf("two state mails that were owed are gone; problems %q", s.Problems)
		}
	})
}

// A box without a clock whose program is killed every nine minutes (a watchdog, bad
// power): the summary of an hour's hold-off comes at some time.
func TestHoldOffInCrashLoop(t *testing.T) {
	hour := time.Hour
	tr := quick()
	tr.HoldOff = &hour
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{fail: frame.ErrEnded}, out: newFakeOutbox(), boot: "one"}
		b.clock.set(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
		b.start(mailed(tr))
		time.Sleep(11 * time.Minute)
		b.fire("yard")
		time.Sleep(time.Minute)
		f := b.fire("yard")
		path := filepath.Join(dir, conditionsName)
		for range 40 { // six hours
			time.Sleep(9 * time.Minute)
			was, _ := os.ReadFile(path)
			b.stop()
			os.WriteFile(path, was, 0o600) // it was killed
			b.boot += "x"
			b.clock.set(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
			b.start(mailed(tr))
		}
		told := false
		for _, n := range b.out.sent() {
			told = told || n.Seqs.Has(f.Seq)
		}
		if !told {
			t.Errorf("six hours later the firing of an hour's hold-off is told nowhere: %s", b.now())
		}
		b.stop()
	})
	_ = event.State
}

// Problems that are over leave the screen.
func TestNoticesEnd(t *testing.T) {
	cfg := conf(quick())
	inBox(t, cfg, func(t *testing.T, b *box) {
		b.out.keep = true
		time.Sleep(time.Second)
		b.fire("yard")
		time.Sleep(30 * time.Second)
		b.do(context.Background(), func() { b.unrecorded(errors.New("disk full")) })
		time.Sleep(time.Minute)
		b.fire("yard")
		time.Sleep(5 * time.Second)
		ids := b.out.ids(nil)
		b.out.fold(ids...) // journalled without trouble
		time.Sleep(time.Hour)
		s, _ := b.Status(context.Background())
		if strings.Contains(strings.Join(s.Problems, "\n"), "disk full") {
			t.Errorf("the journal takes all, the screen says %q", s.Problems)
		}
	})
}
