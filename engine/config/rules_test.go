package config

import (
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// findings is what Validate says of a configuration, in short.
func findings(c Config, s Secrets) string {
	var got []string
	for _, f := range Validate(c, s) {
		got = append(got, f.Key+" "+f.Level.Mark()+" "+f.Short)
	}
	return strings.Join(got, ", ")
}

// placeOf is a transfer of a kind with nothing to say of it, and its password.
func placeOf(kind string) (Transfer, string) {
	c := Config{Transfers: make([]Transfer, 1)}
	transfers.fill(&c, 0)
	t := c.Transfers[0]
	t.Name, t.Kind = "nas", kind
	switch kind {
	case "ftp", "mqtt":
		t.Server, t.Username = "nas.local", "u"
	case "sftp":
		t.Server, t.Username, t.HostKey = "nas.local", "u", fingerprint
	case "http":
		t.URL, t.Auth, t.Username = "https://nas.local/", "basic", "u"
	case "email":
		return t, ""
	}
	return t, "hush"
}

func TestTransferRules(t *testing.T) {
	for _, c := range []struct {
		kind   string
		change func(t *Transfer, password *string)
		want   string // without the transfer's key
	}{
		{"ftp", func(t *Transfer, p *string) {}, ""},
		{"sftp", func(t *Transfer, p *string) {}, ""},
		{"http", func(t *Transfer, p *string) {}, ""},
		{"mqtt", func(t *Transfer, p *string) {}, ""},
		{"email", func(t *Transfer, p *string) {}, ""},
		{"ftp", func(t *Transfer, p *string) { t.Server = "" }, "server ? needed"},
		{"ftp", func(t *Transfer, p *string) { t.Username, *p = "", "" }, ""},
		{"ftp", func(t *Transfer, p *string) { t.Username = "" }, "username ? needed to log in"},
		{"ftp", func(t *Transfer, p *string) { *p = "" }, "password ? no password"},
		{"ftp", func(t *Transfer, p *string) { t.Security = "none" }, "security ? not encrypted, security ? password in clear"},
		{"ftp", func(t *Transfer, p *string) { t.Security, t.Username, *p = "none", "", "" }, "security ? not encrypted"},
		{"ftp", func(t *Transfer, p *string) {
			t.Security, t.Pin = "none", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
		}, "security ? not encrypted, security ? password in clear, pin ? not used"},
		{"ftp", func(t *Transfer, p *string) { t.Port = 990 }, "security ? 990 expects TLS"},
		{"ftp", func(t *Transfer, p *string) { t.Port, t.Security = 990, "tls" }, ""},
		{"ftp", func(t *Transfer, p *string) { t.URL = "https://nas.local/" }, "url ? not used"},
		{"ftp", func(t *Transfer, p *string) { t.File = "{n}.jpg" }, "file ? same names again"},
		{"ftp", func(t *Transfer, p *string) { t.Path, t.File = "{event}", "{n}.jpg" }, ""},
		{"ftp", func(t *Transfer, p *string) { t.File = "latest.jpg" }, "file ? one name for all"},
		{"sftp", func(t *Transfer, p *string) { t.Server = "" }, "server ? needed"},
		{"sftp", func(t *Transfer, p *string) { t.HostKey = "" }, "host_key ? needed"},
		{"sftp", func(t *Transfer, p *string) { t.Username = "" }, "username ? needed"},
		{"sftp", func(t *Transfer, p *string) { *p = "" }, "password ? password or key"},
		{"sftp", func(t *Transfer, p *string) { t.KeyFile, *p = "/key", "" }, ""},
		{"sftp", func(t *Transfer, p *string) { t.Security = "tls" }, "security ? not used"},
		{"http", func(t *Transfer, p *string) { t.URL = "" }, "url ? needed"},
		{"http", func(t *Transfer, p *string) { t.URL = "http://nas.local/" }, "url ? not encrypted, url ? password in clear"},
		{"http", func(t *Transfer, p *string) { t.URL, t.Auth, t.Username, *p = "HTTP://nas.local/", "none", "", "" }, "url ? not encrypted"},
		{"http", func(t *Transfer, p *string) { t.Auth = "none" }, "auth ? no login"},
		{"http", func(t *Transfer, p *string) { t.Username = "" }, "username ? needed to log in"},
		{"http", func(t *Transfer, p *string) { t.Auth, t.Username = "bearer", "" }, ""},
		{"http", func(t *Transfer, p *string) { t.Auth, t.Username, *p = "bearer", "", "" }, "password ? no token"},
		{"http", func(t *Transfer, p *string) { t.Method, t.File = "post", "{n}.jpg" }, ""},
		{"mqtt", func(t *Transfer, p *string) { t.Security = "starttls" }, "security ! not with mqtt"},
		{"mqtt", func(t *Transfer, p *string) { t.Security = "none" }, "security ? not encrypted, security ? password in clear"},
		{"mqtt", func(t *Transfer, p *string) {
			t.Username, *p, t.Pin = "", "", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
		}, "pin ? not used"},
		{"mqtt", func(t *Transfer, p *string) { t.Username, *p, t.CAFile = "", "", "/ca.pem" }, "ca_file ? not used"},
		{"http", func(t *Transfer, p *string) { t.Auth, t.Username = "none", "" }, "auth ? no login"},
		{"mqtt", func(t *Transfer, p *string) { t.File = "{n}.jpg" }, "file ? not used"},
		{"email", func(t *Transfer, p *string) { t.Server, t.Discovery = "nas.local", true }, "server ? not used, discovery ? not used"},
		{"email", func(t *Transfer, p *string) { *p = "hush" }, "password ? not used"},
		{"", func(t *Transfer, p *string) { *p = "" }, "kind ! incomplete"},
	} {
		cfg, s := mailed()
		place, password := placeOf(c.kind)
		c.change(&place, &password)
		cfg.Transfers = []Transfer{place}
		if password != "" {
			s.Transfers = map[string]string{"nas": password}
		}
		if got := strings.ReplaceAll(findings(cfg, s), "transfers.nas.", ""); got != c.want {
			t.Errorf("%s: %+v:\n got %s\nwant %s", c.kind, place, got, c.want)
		}
	}
}

func TestRulesOfTriggersAndTransfers(t *testing.T) {
	mailPlace, _ := placeOf("email")
	ftp, _ := placeOf("ftp")
	ftp.Username = ""
	defer func(was func() time.Time) { today = was }(today)
	today = func() time.Time { return time.Date(2026, 6, 18, 12, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name   string
		change func(c *Config, t *Trigger)
		want   string
	}{
		{"a transfer", func(c *Config, t *Trigger) { t.Transfer, c.Transfers = "nas", []Transfer{ftp} }, ""},
		{"a timer's images by e-mail", func(c *Config, t *Trigger) {
			t.Source, t.Notify, t.Transfer, c.Transfers = "timer", false, "nas", []Transfer{mailPlace}
		}, ""},
		{"a timer that notifies", func(c *Config, t *Trigger) { t.Source = "timer" }, "triggers.motion.notify ! timers do not notify"},
		{"another's transfer", func(c *Config, t *Trigger) { t.Transfer, c.Transfers = "NAS", []Transfer{ftp} }, "triggers.motion.transfer ! no such transfer"},
		{"a transfer by its number", func(c *Config, t *Trigger) { t.Transfer, c.Transfers = "1", []Transfer{ftp} }, "triggers.motion.transfer ! no such transfer"},
		{"e-mail without a server", func(c *Config, t *Trigger) { c.Transfers, c.SMTP.Server = []Transfer{mailPlace}, "" }, "smtp.server ? needed, transfers.nas.kind ? no mail server"},
		{"e-mail to nobody", func(c *Config, t *Trigger) { c.Transfers, c.Mail.Destinations = []Transfer{mailPlace}, nil }, "mail.destinations.1 ? needed, transfers.nas.destinations ? needed"},
		{"nine transfers", func(c *Config, t *Trigger) {
			for _, n := range "abcdefghi" {
				ftp := ftp
				ftp.Name = string(n)
				c.Transfers = append(c.Transfers, ftp)
			}
		}, "transfers ! at most 8 transfers"},
		{"two of a name", func(c *Config, t *Trigger) {
			other := ftp
			other.Name = "Nas"
			c.Transfers = []Transfer{ftp, other}
		}, "transfers.Nas.name ! name comes twice"},
		{"motion and motion", func(c *Config, t *Trigger) { t.And = &And{Source: "motion", Within: time.Second} }, "triggers.motion.and ! its own source"},
		{"motion and the PIR", func(c *Config, t *Trigger) { t.And = &And{Source: "builtin", Within: time.Second, Line: "PIR"} }, "triggers.motion.and ? not in this version"},
		{"motion and an input without a line", func(c *Config, t *Trigger) { t.And = &And{Source: "external", Within: time.Second} }, "triggers.motion.and ? line is missing"},
		{"by hand and motion", func(c *Config, t *Trigger) { t.Source, t.And = "manual", &And{Source: "motion", Within: time.Second} }, ""},
		{"holidays only, and there is none", func(c *Config, t *Trigger) { t.Active = []Span{{Holiday: true}} }, "triggers.motion.active ? never comes"},
		{"holidays only, all past", func(c *Config, t *Trigger) {
			t.Active, c.Site.Holidays = []Span{{Holiday: true}}, []Date{{2026, 6, 16}, {2025, 12, 25}}
		}, "triggers.motion.active ? never comes"},
		{"a night that began yesterday", func(c *Config, t *Trigger) {
			t.Active, c.Site.Holidays = []Span{{Holiday: true}}, []Date{{2026, 6, 17}}
		}, ""},
		{"each year's", func(c *Config, t *Trigger) { t.Active, c.Site.Holidays = []Span{{Holiday: true}}, []Date{{0, 1, 1}} }, ""},
		{"holidays and Mondays", func(c *Config, t *Trigger) { t.Active = []Span{{Holiday: true, Days: []time.Weekday{1}}} }, ""},
		{"a zone without the tree", func(c *Config, t *Trigger) { t.Exclude = []Zone{{0, 0, 100, 90}} }, ""},
		{"no zone is left", func(c *Config, t *Trigger) {
			t.Zones, t.Exclude = []Zone{{10, 10, 50, 20}, {80, 80, 20, 20}}, []Zone{{0, 0, 40, 50}, {40, 0, 30, 50}, {80, 80, 20, 20}}
		}, "triggers.motion.exclude ? nothing is left"},
		{"privacy for ever", func(c *Config, t *Trigger) { c.Privacy.Active = []Span{{}} }, "privacy.active ? always"},
		{"privacy by two halves", func(c *Config, t *Trigger) { c.Privacy.Active = []Span{{From: 360, To: 1080}, {From: 1080, To: 360}} }, "privacy.active ? always"},
		{"privacy with a minute's gap", func(c *Config, t *Trigger) { c.Privacy.Active = []Span{{From: 360, To: 1080}, {From: 1081, To: 360}} }, ""},
		{"privacy on each weekday", func(c *Config, t *Trigger) { c.Privacy.Active = []Span{{Days: []time.Weekday{0, 1, 2, 3, 4, 5, 6}}} }, "privacy.active ? always"},
		{"but not on holidays", func(c *Config, t *Trigger) {
			c.Privacy.Active, c.Site.Holidays = []Span{{Days: []time.Weekday{0, 1, 2, 3, 4, 5, 6}}}, []Date{{0, 1, 1}}
		}, ""},
		{"privacy on no day", func(c *Config, t *Trigger) { c.Privacy.Active = []Span{{Holiday: true}} }, "privacy.active ? never comes"},
		{"privacy by a switch", func(c *Config, t *Trigger) { c.Privacy.Line = "KEY" }, "privacy.line ? not in this version"},
		{"more images than fit", func(c *Config, t *Trigger) { t.Post = Extent{Images: 600} }, "camera.buffer ? too small"},
		{"more seconds than fit", func(c *Config, t *Trigger) { t.Pre = Extent{Time: 10 * time.Minute} }, "camera.buffer ? too small"},
		{"fewer of better quality", func(c *Config, t *Trigger) { t.Quality = 100 }, ""},
		{"in a larger buffer", func(c *Config, t *Trigger) { t.Post, c.Camera.Buffer = Extent{Images: 600}, 1<<26 }, ""},
	} {
		cfg, s := mailed()
		trigger := ExampleTrigger()
		c.change(&cfg, &trigger)
		cfg.Triggers = []Trigger{trigger}
		if got := findings(cfg, s); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestBufferIsToldInImages: 640x480 at quality 80 is about 61 kB.
func TestBufferIsToldInImages(t *testing.T) {
	d := drafted()
	if v := d.Verdict("camera.buffer"); v.Short != "about 136 images" || v.Level != OK {
		t.Errorf("%+v", v)
	}
	d.Set("triggers.yard.post", "600 images")
	v := d.Verdict("camera.buffer")
	if v.Level != Warning || v.Text != `"yard" has 605 images, about 38 MB: about 136 fit.` || v.Fix != "38MB" {
		t.Errorf("%+v", v)
	}
	if w := d.Verdict("triggers.yard.post"); w.Short != "too small" || w.Fix != "" {
		t.Errorf("%+v", w)
	}
	d.Set("camera.buffer", v.Fix)
	if v := d.Verdict("camera.buffer"); v.Level != OK {
		t.Errorf("its own cure: %+v", v)
	}
	last := int64(0)
	for q := 1; q <= 100; q++ {
		n := ImageBytes(640, 480, q)
		if n < last {
			t.Errorf("quality %d is smaller than the one below", q)
		}
		last = n
	}
}

func TestPortAndEncryptionOfATransfer(t *testing.T) {
	for _, c := range []struct {
		t    Transfer
		port int
		mode string
	}{
		{Transfer{Kind: "ftp", Security: "auto"}, 21, "starttls"},
		{Transfer{Kind: "ftp", Security: "tls"}, 990, "tls"},
		{Transfer{Kind: "ftp", Security: "none"}, 21, "none"},
		{Transfer{Kind: "ftp", Security: "tls", Port: 2121}, 2121, "tls"},
		{Transfer{Kind: "sftp", Security: "auto"}, 22, "ssh"},
		{Transfer{Kind: "mqtt", Security: "auto"}, 1883, "none"},
		{Transfer{Kind: "mqtt", Security: "auto", Username: "u"}, 8883, "tls"},
		{Transfer{Kind: "mqtt", Security: "auto", Username: "u", Port: 1883}, 1883, "tls"},
		{Transfer{Kind: "mqtt", Security: "auto", Port: 8883}, 8883, "tls"},
		{Transfer{Kind: "mqtt", Security: "none", Username: "u"}, 1883, "none"},
		{Transfer{Kind: "http", Security: "auto", URL: "https://a"}, 0, "tls"},
		{Transfer{Kind: "http", Security: "auto", URL: "http://a"}, 0, "none"},
	} {
		if PortOf(c.t) != c.port || EncryptionOf(c.t) != c.mode {
			t.Errorf("%+v: port %d, %s", c.t, PortOf(c.t), EncryptionOf(c.t))
		}
	}
}

func TestDateIs(t *testing.T) {
	at := time.Date(2026, 12, 25, 23, 59, 0, 0, time.UTC)
	for d, want := range map[Date]bool{{2026, 12, 25}: true, {0, 12, 25}: true, {2025, 12, 25}: false, {0, 12, 24}: false} {
		if d.Is(at) != want {
			t.Errorf("%v at %v: %v", d, at, !want)
		}
	}
}

func toldOf(l Loaded) string {
	var got []string
	for _, f := range l.Findings {
		got = append(got, f.Key+" "+f.Level.Mark()+" "+f.Short)
	}
	return strings.Join(got, ", ")
}

// One fault does not hide another that has nothing to do with it; what follows
// from a fault is not told beside it.
func TestFaultsHideNoOthers(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"smtp: {port: 99999}\ntriggers: [{name: yard, transfer: nas}]\n", "smtp.port ! at most 65535, triggers.yard.transfer ! no such transfer"},
		{"triggers: [{name: yard, threshold: 12, transfer: nas}]\n", "triggers.yard.threshold ! at most 9, triggers.yard.transfer ! no such transfer"},
		{"triggers: [{name: yard, transfer: nas}]\ntransfers: [{name: nas, kind: ftp, server: nas.local, port: 99999}]\n", "transfers.nas.port ! at most 65535"},
		{"triggers: [{name: yard, transfer: nas}]\ntransfers: [{nme: nas, kind: ftp, server: nas.local}]\n", "transfers.1.nme ! unknown key, transfers.1.name ! name is missing"},
		{"triggers: [{name: yard, transfer: nas}]\ntransfers: {name: nas}\n", "transfers ! not a list"},
		{"smtp: {port: 99999, username: u, security: none}\n", "smtp.port ! at most 65535, smtp.security ? not encrypted"},
		{"camera: {fps: fast}\nsmtp: {username: u, security: none}\n", "camera.fps ! not a number, smtp.security ! password in clear"},
		{"camera: {fps: fast}\ntransfers: [{name: nas, kind: mqtt, server: nas.local, security: starttls}]\n", "camera.fps ! not a number, transfers.nas.security ! not with mqtt"},
	} {
		got := toldOf(load(t, made(t, c.file, "")))
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.file, got, c.want)
		}
	}
}

// A span without its end says when it ends; privacy mode by its schedule, that it has none.
func TestEndsOfActiveTimes(t *testing.T) {
	defer func(was func() time.Time) { today = was }(today)
	today = func() time.Time { return time.Date(2026, 6, 18, 12, 0, 0, 0, time.UTC) }
	for raw, want := range map[string]string{
		`{from: "18:00"}`:                               "until midnight",
		`{days: [mon], from: "18:00"}`:                  "until midnight",
		`[{days: [tue]}, {days: [mon], from: "18:00"}]`: "until midnight",
		`{days: []}`:                                    "every day",
		`{days: [mon]}`:                                 "",
		`{to: "06:00"}`:                                 "",
		`{from: "18:00", to: "24:00"}`:                  "",
	} {
		for _, key := range []string{"privacy.active", "triggers.yard.active"} {
			f, _ := Lookup(key)
			if v := f.Check(raw); v.Short != want || v.Blocks() || (v.Level == Warning) != (want != "") {
				t.Errorf("%s %s: %+v", key, raw, v)
			}
		}
	}
	for holidays, want := range map[string]bool{"": true, "2026-01-01": true, "2026-12-25": false, "12-25": false} {
		c := Default()
		c.Privacy.Active, _ = parseActive("{days: [mon, tue, wed, thu, fri, sat, sun]}")
		if holidays != "" {
			c.Site.Holidays, _ = parseHolidays(holidays)
		}
		if got := strings.Contains(findings(c, Secrets{}), "privacy.active ? always"); got != want {
			t.Errorf("%s: %v", holidays, got)
		}
	}
}

// Keys that a trigger's source has no use for, and images that never come or never end.
func TestTriggerRules(t *testing.T) {
	for _, c := range []struct {
		change func(*Trigger)
		want   string
	}{
		{func(t *Trigger) {}, ""},
		{func(t *Trigger) { t.Edge = "both" }, "edge ? not used"},
		{func(t *Trigger) { t.Debounce, t.Line, t.Every = time.Second, "gpiochip0:4", time.Minute }, "every ? not used, line ? not used, debounce ? not used"},
		{func(t *Trigger) { t.Threshold, t.Zones = 3, []Zone{{1, 2, 3, 4}} }, ""},
		{func(t *Trigger) { t.Source, t.Threshold, t.Zones = event.Manual, 3, []Zone{{1, 2, 3, 4}} }, "threshold ? not used, zones ? not used"},
		{func(t *Trigger) {
			t.Source, t.Threshold, t.And = event.Manual, 3, &And{Source: event.Motion, Within: time.Second}
		}, ""},
		{func(t *Trigger) {
			t.Source, t.Notify, t.Subject, t.Destinations = event.Timer, false, "S", []string{"a@x.org"}
		}, "destinations ? not used, subject ? not used"},
		{func(t *Trigger) { t.Pre, t.Interval = Extent{Time: 3 * time.Second}, 10*time.Second }, "pre ? under the interval"},
		{func(t *Trigger) { t.Post, t.Interval = Extent{Time: 3 * time.Second}, 5*time.Second }, "post ? under the interval"},
		{func(t *Trigger) { t.Post = Extent{} }, ""},
		{func(t *Trigger) { t.Source, t.Notify, t.Every = event.Timer, false, 5*time.Second }, "post ? never ends"},
		{func(t *Trigger) {
			t.Source, t.Notify, t.Every, t.Post = event.Timer, false, 5*time.Second, Extent{Images: 2}
		}, ""},
	} {
		cfg, s := mailed()
		tr := ExampleTrigger()
		c.change(&tr)
		cfg.Triggers = []Trigger{tr}
		if got := strings.ReplaceAll(findings(cfg, s), "triggers.motion.", ""); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", tr, got, c.want)
		}
	}
}

// What is offered in place of STARTTLS fits the port.
func TestMQTTWithoutSTARTTLS(t *testing.T) {
	for port, want := range map[int]string{0: "auto", 1883: "auto", 8883: "tls"} {
		place, _ := placeOf("mqtt")
		place.Port, place.Security = port, "starttls"
		encryptionRules(place, func(_ string, v Verdict, _ ...string) {
			if v.Short == "not with mqtt" && v.Fix != want {
				t.Errorf("port %d: %s, want %s", port, v.Fix, want)
			}
		})
	}
}
