package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// A view is the next frame with what each trigger makes of it, also after many have
// asked and gone; where there is no picture it says why.
func TestView(t *testing.T) {
	cfg := conf(trig("yard"), trig("door"))
	cfg.Triggers[1].Threshold = 9
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(5 * time.Second)
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		for range 3 * viewersMax {
			if _, err := b.View(gone); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		b.cam.show(true)
		time.Sleep(3 * time.Second)
		v, err := b.View(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if v.Width*v.Height == 0 || len(v.Luma) != v.Width*v.Height || time.Since(v.At).Abs() > time.Second || len(v.Seen) != 2 {
			t.Fatalf("%+v", v)
		}
		if len(v.Blue) != v.ColourWidth*v.ColourHeight || len(v.Red) != len(v.Blue) || len(v.Blue) == 0 || v.Blue[0] != 100 || v.Red[0] != 101 {
			t.Errorf("colours of %d x %d: %d, %d", v.ColourWidth, v.ColourHeight, len(v.Blue), len(v.Red))
		}
		moving := 0
		for _, m := range v.Seen[0].Moving {
			moving += int(m)
		}
		if s := v.Seen[0]; s.Trigger != "yard" || !s.Active || s.Level <= s.Fires || s.Box[2] == 0 || len(s.Moving) != len(v.Luma) ||
			moving*100 != int(s.Level*float64(len(v.Luma))+0.5) || v.Seen[1].Fires <= s.Fires {
			t.Errorf("%d blocks move: %+v", moving, v.Seen)
		}
		next, err := b.View(context.Background())
		if err != nil || next.Seq <= v.Seq {
			t.Errorf("%v, after %d came %d", err, v.Seq, next.Seq)
		}
		says := func(want string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if v, err := b.View(ctx); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, frame %d; want %q", err, v.Seq, want)
			}
		}
		b.Privacy(context.Background(), true)
		says("privacy")
		b.Privacy(context.Background(), false)
		time.Sleep(10 * time.Second)
		b.camera(errors.New("unplugged"))
		time.Sleep(time.Second) // a frame may be under way
		says("camera is " + string(event.CameraLost))
	})
}

// Another trigger is changed while an event goes on: it goes on, and what is added
// needs no time to learn the scene.
func TestMotionGoesOnOverSettings(t *testing.T) {
	cfg := conf(trig("yard"))
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(5 * time.Second)
		b.cam.show(true)
		time.Sleep(3 * time.Second)
		more := conf(trig("yard"), trig("door"))
		more.Triggers[0], more.Triggers[1] = more.Triggers[1], more.Triggers[0]
		b.use(more)
		time.Sleep(2 * time.Second)
		list, err := b.Events(context.Background(), event.Filter{})
		if err != nil || len(list) != 2 || !list[1].End.IsZero() || list[1].Firings != 1 || list[0].Trigger != "door" {
			t.Fatalf("%v: %+v", err, list)
		}
		b.use(conf(trig("door")))
		time.Sleep(2 * time.Second)
		list, _ = b.Events(context.Background(), event.Filter{})
		if len(list) != 2 || list[1].End.IsZero() || !list[0].End.IsZero() {
			t.Fatalf("%+v", list)
		}
	})
}
