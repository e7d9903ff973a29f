package config

import (
	"slices"
	"strconv"
	"time"
)

// table is the field table: each field once, in the order of the file. The
// form, the plain prompts, check, set, the loader and the reference use it.
// The fields of a trigger and of a transfer stand in files of their own.
var table = slices.Concat([]Field{
	define(spec{key: "version", label: "Version", def: "1", values: "1",
		help: "The format of the configuration file."},
		parseVersion, strconv.Itoa, func(p place) *int { return &p.c.Version }),

	define(spec{key: "site.name", label: "Site", form: text, values: "up to 64 bytes of text",
		help: "What this box is called in its mails and on its screens, such as Gate 3."},
		line(64), same, func(p place) *string { return &p.c.Site.Name }),
	define(spec{key: "site.time_zone", label: "Time zone", form: text, values: "IANA name; empty: the system's zone",
		help: "The zone of the times in subjects and texts, such as Europe/Berlin."},
		parseTimeZone, same, func(p place) *string { return &p.c.Site.TimeZone }),
	plainly(define(spec{key: "site.holidays", label: "Holidays", form: several, values: "list of up to 64 dates: 2026-12-25, or 12-25 for each year",
		help: "Dates that are no weekday for active times: 2026-12-25, or 12-25 yearly."},
		parseHolidays, formatHolidays, func(p place) *[]Date { return &p.c.Site.Holidays }),
		func(p place) string { return plainHolidays(p.c.Site.Holidays) }),

	define(spec{key: "camera.source", label: "Camera", form: text, values: "v4l2:PATH, clip:FILE, clip:FILE?once, scene:, pipe:COMMAND (not in this version); empty: the first camera found",
		help: "Where the images come from: v4l2:/dev/video0, clip:FILE or scene:."},
		parseSource, same, func(p place) *string { return &p.c.Camera.Source }),
	define(spec{key: "camera.width", label: "Width", def: "640", values: "16–8192 pixels",
		help: "The picture's width in pixels; the camera takes its nearest."},
		number(16, 8192), strconv.Itoa, func(p place) *int { return &p.c.Camera.Width }),
	define(spec{key: "camera.height", label: "Height", def: "480", values: "16–8192 pixels",
		help: "The picture's height in pixels; the camera takes its nearest."},
		number(16, 8192), strconv.Itoa, func(p place) *int { return &p.c.Camera.Height }),
	define(spec{key: "camera.fps", label: "Frame rate", def: "15", values: "1–240 a second",
		help: "Frames a second; the camera takes its nearest."},
		number(1, 240), strconv.Itoa, func(p place) *int { return &p.c.Camera.FPS }),
	define(spec{key: "camera.buffer", label: "Image buffer", def: "8MiB", values: "1MB–1GB",
		help: "Memory for the newest images, those from before a trigger among them."},
		size(1e6, 1e9), formatSize, func(p place) *int64 { return &p.c.Camera.Buffer }),
	define(spec{key: "camera.absorb", label: "Absorb after", def: "1m", values: "10s–1h",
		help: "What stands still in an event for so long becomes background."},
		duration(10*time.Second, time.Hour), formatDuration, func(p place) *time.Duration { return &p.c.Camera.Absorb }),

	define(spec{key: "smtp.server", label: "SMTP server", form: text, values: "host name, IPv4, or IPv6 in brackets",
		help: "Outgoing mail server. A web-only mail service without SMTP cannot be used."},
		parseServer, same, func(p place) *string { return &p.c.SMTP.Server }),
	define(spec{key: "smtp.port", label: "Port", def: "587", values: "1–65535",
		help: "25 is usual; providers ask for 587, or for 465 (TLS from the start)."},
		parsePort, strconv.Itoa, func(p place) *int { return &p.c.SMTP.Port }),
	define(spec{key: "smtp.security", label: "Security", def: "auto", choices: securities, values: "auto, starttls, tls, none",
		help: "auto: TLS on 465; STARTTLS on 587 and with a user name, pin or CA file."},
		parseSecurity, same, func(p place) *string { return &p.c.SMTP.Security }),
	define(spec{key: "smtp.auth", label: "Login method", def: "auto", choices: auths, values: "auto, none, plain, login, cram-md5, scram-sha-256, xoauth2",
		help: "auto: the best method that the server offers, where a user name is set."},
		choice(auths...), same, func(p place) *string { return &p.c.SMTP.Auth }),
	define(spec{key: "smtp.username", label: "User name", form: text, values: "text; empty: no login",
		help: "Often the whole e-mail address. Empty: the server wants no login."},
		line(255), same, func(p place) *string { return &p.c.SMTP.Username }),
	define(spec{key: "smtp.password", label: "Password", form: text, secret: true, values: "text, in secrets.yaml only",
		help: "Google, Yahoo and Apple want an app password, not the account's own."},
		parsePassword, same, func(p place) *string { return &p.s.SMTPPassword }),
	define(spec{key: "smtp.ca_file", label: "CA file", form: text, values: "absolute path of a PEM file; empty: the system's",
		help: "A certificate authority of your own, as a PEM file on this box."},
		parsePath, same, func(p place) *string { return &p.c.SMTP.CAFile }),
	define(spec{key: "smtp.pin", label: "Key pin", form: text, values: "SHA-256 of the public key, base64; empty: none",
		help: "Accept only the server with this public key: its SHA-256 in base64."},
		parsePin, same, func(p place) *string { return &p.c.SMTP.Pin }),

	define(spec{key: "mail.reply_address", label: "Reply address", form: text, values: "one address",
		help: "Shown as the sender. Use the address that the provider issued."},
		parseAddress, same, func(p place) *string { return &p.c.Mail.ReplyAddress }),
	define(spec{key: destinationsKey + ".*", label: "Destination", form: text, values: "list of up to 3 addresses",
		help: "Check each address, so that no notification reaches the wrong party."},
		parseAddress, same, func(p place) *string { return &p.c.Mail.Destinations[p.item] }),
	define(spec{key: "mail.subject", label: "Subject", form: text, def: "CameraNotification", must: true, values: "1–44 characters, at most 176 bytes",
		help: "At most 44 characters. The date and time of the trigger are appended."},
		parseSubject, same, func(p place) *string { return &p.c.Mail.Subject }),
	define(spec{key: "mail.dst_mark", label: "Summer time s", def: "false", values: "true, false",
		help: "Write an s between date and time while summer time is in force."},
		parseBool, strconv.FormatBool, func(p place) *bool { return &p.c.Mail.DSTMark }),
	define(spec{key: "mail.hold_off", label: "Hold-off", def: "60s", values: "0–3600 s",
		help: "After a mail, firings of the same trigger are counted and summed up so long."},
		duration(0, time.Hour), formatDuration, func(p place) *time.Duration { return &p.c.Mail.HoldOff }),
	define(spec{key: "mail.picture_wait", label: "Picture wait", def: "1s", values: "0–60 s",
		help: "How long after the trigger the mail waits for its best image at most."},
		duration(0, time.Minute), formatDuration, func(p place) *time.Duration { return &p.c.Mail.PictureWait }),
	define(spec{key: "mail.digest_after", label: "Digest after", def: "20", values: "1–1000 mails",
		help: "After an outage so many of the newest come one by one, the rest in one mail."},
		number(1, 1000), strconv.Itoa, func(p place) *int { return &p.c.Mail.DigestAfter }),
	define(spec{key: "mail.daily_budget", label: "Daily budget", def: "0", values: "0–100000 recipients in 24 hours; 0: no limit",
		help: "Recipients that the provider allows in 24 hours (Gmail: 500). 0: no limit."},
		number(0, 100000), strconv.Itoa, func(p place) *int { return &p.c.Mail.DailyBudget }),
	define(spec{key: "mail.state_mails", label: "State mails", def: "true", values: "true, false",
		help: "Mail also when the camera is lost, the disk is low, the power was cut …"},
		parseBool, strconv.FormatBool, func(p place) *bool { return &p.c.Mail.StateMails }),
	define(spec{key: "mail.heartbeat", label: "Heartbeat", def: "0", values: "0 (none), or 1h–31d",
		help: "A mail every so often that says all is well, such as 1d. 0: none."},
		parseHeartbeat, formatDuration, func(p place) *time.Duration { return &p.c.Mail.Heartbeat }),
}, triggerFields, transferFields, []Field{
	define(spec{key: "privacy.active", label: "Privacy time", form: tree, values: `{days, from, to} or a list of them; empty: by hand only`,
		help: `When privacy mode is on by itself: {from: "08:00", to: "18:00"}.`},
		parseActive, formatActive, func(p place) *[]Span { return &p.c.Privacy.Active }),
	define(spec{key: "privacy.line", label: "Privacy line", form: text, values: "gpiochipN:LINE, or a line's name; empty: none",
		help: "An input, such as a key switch, that keeps privacy mode on while active."},
		parsePrivacyLine, same, func(p place) *string { return &p.c.Privacy.Line }),

	define(spec{key: "storage.directory", label: "Directory", form: text, values: "absolute path; empty: /var/lib/watchpost for root, else $XDG_STATE_HOME/watchpost",
		help: "Where events, images and waiting mail are kept."},
		parsePath, same, func(p place) *string { return &p.c.Storage.Directory }),
	define(spec{key: "storage.max_bytes", label: "Room", def: "2GB", values: "1MB–1000TB",
		help: "How much room events may take; beyond it the oldest are removed."},
		size(1e6, 1e15), formatSize, func(p place) *int64 { return &p.c.Storage.MaxBytes }),
	define(spec{key: "storage.max_age", label: "Keep for", def: "30d", values: "1h–3650d",
		help: "How long events are kept at most."},
		duration(time.Hour, 3650*day), formatDuration, func(p place) *time.Duration { return &p.c.Storage.MaxAge }),

	define(spec{key: "ssh.listen", label: "SSH listens", form: text, def: ":2222", values: "address:port, or off",
		help: "Where SSH is answered, once a key or a password is set; off: nowhere."},
		parseListen, same, func(p place) *string { return &p.c.SSH.Listen }),
	define(spec{key: "ssh.authorized_keys", label: "SSH key file", form: text, values: "absolute path; empty: authorized_keys beside this file",
		help: "The file of the public keys that may log in, as OpenSSH writes it."},
		parsePath, same, func(p place) *string { return &p.c.SSH.AuthorizedKeys }),
	define(spec{key: "ssh.password", label: "SSH password", form: text, secret: true, hashed: true, values: "8–72 bytes of text; only its hash is kept",
		help: "Lets in over SSH with any user name. Empty: public keys only (better)."},
		parseLogin, same, func(p place) *string { return &p.s.SSHPassword }),

	plainly(define(spec{key: "serial", label: "Serial consoles", form: tree, values: "list of up to 8 {device, baud, term, flow}; term: vt100, vt220, linux, xterm, dumb …; flow: none, rtscts, xonxoff",
		help: "This interface on a serial port: /dev/ttyS0 115200 vt220"},
		parseSerial, formatSerial, func(p place) *[]Serial { return &p.c.Serial }),
		func(p place) string { return plainSerial(p.c.Serial) }),
	define(spec{key: "console.password", label: "Serial password", form: text, secret: true, hashed: true, values: "8–72 bytes of text; only its hash is kept",
		help: "Asked for on serial consoles. Empty: whoever has the cable is let in."},
		parseLogin, same, func(p place) *string { return &p.s.ConsolePassword }),
})

var byKey map[string]*Field

func init() { // not an initialiser: the table's own checks lead back to it
	byKey = make(map[string]*Field, len(table))
	for i := range table {
		byKey[table[i].Key] = &table[i]
	}
	for _, ls := range lists {
		ls.whole = wholeList(ls)
	}
}

func same(s string) string { return s }

func parseVersion(raw string) (int, Verdict) {
	if n, v := number(1, 1)(raw); v.Level == OK {
		return n, v
	}
	return 0, wrong("not version 1", "This program reads version 1 of the configuration only.")
}

var (
	securities = []string{"auto", "starttls", "tls", "none"}
	auths      = []string{"auto", "none", "plain", "login", "cram-md5", "scram-sha-256", "xoauth2"}
)

func parseHeartbeat(raw string) (time.Duration, Verdict) {
	if d, v := duration(0, 0)(raw); v.Level == OK {
		return d, fine("none")
	}
	return duration(time.Hour, 31*day)(raw)
}

func parseSecurity(raw string) (string, Verdict) {
	s, v := choice(securities...)(raw)
	if v.Level != OK {
		return s, v
	}
	switch s {
	case "starttls":
		return s, fine("STARTTLS, required")
	case "tls":
		return s, fine("TLS from the start")
	case "none":
		return s, wary("not encrypted", "The mail travels in clear: only where the server is on your own network.")
	}
	return s, fine("")
}
