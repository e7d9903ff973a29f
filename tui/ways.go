package tui

import (
	"strings"

	"watchpost/engine/event"
)

// wayText is how a way in does: its state, and why it is not ready where that does not
// stand among the problems.
func wayText(w event.Way) string {
	text := clean(w.State)
	if w.How != "" {
		text += ", " + clean(w.How)
	}
	if w.Problem != "" && w.Quiet {
		text += ": " + clean(w.Problem)
	}
	return text
}

// waysIn adds a line for each way in beside this terminal.
func (a *app) waysIn(w int, lines []string) []string {
	for _, way := range a.status.Ways {
		name, label := clean(way.Name), map[string]string{"ssh": "SSH", "serial": "Serial console"}[way.Kind]
		if name != "" {
			name += "  "
		}
		lines = append(lines, pairs(w, label, name+wayText(way))...)
	}
	return lines
}

// consolesNow is a sentence of how the serial consoles do, for the help of their field.
func (a *app) consolesNow() string {
	var all []string
	for _, w := range a.status.Ways {
		if w.Kind == "serial" {
			all = append(all, clean(w.Name)+" "+clean(w.State))
		}
	}
	if all == nil {
		return ""
	}
	return "Now: " + strings.Join(all, ", ") + "."
}
