package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/frame"
	"watchpost/engine/store"
)

// simClock is a wall clock that is set, as Linux's is: its readings carry Go's
// monotonic clock, which goes on through every change.
type simClock struct{ ahead atomic.Int64 }

func (c *simClock) Now() time.Time { return withMonotonic(c.wall()) }

func (c *simClock) wall() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *simClock) set(at time.Time) { c.ahead.Store(int64(time.Until(at))) }

// withMonotonic gives a wall time of the present moment the monotonic reading that
// time.Now has, and leaves out in a bubble. No function of package time does that.
// Such readings compare with each other as they do outside; time.Since of one goes by
// the wall in a bubble.
func withMonotonic(wall time.Time) time.Time {
	const monotonic, nsecBits, since1885 = 1 << 63, 30, 2682288000
	type layout struct {
		wall uint64
		ext  int64
		loc  *time.Location
	}
	var begin time.Time
	(*layout)(unsafe.Pointer(&begin)).wall = monotonic
	r := (*layout)(unsafe.Pointer(&wall))
	r.wall, r.ext = monotonic|uint64(wall.Unix()+since1885)<<nsecBits|uint64(wall.Nanosecond()), int64(time.Since(begin))
	return wall
}

// What a jump of the clock does to its readings is what Linux does.
func TestSimClockKeepsItsMonotonicReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c simClock
		c.set(time.Date(2026, 3, 28, 12, 0, 0, 5, time.UTC))
		a := c.Now()
		time.Sleep(time.Second)
		c.set(time.Unix(0, 0))
		b := c.Now()
		if b.Sub(a) != time.Second || !b.Equal(a.Add(time.Second)) || b.Unix() != 0 || a.Unix() != 1774699200 || a.Nanosecond() != 5 {
			t.Errorf("%v, then %v: %v later", a, b, b.Sub(a))
		}
	})
}

// simDisk is what is wrong with the disk below a folder. Parts of it are told
// apart by their names: journal, events, and spool and transfers for what the
// fakes keep there.
type simDisk struct {
	root string

	mu     sync.Mutex
	rng    *rand.Rand
	broken map[string]syscall.Errno // by part; one call in four succeeds
	slow   time.Duration            // of a call that changes the store
	cutIn  int                      // so many calls from now the power is cut; 0: it is not
	cut    bool
	tails  map[string]int64 // files whose end is not fsynced, from which offset on
}

var errPower = errors.New("the power is cut")

// before refuses a call, or lets it take its time.
func (d *simDisk) before(c durable.Call) error {
	rel, _ := filepath.Rel(d.root, c.Path)
	part, _, _ := strings.Cut(rel, "/")
	d.mu.Lock()
	if d.cutIn > 0 {
		if d.cutIn--; d.cutIn == 0 {
			d.cut = true
		}
	}
	errno, broken := d.broken[part]
	broken = broken && d.rng.IntN(4) > 0
	cut, slow := d.cut, d.slow
	if !cut && !broken && c.Op == durable.OpWrite && !strings.Contains(c.Path, durable.TempPrefix) {
		if at, ok := d.tails[c.Path]; !ok || c.Offset < at {
			d.tails[c.Path] = c.Offset
		}
	}
	if !cut && !broken && c.Op == durable.OpSync {
		delete(d.tails, c.Path)
	}
	d.mu.Unlock()
	switch {
	case cut:
		return errPower
	case broken:
		return errno
	case part == "events" || part == "journal":
		time.Sleep(slow)
	}
	return nil
}

// part asks for a call of a fake that keeps something.
func (d *simDisk) part(name string) error {
	return d.before(durable.Call{Op: durable.OpRename, Path: filepath.Join(d.root, name, "x")})
}

func (d *simDisk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *simDisk) isCut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut
}

// powerOn has the disk work again. What was not fsynced is there, or half of it, or nothing.
func (d *simDisk) powerOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, at := range d.tails {
		if st, err := os.Stat(path); err == nil && st.Size() > at {
			os.Truncate(path, at+[]int64{0, (st.Size() - at) / 2, st.Size() - at}[d.rng.IntN(3)])
		}
	}
	d.cut, d.cutIn = false, 0
	clear(d.tails)
	clear(d.broken)
	d.slow = 0
}

// simOutbox is a fakeOutbox whose spool is on the disk.
type simOutbox struct {
	*fakeOutbox
	disk *simDisk
}

func (o simOutbox) Submit(ctx context.Context, n event.Notice) error {
	if err := o.disk.part("spool"); err != nil {
		return err
	}
	return o.fakeOutbox.Submit(ctx, n)
}

func (o simOutbox) Settle(id string) error {
	if err := o.disk.part("spool"); err != nil {
		return err
	}
	return o.fakeOutbox.Settle(id)
}

// simTransfers hands an event over when it has ended and its place answers. Its
// jobs survive the engine.
type simTransfers struct {
	noTransfers
	disk *simDisk

	mu     sync.Mutex
	store  *store.Store
	feed   OutboxEvents
	down   bool
	jobs   map[string]event.Mail // by event
	early  []string              // events that were stored before their job was there
	failed map[string]bool       // events whose job could not be kept
}

func (q *simTransfers) open(s *store.Store, feed OutboxEvents) (Transfers, error) {
	q.mu.Lock()
	q.store, q.feed = s, feed
	for id, m := range q.jobs {
		if m.Settled() {
			continue
		}
		if _, err := s.Get(id); err != nil {
			delete(q.jobs, id)
		}
	}
	q.mu.Unlock()
	q.again()
	return q, nil
}

func (q *simTransfers) Add(j event.Job) error {
	if err := q.disk.part("transfers"); err != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.failed[j.Event] = true
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.jobs[j.Event].ID == j.ID {
		return nil
	}
	if _, err := q.store.Get(j.Event); err == nil && !q.failed[j.Event] { // else it is tried again
		q.early = append(q.early, j.Event)
	}
	m := event.Mail{ID: j.ID, Kind: event.Transfer, Event: j.Event, Trigger: j.Trigger, At: j.At,
		Recipients: []event.Recipient{{Address: j.Transfer, State: event.Pending}}}
	q.jobs[j.Event] = m
	q.feed.MailChanged(m)
	return nil
}

func (q *simTransfers) Changed(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hand(id)
}

// hand: with mu held.
func (q *simTransfers) hand(id string) {
	m, ok := q.jobs[id]
	if !ok || q.down || m.Settled() {
		return
	}
	if e, err := q.store.Get(id); err != nil || e.End.IsZero() {
		return
	}
	m.Recipients = []event.Recipient{{Address: m.Recipients[0].Address, State: event.Delivered}}
	q.jobs[id] = m
	q.feed.MailChanged(m)
}

// again tries all that wait.
func (q *simTransfers) again() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id := range q.jobs {
		q.hand(id)
	}
}

func (q *simTransfers) set(down bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.down = down
}

func (q *simTransfers) Pending(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	m, ok := q.jobs[id]
	return ok && !m.Settled()
}

func (q *simTransfers) Mails() (all []event.Mail) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.jobs {
		if !m.Settled() {
			all = append(all, m)
		}
	}
	return all
}

// simCamera gives two frames a second, each with a number of its own. A dark
// square moves through a grey scene while square is set.
type simCamera struct {
	clock *simClock
	next  atomic.Uint64

	mu     sync.Mutex
	square bool
	fail   error
	stream uint64
}

const simFrames = 500 * time.Millisecond

var simScenes = func() (scenes [20][]byte) { // the last is empty
	const w, h = 160, 120
	for i := range scenes {
		scenes[i] = slices.Repeat([]byte{128}, w*h)
		if i == len(scenes)-1 {
			break
		}
		x := (i * 16) % (w - 48)
		for y := 30; y < 90; y++ {
			for k := x; k < x+48; k++ {
				scenes[i][y*w+k] = 20
			}
		}
	}
	return scenes
}()

func (c *simCamera) Run(ctx context.Context, deliver func(*frame.Frame)) error {
	f := frame.Frame{Format: frame.GREY, Width: 160, Height: 120, Stride: 160, FullRange: true}
	start := time.Now()
	c.mu.Lock()
	c.stream++
	f.Stream = c.stream
	c.mu.Unlock()
	t := time.NewTicker(simFrames)
	defer t.Stop()
	for i := 0; ; i++ {
		c.mu.Lock()
		square, fail := c.square, c.fail
		c.mu.Unlock()
		if fail != nil {
			return fail
		}
		f.Data = simScenes[len(simScenes)-1]
		if square {
			f.Data = simScenes[i%(len(simScenes)-1)]
		}
		f.Seq, f.At, f.Mono = c.next.Add(1), c.clock.Now(), time.Since(start)
		deliver(&f)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

func (c *simCamera) find() (source, why string) { return "", "there is none" }

func (c *simCamera) set(square bool, fail error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.square, c.fail = square, fail
}

// simImageBytes is so much that the ring holds some minutes.
const simImageBytes = 1000

// simPictures makes files that tell the number of their frame, and remembers which
// frames the ring was given.
type simPictures struct {
	fakePictures
	s *simulation
}

func (p simPictures) JPEG(f *frame.Frame, _ int) ([]byte, error) {
	p.s.mu.Lock()
	p.s.frames = append(p.s.frames, simFrame{f.Seq, time.Now(), p.s.run})
	p.s.mu.Unlock()
	return append(fmt.Appendf(nil, "frame %d ", f.Seq), make([]byte, simImageBytes)...), nil
}

// simInputs are the contacts, the sensor and the microphone.
type simInputs struct {
	clock *simClock

	mu     sync.Mutex
	broken error
	tell   map[string]map[int]func(Reading) // by source and line
	next   int
}

type simInput struct {
	*simInputs
	key string
}

func (in *simInputs) open(c InputConfig) (Input, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return &simInput{in, strings.TrimSpace(string(c.Source) + " " + c.Line)}, in.broken
}

func (in *simInput) Run(ctx context.Context, tell func(Reading)) error {
	in.mu.Lock()
	if in.tell[in.key] == nil {
		in.tell[in.key] = map[int]func(Reading){}
	}
	in.next++
	n := in.next
	in.tell[in.key][n] = tell
	in.mu.Unlock()
	<-ctx.Done()
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.tell[in.key], n)
	return ctx.Err()
}

// change has an input say something, where it is open.
func (in *simInputs) change(key string, active bool) {
	in.mu.Lock()
	var all []func(Reading)
	for _, tell := range in.tell[key] {
		all = append(all, tell)
	}
	in.mu.Unlock()
	for _, tell := range all {
		tell(Reading{Active: active, At: in.clock.Now(), Level: 40})
	}
}

// start begins an engine on the disk as it is. Where the power is cut at that, it
// begins once more.
func (s *simulation) start() {
	s.mu.Lock()
	s.run++
	s.mu.Unlock()
	path := filepath.Join(s.disk.root, "watchpost.yaml")
	s.out.feed = NewMailFeed()
	e, err := New(Options{
		OpenTransfers: s.places.open, OpenInput: s.inputs.open,
		OpenCamera: func(config.Camera) (Camera, error) { return s.cam, nil }, FindCamera: s.cam.find,
		Pictures: simPictures{s: s}, Outbox: simOutbox{s.out, s.disk}, Mail: s.out.feed, Clock: s.clock,
		BootID: func() string { return s.boot }, Log: slog.New(simLog{s}),
		File: config.Open(path), Stamp: config.Open(path).Stamp(), Loaded: config.Loaded{Config: s.cfg, Revision: "r"},
		Directory: s.disk.root, Version: "test", Mode: "service",
	})
	if err != nil && s.disk.isCut() {
		s.note("restart: power cut at the start")
		s.disk.powerOn()
		s.start()
		return
	}
	if err != nil {
		s.t.Fatalf("run %d: %v", s.run, err)
	}
	// What a power cut left whole of a firing that was not acknowledged is there all the same.
	s.mu.Lock()
	came := 0
	for _, f := range e.journal.Tail() {
		if _, ok := s.accepted[f.Seq]; !ok {
			s.accepted[f.Seq] = f
			came++
		}
	}
	s.mu.Unlock()
	if came > 1 {
		s.t.Errorf("run %d: %d firings are in the journal that nobody was told of", s.run, came)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.Engine, s.cancel, s.ran = e, cancel, make(chan error, 1)
	go func() { s.ran <- e.Run(ctx) }()
}

// end waits for the engine to end, by itself or as a program without power does.
func (s *simulation) end(why string) {
	s.cancel()
	if err := <-s.ran; err != nil {
		s.t.Errorf("Run: %v", err)
	}
	s.closeAll(why)
}

// simLog takes what the engine says of its firings and events, in the moment in
// which it holds.
type simLog struct{ s *simulation }

func (simLog) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (l simLog) WithAttrs([]slog.Attr) slog.Handler         { return l }
func (l simLog) WithGroup(string) slog.Handler              { return l }

func (l simLog) Handle(_ context.Context, r slog.Record) error {
	at := map[string]slog.Value{}
	r.Attrs(func(a slog.Attr) bool { at[a.Key] = a.Value; return true })
	text := func(key string) string { return at[key].String() }
	switch r.Message {
	case "firing":
		l.s.fired(event.Firing{Seq: at["seq"].Uint64(), Trigger: text("trigger"), At: at["at"].Time(), EventID: text("event"),
			Disposition: at["disposition"].Any().(event.Disposition), Reason: at["reason"].Any().(event.Reason)})
	case "event ended":
		l.s.mu.Lock()
		if e := l.s.events[text("event")]; e != nil && e.closed.IsZero() {
			e.closed = time.Now()
		}
		l.s.mu.Unlock()
	case "privacy":
		if at["on"].Bool() {
			l.s.closeAll("privacy")
		}
		l.s.mu.Lock()
		l.s.emptied = time.Now()
		l.s.mu.Unlock()
	}
	return nil
}
