package engine

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/frame"
	"watchpost/engine/store"
)

// fakeCamera shows a still grey scene, and while square is set a dark square that moves in it.
type fakeCamera struct {
	mu     sync.Mutex
	square bool
	fail   error
	found  string // what is found where none is configured
	every  time.Duration
}

func (c *fakeCamera) find() (source, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == "" {
		return "", "no camera: there is none"
	}
	return c.found, ""
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
		case <-time.After(cmp.Or(c.every, camEvery)):
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

// Chroma is of a picture that is all of one colour.
func (fakePictures) Chroma(blue, red *frame.Plane, f *frame.Frame) error {
	for i, p := range []*frame.Plane{blue, red} {
		p.Resize(f.Width/2, f.Height/2, 8)
		for j := range p.Pix {
			p.Pix[j] = byte(100 + i)
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
	folds   int
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
	m.Firings, m.FiringCount = n.Seqs, n.Count()
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

// fold makes a digest of the mails in the queue that nobody has got.
func (o *fakeOutbox) fold(ids ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.folds++
	d := event.Mail{ID: fmt.Sprintf("%08d-digest", o.folds), Kind: event.Digest, Recipients: []event.Recipient{{Address: "a@b.example", State: event.Pending}}}
	var all []event.Gathered
	for _, id := range ids {
		m := o.mails[id]
		delete(o.mails, id)
		all = append(all, event.Gathered{Seqs: m.Firings})
		d.FiringCount += m.FiringCount
		d.Stands += max(1, m.Stands)
		d.Replaces = append(append(d.Replaces, id), m.Replaces...)
	}
	d.Firings = event.Merge(all...).Seqs
	o.mails[d.ID] = d
	o.feed.MailChanged(d)
}

// damage sets a mail of the queue aside.
func (o *fakeOutbox) damage(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.mails[id]
	delete(o.mails, id)
	m.Damaged = true
	o.feed.MailChanged(m)
}

func (o *fakeOutbox) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
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

// testClock is the bubble's clock, set forward.
type testClock struct{ ahead atomic.Int64 }

func (c *testClock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// box is an engine in a test with what stands around it.
type box struct {
	*Engine
	t         *testing.T
	dir       string
	cam       *fakeCamera
	out       *fakeOutbox
	transfers *fakeTransfers
	wires     wiring
	clock     testClock
	boot      string
	up        time.Duration // of the machine, at booted
	booted    time.Time
	mode      string
	cancel    context.CancelFunc
	ran       chan error
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
	if b.booted.IsZero() {
		b.booted = time.Now()
	}
	b.out.feed = NewMailFeed()
	var open func(*store.Store, OutboxEvents) (Transfers, error)
	if b.transfers != nil {
		open = b.transfers.open
	}
	e, err := New(Options{
		OpenTransfers: open,
		OpenCamera:    func(config.Camera) (Camera, error) { return b.cam, nil },
		FindCamera:    b.cam.find, OpenInput: b.wires.open,
		Pictures: fakePictures{}, Outbox: b.out, Mail: b.out.feed, Clock: &b.clock, BootID: func() string { return b.boot }, Uptime: func() time.Duration { return b.up + time.Since(b.booted) },
		File: config.Open(path), Stamp: config.Open(path).Stamp(), Loaded: config.Loaded{Config: cfg, Revision: "r"}, Directory: b.dir, Version: "test", Mode: cmp.Or(b.mode, "service"),
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

// inBoxes is inBox for a test that starts and stops its box itself.
func inBoxes(t *testing.T, test func(t *testing.T, b *box)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		test(t, &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()})
	})
}
