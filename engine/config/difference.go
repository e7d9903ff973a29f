package config

import (
	"slices"
	"strings"
)

// Difference is one change from one configuration to another, in words that a
// person may see: of a secret only what becomes of it.
type Difference struct {
	Key  string `json:"key"`
	Word string `json:"word"` // changed; of a secret also set and removed, of a trigger or transfer also added and removed
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// String is the line of a preview: smtp.port: 587 -> 465.
func (d Difference) String() string {
	text := d.Key + ": " + d.Word
	switch {
	case d.Word == "added":
		text += ": " + d.New
	case d.Word == "removed" && d.Old != "":
		text += ": " + d.Old
	case d.Word == "changed" && (d.Old != "" || d.New != ""):
		text = d.Key + ": " + orEmpty(d.Old) + " -> " + orEmpty(d.New)
	}
	return oneLine(text)
}

func orEmpty(s string) string {
	if s == "" {
		return "empty"
	}
	return s
}

// differences compares field by field, in the order of the table.
func differences(before, after Loaded) (out []Difference) {
	a, b := &before.Config, &after.Config
	add := func(key, word, old, new string) {
		if old != new {
			out = append(out, Difference{key, word, old, new})
		}
	}
	done := map[*list]bool{}
	for i := range table {
		f := &table[i]
		ls := listIn(f.Key)
		switch {
		case f.Key == destinationsKey+".*":
			add(destinationsKey, "changed", strings.Join(a.Mail.Destinations, ", "), strings.Join(b.Mail.Destinations, ", "))
		case ls != nil:
			if !done[ls] {
				done[ls] = true
				out = append(out, ls.differences(before, after)...)
			}
		case f.Secret:
			out = append(out, secretDifference(f.Key, f.get(place{c: a, s: &before.Secrets}), f.get(place{c: b, s: &after.Secrets}))...)
		default:
			add(f.Key, "changed", f.get(place{c: a, s: &before.Secrets}), f.get(place{c: b, s: &after.Secrets}))
		}
	}
	return out
}

// secretDifference says what becomes of a secret, never what it is.
func secretDifference(key, old, new string) []Difference {
	switch {
	case old == new:
		return nil
	case old == "":
		return []Difference{{Key: key, Word: "set"}}
	case new == "":
		return []Difference{{Key: key, Word: "removed"}}
	}
	return []Difference{{Key: key, Word: "changed"}}
}

// differences compares the items of a list by their names.
func (ls *list) differences(before, after Loaded) (out []Difference) {
	a, b := &before.Config, &after.Config
	was, is := ls.names(a), ls.names(b)
	for _, name := range was {
		if slices.Contains(is, name) {
			continue
		}
		key, at := ls.key+"."+name, ls.index(a, name)
		out = append(out, Difference{Key: key, Word: "removed", Old: ls.item(a, name)})
		for i := range table {
			if f := &table[i]; f.Secret && listIn(f.Key) == ls {
				leaf := strings.TrimPrefix(f.Key, ls.key+".*")
				out = append(out, secretDifference(key+leaf, f.get(place{c: a, s: &before.Secrets, item: at}), f.get(place{c: a, s: &after.Secrets, item: at}))...)
			}
		}
	}
	for _, name := range is {
		key := ls.key + "." + name
		if !slices.Contains(was, name) {
			out = append(out, Difference{Key: key, Word: "added", New: ls.item(b, name)})
		}
		for i := range table {
			f := &table[i]
			leaf, ok := strings.CutPrefix(f.Key, ls.key+".*.")
			if !ok {
				continue
			}
			// An item that was not there has no field, but it may have had a secret.
			p := place{c: a, s: &before.Secrets, item: ls.index(a, name)}
			if !slices.Contains(was, name) {
				p = place{c: b, s: &before.Secrets, item: ls.index(b, name)}
			}
			old, new := f.get(p), f.get(place{c: b, s: &after.Secrets, item: ls.index(b, name)})
			switch {
			case f.Secret:
				out = append(out, secretDifference(key+"."+leaf, old, new)...)
			case old != new:
				out = append(out, Difference{key + "." + leaf, "changed", old, new})
			}
		}
	}
	common := func(of, in []string) []string {
		return slices.DeleteFunc(slices.Clone(of), func(name string) bool { return !slices.Contains(in, name) })
	}
	if x, y := common(was, is), common(is, was); !slices.Equal(x, y) {
		out = append(out, Difference{ls.key, "changed", strings.Join(x, ", "), strings.Join(y, ", ")})
	}
	return out
}

// names are the items' names in their order.
func (ls *list) names(c *Config) (out []string) {
	for i := range ls.size(c) {
		out = append(out, *ls.name(c, i))
	}
	return out
}

// item is one item as text.
func (ls *list) item(c *Config, name string) string {
	one := clone(*c)
	ls.only(&one, ls.index(c, name))
	return strings.TrimSuffix(strings.TrimPrefix(ls.format(one), "["), "]")
}
