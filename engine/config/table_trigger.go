package config

import (
	"strconv"
	"strings"
	"time"

	"watchpost/engine/event"
)

var sources = []string{"motion", "builtin", "external", "sound", "timer", "manual"}

// triggerFields are the fields of one trigger.
var triggerFields = []Field{
	define(spec{key: "triggers.*.name", label: "Name", form: text, must: true, values: "1–32 letters, digits, hyphens, underscores, spaces",
		help: "What the trigger is called in mails and on the command line."},
		nameFor("trigger"), same, func(p place) *string { return &p.c.Triggers[p.item].Name }),
	define(spec{key: "triggers.*.source", label: "Source", def: "motion", choices: sources, values: "motion, builtin, external, sound, timer, manual",
		help: "What fires the trigger: motion in the picture, a timer, or a hand (manual)."},
		parseTriggerSource, func(s event.Source) string { return string(s) }, func(p place) *event.Source { return &p.c.Triggers[p.item].Source }),
	define(spec{key: "triggers.*.enabled", label: "Enabled", def: "true", values: "true, false",
		help: "Whether the trigger is on; off, it does not fire and keeps its settings."},
		parseBool, strconv.FormatBool, func(p place) *bool { return &p.c.Triggers[p.item].Enabled }),
	define(spec{key: "triggers.*.threshold", label: "Threshold", kinds: "motion builtin sound", def: "5", values: "1–9",
		help: "How much motion fires: 1 is the least, 9 the most."},
		number(1, 9), strconv.Itoa, func(p place) *int { return &p.c.Triggers[p.item].Threshold }),
	define(spec{key: "triggers.*.sensitivity", label: "Sensitivity", kinds: "motion builtin sound", def: "5", values: "1–9",
		help: "How readily a change counts as motion: 9 is the readiest."},
		number(1, 9), strconv.Itoa, func(p place) *int { return &p.c.Triggers[p.item].Sensitivity }),
	plainly(define(spec{key: "triggers.*.zones", label: "Zones", kinds: "motion", form: tree, def: "[[0, 0, 100, 100]]", values: "list of [x, y, width, height] in percent",
		help: "Where motion counts: x, y, width, height in percent; more zones after a ;"},
		parseZones, formatZones, func(p place) *[]Zone { return &p.c.Triggers[p.item].Zones }),
		func(p place) string { return plainZones(p.c.Triggers[p.item].Zones) }),
	plainly(define(spec{key: "triggers.*.exclude", label: "Excluded", kinds: "motion", form: tree, values: "list of [x, y, width, height] in percent; empty: nowhere",
		help: "Where motion does not count: a tree in a zone. As Zones; empty: nowhere."},
		parseExclude, formatZones, func(p place) *[]Zone { return &p.c.Triggers[p.item].Exclude }),
		func(p place) string { return plainZones(p.c.Triggers[p.item].Exclude) }),
	define(spec{key: "triggers.*.every", label: "Every", kinds: "timer", def: "1h", values: "1s–24h",
		help: "timer: the time between two firings, counted from midnight."},
		duration(time.Second, day), formatDuration, func(p place) *time.Duration { return &p.c.Triggers[p.item].Every }),
	define(spec{key: "triggers.*.active", label: "Active time", form: tree, values: `{days, from, to} or a list of them; days: mon to sun, holiday; empty: always`,
		help: `Such as {days: [mon, tue], from: "18:00", to: "06:00"}. Empty: always.`},
		parseActive, formatActive, func(p place) *[]Span { return &p.c.Triggers[p.item].Active }),
	define(spec{key: "triggers.*.pre", label: "Images before", def: "5 images", values: "0–600 images or 0–10m",
		help: "What is kept from before the trigger: 5 images, or a time such as 3s."},
		parseExtent, formatExtent, func(p place) *Extent { return &p.c.Triggers[p.item].Pre }),
	define(spec{key: "triggers.*.post", label: "Images after", def: "10s", values: "0–600 images or 0–10m",
		help: "What is kept from after the trigger: 10s, or a number such as 5 images."},
		parseExtent, formatExtent, func(p place) *Extent { return &p.c.Triggers[p.item].Post }),
	define(spec{key: "triggers.*.interval", label: "Interval", def: "500ms", values: "50ms–1h",
		help: "The time between two kept images."},
		duration(50*time.Millisecond, time.Hour), formatDuration, func(p place) *time.Duration { return &p.c.Triggers[p.item].Interval }),
	define(spec{key: "triggers.*.quality", label: "Quality", def: "80", values: "1–100",
		help: "Of the JPEG images; those of an MJPEG camera pass untouched."},
		number(1, 100), strconv.Itoa, func(p place) *int { return &p.c.Triggers[p.item].Quality }),
	define(spec{key: "triggers.*.full", label: "When full", def: "overwrite", choices: fulls, values: "overwrite, keep",
		help: "overwrite: new events replace the oldest. keep: these stay, none is added."},
		choice(fulls...), same, func(p place) *string { return &p.c.Triggers[p.item].Full }),
	define(spec{key: "triggers.*.transfer", label: "Transfer", form: text, def: "none", values: "none, or a transfer's name",
		help: "Where the images go: none, or the name of a transfer."},
		parseTransferName, same, func(p place) *string { return &p.c.Triggers[p.item].Transfer }),
	define(spec{key: "triggers.*.notify", label: "Notify", def: "true", values: "true, false; a timer trigger has no e-mail notification",
		help: "Whether the trigger sends e-mail. A timer trigger never does."},
		parseBool, strconv.FormatBool, func(p place) *bool { return &p.c.Triggers[p.item].Notify }),
	define(spec{key: "triggers.*.hold_off", label: "Hold-off", kinds: "motion builtin external sound manual", values: "0–3600 s; empty: mail.hold_off",
		help: "This trigger's own hold-off. Empty: that of the Mail page."},
		parseOwnHoldOff, formatOwnHoldOff, func(p place) **time.Duration { return &p.c.Triggers[p.item].HoldOff }),
	plainly(define(spec{key: "triggers.*.destinations", label: "Destinations", kinds: "motion builtin external sound manual", form: several, values: "list of up to 3 addresses; empty: mail.destinations",
		help: "Who is told of this trigger alone. Empty: those of the Mail page."},
		parseDestinations, formatDestinations, func(p place) *[]string { return &p.c.Triggers[p.item].Destinations }),
		func(p place) string { return strings.Join(p.c.Triggers[p.item].Destinations, ", ") }),
	define(spec{key: "triggers.*.subject", label: "Subject", kinds: "motion builtin external sound manual", form: text, values: "1–44 characters, at most 176 bytes; empty: mail.subject",
		help: "This trigger's own subject. Empty: that of the Mail page."},
		parseSubject, same, func(p place) *string { return &p.c.Triggers[p.item].Subject }),
	define(spec{key: "triggers.*.line", label: "Input line", kinds: "external builtin", form: text, values: "gpiochipN:LINE, or a line's name",
		help: "external and builtin: the input, such as gpiochip0:4, or its name."},
		parseLine, same, func(p place) *string { return &p.c.Triggers[p.item].Line }),
	define(spec{key: "triggers.*.edge", label: "Edge", kinds: "external", def: "rising", choices: edges, values: "rising, falling, both",
		help: "external: which change of the contact fires."},
		choice(edges...), same, func(p place) *string { return &p.c.Triggers[p.item].Edge }),
	define(spec{key: "triggers.*.debounce", label: "Debounce", kinds: "external builtin", def: "20ms", values: "0–10s",
		help: "external: changes shorter than this are passed over."},
		duration(0, 10*time.Second), formatDuration, func(p place) *time.Duration { return &p.c.Triggers[p.item].Debounce }),
	define(spec{key: "triggers.*.and", label: "And", form: tree, values: "{source, within}, with line for external and builtin",
		help: "A second source that must fire too: {source: motion, within: 5s}."},
		parseAnd, formatAnd, func(p place) **And { return &p.c.Triggers[p.item].And }),
}

var fulls = []string{"overwrite", "keep"}

var edges = []string{"rising", "falling", "both"}

// ExampleTrigger is the motion trigger that demo mode uses; a trigger of the
// file takes what it leaves out from it. Its name is "motion".
func ExampleTrigger() Trigger {
	c := Config{Triggers: make([]Trigger, 1)}
	triggers.fill(&c, 0)
	c.Triggers[0].Name = "motion"
	return c.Triggers[0]
}

func parseTriggerSource(raw string) (event.Source, Verdict) {
	s, v := choice(sources...)(raw)
	if v.Level == OK && needsInput(event.Source(s)) {
		v = notRead
	}
	return event.Source(s), v
}

// notRead marks what waits for hardware that this version does not know.
var notRead = wary("not in this version", "This needs an input, which this version does not read yet.")

// needsInput reports whether a source is a device beside the camera.
func needsInput(s event.Source) bool {
	return s == event.BuiltIn || s == event.External || s == event.Sound
}

func parseTransferName(raw string) (string, Verdict) {
	if strings.TrimSpace(raw) == "none" {
		return "none", fine("")
	}
	return nameFor("transfer")(raw)
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

// usualNotify: a timer trigger does not notify, the others do unless told otherwise.
func usualNotify(c *Config, i int, leaf string) (string, bool) {
	return strconv.FormatBool(c.Triggers[i].Source != event.Timer), leaf == "notify"
}

var timerNotify = wrong("timers do not notify", "A timer trigger has no e-mail notification: leave notify out.")

// settleTrigger sees that a timer trigger does not notify.
func settleTrigger(c *Config, i int, given func(string) bool) (string, Verdict) {
	t := &c.Triggers[i]
	if t.Source != event.Timer {
		return "", fine("")
	}
	asked := t.Notify && given("notify")
	t.Notify = false
	if asked {
		return "notify", timerNotify
	}
	return "", fine("")
}
