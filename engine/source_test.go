package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// fakeInput is a contact in a test. What it is told it passes on; a failure ends Run.
type fakeInput struct {
	readings chan Reading
	fail     chan error
}

func (in *fakeInput) Run(ctx context.Context, tell func(Reading)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-in.fail:
			return err
		case r := <-in.readings:
			tell(r)
		}
	}
}

// wiring is all inputs of a box in a test, by source and line.
type wiring struct {
	mu     sync.Mutex
	inputs map[string]*fakeInput
	opened map[string]int
	broken error
}

func (w *wiring) at(key string) *fakeInput {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inputs == nil {
		w.inputs, w.opened = map[string]*fakeInput{}, map[string]int{}
	}
	if w.inputs[key] == nil {
		w.inputs[key] = &fakeInput{readings: make(chan Reading), fail: make(chan error)}
	}
	return w.inputs[key]
}

func (w *wiring) open(c InputConfig) (Input, error) {
	key := strings.TrimSpace(string(c.Source) + " " + c.Line)
	in := w.at(key)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened[key]++
	return in, w.broken
}

// times is how often an input was opened.
func (w *wiring) times(key string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opened[key]
}

func (w *wiring) set(key string, active bool) {
	w.at(key).readings <- Reading{Active: active, At: time.Now()}
	synctest.Wait()
}

func (w *wiring) pulse(key string) {
	w.set(key, true)
	w.set(key, false)
}

func door() config.Trigger {
	t := trig("door")
	t.Source, t.Line, t.Edge = event.External, "gpiochip0:4", "rising"
	t.Pre, t.Post = config.Extent{Images: 2}, config.Extent{Time: time.Second}
	return t
}

const doorLine = "external gpiochip0:4"

// silent is how many firings were silent for a reason.
func (b *box) silent(trigger string, why event.Reason) uint64 {
	b.t.Helper()
	return b.account(trigger).SilentReasons[why]
}

func (b *box) state(trigger string) event.Trigger {
	b.t.Helper()
	s, err := b.Status(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, t := range s.Triggers {
		if t.Name == trigger {
			return t
		}
	}
	b.t.Fatalf("no trigger %s", trigger)
	return event.Trigger{}
}

func TestContactFires(t *testing.T) {
	inBox(t, conf(door()), func(t *testing.T, b *box) {
		time.Sleep(3 * time.Second)
		b.wires.pulse(doorLine)
		time.Sleep(5 * time.Second)
		if a := b.account("door"); a.Fired != 1 || a.Mailed != 1 {
			t.Errorf("account %+v", a)
		}
		if n := b.out.sent(); len(n) != 1 || n[0].Firings[0].Source != event.External || len(n[0].Images) != 1 {
			t.Errorf("notices %+v", n)
		}
	})
}

// A contact that fails is told on the screen and opened again; one that was active
// then is at rest.
func TestContactFailsAndIsOpenedAgain(t *testing.T) {
	inBox(t, conf(door()), func(t *testing.T, b *box) {
		time.Sleep(3 * time.Second)
		b.wires.set(doorLine, true)
		b.wires.mu.Lock()
		b.wires.broken = errors.New("gpiochip0 is gone: plug it in again")
		b.wires.mu.Unlock()
		b.wires.at(doorLine).fail <- errors.New("read: input/output error")
		time.Sleep(5 * time.Second)
		if s := b.state("door"); s.State != event.Unavailable || s.Why != "gpiochip0 is gone: plug it in again" {
			t.Errorf("state %+v", s)
		}
		list, _ := b.Events(context.Background(), event.Filter{})
		if len(list) != 1 || list[0].End.IsZero() {
			t.Errorf("its event goes on: %+v", list)
		}
		b.wires.mu.Lock()
		b.wires.broken = nil
		b.wires.mu.Unlock()
		time.Sleep(time.Minute)
		b.wires.pulse(doorLine)
		if a := b.account("door"); a.Fired != 2 {
			t.Errorf("account %+v", a)
		}
	})
}

// A change of anything else leaves an input alone; a changed or removed line closes it.
func TestInputsFollowTheConfiguration(t *testing.T) {
	inBox(t, conf(door()), func(t *testing.T, b *box) {
		synctest.Wait()
		adopt := func(c config.Config) {
			b.do(context.Background(), func() { b.adopt(config.Loaded{Config: c, Revision: "s"}, nil) })
			synctest.Wait()
		}
		other := conf(door(), trig("yard"))
		other.Mail.HoldOff = 0
		adopt(other)
		if n := b.wires.opened[doorLine]; n != 1 {
			t.Errorf("opened %d times", n)
		}
		moved := door()
		moved.Line = "gpiochip0:5"
		adopt(conf(moved))
		b.wires.pulse("external gpiochip0:5")
		adopt(conf())
		if a := b.journal.Accounts(nil)["door"]; a.Fired != 1 {
			t.Errorf("account %+v", a)
		}
		b.inputs.mu.Lock()
		defer b.inputs.mu.Unlock()
		if len(b.inputs.state) != 0 {
			t.Errorf("inputs that go on: %v", b.inputs.state)
		}
	})
}

func TestBuiltInSensorWarmsUp(t *testing.T) {
	pir := door()
	pir.Name, pir.Source, pir.Line = "pir", event.BuiltIn, "pir"
	inBox(t, conf(pir), func(t *testing.T, b *box) {
		time.Sleep(10 * time.Second)
		b.wires.pulse("builtin pir")
		if s := b.state("pir"); s.State != event.StateWarming || s.Until.Sub(b.now()) > 21*time.Second || s.Until.Sub(b.now()) < 18*time.Second {
			t.Errorf("state %v until %v, now %v", s.State, s.Until, b.now())
		}
		if n := b.silent("pir", event.WarmingUp); n != 1 {
			t.Errorf("%d silent while warming up", n)
		}
		time.Sleep(25 * time.Second)
		b.wires.pulse("builtin pir")
		time.Sleep(5 * time.Second)
		if a := b.account("pir"); a.Fired != 2 || a.Mailed != 1 {
			t.Errorf("account %+v", a)
		}
	})
}

// motionAndPIR is a trigger of one source that needs another within five seconds.
func pirAnd(source event.Source, line string) config.Trigger {
	t := door()
	t.Name, t.Source, t.Line = "both", event.BuiltIn, "pir"
	t.And = &config.And{Source: source, Line: line, Within: 5 * time.Second}
	return t
}

func TestAnd(t *testing.T) {
	const pir, gate = "builtin pir", "external gate"
	inBox(t, conf(pirAnd(event.External, "gate")), func(t *testing.T, b *box) {
		time.Sleep(warmUp + time.Second)
		wait := func() { time.Sleep(10 * time.Second) }
		b.wires.pulse(pir) // alone
		if a := b.account("both"); a.Fired != 0 {
			t.Errorf("it waits, %+v", a)
		}
		wait()
		if n := b.silent("both", event.AndUnmet); n != 1 {
			t.Errorf("unmet: %d", n)
		}
		b.wires.pulse(gate) // the other one alone is nothing
		wait()
		if a := b.account("both"); a.Fired != 1 {
			t.Errorf("account %+v", a)
		}
		b.wires.pulse(gate) // the other one first
		time.Sleep(4 * time.Second)
		b.wires.pulse(pir)
		if a := b.account("both"); a.Fired != 2 || a.Silent != 1 {
			t.Errorf("the other one first: %+v", a)
		}
		wait()
		b.wires.pulse(pir) // its own first, twice
		time.Sleep(2 * time.Second)
		b.wires.pulse(pir)
		time.Sleep(2 * time.Second)
		met := b.now()
		b.wires.pulse(gate)
		if a := b.account("both"); a.Fired != 4 || a.Extended != 1 {
			t.Errorf("its own first: %+v", a)
		}
		if last := b.state("both").Last; last.Sub(met).Abs() > time.Second {
			t.Errorf("the moment is %v, both were met at %v", last, met)
		}
		wait()
		b.wires.set(gate, true) // it stays active: any time is in time
		time.Sleep(time.Minute)
		b.wires.pulse(pir)
		if a := b.account("both"); a.Fired != 5 || a.Silent != 1 {
			t.Errorf("while the other is active: %+v", a)
		}
		b.wires.set(gate, false)
		wait()
		b.wires.pulse(pir)
		if a := b.account("both"); a.Fired != 5 {
			t.Errorf("it waits, %+v", a)
		}
	}) // the last one waits when the program stops
}

// What waits for its AND when the program stops is counted, as not met.
func TestAndWaitingAtTheStop(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()}
		b.start(conf(pirAnd(event.External, "gate")))
		time.Sleep(warmUp + time.Second)
		b.wires.pulse("builtin pir")
		b.stop()
		b.start(conf(pirAnd(event.External, "gate")))
		if n := b.silent("both", event.AndUnmet); n != 1 {
			t.Errorf("unmet: %d", n)
		}
		b.stop()
	})
}

func TestAndWithMotion(t *testing.T) {
	inBox(t, conf(pirAnd(event.Motion, "")), func(t *testing.T, b *box) {
		time.Sleep(warmUp + time.Second)
		b.cam.show(true)
		time.Sleep(2 * time.Second)
		b.wires.pulse("builtin pir")
		time.Sleep(time.Second)
		if a := b.account("both"); a.Fired != 1 || a.Silent != 0 {
			t.Errorf("account %+v", a)
		}
		b.cam.show(false)
		time.Sleep(30 * time.Second)
		b.wires.pulse("builtin pir")
		time.Sleep(10 * time.Second)
		if n := b.silent("both", event.AndUnmet); n != 1 {
			t.Errorf("unmet: %d", n)
		}
	})
}

func TestTimer(t *testing.T) {
	timer := trig("lapse")
	timer.Source, timer.Notify, timer.Every = event.Timer, false, 10*time.Minute
	timer.Pre, timer.Post = config.Extent{}, config.Extent{Images: 1}
	timer.Active = []config.Span{{From: 2 * 60, To: 4 * 60}}
	inBox(t, conf(timer), func(t *testing.T, b *box) {
		time.Sleep(5 * time.Hour) // from 01:00 to 06:00 in Berlin
		a := b.account("lapse")
		if a.Fired != 12 || a.SilentReasons[event.TimerOff] != 12 || len(b.out.sent()) != 0 {
			t.Errorf("account %+v, %d mails", a, len(b.out.sent()))
		}
		list, _ := b.Events(context.Background(), event.Filter{})
		if len(list) != 12 {
			t.Fatalf("%d events", len(list))
		}
		for _, e := range list {
			if e.Start.Minute()%10 != 0 || e.Start.Second() != 0 || e.Start.Hour() < 2 || e.Start.Hour() > 3 || len(e.Images) == 0 {
				t.Errorf("event of %v with %d images", e.Start, len(e.Images))
			}
		}
	})
}

// The wall clock's multiples over the changes of summer time.
func TestLastMultiple(t *testing.T) {
	for _, c := range []struct {
		zone, from, to string // UTC
		every          time.Duration
		want           string // wall clock
	}{
		{"Europe/Berlin", "2026-03-28T23:30Z", "2026-03-29T02:30Z", time.Hour, "01:00 03:00 04:00"},
		{"Europe/Berlin", "2026-10-24T23:30Z", "2026-10-25T02:30Z", time.Hour, "02:00 02:00 03:00"},
		{"Europe/Berlin", "2026-10-24T22:30Z", "2026-10-25T02:10Z", 30 * time.Minute, "01:00 01:30 02:00 02:30 02:00 02:30 03:00"},
		{"Europe/Berlin", "2026-10-24T20:00Z", "2026-10-25T12:00Z", 6 * time.Hour, "00:00 06:00 12:00"},
		{"Europe/Berlin", "2026-03-28T20:00Z", "2026-03-29T12:10Z", 2 * time.Hour, "22:00 00:00 04:00 06:00 08:00 10:00 12:00 14:00"},
		{"Australia/Lord_Howe", "2026-10-03T14:00Z", "2026-10-03T17:10Z", time.Hour, "01:00 03:00 04:00"},
		{"Asia/Kathmandu", "2026-11-24T00:00Z", "2026-11-24T03:00Z", time.Hour, "06:00 07:00 08:00"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		parse := func(s string) time.Time {
			at, err := time.ParseInLocation("2006-01-02T15:04Z", s, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			return at.In(zone)
		}
		var got []string
		last := lastMultiple(parse(c.from), c.every)
		for at := parse(c.from); !at.After(parse(c.to)); at = at.Add(7 * time.Second) {
			if m := lastMultiple(at, c.every); m.After(last) {
				last = m
				got = append(got, m.Format("15:04"))
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s, every %v: %s, want %s", c.zone, c.every, s, c.want)
		}
	}
}

// A trigger that is off does not fire, whatever its source says, and says why.
func TestTriggerOff(t *testing.T) {
	inBox(t, conf(trig("yard"), door()), func(t *testing.T, b *box) {
		time.Sleep(2 * time.Second)
		b.fire("yard")
		off := conf(trig("yard"), door())
		off.Triggers[0].Enabled, off.Triggers[1].Enabled = false, false
		b.do(context.Background(), func() { b.adopt(config.Loaded{Config: off, Revision: "s"}, nil) })
		synctest.Wait()
		b.cam.show(true)
		time.Sleep(time.Minute)
		if f, err := b.Fire(context.Background(), "yard"); err == nil || !strings.Contains(err.Error(), "it is off") {
			t.Errorf("by hand: %+v %v", f, err)
		}
		for _, name := range []string{"yard", "door"} {
			if s := b.state(name); s.State != event.StateOff {
				t.Errorf("%s is %s", name, s.State)
			}
		}
		if a := b.account("yard"); a.Fired != 1 || a.Mailed != 1 {
			t.Errorf("account %+v", a)
		}
		if list, _ := b.Events(context.Background(), event.Filter{}); len(list) != 1 || list[0].End.IsZero() || !strings.Contains(strings.Join(list[0].Missing, " "), "switched off") {
			t.Errorf("events %+v", list)
		}
		b.inputs.mu.Lock()
		open := len(b.inputs.state)
		b.inputs.mu.Unlock()
		if open != 0 {
			t.Errorf("%d inputs are open", open)
		}
		b.do(context.Background(), func() { b.adopt(config.Loaded{Config: conf(trig("yard"), door()), Revision: "t"}, nil) })
		synctest.Wait()
		b.wires.pulse(doorLine)
		time.Sleep(5 * time.Second)
		if a := b.account("door"); a.Fired != 1 || a.Mailed != 1 {
			t.Errorf("on again: %+v", a)
		}
	})
}

// The status says how much the image buffer holds, and which trigger wants more than that.
func TestBufferTooShort(t *testing.T) {
	far := trig("yard")
	far.Pre = config.Extent{Time: 5 * time.Minute}
	cfg := conf(far)
	cfg.Camera.Buffer = 4000 // bytes: fakePictures' files are small
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(time.Minute)
		s, _ := b.Status(context.Background())
		if s.Buffer.Images < 10 || s.Buffer.Bytes > 4000 || s.Buffer.Fit < s.Buffer.Images || s.Buffer.Seconds < 1 || s.Buffer.Seconds > 60 {
			t.Errorf("buffer %+v", s.Buffer)
		}
		if all := strings.Join(s.Problems, "\n"); !strings.Contains(all, "trigger yard wants images from 300 s") && !strings.Contains(all, "trigger yard wants images from 5 min") {
			t.Errorf("problems %s", all)
		}
	})
}

// How far the buffer reaches goes by what the camera gives, not by what is asked of it.
func TestBufferOfASlowCamera(t *testing.T) {
	y := quick()
	y.Interval = 100 * time.Millisecond
	y.Pre = config.Extent{Time: 30 * time.Second}
	cfg := conf(y)
	cfg.Camera.Buffer = 40 * (128 + 16)
	inBoxes(t, func(t *testing.T, b *box) {
		b.cam.every = time.Second
		b.start(cfg)
		time.Sleep(2 * time.Minute)
		s, _ := b.Status(context.Background())
		var held time.Duration
		images, _ := b.ring.After(0)
		held = images[len(images)-1].Taken.Sub(images[0].Taken)
		if d := s.Buffer.Seconds - held.Seconds(); d < -5 || d > 5 {
			t.Errorf("%+v, it holds %v; %v", s.Buffer, held, s.Problems)
		}
		b.stop()
	})
}

// A trigger for holidays of which none is to come says that it never fires.
func TestNeverActiveSaysSo(t *testing.T) {
	yard := trig("yard")
	yard.Active = []config.Span{{Holiday: true, To: 24 * 60}}
	cfg := conf(yard)
	cfg.Site.Holidays = []config.Date{{Year: 1999, Month: 1, Day: 1}}
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(3 * time.Second)
		if s := b.state("yard"); s.State != event.StateOutside || !strings.Contains(s.Why, "never comes") || !s.Until.IsZero() {
			t.Errorf("%+v", s)
		}
	})
	cfg.Site.Holidays[0].Year = 0
	inBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(3 * time.Second)
		if s := b.state("yard"); s.Why != "" {
			t.Errorf("%+v", s)
		}
	})
}
