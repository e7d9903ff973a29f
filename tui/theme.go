package tui

import (
	"strings"

	"charm.land/lipgloss/v2"

	"watchpost/engine/config"
)

// The looks: one accent, faint rules, bold where the eye should go. Nothing is
// told by a style alone, so that a terminal without any of them loses nothing.
var (
	accent = lipgloss.NewStyle().Foreground(lipgloss.Cyan).Bold(true)
	strong = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	good   = lipgloss.NewStyle().Foreground(lipgloss.Green)
	uneasy = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	bad    = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
	marked = lipgloss.NewStyle().Reverse(true)
)

// levelStyle is the style of a verdict's mark.
func levelStyle(l config.Level) lipgloss.Style {
	switch l {
	case config.OK:
		return good
	case config.Warning:
		return uneasy
	case config.Error:
		return bad
	}
	return faint
}

// rule is a line across the screen. ASCII: it is as calm, and costs a third.
func rule(w int) string {
	return " " + faint.Render(strings.Repeat("-", max(0, w-2)))
}
