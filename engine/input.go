package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// warmUp is how long a built-in sensor is blind after power-on (the manual).
const warmUp = 30 * time.Second

// role is whose input one is: a trigger's own, that of its AND, or with an empty
// trigger privacy mode's.
type role struct {
	trigger string
	second  bool
}

// inputs runs the inputs that the configuration names: a goroutine each, all of
// them owned by run. An input that fails is opened again.
//
// Invariant, under mu: want is the newest configuration; state describes those
// that run has going.
type inputs struct {
	open    func(InputConfig) (Input, error) // nil: there is no such hardware
	signals chan<- signal
	best    *bestTime
	freeze  *atomic.Bool // the detector's: an image is wanted of the next frame

	mu      sync.Mutex
	want    map[role]InputConfig
	changed chan struct{} // has room for one
	state   map[role]inputState
	powered map[string]time.Time // by line: of inputs that were closed in working order, the opening
}

type inputState struct {
	since   time.Time // monotonic, of its opening; zero: it is not open
	problem string
}

func newInputs(open func(InputConfig) (Input, error), signals chan<- signal, best *bestTime, freeze *atomic.Bool) *inputs {
	return &inputs{open: open, signals: signals, best: best, freeze: freeze, changed: make(chan struct{}, 1), state: map[role]inputState{}, powered: map[string]time.Time{}}
}

// wanted lists the inputs that a configuration names.
func wanted(c config.Config) map[role]InputConfig {
	all := map[role]InputConfig{}
	for _, t := range c.Triggers {
		if !t.Enabled {
			continue
		}
		i := InputConfig{Source: t.Source, Line: t.Line, Edge: t.Edge, Debounce: t.Debounce, Threshold: t.Threshold, Sensitivity: t.Sensitivity}
		if hasInput(t.Source) {
			all[role{trigger: t.Name}] = i
		}
		if t.And != nil && hasInput(t.And.Source) {
			i.Source, i.Line, i.Edge = t.And.Source, t.And.Line, "rising"
			all[role{t.Name, true}] = i
		}
	}
	if c.Privacy.Line != "" {
		all[role{}] = InputConfig{Source: event.External, Line: c.Privacy.Line, Edge: "rising", Debounce: 50 * time.Millisecond}
	}
	return all
}

func hasInput(s event.Source) bool {
	return s == event.External || s == event.BuiltIn || s == event.Sound
}

// unavailable says why a trigger cannot run; empty where it can. Its inputs are
// opened again until they can be, so that is for the moment.
func (e *Engine) unavailable(t config.Trigger) string {
	if hasInput(t.Source) {
		if p := e.inputs.status(role{trigger: t.Name}).problem; p != "" {
			return p
		}
	}
	if t.And != nil && hasInput(t.And.Source) {
		if p := e.inputs.status(role{t.Name, true}).problem; p != "" {
			return "its AND: " + p
		}
	}
	return ""
}

// warming reports whether an input is a built-in sensor that has just been powered.
func (e *Engine) warming(r role, s event.Source) bool {
	since := e.inputs.status(r).since
	return s == event.BuiltIn && (since.IsZero() || time.Since(since) < warmUp)
}

// use puts another configuration in force; what is the same goes on.
func (in *inputs) use(c config.Config) {
	in.mu.Lock()
	in.want = wanted(c)
	in.mu.Unlock()
	select {
	case in.changed <- struct{}{}:
	default:
	}
}

// status returns what there is to say of an input.
func (in *inputs) status(r role) inputState {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.state[r]
}

func (in *inputs) set(r role, s inputState) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.state[r] = s
}

// run keeps the inputs going until ctx ends.
func (in *inputs) run(ctx context.Context) error {
	type running struct {
		InputConfig
		stop context.CancelFunc
		done chan struct{}
	}
	going := map[role]running{}
	end := func(r role) {
		going[r].stop()
		<-going[r].done
		was := going[r]
		delete(going, r)
		in.mu.Lock()
		if since := in.state[r].since; !since.IsZero() {
			in.powered[string(was.Source)+was.Line] = since
		}
		delete(in.state, r)
		in.mu.Unlock()
	}
	defer func() {
		for r := range going {
			end(r)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-in.changed:
		}
		in.mu.Lock()
		want := in.want
		in.mu.Unlock()
		for r, g := range going {
			if w, ok := want[r]; !ok || w != g.InputConfig {
				end(r)
			}
		}
		for r, w := range want {
			if _, ok := going[r]; ok {
				continue
			}
			one, stop := context.WithCancel(ctx)
			g := running{w, stop, make(chan struct{})}
			going[r] = g
			go func() {
				defer close(g.done)
				in.watch(one, ctx, r, w)
			}()
		}
	}
}

// watch keeps one input going until ctx ends. What is active when it fails or ends
// is at rest then, and that is told until all of them end; but what has privacy mode
// on keeps it on while it cannot be read.
func (in *inputs) watch(ctx, all context.Context, r role, c InputConfig) {
	send := func(s signal) {
		select { // at a stop too, where there is room
		case in.signals <- s:
			return
		default:
		}
		select {
		case in.signals <- s:
		case <-all.Done():
		}
	}
	active := false
	for wait := reopenFirst; ctx.Err() == nil; wait = min(2*wait, reopenLast) {
		input, err := in.openOne(c)
		if err == nil {
			in.set(r, inputState{since: in.since(c)})
			err = input.Run(ctx, func(x Reading) {
				active = x.Active
				if active { // before the loop comes to it, which may have to wait for the disk
					in.freeze.Store(true)
				}
				send(signal{role: r, started: x.Active, at: in.best.of(x.At), mono: time.Now(), level: x.Level})
				wait = reopenFirst
			})
		}
		if active && all.Err() == nil && (r != role{} || ctx.Err() != nil) {
			active = false
			at, _ := in.best.now()
			send(signal{role: r, at: at, mono: time.Now()})
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the input ended without a reason")
		}
		in.set(r, inputState{problem: err.Error()})
		retry := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-retry.C:
		}
		retry.Stop()
	}
}

// since is when an input that was just opened got its power: another name or
// setting of its trigger does not take that away.
func (in *inputs) since(c InputConfig) time.Time {
	in.mu.Lock()
	defer in.mu.Unlock()
	key := string(c.Source) + c.Line
	since, ok := in.powered[key]
	delete(in.powered, key)
	if !ok {
		return time.Now()
	}
	return since
}

func (in *inputs) openOne(c InputConfig) (Input, error) {
	if in.open == nil {
		return nil, errors.New("this version reads no input lines, sensors and microphones yet")
	}
	return in.open(c)
}
