package config

import (
	"slices"
	"strconv"
	"strings"
)

// Default returns the configuration that an empty file stands for.
func Default() Config {
	var c Config
	var s Secrets
	for i := range table {
		if !strings.Contains(table[i].Key, "*") {
			table[i].set(place{c: &c, s: &s}, "")
		}
	}
	return c
}

// MailConfigured reports whether there is enough to send a mail with: a server,
// a reply address and a destination.
func MailConfigured(c Config) bool { return MailConfiguredTo(c, nil) }

// MailConfiguredTo is MailConfigured for a mail with destinations of its own; where it
// has none it goes to those of the Mail page.
func MailConfiguredTo(c Config, own []string) bool {
	return c.SMTP.Server != "" && c.Mail.ReplyAddress != "" && len(own)+len(c.Mail.Destinations) > 0
}

// Validate judges a whole configuration, cross-field rules too. Warnings and errors only.
func Validate(c Config, s Secrets) []Finding {
	var out []Finding
	w := slots(c)
	if len(c.Mail.Destinations) > MaxDestinations {
		out = append(out, Finding{Key: destinationsKey, Verdict: wrong("at most 3", "There are at most 3 destinations.")})
	}
	for _, ls := range lists {
		if ls.size(&c) > ls.most {
			out = append(out, Finding{Key: ls.key, Verdict: ls.tooMany()})
		}
	}
	for _, sp := range spots(&w) {
		p, ok := sp.at(&w, &s)
		if !ok {
			continue
		}
		raw := sp.f.get(p)
		v := sp.f.Check(raw)
		if sp.f.form == word && raw == "" && sp.f.Default != "" {
			v = wrong("empty", "This has no value.")
		}
		if v = v.final(); v.Level == Warning || v.Level == Error {
			out = append(out, Finding{Key: sp.key, Verdict: v})
		}
	}
	for _, x := range cross(c, s) {
		out = joined(out, x.Finding)
	}
	return out
}

// joined adds a cross-field finding; an error takes the place of a warning at its key.
func joined(out []Finding, x Finding) []Finding {
	if x.Level == Error {
		out = slices.DeleteFunc(out, func(f Finding) bool { return f.Key == x.Key && f.Level == Warning })
	}
	return append(out, x)
}

// crossFinding is a finding that follows from several fields. It stands at one
// key, and is shown at others too where a person may be looking.
type crossFinding struct {
	Finding
	also []string
}

// cross judges what no field shows alone. Of a secret it asks only whether it is set.
func cross(c Config, s Secrets) []crossFinding {
	var out []crossFinding
	add := func(key string, v Verdict, also ...string) {
		out = append(out, crossFinding{Finding{Key: key, Verdict: v}, also})
	}
	crossServer(c, s.SMTPPassword != "", add)
	crossMail(c, s.SMTPPassword != "", add)
	for _, ls := range lists {
		for i := range ls.size(&c) {
			key := ls.keyOf(&c, i)
			if v := ls.nameTwice(&c, i); v.Blocks() {
				var also []string // whichever of them is being typed
				for j := range i {
					if strings.EqualFold(*ls.name(&c, i), *ls.name(&c, j)) {
						also = append(also, ls.keyOf(&c, j)+".name")
					}
				}
				add(key+".name", v, also...)
			}
			ls.rules(&c, &s, i, key, add)
		}
	}
	crossTransfers(c, add)
	crossTimes(c, add)
	crossBuffer(c, add)
	return out
}

type adder func(key string, v Verdict, also ...string)

// SecurityInUse says how a connection with these settings is protected: "tls"
// from the start, "starttls" or "none"; required is false where STARTTLS is used
// only if the server offers it. A password never travels in clear, and a pin or a
// CA file is never passed over.
func SecurityInUse(m SMTP) (mode string, required bool) {
	switch {
	case m.Security == "none":
		return "none", false
	case m.Security == "tls" || m.Security != "starttls" && m.Port == 465:
		return "tls", true
	case m.Security == "starttls" || m.Port == 587 || m.Username != "" && m.Auth != "none" || m.Pin != "" || m.CAFile != "":
		return "starttls", true
	}
	return "starttls", false
}

// securityShort is SecurityInUse for the column beside the field.
func securityShort(m SMTP) string {
	switch mode, required := SecurityInUse(m); {
	case mode == "tls":
		return "TLS"
	case mode == "none":
		return "not encrypted"
	case required:
		return "STARTTLS, required"
	}
	return "STARTTLS if offered"
}

func crossServer(c Config, passwordSet bool, add adder) {
	m := c.SMTP
	login := m.Username != "" && m.Auth != "none"
	switch {
	case m.Security == "none" && login:
		add("smtp.security", wrong("password in clear", "Without encryption the password travels in clear: choose auto.").fix("auto"), "smtp.port")
	case m.Port == 465 && m.Security == "starttls":
		add("smtp.security", wary("465 expects TLS", "Port 465 expects TLS from the start, not STARTTLS: choose auto or tls.").fix("tls"), "smtp.port")
	case m.Port == 465 && m.Security == "none":
		add("smtp.security", wary("465 expects TLS", "Port 465 expects TLS from the start: choose auto or tls.").fix("tls"), "smtp.port")
	case (m.Port == 587 || m.Port == 25) && m.Security == "tls":
		add("smtp.security", wary(strconv.Itoa(m.Port)+" expects STARTTLS", "Port "+strconv.Itoa(m.Port)+" expects STARTTLS; TLS from the start is port 465.").fix("starttls"), "smtp.port")
	}
	switch {
	case m.Username == "" && m.Auth != "auto" && m.Auth != "none" && m.Auth != "":
		add("smtp.username", wary("needed to log in", "The login method "+m.Auth+" needs a user name; without one there is no login."), "smtp.auth")
	case m.Username == "" && passwordSet:
		add("smtp.username", wary("needed to log in", "A password is set but no user name: there is no login."))
	case login && !passwordSet:
		add("smtp.password", wary("no password", "A user name is set but no password: the server will refuse the login."))
	case m.Username != "" && m.Auth == "none":
		add("smtp.auth", wary("no login", "The login method is none: the user name is not used."))
	}
	if m.Pin != "" {
		if mode, _ := SecurityInUse(m); mode == "none" {
			add("smtp.pin", wary("not used", "Without encryption there is no key to compare the pin with."))
		}
	}
}

func crossMail(c Config, passwordSet bool, add adder) {
	m := c.Mail
	if begun := c.SMTP.Server != "" || c.SMTP.Username != "" || passwordSet || m.ReplyAddress != "" || len(m.Destinations) > 0; begun {
		if c.SMTP.Server == "" {
			add("smtp.server", wary("needed", "Without a server no mail can be sent."))
		}
		if m.ReplyAddress == "" {
			add("mail.reply_address", wary("needed", "Without a reply address no mail can be sent."))
		}
		if len(m.Destinations) == 0 {
			add(destinationsKey+".1", wary("needed", "Without a destination no mail can be sent."))
		}
	}
	ours := house(HostForDial(c.SMTP.Server))
	domain := Domain(m.ReplyAddress)
	if theirs := house(domain); ours != "" && theirs != "" && ours != theirs && !strings.EqualFold(c.SMTP.Username, m.ReplyAddress) {
		shown := domain
		if i := strings.LastIndexByte(m.ReplyAddress, '@'); i >= 0 {
			shown = m.ReplyAddress[i+1:]
		}
		add("mail.reply_address", wary("not server's domain", shown+" is not the domain of "+c.SMTP.Server+": providers may refuse it."))
	}
	for i, a := range m.Destinations {
		for j := range i {
			if a != "" && sameMailbox(a, m.Destinations[j]) {
				add(destinationsKey+"."+strconv.Itoa(i+1), wrong("comes twice", "This is destination "+strconv.Itoa(j+1)+" again: leave one of them empty."))
				break
			}
		}
	}
}
