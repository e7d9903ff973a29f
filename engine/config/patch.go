package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// edit puts one value into the YAML of a file, or takes a key out of it, or gives
// it another name.
type edit struct {
	path  []string   // smtp, port; an item of a list is named by its number from 0: triggers, 0, threshold
	value *yaml.Node // nil: see name
	empty bool       // the value is none: the key goes where no comment goes with it
	name  string     // what the key is called from now on; empty: it goes
	kept  []int      // of a list's items, those that the value begins with as they are; empty: none
}

// with is e with a field's value.
func (e edit) with(f *Field, value string) edit {
	e.value, e.empty = f.node(value), value == "" && f.form.composed()
	return e
}

// patched makes the bytes of both files with the changed values in them.
func (f *File) patched(old content, before Loaded, want Config, secrets Secrets, changes []Change) (content, error) {
	plain, hidden := edits(before, want, secrets, changes)
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
func edits(before Loaded, want Config, s Secrets, changes []Change) (plain, hidden []edit) {
	w := slots(want)
	whole := map[*list]bool{}
	for _, ch := range changes {
		if sp, ok := find(ch.Key); ok && sp.whole() {
			whole[sp.in] = true
		}
	}
	if !whole[&triggers] {
		changes = append(slices.Clone(changes), followed(before.Config, want)...)
	}
	destinations := false
	for _, ch := range changes {
		sp, ok := find(ch.Key)
		if !ok {
			continue
		}
		switch {
		case unchanged(before.Config, want, ch.Key, sp): // its text stays as it is laid out
		case sp.whole():
			plain = append(plain, edit{path: []string{sp.in.key}, value: inLines(sp.f.node(sp.f.get(place{c: &w}))), kept: sp.in.kept(before.Config, want)})
		case ch.Key == destinationsKey || sp.item > 0:
			if !destinations {
				destinations = true
				plain = append(plain, edit{path: []string{"mail", "destinations"}, value: destinationsNode(want.Mail.Destinations)})
			}
		case sp.in != nil && (sp.f.Secret || whole[sp.in]): // see secretEdits, or in the whole list
		case sp.in != nil:
			sp = sp.inFile()
			if i := sp.in.index(&before.Config, sp.name); i >= 0 && !slices.ContainsFunc(plain, func(e edit) bool {
				return slices.Equal(e.path, []string{sp.in.key, strconv.Itoa(i), sp.leaf()}) // two parts of one
			}) {
				plain = append(plain, edit{path: []string{sp.in.key, strconv.Itoa(i), sp.leaf()}}.with(sp.f, sp.f.get(place{c: &w, item: i})))
			}
		default:
			e := edit{path: strings.Split(sp.f.Key, ".")}.with(sp.f, sp.f.get(place{c: &w, s: &s}))
			if sp.f.Secret {
				hidden = append(hidden, e)
			} else {
				plain = append(plain, e)
			}
		}
	}
	return plain, append(hidden, secretEdits(before, want, s, whole[&transfers])...)
}

// followed is the change of each trigger whose transfer has a new name.
func followed(before, want Config) (out []Change) {
	for i := range before.Triggers {
		if now := want.Triggers[i].Transfer; now != before.Triggers[i].Transfer {
			out = append(out, Change{triggers.keyOf(&before, i) + ".transfer", now})
		}
	}
	return out
}

// secretEdits brings the transfers' passwords to where they belong. A name is
// changed in its place, so that the comments beside it stay.
func secretEdits(before Loaded, want Config, s Secrets, whole bool) (out []edit) {
	now := before.Secrets.clone().Transfers
	remove := func(name string) {
		out = append(out, edit{path: []string{transfers.key, name}})
		delete(now, name)
	}
	for _, name := range slices.Sorted(maps.Keys(now)) { // one that stood there unused is in the way of another
		if s.Transfers[name] != now[name] && !transfers.has(&before.Config, name) {
			remove(name)
		}
	}
	for again := !whole; again; {
		again = false
		for i, t := range before.Config.Transfers {
			to := want.Transfers[i].Name
			value, set := now[t.Name]
			if _, taken := now[to]; to != t.Name && set && !taken && before.Secrets.Transfers[t.Name] == value {
				out = append(out, edit{path: []string{transfers.key, t.Name}, name: to})
				now[to], again = value, true
				delete(now, t.Name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, stays := s.Transfers[name]; !stays && !transfers.has(&want, name) {
			remove(name)
		}
	}
	for _, t := range want.Transfers {
		if value := s.Transfers[t.Name]; value != now[t.Name] {
			out = append(out, edit{path: []string{transfers.key, t.Name, "password"}, value: byKey["transfers.*.password"].node(value)})
		}
	}
	return out
}

// unchanged reports that a list or map has the value that it had.
func unchanged(before, want Config, key string, sp spot) bool {
	if !sp.f.form.composed() && key != destinationsKey {
		return false
	}
	if sp.name != "" { // it may have a new name
		i := sp.in.index(&before, sp.name)
		if i < 0 || i >= sp.in.size(&want) {
			return false
		}
		return sp.f.get(place{c: &before, item: i}) == sp.f.get(place{c: &want, item: i})
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
