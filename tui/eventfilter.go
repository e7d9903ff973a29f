package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// eventFilter chooses the events that are listed: by trigger, and by the days on
// which they began. It is edited in one line above the list.
type eventFilter struct {
	trigger  string // empty: all
	from, to time.Time

	line *filterBar // while it is edited
}

// filterBar is the line of three fields: trigger, from, to.
type filterBar struct {
	at       int      // 0, 1, 2
	triggers []string // to choose from; the first is all
	chosen   int
	days     [2]line
}

func (f *eventFilter) set() bool     { return f.trigger != "" || !f.from.IsZero() || !f.to.IsZero() }
func (f *eventFilter) editing() bool { return f.line != nil }

// filter is what the engine is asked for; the last day is whole.
func (f *eventFilter) filter(time.Time) event.Filter {
	x := event.Filter{Trigger: f.trigger, From: f.from}
	if !f.to.IsZero() {
		y, m, d := f.to.Date()
		x.To = time.Date(y, m, d+1, 0, 0, 0, 0, f.to.Location())
	}
	return x
}

const dayForm = "2006-01-02"

// text says what is chosen: yard, from 2026-11-20 to 2026-11-23.
func (f *eventFilter) text() string {
	var all []string
	if f.trigger != "" {
		all = append(all, clean(f.trigger))
	}
	switch {
	case f.from.IsZero() && f.to.IsZero():
	case f.from.Equal(f.to):
		all = append(all, "of "+f.from.Format(dayForm))
	case f.to.IsZero():
		all = append(all, "from "+f.from.Format(dayForm))
	case f.from.IsZero():
		all = append(all, "to "+f.to.Format(dayForm))
	default:
		all = append(all, "from "+f.from.Format(dayForm)+" to "+f.to.Format(dayForm))
	}
	return strings.Join(all, ", ")
}

// edit opens the line: the triggers to choose from are those of the configuration
// and those that stored events name, which may be gone.
func (f *eventFilter) edit(a *app) {
	b := &filterBar{triggers: []string{""}}
	add := func(name string) {
		if name != "" && !slices.Contains(b.triggers, name) {
			b.triggers = append(b.triggers, name)
		}
	}
	for _, t := range a.status.Triggers {
		add(t.Name)
	}
	add(f.trigger)
	for _, e := range a.eventsPage().events {
		add(e.Trigger)
	}
	b.chosen = max(0, slices.Index(b.triggers, f.trigger))
	for i, t := range []time.Time{f.from, f.to} {
		if !t.IsZero() {
			b.days[i] = newLine(t.Format(dayForm), false)
		}
	}
	f.line = b
}

// parseDay reads 2026-11-23, 11-23 (the last one that there was), today or
// yesterday; begun: it is none yet, but may become one.
func parseDay(s string, now time.Time) (day time.Time, begun, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	switch s {
	case "":
		return time.Time{}, false, true
	case "today":
		return today, false, true
	case "yesterday":
		return time.Date(y, m, d-1, 0, 0, 0, 0, now.Location()), false, true
	}
	if t, err := time.ParseInLocation(dayForm, s, now.Location()); err == nil {
		return t, false, true
	}
	for year := y; year > y-5 && len(s) == 5; year-- { // 02-29 may be some years ago
		if t, err := time.ParseInLocation(dayForm, fmt.Sprintf("%04d-%s", year, s), now.Location()); err == nil && !t.After(today) {
			return t, false, true
		}
	}
	begun = strings.Trim(s, "0123456789-") == "" && len(s) < len(dayForm) || strings.HasPrefix("today", s) || strings.HasPrefix("yesterday", s)
	return time.Time{}, begun, false
}

// verdict judges a day as it is typed, and both together.
func (b *filterBar) verdict(i int, now time.Time) (mark, text string) {
	const how = "A day is 2026-11-23, 11-23, today or yesterday. Empty: no bound."
	day, begun, ok := parseDay(b.days[i].String(), now)
	from, _, fromOK := parseDay(b.days[0].String(), now)
	to, _, toOK := parseDay(b.days[1].String(), now)
	switch {
	case begun:
		return "..", how
	case !ok:
		return "!", "That is no day. " + how
	case fromOK && toOK && !from.IsZero() && !to.IsZero() && to.Before(from):
		return "!", "The last day is before the first one."
	case day.IsZero():
		return "", how
	}
	return "ok", day.Format("Monday 2 January 2006") + ". The day counts whole."
}

// The page as an editor: the line above the list, of the filter or of an export.

func (p *eventsPage) focused() bool { return p.filter.editing() || p.export.editing() }

func (p *eventsPage) leave(*app) {
	p.filter.line = nil
	if p.export.editing() {
		p.export = nil
	}
}

func (p *eventsPage) fieldHelp(a *app) string {
	if p.export.editing() {
		_, text := p.export.verdict(a.files.Dir)
		return text
	}
	b := p.filter.line
	if b.at == 0 {
		return "Left and right choose the trigger; Tab goes on to the days, Enter shows the events."
	}
	_, text := b.verdict(b.at-1, a.clock())
	return text
}

func (p *eventsPage) fieldKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	if p.export.editing() {
		return p.exportKey(a, k)
	}
	b := p.filter.line
	switch name := k.String(); {
	case key.Matches(k, keys.Leave):
		p.filter.line = nil
	case key.Matches(k, keys.Enter):
		return p.applyFilter(a), true
	case key.Matches(k, keys.Next):
		b.at = (b.at + 1) % 3
	case key.Matches(k, keys.Prev):
		b.at = (b.at + 2) % 3
	case b.at == 0 && (name == "left" || name == "right" || name == "space"):
		by := 1
		if name == "left" {
			by = len(b.triggers) - 1
		}
		b.chosen = (b.chosen + by) % len(b.triggers)
	case b.at == 0 && (key.Matches(k, keys.Empty) || name == "home"):
		b.chosen = 0
	case b.at == 0 && k.Text != "":
		for i := range b.triggers { // the next one that begins so
			j := (b.chosen + 1 + i) % len(b.triggers)
			if strings.HasPrefix(strings.ToLower(b.triggers[j]), strings.ToLower(k.Text)) {
				b.chosen = j
				return nil, true
			}
		}
		a.say = "No trigger begins with " + clean(k.Text) + "; left and right choose."
	case b.at == 0:
		return nil, false
	case key.Matches(k, keys.Empty):
		b.days[b.at-1] = newLine("", false)
	case k.Text != "" && !k.Mod.Contains(tea.ModAlt) && !k.Mod.Contains(tea.ModCtrl):
		if l := &b.days[b.at-1]; len(l.text) >= 10 || !l.insert(k.Text) {
			a.say = "This field is full."
		}
	case b.days[b.at-1].key(name):
	default:
		return nil, false
	}
	return nil, true
}

func (p *eventsPage) paste(a *app, text string) tea.Cmd {
	whole, _ := firstLine(text)
	if p.export.editing() {
		if !p.export.to.insert(whole) {
			a.say = "Too long for a name: nothing was pasted."
		}
		return nil
	}
	b := p.filter.line
	if b == nil || b.at == 0 {
		a.say = "There is no field here to paste into."
		return nil
	}
	if l := &b.days[b.at-1]; len(whole)+len(l.text) > 10 || !l.insert(whole) {
		a.say = "Too long for a day: nothing was pasted."
	}
	return nil
}

// applyFilter puts what was typed in force; a day that is none is gone to.
func (p *eventsPage) applyFilter(a *app) tea.Cmd {
	b := p.filter.line
	for i := range b.days {
		if mark, text := b.verdict(i, a.clock()); mark == "!" || mark == ".." {
			b.at = i + 1
			a.say = text
			return nil
		}
	}
	f := eventFilter{trigger: b.triggers[b.chosen]}
	f.from, _, _ = parseDay(b.days[0].String(), a.clock())
	f.to, _, _ = parseDay(b.days[1].String(), a.clock())
	p.filter = f
	return p.filtered(a)
}

func (f *eventFilter) bindings() []key.Binding {
	bs := []key.Binding{bind("enter", "show"), bind("tab", "next"), bind("esc", "as before"), keys.Empty}
	if f.line.at == 0 {
		return append([]key.Binding{bind("left/right", "choose")}, bs[:3]...)
	}
	return bs
}

// bar draws the line, and a gap.
func (f *eventFilter) bar(a *app, w int) ([]string, *tea.Position) {
	b := f.line
	name := "all"
	if s := b.triggers[b.chosen]; s != "" {
		name = clean(s)
	}
	const dayW = 10
	nameW := 14
	if w < 76 {
		nameW = 8
	}
	l := " " + mark(b.at == 0) + "Trigger " + fit(name, nameW)
	x := width(l) - nameW
	for i, label := range []string{"From", "To"} {
		focus := b.at == i+1
		l += " " + mark(focus) + label + " "
		text, at := fit(clean(b.days[i].String()), dayW+1), 0
		if focus {
			text, at = b.days[i].view(dayW + 1)
			x = width(l) + at
		}
		sign, _ := b.verdict(i, a.clock())
		l += text + fit(sign, 2)
	}
	return []string{cut(l, w-1), ""}, &tea.Position{X: min(x, w-1), Y: 0}
}

func mark(focus bool) string {
	if focus {
		return accent.Render(">")
	}
	return " "
}
