package tui

import (
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
)

// Columns of the form: marks and label, the value, the verdict.
const (
	valueAt    = 18
	verdictW   = 24 // two columns of mark, two of space, twenty of words
	maxValueW  = 60
	panelLines = 12 // free lines from which the panel stands under the form
)

func (p *mailPage) bindings(a *app) []key.Binding {
	switch {
	case p.focused():
		bs := []key.Binding{keys.FieldTest, keys.FieldDiagnose, keys.FieldSave, keys.FieldUndo, keys.Leave, keys.Empty}
		if len(p.choicesOf(p.focusedKey())) > 0 {
			bs = append([]key.Binding{bind("left/right", "choose")}, bs...)
		}
		if p.verdict(a, p.focusedKey()).Fix != "" {
			bs = append([]key.Binding{keys.Fix}, bs...)
		}
		return bs
	case p.walk != nil && !p.walk.over && p.walk.cancel != nil:
		return []key.Binding{bind("esc", "cancel")}
	case p.walk != nil && !p.walk.over:
		return []key.Binding{bind("esc", "close; the mail goes on")}
	case p.walk != nil:
		bs := []key.Binding{bind("esc", "close"), keys.Test, keys.Diagnose}
		if f := p.walk.failed(); f != nil {
			bs = append([]key.Binding{bind("enter", "go to the field")}, bs...)
		}
		if p.walk.saved && !p.walk.ok && a.settings.LastGood {
			bs = append([]key.Binding{keys.Good}, bs...)
		}
		return bs
	}
	return []key.Binding{keys.Test, keys.Diagnose, keys.Save, keys.Undo, bind("tab", "fields")}
}

func (p *mailPage) hint(a *app) string {
	switch {
	case a.draft == nil:
		return ""
	case p.walk != nil && !p.walk.over:
		return "Triggers go on meanwhile."
	case p.walk != nil && len(p.walk.steps) > 0:
		return "Up and down show all that a step told."
	case p.walk != nil:
		return ""
	case len(p.inConflict()) > 0:
		return "Changed elsewhere as well: " + p.overwrites() + ". Enter the field to see the other value; u takes it."
	case a.unsaved() > 0:
		return plural(a.unsaved(), "unsaved change") + ": w saves, d tries them without saving, u takes the last one back."
	}
	return "Tab or Enter enters the first field. After the subject: hold-off, budget."
}

func (p *mailPage) fieldHelp(a *app) string { return p.help(a) }

func (p *mailPage) body(a *app, w, h int) ([]string, *tea.Position) {
	if a.draft == nil {
		return []string{"", "  Waiting for the engine to tell the configuration."}, nil
	}
	first, cursor, row := p.lines(a, w, 0, secondPart, true)
	first = append(first, p.sentAs(a, w))
	if p.walk != nil {
		progressed := ""
		if sent, ok := a.sending(p.walk.mailID); ok && !p.walk.over {
			progressed = progress(sent)
		}
		if h-len(first) >= panelLines {
			lines := append(first, "", rule(w))
			return append(lines, p.walk.lines(w, h-len(lines), progressed)...), nil
		}
		return p.walk.lines(w, h, progressed), nil
	}
	form := first
	second, cursor2, row2 := p.lines(a, w, secondPart, len(mailFields), true)
	heading := faint.Render("  How much is mailed")
	switch {
	case h >= len(first)+len(second)+3: // all of it, with air
		form = append(form, "", heading)
		if cursor2 != nil {
			cursor2.Y += len(form)
			cursor = cursor2
		}
		form = append(form, second...)
	case p.at >= secondPart:
		heading += faint.Render(" (shift+tab goes back to the subject)")
		form, cursor, row = append([]string{heading}, second...), cursor2, row2+1
		cursor.Y++
	}
	if h-len(form) >= 2 { // air above the form
		form = append([]string{a.demoLine(w)}, form...)
		if cursor != nil {
			cursor.Y++
		}
		return form, cursor
	}
	return p.scroll(form, cursor, row, h)
}

// demoLine says above the form what a save in the demo is worth.
func (a *app) demoLine(w int) string {
	switch {
	case a.status.Mode != "demo":
		return ""
	case w < 76:
		return faint.Render("  Demo: in force until you leave; nothing is kept.")
	}
	return faint.Render("  Demo: what is saved here is in force until you leave; nothing is kept.")
}

// marks are the first two columns: > the focused field, * a changed one, ! one
// that was changed elsewhere too.
func marks(focus, changed, conflict bool) string {
	f, c := " ", " "
	if focus {
		f = accent.Render(">")
	}
	switch {
	case conflict:
		c = bad.Render("!")
	case changed:
		c = strong.Render("*")
	}
	return f + c
}

func verdict(v config.Verdict) string {
	mark := v.Level.Mark()
	if mark == "" && v.Short == "" {
		return ""
	}
	return levelStyle(v.Level).Render(fit(mark, 2)) + "  " + cut(clean(v.Short), 20)
}

// sentAs shows the subject as it would be sent for a trigger at the beginning
// of this minute of the box's clock.
func (p *mailPage) sentAs(a *app, w int) string {
	subject := clean(a.draft.Raw("mail.subject"))
	if subject == "" {
		return ""
	}
	s := subject + ":" + config.Stamp(a.clock().Truncate(time.Minute), a.draft.Raw("mail.dst_mark") == "true")
	const name = "  Sent as"
	if at := min(valueAt, w-1-width(s)); at > len(name)+1 {
		return faint.Render(fit(name, at) + s)
	}
	return faint.Render(name + "  " + cutLeft(s, w-len(name)-3))
}
