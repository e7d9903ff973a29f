package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

func fine(short string) Verdict { return Verdict{Level: OK, Short: short} }

const incomplete = "incomplete"

func half(text string) Verdict { return Verdict{Level: Incomplete, Short: incomplete, Text: text} }

// below is a number that may become large enough while it is being typed.
func below(least, text string) Verdict {
	return Verdict{Level: Incomplete, Short: "at least " + least, Text: text}
}

func wary(short, text string) Verdict { return Verdict{Level: Warning, Short: short, Text: text} }

func wrong(short, text string) Verdict { return Verdict{Level: Error, Short: short, Text: text} }

func (v Verdict) fix(value string) Verdict { v.Fix = value; return v }

// Blocks reports that the value cannot be saved.
func (v Verdict) Blocks() bool { return v.Level == Incomplete || v.Level == Error }

// message is the longest wording there is.
func (v Verdict) message() string {
	if v.Text != "" {
		return v.Text
	}
	return v.Short
}

// severity orders levels by how much they matter.
func (l Level) severity() int {
	return [...]int{Empty: 0, OK: 1, Warning: 2, Incomplete: 3, Error: 4}[l]
}

// String is the one line that `check` prints: FILE:LINE: key: message.
func (f Finding) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(f.Line))
		}
		b.WriteString(": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key)
		b.WriteString(": ")
	}
	if f.Level == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(f.message())
	return oneLine(b.String())
}

// oneLine makes foreign text harmless for a line of a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// isControl tells of characters that move a cursor, break a line or turn the
// reading direction: Cc, the line and paragraph separators, the bidi controls.
func isControl(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 ||
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}

func hasControl(s string) bool { return strings.IndexFunc(s, isControl) >= 0 }

// quote shows a piece of foreign text in a message, cut to a readable length.
func quote(s string) string {
	const most = 24
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return `"` + oneLine(s) + `"`
}

// hasErrors reports whether any finding forbids using the configuration.
func hasErrors(fs []Finding) bool {
	for _, f := range fs {
		if f.Level == Error {
			return true
		}
	}
	return false
}

// firstOf gives the first finding as a verdict: a list is judged by its first fault.
func firstOf(fs []Finding, otherwise Verdict) Verdict {
	worst := otherwise
	for _, f := range fs {
		if f.Level.severity() > worst.Level.severity() {
			worst = f.Verdict
			if f.Key != "" {
				worst.Text = f.Key + ": " + f.message()
			}
		}
	}
	return worst
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
