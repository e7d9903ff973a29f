package config

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// webOnly are names of web pages for reading mail, which no SMTP server answers
// at, with the server of the same house where there is one.
var webOnly = map[string]string{
	"outlook.live.com": "smtp-mail.outlook.com", "outlook.office.com": "smtp.office365.com",
	"www.outlook.com": "smtp-mail.outlook.com", "mail.google.com": "smtp.gmail.com", "www.gmail.com": "smtp.gmail.com",
	"accounts.google.com": "smtp.gmail.com", "mail.yahoo.com": "smtp.mail.yahoo.com", "mail.aol.com": "smtp.aol.com",
	"www.icloud.com": "smtp.mail.me.com", "www.gmx.net": "mail.gmx.net", "www.gmx.com": "mail.gmx.com", "www.web.de": "smtp.web.de",
	"mail.proton.me": "", "account.proton.me": "", "mail.protonmail.com": "", "app.tuta.com": "", "mail.tutanota.com": "", "app.hey.com": "",
}

// mailDomains are domains of addresses that are typed in place of their server.
var mailDomains = map[string]string{
	"gmail.com": "smtp.gmail.com", "googlemail.com": "smtp.gmail.com", "outlook.com": "smtp-mail.outlook.com", "hotmail.com": "smtp-mail.outlook.com",
	"live.com": "smtp-mail.outlook.com", "office365.com": "smtp.office365.com", "yahoo.com": "smtp.mail.yahoo.com", "aol.com": "smtp.aol.com",
	"icloud.com": "smtp.mail.me.com", "me.com": "smtp.mail.me.com", "gmx.net": "mail.gmx.net", "gmx.de": "mail.gmx.net", "web.de": "smtp.web.de",
}

// knownServer judges a good host name by what is known of providers.
func knownServer(s string) Verdict {
	name := strings.ToLower(s)
	if smtp, ok := webOnly[name]; ok {
		return wrong("web-only", "This is a web page: a web-only mail service without SMTP cannot be used.").fix(smtp)
	}
	if smtp, ok := mailDomains[name]; ok {
		return wary("no server's name", "This is the domain of addresses; its SMTP server is "+smtp+".").fix(smtp)
	}
	switch {
	case strings.HasPrefix(name, "webmail."):
		return wary("web-only?", "This looks like a web page: a web-only service without SMTP cannot be used.")
	case name == "localhost":
		return fine("this box")
	case !strings.Contains(name, "."):
		return wary("local name", "A name without a dot is known on the local network only.")
	}
	return fine("host name")
}

// houses groups the registrable domains of one provider.
var houses = map[string]string{
	"gmail.com": "google", "googlemail.com": "google", "google.com": "google",
	"outlook.com": "microsoft", "hotmail.com": "microsoft", "live.com": "microsoft", "msn.com": "microsoft", "office365.com": "microsoft", "office.com": "microsoft",
	"icloud.com": "apple", "me.com": "apple", "mac.com": "apple",
	"yahoo.com": "yahoo", "ymail.com": "yahoo", "rocketmail.com": "yahoo", "aol.com": "yahoo",
	"gmx.net": "gmx", "gmx.de": "gmx", "gmx.com": "gmx", "gmx.at": "gmx", "gmx.ch": "gmx",
	"web.de": "web.de", "t-online.de": "telekom", "magenta.de": "telekom",
}

// house is who a domain belongs to: the registrable domain (public suffix list
// and one label), or the provider that owns it. Empty: nobody can tell.
func house(domain string) string {
	domain = strings.ToLower(domain)
	if _, err := netip.ParseAddr(domain); err == nil || strings.HasPrefix(domain, "[") || !strings.Contains(domain, ".") {
		return ""
	}
	owned, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return ""
	}
	if h, ok := houses[owned]; ok {
		return h
	}
	for _, p := range []string{"hotmail.", "outlook.", "live."} { // hotmail.de, outlook.fr, live.nl
		if strings.HasPrefix(owned, p) {
			return "microsoft"
		}
	}
	if strings.HasPrefix(owned, "yahoo.") {
		return "yahoo"
	}
	return owned
}
