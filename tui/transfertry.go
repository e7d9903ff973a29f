package tui

import (
	"context"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// The trial of a transfer on the Triggers page: as the Mail page's diagnosis, with
// what is typed and unsaved.

// transfer is the name of the transfer that is open or selected; empty: none is.
func (p *triggersPage) transfer(a *app) string {
	if p.edit != nil {
		if p.edit.list == transfersKey {
			return p.edit.name
		}
		return ""
	}
	if es := p.entries(a); p.sel < len(es) && es[p.sel].list == transfersKey {
		return es[p.sel].name
	}
	return ""
}

// diagnose tries a transfer. What is wrong with its own fields is gone to first.
func (p *triggersPage) diagnose(a *app, name string) tea.Cmd {
	prefix := transfersKey + "." + name + "."
	for _, k := range itemKeys(a.settings.Config) {
		if v := a.draft.Verdict(k); strings.HasPrefix(k, prefix) && v.Blocks() {
			p.goTo(a, k)
			a.say = "Not diagnosed: " + finding(config.Finding{Key: k, Verdict: v}, a.draft.Raw(k) != "")
			return nil
		}
	}
	kind := a.draft.Raw(prefix + "kind")
	var changes []config.Change
	for _, ch := range a.draft.Changes() {
		ofMail := strings.HasPrefix(ch.Key, "smtp.") || strings.HasPrefix(ch.Key, "mail.")
		if strings.HasPrefix(ch.Key, prefix) || kind == "email" && ofMail {
			changes = append(changes, ch)
		}
	}
	p.leave(a)
	p.hide()
	what, good := "a small test file goes there and is removed", "Images would arrive there."
	switch {
	case kind == "email":
		what, good = "nothing is sent", "The server takes images by mail for every destination."
	case kind == "mqtt":
		what = "a test goes to its topic, not retained"
	case kind == "http" && a.draft.Raw(prefix+"method") == "post":
		what = "a test is sent, real data to the receiver"
	}
	title := "Trial of " + clean(name)
	if len(changes) > 0 {
		title += ", as typed"
	}
	var cmd tea.Cmd
	p.of = name
	p.walk, cmd = a.begin(title+": "+what, good, func(ctx context.Context, step func(event.Step)) (bool, error) {
		return a.b.DiagnoseTransfer(ctx, name, changes, step)
	})
	return cmd
}

// hide takes the trial away; one that runs is cancelled. The keys that it showed are
// offered in their fields.
func (p *triggersPage) hide() {
	if p.walk == nil {
		return
	}
	p.walk.stop()
	if p.found == nil {
		p.found = map[string]string{}
	}
	for leaf, found := range map[string]string{"pin": p.walk.pin(), "host_key": p.walk.hostKey()} {
		if found != "" {
			p.found[transfersKey+"."+p.of+"."+leaf] = found
		}
	}
	p.walk = nil
}

// offered is a field's verdict; an empty pin or host key is offered as the trial found it.
func (p *triggersPage) offered(k string, v config.Verdict, raw string) config.Verdict {
	if found := p.found[k]; found != "" && raw == "" && !v.Blocks() {
		return config.Verdict{Level: v.Level, Short: "^f: the one found", Fix: found,
			Text: "The trial found this key; compare it with the server's own before you trust it."}
	}
	return v
}

// walkKey takes a key while a trial is shown; false: it is the page's.
func (p *triggersPage) walkKey(a *app, k tea.KeyPressMsg) bool {
	w := p.walk
	switch f := w.failed(); {
	case key.Matches(k, keys.Leave) && !w.over:
		w.stop()
	case key.Matches(k, keys.Leave):
		p.hide()
	case w.key(k):
	case key.Matches(k, keys.Enter, keys.Next) && w.over && f != nil:
		p.toField(a, *f)
	case key.Matches(k, keys.Enter, keys.Next, keys.Prev):
		p.hide()
		return p.edit != nil // in the list Enter opens the form
	default:
		if k.Text == "" {
			return false
		}
		a.say = "Esc closes the trial first." // what the key would act on is not in view
	}
	return true
}

// toField goes to the field that a failed step of the trial speaks of.
func (p *triggersPage) toField(a *app, f event.Step) {
	name := p.of
	p.hide()
	i := a.item(transfersKey, name)
	if i < 0 {
		return
	}
	kind := a.draft.Raw(transfersKey + "." + name + ".kind")
	if m := a.mailPage(); kind == "email" && f.Step != "rcpt" {
		a.open(mailAt)
		m.focusKey(a, fieldOf(f, func(i int) string { return a.draft.Raw(destination(i)) }))
		return
	}
	shown := transferFields(kind, "basic", "put")
	for _, leaf := range transferFieldOf(kind, f) {
		if slices.Contains(shown, leaf) {
			p.goTo(a, transfersKey+"."+name+"."+leaf)
			return
		}
	}
}

// transferFieldOf are the fields of which a failed step may speak, the likeliest first.
func transferFieldOf(kind string, s event.Step) []string {
	switch s.Step {
	case "hostkey":
		return []string{"host_key"}
	case "login", "sftp", "subsystem":
		if kind == "http" {
			return []string{"auth"}
		}
		return []string{"username"}
	case "key":
		return []string{"key_file"}
	case "tls":
		switch {
		case strings.Contains(s.Do, "ca_file"):
			return []string{"ca_file"}
		case strings.Contains(s.Do, "pin"):
			return []string{"pin"}
		}
		return []string{"security", "url"}
	case "folder", "send", "rename", "size", "flush", "remove":
		return []string{"topic", "path", "file", "url"}
	}
	return []string{"server", "url", "destinations", "kind"}
}

func (p *triggersPage) walkBindings() []key.Binding {
	if !p.walk.over {
		return []key.Binding{bind("esc", "cancel")}
	}
	bs := []key.Binding{bind("esc", "close"), keys.Diagnose}
	if p.walk.failed() != nil {
		bs = append([]key.Binding{bind("enter", "go to the field")}, bs...)
	}
	return bs
}
