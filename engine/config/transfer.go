package config

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// EncryptionOf says how a connection of a transfer is protected: "tls" from the
// start, "starttls" (FTP: explicit TLS, required), "ssh" or "none". E-mail has smtp's.
func EncryptionOf(t Transfer) string {
	switch t.Kind {
	case "sftp":
		return "ssh"
	case "http":
		if strings.HasPrefix(strings.ToLower(t.URL), "http://") {
			return "none"
		}
		return "tls"
	case "ftp":
		if t.Security == "auto" {
			return "starttls"
		}
	case "mqtt":
		if t.Security != "auto" {
			break
		}
		if t.Port == 8883 || t.Username != "" {
			return "tls"
		}
		return "none"
	}
	return t.Security
}

// PortOf is the port that a transfer connects to: its own, or the usual one.
func PortOf(t Transfer) int {
	tls := EncryptionOf(t) == "tls"
	switch {
	case t.Port != 0:
		return t.Port
	case t.Kind == "ftp" && tls:
		return 990
	case t.Kind == "ftp":
		return 21
	case t.Kind == "sftp":
		return 22
	case t.Kind == "mqtt" && tls:
		return 8883
	case t.Kind == "mqtt":
		return 1883
	}
	return 0
}

// parseHostKey judges an SSH host key's fingerprint as OpenSSH writes it: SHA256:
// and the hash in base64 without padding. A line of ssh-keygen or a public key
// is offered as its fingerprint.
func parseHostKey(raw string) (string, Verdict) {
	const prefix, text = "SHA256:", "A fingerprint is SHA256: and 43 characters, as ssh-keygen -lf shows it."
	s := strings.TrimSpace(raw)
	if v := plainText(s); v.Level != OK {
		return "", v
	}
	for _, word := range strings.Fields(s) {
		if key, err := base64.StdEncoding.DecodeString(word); err == nil && len(key) > 32 && strings.HasPrefix(word, "AAAA") {
			hash := sha256.Sum256(key)
			return "", wrong("a whole key", "This is the public key itself; its fingerprint is asked for.").fix(prefix + base64.RawStdEncoding.EncodeToString(hash[:]))
		}
		if word != s && strings.HasPrefix(word, prefix) {
			return "", wrong("only the fingerprint", text).fix(word)
		}
	}
	hash, ok := strings.CutPrefix(s, prefix)
	switch {
	case !ok && strings.HasPrefix(prefix, s):
		return "", half(text)
	case !ok:
		return "", wrong("not a fingerprint", text)
	case strings.HasSuffix(hash, "="):
		return "", wrong("= at its end", text).fix(strings.TrimRight(s, "="))
	}
	if b, err := base64.RawStdEncoding.Strict().DecodeString(hash); err == nil && len(b) == sha256.Size {
		return s, fine("")
	}
	if len(hash) < 43 && strings.Trim(hash, base64Letters) == "" {
		return "", half(text)
	}
	return "", wrong("not a fingerprint", text)
}

const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// parseURL judges where images go by HTTP. A login in it is refused: it would
// stand in a file that others may read.
func parseURL(raw string) (string, Verdict) {
	const text = "A URL such as https://nas.example.net/upload."
	s, v := line(1024)(raw)
	if v.Level != OK {
		return "", v
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if lower := strings.ToLower(scheme); lower != "http" && lower != "https" {
		for _, begun := range []string{"http://", "https://"} {
			if !ok && strings.HasPrefix(begun, strings.ToLower(s)) {
				return "", half(text)
			}
		}
		if ok {
			return "", wrong("http or https", "A URL begins with http:// or https:// here.")
		}
		return "", wrong("not a URL", text).fix(fixURL("https://" + s))
	}
	if !ok || rest == "" {
		return "", half(text)
	}
	host, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		return "", wrong("a login in the URL", "User name and password have fields of their own.").fix(fixURL(scheme + "://" + rest[at+1:]))
	}
	u, err := url.Parse(s)
	switch {
	case strings.ContainsAny(s, " \"<>\\^`{|}"):
		return "", wrong("bad character", "There is a character in it that a URL does not have: write it as %XX.")
	case err != nil:
		return "", wrong("not a URL", text)
	case strings.Contains(s, "#"):
		return "", wrong("# in the URL", "What follows a # is never sent to a server.").fix(fixURL(s[:strings.IndexByte(s, '#')]))
	}
	name := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		name = "[" + name + "]"
	}
	if _, v := parseAnyServer(name); v.Blocks() {
		v.Fix = ""
		return "", v
	}
	if strings.HasSuffix(u.Host, ":") {
		return "", half("The port follows the colon.")
	}
	if port := u.Port(); port != "" {
		if _, v := number(1, 65535)(port); v.Blocks() {
			return "", v
		}
	}
	for name := range u.Query() {
		if credential(name) {
			return s, wary("token in the URL", "The URL stands readable in the file and in every backup: a token has a place with auth bearer.")
		}
	}
	if u.Scheme == "http" {
		return s, wary("not encrypted", "The images travel in clear: only where the server is on your own network.")
	}
	return s, fine("TLS")
}

func fixURL(s string) string {
	if _, v := parseURL(s); v.Blocks() {
		return ""
	}
	return s
}

// ownHeaders are those that the request or a field of its own sets.
var ownHeaders = []string{"authorization", "connection", "content-length", "content-type", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}

// parseHeaders judges more HTTP headers (RFC 9110 §5.5, §5.6.2).
func parseHeaders(raw string) (map[string]string, Verdict) {
	const text = "Headers are a map: {X-Camera: gate3}."
	n, v := parseFlow(raw)
	if v.Blocks() {
		return nil, v
	}
	pairs, v := pairsOf(n, text)
	if v.Level != OK {
		return nil, v
	}
	if len(pairs) > 16 {
		return nil, wrong("at most 16 headers", "There are at most 16 headers.")
	}
	all := map[string]string{}
	seen := map[string]bool{}
	for _, p := range pairs {
		low := strings.ToLower(p.key)
		switch {
		case p.key == "" || len(p.key) > 64 || strings.ContainsFunc(p.key, func(r rune) bool {
			return r >= 0x80 || !isAlnum(byte(r)) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
		}):
			return nil, wrong("not a header's name", "A header's name has up to 64 letters, digits and hyphens.")
		case low == "authorization":
			return nil, wrong("auth: own field", "The login has fields of its own: auth, username, password.")
		case slices.Contains(ownHeaders, low):
			return nil, wrong("set by itself", "The header "+quote(p.key)+" is set by the request itself.")
		case seen[low]:
			return nil, wrong("header comes twice", "The header "+quote(p.key)+" comes twice.")
		case p.value.Kind != yaml.ScalarNode:
			return nil, wrong("not one value", text)
		}
		seen[low] = true
		value, v := line(1024)(p.value.Value)
		if v.Level != OK {
			return nil, v
		}
		if !isASCII(value) {
			return nil, wrong("not ASCII", "A header's value is plain ASCII text (RFC 9110 §5.5).")
		}
		all[p.key] = value
	}
	for _, p := range pairs {
		if credential(p.key) {
			return all, wary("can be read", quote(p.key)+" stands readable in the file and in every backup: a token has a place with auth bearer.")
		}
	}
	if len(all) == 0 {
		return nil, fine("")
	}
	return all, fine(plural(len(all), "header"))
}

// credential reports whether a header or a URL's parameter is called as what nobody
// else should know.
func credential(name string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' }), func(word string) bool {
		return slices.Contains([]string{"key", "apikey", "token", "secret", "password", "auth", "cookie", "sig", "signature"}, word)
	})
}

func formatHeaders(all map[string]string) string {
	if len(all) == 0 {
		return ""
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	m := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range names {
		put(m, name, all[name])
	}
	return flowText(m)
}

// wordsOf takes a list of words apart: YAML, or one word alone.
func wordsOf(raw, text string) ([]string, Verdict) {
	n, v := parseFlow(raw)
	if v.Blocks() {
		return nil, v
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	var all []string
	for _, item := range items {
		if item.Kind != yaml.ScalarNode {
			return nil, wrong("not a list", text)
		}
		all = append(all, item.Value)
	}
	return all, fine("")
}

// parseDestinations judges a list of addresses in one field.
func parseDestinations(raw string) ([]string, Verdict) {
	list, v := splitDestinations(raw)
	if v.Blocks() {
		return nil, v
	}
	var worst = fine("")
	for i, a := range list {
		a, v := parseAddress(a)
		v.Fix = "" // it would replace the whole list
		if v.Blocks() {
			return nil, v
		}
		if v.Level.severity() > worst.Level.severity() {
			worst = v
		}
		for _, other := range list[:i] {
			if sameMailbox(a, other) {
				return nil, wrong("comes twice", "The address "+quote(a)+" comes twice.")
			}
		}
		list[i] = a
	}
	if len(list) == 0 {
		return nil, worst
	}
	return list, worst
}

func formatDestinations(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return flowText(destinationsNode(list))
}
