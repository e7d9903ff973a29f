package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

func TestMotionToNotice(t *testing.T) {
	inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
		time.Sleep(10 * time.Second)
		b.cam.show(true)
		time.Sleep(4 * time.Second)
		b.cam.show(false)
		time.Sleep(30 * time.Second)
		sent := b.out.sent()
		if len(sent) != 1 || sent[0].Kind != event.Alarm || len(sent[0].Images) != 1 {
			t.Fatalf("notices: %+v", sent)
		}
		n := sent[0]
		if n.Firings[0].Source != event.Motion || n.At.Location().String() != "Europe/Berlin" || n.Images[0].At.Before(n.At) || n.Images[0].Level == 0 {
			t.Errorf("notice %+v", n)
		}
		a := b.account("yard")
		if a.Fired != 1 || a.Mailed != 1 {
			t.Errorf("account %+v", a)
		}
		list, err := b.Events(context.Background(), event.Filter{N: 10})
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		e := list[0]
		before := 0
		for _, im := range e.Images {
			if im.At.Before(e.Start) {
				before++
			}
		}
		length := e.End.Sub(e.Start)
		if e.ID != n.Event || before != 5 || len(e.Images) < 20 || len(e.Missing) != 0 || length < 12*time.Second || length > 20*time.Second {
			t.Errorf("event %s: %d images, %d before, %v long, missing %v", e.ID, len(e.Images), before, length, e.Missing)
		}
	})
}

func TestHoldOff(t *testing.T) {
	quick := trig("yard")
	quick.Post = config.Extent{Time: 5 * time.Second}
	inBox(t, conf(quick), func(t *testing.T, b *box) {
		time.Sleep(2 * time.Second)
		first := b.fire("yard")
		if ext := b.fire("yard"); ext.Disposition != event.Extended || ext.EventID != first.EventID {
			t.Errorf("a firing inside the event: %+v", ext)
		}
		for range 3 {
			time.Sleep(10 * time.Second)
			if f := b.fire("yard"); !f.HeldOff {
				t.Errorf("inside the hold-off: %+v", f)
			}
		}
		if a := b.account("yard"); a.Fired != 5 || a.Mailed != 1 || a.Queued != 3 || a.Extended != 1 {
			t.Errorf("account %+v", a)
		}
		time.Sleep(31 * time.Second)
		sent := b.out.sent()
		if len(sent) != 2 || sent[1].Kind != event.Summary || len(sent[1].Firings) != 3 || len(sent[1].Images) != 3 {
			t.Fatalf("notices: %+v", sent)
		}
		if a := b.account("yard"); a.Summarised != 3 || a.Queued != 0 {
			t.Errorf("account %+v", a)
		}
		if f := b.fire("yard"); f.HeldOff {
			t.Error("after the hold-off the first firing is held off")
		}
	})
}

func TestSilence(t *testing.T) {
	off, night := trig("off"), trig("night")
	off.Notify = false
	night.Active = []config.Span{{From: 3 * 60, To: 4 * 60}}
	inBox(t, conf(off, night), func(t *testing.T, b *box) {
		time.Sleep(time.Second) // fake time begins at 01:00 in Berlin
		if f := b.fire("off"); f.Disposition != event.Silent || f.Reason != event.NotifyOff || f.EventID == "" {
			t.Errorf("%+v", f)
		}
		if f := b.fire("night"); f.Disposition != event.Outside || f.EventID != "" {
			t.Errorf("%+v", f)
		}
		if a := b.account("off"); a.SilentReasons[event.NotifyOff] != 1 {
			t.Errorf("account %+v", a)
		}
		if _, err := b.Fire(context.Background(), "nobody"); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("an unknown trigger: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if n := b.out.sent(); len(n) != 0 {
			t.Errorf("mailed: %+v", n)
		}
	})
}

func TestHeldAndDropped(t *testing.T) {
	cfg := conf(trig("yard"))
	cfg.Mail.HoldOff = 0
	inBox(t, cfg, func(t *testing.T, b *box) {
		b.out.state = event.RcptHeld
		time.Sleep(time.Second)
		f := b.fire("yard")
		time.Sleep(2 * time.Second)
		if a := b.account("yard"); a.Held != 1 {
			t.Errorf("account %+v", a)
		}
		s, _ := b.Status(context.Background())
		if s.Queue.Held != 1 || !strings.Contains(strings.Join(s.Problems, "\n"), "held") {
			t.Errorf("status %+v", s)
		}
		if err := b.Drop(context.Background(), fmt.Sprintf("%08d-alarm", f.Seq)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if a := b.account("yard"); a.Dropped != 1 || a.Held != 0 {
			t.Errorf("account %+v", a)
		}
	})
}

// Mail that cannot be composed yet waits and is composed when it can.
func TestOutboxRefuses(t *testing.T) {
	inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
		b.out.err = errors.New("the disk is full")
		time.Sleep(time.Second)
		b.fire("yard")
		time.Sleep(20 * time.Second)
		s, _ := b.Status(context.Background())
		if a := b.account("yard"); a.Queued != 1 || s.Queue.Queued != 1 || !strings.Contains(strings.Join(s.Problems, "\n"), "disk is full") {
			t.Errorf("account %+v, problems %v", a, s.Problems)
		}
		b.out.mu.Lock()
		b.out.err = nil
		b.out.mu.Unlock()
		time.Sleep(10 * time.Second)
		if a := b.account("yard"); a.Mailed != 1 {
			t.Errorf("account %+v", a)
		}
	})
}

// Nothing slow stands before the camera: an outbox that takes a minute a mail
// delays neither frames nor the next firing.
func TestSlowOutbox(t *testing.T) {
	cfg := conf(trig("yard"))
	cfg.Mail.HoldOff = 0
	inBox(t, cfg, func(t *testing.T, b *box) {
		b.out.slow = time.Minute
		time.Sleep(time.Second)
		b.fire("yard")
		time.Sleep(5 * time.Second)
		began := time.Now()
		b.fire("yard")
		if d := time.Since(began); d > 0 {
			t.Errorf("a firing took %v", d)
		}
		s, _ := b.Status(context.Background())
		if s.Camera.Dropped != 0 || s.Camera.FPS < 9 {
			t.Errorf("camera %+v", s.Camera)
		}
		time.Sleep(3 * time.Minute)
		if a := b.account("yard"); a.Mailed != 1 || a.Extended != 1 {
			t.Errorf("account %+v", a)
		}
	})
}

// Without camera.source the first camera found is taken, also one that is plugged in later.
func TestFirstCameraFound(t *testing.T) {
	cfg := conf(trig("yard"))
	cfg.Camera.Source = ""
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(time.Minute)
		s, _ := b.Status(context.Background())
		if s.Camera.State != event.CameraLost || !slices.Contains(s.Problems, "no camera: there is none") {
			t.Errorf("%+v, %v", s.Camera, s.Problems)
		}
		b.cam.mu.Lock()
		b.cam.found = "v4l2:/dev/video7"
		b.cam.mu.Unlock()
		time.Sleep(reopenLast + time.Second)
		if s, _ = b.Status(context.Background()); s.Camera.State != event.CameraOK || s.Camera.Source != "v4l2:/dev/video7" {
			t.Errorf("%+v", s.Camera)
		}
	})
}

func TestCameraLost(t *testing.T) {
	inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
		time.Sleep(5 * time.Second)
		b.cam.mu.Lock()
		b.cam.fail = fmt.Errorf("unplugged\n\x1b[31mnow\a")
		b.cam.mu.Unlock()
		time.Sleep(5 * time.Second)
		s, _ := b.Status(context.Background())
		if s.Camera.State != event.CameraLost || !slices.Contains(s.Problems, "camera: unplugged [31mnow") {
			t.Errorf("camera %+v, problems %v", s.Camera, s.Problems)
		}
		b.cam.mu.Lock()
		b.cam.fail = nil
		b.cam.mu.Unlock()
		time.Sleep(10 * time.Second)
		if s, _ = b.Status(context.Background()); s.Camera.State != event.CameraOK {
			t.Errorf("camera %+v", s.Camera)
		}
		b.cam.mu.Lock()
		b.cam.fail = frame.ErrEnded
		b.cam.mu.Unlock()
		time.Sleep(time.Second)
		if s, _ = b.Status(context.Background()); s.Camera.State != event.CameraEnded {
			t.Errorf("camera %+v", s.Camera)
		}
	})
}

// A subscriber sees every event once; one that does not read loses the oldest,
// is told how many, and holds nobody up.
func TestWatch(t *testing.T) {
	cfg := conf(trig("yard"))
	cfg.Mail.HoldOff = 0
	inBox(t, cfg, func(t *testing.T, b *box) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		time.Sleep(time.Second)
		snap, ch, err := b.Watch(ctx)
		if err != nil || len(snap.Status.Triggers) != 1 {
			t.Fatalf("%+v, %v", snap, err)
		}
		const n = 2 * watchBuffer
		for range n {
			b.fire("yard")
		}
		var lost, got int
		var last uint64
		for range watchBuffer {
			ev := <-ch
			lost += ev.Lost
			if ev.Firing != nil {
				got++
				last = ev.Firing.Seq
			}
		}
		if last != n || got+lost < n || lost == 0 {
			t.Errorf("%d firings seen, %d events lost, the last was %d of %d", got, lost, last, n)
		}
		cancel()
		time.Sleep(time.Second)
		for range ch { // closes
		}
	})
}

// The JSON of the status has the contract's members.
func TestStatusIsOneObject(t *testing.T) {
	inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
		time.Sleep(3 * time.Second)
		s, err := b.Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		js, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(js, &m); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"state", "camera", "triggers", "queue", "clock", "storage", "problems"} {
			if m[k] == nil {
				t.Errorf("status has no %q: %s", k, js)
			}
		}
		trigger := m["triggers"].([]any)[0].(map[string]any)
		for _, k := range []string{"name", "source", "state", "fired", "mailed", "summarised", "queued", "held", "dropped", "outside", "extended", "silent"} {
			if _, ok := trigger[k]; !ok {
				t.Errorf("a trigger's status has no %q: %s", k, js)
			}
		}
		if _, err := os.Stat(filepath.Join(b.dir, "journal", "journal.jsonl")); err != nil {
			t.Error(err)
		}
	})
}
