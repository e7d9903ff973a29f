package main

import (
	"fmt"
	"time"

	"watchpost/engine/event"
)

// filterFlags are the flags that choose events. Their times are read when the
// site's zone is known.
type filterFlags struct {
	trigger, from, to, before *string
	n                         *int
}

func newFilterFlags(f *flags) filterFlags {
	return filterFlags{
		trigger: f.String("trigger", "", "of this trigger"),
		from:    f.String("from", "", "that began then or later"),
		to:      f.String("to", "", "that began before, or on that day"),
		before:  f.String("before", "", "older than the event of this id"),
		n:       f.Int("n", 0, "at most so many"),
	}
}

// given reports whether any of them is.
func (x filterFlags) given() bool {
	return *x.trigger != "" || *x.from != "" || *x.to != "" || *x.before != "" || *x.n != 0
}

func (x filterFlags) filter(zone *time.Location) (out event.Filter, err error) {
	out = event.Filter{Trigger: *x.trigger, Before: *x.before, N: *x.n}
	if *x.from != "" {
		if out.From, _, err = parseMoment(*x.from, zone); err != nil {
			return out, err
		}
	}
	if *x.to != "" {
		var day bool
		if out.To, day, err = parseMoment(*x.to, zone); day {
			out.To = out.To.AddDate(0, 0, 1)
		}
	}
	return out, err
}

// parseMoment reads a time of the command line, in the site's zone; day: it names a
// whole day.
func parseMoment(s string, zone *time.Location) (at time.Time, day bool, err error) {
	for _, form := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err = time.ParseInLocation(form, s, zone); err == nil {
			return at, form == time.DateOnly, nil
		}
	}
	return at, false, fmt.Errorf("%q is no time: write 2026-11-24, \"2026-11-24 15:04\" or 2026-11-24T15:04:05+01:00", s)
}
