package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
)

func (f *form) bindings(a *app) []key.Binding {
	bs := []key.Binding{keys.FieldSave, keys.FieldUndo, keys.Leave, keys.Empty, keys.FieldPages}
	if _, fixed := f.shows(f.key()); fixed {
		bs = []key.Binding{bind("enter", "edit it", "enter"), keys.FieldSave, keys.FieldUndo, keys.Leave}
	}
	if strings.HasPrefix(f.key(), transfersKey+".") {
		bs = append([]key.Binding{keys.FieldDiagnose}, bs...)
	}
	if len(f.choicesOf(f.key())) > 0 {
		bs = append([]key.Binding{bind("left/right", "choose")}, bs...)
	}
	if f.judges(a, f.key()).Fix != "" {
		bs = append([]key.Binding{keys.Fix}, bs...)
	}
	return bs
}

// help is the one sentence for the focused field: the verdict and its cure where
// there is something to say, else what the field wants.
func (f *form) help(a *app) string {
	k := f.key()
	field, _ := config.Lookup(k)
	v := f.judges(a, k)
	text := field.Help
	if more := f.says(k); more != "" {
		text = more
	}
	if v.Text != "" && (v.Level >= config.Incomplete || v.Fix != "") {
		text = v.Text
	}
	if a.mailPage().conflicts[k] {
		if !v.Blocks() {
			return a.otherValue(k)
		}
		return clean(a.otherValue(k) + " " + v.Text)
	}
	choices := f.choicesOf(k)
	switch {
	case len(choices) > 0 && v.Level < config.Warning && !strings.Contains(text, strings.Join(choices, ", ")):
		text = "One of: " + strings.Join(choices, ", ") + ". " + text
	case field.Secret && heldIn(a.draft, k).cleared:
		text = "The saved one is removed when you save; ^u keeps it. " + v.Text
	case field.Secret && a.draft.Raw(k) == "" && a.draft.SecretSet(k):
		text += " Backspace removes the saved one."
	}
	switch {
	case v.Fix == "":
	case strings.Contains(text, ": "+v.Fix), strings.Contains(text, "Is "+v.Fix+" meant?"):
		text = strings.TrimRight(text, " ") + " ^f takes it."
	default:
		text = strings.TrimRight(text, " ") + " ^f: " + v.Fix
	}
	return clean(text)
}

// body draws the fields in h lines of w columns: the part around the focused one
// where not all fit, without the gaps then.
func (f *form) body(a *app, w, h int) ([]string, *tea.Position) {
	lines, cursor, row := f.lines(a, w, 0, len(f.keys), len(f.keys) <= h)
	return f.scroll(lines, cursor, row, h)
}

// lines draws the fields from one place in keys up to another. row is the focused
// one's line, or -1.
func (f *form) lines(a *app, w, from, to int, gaps bool) (lines []string, cursor *tea.Position, row int) {
	row = -1
	for i := from; i < to; i++ {
		k := f.keys[i]
		if k == "" {
			if gaps {
				lines = append(lines, "")
			}
			continue
		}
		l, x := f.line(a, k, i == f.at, w)
		if i == f.at {
			row = len(lines)
			cursor = &tea.Position{X: valueAt + x, Y: row}
		}
		lines = append(lines, l)
	}
	return lines, cursor, row
}

// scroll shows the h lines around the focused row.
func (f *form) scroll(lines []string, cursor *tea.Position, row, h int) ([]string, *tea.Position) {
	f.top = max(0, min(f.top, len(lines)-h))
	if row >= 0 {
		f.top = max(min(f.top, row), row-h+1)
	}
	if cursor != nil {
		cursor.Y -= f.top
	}
	return lines[f.top:min(len(lines), f.top+h)], cursor
}

// line is a field's label, value and verdict, and the cursor's column in the value.
func (f *form) line(a *app, k string, focus bool, w int) (string, int) {
	room := min(w-valueAt-verdictW-1, maxValueW)
	counter := ""
	if k == "mail.subject" || strings.HasSuffix(k, ".subject") && a.draft.Raw(k) != "" {
		counter = fmt.Sprintf(" %d/%d  ", config.SubjectCount(a.draft.Raw(k)), config.SubjectClusters)
		room -= len(counter)
	}
	text, x := "", 0
	if shown, ok := f.shows(k); ok {
		text = fit(shown, room)
	} else {
		text, x = f.value(a, k, focus, room)
		if field, _ := config.Lookup(k); !focus && !field.Secret && a.draft.Raw(k) == "" {
			text = faint.Render(fit(f.empties(k), room))
		}
	}
	v, conflict := f.judges(a, k), a.mailPage().conflicts[k]
	if conflict && !v.Blocks() {
		v = config.Verdict{Level: config.Warning, Short: "changed elsewhere"}
	}
	return marks(focus, a.draft.Changed(k), conflict) + fit(label(k), valueAt-2) + text + faint.Render(counter) + " " + verdict(v), x
}

// What stands in the field of a secret that is saved, and how it is removed.
const (
	notShown = "set, not shown"
	removes  = "; Backspace removes it"
	removed  = "will be removed"
)

// value is a field's text in w columns, and the cursor's column in it.
func (f *form) value(a *app, k string, focus bool, w int) (string, int) {
	field, _ := config.Lookup(k)
	raw := a.draft.Raw(k)
	switch full := notShown + removes; {
	case !field.Secret || raw != "":
	case a.draft.SecretSet(k) && focus && width(full) <= w:
		return faint.Render(fit(full, w)), 0
	case a.draft.SecretSet(k):
		return faint.Render(fit(notShown, w)), 0
	case a.draft.Changed(k):
		return fit(removed, w), 0
	}
	if focus {
		return f.edit.view(w)
	}
	if field.Secret {
		raw = strings.Repeat("*", len(clusters(raw)))
	}
	return fit(clean(raw), w), 0
}
