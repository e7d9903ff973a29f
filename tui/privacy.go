package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// Privacy mode at one key. On is at once: who wants it wants it now, and P again
// takes it back; it is a capital, so that no slip of a finger disarms the box.
// Off asks, for from then on the camera sees again.

type privacyMsg struct {
	on  bool
	err error
}

func (c calls) privacy(on bool) tea.Cmd {
	return c.within(callTime, func(ctx context.Context) tea.Msg {
		return privacyMsg{on, c.b.Privacy(ctx, on)}
	})
}

// switchPrivacy switches privacy mode to what it is not.
func (a *app) switchPrivacy() tea.Cmd {
	m := a.status.Privacy
	switch {
	case !a.known:
		a.say = "The engine has not answered yet: it is not known whether privacy mode is on."
	case !m.On:
		a.say = "Switching privacy mode on."
		return a.privacy(true)
	default:
		text := "Privacy mode is on since " + since(m.Since, a.clock()) + by(m.By) + ". Switch it off? Images are taken and triggers fire again."
		switch m.By {
		case event.BySchedule:
			text = "Privacy mode is on" + by(m.By) + ". Switch it off? It comes on again when the schedule's next time begins."
		case event.ByLine:
			text = "Privacy mode is on" + by(m.By) + ". Switch it off? It comes on again when the line is next active."
		}
		a.qu = yesNo(text, "switch off", "stay private", func() tea.Cmd { return a.privacy(false) })
	}
	return nil
}

func (a *app) privacySwitched(m privacyMsg) {
	switch {
	case m.err != nil && m.on:
		a.say = "Privacy mode is NOT on: " + because(m.err)
	case m.err != nil:
		a.say = "Privacy mode was not switched off: " + because(m.err)
	case m.on:
		a.say = "Privacy mode is on: no image is taken, no trigger fires. P switches it off."
	default:
		a.say = "Privacy mode is off."
	}
}

// state is the word for the header.
func (a *app) state() string {
	if m := a.status.Privacy; m.On && !m.Since.IsZero() {
		return "privacy since " + since(m.Since, a.clock())
	}
	return clean(a.status.State)
}

// privacyLine is for the Status page; empty where there is nothing to tell.
func (a *app) privacyLine(w int) []string {
	m := a.status.Privacy
	switch {
	case m.On:
		rest := "since " + since(m.Since, a.clock()) + by(m.By)
		if ends := "until " + until(m.Until, a.clock()); !m.Until.IsZero() {
			if rest += " " + ends; 22+width(rest) >= w { // since when stands in the header
				rest = ends + by(m.By)
			}
		}
		if hint := "; P switches it off"; 22+width(rest+hint) < w {
			rest += hint
		}
		return []string{fact("Privacy", "on", rest, "", w)}
	case m.Overruled:
		return []string{fact("Privacy", "off", "by a person, until its schedule or line is over", "", w)}
	}
	return nil
}

// by says what switched privacy mode on.
func by(b event.PrivacyBy) string {
	switch b {
	case event.ByPerson:
		return " (by a person)"
	case event.BySchedule:
		return " (by its schedule)"
	case event.ByLine:
		return " (by its input line)"
	}
	return ""
}

// since writes a time that is past, to the minute: with its date where it is not today.
func since(t, now time.Time) string {
	t = t.In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}
