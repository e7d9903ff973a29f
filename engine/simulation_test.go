package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// A day in the life of a box, in fake time: five triggers of different sources, and
// everything that may go wrong around them, at random. SIMULATION_SEEDS=N runs N
// days of new seeds, SIMULATION_SEED=S the day of one.

// simulation is the box, what stands around it, and what it was heard to say.
type simulation struct {
	*Engine
	t      *testing.T
	seed   uint64
	rng    *rand.Rand // of the minute
	disk   *simDisk
	cam    *simCamera
	out    *fakeOutbox
	places *simTransfers
	inputs *simInputs
	clock  *simClock
	cfg    config.Config
	boot   string
	cancel context.CancelFunc
	ran    chan error
	base   time.Time // what a right clock showed at the begin, less the bubble's
	busy   bool      // there is much to see and to hear
	did    map[string]int
	diary  []simEntry

	mu       sync.Mutex
	run      int
	accepted map[uint64]event.Firing
	events   map[string]*simEvent
	frames   []simFrame // that the ring was given
	emptied  time.Time  // when the ring was, by privacy mode
	before   map[string]event.Account
}

// simFrame is a frame that the ring was given.
type simFrame struct {
	seq uint64
	at  time.Time // the bubble's
	run int
}

// simEntry is something that befell the box.
type simEntry struct {
	at   time.Time // the bubble's
	what string
}

// simEvent is an event by what the engine said of it.
type simEvent struct {
	cfg     config.Trigger
	run     int
	began   time.Time // the bubble's, as are the others: when its record was written
	last    time.Time // of the newest firing in it
	closed  time.Time // by something from outside; zero: it came to its end
	why     string
	emptied time.Time
	late    bool // the moment of its trigger was an earlier one
}

func (s *simulation) fired(f event.Firing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.accepted[f.Seq]; ok {
		s.t.Errorf("number %d was given twice", f.Seq)
	}
	s.accepted[f.Seq] = f
	now := time.Now()
	switch {
	case f.Disposition == event.Extended:
		if e := s.events[f.EventID]; e != nil {
			e.last = now
		}
	case f.EventID != "":
		if s.events[f.EventID] != nil {
			s.t.Errorf("event %s begins twice", f.EventID)
		}
		e := &simEvent{run: s.run, began: now, last: now, emptied: s.emptied, late: s.clock.wall().Sub(f.At).Abs() > 100*time.Millisecond}
		for _, t := range s.cfg.Triggers {
			if t.Name == f.Trigger {
				e.cfg = t
			}
		}
		s.events[f.EventID] = e
	}
}

// closeAll notes that what goes on ends now.
func (s *simulation) closeAll(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.closed.IsZero() {
			e.closed, e.why = time.Now(), why
		}
	}
}

func simConfig() config.Config {
	minute := func(n int) *time.Duration { d := time.Duration(n) * time.Minute; return &d }
	yard, pir, gate, noise, lapse := trig("yard"), trig("pir"), trig("gate"), trig("noise"), trig("lapse")
	yard.Pre, yard.Post, yard.Interval, yard.Transfer = config.Extent{Images: 3}, config.Extent{Time: 5 * time.Second}, time.Second, "nas"
	pir.Source, pir.Line, pir.HoldOff = event.BuiltIn, "pir", minute(7)
	pir.Pre, pir.Post, pir.Interval = config.Extent{Images: 2}, config.Extent{Images: 4}, 2*time.Second
	pir.Active = []config.Span{{From: 22 * 60, To: 20 * 60}}
	gate.Source, gate.Line, gate.HoldOff, gate.Transfer = event.External, "gate", minute(0), "cloud"
	gate.And = &config.And{Source: event.External, Line: "key", Within: 5 * time.Second}
	gate.Pre, gate.Post, gate.Interval = config.Extent{Time: 3 * time.Second}, config.Extent{Images: 3}, 500*time.Millisecond
	noise.Source, noise.Notify = event.Sound, false
	noise.Pre, noise.Post, noise.Interval = config.Extent{}, config.Extent{Time: 2 * time.Second}, 500*time.Millisecond
	noise.Active = []config.Span{{Days: []time.Weekday{time.Saturday}, From: 0, To: 0}, {Days: []time.Weekday{time.Sunday}, From: 2*60 + 30, To: 23 * 60}}
	lapse.Source, lapse.Notify, lapse.Every = event.Timer, false, 10*time.Minute
	lapse.Pre, lapse.Post, lapse.Interval = config.Extent{}, config.Extent{Images: 2}, time.Second
	c := mailed(yard, pir, gate, noise, lapse)
	c.Camera.Buffer = 1 << 20
	c.Privacy.Line = "switch"
	c.Transfers = []config.Transfer{{Name: "nas", Kind: "sftp"}, {Name: "cloud", Kind: "http"}}
	return c
}

func TestSimulation(t *testing.T) {
	seeds := []uint64{1, 2, 3}
	if testing.Short() {
		seeds = seeds[:1]
	}
	if text := os.Getenv("SIMULATION_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	} else if n, _ := strconv.Atoi(os.Getenv("SIMULATION_SEEDS")); n > 0 {
		seeds = nil
		for range n {
			seeds = append(seeds, rand.Uint64N(1e6))
		}
	}
	var disks sync.Map // root to *simDisk: package durable has one observer
	undo := durable.Observe(durable.Observer{Before: func(c durable.Call) (err error) {
		disks.Range(func(root, d any) bool {
			if strings.HasPrefix(c.Path, root.(string)+"/") {
				err = d.(*simDisk).before(c)
				return false
			}
			return true
		})
		return err
	}})
	defer undo()
	t.Run("day", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				dir := simDir(t)
				disk := &simDisk{root: dir, rng: rand.New(rand.NewPCG(seed, 1)), broken: map[string]syscall.Errno{}, tails: map[string]int64{}}
				disks.Store(dir, disk)
				defer disks.Delete(dir)
				synctest.Test(t, func(t *testing.T) {
					s := &simulation{t: t, seed: seed, disk: disk, out: newFakeOutbox(), cfg: simConfig(), boot: "boot 0", clock: &simClock{}, did: map[string]int{},
						accepted: map[uint64]event.Firing{}, events: map[string]*simEvent{}, before: map[string]event.Account{},
						places: &simTransfers{disk: disk, jobs: map[string]event.Mail{}, failed: map[string]bool{}}}
					s.cam, s.inputs = &simCamera{clock: s.clock}, &simInputs{clock: s.clock, tell: map[string]map[int]func(Reading){}}
					// The night in which summer time begins, or ends.
					s.base = []time.Time{time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)}[seed%2]
					s.clock.set(s.base)
					s.day(24 * 60)
				})
			})
		}
	})
}

// simDir is a folder on a disk in memory where there is one: t.Setenv is not for parallel tests.
func simDir(t *testing.T) string {
	if _, err := os.Stat("/dev/shm"); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "watchpost-simulation-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// day lets the minutes pass, each with its accidents, and looks at the account
// after each; then it lets everything be told and looks at all that is left.
func (s *simulation) day(minutes int) {
	begun := time.Now()
	s.start()
	time.Sleep(time.Minute)
	for minute := range minutes {
		s.rng = rand.New(rand.NewPCG(s.seed, uint64(minute))) // what one minute brings does not move the next
		next := begun.Add(time.Duration(minute+2) * time.Minute)
		s.accident()
		for time.Now().Before(next) && !s.disk.isCut() {
			if s.happens(map[bool]int{true: 3, false: 60}[s.busy]) {
				s.somethingToSee()
			}
			time.Sleep(min(time.Until(next), time.Duration(500+s.rng.IntN(4000))*time.Millisecond))
		}
		if s.disk.isCut() {
			s.restart(true)
		}
		s.account()
		if s.t.Failed() {
			s.t.Logf("in minute %d, %v by the clock", minute, s.clock.wall())
			break
		}
	}
	s.calm()
	s.account()
	s.told()
	s.stored()
	s.end("stop")
	s.t.Logf("%d firings, %d events, %d mails, %d runs; %v", len(s.accepted), len(s.events), len(s.out.sent()), s.run, s.did)
}

func (s *simulation) happens(oneIn int) bool { return s.rng.IntN(oneIn) == 0 }

// note counts what befell the box, and remembers when.
func (s *simulation) note(what string) {
	s.did[what]++
	s.mu.Lock()
	defer s.mu.Unlock()
	s.diary = append(s.diary, simEntry{time.Now(), what})
}

// around is what befell the box in a time, and a little before it.
func (s *simulation) around(from, to time.Time) (all []string) {
	for _, e := range s.diary {
		if e.at.After(from.Add(-30*time.Second)) && e.at.Before(to.Add(time.Second)) {
			all = append(all, e.at.Format(time.TimeOnly)+" "+e.what)
		}
	}
	return all
}

// restart stops the program as it should be, or takes its power, and starts it again after a while.
func (s *simulation) restart(cut bool) {
	why := "stop"
	if cut {
		why = "power"
		s.note("restart: power cut")
	} else {
		s.note("restart: clean")
	}
	s.end(why)
	if cut {
		s.disk.powerOn()
		s.boot = fmt.Sprint("boot ", s.run)
		if s.happens(3) { // no battery
			s.note("clock: 1970 at the start")
			s.clock.set(time.Unix(100, 0))
		}
	}
	s.disk.set(func() { clear(s.disk.broken) }) // a disk on which nothing can be written has no start
	if s.happens(2) {
		time.Sleep(time.Duration(s.rng.IntN(120)) * time.Second)
	}
	s.start()
}

// calm ends all trouble and gives everything some hours.
func (s *simulation) calm() {
	if s.disk.isCut() {
		s.restart(true)
	}
	s.disk.powerOn()
	s.cam.set(false, nil)
	s.inputs.change("external switch", false)
	s.Privacy(context.Background(), false)
	s.clock.set(s.base.Add(time.Since(simBegin)))
	s.out.set(func() { s.out.err, s.out.slow, s.out.state = nil, 0, event.Delivered })
	s.places.set(false)
	for range 3 * 60 {
		for _, id := range s.out.ids(func(m event.Mail) bool { return !m.Settled() }) {
			s.out.change(id, event.Delivered)
		}
		s.places.again()
		time.Sleep(time.Minute)
	}
}
