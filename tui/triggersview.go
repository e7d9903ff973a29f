package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

func (p *triggersPage) body(a *app, w, h int) ([]string, *tea.Position) {
	if p.walk != nil {
		return p.walk.lines(w, h, ""), nil
	}
	if e := p.edit; e != nil && a.draft != nil {
		if lines, cursor := e.over(a, w, h); lines != nil {
			return lines, cursor
		}
		if len(e.keys) >= h {
			return e.form.body(a, w, h)
		}
		lines, cursor := e.form.body(a, w, h-1)
		if cursor != nil {
			cursor.Y++
		}
		return append([]string{e.title(a, w)}, lines...), cursor
	}
	es := p.entries(a)
	p.sel = max(0, min(p.sel, len(es)-1))
	triggers := slices.IndexFunc(es, func(e struct{ list, name string }) bool { return e.list == transfersKey })
	if triggers < 0 {
		triggers = len(es)
	}
	var tail []string
	switch {
	case p.sel < triggers:
		t, _ := a.stateOf(es[p.sel].name)
		tail = p.detail(a, t, w)
	case p.sel < len(es):
		tail = a.transferDetail(es[p.sel].name, w)
	}
	lines := []string{p.heading(a, w)}
	if triggers == 0 {
		lines = append(lines, "  No trigger yet, nothing is watched: a adds one.")
	}
	// The triggers and the transfers are one list under two headings.
	rows := make([]string, len(es))
	for i, e := range es {
		if e.list == triggersKey {
			rows[i] = a.triggerRow(e.name, w)
		} else {
			rows[i] = a.transferRow(e.name, w)
		}
	}
	between := []string{"", transferHeading(w)}
	if len(es) == triggers {
		between[1] = faint.Render("  Transfers")
		between = append(between, "  None: the images stay in this box. A adds one.")
	}
	room := max(1, h-len(lines)-len(between))
	if room-len(rows)-1 < len(tail) { // the rows first
		tail = tail[:max(0, min(len(tail), room-len(rows)-1))]
	}
	p.rows = max(1, room-len(tail))
	from, to := p.window(max(1, len(rows)), p.rows)
	for i := from; i < min(to, len(rows)); i++ {
		if i == triggers {
			lines = append(lines, between...)
		}
		if i == p.sel {
			lines = append(lines, marked.Render(fit("> "+rows[i], w-1)))
		} else {
			lines = append(lines, "  "+cut(rows[i], w-3))
		}
	}
	if len(es) == triggers && to >= len(rows) {
		lines = append(lines, between...)
	}
	if len(tail) > 0 {
		lines = append(append(lines, ""), tail...)
	}
	return lines[:min(h, len(lines))], nil
}

// Columns of a trigger's row, in w columns.
func triggerColumns(w int) (name, source, state, follows, last int) {
	if w < 76 {
		return 12, 0, 23, 0, 12
	}
	spare := min((w-80)/3, 16)
	return 12 + spare, 8, 23 + spare, 14 + spare, 12
}

func (p *triggersPage) heading(a *app, w int) string {
	n, s, st, fo, _ := triggerColumns(w)
	l := fit("Trigger", n) + " "
	if s > 0 {
		l += fit("Source", s) + " "
	}
	l += fit("State", st) + " "
	if fo > 0 {
		l += fit("Then", fo) + " "
	}
	return faint.Render("  " + l + "Last fired")
}

func (a *app) triggerRow(name string, w int) string {
	n, s, st, fo, _ := triggerColumns(w)
	t, known := a.stateOf(name)
	state, last := "starting", "never"
	if known {
		state = triggerState(t, a.clock())
	}
	if !t.Last.IsZero() {
		last = strings.TrimSpace(moment(t.Last, a.clock()))
	}
	source, follows := string(t.Source), ""
	mark := ""
	if i := a.item(triggersKey, name); i >= 0 {
		c := a.settings.Config.Triggers[i]
		source, follows = string(c.Source), followsText(c)
		if a.unsavedOf(triggersKey, name) > 0 {
			mark = "*"
		}
	}
	l := fit(mark+clean(name), n) + " "
	if s > 0 {
		l += fit(source, s) + " "
	}
	l += fit(state, st) + " "
	if fo > 0 {
		l += fit(follows, fo) + " "
	}
	return l + last
}

// followsText says what follows a firing: mail, a transfer, or nothing but images.
func followsText(t config.Trigger) string {
	var all []string
	if t.Notify {
		all = append(all, "mail")
	}
	if t.Transfer != "none" && t.Transfer != "" {
		all = append(all, clean(t.Transfer))
	}
	if len(all) == 0 {
		return "images only"
	}
	return strings.Join(all, ", ")
}

// detail is what there is to tell of the selected trigger: why it is silent, when
// it is active, and its account.
func (p *triggersPage) detail(a *app, t event.Trigger, w int) []string {
	var lines []string
	if t.Why != "" {
		lines = place(triggerState(t, a.clock())+": "+clean(t.Why), w, 5)
	}
	if i := a.item(triggersKey, t.Name); i >= 0 {
		c := a.settings.Config.Triggers[i]
		lines = append(lines, cut("  Active "+spansText(c.Active)+"; "+imagesText(c), w-1))
	}
	lines = append(lines, faint.Render("  Account of "+clean(t.Name)))
	return append(lines, account(t.Account, w)...)
}

func imagesText(t config.Trigger) string {
	d := config.NewDraft(config.Settings{Config: config.Config{Triggers: []config.Trigger{t}}})
	raw := func(leaf string) string { return d.Raw("triggers.1." + leaf) }
	return fmt.Sprintf("%s before, %s after, every %s", raw("pre"), raw("post"), raw("interval"))
}
