package config

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"watchpost/engine/event"
)

// parseTriggers judges a whole list of triggers as YAML.
func parseTriggers(raw string) ([]Trigger, Verdict) {
	n, v := parseFlow(raw)
	if v.Blocks() {
		return nil, v
	}
	var c Config
	l := loader{c: &c, s: &Secrets{}}
	l.triggers(n)
	return c.Triggers, firstOf(l.out, fine(plural(len(c.Triggers), "trigger")))
}

// formatTriggers writes what parseTriggers reads: of each trigger its name and
// what differs from the defaults.
func formatTriggers(all []Trigger) string {
	if len(all) == 0 {
		return ""
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range all {
		m := &yaml.Node{Kind: yaml.MappingNode}
		t := all[i]
		for j := range triggerFields {
			f := &triggerFields[j]
			value, leaf := f.get(place{t: &t}), strings.TrimPrefix(f.Key, triggersKey+".*.")
			usual := value == f.Default
			if leaf == "notify" {
				usual = t.Notify == (t.Source != event.Timer)
			}
			if !usual || leaf == "source" {
				m.Content = append(m.Content, scalar(leaf, text), f.node(value))
			}
		}
		list.Content = append(list.Content, m)
	}
	return flowText(list)
}

// triggers reads the list of triggers of a file.
func (l *loader) triggers(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		l.add(n.Line, triggersKey, wrong("not a list", "Triggers are a list: - {name: yard, source: motion}."))
		return
	}
	for i, item := range n.Content {
		if i == MaxTriggers {
			l.add(item.Line, triggersKey, wrong("at most 5 triggers", "There are at most 5 triggers."))
			return
		}
		key := triggersKey + "." + strconv.Itoa(i+1)
		t := ExampleTrigger()
		t.Name = ""
		if item.Kind != yaml.MappingNode {
			l.add(item.Line, key, wrong("not a map", "A trigger is a map: {name: yard, source: motion}."))
			l.c.Triggers = append(l.c.Triggers, t) // those after it keep their numbers
			continue
		}
		if name := valueOf(item, "name"); name != nil && name.Kind == yaml.ScalarNode {
			if s, v := parseTriggerName(name.Value); !v.Blocks() && !slices.ContainsFunc(l.c.Triggers, func(t Trigger) bool { return t.Name == s }) {
				key = triggersKey + "." + s
			}
		}
		l.at(key, item.Line)
		l.walk(item, triggersKey+".*", key, place{c: l.c, s: l.s, t: &t})
		notify := valueOf(item, "notify")
		if t.Source == event.Timer {
			if notify != nil && t.Notify {
				l.add(notify.Line, key+".notify", timerNotify)
			}
			t.Notify = false
		}
		if name := valueOf(item, "name"); name == nil {
			l.add(item.Line, key+".name", wrong("name is missing", "A trigger needs a name."))
		} else if v := nameTwice(l.c.Triggers, t.Name); v.Blocks() {
			l.add(name.Line, key+".name", v)
		}
		if line := valueOf(item, "line"); needsLine(t) && (line == nil || line.Value == "" && line.Kind == yaml.ScalarNode) {
			l.add(item.Line, key+".line", lineMissing(t.Source))
		}
		l.c.Triggers = append(l.c.Triggers, t)
	}
}

var timerNotify = wrong("timers do not notify", "A timer trigger has no e-mail notification: leave notify out.")

// valueOf finds a key's value in a map node; nil where there is none.
func valueOf(m *yaml.Node, key string) *yaml.Node {
	if m == nil || m.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}
