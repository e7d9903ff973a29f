package config

import (
	"bytes"
	"slices"

	"go.yaml.in/yaml/v3"
)

// source is a file's text with places in it.
type source struct{ text []byte }

func (s *source) splice(from, to int, by string) []byte {
	return slices.Concat(s.text[:from], []byte(by), s.text[to:])
}

// extent is where a node's text begins and ends. Not ok: it is not known.
func (s *source) extent(n *yaml.Node) (from, to int, ok bool) {
	from = s.offset(n.Line, n.Column)
	if from < 0 {
		return 0, 0, false
	}
	rest := s.text[from:]
	switch {
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		to = from + quotedLength(rest)
		return from, to, to > from
	case n.Kind == yaml.ScalarNode && n.Value == "":
		return 0, 0, false
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && bytes.HasPrefix(rest, []byte(n.Value)):
		return from, from + len(n.Value), true
	case n.Kind == yaml.ScalarNode:
		return from, s.deeperLines(from), true
	case n.Style&yaml.FlowStyle != 0:
		to = from + bracketLength(rest)
		return from, to, to > from
	case len(n.Content) == 0:
		return 0, 0, false
	}
	last := n.Content[len(n.Content)-1]
	if _, to, ok = s.extent(last); !ok && n.Kind == yaml.MappingNode && isNull(last) {
		_, to, ok = s.extent(n.Content[len(n.Content)-2]) // key: and nothing
	}
	return from, to, ok
}

// deeperLines is the end of a scalar that runs over lines: those that stand
// deeper than the key that it belongs to.
func (s *source) deeperLines(from int) (to int) {
	depth := func(line []byte, skip string) int { return len(line) - len(bytes.TrimLeft(line, skip)) }
	start := s.lineStart(from)
	key := depth(s.text[start:s.lineEnd(from)], " -")
	to = s.lineEnd(from)
	for next := to; next < len(s.text); {
		end := s.lineEnd(next)
		line := s.text[next:end]
		blank := len(bytes.TrimSpace(line)) == 0
		if !blank && depth(line, " ") <= key {
			break
		}
		if next = end; !blank {
			to = end
		}
	}
	if to > 0 && s.text[to-1] == '\n' {
		to--
	}
	return to
}

// offset finds a line and column, both from 1; a column counts characters.
func (s *source) offset(line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(s.text[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
	if at == 0 {
		at += len(s.text) - len(bytes.TrimPrefix(s.text, []byte("\ufeff")))
	}
	for i := range string(s.text[at:]) {
		if column == 1 {
			return at + i
		}
		column--
	}
	return -1
}

// comments counts the comments of the whole text.
func (s *source) comments() (n int) {
	root, _ := oneDocument(s.text)
	rest := bytes.Clone(s.text)
	s.blank(rest, root)
	for i := 0; i < len(rest); i++ {
		if rest[i] == '#' && (i == 0 || bytes.IndexByte([]byte(" \t\n,[{"), rest[i-1]) >= 0) {
			n++
			i = s.lineEnd(i) - 1
		}
	}
	return n
}

// blank makes the values in a text unreadable, so that a # in one counts for nothing.
func (s *source) blank(text []byte, n *yaml.Node) {
	if n == nil {
		return
	}
	for _, child := range n.Content {
		s.blank(text, child)
	}
	from, to, ok := s.extent(n)
	if n.Kind != yaml.ScalarNode || !ok {
		return
	}
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		from = s.lineEnd(from) // a comment may stand behind the | or >
	case n.Style == 0 && !bytes.HasPrefix(s.text[from:], []byte(n.Value)):
		return // plain text over several lines: a # after a blank never stands in one
	}
	for i := from; i < to; i++ {
		text[i] = 'x'
	}
}

func (s *source) lineStart(at int) int { return bytes.LastIndexByte(s.text[:at], '\n') + 1 }

// lineEnd is the position after the line's break.
func (s *source) lineEnd(at int) int {
	if i := bytes.IndexByte(s.text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(s.text)
}

// aboveComments goes up over the comment lines that stand right above a line.
func (s *source) aboveComments(start int) int {
	for start > 0 {
		up := s.lineStart(start - 1)
		if !bytes.HasPrefix(bytes.TrimLeft(s.text[up:start], " \t"), []byte{'#'}) {
			break
		}
		start = up
	}
	return start
}

// quotedLength is the length of the quoted scalar that b begins with; 0 where it does not end.
func quotedLength(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch {
		case b[0] == '"' && b[i] == '\\':
			i++
		case b[i] == b[0] && b[0] == '\'' && i+1 < len(b) && b[i+1] == '\'':
			i++
		case b[i] == b[0]:
			return i + 1
		}
	}
	return 0
}

// bracketLength is the length of the flow list or map that b begins with; 0 where it does not end.
func bracketLength(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		begins := i == 0 || bytes.IndexByte([]byte(" \t\n,[{:"), b[i-1]) >= 0 // a quote or # elsewhere is part of a word
		switch {
		case b[i] == '[' || b[i] == '{':
			depth++
		case b[i] == ']' || b[i] == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case (b[i] == '"' || b[i] == '\'') && begins:
			n := quotedLength(b[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case b[i] == '#' && begins:
			n := bytes.IndexByte(b[i:], '\n')
			if n < 0 {
				return 0
			}
			i += n
		}
	}
	return 0
}
