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
	"sync"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

// fakeCamera shows a still grey scene, and while square is set a dark square that moves in it.
type fakeCamera struct {
	mu     sync.Mutex
	square bool
	fail   error
}

const camEvery = 100 * time.Millisecond

func (c *fakeCamera) Run(ctx context.Context, deliver func(*frame.Frame)) error {
	const w, h = 320, 240
	f := frame.Frame{Format: frame.GREY, Width: w, Height: h, Stride: w, FullRange: true, Data: make([]byte, w*h)}
	start := time.Now()
	for i := 0; ; i++ {
		for j := range f.Data {
			f.Data[j] = 128
		}
		c.mu.Lock()
		square, fail := c.square, c.fail
		c.mu.Unlock()
		if fail != nil {
			return fail
		}
		if square {
			x := (i * 8) % (w - 64)
			for y := 60; y < 180; y++ {
				for k := x; k < x+64; k++ {
					f.Data[y*w+k] = 20
				}
			}
		}
		f.Seq, f.At, f.Mono = uint64(i), time.Now(), time.Since(start)
		deliver(&f)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(camEvery):
		}
	}
}

func (c *fakeCamera) show(square bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.square = square
}

// fakePictures reduces GREY and makes files that say what they show.
type fakePictures struct{}

func (fakePictures) Luma(dst *frame.Plane, f *frame.Frame) error {
	dst.Resize(f.Width, f.Height, 8)
	for y := range dst.Height {
		for x := range dst.Width {
			dst.Pix[y*dst.Width+x] = f.Data[(y*8+4)*f.Stride+x*8+4]
		}
	}
	return nil
}

func (fakePictures) JPEG(f *frame.Frame, _ int) ([]byte, error) {
	return fmt.Appendf(nil, "frame %d", f.Seq), nil
}

// fakeOutbox delivers at once, unless it is told to keep, to refuse or to fail.
// What it has survives the engine, as a spool does.
type fakeOutbox struct {
	mu      sync.Mutex
	feed    *MailFeed
	mails   map[string]event.Mail
	settled map[string]event.Mail
	notices []event.Notice
	keep    bool
	state   event.RecipientState
	err     error
	slow    time.Duration
}

func newFakeOutbox() *fakeOutbox {
	return &fakeOutbox{mails: map[string]event.Mail{}, settled: map[string]event.Mail{}, state: event.Delivered}
}

func (o *fakeOutbox) Submit(_ context.Context, n event.Notice) error {
	o.mu.Lock()
	slow, err := o.slow, o.err
	o.mu.Unlock()
	time.Sleep(slow)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.mails[n.ID]; ok {
		return nil
	}
	if _, ok := o.settled[n.ID]; ok {
		return nil
	}
	m := event.Mail{ID: n.ID, Kind: n.Kind, Event: n.Event, At: n.At, Recipients: []event.Recipient{{Address: "a@b.example", State: event.Pending}}}
	for _, f := range n.Firings {
		m.Firings = append(m.Firings, f.Seq)
		m.Trigger = f.Trigger
	}
	if !o.keep {
		m.Recipients[0].State = o.state
	}
	o.mails[m.ID] = m
	o.notices = append(o.notices, n)
	o.feed.MailChanged(m)
	return nil
}

func (o *fakeOutbox) Mails() (out []event.Mail) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.mails {
		out = append(out, m)
	}
	return out
}

func (o *fakeOutbox) Problems() []string { return nil }

func (o *fakeOutbox) Settle(id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m, ok := o.mails[id]; ok {
		o.settled[id] = m
		delete(o.mails, id)
	}
	return nil
}

func (o *fakeOutbox) change(id string, s event.RecipientState) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, ok := o.mails[id]
	if !ok {
		return event.ErrNotFound
	}
	m.Recipients = slices.Clone(m.Recipients)
	m.Recipients[0].State = s
	o.mails[id] = m
	o.feed.MailChanged(m)
	return nil
}

func (o *fakeOutbox) Retry(id string) error { return o.change(id, event.Pending) }
func (o *fakeOutbox) Drop(id string) error  { return o.change(id, event.RcptDrop) }

func (o *fakeOutbox) Configure(config.Config, config.Secrets, *time.Location) {}
func (o *fakeOutbox) Diagnose(context.Context, config.Config, config.Secrets, func(event.Step)) bool {
	return true
}
func (o *fakeOutbox) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// ids lists the mails in the queue, sorted; where picks some of them.
func (o *fakeOutbox) ids(where func(event.Mail) bool) (out []string) {
	for _, m := range o.Mails() {
		if where == nil || where(m) {
			out = append(out, m.ID)
		}
	}
	slices.Sort(out)
	return out
}

func (o *fakeOutbox) sent() []event.Notice {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.notices)
}

type testClock struct{}

func (testClock) Now() time.Time { return time.Now() }

// box is an engine in a test with what stands around it.
type box struct {
	*Engine
	t      *testing.T
	dir    string
	cam    *fakeCamera
	out    *fakeOutbox
	cancel context.CancelFunc
	ran    chan error
}

func trig(name string) config.Trigger {
	t := config.ExampleTrigger()
	t.Name = name
	return t
}

// start begins an engine on b's directory, as after a restart.
func (b *box) start(cfg config.Config) {
	b.t.Helper()
	path := filepath.Join(b.dir, "watchpost.yaml")
	b.out.feed = NewMailFeed()
	e, err := New(Options{
		OpenCamera: func(config.Camera) (Camera, error) { return b.cam, nil },
		FindCamera: func() (string, string) { return "", "none" },
		Pictures:   fakePictures{}, Outbox: b.out, Mail: b.out.feed, Clock: testClock{},
		File: config.Open(path), Loaded: config.Loaded{Config: cfg, Revision: "r"}, Directory: b.dir, Version: "test", Mode: "service",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.Engine, b.cancel, b.ran = e, cancel, make(chan error, 1)
	go func() { b.ran <- e.Run(ctx) }()
}

func (b *box) stop() {
	b.t.Helper()
	b.cancel()
	if err := <-b.ran; err != nil {
		b.t.Errorf("Run: %v", err)
	}
}

func (b *box) fire(name string) event.Firing {
	b.t.Helper()
	f, err := b.Fire(context.Background(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

func (b *box) account(name string) event.Account {
	b.t.Helper()
	s, err := b.Status(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, t := range s.Triggers {
		if !t.Balanced() {
			b.t.Errorf("%s does not add up: %+v", t.Name, t.Account)
		}
		if t.Name == name {
			return t.Account
		}
	}
	b.t.Fatalf("no trigger %s", name)
	return event.Account{}
}

func conf(triggers ...config.Trigger) config.Config {
	c := config.Default()
	c.Camera.Source = "scene:"
	c.Site.TimeZone = "Europe/Berlin"
	c.Mail.HoldOff = time.Minute
	c.Triggers = triggers
	return c
}

// inBox runs a test in a bubble of fake time.
func inBox(t *testing.T, cfg config.Config, test func(t *testing.T, b *box)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()}
		b.start(cfg)
		test(t, b)
		b.stop()
	})
}

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
		list, err := b.Events(context.Background(), 10)
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

func TestCameraLost(t *testing.T) {
	inBox(t, conf(trig("yard")), func(t *testing.T, b *box) {
		time.Sleep(5 * time.Second)
		b.cam.mu.Lock()
		b.cam.fail = fmt.Errorf("unplugged")
		b.cam.mu.Unlock()
		time.Sleep(5 * time.Second)
		s, _ := b.Status(context.Background())
		if s.Camera.State != event.CameraLost || !strings.Contains(strings.Join(s.Problems, "\n"), "unplugged") {
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

// The account of firings holds at every moment for random firings, outcomes and crashes.
func TestAccountProperty(t *testing.T) {
	a, c := trig("a"), trig("c")
	a.Post, c.Post = config.Extent{Time: time.Second}, config.Extent{Time: 3 * time.Second}
	short := 7 * time.Second
	c.HoldOff = &short
	c.Active = []config.Span{{From: 0, To: 12 * 60}}
	cfg := conf(a, c)
	inBox(t, cfg, func(t *testing.T, b *box) {
		b.cam.mu.Lock()
		b.cam.fail = frame.ErrEnded // no frames: only the account matters here
		b.cam.mu.Unlock()
		rng := newRand(t)
		states := []event.RecipientState{event.Delivered, event.Delivered, event.RcptHeld, event.Pending}
		accepted := map[string]uint64{}
		for range 600 {
			b.out.mu.Lock()
			b.out.state = states[rng.IntN(len(states))]
			b.out.mu.Unlock()
			switch rng.IntN(8) {
			case 0, 1, 2, 3:
				name := []string{"a", "c"}[rng.IntN(2)]
				b.fire(name)
				accepted[name]++
			case 4:
				if ids := b.out.ids(nil); len(ids) > 0 {
					b.out.change(ids[rng.IntN(len(ids))], states[rng.IntN(len(states))])
				}
			case 5:
				if ids := b.out.ids(func(m event.Mail) bool { return m.Count(event.RcptHeld) > 0 }); len(ids) > 0 {
					b.out.Drop(ids[0])
				}
			case 6:
				if rng.IntN(6) == 0 {
					b.stop()
					b.start(cfg)
				}
			}
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
			for _, name := range []string{"a", "c"} {
				if got := b.account(name); got.Fired != accepted[name] {
					t.Fatalf("%s: fired %d, accepted %d", name, got.Fired, accepted[name])
				}
			}
		}
		// In the end every mail is delivered and nothing is left open.
		b.out.mu.Lock()
		b.out.state = event.Delivered
		b.out.mu.Unlock()
		for _, id := range b.out.ids(nil) {
			b.out.change(id, event.Delivered)
		}
		time.Sleep(2 * time.Minute)
		told := map[uint64]int{}
		for _, n := range b.out.sent() {
			for _, f := range n.Firings {
				told[f.Seq]++
			}
		}
		for _, name := range []string{"a", "c"} {
			if got := b.account(name); got.Queued != 0 || got.Held != 0 {
				t.Errorf("%s: %+v", name, got)
			}
		}
		for seq, n := range told {
			if n != 1 {
				t.Errorf("firing %d was told %d times", seq, n)
			}
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
