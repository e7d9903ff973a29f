package term

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// substitutes are ASCII stand-ins of the same width.
var substitutes = strings.NewReplacer(
	"─", "-", "│", "|", "…", "~", "–", "-", "—", "-", "−", "-", "·", ".", "•", "*", "×", "x", "≤", "<", "≥", ">",
	"‘", "'", "’", "'", "“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`, "\u00a0", " ",
)

// ASCII folds a frame to 0x20–0x7e, line feeds and escape sequences, keeping
// every cell's place: a character of n cells becomes n question marks.
func ASCII(frame string) string {
	if isASCII(frame) {
		return frame
	}
	frame = substitutes.Replace(frame)
	var b strings.Builder
	b.Grow(len(frame))
	var state byte
	for len(frame) > 0 {
		seq, width, n, next := ansi.DecodeSequenceWc(frame, state, nil)
		switch {
		case isASCII(seq):
			b.WriteString(seq)
		case width > 0:
			b.WriteString(strings.Repeat("?", width))
		}
		frame, state = frame[n:], next
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x7f {
			return false
		}
	}
	return true
}
