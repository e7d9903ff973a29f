package config

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	maxFile     = 1 << 20 // bytes of a configuration file
	maxFindings = 100     // reported of one file
)

// loader reads one file's YAML into a configuration by the field table.
type loader struct {
	file   string
	secret bool // the secrets file, else the configuration
	c      *Config
	s      *Secrets
	out    []Finding
	lines  map[string]int // of each key that the file has
}

// add notes what was found in the file's text. Of the secrets file that is a line
// and a kind: whatever stands there may be a password.
func (l *loader) add(line int, key string, v Verdict) {
	if l.secret {
		key, v = l.withoutText(key, v)
	}
	l.tell(line, key, v)
}

// tell notes a finding as it is.
func (l *loader) tell(line int, key string, v Verdict) {
	if len(l.out) < maxFindings {
		l.out = append(l.out, Finding{File: l.file, Line: line, Key: key, Verdict: v})
	}
}

// withoutText leaves of a finding only what this program says by itself: keys of
// the field table, names of the configuration, and what a secret's own check says,
// which never shows it.
func (l *loader) withoutText(key string, v Verdict) (string, Verdict) {
	for key != "" && byKey[key] == nil && !isSection(key) && !l.named(key) {
		key = key[:max(strings.LastIndexByte(key, '.'), 0)]
	}
	if own, ok := find(key); v == inMainFile || ok && own.f.Secret {
		return key, v
	}
	holds := "smtp: {password: \"…\"}"
	if listIn(key) == &transfers {
		holds = "transfers: {NAME: {password: \"…\"}}"
	}
	return key, Verdict{Level: v.Level, Short: v.Short, Text: "This is not right (" + v.Short + "): the file holds " + holds + ", in quotes."}
}

// named reports whether a key is one of an item that the configuration has.
func (l *loader) named(key string) bool {
	sp, ok := find(key)
	return ok && sp.name != "" && sp.in.has(l.c, sp.name)
}

// at notes the line of a key.
func (l *loader) at(key string, line int) {
	if l.lines == nil {
		l.lines = map[string]int{}
	}
	l.lines[key] = line
}

// take reads a file's bytes, or tells why there are none.
func (l *loader) take(data []byte, err error) {
	if err != nil {
		l.tell(0, "", unreadable(err))
		return
	}
	l.read(data)
}

// read judges a file's bytes and reads them. It returns the file's root map;
// nil where there is nothing in it, or where it is no configuration at all.
func (l *loader) read(data []byte) *yaml.Node {
	if line, v := readable(data); v.Blocks() {
		l.tell(line, "", v)
		return nil
	}
	root, err := oneDocument(data)
	if err != nil {
		line, v := yamlTrouble(err, data)
		l.add(line, "", v)
		return nil
	}
	if root == nil || isNull(root) {
		return nil
	}
	if f := oddities(root); f != nil {
		l.add(f.Line, "", f.Verdict)
		return nil
	}
	if root.Kind != yaml.MappingNode {
		l.add(root.Line, "", wrong("not a configuration", "A configuration is a map such as smtp: {server: mail.example.net}."))
		return nil
	}
	l.walk(root, "", "", place{c: l.c, s: l.s})
	return root
}

// readable refuses what is not a text file of a sensible size.
func readable(data []byte) (line int, v Verdict) {
	if len(data) > maxFile {
		return 0, wrong("file too large", "The file is larger than 1 MiB: this is not a configuration.")
	}
	rest := data
	for line = 1; len(rest) > 0; line++ {
		text := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			text, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		if !utf8.Valid(text) {
			return line, wrong("not UTF-8", "The file is not UTF-8 text: save it as UTF-8.")
		}
		for _, r := range strings.TrimSuffix(string(text), "\r") {
			if r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfffe || r == 0xffff {
				return line, wrong("control character", "There is a control character in this line.")
			}
		}
	}
	return 0, fine("")
}

// walk reads a map. pattern is its key in the field table, shown its key for a person.
func (l *loader) walk(m *yaml.Node, pattern, shown string, p place) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		k, v := m.Content[i], m.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			l.add(k.Line, shown, wrong("not a key", "A key is a single word."))
			continue
		}
		pat, key := join(pattern, k.Value), join(shown, k.Value)
		if strings.Contains(k.Value, ".") {
			l.add(k.Line, key, wrong("unknown key", "A key has no dot: keys stand under their section, as in smtp: {port: 587}."))
			continue
		}
		if seen[k.Value] {
			l.add(k.Line, key, wrong("key comes twice", "This key comes twice; the first one is in a line above."))
			continue
		}
		seen[k.Value] = true
		f, leaf := byKey[pat]
		ls := listIn(pat)
		switch {
		case leaf:
			l.at(key, k.Line)
			l.leaf(f, v, key, p)
		case isNull(v) && isSection(pat):
			l.at(key, k.Line)
		case pat == destinationsKey:
			l.at(key, k.Line)
			l.destinations(v)
		case ls != nil && pat == ls.key:
			l.at(key, k.Line)
			switch {
			case !l.secret:
				l.items(ls, v)
			case ls == &transfers:
				l.secrets(ls, v)
			default:
				l.add(k.Line, key, inMainFile)
			}
		case isSection(pat) && v.Kind == yaml.MappingNode:
			l.at(key, k.Line)
			l.walk(v, pat, key, p)
		case isSection(pat):
			l.add(v.Line, key, wrong("not a map", "Under "+k.Value+" there are keys of its own, not a single value."))
		default:
			l.add(k.Line, key, unknownKey(pattern, k.Value))
		}
	}
}

var inMainFile = wrong("not a secret", "This is no secret: it belongs in the configuration file.")

// leaf reads one field.
func (l *loader) leaf(f *Field, n *yaml.Node, key string, p place) {
	switch {
	case f.Secret && !l.secret:
		v := wrong("secret in the file", "This is a secret: it belongs in secrets.yaml beside this file, under the same key.")
		if sp, ok := find(key); ok && sp.name != "" {
			v.Text = "This is a secret: it belongs in secrets.yaml beside this file: " + sp.in.key + ": {" + oneLine(sp.name) + ": {" + sp.leaf() + ": …}}."
		}
		l.add(n.Line, key, v)
		return
	case !f.Secret && l.secret:
		l.add(n.Line, key, inMainFile)
		return
	case isNull(n):
		return // like a key that is not there
	}
	raw := n.Value
	switch {
	case f.form == tree && n.Kind == yaml.ScalarNode && n.Value != "": // of several one may stand alone
		l.add(n.Line, key, wrong("not a list or map", "Here stands a "+f.values+"."))
		return
	case f.form.composed() && n.Kind != yaml.ScalarNode:
		raw = flowText(n)
	case n.Kind != yaml.ScalarNode:
		l.add(n.Line, key, wrong("not one value", "Here stands a single value, not a list or a map."))
		return
	}
	v := f.Check(raw)
	switch {
	case v.Blocks():
		l.add(n.Line, key, v.final())
		return
	case v.Level == Warning:
		l.add(n.Line, key, v)
	}
	f.set(p, raw)
}

// final is the verdict on a value that nobody goes on typing.
func (v Verdict) final() Verdict {
	if v.Level == Incomplete {
		v.Level = Error
		if v.Short == incomplete {
			v.Text = "The value is incomplete. " + v.Text
		}
	}
	if v.Fix != "" && !strings.Contains(v.Text, v.Fix) {
		v.Text += " Is " + v.Fix + " meant?"
	}
	return v
}

// destinations reads the list of addresses; one address alone stands for a list of one.
func (l *loader) destinations(n *yaml.Node) {
	if l.secret {
		l.add(n.Line, destinationsKey, inMainFile)
		return
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	f := byKey[destinationsKey+".*"]
	for i, item := range items {
		key := destinationsKey + "." + strconv.Itoa(i+1)
		if i == MaxDestinations {
			l.add(item.Line, destinationsKey, wrong("at most 3", "There are at most 3 destinations."))
			return
		}
		l.at(key, item.Line)
		if item.Kind == yaml.ScalarNode && (isNull(item) || strings.TrimSpace(item.Value) == "") {
			l.add(item.Line, key, wrong("empty", "This destination is empty: remove it."))
			continue
		}
		l.c.Mail.Destinations = append(l.c.Mail.Destinations, "")
		l.leaf(f, item, key, place{c: l.c, s: l.s, item: len(l.c.Mail.Destinations) - 1})
	}
}

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// isSection reports whether the field table has keys below this one.
func isSection(pattern string) bool {
	for i := range table {
		if strings.HasPrefix(table[i].Key, pattern+".") {
			return true
		}
	}
	return false
}

// unknownKey names the nearest key that there is.
func unknownKey(pattern, key string) Verdict {
	v := wrong("unknown key", "There is no such key.")
	best, far := "", 3
	for i := range table {
		full := table[i].Key
		rest, ok := strings.CutPrefix(full, pattern+".")
		if pattern == "" {
			rest, ok = full, true
		}
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, ".")
		if d := distance(strings.ToLower(key), rest, far); d < far && d < len(rest) {
			best, far = rest, d
		}
	}
	if best == "" { // the right name in the wrong place
		for i := range table {
			if strings.HasSuffix(table[i].Key, "."+key) && !strings.Contains(table[i].Key, "*") {
				v.Text += " " + table[i].Key + " is one: is it indented under its section?"
				return v
			}
		}
		return v
	}
	v.Text += " Is " + best + " meant?"
	return v
}

// distance is the number of letters to change between a and b (Levenshtein); most where it is at least that.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
