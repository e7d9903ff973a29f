package config

import (
	"strconv"
	"strings"
	"time"

	"watchpost/engine/event"
)

// triggersWhole stands for all triggers as one YAML list. It is no field of the
// table: the fields of each trigger are.
var triggersWhole Field

var sources = []string{"motion", "builtin", "external", "sound", "timer", "manual"}

// triggerFields are the fields of one trigger.
var triggerFields = []Field{
	define(spec{key: "triggers.*.name", label: "Name", form: text, must: true, values: "1–32 letters, digits, hyphens, underscores, spaces",
		help: "What the trigger is called in mails and on the command line."},
		parseTriggerName, same, func(p place) *string { return &p.t.Name }),
	define(spec{key: "triggers.*.source", label: "Source", def: "motion", choices: sources, values: "motion, builtin, external, sound, timer, manual",
		help: "What fires the trigger: motion in the picture, or by hand (manual)."},
		parseTriggerSource, func(s event.Source) string { return string(s) }, func(p place) *event.Source { return &p.t.Source }),
	define(spec{key: "triggers.*.threshold", label: "Threshold", def: "5", values: "1–9",
		help: "How much motion fires: 1 is the least, 9 the most."},
		number(1, 9), strconv.Itoa, func(p place) *int { return &p.t.Threshold }),
	define(spec{key: "triggers.*.sensitivity", label: "Sensitivity", def: "5", values: "1–9",
		help: "How readily a change counts as motion: 9 is the readiest."},
		number(1, 9), strconv.Itoa, func(p place) *int { return &p.t.Sensitivity }),
	define(spec{key: "triggers.*.zones", label: "Zones", form: tree, def: "[[0, 0, 100, 100]]", values: "list of [x, y, width, height] in percent",
		help: "Where motion counts: [[x, y, width, height]] in percent of the picture."},
		parseZones, formatZones, func(p place) *[]Zone { return &p.t.Zones }),
	define(spec{key: "triggers.*.active", label: "Active time", form: tree, values: `{days, from, to} or a list of them; empty: always`,
		help: `Such as {days: [mon, tue], from: "18:00", to: "06:00"}. Empty: always.`},
		parseActive, formatActive, func(p place) *[]Span { return &p.t.Active }),
	define(spec{key: "triggers.*.pre", label: "Images before", def: "5 images", values: "0–600 images or 0–10m",
		help: "What is kept from before the trigger: 5 images, or a time such as 3s."},
		parseExtent, formatExtent, func(p place) *Extent { return &p.t.Pre }),
	define(spec{key: "triggers.*.post", label: "Images after", def: "10s", values: "0–600 images or 0–10m",
		help: "What is kept from after the trigger: 10s, or a number such as 5 images."},
		parseExtent, formatExtent, func(p place) *Extent { return &p.t.Post }),
	define(spec{key: "triggers.*.interval", label: "Interval", def: "500ms", values: "50ms–1h",
		help: "The time between two kept images."},
		duration(50*time.Millisecond, time.Hour), formatDuration, func(p place) *time.Duration { return &p.t.Interval }),
	define(spec{key: "triggers.*.transfer", label: "Transfer", form: text, def: "none", values: "none, or a transfer's name",
		help: "Where the images go: none, or a transfer's name (not in this version)."},
		parseTransferName, same, func(p place) *string { return &p.t.Transfer }),
	define(spec{key: "triggers.*.notify", label: "Notify", def: "true", values: "true, false; a timer trigger has no e-mail notification",
		help: "Whether the trigger sends e-mail. A timer trigger never does."},
		parseBool, strconv.FormatBool, func(p place) *bool { return &p.t.Notify }),
	define(spec{key: "triggers.*.hold_off", label: "Hold-off", values: "0–3600 s; empty: mail.hold_off",
		help: "This trigger's own hold-off. Empty: that of the Mail page."},
		parseOwnHoldOff, formatOwnHoldOff, func(p place) **time.Duration { return &p.t.HoldOff }),
	define(spec{key: "triggers.*.line", label: "Input line", form: text, values: "gpiochipN:LINE, or a line's name",
		help: "external and builtin: the input, such as gpiochip0:4, or its name."},
		parseLine, same, func(p place) *string { return &p.t.Line }),
	define(spec{key: "triggers.*.edge", label: "Edge", def: "rising", choices: edges, values: "rising, falling, both",
		help: "external: which change of the contact fires."},
		choice(edges...), same, func(p place) *string { return &p.t.Edge }),
	define(spec{key: "triggers.*.debounce", label: "Debounce", def: "20ms", values: "0–10s",
		help: "external: changes shorter than this are passed over."},
		duration(0, 10*time.Second), formatDuration, func(p place) *time.Duration { return &p.t.Debounce }),
	define(spec{key: "triggers.*.and", label: "And", form: tree, values: "{source, within}; not carried out by this version",
		help: "A second source that must fire too: {source: motion, within: 5s}."},
		parseAnd, formatAnd, func(p place) **And { return &p.t.And }),
}

var edges = []string{"rising", "falling", "both"}

// ExampleTrigger is the motion trigger that demo mode uses; a trigger of the
// file takes what it leaves out from it. Its name is "motion".
func ExampleTrigger() Trigger {
	var t Trigger
	for i := range triggerFields {
		triggerFields[i].set(place{t: &t}, "")
	}
	t.Name = "motion"
	return t
}

func parseTriggerSource(raw string) (event.Source, Verdict) {
	s, v := choice(sources...)(raw)
	if v.Level == OK && s != "motion" && s != "manual" {
		v = later("the trigger stays unavailable")
	}
	return event.Source(s), v
}

func parseTransferName(raw string) (string, Verdict) {
	s, v := parseTriggerName(raw)
	if v.Level == OK && s != "none" {
		v = later("nothing is transferred")
	}
	return s, v
}

func parseOwnHoldOff(raw string) (*time.Duration, Verdict) {
	d, v := duration(0, time.Hour)(raw)
	return &d, v
}

func formatOwnHoldOff(d *time.Duration) string {
	if d == nil {
		return ""
	}
	return formatDuration(*d)
}

// parseLine judges a GPIO line: gpiochipN:LINE, or a line's name (at most 31 characters in the kernel).
func parseLine(raw string) (string, Verdict) {
	s, v := line(63)(raw)
	if v.Level != OK {
		return "", v
	}
	rest, ok := strings.CutPrefix(s, "gpiochip")
	if !ok {
		return s, fine("line's name")
	}
	chip, offset, _ := strings.Cut(rest, ":")
	switch {
	case strings.Trim(chip+offset, "0123456789") != "" || chip == "" && offset != "":
		return "", wrong("not a line", "A line is gpiochip0:4 (chip, then line), or the line's name.")
	case chip == "" || offset == "":
		return "", half("A line is gpiochip0:4 (chip, then line), or the line's name.")
	}
	return s, fine("")
}
