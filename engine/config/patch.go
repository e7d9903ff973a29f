package config

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// edit puts one value into the YAML of a file.
type edit struct {
	path  []string // smtp, port; a trigger is named by its number from 0: triggers, 0, threshold
	value *yaml.Node
}

// patched makes the bytes of both files with the changed values in them.
func (f *File) patched(old content, before Loaded, want Config, secrets Secrets, changes []Change) (content, error) {
	plain, hidden := edits(before.Config, want, secrets, changes)
	new := old
	var err error
	if len(plain) > 0 {
		if new.config, err = patch(old.config, plain, true); err != nil {
			return new, err
		}
	}
	if len(hidden) > 0 {
		new.secrets, err = patch(old.secrets, hidden, false)
	}
	return new, err
}

// edits turns changes into what is written into each of the two files.
func edits(before, want Config, s Secrets, changes []Change) (plain, hidden []edit) {
	w := slots(want)
	wholeTriggers := slices.ContainsFunc(changes, func(ch Change) bool { return ch.Key == triggersKey })
	destinations := false
	for _, ch := range changes {
		sp, ok := find(ch.Key)
		if !ok {
			continue
		}
		switch {
		case unchanged(before, want, ch.Key, sp): // its text stays as it is laid out
		case ch.Key == triggersKey:
			plain = append(plain, edit{[]string{triggersKey}, triggersWhole.node(formatTriggers(want.Triggers))})
		case ch.Key == destinationsKey || sp.item > 0:
			if !destinations {
				destinations = true
				plain = append(plain, edit{[]string{"mail", "destinations"}, destinationsNode(want.Mail.Destinations)})
			}
		case sp.trig != "":
			if i := triggerIndex(&before, sp.trig); i >= 0 && !wholeTriggers {
				leaf := sp.f.Key[strings.LastIndexByte(sp.f.Key, '.')+1:]
				plain = append(plain, edit{[]string{triggersKey, strconv.Itoa(i), leaf}, sp.f.node(sp.f.get(place{c: &w, t: &w.Triggers[i]}))})
			}
		default:
			e := edit{strings.Split(sp.f.Key, "."), sp.f.node(sp.f.get(place{c: &w, s: &s}))}
			if sp.f.Secret {
				hidden = append(hidden, e)
			} else {
				plain = append(plain, e)
			}
		}
	}
	return plain, hidden
}

// unchanged reports that a list or map has the value that it had.
func unchanged(before, want Config, key string, sp spot) bool {
	if sp.f.form != tree && key != destinationsKey {
		return false
	}
	if sp.trig != "" { // it may have a new name
		i := triggerIndex(&before, sp.trig)
		if i < 0 || i >= len(want.Triggers) {
			return false
		}
		return sp.f.get(place{t: &before.Triggers[i]}) == sp.f.get(place{t: &want.Triggers[i]})
	}
	was, _ := valueIn(&before, &Secrets{}, key)
	now, _ := valueIn(&want, &Secrets{}, key)
	return was == now
}

func destinationsNode(list []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, a := range list {
		n.Content = append(n.Content, scalar(a, text))
	}
	return n
}

// order is a key's position in the field table; after all others where it is not in it.
func order(pattern string) int {
	for i := range table {
		if table[i].Key == pattern || strings.HasPrefix(table[i].Key, pattern+".") {
			return i
		}
	}
	return len(table)
}
