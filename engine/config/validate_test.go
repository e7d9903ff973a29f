package config

import (
	"strings"
	"testing"
	"time"
)

// mailed is a configuration with nothing to say of it.
func mailed() (Config, Secrets) {
	c := Default()
	c.SMTP.Server, c.SMTP.Username = "mail.example.net", "gate3"
	c.Mail.ReplyAddress, c.Mail.Destinations = "gate3@example.net", []string{"guard@example.net"}
	return c, Secrets{SMTPPassword: "hush"}
}

func TestCrossFieldRules(t *testing.T) {
	own := 5 * time.Second
	for _, c := range []struct {
		name   string
		change func(c *Config, s *Secrets)
		want   string // key: ?short or !short; several by space-separated key=…; empty: nothing
	}{
		{"all well", func(c *Config, s *Secrets) {}, ""},
		{"465 with starttls", func(c *Config, s *Secrets) { c.SMTP.Port, c.SMTP.Security = 465, "starttls" }, "smtp.security ? 465 expects TLS"},
		{"465 with auto", func(c *Config, s *Secrets) { c.SMTP.Port = 465 }, ""},
		{"587 with tls", func(c *Config, s *Secrets) { c.SMTP.Security = "tls" }, "smtp.security ? 587 expects STARTTLS"},
		{"25 with tls", func(c *Config, s *Secrets) { c.SMTP.Port, c.SMTP.Security = 25, "tls" }, "smtp.security ? 25 expects STARTTLS"},
		{"none with a user name", func(c *Config, s *Secrets) { c.SMTP.Security = "none" }, "smtp.security ! password in clear"},
		{"none without", func(c *Config, s *Secrets) { c.SMTP.Security, c.SMTP.Username, s.SMTPPassword = "none", "", "" }, "smtp.security ? not encrypted"},
		{"auth without a user name", func(c *Config, s *Secrets) { c.SMTP.Auth, c.SMTP.Username = "plain", "" }, "smtp.username ? needed to log in"},
		{"password without a user name", func(c *Config, s *Secrets) { c.SMTP.Username = "" }, "smtp.username ? needed to log in"},
		{"user name without a password", func(c *Config, s *Secrets) { s.SMTPPassword = "" }, "smtp.password ? no password"},
		{"auth none with a user name", func(c *Config, s *Secrets) { c.SMTP.Auth = "none" }, "smtp.auth ? no login"},
		{"foreign reply domain", func(c *Config, s *Secrets) { c.Mail.ReplyAddress = "gate3@exmaple.net" }, "mail.reply_address ? not server's domain"},
		{"co.uk is no domain of anybody's", func(c *Config, s *Secrets) {
			c.SMTP.Server, c.Mail.ReplyAddress = "mail.one.co.uk", "a@two.co.uk"
		}, "mail.reply_address ? not server's domain"},
		{"same under co.uk", func(c *Config, s *Secrets) {
			c.SMTP.Server, c.Mail.ReplyAddress = "mail.one.co.uk", "a@one.co.uk"
		}, ""},
		{"Google's house", func(c *Config, s *Secrets) {
			c.SMTP.Server, c.Mail.ReplyAddress = "smtp.gmail.com", "a@googlemail.com"
		}, ""},
		{"Microsoft's house", func(c *Config, s *Secrets) {
			c.SMTP.Server, c.Mail.ReplyAddress = "smtp.office365.com", "a@hotmail.de"
		}, ""},
		{"own domain, and the provider's login is that address", func(c *Config, s *Secrets) {
			c.SMTP.Server, c.SMTP.Username, c.Mail.ReplyAddress = "smtp.office365.com", "gate3@firm.example", "gate3@firm.example"
		}, ""},
		{"IDN on both sides", func(c *Config, s *Secrets) {
			c.SMTP.Server, c.Mail.ReplyAddress = "mail.exämple.de", "a@xn--exmple-cua.de"
		}, ""},
		{"server by number", func(c *Config, s *Secrets) { c.SMTP.Server = "[2001:db8::25]" }, ""},
		{"same destination twice", func(c *Config, s *Secrets) {
			c.Mail.Destinations = []string{"guard@example.net", "b@example.net", "guard@EXAMPLE.net"}
		}, "mail.destinations.3 ! comes twice"},
		{"local parts have case (RFC 5321 §2.4)", func(c *Config, s *Secrets) {
			c.Mail.Destinations = []string{"guard@example.net", "Guard@example.net"}
		}, ""},
		{"no destination", func(c *Config, s *Secrets) { c.Mail.Destinations = nil }, "mail.destinations.1 ? needed"},
		{"no reply address", func(c *Config, s *Secrets) { c.Mail.ReplyAddress = "" }, "mail.reply_address ? needed"},
		{"no server", func(c *Config, s *Secrets) { c.SMTP.Server = "" }, "smtp.server ? needed"},
		{"four destinations", func(c *Config, s *Secrets) {
			c.Mail.Destinations = []string{"a@example.net", "b@example.net", "c@example.net", "d@example.net"}
		}, "mail.destinations ! at most 3"},
		{"two triggers of a name", func(c *Config, s *Secrets) {
			a, b := ExampleTrigger(), ExampleTrigger()
			b.Name, b.HoldOff = "Motion", &own
			c.Triggers = []Trigger{a, b}
		}, "triggers.Motion.name ! name comes twice"},
		{"a timer that notifies", func(c *Config, s *Secrets) {
			a := ExampleTrigger()
			a.Source = "timer"
			c.Triggers = []Trigger{a}
		}, "triggers.motion.notify ! timers do not notify"},
		{"external without a line", func(c *Config, s *Secrets) {
			a := ExampleTrigger()
			a.Source = "external"
			c.Triggers = []Trigger{a}
		}, "triggers.motion.source ? not in this version, triggers.motion.line ? line is missing"},
		{"unknown transfer", func(c *Config, s *Secrets) {
			a := ExampleTrigger()
			a.Transfer = "nas"
			c.Triggers = []Trigger{a}
		}, "triggers.motion.transfer ! no such transfer"},
		{"a value that no file could give", func(c *Config, s *Secrets) { c.SMTP.Port, c.Mail.Subject = 0, "a\nb" }, "smtp.port ! at least 1, mail.subject ! control character"},
	} {
		cfg, s := mailed()
		c.change(&cfg, &s)
		var got []string
		for _, f := range Validate(cfg, s) {
			got = append(got, f.Key+" "+f.Level.Mark()+" "+f.Short)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, strings.Join(got, ", "), c.want)
		}
	}
}

func TestSecurityInUse(t *testing.T) {
	for _, c := range []struct {
		m     SMTP
		short string
	}{
		{SMTP{Port: 465, Security: "auto"}, "TLS"},
		{SMTP{Port: 587, Security: "auto"}, "STARTTLS, required"},
		{SMTP{Port: 25, Security: "auto"}, "STARTTLS if offered"},
		{SMTP{Port: 25, Security: "auto", Username: "u", Auth: "auto"}, "STARTTLS, required"},
		{SMTP{Port: 25, Security: "auto", Username: "u", Auth: "none"}, "STARTTLS if offered"},
		{SMTP{Port: 2525, Security: "auto"}, "STARTTLS if offered"},
		{SMTP{Port: 25, Security: "auto", Pin: "p"}, "STARTTLS, required"},
		{SMTP{Port: 2525, Security: "auto", CAFile: "/ca.pem"}, "STARTTLS, required"},
		{SMTP{Port: 465, Security: "auto", Pin: "p", CAFile: "/ca.pem"}, "TLS"},
		{SMTP{Port: 25, Security: "none", Pin: "p"}, "not encrypted"},
		{SMTP{Port: 25, Security: "tls"}, "TLS"},
		{SMTP{Port: 25, Security: "starttls"}, "STARTTLS, required"},
		{SMTP{Port: 465, Security: "starttls"}, "STARTTLS, required"},
		{SMTP{Port: 25, Security: "none"}, "not encrypted"},
	} {
		if got := securityShort(c.m); got != c.short {
			t.Errorf("%+v: %q, want %q", c.m, got, c.short)
		}
	}
}
