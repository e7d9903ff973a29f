package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// What the Mail page does with the draft: save it, diagnose it, send a test
// mail, return to the last good settings.

// ready reports whether the draft can be saved or tried; where not it goes to
// the first field in the way and says why.
func (p *mailPage) ready(a *app, not string, try bool) bool {
	if f, ok := a.draft.Blocking(); ok {
		a.toField(f.Key)
		a.say = not + ": "
		if ofItem(f.Key) {
			a.say += itemOf(f.Key) + ": "
		}
		a.say += finding(f, a.draft.Raw(f.Key) != "")
		return false
	}
	if !try {
		return true
	}
	if a.draft.Raw("smtp.server") == "" {
		p.focusKey(a, "smtp.server")
		a.say = not + ": there is no mail server yet."
		return false
	}
	if len(destinations(a.draft)) == 0 {
		p.focusKey(a, "mail.destinations.1")
		a.say = not + ": there is no destination yet."
		return false
	}
	return true
}

// finding is a verdict on a field as a sentence; of a value that was begun it
// says that it is not whole, for the verdict tells how it goes on.
func finding(f config.Finding, begun bool) string {
	text := f.Text
	if text == "" {
		text = f.Short
	}
	s := clean(text)
	if f.Key != "" {
		s = label(f.Key) + ": " + s
	}
	if f.Level == config.Incomplete && begun {
		s = label(f.Key) + " is incomplete. " + clean(text)
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func destination(i int) string { return fmt.Sprintf("mail.destinations.%d", i) }

func destinations(d *config.Draft) []string {
	var out []string
	for i := 1; i <= 3; i++ {
		if s := d.Raw(destination(i)); s != "" {
			out = append(out, clean(s))
		}
	}
	return out
}

func (p *mailPage) save(a *app) tea.Cmd {
	switch {
	case p.saving:
		a.say = "Saving already."
	case !a.draft.Changed(""):
		a.say = "Nothing to save: no field was changed."
	case !p.ready(a, "Not saved", false):
	case len(p.inConflict()) > 0:
		names := p.overwrites()
		a.qu = yesNo("Save over what was changed elsewhere? "+names, "save mine", "no", func() tea.Cmd {
			if p.overwrites() != names { // changed while it was asked
				return p.save(a)
			}
			return p.apply(a, false)
		})
	default:
		return p.apply(a, false)
	}
	return nil
}

func (p *mailPage) apply(a *app, test bool) tea.Cmd {
	p.saving, p.sent = true, map[string]held{}
	for _, k := range mailFields {
		p.sent[k] = heldIn(a.draft, k)
	}
	a.say = "Saving."
	return a.apply(a.settings.Revision, a.draft.Changes(), test)
}

func (p *mailPage) test(a *app) tea.Cmd {
	if p.saving {
		a.say = "Saving already."
		return nil
	}
	if !p.ready(a, "No test mail sent", true) {
		return nil
	}
	if !a.draft.Changed("") {
		p.leave(a)
		return p.send(a, false)
	}
	text := "Save and send? Check that these are right: "
	names := p.overwrites()
	if names != "" {
		text = "Save over what was changed elsewhere (" + names + ") and send to these? "
	}
	a.qu = yesNo(text+strings.Join(destinations(a.draft), ", "), "save and send", "no",
		func() tea.Cmd {
			if p.overwrites() != names { // changed while it was asked
				return p.test(a)
			}
			p.leave(a)
			return p.apply(a, true)
		})
	return nil
}

// send queues a test mail and shows the panel that follows it.
func (p *mailPage) send(a *app, saved bool) tea.Cmd {
	p.hide()
	p.walk = &walk{title: "Test mail to " + strings.Join(destinations(a.draft), ", "), saved: saved, end: "queueing"}
	return a.testMail()
}

func (p *mailPage) diagnose(a *app) tea.Cmd {
	if !p.ready(a, "Not diagnosed", true) {
		return nil
	}
	p.leave(a)
	p.hide()
	title := "Diagnosis, nothing is sent"
	if a.draft.Changed("") {
		title = "Diagnosis of the settings as typed, unsaved; nothing is sent"
	}
	changes := a.draft.Changes()
	var cmd tea.Cmd
	p.walk, cmd = a.begin(title, "The server takes mail for every destination.", func(ctx context.Context, step func(event.Step)) (bool, error) {
		return a.b.Diagnose(ctx, changes, step)
	})
	return cmd
}

// good asks whether to return to the settings before the last good save.
func (p *mailPage) good(a *app) {
	if !a.settings.LastGood {
		a.say = "There are no earlier good settings to return to."
		return
	}
	text := "Return to the last good settings before these?"
	if n := a.unsaved(); n > 0 {
		text += " " + plural(n, "unsaved change") + " will be lost."
	}
	a.qu = yesNo(text, "return", "no", func() tea.Cmd { return a.revert() })
}

// done takes what became of the page's commands.
func (p *mailPage) done(a *app, msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case appliedMsg:
		return p.applied(a, m)
	case revertedMsg:
		if m.err != nil {
			a.say = "Nothing was changed: " + because(m.err)
			return nil
		}
		a.take(m.settings)
		a.kept = true
		p.hide()
		a.say = "The last good settings are in force again."
	case testMsg:
		p.queued(a, m)
	}
	return nil
}

func (p *mailPage) applied(a *app, m appliedMsg) tea.Cmd {
	p.saving = false
	switch {
	case errors.Is(m.err, config.ErrConflict):
		return a.config(true)
	case errors.Is(m.err, config.ErrRefused):
		a.say = "Not saved: " + because(m.err)
		for _, f := range m.findings {
			if f.Level == config.Error {
				p.focusKey(a, f.Key)
				a.say = "Not saved: " + finding(f, a.draft.Raw(f.Key) != "")
				break
			}
		}
		return nil
	case m.err != nil:
		a.say = "Not saved: " + because(m.err)
		return nil
	}
	typed, before := a.draft, config.NewDraft(a.settings)
	a.take(m.settings)
	a.kept = true
	for k, then := range p.sent { // what was typed while it was being saved stays
		if now := heldIn(typed, k); k != "" && now != then {
			now.put(a.draft, k)
		}
	}
	p.reload(a)
	a.say = "Saved and in force."
	if before.Raw("storage.directory") != a.draft.Raw("storage.directory") && !a.draft.Changed("storage.directory") {
		a.say = "Saved and in force, but for the directory: that is from the next start on."
	}
	if a.status.Mode == "demo" {
		a.say = "In force until you leave: the demo keeps nothing."
	}
	for _, f := range m.findings {
		old := before.Tells(f) && before.Raw(f.Key) == a.draft.Raw(f.Key) // it stood there before
		if f.Level == config.Warning && !old {
			a.say += " Note: "
			if item := itemOf(f.Key); strings.HasPrefix(f.Key, triggersKey+".") || strings.HasPrefix(f.Key, transfersKey+".") {
				a.say += clean(item) + ": "
			}
			a.say += finding(f, true)
			break
		}
	}
	if m.test {
		return p.send(a, true)
	}
	return nil
}

// queued takes the test mail's name, and the steps that came before it.
func (p *mailPage) queued(a *app, m testMsg) {
	w := p.walk
	if w == nil || w.run != 0 || w.mailID != "" {
		return
	}
	if m.err != nil {
		w.over, w.end = true, "No test mail was queued: "+because(m.err)
		return
	}
	w.mailID, w.end = m.mail.ID, "queued, on its way"
	for _, s := range a.steps {
		p.stepped(s)
	}
	mail := m.mail
	for _, h := range a.history.mails { // it may have gone on by now
		if h.ID == mail.ID {
			mail = h
		}
	}
	p.mailed(a, mail)
}

// stepped takes a step of a delivery, if it is the test mail's.
func (p *mailPage) stepped(s event.MailStep) {
	if w := p.walk; w != nil && w.mailID != "" && w.mailID == s.Mail {
		w.add(s.Step)
	}
}

// mailed takes a mail's new state, if it is the test mail's.
func (p *mailPage) mailed(a *app, m event.Mail) {
	w := p.walk
	if w == nil || w.mailID == "" || w.mailID != m.ID {
		return
	}
	if m.Damaged {
		w.over, w.ok, w.end = true, false, "Its file was found damaged on the disk and set aside: t sends another one."
		return
	}
	n := len(m.Recipients)
	words := clean(lastWords(m))
	if w.failed() != nil && m.QueueState() != "delivered" {
		words = "" // told with the step that failed
	}
	if words != "" {
		words = ": " + words
	}
	switch m.QueueState() {
	case "delivered":
		w.over, w.ok = true, m.Count(event.Delivered) == n
		w.end = fmt.Sprintf("delivered to %d of %d%s", m.Count(event.Delivered), n, words)
	case "held":
		w.over, w.ok = true, false
		w.end = fmt.Sprintf("held for %d of %d%s", m.Count(event.RcptHeld), n, words)
	case "deferred":
		w.over, w.ok = true, false
		w.end = "waiting" + words
		if !m.NextTry.IsZero() {
			w.end = fmt.Sprintf("waiting, tried again at %s%s", m.NextTry.In(a.clock().Location()).Format("15:04"), words)
		}
	case "dropped":
		w.over, w.ok, w.end = true, false, "dropped"
	}
	if w.over && !w.ok && w.saved && a.settings.LastGood {
		w.end += ". r returns to the last good settings."
	}
}
