package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

const (
	conditionsName = "conditions.json"
	conditionsMax  = 1 << 20 // bytes of it that are read
)

// remembered is what of the box itself outlives the program: conditions.json in
// its directory. It is written where it changes and every saveEvery.
type remembered struct {
	Boot     string               `json:"boot"`     // the machine's start in which it was written
	Clean    bool                 `json:"clean"`    // the program ended as it should
	At       time.Time            `json:"at"`       // best known time when it was written
	Counter  uint64               `json:"counter"`  // of state mails
	Standing map[string]*standing `json:"standing"` // by condition
	Owed     []event.Notice       `json:"owed,omitempty"`
	Cut      time.Time            `json:"cut,omitzero"` // of a power cut that is to be mailed: when the box last ran
	Delayed  delayed              `json:"delayed,omitzero"`
	Beat     heartbeat            `json:"heartbeat,omitzero"`
}

// conditions is the state of the box's own conditions, owned by the loop's goroutine.
type conditions struct {
	remembered
	waiting map[string]waiting // mails that no server has taken, bounded by the spool
	started time.Time          // of this run, best known time
	lookAt  time.Time          // monotonic, as are the others
	saveAt  time.Time
	beaten  time.Time // of the last heartbeat, zero: not in this run
	unsaved bool
}

// openConditions reads what the last run remembered and returns the time that it saved.
func (e *Engine) openConditions() time.Time {
	e.waiting = map[string]waiting{}
	if err := durable.Sweep(e.Directory); err != nil { // of what a power cut left of writing it
		e.Log.Warn("a temporary file stays", "error", err)
	}
	r, err := readConditions(filepath.Join(e.Directory, conditionsName))
	if err != nil {
		e.Log.Warn("what was mailed of the box's state is not known any more", "error", err)
		e.notice("conditions lost", "what was mailed of the box's state is not known any more, and what was still to be mailed of it is lost: "+err.Error()+": the disk may be failing")
	}
	e.remembered = r
	return r.At
}

// beginConditions takes up what was remembered, once the journal is read.
func (e *Engine) beginConditions() {
	boot := e.BootID
	if boot == nil {
		boot = kernelBoot
	}
	now := boot()
	if e.Boot != "" && now != "" && now != e.Boot && !e.Clean {
		if !e.Cut.IsZero() && e.Standing["power"] != nil {
			e.Standing["power"].More++
		}
		e.Cut = e.At
		if tail := e.journal.Tail(); len(tail) > 0 && tail[len(tail)-1].At.After(e.Cut) {
			e.Cut = tail[len(tail)-1].At
		}
	}
	e.started, e.Boot, e.unsaved = e.now(), now, true
	for _, s := range e.Standing {
		if !s.Last.IsZero() {
			s.last = e.ago(s.Last)
		}
	}
	if !e.Beat.At.IsZero() {
		e.beaten = e.ago(e.Beat.At)
	}
}

func kernelBoot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

func readConditions(path string) (remembered, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return parseConditions([]byte("{}"))
	}
	if err != nil {
		return remembered{Standing: map[string]*standing{}}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, conditionsMax))
	if err != nil {
		data = nil
	}
	r, perr := parseConditions(data)
	if err = cmp.Or(err, perr); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return r, err
}

// parseConditions reads what saveConditions wrote; with an error nothing is remembered.
func parseConditions(data []byte) (r remembered, err error) {
	none := remembered{Standing: map[string]*standing{}}
	if err := json.Unmarshal(data, &r); err != nil {
		return none, err
	}
	standing := r.Standing
	r.Standing = none.Standing
	for key, s := range standing {
		if s == nil {
			continue
		}
		if r.Standing[key] = s; !s.Told { // whether it lasted meanwhile nobody knows
			s.Since = time.Time{}
		}
	}
	r.Owed = r.Owed[:min(len(r.Owed), owedMax)]
	return r, nil
}

// saveConditions writes what is to be remembered.
func (e *Engine) saveConditions(now time.Time, clean bool) {
	// Often in the first minutes, so that time goes on over a row of short runs.
	e.saveAt, e.unsaved = now.Add(min(saveEvery, max(time.Minute, now.Sub(e.best.started)))), false
	e.Clean = clean
	if at := e.now(); at.After(event.ClockFloor) {
		e.At = at.Round(0)
	}
	js, err := json.MarshalIndent(e.remembered, "", "  ")
	if err == nil {
		err = durable.WriteFile(filepath.Join(e.Directory, conditionsName), 0o600, append(js, '\n'))
	}
	if err != nil {
		e.saveAt, e.unsaved = now.Add(retrySoon), false
		e.notice("conditions", "what was mailed of the box's state cannot be remembered: "+err.Error()+": free some space or check the disk")
		return
	}
	e.notice("conditions", "")
}

// stopConditions remembers that the program ended as it should.
func (e *Engine) stopConditions() {
	if !e.demo() {
		e.saveConditions(time.Now(), true)
	}
}

// demo: nothing is remembered and nothing is mailed of a box that is none.
func (e *Engine) demo() bool { return e.Mode == "demo" }
