package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"watchpost/engine/event"
)

// runStatus is `watchpost status`.
func runStatus(ctx context.Context, args []string, s streams) int {
	f := newFlags("status", s)
	if _, ok := f.parse(args, -1, 0, 0); !ok {
		return exitUsage
	}
	client, err := f.service(ctx)
	if err != nil {
		return f.failed(err)
	}
	st, err := client.Status(ctx)
	if err != nil {
		return f.failed(err)
	}
	if f.json {
		f.printJSON(st)
	} else {
		printStatus(s.out, st)
	}
	return exitOK
}

func printStatus(w io.Writer, st event.Status) {
	name := st.Site
	if name == "" {
		name = "watchpost"
	}
	fmt.Fprintf(w, "%s: %s, %s\n", name, st.State, st.Clock.Time.Format("2006-01-02 15:04:05 MST"))
	c := st.Camera
	fmt.Fprintf(w, "camera   %s  %s", c.State, c.Source)
	if c.Width > 0 {
		fmt.Fprintf(w, "  %dx%d", c.Width, c.Height)
	}
	fmt.Fprintf(w, "  %.1f frames/s, %d dropped\n", c.FPS, c.Dropped)
	for _, t := range st.Triggers {
		fmt.Fprintf(w, "trigger  %s  %s  %s", t.Name, t.Source, strings.ReplaceAll(string(t.State), "_", " "))
		if !t.Until.IsZero() {
			form := "15:04:05"
			if t.Until.Sub(st.Clock.Time) > 12*time.Hour {
				form = "Mon 15:04"
			}
			fmt.Fprintf(w, " until %s", t.Until.Format(form))
		}
		if t.Why != "" {
			fmt.Fprintf(w, " (%s)", t.Why)
		}
		a := t.Account
		fmt.Fprintf(w, "\n         fired %d = mailed %d + summarised %d + queued %d + held %d + dropped %d + outside %d + extended %d + silent %d\n",
			a.Fired, a.Mailed, a.Summarised, a.Queued, a.Held, a.Dropped, a.Outside, a.Extended, a.Silent)
	}
	q := st.Queue
	fmt.Fprintf(w, "mail     %d queued, %d deferred, %d held, %d delivered\n", q.Queued, q.Deferred, q.Held, q.Delivered)
	if q := st.Transfers; q.Queued+q.Deferred+q.Held > 0 {
		fmt.Fprintf(w, "transfer %d queued, %d deferred, %d held\n", q.Queued, q.Deferred, q.Held)
	}
	fmt.Fprintf(w, "buffer   %d images in %.1f of %.1f MB, about %d fit, %.0f s\n", st.Buffer.Images, float64(st.Buffer.Bytes)/1e6, float64(st.Buffer.MaxBytes)/1e6, st.Buffer.Fit, st.Buffer.Seconds)
	fmt.Fprintf(w, "events   %d, %.1f of %.1f MB in %s\n", st.Storage.Events, float64(st.Storage.Bytes)/1e6, float64(st.Storage.MaxBytes)/1e6, st.Storage.Directory)
	for _, p := range st.Problems {
		fmt.Fprintf(w, "problem  %s\n", p)
	}
	for _, x := range st.Findings {
		fmt.Fprintf(w, "config   %s\n", x)
	}
}
