package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"watchpost/engine/config"
	"watchpost/engine/control"
	"watchpost/engine/event"
	"watchpost/engine/foreign"
	"watchpost/engine/store"
)

const (
	listedEvents = 100 // where -n does not say otherwise
	eventPage    = 100 // asked for at a time: an event may list a thousand images
)

// archive is what the events commands need: the service, or the files when it is down.
type archive interface {
	Events(ctx context.Context, f event.Filter) ([]event.Stored, error)
	Export(ctx context.Context, w io.Writer, ids []string, format string) error
}

// eventFiles is the store of a service that is not running.
type eventFiles struct{ *store.Store }

func (s eventFiles) Events(_ context.Context, f event.Filter) ([]event.Stored, error) {
	return s.List(f)
}

func (s eventFiles) Export(_ context.Context, w io.Writer, ids []string, format string) error {
	return s.Store.Export(w, ids, format)
}

// events is an open archive.
type events struct {
	archive
	dir  string         // the store's folder
	zone *time.Location // the site's
}

// openEvents returns the service's events, or the files under the service's lock.
func openEvents(ctx context.Context, f *flags) (e events, done func(), err error) {
	var c config.Config
	client, err := f.service(ctx)
	switch {
	case err == nil:
		var st event.Status
		var settings config.Settings
		if st, err = client.Status(ctx); err == nil {
			settings, err = client.Config(ctx)
		}
		c, done = settings.Config, func() {}
		e = events{archive: client, dir: st.Storage.Directory}
	case errors.Is(err, control.ErrNoService):
		var l *lock
		var state string
		if state, l, err = offline(f); err != nil {
			return e, nil, err
		}
		done = func() { l.Close() }
		e.dir = filepath.Join(state, "events")
		var st *store.Store
		if st, err = store.Open(e.dir); err == nil {
			e.archive = eventFiles{st}
			var l config.Loaded
			l, _, err = load(f.file())
			c = l.Config
		}
	}
	if err != nil {
		if done != nil {
			done()
		}
		return e, nil, err
	}
	e.zone = time.Local
	if zone, err := time.LoadLocation(c.Site.TimeZone); c.Site.TimeZone != "" && err == nil {
		e.zone = zone
	}
	return e, done, nil
}

// chosen yields the events that f chooses, newest first, at most f.N of them where
// that is not 0.
func (e events) chosen(ctx context.Context, f event.Filter) iter.Seq2[event.Stored, error] {
	return func(yield func(event.Stored, error) bool) {
		for left := f.N; ; {
			if f.N = eventPage; left > 0 {
				f.N = min(left, eventPage)
			}
			page, err := e.Events(ctx, f)
			if err != nil {
				yield(event.Stored{}, err)
				return
			}
			for _, x := range page {
				if !yield(x, nil) {
					return
				}
			}
			if left -= len(page); len(page) < f.N || left == 0 {
				return
			}
			f.Before = page[len(page)-1].ID
		}
	}
}

// one returns the event of an id.
func (e events) one(ctx context.Context, id string) (event.Stored, error) {
	list, err := e.Events(ctx, event.Filter{Before: id + "~", N: 1}) // the newest that is not newer than id
	if err != nil {
		return event.Stored{}, err
	}
	if len(list) == 0 || list[0].ID != id {
		return event.Stored{}, fmt.Errorf("event %q: %w", id, event.ErrNotFound)
	}
	return list[0], nil
}

// runEvents is `watchpost events list|show|export`.
func runEvents(ctx context.Context, args []string, s streams) int {
	f := newFlags("events", s)
	choice := newFilterFlags(f)
	words, ok := f.parse(args, -1, 1, 3)
	if !ok {
		return exitUsage
	}
	verb, rest := words[0], words[1:]
	wrong := ""
	switch verb {
	case "list":
		if len(rest) > 0 {
			wrong = "list takes flags only"
		}
	case "show":
		if len(rest) != 1 || choice.given() {
			wrong = "show takes an ID"
		}
	case "export":
		switch {
		case choice.given() && (len(rest) > 1 || len(rest) == 1 && isEventID(rest[0])):
			wrong = "export takes an ID or flags that choose events, not both"
		case !choice.given() && len(rest) == 0:
			wrong = "export takes an ID, or flags that choose events"
		}
	default:
		wrong = "it takes list, show ID or export"
	}
	if *choice.n < 0 {
		wrong = "-n takes a number from 1"
	}
	if wrong != "" {
		f.misused(wrong)
		return exitUsage
	}
	e, done, err := openEvents(ctx, f)
	if err != nil {
		return f.failed(err)
	}
	defer done()
	filter, err := choice.filter(e.zone)
	if err != nil {
		f.misused(err.Error())
		return exitUsage
	}
	switch {
	case verb == "list":
		err = listEvents(ctx, f, e, filter)
	case verb == "show":
		err = showEvent(ctx, f, e, rest[0])
	case choice.given():
		err = exportChosen(ctx, f, e, filter, rest)
	default:
		err = exportOne(ctx, f, e, rest)
	}
	if err != nil {
		return f.failed(err)
	}
	return exitOK
}

// isEventID reports whether a word has an event id's shape: 00000042-20261124T150405.
func isEventID(s string) bool {
	number, stamp, ok := strings.Cut(s, "-")
	_, err := time.Parse("20060102T150405", stamp)
	return ok && err == nil && len(number) >= 8 && strings.Trim(number, "0123456789") == ""
}

func listEvents(ctx context.Context, f *flags, e events, filter event.Filter) error {
	if filter.N == 0 {
		filter.N = listedEvents
	}
	for x, err := range e.chosen(ctx, filter) {
		if err != nil {
			return err
		}
		if f.json {
			printStored(f.s.out, x)
			continue
		}
		more := ""
		if x.End.IsZero() {
			more = ", going on"
		}
		if n := len(x.Missing); n > 0 {
			more += fmt.Sprintf(", %d missing", n)
		}
		fmt.Fprintf(f.s.out, "%s  %-12s %-9s %s  %s%s\n", x.ID, orUnknown(x.Trigger), orUnknown(string(x.Source)),
			x.Start.In(e.zone).Format(time.DateTime), counted(len(x.Images), "image"), more)
	}
	return nil
}

func showEvent(ctx context.Context, f *flags, e events, id string) error {
	x, err := e.one(ctx, id)
	if err != nil {
		return err
	}
	if f.json {
		printStored(f.s.out, x)
		return nil
	}
	const form = "2006-01-02 15:04:05.000 MST"
	fmt.Fprintf(f.s.out, "%s: %s, %s\n  from   %s\n", x.ID, orUnknown(x.Trigger), orUnknown(string(x.Source)), x.Start.In(e.zone).Format(form))
	if x.End.IsZero() {
		fmt.Fprintln(f.s.out, "  to     still going on")
	} else {
		fmt.Fprintf(f.s.out, "  to     %s\n", x.End.In(e.zone).Format(form))
	}
	if s := x.AboutClock(); s != "" {
		fmt.Fprintf(f.s.out, "  clock  %s\n", s)
	}
	fmt.Fprintf(f.s.out, "  fired  %s, peak %.2f %%\n", counted(x.Firings, "time"), x.Peak)
	if x.Transfer != "" {
		fmt.Fprintf(f.s.out, "  goes out by %s\n", harmless(x.Transfer))
	}
	for _, im := range x.Images {
		fmt.Fprintf(f.s.out, "  %s\n", harmless(filepath.Join(e.dir, x.ID, im.File)))
	}
	for _, m := range x.Missing {
		fmt.Fprintf(f.s.out, "  missing: %s\n", harmless(m))
	}
	return nil
}

// harmless makes words of an event.json, which another hand may have written, fit
// for a line of a terminal.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // turns the reading direction, or is not seen
			return -1
		}
		return r
	}, foreign.OneLine(s))
}

// orUnknown is harmless, and a word where an event.json could not be read.
func orUnknown(s string) string {
	if s = harmless(s); s == "" {
		return "unknown"
	}
	return s
}

// printStored prints an event as a line of JSON that is harmless for a terminal:
// what JSON itself lets pass is escaped too.
func printStored(w io.Writer, x event.Stored) {
	js, err := json.Marshal(x)
	if err != nil { // there is nothing in it that JSON has not
		fmt.Fprintln(os.Stderr, err)
		return
	}
	var line strings.Builder
	for _, r := range string(js) {
		if r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Cf, r) && r < 0x10000 {
			fmt.Fprintf(&line, `\u%04x`, r)
		} else {
			line.WriteRune(r)
		}
	}
	fmt.Fprintln(w, line.String())
}

// counted is "1 image" or "2 images".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
