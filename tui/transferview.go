package tui

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Columns of a transfer's row, in w columns; what is left is how it does.
func transferColumns(w int) (name, kind, to int) {
	if w < 76 {
		return 12, 5, 15
	}
	spare := min((w-80)/3, 16)
	return 12 + spare, 5, 24 + spare
}

func transferHeading(w int) string {
	n, k, to := transferColumns(w)
	return faint.Render("  " + fit("Transfer", n) + " " + fit("Kind", k) + " " + fit("To", to) + " How it does")
}

func (a *app) transferRow(name string, w int) string {
	i := a.item(transfersKey, name)
	if i < 0 {
		return clean(name)
	}
	t, mark := a.settings.Config.Transfers[i], ""
	if a.unsavedOf(transfersKey, name) > 0 {
		mark = "*"
	}
	does := placeText(a.placeOf(name), a.clock())
	if does == "" {
		if does = "nothing yet"; len(a.usersOf(name)) == 0 {
			does = "no trigger uses it"
		}
	}
	n, k, to := transferColumns(w)
	return fit(mark+clean(name), n) + " " + fit(t.Kind, k) + " " + fit(transferAddress(t), to) + " " + does
}

// transferAddress is where a transfer goes: host and port, the host of a URL, or mailboxes.
func transferAddress(t config.Transfer) string {
	switch {
	case t.Kind == "email" && len(t.Destinations) == 0:
		return "those of the Mail page"
	case t.Kind == "email":
		return clean(strings.Join(t.Destinations, ", "))
	case t.Kind == "http" && t.URL == "":
		return "no URL yet"
	case t.Kind == "http":
		if u, err := url.Parse(t.URL); err == nil {
			return clean(u.Host)
		}
		return clean(t.URL)
	case t.Server == "":
		return "no server yet"
	}
	return clean(net.JoinHostPort(config.HostForDial(t.Server), strconv.Itoa(config.PortOf(t))))
}

// placeOf is what the engine says of a transfer's place.
func (a *app) placeOf(name string) event.Place {
	for _, p := range a.status.Places {
		if p.Name == name {
			return p
		}
	}
	return event.Place{Name: name}
}

// usersOf are the triggers whose images go there.
func (a *app) usersOf(name string) (users []string) {
	for _, t := range a.settings.Config.Triggers {
		if t.Transfer == name {
			users = append(users, clean(t.Name))
		}
	}
	return users
}

// placeText is how a place does in a few words; empty: nothing is known and nothing waits.
func placeText(p event.Place, now time.Time) string {
	var all []string
	switch last := since(p.Last, now); {
	case p.Last.IsZero():
	case p.OK:
		all = append(all, "ok "+last)
	case p.Waiting+p.Held == 0:
		all = append(all, "failed "+last)
	}
	if p.Held > 0 {
		all = append(all, fmt.Sprintf("%d held", p.Held))
	}
	if p.Waiting > 0 {
		wait := "wait"
		if p.Waiting == 1 {
			wait = "waits"
		}
		all = append(all, fmt.Sprintf("%d %s", p.Waiting, wait))
	}
	text := strings.Join(all, ", ")
	if p.Waiting+p.Held > 0 && !p.OK {
		text += " since " + since(p.Since, now)
	}
	return text
}

// waits says how many events wait for a place, held ones too.
func waits(p event.Place) string {
	if n := p.Waiting + p.Held; n != 1 {
		return plural(n, "event") + " wait"
	}
	return "1 event waits"
}

// transferDetail is what there is to tell of the selected transfer: what came of it
// last, what waits for it and why, and whose images go there.
func (a *app) transferDetail(name string, w int) []string {
	p, now := a.placeOf(name), a.clock()
	last := "Nothing was handed over yet."
	switch {
	case p.Last.IsZero():
	case p.OK:
		last = "Last handed over at " + since(p.Last, now) + "."
	default:
		last = "The last attempt failed, at " + since(p.Last, now) + "."
	}
	if p.Waiting+p.Held > 0 {
		last += " " + waits(p) + ", the oldest since " + since(p.Since, now)
		if p.Held > 0 {
			last += fmt.Sprintf(", %d held (page 6)", p.Held)
		}
		if !p.NextTry.IsZero() {
			last += ", tried again at " + since(p.NextTry, now)
		}
		last += "."
	}
	users := "No trigger uses it: choose it in a trigger."
	if all := a.usersOf(name); len(all) > 0 {
		users = "Images of " + strings.Join(all, ", ") + " go there."
	}
	if i := a.item(transfersKey, name); i >= 0 && a.settings.Config.Transfers[i].Kind == "mqtt" {
		users += " Topic " + clean(a.settings.Config.Transfers[i].Topic) + "."
	}
	lines := append(place(users, w, 2), place(last, w, 3)...)
	if p.Problem != "" {
		lines = append(lines, place(clean(p.Problem), w, 5)...)
	}
	return lines
}
