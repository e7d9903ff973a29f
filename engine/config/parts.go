package config

import (
	"strconv"
	"strings"
	"time"

	"watchpost/engine/event"
)

// A map in one key of the file is edited by its parts, each with a verdict of its
// own. A part can be changed like a field; it is written as what it is a part of.

const (
	andKey    = "triggers.*.and"
	andWithin = 5 * time.Second // unless chosen
)

// partFields are no fields of the table: of the file they say nothing new.
var partFields = []Field{
	partOf(andKey, define(spec{key: andKey + ".source", label: "Second source", def: "none", choices: andSources,
		help: "A second source that must fire too. none: this trigger fires by itself."},
		parseAndSource, formatAndSource,
		func(p place) *event.Source { return &andOf(p).Source },
		func(p place, s event.Source) { andIn(p).Source = s })),
	partOf(andKey, define(spec{key: andKey + ".within", label: "Both within", def: formatDuration(andWithin),
		help: "How far apart the two may be: 5s. From 100ms to 10m."},
		duration(100*time.Millisecond, 10*time.Minute), formatAndWithin,
		func(p place) *time.Duration { return &andOf(p).Within },
		func(p place, d time.Duration) { andIn(p).Within = d })),
	partOf(andKey, define(spec{key: andKey + ".line", label: "Second line", form: text,
		help: "The input line of the second source, such as gpiochip0:4, or its name."},
		parseLine, same,
		func(p place) *string { return &andOf(p).Line },
		func(p place, s string) { andIn(p).Line = s })),
}

var andSources = []string{"none", "motion", "builtin", "external", "sound"}

func partOf(key string, f Field) Field {
	f.of = key
	return f
}

// Parts are the keys by which a form edits a field of the table: itself, or its parts.
func (f Field) Parts() (keys []string) {
	for i := range partFields {
		if partFields[i].of == f.Key {
			keys = append(keys, partFields[i].Key)
		}
	}
	if keys == nil {
		keys = []string{f.Key}
	}
	return keys
}

// partIn finds the part that the rest of an item's key names, and the item.
func partIn(ls *list, rest string) (name string, f *Field) {
	for i := range partFields {
		leaf, ok := strings.CutPrefix(partFields[i].Key, ls.key+".*")
		if name, has := strings.CutSuffix(rest, leaf); ok && has && name != "" {
			return name, &partFields[i]
		}
	}
	return "", nil
}

// andOf is a trigger's second source; where there is none, one without values that
// is nobody's.
func andOf(p place) *And {
	if a := p.c.Triggers[p.item].And; a != nil {
		return a
	}
	return &And{}
}

// andIn is andOf, to be written to. One that is left without a source goes (settleAnd).
func andIn(p place) *And {
	t := &p.c.Triggers[p.item]
	if t.And == nil {
		t.And = &And{}
	}
	return t.And
}

// settleAnd makes a whole of the parts, which are set one by one in any order.
func settleAnd(t *Trigger) {
	switch a := t.And; {
	case a == nil:
	case a.Source == "":
		t.And = nil
	default:
		if a.Within == 0 {
			a.Within = andWithin
		}
		if !a.wired() {
			a.Line = ""
		}
	}
}

// wired reports whether the source has a line.
func (a *And) wired() bool { return a.Source == event.External || a.Source == event.BuiltIn }

func parseAndSource(raw string) (event.Source, Verdict) {
	s, v := choice(andSources...)(raw)
	switch {
	case s == "none":
		s = ""
	case v.Level == OK && needsInput(event.Source(s)):
		v = notRead
	}
	return event.Source(s), v
}

func formatAndSource(s event.Source) string {
	if s == "" {
		return "none"
	}
	return string(s)
}

func formatAndWithin(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return formatDuration(d)
}

// formatPort leaves the usual port empty.
func formatPort(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
