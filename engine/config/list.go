package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// list is a section that is a list of named items: a trigger and a transfer are
// both one. Their fields stand in the field table under KEY.*.
type list struct {
	key     string   // triggers
	noun    string   // trigger
	example string   // of one item
	needs   []string // fields that an item of a file has to have
	shown   string   // the field that is written even where it is the default
	most    int

	size func(c *Config) int
	name func(c *Config, i int) *string
	grow func(c *Config)        // appends an item without values
	copy func(to, from *Config) // the whole list
	only func(c *Config, i int) // leaves item i alone in it
	// usual is the text of a field that an item leaves out, where it is not the
	// field's default; nil: it is.
	usual func(c *Config, i int, leaf string) (string, bool)
	// settle makes an item of a file what it is taken for; given has the fields
	// that stand there.
	settle func(c *Config, i int, given func(leaf string) bool) (leaf string, v Verdict)
	// rules judge an item by its own fields together.
	rules func(c *Config, s *Secrets, i int, key string, add adder)

	whole Field // all items as one YAML list; no field of the table
}

var (
	triggers = listOf(list{key: "triggers", noun: "trigger", example: "{name: yard, source: motion}",
		needs: []string{"name"}, shown: "source", most: MaxTriggers, usual: usualNotify, settle: settleTrigger, rules: triggerRules},
		func(c *Config) *[]Trigger { return &c.Triggers }, func(t *Trigger) *string { return &t.Name })
	transfers = listOf(list{key: "transfers", noun: "transfer", example: "{name: nas, kind: sftp, server: nas.example.net}",
		needs: []string{"name", "kind"}, shown: "kind", most: MaxTransfers, rules: transferRules},
		func(c *Config) *[]Transfer { return &c.Transfers }, func(t *Transfer) *string { return &t.Name })

	lists = []*list{&triggers, &transfers}
)

// listOf joins a list's words with its slice in the configuration.
func listOf[T any](ls list, items func(*Config) *[]T, name func(*T) *string) list {
	ls.size = func(c *Config) int { return len(*items(c)) }
	ls.name = func(c *Config, i int) *string { return name(&(*items(c))[i]) }
	ls.grow = func(c *Config) { *items(c) = append(*items(c), *new(T)) }
	ls.copy = func(to, from *Config) { *items(to) = *items(from) }
	ls.only = func(c *Config, i int) { *items(c) = (*items(c))[i : i+1 : i+1] }
	return ls
}

// listIn finds the list that a key stands in; nil where there is none.
func listIn(key string) *list {
	first, _, _ := strings.Cut(key, ".")
	for _, ls := range lists {
		if ls.key == first {
			return ls
		}
	}
	return nil
}

// wholeList defines the field that stands for all items of a list.
func wholeList(ls *list) Field {
	return define(spec{key: ls.key, label: strings.ToUpper(ls.key[:1]) + ls.key[1:], form: tree, values: "list of up to " + strconv.Itoa(ls.most) + " " + ls.key,
		help: "All " + ls.key + " as one YAML list: [" + ls.example + "]."},
		ls.parse, ls.format, func(p place) *Config { return p.c }, func(p place, v Config) { ls.copy(p.c, &v) })
}

// parse judges a whole list as YAML. The Config has nothing else.
func (ls *list) parse(raw string) (Config, Verdict) {
	var c Config
	n, v := parseFlow(raw)
	if v.Blocks() {
		return c, v
	}
	l := loader{c: &c, s: &Secrets{}}
	l.items(ls, n)
	if !hasErrors(l.out) {
		for i := range ls.size(&c) {
			ls.rules(&c, nil, i, ls.keyOf(&c, i), func(key string, v Verdict, _ ...string) { l.add(0, key, v) })
		}
	}
	return c, firstOf(l.out, fine(plural(ls.size(&c), ls.noun)))
}

// format writes what parse reads: of each item its name and what differs from the
// defaults.
func (ls *list) format(c Config) string {
	if ls.size(&c) == 0 {
		return ""
	}
	all := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range ls.size(&c) {
		m := &yaml.Node{Kind: yaml.MappingNode}
		for j := range table {
			f := &table[j]
			leaf, ok := strings.CutPrefix(f.Key, ls.key+".*.")
			if !ok || f.Secret {
				continue
			}
			value, usual := f.get(place{c: &c, item: i}), f.Default
			if ls.usual != nil {
				if other, ok := ls.usual(&c, i, leaf); ok {
					usual = other
				}
			}
			if value != usual || leaf == ls.shown {
				m.Content = append(m.Content, scalar(leaf, text), f.node(value))
			}
		}
		all.Content = append(all.Content, m)
	}
	return flowText(all)
}

// fill gives item i of a list its defaults.
func (ls *list) fill(c *Config, i int) {
	for j := range table {
		if strings.HasPrefix(table[j].Key, ls.key+".*.") && !table[j].Secret {
			table[j].set(place{c: c, item: i}, "")
		}
	}
}

// called is what an item is called in a key: its name, or its number where the
// name is empty, taken or would not fit into a key.
func (ls *list) called(c *Config, i int) string {
	name := *ls.name(c, i)
	if _, v := nameFor(ls.noun)(name); v.Blocks() || ls.index(c, name) != i {
		return strconv.Itoa(i + 1)
	}
	return name
}

// keyOf is the key of an item.
func (ls *list) keyOf(c *Config, i int) string { return ls.key + "." + ls.called(c, i) }

// index finds an item by its name, else by its number from 1; -1 where there is none.
func (ls *list) index(c *Config, name string) int {
	for i := range ls.size(c) {
		if *ls.name(c, i) == name {
			return i
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= ls.size(c) {
		return n - 1
	}
	return -1
}

// none tells that there is no item of a name.
func (ls *list) none(name string) Verdict {
	return wrong("no such "+ls.noun, "There is no "+ls.noun+" called "+quote(name)+".")
}

// nameTwice tells that one of the items before has the same name.
func (ls *list) nameTwice(c *Config, i int) Verdict {
	name := *ls.name(c, i)
	for j := range i {
		switch other := *ls.name(c, j); {
		case name == "" || !strings.EqualFold(name, other):
		case name == other:
			return wrong("name comes twice", "Another "+ls.noun+" is called "+quote(name)+" too.")
		default:
			return wrong("name comes twice", "Another "+ls.noun+" is called "+quote(other)+": capitals make no difference.")
		}
	}
	return fine("")
}

// tooMany tells that a list has more items than there may be.
func (ls *list) tooMany() Verdict {
	most := "at most " + strconv.Itoa(ls.most) + " " + ls.key
	return wrong(most, "There are "+most+".")
}

// items reads a list of a file.
func (l *loader) items(ls *list, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		l.add(n.Line, ls.key, wrong("not a list", strings.ToUpper(ls.key[:1])+ls.key[1:]+" are a list: - "+ls.example+"."))
		return
	}
	for i, item := range n.Content {
		if i == ls.most {
			l.add(item.Line, ls.key, ls.tooMany())
			return
		}
		key := ls.key + "." + strconv.Itoa(i+1)
		ls.grow(l.c) // also where it is none: those after it keep their numbers
		ls.fill(l.c, i)
		if item.Kind != yaml.MappingNode {
			l.add(item.Line, key, wrong("not a map", "A "+ls.noun+" is a map: "+ls.example+"."))
			continue
		}
		if name := valueOf(item, "name"); name != nil && name.Kind == yaml.ScalarNode {
			if s, v := nameFor(ls.noun)(name.Value); !v.Blocks() && !ls.has(l.c, s) {
				key = ls.key + "." + s
			}
		}
		l.at(key, item.Line)
		l.walk(item, ls.key+".*", key, place{c: l.c, s: l.s, item: i})
		for _, leaf := range ls.needs {
			if n := valueOf(item, leaf); n == nil || isNull(n) {
				l.add(item.Line, key+"."+leaf, wrong(leaf+" is missing", "A "+ls.noun+" needs a "+leaf+"."))
			}
		}
		if v := ls.nameTwice(l.c, i); v.Blocks() {
			l.add(valueOf(item, "name").Line, key+".name", v)
		}
		given := func(leaf string) bool {
			n := valueOf(item, leaf)
			return n != nil && (n.Kind != yaml.ScalarNode || n.Value != "")
		}
		if ls.settle != nil {
			if leaf, v := ls.settle(l.c, i, given); v.Blocks() {
				l.add(valueOf(item, leaf).Line, key+"."+leaf, v)
			}
		}
		ls.rules(l.c, nil, i, key, func(at string, v Verdict, _ ...string) { // what is missing; the rest follows where all fields are right
			if v.Level == Warning && !given(at[len(key)+1:]) {
				l.add(item.Line, at, v)
			}
		})
	}
}

// has reports whether an item has exactly that name.
func (ls *list) has(c *Config, name string) bool {
	i := ls.index(c, name)
	return i >= 0 && *ls.name(c, i) == name
}

// secrets reads what the secrets file has for a list: a map by the items' names.
func (l *loader) secrets(ls *list, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		l.add(n.Line, ls.key, inMainFile)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name, judged := nameFor(ls.noun)(k.Value)
		switch {
		case k.Kind != yaml.ScalarNode || judged.Blocks() || name != k.Value:
			l.add(k.Line, ls.key, wrong("not a name", "Here stands the name of a "+ls.noun+"."))
		case seen[name]:
			l.add(k.Line, ls.key, wrong("name comes twice", "This name comes twice."))
		case isNull(v):
		case v.Kind != yaml.MappingNode:
			l.add(v.Line, ls.key, wrong("not a map", "Under a name stands {password: \"…\"}."))
		default:
			var one Config // it may be the secret of an item that there is none of
			ls.grow(&one)
			*ls.name(&one, 0) = name
			l.at(ls.key+"."+name, k.Line)
			l.walk(v, ls.key+".*", ls.key+"."+name, place{c: &one, s: l.s})
		}
		seen[name] = true
	}
}

// valueOf finds a key's value in a map node; nil where there is none.
func valueOf(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}
