package tui

import (
	"fmt"
	"slices"
	"strings"

	"watchpost/engine/event"
)

// account shows where every firing went.
func account(c event.Account, w int) []string {
	var lines []string
	l := fmt.Sprintf("  fired %d =", c.Fired)
	for i, x := range []struct {
		what string
		n    uint64
	}{{"mailed", c.Mailed}, {"summarised", c.Summarised}, {"queued", c.Queued}, {"held", c.Held}, {"dropped", c.Dropped},
		{"outside", c.Outside}, {"extended", c.Extended}, {"silent", c.Silent}} {
		if x.n == 0 && i > 0 { // it adds up without
			continue
		}
		term := fmt.Sprintf(" %s %d", x.what, x.n)
		if i > 0 {
			term = " +" + term
		}
		if width(l+term) > w-2 {
			lines, l = append(lines, l), strings.Repeat(" ", 7)
		}
		l += term
	}
	lines = append(lines, l)
	var reasons []string
	for r, n := range c.SilentReasons {
		if n > 0 {
			reasons = append(reasons, fmt.Sprintf("%s %d", strings.ReplaceAll(clean(string(r)), "_", " "), n))
		}
	}
	slices.Sort(reasons)
	if len(reasons) > 0 {
		lines = append(lines, hang("  silent: ", strings.Join(reasons, ", "), w-1, 2)...)
	}
	if !c.Balanced() {
		lines = append(lines, "  "+bad.Render("!")+" The account does not add up. Please report this.")
	}
	return lines
}

// bufferText says how much the image buffer holds.
func bufferText(b event.Buffer) string {
	if b.Fit == 0 {
		return size(b.MaxBytes) + ", no image yet"
	}
	return fmt.Sprintf("%s, about %s fit: the last %.0f s", size(b.MaxBytes), plural(b.Fit, "image"), b.Seconds)
}

// pairs draws names with their values, which go on below where they are long.
func pairs(w int, nameValue ...string) []string {
	var lines []string
	for i := 0; i+1 < len(nameValue); i += 2 {
		lines = append(lines, hang("  "+fit(nameValue[i], 16), nameValue[i+1], w-1, 3)...)
	}
	return lines
}
