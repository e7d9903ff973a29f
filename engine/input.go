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
// them owned by run. An input that fails is opened again. One that several listen
// to is opened once (see input).
//
// Invariant, under mu: want is the newest configuration; state describes those
// that run has going, by key.
type inputs struct {
	open    func(InputConfig) (Input, error) // nil: there is no such hardware
	signals chan<- signal
	best    *bestTime
	freeze  *atomic.Bool // the detector's: an image is wanted of the next frame
	booted  time.Time    // monotonic, of the machine's start

	mu      sync.Mutex
	want    map[role]InputConfig
	changed chan struct{} // has room for one
	state   map[string]inputState
	powered map[string]time.Time // by key: when those that are not open got their power, where that is known
}

type inputState struct {
	since   time.Time // monotonic, of its power; zero: it is not open
	problem string
}

func newInputs(open func(InputConfig) (Input, error), signals chan<- signal, best *bestTime, freeze *atomic.Bool, booted time.Time) *inputs {
	return &inputs{open: open, signals: signals, best: best, freeze: freeze, booted: booted, changed: make(chan struct{}, 1), state: map[string]inputState{}}
}

// wanted lists the inputs that a configuration names.
func wanted(c config.Config) map[role]InputConfig {
	all := map[role]InputConfig{}
	for _, t := range c.Triggers {
		if !t.Enabled {
			continue
		}
		i := InputConfig{Source: t.Source, Line: t.Line, Edge: t.Edge, Debounce: t.Debounce}
		if hasInput(t.Source) {
			own := i
			if t.Source == event.Sound {
				own.Threshold, own.Sensitivity = t.Threshold, t.Sensitivity
			}
			all[role{trigger: t.Name}] = own
		}
		if t.And != nil && hasInput(t.And.Source) {
			i.Source, i.Line, i.Edge = t.And.Source, t.And.Line, "rising"
			if t.And.Source == event.Sound {
				i.Threshold, i.Sensitivity = t.Threshold, t.Sensitivity
			}
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
	if in.powered == nil { // at the start: what is on this box has its power since that was switched on
		in.powered = map[string]time.Time{}
		for _, c := range in.want {
			in.powered[c.key()] = in.booted
		}
	}
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
	return in.state[in.want[r].key()]
}

func (in *inputs) set(key string, s inputState) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.state[key] = s
}

// run keeps the inputs going until ctx ends.
func (in *inputs) run(ctx context.Context) error {
	going := map[string]*input{}
	end := func(key string, i *input) {
		i.stop()
		<-i.done
		delete(going, key)
		in.mu.Lock()
		if since := in.state[key].since; !since.IsZero() {
			in.powered[key] = since
		}
		delete(in.state, key)
		in.mu.Unlock()
	}
	defer func() {
		for key, i := range going {
			end(key, i)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-in.changed:
		}
		want := map[string]map[role]InputConfig{}
		in.mu.Lock()
		for r, c := range in.want {
			if want[c.key()] == nil {
				want[c.key()] = map[role]InputConfig{}
			}
			want[c.key()][r] = c
		}
		in.mu.Unlock()
		for key, i := range going {
			if w, ok := want[key]; !ok || common(w) != i.InputConfig {
				end(key, i)
			}
		}
		for key, w := range want {
			if i, ok := going[key]; ok {
				i.heard(w)
				continue
			}
			one, stop := context.WithCancel(ctx)
			i := &input{InputConfig: common(w), in: in, all: ctx, stop: stop, done: make(chan struct{}), listeners: map[role]*listener{}}
			i.heard(w)
			going[key] = i
			go func() {
				defer close(i.done)
				i.watch(one, key)
			}()
		}
	}
}

// since is when an input that was just opened got its power: another name or
// setting of its trigger does not take that away, nor does a start of the program.
func (in *inputs) since(key string) time.Time {
	in.mu.Lock()
	defer in.mu.Unlock()
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
