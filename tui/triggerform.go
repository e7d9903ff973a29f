package tui

import (
	"fmt"
	"slices"
	"strings"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/motion"
)

// The two lists of named items in the configuration, as their keys begin.
const (
	triggersKey  = "triggers"
	transfersKey = "transfers"
)

// sources are those of a trigger, as they are offered: a key, the source, and
// what it is.
var sources = []struct {
	key    string
	source event.Source
	label  string
}{
	{"m", event.Motion, "motion"}, {"e", event.External, "external"}, {"b", event.BuiltIn, "builtin"},
	{"s", event.Sound, "sound"}, {"t", event.Timer, "timer"}, {"h", event.Manual, "manual"},
}

// transferKinds are those of a transfer, as they are offered.
var transferKinds = []struct{ key, kind string }{{"f", "ftp"}, {"s", "sftp"}, {"h", "http"}, {"m", "mqtt"}, {"e", "email"}}

// triggerFields are the fields that a source uses, with a second one where there
// is, in the order of the form.
func triggerFields(source, second event.Source) []string {
	and := []string{"and.source"}
	switch second {
	case event.External, event.BuiltIn:
		and = append(and, "and.within", "and.line")
	case event.Motion, event.Sound:
		and = append(and, "and.within")
	}
	own := map[event.Source][]string{
		event.Motion:   append([]string{"threshold", "sensitivity", "zones", "exclude"}, and...),
		event.BuiltIn:  append([]string{"line"}, and...),
		event.External: append([]string{"line", "edge", "debounce"}, and...),
		event.Sound:    and,
		event.Timer:    {"every"},
	}[source]
	fields := slices.Concat([]string{"name", "source"}, own, []string{"active", "", "pre", "post", "interval", "quality", "full", "transfer"})
	if source == event.Timer { // it has no e-mail notification
		return fields
	}
	return append(fields, "", "notify", "hold_off", "destinations", "subject")
}

// transferFields are the fields that a kind uses, with this login and method.
func transferFields(kind, auth, method string) []string {
	fields := []string{"name", "kind"}
	switch kind {
	case "ftp":
		fields = append(fields, "server", "port", "security", "username", "password", "", "path", "file", "", "ca_file", "pin")
	case "sftp":
		fields = append(fields, "server", "port", "host_key", "username", "password", "key_file", "", "path", "file")
	case "http":
		fields = append(fields, "url", "method", "auth")
		if auth == "basic" {
			fields = append(fields, "username")
		}
		if auth != "none" {
			fields = append(fields, "password")
		}
		fields = append(fields, "headers", "")
		if method == "put" {
			fields = append(fields, "path")
		}
		fields = append(fields, "file", "", "ca_file", "pin")
	case "mqtt":
		fields = append(fields, "server", "port", "security", "username", "password", "", "topic", "discovery", "", "ca_file", "pin")
	case "email":
		fields = append(fields, "destinations")
	}
	return fields
}

// itemOf is the name of the item that a key is of: yard of triggers.yard.source.
func itemOf(k string) string {
	_, rest, _ := strings.Cut(k, ".")
	name, _, ok := strings.Cut(rest, ".") // a name has no dot
	if !ok {
		return ""
	}
	return name
}

// leafOf is what follows the item in its key: source, and.source.
func leafOf(k string) string {
	_, rest, _ := strings.Cut(k, ".")
	_, leaf, _ := strings.Cut(rest, ".")
	return leaf
}

// ofItem reports whether a key is of a trigger or a transfer.
func ofItem(k string) bool {
	return strings.HasPrefix(k, triggersKey+".") || strings.HasPrefix(k, transfersKey+".")
}

// item is the place of a saved trigger or transfer in its list; -1: there is none.
func (a *app) item(list, name string) int { return itemIn(a.settings.Config, list, name) }

func itemIn(c config.Config, list, name string) int {
	if list == triggersKey {
		return slices.IndexFunc(c.Triggers, func(t config.Trigger) bool { return t.Name == name })
	}
	return slices.IndexFunc(c.Transfers, func(t config.Transfer) bool { return t.Name == name })
}

// itemKeys are the keys of all triggers and transfers of a configuration, as a
// form edits them.
func itemKeys(c config.Config) []string {
	var out []string
	for _, f := range config.Fields() {
		for _, part := range f.Parts() {
			list, leaf, ok := strings.Cut(part, ".*.")
			switch {
			case !ok:
			case list == triggersKey:
				for _, t := range c.Triggers {
					out = append(out, list+"."+t.Name+"."+leaf)
				}
			case list == transfersKey:
				for _, t := range c.Transfers {
					out = append(out, list+"."+t.Name+"."+leaf)
				}
			}
		}
	}
	return out
}

// editing is the form of one trigger or transfer.
type editing struct {
	sheet
	list, name string // name: the saved one, which the keys have
}

func newEditing(a *app, list, name string) *editing {
	e := &editing{sheet: newSheet(a, nil), list: list, name: name}
	e.choices = func(k string) []string { return choicesIn(a, k) }
	e.empties = func(k string) string { return emptyOf(a, k) }
	e.says = func(k string) string { return sayOf(a, k) }
	e.judges = func(a *app, k string) config.Verdict {
		return a.triggersPage().offered(k, a.draft.Verdict(k), a.draft.Raw(k))
	}
	e.refresh(a)
	return e
}

// refresh shows the fields that what is chosen now uses.
func (e *editing) refresh(a *app) {
	ks := ItemFields(a.draft, e.list, e.name)
	for _, k := range itemKeys(a.settings.Config) { // in the way of a save: not to be hidden
		if strings.HasPrefix(k, e.list+"."+e.name+".") && a.draft.Changed(k) && !slices.Contains(ks, k) && a.draft.Verdict(k).Blocks() {
			ks = append(ks, k)
		}
	}
	e.show(a, ks)
}

// choicesIn are the choices of fields that have them by what else is configured.
func choicesIn(a *app, k string) []string {
	if !ofItem(k) {
		return nil
	}
	without := func(word string) []string {
		f, _ := config.Lookup(k)
		return slices.DeleteFunc(slices.Clone(f.Choices), func(c string) bool { return c == word })
	}
	switch leafOf(k) {
	case "and.source":
		return without(a.draft.Raw(triggersKey + "." + itemOf(k) + ".source"))
	case "security":
		if a.draft.Raw(transfersKey+"."+itemOf(k)+".kind") == "mqtt" {
			return without("starttls")
		}
	case "transfer":
		all := []string{"none"}
		for _, t := range a.settings.Config.Transfers {
			all = append(all, t.Name)
		}
		return all
	}
	return nil
}

// usualPort is the port that a transfer uses where none is set.
func usualPort(a *app, name string) string {
	i, c := a.item(transfersKey, name), a.drafted()
	if i < 0 || i >= len(c.Transfers) {
		return ""
	}
	t := c.Transfers[i]
	t.Port = 0
	return fmt.Sprintf("%d, the usual one", config.PortOf(t))
}

// emptyOf is what an empty field of a trigger or transfer stands for.
func emptyOf(a *app, k string) string {
	switch leafOf(k) {
	case "port":
		return usualPort(a, itemOf(k))
	case "hold_off":
		return a.draft.Raw("mail.hold_off") + ", as on the Mail page"
	case "destinations":
		return "those of the Mail page"
	case "subject":
		return "that of the Mail page"
	case "exclude":
		return "nothing"
	}
	return ""
}

// sayOf is what there is to say of a field with figures of this box.
func sayOf(a *app, k string) string {
	if !strings.HasPrefix(k, triggersKey+".") {
		return ""
	}
	f, _ := config.Lookup(k)
	i := a.item(triggersKey, itemOf(k))
	c := a.drafted()
	if i < 0 || i >= len(c.Triggers) {
		return ""
	}
	t := c.Triggers[i]
	switch leafOf(k) {
	case "name":
		if a.draft.Changed(k) {
			return "Under another name the account begins anew; events stored so far keep the old one."
		}
	case "threshold":
		say := fmt.Sprintf("How much motion fires, 1 to 9: %d = %s %% of the zone", t.Threshold, strings.TrimSpace(percent(motion.ThresholdPercent(t.Threshold))))
		for _, s := range a.status.Triggers {
			if s.Name == itemOf(k) && s.Fires > 0 {
				say += fmt.Sprintf(", now %s %%", strings.TrimSpace(percent(s.Level)))
			}
		}
		return say + "."
	case "pre", "post":
		n := config.ImagesHeld(c.Camera, t.Quality)
		return fmt.Sprintf("%s The buffer holds about %s of this quality.", f.Help, plural(int(min(n, 99_999)), "image"))
	case "active":
		return "Enter opens the week. Now: " + spansText(t.Active) + "."
	case "transfer":
		if len(a.settings.Config.Transfers) == 0 {
			return "There is no transfer yet: Esc, then A adds one; the images stay in this box until then."
		}
	}
	return ""
}

// title is the line above the form, where there is room for one.
func (e *editing) title(a *app, w int) string {
	if e.list == transfersKey {
		return "  Transfer " + strong.Render(clean(e.name))
	}
	state := ""
	for _, t := range a.status.Triggers {
		if t.Name == e.name {
			state = triggerState(t, a.clock())
		}
	}
	return spread("  Trigger "+strong.Render(clean(e.name)), state+"  ", w)
}
