package config

import (
	"strconv"
	"strings"
)

var (
	kinds              = []string{"ftp", "sftp", "http", "mqtt", "email"}
	transferSecurities = []string{"auto", "starttls", "tls", "none"}
	methods            = []string{"put", "post"}
	transferAuths      = []string{"none", "basic", "bearer"}
)

// transferFields are the fields of one transfer.
var transferFields = []Field{
	define(spec{key: "transfers.*.name", label: "Name", form: text, must: true, values: "1–32 letters, digits, hyphens, underscores, spaces; not none",
		help: "What the transfer is called in triggers and in the queue."},
		nameFor("transfer"), same, func(p place) *string { return &p.c.Transfers[p.item].Name }),
	define(spec{key: "transfers.*.kind", label: "Kind", must: true, choices: kinds, values: "ftp, sftp, http, mqtt, email",
		help: "How images are handed over. email: to mailboxes."},
		parseKind, same, func(p place) *string { return &p.c.Transfers[p.item].Kind }),
	define(spec{key: "transfers.*.server", label: "Server", form: text, kinds: "ftp sftp mqtt", values: "host name, IPv4, or IPv6 in brackets",
		help: "The server that takes the images: a name or an address."},
		parseAnyServer, same, func(p place) *string { return &p.c.Transfers[p.item].Server }),
	define(spec{key: "transfers.*.port", label: "Port", kinds: "ftp sftp mqtt", values: "1–65535; empty or 0: ftp 21 (990 with tls), sftp 22, mqtt 1883 (8883 with tls)",
		help: "Empty: the usual one, which most servers use."},
		number(0, 65535), formatPort, func(p place) *int { return &p.c.Transfers[p.item].Port }),
	define(spec{key: "transfers.*.security", label: "Security", def: "auto", choices: transferSecurities, kinds: "ftp mqtt", values: "auto, starttls (ftp only), tls, none",
		help: "auto: TLS by ftp; by mqtt on port 8883 and wherever there is a user name."},
		parseTransferSecurity, same, func(p place) *string { return &p.c.Transfers[p.item].Security }),
	define(spec{key: "transfers.*.username", label: "User name", form: text, kinds: "ftp sftp http mqtt", values: "text; empty: no login",
		help: "The account on the server. Empty: no login."},
		line(255), same, func(p place) *string { return &p.c.Transfers[p.item].Username }),
	define(spec{key: "transfers.*.password", label: "Password", form: text, secret: true, kinds: "ftp sftp http mqtt", values: "text, in secrets.yaml only",
		help: "Password, bearer token (http), or the key file's passphrase (sftp)."},
		parsePassword, same, transferPassword, setTransferPassword),
	define(spec{key: "transfers.*.key_file", label: "Key file", form: text, kinds: "sftp", values: "absolute path of a private key; empty: the password",
		help: "A private key on this box, in place of a password."},
		parsePath, same, func(p place) *string { return &p.c.Transfers[p.item].KeyFile }),
	define(spec{key: "transfers.*.host_key", label: "Host key", form: text, kinds: "sftp", values: "SHA256:… fingerprint; needed",
		help: "The server's key: ssh-keyscan SERVER | ssh-keygen -lf - shows SHA256:…"},
		parseHostKey, same, func(p place) *string { return &p.c.Transfers[p.item].HostKey }),
	define(spec{key: "transfers.*.ca_file", label: "CA file", form: text, kinds: "ftp http mqtt", values: "absolute path of a PEM file; empty: the system's",
		help: "A certificate authority of your own for this server, as a PEM file."},
		parsePath, same, func(p place) *string { return &p.c.Transfers[p.item].CAFile }),
	define(spec{key: "transfers.*.pin", label: "Key pin", form: text, kinds: "ftp http mqtt", values: "SHA-256 of the public key, base64; empty: none",
		help: "Accept only the server with this public key: its SHA-256, in base64."},
		parsePin, same, func(p place) *string { return &p.c.Transfers[p.item].Pin }),
	define(spec{key: "transfers.*.path", label: "Folder", form: text, def: "{trigger}/{date}", kinds: "ftp sftp http", values: "pattern of " + strings.TrimSuffix(knownPlaceholders, ".") + "; . is the server's own folder",
		help: "Folders for the images, made where they are missing, such as {date}/{hour}."},
		parseFolder, same, func(p place) *string { return &p.c.Transfers[p.item].Path }),
	define(spec{key: "transfers.*.file", label: "File name", form: text, def: "{trigger}-{stamp}.jpg", kinds: "ftp sftp http", values: "pattern as of path, without a slash",
		help: "What each image is called there; {n} counts in the event."},
		parseFileName, same, func(p place) *string { return &p.c.Transfers[p.item].File }),
	define(spec{key: "transfers.*.url", label: "URL", form: text, kinds: "http", values: "http:// or https://, without user name and password",
		help: "Where images go by HTTP, such as https://nas.example.net/upload."},
		parseURL, same, func(p place) *string { return &p.c.Transfers[p.item].URL }),
	define(spec{key: "transfers.*.method", label: "Method", def: "put", choices: methods, kinds: "http", values: "put, post",
		help: "put: to URL/folder/file name. post: as a form (multipart) to the URL."},
		choice(methods...), same, func(p place) *string { return &p.c.Transfers[p.item].Method }),
	define(spec{key: "transfers.*.auth", label: "Login method", def: "none", choices: transferAuths, kinds: "http", values: "none, basic, bearer",
		help: "basic: user name and password. bearer: the password is a token."},
		choice(transferAuths...), same, func(p place) *string { return &p.c.Transfers[p.item].Auth }),
	define(spec{key: "transfers.*.headers", label: "Headers", form: tree, kinds: "http", values: "map of up to 16 HTTP headers",
		help: "More HTTP headers of each request: {X-Camera: gate3}."},
		parseHeaders, formatHeaders, func(p place) *map[string]string { return &p.c.Transfers[p.item].Headers }),
	define(spec{key: "transfers.*.topic", label: "Topic", form: text, def: "watchpost/{site}/{trigger}", kinds: "mqtt", values: "pattern as of path",
		help: "The topic below which events and their last image are published."},
		parseTopic, same, func(p place) *string { return &p.c.Transfers[p.item].Topic }),
	define(spec{key: "transfers.*.discovery", label: "Discovery", def: "false", kinds: "mqtt", values: "true, false",
		help: "Tell Home Assistant of the triggers, so that it shows them by itself."},
		parseBool, strconv.FormatBool, func(p place) *bool { return &p.c.Transfers[p.item].Discovery }),
	plainly(define(spec{key: "transfers.*.destinations", label: "Destinations", form: several, kinds: "email", values: "list of up to 3 addresses; empty: mail.destinations",
		help: "Who gets the images by e-mail. Empty: those of the Mail page."},
		parseDestinations, formatDestinations, func(p place) *[]string { return &p.c.Transfers[p.item].Destinations }),
		func(p place) string { return strings.Join(p.c.Transfers[p.item].Destinations, ", ") }),
}

// transferPassword is a copy: a map's values have no place of their own.
func transferPassword(p place) *string {
	s := p.s.Transfers[p.c.Transfers[p.item].Name]
	return &s
}

func setTransferPassword(p place, value string) {
	name := p.c.Transfers[p.item].Name
	if value == "" {
		delete(p.s.Transfers, name)
		return
	}
	if p.s.Transfers == nil {
		p.s.Transfers = map[string]string{}
	}
	p.s.Transfers[name] = value
}

// parseKind judges how images are handed over.
func parseKind(raw string) (string, Verdict) {
	switch strings.ToLower(strings.TrimSpace(raw)) {
	case "ftps":
		return "", wrong("ftp with TLS", "This is kind ftp, which has TLS unless security is none.").fix("ftp")
	case "https":
		return "", wrong("http with TLS", "This is kind http, with a URL that begins with https://.").fix("http")
	}
	return choice(kinds...)(raw)
}

// parseAnyServer is parseServer without what is known of mail providers.
func parseAnyServer(raw string) (string, Verdict) {
	s := strings.TrimSpace(raw)
	if ascii, v := domainName(s); v.Level == OK {
		return s, localOrNot(ascii)
	}
	s, v := parseServer(raw)
	if v.Short == "an e-mail address" {
		v.Text = "This is an address. Type the name of the server alone."
	}
	return s, v
}

func localOrNot(name string) Verdict {
	if name != "localhost" && !strings.Contains(name, ".") {
		return fine("local name") // as of a NAS, often
	}
	return fine("host name")
}

func parseTransferSecurity(raw string) (string, Verdict) {
	s, v := choice(transferSecurities...)(raw)
	if v.Level != OK {
		return s, v
	}
	switch s {
	case "starttls":
		return s, fine("TLS, explicit")
	case "tls":
		return s, fine("TLS from the start")
	case "none":
		return s, wary("not encrypted", "The images travel in clear: only where the server is on your own network.")
	}
	return s, fine("")
}
