// Command eval judges the motion detector: labelled clips and generated scenes
// through `watchpost replay`, hours with nobody there through the detector
// itself, and the same through a running average per pixel as a baseline.
//
//	eval [-watchpost bin/watchpost] [-clips DIR] [-only REGEXP] [-size 640x480] [-seed N] [-idle 1h] [-list] [-write FILE]
//
// It prints one Markdown table, and with -write puts it into FILE between two
// marker lines. Exit code 1: a labelled clip is not found whole, or something
// could not run.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"time"
)

// evaluation is what the command line asks for.
type evaluation struct {
	watchpost string
	clips     string
	score     string
	only      *regexp.Regexp
	w, h      int // of generated scenes
	seed      uint64
	idle      time.Duration // of scene time for the detector
	idleBase  time.Duration // for the baseline, which sees pixels
	temp      string
}

func main() {
	os.Exit(run())
}

func run() int {
	var e evaluation
	flag.StringVar(&e.watchpost, "watchpost", "bin/watchpost", "the program")
	flag.StringVar(&e.clips, "clips", cmp.Or(os.Getenv("WATCHPOST_CLIPS"), "../shared/clips"), "folder of the labelled clips and of score")
	only := flag.String("only", "", "rows whose name matches")
	listed := flag.Bool("list", false, "list the events of each row too, first and last frame")
	write := flag.String("write", "", "put the table into this file, between its markers")
	size := flag.String("size", "640x480", "of the generated scenes, multiples of 8")
	flag.Uint64Var(&e.seed, "seed", 1, "other weather, other lamps")
	flag.DurationVar(&e.idle, "idle", time.Hour, "scene time with nobody there, for the detector")
	flag.DurationVar(&e.idleBase, "idle-baseline", 6*time.Minute, "and for the baseline")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "eval:", err)
		return 1
	}
	var err error
	if e.only, err = regexp.Compile(*only); err != nil {
		return fail(fmt.Errorf("-only: %w", err))
	}
	if _, err := fmt.Sscanf(*size, "%dx%d", &e.w, &e.h); err != nil {
		return fail(fmt.Errorf("-size %q: give WIDTHxHEIGHT", *size))
	}
	e.score = filepath.Join(e.clips, "score")
	if _, err := os.Stat(e.score); err != nil {
		return fail(fmt.Errorf("no clips with their score in %s: set WATCHPOST_CLIPS", e.clips))
	}
	if e.temp, err = os.MkdirTemp("", "eval"); err != nil {
		return fail(err)
	}
	defer os.RemoveAll(e.temp)
	begun := time.Now()
	rows, err := e.rows(ctx)
	if err != nil {
		return fail(err)
	}
	text := table(rows)
	fmt.Print(text)
	if *listed {
		fmt.Print("\n" + list(rows))
	}
	fmt.Fprintf(os.Stderr, "eval: %.0f s\n", time.Since(begun).Seconds())
	if *write != "" {
		if err := put(*write, text); err != nil {
			return fail(err)
		}
	}
	for _, r := range rows {
		if r.clip && r.ours.labelled && !r.ours.whole() {
			return fail(fmt.Errorf("%s is not found whole", r.name))
		}
	}
	return 0
}

// rows evaluates everything, as many at once as there are processors.
func (e *evaluation) rows(ctx context.Context) ([]*row, error) {
	jobs, rows, err := e.jobs()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan func(context.Context) error)
	var wait sync.WaitGroup
	for range runtime.NumCPU() {
		wait.Go(func() {
			for job := range work {
				if ctx.Err() != nil {
					continue
				}
				if err := job(ctx); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, job := range jobs {
		work <- job
	}
	close(work)
	wait.Wait()
	return rows, context.Cause(ctx)
}
