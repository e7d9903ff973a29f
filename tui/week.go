package tui

import (
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/schedule"
)

// activeNow says whether it is active now, and until when.
func activeNow(spans []config.Span, holidays []config.Date, now time.Time) string {
	next, changes := schedule.Next(spans, now, holidays...)
	switch is := schedule.Active(spans, now, holidays...); {
	case is && changes:
		return "active now, until " + until(next, now)
	case is:
		return "active now, always"
	case changes:
		return "not active now, next " + until(next, now)
	}
	return "never active: its days do not come"
}

// weekView is the week from today: a line a day, a column for each half-hour, or
// each hour where there is no room.
func weekView(spans []config.Span, holidays []config.Date, now time.Time, w int) []string {
	step, label := 1, "0     3     6     9     12    15    18    21    24"
	if w < 70 {
		step, label = 2, "0  3  6  9  12 15 18 21 24"
	}
	const at = 15
	lines := []string{faint.Render(strings.Repeat(" ", at) + label)}
	present := (now.Hour()*60 + now.Minute()) / 30
	for i, d := range schedule.Week(spans, holidays, now) {
		date := time.Date(d.Date.Year, d.Date.Month, d.Date.Day, 12, 0, 0, 0, time.UTC)
		name := date.Format("Mon _2 Jan")
		if d.Holiday {
			name += " h"
		}
		l := "  " + fit(name, at-2)
		for j := 0; j < len(d.Halves); j += step {
			c := coverMark(d.Halves[j : j+step])
			if i == 0 && present >= j && present < j+step {
				c = marked.Render(c)
			}
			l += c
		}
		lines = append(lines, l)
	}
	return append(lines, faint.Render(strings.Repeat(" ", at)+"# active  + in part  . not  h holiday"))
}

func coverMark(halves []schedule.Cover) string {
	all, some := true, false
	for _, c := range halves {
		all = all && c == schedule.Whole
		some = some || c != schedule.None
	}
	switch {
	case all:
		return "#"
	case some:
		return "+"
	}
	return "."
}

// weekText is spansText of a field.
func weekText(k string, spans []config.Span) string {
	if k == privacyActive && len(spans) == 0 {
		return "by hand only"
	}
	return spansText(spans)
}

// spansText is an active time in words: Mon-Fri 18:00-06:00; Sat Sun whole day.
func spansText(spans []config.Span) string {
	if len(spans) == 0 {
		return "always"
	}
	var all []string
	for _, s := range spans {
		all = append(all, strings.TrimSpace(daysText(s)+" "+hoursText(s)))
	}
	return strings.Join(all, "; ")
}

func hoursText(s config.Span) string {
	if s.From == s.To || s.From == 0 && s.To == wholeDay {
		return "whole day"
	}
	return clockText(s.From) + "-" + clockText(s.To)
}

func daysText(s config.Span) string {
	if len(s.Days) == 0 && !s.Holiday {
		return "" // every day
	}
	var parts []string
	for col := 0; col < len(week); col++ {
		from := col
		for col < len(week) && on(s, col) {
			col++
		}
		switch n := col - from; {
		case n > 2:
			parts = append(parts, week[from].String()[:3]+"-"+week[col-1].String()[:3])
		case n == 2:
			parts = append(parts, week[from].String()[:3], week[from+1].String()[:3])
		case n == 1:
			parts = append(parts, week[from].String()[:3])
		}
	}
	if s.Holiday {
		parts = append(parts, "holidays")
	}
	return strings.Join(parts, " ")
}
