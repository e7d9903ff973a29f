package tui

import (
	"fmt"
	"slices"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
)

// activeTime edits an active time: a line for each span with its days, from and
// to, over the week that they make. What stands in the draft is always whole: a
// digit that would make no time is refused, so that nothing here can be half typed.
type activeTime struct {
	key     string // of the field
	row     int    // the span
	col     int    // a day of week, fromCol or toCol
	digit   int    // of the time, 0 to 3
	changed bool   // in this visit to the cell
	top     int
}

// Columns of a span: seven days, the holidays, from and to.
const (
	holidayCol = 7
	fromCol    = 8
	toCol      = 9
	cols       = 10
)

// week is the days in the order in which they are shown.
var week = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}

const (
	wholeDay = 24 * 60
	maxSpans = 28
)

// drafted is the configuration with what was typed, where that stands.
func (a *app) drafted() config.Config {
	c, _, _ := config.PatchFor(a.settings.Config, config.Secrets{}, a.draft.Changes())
	return c
}

// activeOf is the active time that a field of the draft stands for.
func (a *app) activeOf(k string) []config.Span {
	c := a.drafted()
	if k == privacyActive {
		return c.Privacy.Active
	}
	if i := a.item(triggersKey, itemOf(k)); i >= 0 && i < len(c.Triggers) {
		return c.Triggers[i].Active
	}
	return nil
}

// activeText is spans as the field has them.
func activeText(spans []config.Span) string {
	c := config.Config{Triggers: []config.Trigger{{Name: "x", Active: spans}}}
	return config.NewDraft(config.Settings{Config: c}).Raw("triggers.x.active")
}

// put changes the draft. A visit to a cell is one step of undo, but for what adds
// or removes a span.
func (p *activeTime) put(a *app, spans []config.Span) {
	if text := activeText(spans); text != a.draft.Raw(p.key) {
		a.mailPage().set(a, p.key, held{raw: text}, p.changed)
		p.changed = true
	}
}

// at enters a cell.
func (p *activeTime) at(row, col int) { p.row, p.col, p.digit, p.changed = row, col, 0, false }

// press takes a key; closed: the editor is left.
func (p *activeTime) press(a *app, k tea.KeyPressMsg) (closed, taken bool) {
	spans := a.activeOf(p.key)
	p.row = max(0, min(p.row, len(spans)-1))
	switch name := k.String(); {
	case key.Matches(k, keys.Leave, keys.Enter):
		return true, true
	case key.Matches(k, keys.FieldUndo):
		p.undo(a)
	case name == "a":
		p.add(a, spans)
	case key.Matches(k, keys.Help): // the app's
		return false, false
	case len(spans) == 0 && (k.Text != "" || slices.Contains([]string{"left", "right", "up", "down", "tab", "shift+tab", "home", "end", "delete", "backspace"}, name)):
		a.say = p.none()
	case name == "x", name == "delete":
		p.changed = false
		p.put(a, slices.Delete(spans, p.row, p.row+1))
		p.at(max(0, min(p.row, len(spans)-2)), p.col)
	case name == "up":
		p.at((p.row+len(spans)-1)%len(spans), p.col)
	case name == "down":
		p.at((p.row+1)%len(spans), p.col)
	case name == "left", name == "shift+tab":
		p.at(p.row, (p.col+cols-1)%cols)
	case name == "right", name == "tab":
		p.at(p.row, (p.col+1)%cols)
	case name == "home":
		p.at(p.row, 0)
	case name == "end":
		p.at(p.row, toCol)
	case name == "space" && p.col <= holidayCol:
		p.toggle(a, spans)
	case name == "backspace", name == "ctrl+h":
		p.digit = max(0, p.digit-1)
	case name == ":" && p.col > holidayCol:
	case len(name) == 1 && name[0] >= '0' && name[0] <= '9' && p.col > holidayCol:
		p.typed(a, spans, int(name[0]-'0'))
	case len(name) == 1 && name[0] >= '0' && name[0] <= '9':
		p.at(p.row, fromCol) // a digit can only be meant for a time
		p.typed(a, spans, int(name[0]-'0'))
	case k.Text != "":
		a.say = "Space switches a day, digits set a time, a adds a span, x removes one, Enter is done."
	default:
		return false, false
	}
	return false, true
}

func (p *activeTime) undo(a *app) {
	m := a.mailPage()
	for i := len(m.undo) - 1; i >= 0; i-- {
		if m.undo[i].key == p.key {
			m.takeBackAt(a, i)
			a.say = label(p.key) + " is as it was before."
			p.changed = false
			return
		}
	}
	a.say = "Nothing to undo here."
}

// add adds a span like the one under the cursor, or a first one: of all days, whole.
func (p *activeTime) add(a *app, spans []config.Span) {
	if len(spans) == maxSpans {
		a.say = fmt.Sprintf("There are %d spans, and no more can be added.", maxSpans)
		return
	}
	s := config.Span{To: wholeDay}
	if len(spans) == 0 {
		s = config.Span{From: 18 * 60, To: 6 * 60} // what most triggers are for: the night
		if p.key == privacyActive {
			s = config.Span{From: 8 * 60, To: 18 * 60} // the day, when people are about
		}
	} else {
		s = spans[p.row]
		s.Days = slices.Clone(s.Days)
	}
	p.changed = false
	p.put(a, append(spans, s))
	p.at(len(spans), 0)
}

// on reports whether a span has a day of week, or the holidays.
func on(s config.Span, col int) bool {
	switch {
	case len(s.Days) == 0 && !s.Holiday:
		return true
	case col == holidayCol:
		return s.Holiday
	}
	return slices.Contains(s.Days, week[col])
}

func (p *activeTime) toggle(a *app, spans []config.Span) {
	var days []time.Weekday
	holiday := false
	for col := range fromCol {
		switch is := on(spans[p.row], col) != (col == p.col); {
		case !is:
		case col == holidayCol:
			holiday = true
		default:
			days = append(days, week[col])
		}
	}
	switch {
	case len(days) == 0 && !holiday: // in the file that would be every day
		a.say = "A span needs a day; x removes the span."
		return
	case len(days) == len(week) && holiday:
		days, holiday = nil, false
	}
	spans[p.row].Days, spans[p.row].Holiday = days, holiday
	p.put(a, spans)
}

// typed puts a digit into the time under the cursor and goes on.
func (p *activeTime) typed(a *app, spans []config.Span, d int) {
	s := &spans[p.row]
	at, most := &s.From, 23
	if p.col == toCol {
		at, most = &s.To, 24
	}
	hour, minute := *at/60, *at%60
	switch p.digit {
	case 0:
		if hour = d*10 + hour%10; hour > most && d*10 <= most {
			hour = d * 10
		}
	case 1:
		hour = hour/10*10 + d
	case 2:
		minute = d*10 + minute%10
	case 3:
		minute = minute/10*10 + d
	}
	if hour == 24 && p.digit < 2 {
		minute = 0
	}
	switch {
	case hour > most && most == 24:
		a.say = "A span ends at 24:00 at the latest; one that ends before it begins runs over midnight."
		return
	case hour > most:
		a.say = "A span begins from 00:00 to 23:59."
		return
	case minute > 59:
		a.say = "Minutes run from 00 to 59."
		return
	case hour == 24 && minute > 0:
		a.say = "24:00 is the end of the day."
		return
	}
	*at = hour*60 + minute
	p.put(a, spans)
	switch {
	case p.digit < 3:
		p.digit++
	case p.col == fromCol:
		p.at(p.row, toCol)
	}
}

// none says what no span stands for.
func (p *activeTime) none() string {
	if p.key == privacyActive {
		return "Privacy mode is switched by hand only, with P. a adds a span: within its times it is on by itself."
	}
	return "Always active. a adds a span: from then on only its times are."
}

// help is the message while the editor is open.
func (p *activeTime) help(a *app) string {
	spans := a.activeOf(p.key)
	switch {
	case len(spans) == 0:
		return p.none()
	case p.col == holidayCol && len(a.drafted().Site.Holidays) == 0:
		return "No holidays are set: they stand on the System page. A span that names days covers a holiday only where this is on."
	case p.col == holidayCol:
		return "A holiday is no weekday: a span that names days covers it only where this is on."
	case p.col < holidayCol:
		return "Space switches the day. A span belongs to the day on which it begins, over midnight too."
	case p.col == toCol:
		return "Four digits. Before from, or the same: over midnight into the next day; 24:00 is the day's end."
	}
	return "Four digits, such as 1800. The same as to: the whole day."
}

func (p *activeTime) bindings() []key.Binding {
	return []key.Binding{bind("arrows", "move"), bind("space", "day"), bind("0-9", "time"), bind("a", "add", "a"), bind("x", "remove", "x"), bind("enter", "done", "enter"), keys.FieldUndo}
}

// helpBindings are all its keys, for the help.
func (p *activeTime) helpBindings() []key.Binding {
	return []key.Binding{bind("arrows,tab", "move"), bind("home, end", "first, last"), bind("space", "day on/off"), bind("0-9", "from, to"),
		bind("a", "add a span"), bind("x, delete", "remove a span"), keys.FieldUndo, bind("enter, esc", "done")}
}

// clockText is minutes after midnight as HH:MM.
func clockText(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }

// body draws the spans and the week that they make.
func (p *activeTime) body(a *app, w, h int) ([]string, *tea.Position) {
	spans := a.activeOf(p.key)
	holidays, now := a.drafted().Site.Holidays, a.clock()
	p.row = max(0, min(p.row, len(spans)-1))
	title := "Active time of " + clean(itemOf(p.key))
	if p.key == privacyActive {
		title = "Privacy mode by itself"
		if len(spans) == 0 {
			return []string{"  " + strong.Render(title), "", "  No span: it is switched by hand only, with P."}, nil
		}
	}
	head := []string{spread("  "+strong.Render(title), activeNow(spans, holidays, now)+"  ", w)}
	view := weekView(spans, holidays, now, w)
	if h < len(view)+6 { // a small screen: the spans first, the week where there is room
		view = view[:max(0, min(len(view), h-6))]
	}
	rows := max(1, h-len(head)-len(view)-3)
	if len(spans) == 0 {
		return append(append(head, "", "  No span: it is always active.", ""), view...), nil
	}
	lines := append(head, faint.Render("  Span  Mon Tue Wed Thu Fri Sat Sun Hol   From    To"))
	p.top = max(min(p.top, p.row), p.row-rows+1, 0)
	p.top = min(p.top, max(0, len(spans)-rows))
	var cursor *tea.Position
	for i := p.top; i < min(len(spans), p.top+rows); i++ {
		s := spans[i]
		l := fmt.Sprintf("  %-6d", i+1)
		if i == p.row {
			l = accent.Render(">") + fmt.Sprintf(" %-6d", i+1)
		}
		for col := range fromCol {
			mark := "[ ] "
			if on(s, col) {
				mark = "[x] "
			}
			l += mark
		}
		l += "  " + clockText(s.From) + "   " + clockText(s.To)
		switch {
		case s.From == s.To:
			l += "  whole day"
		case s.To < s.From && w < 70:
			l += "  +1 d"
		case s.To < s.From:
			l += "  next day"
		}
		if i == p.row {
			x := 8 + 4*p.col + 1
			switch p.col {
			case fromCol:
				x = 42 + p.digit + p.digit/2
			case toCol:
				x = 50 + p.digit + p.digit/2
			}
			cursor = &tea.Position{X: x, Y: len(lines)}
		}
		lines = append(lines, cut(l, w-1))
	}
	lines = append(lines, "")
	return append(lines, view...), cursor
}
