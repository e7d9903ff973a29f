package tui

import (
	"slices"
	"strings"
)

// maxLine and maxSecret bound what one field takes, in characters; the field's
// own check has the true limit and says so.
const (
	maxLine   = 600
	maxSecret = 8192 // tokens are long
)

// line is one line of text being edited, by whole grapheme clusters, so that
// the cursor never stands inside a character and Backspace takes what looks
// like one. (bubbles' textinput edits by rune, counts the real cursor's column
// in runes, binds ctrl+a and ctrl+b, and runs a clipboard program.)
type line struct {
	text   []string // grapheme clusters
	pos    int      // the cursor stands before text[pos]
	left   int      // first cluster shown
	most   int      // characters; 0: maxLine
	masked bool     // a secret: shown as stars, kept byte for byte
}

func newLine(s string, masked bool) line {
	l := line{masked: masked}
	l.text = clusters(l.keeps(s))
	l.pos = len(l.text)
	return l
}

func (l *line) String() string { return strings.Join(l.text, "") }

// keeps is what the line keeps of s: of a secret every byte, else what is
// harmless on a screen.
func (l *line) keeps(s string) string {
	if l.masked {
		return s
	}
	return clean(s)
}

// insert puts s at the cursor; false says that the line is full.
func (l *line) insert(s string) bool {
	s = l.keeps(s)
	most := maxLine
	switch {
	case l.most > 0:
		most = l.most
	case l.masked:
		most = maxSecret
	}
	if len(l.text)+len(s) > most && len(l.text)+len(clusters(s)) > most {
		return false
	}
	// Text around the cursor may combine with s into other clusters.
	before := strings.Join(l.text[:l.pos], "") + s
	l.text = clusters(before + strings.Join(l.text[l.pos:], ""))
	n := 0
	for l.pos = 0; l.pos < len(l.text) && n < len(before); l.pos++ {
		n += len(l.text[l.pos])
	}
	return true
}

// key does what an editing key does; false says that it is none.
func (l *line) key(name string) bool {
	switch name {
	case "left":
		l.pos = max(0, l.pos-1)
	case "right":
		l.pos = min(len(l.text), l.pos+1)
	case "home":
		l.pos = 0
	case "end":
		l.pos = len(l.text)
	case "backspace", "ctrl+h":
		if l.pos > 0 {
			l.pos--
			l.text = slices.Delete(l.text, l.pos, l.pos+1)
		}
	case "delete":
		if l.pos < len(l.text) {
			l.text = slices.Delete(l.text, l.pos, l.pos+1)
		}
	default:
		return false
	}
	return true
}

func (l *line) shown(i int) string {
	if l.masked {
		return "*"
	}
	return l.text[i]
}

// view returns w columns of the line and the cursor's column in them, moving
// the window no further than the cursor needs.
func (l *line) view(w int) (string, int) {
	w = max(w, 2)
	l.left = min(l.left, l.pos)
	span := func(from, to int) int {
		n := 0
		for i := from; i < to; i++ {
			n += width(l.shown(i))
		}
		return n
	}
	for l.left < l.pos && span(l.left, l.pos) > w-1 { // a column for the cursor behind the text
		l.left++
	}
	for l.left > 0 && span(l.left-1, len(l.text)) <= w-1 { // no hole at the right after deleting
		l.left--
	}
	var b strings.Builder
	used := 0
	for i := l.left; i < len(l.text); i++ {
		c := l.shown(i)
		if used += width(c); used > w {
			break
		}
		b.WriteString(c)
	}
	return fit(b.String(), w), span(l.left, l.pos)
}
