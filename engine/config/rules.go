package config

import (
	"slices"
	"strings"
	"time"

	"watchpost/engine/event"
)

// What the fields of a trigger or a transfer say together.

func triggerRules(c *Config, _ *Secrets, i int, key string, add adder) {
	t := c.Triggers[i]
	if t.Source == event.Timer && t.Notify {
		add(key+".notify", timerNotify, key+".source")
	}
	if (t.Source == event.External || t.Source == event.BuiltIn) && t.Line == "" {
		add(key+".line", wary("line is missing", "The source "+string(t.Source)+" needs the input's line, such as gpiochip0:4."))
	}
	if t.And != nil && t.And.Source == t.Source {
		add(key+".and", wrong("its own source", "A second source is another one than the trigger's own."), key+".and.source", key+".source")
	}
	unusedByTrigger(c, i, key, add)
	extentRules(t, key, add)
	zoneRules(t, key, add)
}

// unusedByTrigger tells of what is set and has no use for the trigger's sources.
func unusedByTrigger(c *Config, i int, key string, add adder) {
	t := c.Triggers[i]
	if t.Source == "" {
		return
	}
	for j := range triggerFields {
		f := &triggerFields[j]
		used := len(f.kinds) == 0 || slices.Contains(f.kinds, string(t.Source))
		leaf := f.Key[strings.LastIndexByte(f.Key, '.')+1:]
		if t.And != nil && leaf != "line" && leaf != "edge" { // of the second source these are its own
			used = used || slices.Contains(f.kinds, string(t.And.Source))
		}
		if value := f.get(place{c: c, item: i}); !used && value != f.Default && value != "" {
			add(key+"."+leaf, wary("not used", "A trigger with the source "+string(t.Source)+" has no use for this."), key+".source")
		}
	}
}

// zoneRules tell of a zone of which nothing is left.
func zoneRules(t Trigger, key string, add adder) {
	if len(t.Exclude) == 0 || len(t.Zones) == 0 {
		return
	}
	const points = 50 // each way in a zone
	for _, z := range t.Zones {
		for i := range points * points {
			x, y := z.X+z.W*(float64(i%points)+0.5)/points, z.Y+z.H*(float64(i/points)+0.5)/points
			if !slices.ContainsFunc(t.Exclude, func(e Zone) bool { return x >= e.X && x <= e.X+e.W && y >= e.Y && y <= e.Y+e.H }) {
				return
			}
		}
	}
	add(key+".exclude", wary("nothing is left", "All of the zones is left out: motion never fires this trigger."), key+".zones")
}

// extentRules tell of images before and after that do not come, or do not end.
func extentRules(t Trigger, key string, add adder) {
	shorter := func(e Extent) bool { return e.Time > 0 && e.Time < t.Interval }
	if shorter(t.Pre) {
		add(key+".pre", wary("under the interval", "Images are "+formatDuration(t.Interval)+" apart: there is one from before at most."), key+".interval")
	}
	switch after := max(t.Post.Time, time.Duration(t.Post.Images)*t.Interval); {
	case t.Source == event.Timer && t.Every > 0 && after >= t.Every:
		add(key+".post", wary("never ends", "The timer fires again before these are taken: all becomes one event without an end."), key+".every", key+".interval")
	case shorter(t.Post):
		add(key+".post", wary("under the interval", "Images are "+formatDuration(t.Interval)+" apart: there is none after the trigger's own."), key+".interval")
	}
}

// crossTransfers judges what triggers say of transfers and transfers of the mail.
func crossTransfers(c Config, add adder) {
	for i, t := range c.Triggers {
		if t.Transfer != "" && t.Transfer != "none" && !transfers.has(&c, t.Transfer) {
			add(triggers.keyOf(&c, i)+".transfer", transfers.none(t.Transfer))
		}
	}
	for i, t := range c.Transfers {
		key := transfers.keyOf(&c, i)
		switch {
		case t.Kind != "email":
		case c.SMTP.Server == "" || c.Mail.ReplyAddress == "":
			add(key+".kind", wary("no mail server", "Images by e-mail need smtp.server and mail.reply_address."))
		case len(t.Destinations) == 0 && len(c.Mail.Destinations) == 0:
			add(key+".destinations", wary("needed", "Without a destination nothing is mailed."))
		}
	}
}

// sayer adds a finding at a field of the item that is being judged.
type sayer func(leaf string, v Verdict, also ...string)

// transferRules judge a transfer by its kind. s is nil where its password is not
// known: then nothing is said of it.
func transferRules(c *Config, s *Secrets, i int, key string, add adder) {
	t := c.Transfers[i]
	say := func(leaf string, v Verdict, also ...string) {
		for j := range also {
			also[j] = key + "." + also[j]
		}
		add(key+"."+leaf, v, also...)
	}
	unusedFields(c, s, i, say)
	neededFields(t, say)
	encryptionRules(t, say)
	if s != nil {
		passwordRules(t, s.Transfers[t.Name] != "", say)
	}
	perEvent := strings.Contains(t.Path+t.File, "{event}") || strings.Contains(t.Path+t.File, "{stamp}")
	if t.named() && strings.Contains(t.File, "{n}") && !perEvent {
		say("file", wary("same names again", "{n} begins anew with each event: add {stamp} or {event}, or images are replaced."), "path")
	}
}

// named reports whether each image gets a name of its own by path and file.
func (t Transfer) named() bool {
	return t.Kind == "ftp" || t.Kind == "sftp" || t.Kind == "http" && t.Method == "put"
}

func neededFields(t Transfer, say sayer) {
	switch {
	case t.Kind == "http" && t.URL == "":
		say("url", wary("needed", "Without a URL nothing can be transferred."))
	case (t.Kind == "ftp" || t.Kind == "sftp" || t.Kind == "mqtt") && t.Server == "":
		say("server", wary("needed", "Without a server nothing can be transferred."))
	}
	switch {
	case t.Kind == "sftp" && t.Username == "":
		say("username", wary("needed", "Without a user name SFTP takes no login."))
	case t.Kind == "http" && t.Auth == "basic" && t.Username == "":
		say("username", wary("needed to log in", "The login method basic needs a user name."), "auth")
	case t.Kind == "http" && t.Auth == "none" && t.Username != "":
		say("auth", wary("no login", "The login method is none: the user name is not used."), "username")
	}
	if t.Kind == "sftp" && t.HostKey == "" {
		say("host_key", wary("needed", "Needed: ssh-keyscan SERVER | ssh-keygen -lf - shows it; compare it there."))
	}
}

func encryptionRules(t Transfer, say sayer) {
	switch {
	case t.Kind == "mqtt" && t.Security == "starttls":
		cure := "auto"
		if t.Port == 8883 { // its port of TLS
			cure = "tls"
		}
		say("security", wrong("not with mqtt", "MQTT has no STARTTLS: choose auto, tls or none.").fix(cure))
	case t.Kind == "ftp" && t.Port == 990 && t.Security != "tls":
		say("security", wary("990 expects TLS", "Port 990 expects TLS from the start: choose tls.").fix("tls"), "port")
	}
	if EncryptionOf(t) != "none" {
		return
	}
	clear := wary("password in clear", "Without TLS the password travels in clear: only on your own network.")
	switch {
	case t.Kind == "http" && (t.Auth == "basic" || t.Auth == "bearer"):
		say("url", clear, "auth")
	case t.Kind != "http" && t.Username != "":
		say("security", clear, "username")
	}
	if t.Pin != "" {
		say("pin", wary("not used", "Without encryption there is no key to compare the pin with."))
	}
	if t.CAFile != "" {
		say("ca_file", wary("not used", "Without encryption there is no certificate to check."))
	}
}

func passwordRules(t Transfer, set bool, say sayer) {
	none := wary("no password", "A user name is set but no password: the server may refuse the login.")
	switch t.Kind {
	case "ftp", "mqtt":
		if t.Username != "" && !set {
			say("password", none)
		}
		if t.Username == "" && set {
			say("username", wary("needed to log in", "A password is set but no user name: there is no login."))
		}
	case "sftp":
		if t.Username != "" && t.KeyFile == "" && !set {
			say("password", wary("password or key", "SFTP needs a password, or the file of a private key."), "key_file")
		}
	case "http":
		switch {
		case t.Auth == "none" && set && t.Username == "":
			say("auth", wary("no login", "The login method is none: the password is not used."))
		case t.Auth == "bearer" && !set:
			say("password", wary("no token", "The login method bearer needs a token: the server will refuse the login."), "auth")
		case t.Auth == "basic" && t.Username != "" && !set:
			say("password", none, "auth")
		}
	}
}

// unusedFields tells of what is set and has no use for the kind.
func unusedFields(c *Config, s *Secrets, i int, say sayer) {
	kind := c.Transfers[i].Kind
	if kind == "" {
		return
	}
	if s == nil {
		s = &Secrets{}
	}
	for j := range transferFields {
		f := &transferFields[j]
		if len(f.kinds) == 0 || slices.Contains(f.kinds, kind) {
			continue
		}
		if value := f.get(place{c: c, s: s, item: i}); value != f.Default && value != "" {
			say(f.Key[strings.LastIndexByte(f.Key, '.')+1:], wary("not used", "A transfer by "+kind+" has no use for this."))
		}
	}
}

// today is the day that dates are compared with. A clock that is not set is in
// the past, where nothing is over yet.
var today = time.Now

// crossTimes judges active times by the calendar.
func crossTimes(c Config, add adder) {
	never := wary("never comes", "Holidays only, and none is to come: enter them on the System page.")
	for i, t := range c.Triggers {
		if neverComes(t.Active, c.Site.Holidays, today()) {
			add(triggers.keyOf(&c, i)+".active", never, "site.holidays")
		}
	}
	switch {
	case neverComes(c.Privacy.Active, c.Site.Holidays, today()):
		add("privacy.active", never, "site.holidays")
	case isAlways(c.Privacy.Active, c.Site.Holidays, today()):
		add("privacy.active", wary("always", "This is all the time: no trigger ever fires and no image is taken."))
	}
}
