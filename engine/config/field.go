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
	Hashed  bool   // a secret of which only a hash is kept (engine/secret)
	Choices []string
	// Check judges one value alone, as it is being typed.
	Check func(raw string) Verdict

	values string   // for the reference: what may stand there
	kinds  []string // of a transfer, or sources of a trigger, that use the field; none: all
	of     string   // of a part: the key of the field that it is a part of; see parts.go
	form   form
	must   bool // an empty value is not allowed
	set    func(p place, raw string)
	get    func(p place) string
	plain  func(p place) string // get as a form shows it; nil: the same
}

// form is how a field's value stands in YAML.
type form uint8

const (
	word    form = iota // a scalar whose text is the value: 587, 60s, true
	text                // a scalar that is a string whatever it looks like
	tree                // a list or a map; as text, YAML in flow style
	several             // a list of words, where one alone stands for a list of one
)

// composed reports whether the form is a list or a map.
func (f form) composed() bool { return f == tree || f == several }

// place is the thing that a field is read from and written to: the
// configuration, and for some fields one item of a list in it.
type place struct {
	c    *Config
	s    *Secrets
	item int // index among the destinations, the triggers or the transfers
}

// spec is a field's words.
type spec struct {
	key, label, help, def, values string
	choices                       []string
	kinds                         string // separated by blanks
	form                          form
	must, secret, hashed          bool
}

// define joins a field's words with its parser, its formatter and its place.
// parse never sees an empty text: that stands for the default. put writes a value
// where that is more than an assignment.
func define[T any](w spec, parse func(string) (T, Verdict), format func(T) string, at func(place) *T, put ...func(place, T)) Field {
	return Field{
		Key: w.key, Label: w.label, Help: w.help, Default: w.def, Secret: w.secret, Hashed: w.hashed, Choices: w.choices,
		kinds: strings.Fields(w.kinds), values: w.values, form: w.form, must: w.must,
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
			if len(put) > 0 {
				put[0](p, value)
				return
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
	if ls := listIn(key); ls != nil && strings.Count(key, ".") == 1 {
		pattern = ls.key + ".*"
	}
	if !isSection(pattern) {
		return wrong("unknown key", "There is no such key.")
	}
	i := order(pattern)
	if pattern != key { // not an item's name but what it does
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
	in   *list  // triggers, transfers and what is below them
	name string // triggers.NAME.…: the name, or an index from 1; empty: the whole list
}

// leaf is the last part of the field's key; of an item's, what follows its name.
func (sp spot) leaf() string {
	if sp.in != nil {
		return strings.TrimPrefix(sp.f.Key, sp.in.key+".*.")
	}
	return sp.f.Key[strings.LastIndexByte(sp.f.Key, '.')+1:]
}

// inFile is the field by which the spot's value stands in the file.
func (sp spot) inFile() spot {
	if sp.f.of != "" {
		sp.f = byKey[sp.f.of]
	}
	return sp
}

// whole reports that the spot is a list with all its items.
func (sp spot) whole() bool { return sp.in != nil && sp.name == "" }

const (
	destinationsKey = "mail.destinations"
	// MaxDestinations is how many addresses a notification goes to at most (the manual).
	MaxDestinations = 3
	// MaxTriggers is how many triggers there are at most (the family's manuals).
	MaxTriggers = 5
	// MaxTransfers is how many places images may go to.
	MaxTransfers = 8
)

func find(key string) (spot, bool) {
	if key == destinationsKey {
		return spot{key: key, f: byKey[destinationsKey+".*"]}, true
	}
	ls := listIn(key)
	if ls != nil && key == ls.key {
		return spot{key: key, f: &ls.whole, in: ls}, true
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
	if ls != nil {
		rest := key[len(ls.key)+1:]
		if name, f := partIn(ls, rest); f != nil {
			return spot{key: key, f: f, in: ls, name: name}, true
		}
		i := strings.LastIndexByte(rest, '.')
		if i < 1 {
			return spot{}, false
		}
		if f, ok := byKey[ls.key+".*"+rest[i:]]; ok {
			return spot{key: key, f: f, in: ls, name: rest[:i]}, true
		}
	}
	return spot{}, false
}

// spots lists every concrete key of c in table order: all three destinations,
// and the fields of each trigger and transfer.
func spots(c *Config) []spot {
	var all []spot
	done := map[*list]bool{}
	for i := range table {
		f := &table[i]
		ls := listIn(f.Key)
		switch {
		case f.Key == destinationsKey+".*":
			for n := 1; n <= MaxDestinations; n++ {
				all = append(all, spot{key: destinationsKey + "." + strconv.Itoa(n), f: f, item: n})
			}
		case ls == nil:
			all = append(all, spot{key: f.Key, f: f})
		case !done[ls]:
			done[ls] = true
			for n := range ls.size(c) {
				name := ls.called(c, n)
				for j := range table {
					if leaf, ok := strings.CutPrefix(table[j].Key, ls.key+".*."); ok {
						all = append(all, spot{key: ls.key + "." + name + "." + leaf, f: &table[j], in: ls, name: name})
					}
				}
			}
		}
	}
	return all
}

// at finds where a spot's value is; false where c has no such item.
func (sp spot) at(c *Config, s *Secrets) (place, bool) {
	p := place{c: c, s: s}
	switch {
	case sp.item > 0:
		p.item = sp.item - 1
		return p, p.item < len(c.Mail.Destinations)
	case sp.whole():
	case sp.in != nil:
		p.item = sp.in.index(c, sp.name)
		return p, p.item >= 0
	case strings.Contains(sp.f.Key, "*"):
		return p, false
	}
	return p, true
}
