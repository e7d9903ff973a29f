package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A person's file is changed as text, at the places that the parsed nodes point
// to: whatever is not changed stays as it is to the byte, comments, blank lines,
// alignment and quoting too. A layout that this does not understand gives a text
// that does not say what was meant, which Save finds before it writes.

var errLayout = errors.New("the change does not fit into the file as it is laid out: make it by hand")

// patch makes edits in a file's text. versioned says that a new file begins with its version.
func patch(old []byte, list []edit, versioned bool) ([]byte, error) {
	crlf := bytes.Contains(old, []byte("\r\n"))
	src := bytes.ReplaceAll(old, []byte("\r\n"), []byte("\n"))
	for _, e := range list {
		root, err := oneDocument(src)
		if err != nil {
			return nil, errLayout
		}
		if (root == nil || isNull(root)) && e.value == nil {
			continue
		}
		if root == nil || isNull(root) {
			src = onlyComments(src)
			if versioned && e.path[0] != "version" {
				src = append(src, "version: 1\n"...)
			}
			src = append(src, block(nested(e.path, e.value), "")...)
			continue
		}
		if src, err = (&source{src}).put(root, "", e.path, e); err != nil {
			return nil, err
		}
	}
	if crlf {
		src = bytes.ReplaceAll(src, []byte("\n"), []byte("\r\n"))
	}
	return src, nil
}

// onlyComments keeps the comment lines of a file that has nothing else.
func onlyComments(old []byte) []byte {
	var b bytes.Buffer
	for _, l := range bytes.SplitAfter(old, []byte{'\n'}) {
		if t := bytes.TrimSpace(l); len(l) > 0 && (len(t) == 0 || t[0] == '#') {
			b.Write(bytes.TrimRight(l, "\r\n"))
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// nested wraps a value into a map for each part of its path.
func nested(path []string, value *yaml.Node) *yaml.Node {
	for _, key := range slices.Backward(path) {
		value = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(key, text), value}}
	}
	return value
}

// block writes a map in lines, the later ones indented.
func block(n *yaml.Node, indent string) string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if enc.Encode(n) != nil || enc.Close() != nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\n", "\n"+indent) + "\n"
}

// inLines lays a list of maps out as an item a line, as a person can read and edit it.
func inLines(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode {
		n.Style &^= yaml.FlowStyle
	}
	return n
}

// inline writes a value in one line, so that it may stand in a flow list or map too.
func inline(n *yaml.Node) string {
	s := flowText(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}})
	return strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
}

// put sets the value at a path below the map m, whose key in the field table is pattern.
func (s *source) put(m *yaml.Node, pattern string, path []string, e edit) ([]byte, error) {
	value := e.value
	key := path[0]
	pattern = join(pattern, key)
	at := -1
	for i := 0; i+1 < len(m.Content) && at < 0; i += 2 {
		if m.Content[i].Value == key {
			at = i
		}
	}
	switch {
	case at < 0 && value == nil:
		return s.text, nil
	case at < 0:
		return s.insert(m, pattern, key, nested(path[1:], value))
	}
	k, v := m.Content[at], m.Content[at+1]
	switch {
	case len(path) == 1 && value == nil:
		return s.rename(m, k, v, e.name)
	case len(path) == 1 && e.empty:
		if anew, err := s.rename(m, k, v, ""); err == nil && (&source{anew}).comments() == s.comments() {
			return anew, nil
		}
		return s.replace(m, k, v, value) // a comment beside it stays
	case len(path) == 1:
		if anew, ok := s.fewerAndMore(v, value, e.kept); ok {
			return anew, nil
		}
		return s.replace(m, k, v, value)
	case isNull(v) && value == nil:
		return s.text, nil
	case isNull(v):
		return s.replace(m, k, v, nested(path[1:], value))
	case v.Kind == yaml.SequenceNode:
		i := int(path[1][0] - '0')
		if len(path) < 3 || i >= len(v.Content) || v.Content[i].Kind != yaml.MappingNode {
			return nil, errLayout
		}
		return s.put(v.Content[i], pattern+".*", path[2:], e)
	case v.Kind == yaml.MappingNode:
		return s.put(v, pattern, path[1:], e)
	}
	return nil, errLayout
}

// rename gives a key of the map m another name; without one the key goes, with its
// value and the comments beside that.
func (s *source) rename(m, k, v *yaml.Node, name string) ([]byte, error) {
	from, to, ok := s.extent(k)
	if !ok {
		return nil, errLayout
	}
	if name != "" {
		return s.splice(from, to, inline(scalar(name, text))), nil
	}
	if _, end, ok := s.extent(v); ok {
		to = end
	} else if !isNull(v) {
		return nil, errLayout
	}
	if m.Style&yaml.FlowStyle != 0 {
		return (&source{s.text}).cut(from, to), nil
	}
	start := s.lineStart(from)
	if len(bytes.TrimSpace(s.text[start:from])) > 0 {
		return nil, errLayout
	}
	return s.splice(start, s.lineEnd(to), ""), nil
}

// replace puts a new value in the place of v. Comments inside v are never lost on
// the way, except that an item of a list takes its own with it.
func (s *source) replace(m, k, v, value *yaml.Node) ([]byte, error) {
	if anew, ok := s.items(v, value); ok {
		return anew, nil
	}
	anew, err := s.whole(m, k, v, value)
	if err == nil && (&source{anew}).comments() < s.comments() {
		return nil, fmt.Errorf("comments inside %s would be lost: edit the file by hand", k.Value)
	}
	return anew, err
}

// whole puts a new value in the place of the text of v.
func (s *source) whole(m, k, v, value *yaml.Node) ([]byte, error) {
	if value.Kind == yaml.ScalarNode && v.Kind == yaml.ScalarNode && value.Tag == "!!str" && value.Style == 0 {
		value.Style = v.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle) // quotes stay quotes
	}
	from, to, ok := s.extent(v)
	inLine := v.Kind == yaml.ScalarNode || v.Style&yaml.FlowStyle != 0
	if m.Style&yaml.FlowStyle == 0 && v.Kind == yaml.SequenceNode && len(v.Content) == 0 && value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 {
		inLine = false // an empty list has no layout of its own yet
	}
	if ok && inLine {
		return s.splice(from, to, inline(value)), nil
	}
	if m.Style&yaml.FlowStyle != 0 {
		return nil, errLayout
	}
	// A value in lines of its own: its key's lines are written anew.
	from, _, okKey := s.extent(k)
	if implicitNull := v.Kind == yaml.ScalarNode && v.Value == ""; implicitNull {
		_, to, ok = s.extent(k)
	}
	if !okKey || !ok {
		return nil, errLayout
	}
	k, v = bare(k), bare(v)
	if len(v.Content) == 0 || value.Kind == yaml.ScalarNode || len(value.Content) == 0 {
		v.Style = value.Style
	}
	v.Kind, v.Tag, v.Value, v.Content = value.Kind, value.Tag, value.Value, value.Content
	indent := strings.Repeat(" ", k.Column-1)
	anew := block(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{k, v}}, indent)
	return s.splice(from, s.lineEnd(to), anew), nil
}

// items changes a list of plain values that stand in lines of their own. The
// lines of those that stay are not touched, and no comment line goes.
func (s *source) items(list, value *yaml.Node) ([]byte, bool) {
	was, now := list.Content, value.Content
	flow := list.Style&yaml.FlowStyle != 0
	if list.Kind != yaml.SequenceNode || value.Kind != yaml.SequenceNode || len(was) == 0 {
		return nil, false
	}
	stays := make([]bool, len(was))
	n := 0
	for i := range was {
		if n < len(now) && was[i].Value == now[n].Value {
			stays[i] = true
			n++
		}
	}
	onlyFewer := n == len(now)
	out := &source{s.text}
	for i := len(was) - 1; i >= 0; i-- { // from the end, so that the places before it still hold
		from, to, ok := s.extent(was[i])
		if !ok || was[i].Kind != yaml.ScalarNode {
			return nil, false
		}
		start, dash := s.lineStart(from), ""
		if !flow {
			dash = string(s.text[start:from])
			if strings.TrimSpace(dash) != "-" {
				return nil, false
			}
		}
		if i == len(was)-1 {
			for _, item := range slices.Backward(now[min(len(was), len(now)):]) {
				if flow {
					out.text = out.splice(to, to, ", "+inline(item))
					continue
				}
				end := out.lineEnd(to)
				if out.text[end-1] != '\n' {
					out.text = out.splice(end, end, "\n")
					end++
				}
				out.text = out.splice(end, end, dash+inline(item)+"\n")
			}
		}
		switch {
		case onlyFewer && stays[i]:
		case (onlyFewer || i >= len(now)) && flow:
			out.text = out.cut(from, to)
		case onlyFewer || i >= len(now):
			out.text = out.splice(start, s.lineEnd(to), "")
		case was[i].Value != now[i].Value:
			now[i].Style = was[i].Style
			out.text = out.splice(from, to, inline(now[i]))
		}
	}
	return out.text, true
}

// cut takes an item of a flow list out with one comma and, where nothing else
// stands in it, its line. The last one leaves a comma in the line above: YAML allows that.
func (s *source) cut(from, to int) []byte {
	start := s.lineStart(from)
	switch comma := s.commaAfter(to); {
	case comma >= s.lineEnd(to): // at the beginning of the next item's line
		s.text = s.splice(comma, comma+1, "")
	case comma >= 0:
		to = comma + 1
		if blanks := len(s.text[to:]) - len(bytes.TrimLeft(s.text[to:], " ")); to+blanks < len(s.text) && s.text[to+blanks] != '#' {
			to += blanks
		}
	default:
		if before := bytes.TrimRight(s.text[start:from], " "); bytes.HasSuffix(before, []byte{','}) {
			from = start + len(before) - 1
		}
	}
	s.text = s.splice(from, to, "")
	end := s.lineEnd(start)
	if rest := bytes.TrimSpace(s.text[start:end]); len(rest) == 0 || rest[0] == '#' {
		return s.splice(start, end, "")
	}
	return s.text
}

// commaAfter finds the comma that follows an item of a flow list; -1 where there is none.
func (s *source) commaAfter(at int) int {
	for ; at < len(s.text); at++ {
		switch s.text[at] {
		case ' ', '\t', '\n':
		case ',':
			return at
		case '#':
			at = s.lineEnd(at) - 1
		default:
			return -1
		}
	}
	return -1
}

// bare copies a node without the comments that stand outside its lines.
func bare(n *yaml.Node) *yaml.Node {
	c := *n
	c.HeadComment, c.FootComment = "", ""
	if last := len(n.Content) - 1; last >= 0 {
		c.Content = slices.Clone(n.Content)
		c.Content[last] = bareFoot(n.Content[last])
	}
	return &c
}

func bareFoot(n *yaml.Node) *yaml.Node {
	c := *n
	c.FootComment = ""
	if last := len(n.Content) - 1; last >= 0 {
		c.Content = slices.Clone(n.Content)
		c.Content[last] = bareFoot(n.Content[last])
	}
	return &c
}

// insert adds a key to the map m before the first that stands after it in the
// field table, else at its end.
func (s *source) insert(m *yaml.Node, pattern, key string, value *yaml.Node) ([]byte, error) {
	var later *yaml.Node
	for i := 0; i+1 < len(m.Content) && later == nil; i += 2 {
		if order(strings.TrimSuffix(pattern, key)+m.Content[i].Value) > order(pattern) {
			later = m.Content[i]
		}
	}
	if m.Style&yaml.FlowStyle != 0 || len(m.Content) == 0 {
		_, to, ok := s.extent(m)
		if !ok {
			return nil, errLayout
		}
		entry := inline(scalar(key, text)) + ": " + inline(value)
		if later != nil {
			from, _, ok := s.extent(later)
			if !ok {
				return nil, errLayout
			}
			return s.splice(from, from, entry+", "), nil
		}
		if len(m.Content) == 0 {
			return s.splice(to-1, to-1, entry), nil
		}
		_, end, ok := s.extent(m.Content[len(m.Content)-1])
		if !ok {
			return nil, errLayout
		}
		return s.splice(end, end, ", "+entry), nil
	}
	indent := strings.Repeat(" ", m.Content[0].Column-1)
	lines := indent + block(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(key, text), value}}, indent)
	if later != nil && later != m.Content[0] {
		from, _, ok := s.extent(later)
		if !ok {
			return nil, errLayout
		}
		at := s.aboveComments(s.lineStart(from))
		return s.splice(at, at, lines), nil
	}
	_, end, ok := s.extent(m)
	if !ok {
		return nil, errLayout
	}
	end = s.lineEnd(end)
	if end > 0 && s.text[end-1] != '\n' {
		lines = "\n" + lines
	}
	return s.splice(end, end, lines), nil
}
