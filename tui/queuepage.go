package tui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// queuePage lists the mails, newest first, with the selected one's recipients.
// It asks for the whole queue when it is opened and follows the changes from then on.
type queuePage struct {
	list
	mailList
	known   bool
	asked   int          // whole queues that are asked for and have not come
	since   []event.Mail // what changed meanwhile
	overran bool         // more than since takes
	why     string       // the list could not be had
	rows    int
}

// maxSince bounds what is remembered of changes while the queue is on its way.
const maxSince = 1000

func (p *queuePage) opened(a *app) tea.Cmd {
	p.asked++
	return a.queue()
}

func (p *queuePage) done(a *app, msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case queueMsg:
		p.asked = max(0, p.asked-1)
		if p.why = ""; m.err != nil {
			p.why = "The queue could not be read: " + because(m.err)
		} else {
			p.take(m.mails)
		}
		if p.asked > 0 {
			return nil
		}
		again := p.overran && m.err == nil
		p.since, p.overran = nil, false
		if again {
			return p.opened(a)
		}
	case queueDoneMsg:
		a.say = m.did
		if m.err != nil {
			a.say = "Not done: " + because(m.err)
		}
	}
	return nil
}

// take takes a whole queue, and what changed while it was on its way.
func (p *queuePage) take(mails []event.Mail) {
	p.selecting(func() {
		p.fill(mails)
		for _, m := range p.since {
			p.put(m)
		}
	})
	p.known = true
}

// changed takes a mail's new state, once the queue was asked for.
func (p *queuePage) changed(m event.Mail) {
	if p.asked > 0 {
		if p.since = append(p.since, m); len(p.since) > maxSince {
			p.since, p.overran = p.since[1:], true
		}
	}
	if p.known {
		p.selecting(func() { p.put(m) }, m)
	}
}

// selecting changes the list so that the selection stays on its mail, or goes to
// the one of by that stands for it; the top of the list stays selected as such.
func (p *queuePage) selecting(change func(), by ...event.Mail) {
	m, ok := p.selected()
	change()
	if ok && p.sel > 0 {
		at := p.find(m.ID)
		for _, digest := range by {
			if at < 0 && slices.Contains(digest.Replaces, m.ID) {
				at = p.find(digest.ID)
			}
		}
		if at >= 0 {
			p.sel = at
		}
	}
	p.sel = max(0, min(p.sel, len(p.mails)-1))
}

func (p *queuePage) selected() (event.Mail, bool) {
	if p.sel < len(p.mails) {
		return *p.mails[p.sel], true
	}
	return event.Mail{}, false
}

func (p *queuePage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	m, ok := p.selected()
	switch {
	case p.list.key(k, len(p.mails), p.rows):
	case key.Matches(k, keys.Retry, keys.Drop) && !ok:
		a.say = "There is no mail in the queue."
	case key.Matches(k, keys.NextHeld, keys.RetryHeld) && p.held == 0:
		a.say = "Nothing is held."
	case key.Matches(k, keys.NextHeld):
		p.sel = p.nextHeld(p.sel)
	case key.Matches(k, keys.RetryHeld):
		a.qu = yesNo(fmt.Sprintf("Try %s again now? What they are held for may refuse them again.", plural(p.held, "held mail")), "try again", "no",
			func() tea.Cmd {
				a.say = "Trying them again."
				return a.retryAll(p.heldIDs())
			})
	case key.Matches(k, keys.Retry, keys.Drop) && m.Settled():
		a.say = "This is " + m.QueueState() + ": nothing is left to retry or drop."
	case key.Matches(k, keys.Retry):
		return a.retry(m.ID), true
	case key.Matches(k, keys.Drop):
		a.qu = yesNo(dropText(m), "drop", "keep", func() tea.Cmd { return a.drop(m.ID) })
	default:
		return nil, noField(a, k)
	}
	return nil, true
}

// transferTo is the place that a transfer goes to.
func transferTo(m event.Mail) string {
	if len(m.Recipients) == 0 {
		return "nowhere"
	}
	return clean(m.Recipients[0].Address)
}

func dropText(m event.Mail) string {
	if m.Kind == event.Transfer {
		return fmt.Sprintf("Drop the transfer to %s? Its images stay in the event store.", transferTo(m))
	}
	what := "this mail"
	if m.FiringCount > 1 {
		what = "the " + mailName(m)
	}
	return fmt.Sprintf("Drop %s for %s? It is not sent to them any more.", what, plural(m.Count(event.Pending)+m.Count(event.RcptHeld), "recipient"))
}

func (p *queuePage) bindings(*app) []key.Binding {
	if p.held > 0 {
		return []key.Binding{bind("up/down", "choose"), keys.Retry, keys.Drop, keys.NextHeld, keys.RetryHeld, keys.Quit}
	}
	return []key.Binding{bind("up/down", "choose"), keys.Retry, keys.Drop, keys.Test, keys.Quit}
}

func (p *queuePage) hint(a *app) string {
	if p.why != "" {
		return p.why
	}
	var hint string
	if p.held > 0 {
		hint = fmt.Sprint(p.held) + " held, marked !: h finds the next one, r tries it again, R all. "
	}
	if m, ok := p.selected(); !ok || m.Problem != a.status.Queue.Problem { // else the detail tells it
		hint += clean(a.status.Queue.Problem)
	}
	return hint
}

func (p *queuePage) body(a *app, w, h int) ([]string, *tea.Position) {
	switch {
	case !p.known:
		return []string{"", "  Reading the queue."}, nil
	case len(p.mails) == 0:
		return []string{"", "  No mail yet. t sends a test mail."}, nil
	}
	n := len(p.mails)
	when := len("Trigger at")
	for _, m := range []*event.Mail{p.mails[0], p.mails[n-1]} { // in order: no other one needs more
		when = max(when, width(moment(m.At, a.clock())))
	}
	row := func(i int) string { return a.mailRow(*p.mails[i], when) }
	m, _ := p.selected()
	detail := p.detail(a, m, w)
	if _, who, subject := a.mailColumns(m); h-len(detail) < 6 { // some of the list stays in view
	} else if m.Kind == event.Transfer && width(row(p.sel)) <= w-3 && width(who) <= 10 { // the row says it all
	} else if width(row(p.sel)) > w-3 || width(who) > 10 || subject != clean(m.Subject) {
		detail = append(detail, hang("  ", clean(m.Subject), w-1, 2)...) // the server's words first
	}
	p.rows = max(1, h-len(detail)-2)
	head := spread(faint.Render("  "+fit("Trigger at", when)+"  "+fit("State", 13)+"  "+fit("Trigger", 10)+"  Subject"), p.position(n, p.rows)+"  ", w)
	lines := append([]string{head}, p.drawRows(n, w, p.rows, row)...)
	lines = append(lines, "")
	lines = append(lines, detail...)
	return lines[:min(h, len(lines))], nil
}

// mailColumns are what a row says of a mail: its state, its trigger or kind, and
// its subject, or what says more in less room.
func (a *app) mailColumns(m event.Mail) (state, who, subject string) {
	state, _ = outcome(m)
	if s, ok := a.sending(m.ID); ok {
		state = fmt.Sprintf("sending %d%%", s.Sent*100/s.Of)
	}
	who, subject = string(m.Kind), clean(m.Subject)
	switch m.Kind {
	case event.Summary, event.Digest:
		subject = "of " + firings(m.FiringCount)
	case event.State:
		subject = stateTitle(m)
	case event.Alarm, event.Images:
		who = clean(m.Trigger)
	case event.Transfer:
		who, subject = clean(m.Trigger), "to "+transferTo(m)+": "+clean(m.Subject)
	}
	return state, who, subject
}

func (a *app) mailRow(m event.Mail, when int) string {
	state, who, subject := a.mailColumns(m)
	mark := "  "
	if m.Count(event.RcptHeld) > 0 {
		mark = " !"
	}
	return fmt.Sprintf("%s%s%s  %s  %s", fit(moment(m.At, a.clock()), when), mark, fit(state, 13), fit(who, 10), subject)
}

// detail tells each recipient of a mail with the server's words.
func (p *queuePage) detail(a *app, m event.Mail, w int) []string {
	next := ""
	if m.Count(event.Pending) > 0 {
		next = ", next at once"
		if !m.NextTry.IsZero() {
			next = ", next try " + moment(m.NextTry, a.clock())
		}
		if s, ok := a.sending(m.ID); ok {
			next = ", " + progress(s)
		}
	}
	lines := []string{cut("  "+strong.Render(clean(m.ID))+fmt.Sprintf("  %s, %s%s", size(m.Bytes), plural(m.Attempts, "attempt"), next), w-1)}
	if n := m.Stands; m.Kind == event.Digest && n > 0 {
		lines = append(lines, place(fmt.Sprintf("It stands for %s that could not be sent.", plural(n, "mail")), w, 2)...)
	}
	for _, r := range m.Recipients {
		said := clean(r.Reply)
		if m.Kind == event.Transfer && said != "" && strings.HasPrefix(clean(m.Problem), said) {
			said = "" // the line below says it, and what to do
		}
		head := fmt.Sprintf("  %s  %s  ", fit(clean(r.Address), max(26, width(clean(r.Address)))), fit(string(r.State), 9))
		lines = append(lines, beside(head, said, 4, w-1, 4)...) // the server's words whole: they are what this page is for
	}
	if m.Problem != "" {
		lines = append(lines, place(clean(m.Problem), w, 3)...)
	}
	return lines
}
