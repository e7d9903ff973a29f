package config

import (
	"strconv"
	"strings"
)

// Field is one entry of the field table.
type Field struct {
	Key     string // dotted; "triggers.*.threshold" stands for each trigger's, "mail.destinations.*" for each destination's
	Label   string // at most 15 columns: "SMTP server"
	Help    string // one line for the help line, at most 76 columns where it can be
	Default string // as text; empty where there is none
	Secret  bool   // kept in secrets.yaml, never shown
	Choices []string
	// Check judges one value alone, as it is being typed.
	Check func(raw string) Verdict

	values string // for the reference: what may stand there
	form   form
	must   bool // an empty value is not allowed
	set    func(p place, raw string)
	get    func(p place) string
}

// form is how a field's value stands in YAML.
type form uint8

const (
	word form = iota // a scalar whose text is the value: 587, 60s, true
	text             // a scalar that is a string whatever it looks like
	tree             // a list or a map; as text, YAML in flow style
)

// place is the thing that a field is read from and written to: the
// configuration, and for some fields one trigger or destination of it.
type place struct {
	c    *Config
	s    *Secrets
	t    *Trigger
	item int // index among the destinations
}

// spec is a field's words.
type spec struct {
	key, label, help, def, values string
	choices                       []string
	form                          form
	must, secret                  bool
}

// define joins a field's words with its parser, its formatter and its place.
// parse never sees an empty text: that stands for the default.
func define[T any](w spec, parse func(string) (T, Verdict), format func(T) string, at func(place) *T) Field {
	return Field{
		Key: w.key, Label: w.label, Help: w.help, Default: w.def, Secret: w.secret, Choices: w.choices,
		values: w.values, form: w.form, must: w.must,
		Check: func(raw string) Verdict {
			if strings.TrimSpace(raw) == "" {
				return emptyVerdict(w)
			}
			_, v := parse(raw)
			if v.Fix != "" { // a cure that is wrong itself is none
				if _, cured := parse(v.Fix); cured.Level == Error {
					v.Fix = ""
				}
			}
			return v
		},
		set: func(p place, raw string) {
			if strings.TrimSpace(raw) == "" {
				raw = w.def
			}
			var value T
			if raw != "" {
				var v Verdict
				if value, v = parse(raw); v.Blocks() {
					return
				}
			}
			*at(p) = value
		},
		get: func(p place) string { return format(*at(p)) },
	}
}

func emptyVerdict(w spec) Verdict {
	if w.must {
		return half("The " + strings.ToLower(w.label) + " cannot be empty.")
	}
	if short := "default: " + w.def; w.def != "" && len(short) <= 20 {
		return Verdict{Level: Empty, Short: short}
	}
	return Verdict{Level: Empty}
}

// Fields returns the field table in the order of the file.
func Fields() []Field { return append([]Field(nil), table...) }

// Lookup returns the field that key stands for: smtp.port, mail.destinations.2,
// triggers.yard.threshold. "mail.destinations" judges one address, "triggers" a
// whole list in YAML. The field's Key is key.
func Lookup(key string) (Field, bool) {
	sp, ok := find(key)
	if !ok {
		return Field{}, false
	}
	f := *sp.f
	f.Key = key
	if sp.item > 0 {
		f.Label += " " + strconv.Itoa(sp.item)
	}
	return f, true
}

// noField tells that a key is none that a value can be set at.
func noField(key string) Verdict {
	pattern := key
	if rest, ok := strings.CutPrefix(key, triggersKey+"."); ok && !strings.Contains(rest, ".") {
		pattern = triggersKey + ".*"
	}
	if !isSection(pattern) {
		return wrong("unknown key", "There is no such key.")
	}
	i := order(pattern)
	if pattern != key { // not a trigger's name but what it does
		i++
	}
	example := strings.Replace(table[i].Key, pattern, key, 1)
	return wrong("not a field", quote(key)+" is a section, not a field: name a key of it, such as "+example+".")
}

// spot is a key taken apart.
type spot struct {
	key  string
	f    *Field
	item int    // mail.destinations.N: N from 1; else 0
	trig string // triggers.NAME.…: the name, or an index from 1
}

const (
	destinationsKey = "mail.destinations"
	triggersKey     = "triggers"
	// MaxDestinations is how many addresses a notification goes to at most (the manual).
	MaxDestinations = 3
	// MaxTriggers is how many triggers there are at most (the family's manuals).
	MaxTriggers = 5
)

func find(key string) (spot, bool) {
	switch key {
	case triggersKey:
		return spot{key: key, f: &triggersWhole}, true
	case destinationsKey:
		return spot{key: key, f: byKey[destinationsKey+".*"]}, true
	}
	if f, ok := byKey[key]; ok {
		return spot{key: key, f: f}, true
	}
	if rest, ok := strings.CutPrefix(key, destinationsKey+"."); ok {
		n, err := strconv.Atoi(rest)
		if err != nil || n < 1 || n > MaxDestinations || rest != strconv.Itoa(n) {
			return spot{}, false
		}
		return spot{key: key, f: byKey[destinationsKey+".*"], item: n}, true
	}
	if rest, ok := strings.CutPrefix(key, triggersKey+"."); ok {
		i := strings.LastIndexByte(rest, '.')
		if i < 1 {
			return spot{}, false
		}
		if f, ok := byKey[triggersKey+".*"+rest[i:]]; ok {
			return spot{key: key, f: f, trig: rest[:i]}, true
		}
	}
	return spot{}, false
}

// spots lists every concrete key of c in table order: all three destinations,
// and each trigger's fields.
func spots(c *Config) []spot {
	var all []spot
	triggersDone := false
	for i := range table {
		f := &table[i]
		switch {
		case f.Key == destinationsKey+".*":
			for n := 1; n <= MaxDestinations; n++ {
				all = append(all, spot{key: destinationsKey + "." + strconv.Itoa(n), f: f, item: n})
			}
		case strings.HasPrefix(f.Key, triggersKey+".*"):
			if triggersDone {
				continue
			}
			triggersDone = true
			for n := range c.Triggers {
				name := triggerKey(c, n)
				for j := range table {
					if leaf, ok := strings.CutPrefix(table[j].Key, triggersKey+".*."); ok {
						all = append(all, spot{key: triggersKey + "." + name + "." + leaf, f: &table[j], trig: name})
					}
				}
			}
		default:
			all = append(all, spot{key: f.Key, f: f})
		}
	}
	return all
}

// triggerKey is what a trigger is called in a key: its name, or its number
// where the name is empty, taken or would not fit into a key.
func triggerKey(c *Config, n int) string {
	name := c.Triggers[n].Name
	if _, v := parseTriggerName(name); v.Blocks() || triggerIndex(c, name) != n {
		return strconv.Itoa(n + 1)
	}
	return name
}

// triggerIndex finds a trigger by its name, else by its number from 1; -1 where there is none.
func triggerIndex(c *Config, name string) int {
	for i := range c.Triggers {
		if c.Triggers[i].Name == name {
			return i
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= len(c.Triggers) {
		return n - 1
	}
	return -1
}
