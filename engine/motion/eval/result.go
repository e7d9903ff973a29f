package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// result is what one detector made of one scene.
type result struct {
	labelled  bool
	True      int     `json:"true"`
	Reported  int     `json:"reported"`
	Hits      int     `json:"hits"`
	Clean     int     `json:"clean_ends"`
	Recall    float64 `json:"recall"`
	Precision float64 `json:"precision"`
	Delay     float64 `json:"start_delay_s_max"`

	hasIdle bool
	idle    float64 // false alarms an hour
	minutes float64 // and how long they last
	pixels  pixels
	found   []span
}

func (r *result) whole() bool {
	return r.Hits == r.True && r.Reported == r.True && r.Clean == r.True
}

// row is one line of the table.
type row struct {
	name, about string
	clip        bool
	reported    bool
	truth       [][2]int
	ours, base  result
}

// pixels counts masks against truth as CDnet does: over all frames of a scene.
type pixels struct{ hit, false, missed int }

func (p *pixels) add(mask, truth []byte) {
	for i, m := range mask {
		switch t := truth[i]; {
		case m != 0 && t != 0:
			p.hit++
		case m != 0:
			p.false++
		case t != 0:
			p.missed++
		}
	}
}

func (p *pixels) f() float64 { return 2 * float64(p.hit) / float64(2*p.hit+p.false+p.missed) }

// truth is a file of labels as score reads it.
type truth struct {
	Clips []label `json:"clips"`
}

type label struct {
	File   string   `json:"file"`
	Size   string   `json:"size,omitempty"`
	FPS    float64  `json:"fps"`
	Events [][2]int `json:"events"`
}

// judge lets score compare events with the truth. labels "": the clips' own.
func (e *evaluation) judge(ctx context.Context, r *result, labels, clip string, found []span) error {
	r.found = found
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, s := range found {
		if err := enc.Encode(s); err != nil {
			return err
		}
	}
	args := []string{clip, "-"}
	if labels != "" {
		args = append(args, "--labels", labels)
	}
	cmd := exec.CommandContext(ctx, e.score, args...)
	cmd.Stdin = &in
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output() // exit 1 says that something was missed
	if strings.Contains(errOut.String(), "has no labels") {
		r.Reported = len(found)
		return nil
	}
	if len(out) == 0 {
		return fmt.Errorf("score: %w: %s", errors.Join(err), errOut.String())
	}
	r.labelled = true
	return json.Unmarshal(out, r)
}

// labels writes the truth of one generated scene.
func (e *evaluation) labels(name string, fps float64, events [][2]int) (string, error) {
	b, err := json.Marshal(truth{[]label{{File: name, FPS: fps, Events: events}}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(e.temp, name+".json")
	return path, os.WriteFile(path, b, 0o600)
}

// events reads the lines of replay --json.
func events(out []byte) (found []span, err error) {
	for line := range bytes.Lines(out) {
		var v struct {
			Start *int `json:"start_frame"`
			End   int  `json:"end_frame"`
		}
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, fmt.Errorf("replay: %w", err)
		}
		if v.Start != nil {
			found = append(found, span{*v.Start, v.End})
		}
	}
	return found, nil
}
