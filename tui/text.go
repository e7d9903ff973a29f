package tui

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// clean makes foreign words harmless: a server's reply, a site's name, what the
// system said. Control characters (escape sequences start with one) become
// spaces, what reorders text is taken out, and what is not UTF-8 is a '?'.
func clean(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == utf8.RuneError:
			b.WriteByte('?')
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			b.WriteByte(' ')
		case unicode.Is(unicode.Bidi_Control, r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Width is counted as the renderer counts it: by grapheme cluster, each as wide
// as wcwidth says.
func width(s string) int { return ansi.StringWidthWc(s) }

// cut shortens s, which may hold styles, to w columns and marks that it did.
// (ansi.TruncateWc counts some clusters too narrow.)
func cut(s string, w int) string {
	if w <= 0 {
		return ""
	}
	if width(s) <= w {
		return s
	}
	var b strings.Builder
	var state byte
	used, full := 0, false
	for len(s) > 0 {
		seq, cells, n, next := ansi.DecodeSequence(s, state, nil)
		if cells > 0 {
			_, cells = ansi.FirstGraphemeCluster(seq, ansi.WcWidth)
		}
		switch {
		case cells == 0 && seq != "":
			b.WriteString(seq) // a style, which may be one that ends
		case full:
		case used+cells > w-1:
			b.WriteByte('~')
			full = true
		default:
			b.WriteString(seq)
			used += cells
		}
		s, state = s[n:], next
	}
	return b.String()
}

// fit makes s exactly w columns wide.
func fit(s string, w int) string {
	s = cut(s, w)
	return s + strings.Repeat(" ", max(0, w-width(s)))
}

// cutLeft shortens unstyled text to its last w columns.
func cutLeft(s string, w int) string {
	if w <= 0 {
		return ""
	}
	if width(s) <= w {
		return s
	}
	cs := clusters(s)
	from, used := len(cs), 0
	for from > 0 && used+width(cs[from-1]) <= w-1 {
		from--
		used += width(cs[from])
	}
	return fit("~"+strings.Join(cs[from:], ""), w)
}

// spread puts left at the left edge and right at the right one, w columns in
// all; the left one gives way.
func spread(left, right string, w int) string {
	r := min(width(right), w)
	return fit(left, w-r) + cut(right, r)
}

// wrap breaks s into at most n lines of w columns; the last one is cut. Dates and
// names with hyphens stay whole.
func wrap(s string, w, n int) []string {
	if s == "" || n <= 0 || w <= 0 {
		return nil
	}
	const hyphen = "\u2011" // one that does not break
	whole := ansi.WrapWc(strings.ReplaceAll(s, "-", hyphen), w, "")
	lines := strings.Split(strings.ReplaceAll(whole, hyphen, "-"), "\n")
	if len(lines) > n {
		lines[n-1] = cut(lines[n-1]+" "+lines[n], w)
		lines = lines[:n]
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

// hang puts text behind head and goes on below its beginning: at most n lines of
// w columns.
func hang(head, text string, w, n int) []string {
	at := width(head)
	lines := wrap(text, w-at, n)
	if len(lines) == 0 {
		return []string{cut(head, w)}
	}
	for i := range lines {
		lines[i] = cut(head+lines[i], w)
		head = strings.Repeat(" ", at)
	}
	return lines
}

// beside puts text behind head where it fits, else below it, indented: at most
// n lines of w columns there.
func beside(head, text string, indent, w, n int) []string {
	if width(head)+width(text) <= w {
		return []string{head + text}
	}
	return append([]string{cut(strings.TrimRight(head, " "), w)}, hang(strings.Repeat(" ", indent), text, w, n)...)
}

// clusters splits s into what a person takes for single characters.
func clusters(s string) []string {
	var out []string
	for len(s) > 0 {
		c, _ := ansi.FirstGraphemeCluster(s, ansi.WcWidth)
		if c == "" {
			break
		}
		out = append(out, c)
		s = s[len(c):]
	}
	return out
}

// size writes bytes in SI units, as the configuration does.
func size(n int64) string {
	f := float64(max(n, 0))
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if f < 1000 {
			if unit == "B" || f >= 100 {
				return fmt.Sprintf("%.0f %s", f, unit)
			}
			return fmt.Sprintf("%.1f %s", f, unit)
		}
		f /= 1000
	}
	return fmt.Sprintf("%.1f TB", f)
}

// count writes a counter in at most five columns.
func count(n uint64) string {
	switch {
	case n < 100_000:
		return fmt.Sprint(n)
	case n < 10_000_000:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprintf("%dM", n/1_000_000)
}

// plural writes "1 problem", "3 problems", "2 addresses".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// until writes a time to come, to the minute: with its weekday where it is not
// today, with its date where that is more than six days ahead.
func until(t, now time.Time) string {
	t = t.In(now.Location())
	y, m, d := now.Date()
	day := func(n int) time.Time { return time.Date(y, m, d+n, 0, 0, 0, 0, now.Location()) }
	switch {
	case t.Before(day(1)):
		return t.Format("15:04")
	case t.Before(day(7)):
		return t.Format("Mon 15:04")
	}
	return t.Format("2 Jan 15:04")
}

// moment writes a time as short as the day allows, seen from now.
func moment(t, now time.Time) string {
	t = t.In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("_2 Jan 15:04")
}
