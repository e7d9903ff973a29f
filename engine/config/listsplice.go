package config

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kept are the items of a list that stay as they are while others go and more
// come after them; nil where the list changes in another way.
func (ls *list) kept(before, want Config) (kept []int) {
	j := 0
	for i := range ls.size(&before) {
		switch {
		case j < ls.size(&want) && ls.one(before, i) == ls.one(want, j):
			kept = append(kept, i)
			j++
		case ls.has(&want, *ls.name(&before, i)): // it has changed, or its place has
			return nil
		}
	}
	return kept
}

// one is the text of one item.
func (ls *list) one(c Config, i int) string {
	var alone Config
	ls.copy(&alone, &c)
	ls.only(&alone, i)
	return ls.format(alone)
}

// fewerAndMore takes items out of a list of maps and adds those that the value has
// after the kept ones. The text of those that stay is not touched, nor a comment
// outside of those that go.
func (s *source) fewerAndMore(list, value *yaml.Node, kept []int) ([]byte, bool) {
	if list.Kind != yaml.SequenceNode || value.Kind != yaml.SequenceNode || len(kept) == 0 || len(kept) > len(value.Content) || kept[len(kept)-1] >= len(list.Content) {
		return nil, false
	}
	flow := list.Style&yaml.FlowStyle != 0
	out := &source{s.text}
	for i, item := range slices.Backward(list.Content) { // from the end, so that the places before it still hold
		from, to, ok := s.extent(item)
		if !ok || item.Kind != yaml.MappingNode {
			return nil, false
		}
		start := s.lineStart(from)
		dash := string(s.text[start:from])
		if !flow && strings.TrimSpace(dash) != "-" {
			return nil, false
		}
		if i == len(list.Content)-1 {
			for _, more := range slices.Backward(value.Content[len(kept):]) {
				out.text = out.after(to, dash, more, flow, item.Style)
			}
		}
		switch {
		case slices.Contains(kept, i):
		case flow:
			out.text = out.cut(from, to)
		default:
			out.text = out.splice(start, s.lineEnd(to), "")
		}
	}
	return out.text, true
}

// after adds an item to a list behind the one that ends at to, in the style of that.
func (s *source) after(to int, dash string, item *yaml.Node, flow bool, style yaml.Style) []byte {
	if flow {
		return s.splice(to, to, ", "+inline(item))
	}
	laid := *item
	laid.Style = style
	end := s.lineEnd(to)
	lines := dash + block(&laid, strings.Repeat(" ", len(dash)))
	if !bytes.HasSuffix(s.text[:end], []byte{'\n'}) {
		lines = "\n" + lines
	}
	return s.splice(end, end, lines)
}
