package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"watchpost/engine/control"
	"watchpost/engine/event"
	"watchpost/engine/store"
)

const listedEvents = 1000

// runEvents is `watchpost events list|show|export`.
func runEvents(ctx context.Context, args []string, s streams) int {
	f := newFlags("events", s)
	words, ok := f.parse(args, -1, 1, 3)
	if !ok {
		return exitUsage
	}
	most := map[string]int{"list": 1, "show": 2, "export": 3}[words[0]]
	if len(words) > most || len(words) < min(most, 2) {
		f.misused("it takes list, show ID or export ID [DIR]")
		return exitUsage
	}
	var list []event.Stored
	var dir string
	client, err := f.service(ctx)
	switch {
	case err == nil:
		var st event.Status
		if st, err = client.Status(ctx); err == nil {
			dir = st.Storage.Directory
			list, err = client.Events(ctx, event.Filter{N: listedEvents})
		}
	case errors.Is(err, control.ErrNoService):
		var state string
		var l *lock
		if state, l, err = offline(f); err != nil {
			return f.failed(err)
		}
		defer l.Close()
		dir = filepath.Join(state, "events")
		var st *store.Store
		if st, err = store.Open(dir); err == nil {
			list, err = st.List(event.Filter{N: listedEvents})
		}
	}
	if err != nil {
		return f.failed(err)
	}
	if words[0] == "list" {
		for _, e := range list {
			if f.json {
				f.printJSON(e)
			} else {
				fmt.Fprintf(s.out, "%s  %-12s %-9s %s  %d images\n", e.ID, e.Trigger, e.Source, e.Start.Format("2006-01-02 15:04:05"), len(e.Images))
			}
		}
		return exitOK
	}
	var e event.Stored
	if i := slices.IndexFunc(list, func(x event.Stored) bool { return x.ID == words[1] }); i >= 0 {
		e = list[i] // one that is going on is complete only here
	} else if e, err = store.Read(dir, words[1]); err != nil {
		return f.failed(err)
	}
	if words[0] == "show" {
		showEvent(f, dir, e)
		return exitOK
	}
	to := e.ID
	if len(words) == 3 {
		to = words[2]
	}
	if err := exportEvent(dir, e, to); err != nil {
		return f.failed(err)
	}
	if f.json {
		f.printJSON(map[string]any{"id": e.ID, "images": len(e.Images), "directory": to})
	} else {
		fmt.Fprintf(s.out, "%s in %s\n", counted(len(e.Images), "image"), to)
	}
	return exitOK
}

func showEvent(f *flags, dir string, e event.Stored) {
	if f.json {
		f.printJSON(e)
		return
	}
	fmt.Fprintf(f.s.out, "%s: %s, %s\n  from   %s\n", e.ID, e.Trigger, e.Source, e.Start.Format("2006-01-02 15:04:05.000 MST"))
	if e.End.IsZero() {
		fmt.Fprintln(f.s.out, "  to     it is going on")
	} else {
		fmt.Fprintf(f.s.out, "  to     %s\n", e.End.Format("2006-01-02 15:04:05.000 MST"))
	}
	fmt.Fprintf(f.s.out, "  fired  %s, peak %.2f %%\n", counted(e.Firings, "time"), e.Peak)
	for _, im := range e.Images {
		fmt.Fprintf(f.s.out, "  %s\n", filepath.Join(dir, e.ID, im.File))
	}
	for _, m := range e.Missing {
		fmt.Fprintf(f.s.out, "  missing: %s\n", m)
	}
}

// exportEvent copies an event's files into a folder that need not exist.
func exportEvent(dir string, e event.Stored, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	names := []string{"event.json"}
	for _, im := range e.Images {
		names = append(names, im.File)
	}
	for _, n := range names {
		data, err := os.ReadFile(filepath.Join(dir, e.ID, filepath.Base(n)))
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(n)), data, 0o644); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	return nil
}

// counted is "1 image" or "2 images".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
