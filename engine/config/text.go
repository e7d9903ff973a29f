package config

import (
	"encoding/base64"
	"encoding/hex"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// The subject's limits, before the stamp is appended.
const (
	SubjectClusters = 44  // characters as a person counts them: grapheme clusters (UAX 29)
	SubjectOctets   = 176 // of UTF-8
)

// SubjectCount is how many characters a subject has: grapheme clusters.
func SubjectCount(s string) int {
	n := 0
	for g := graphemes.FromString(s); g.Next(); {
		n++
	}
	return n
}

// parseSubject judges the fixed part of the subject line.
func parseSubject(raw string) (string, Verdict) {
	s := strings.TrimSpace(raw)
	if v := plainText(s); v.Level != OK {
		return "", v
	}
	if len(s) > SubjectOctets {
		return "", wrong("over 176 bytes", "The subject has at most 176 bytes of UTF-8; these letters take several each.")
	}
	if n := SubjectCount(s); n > SubjectClusters {
		return "", wrong("over 44 characters", "The subject has at most 44 characters; this one has "+strconv.Itoa(n)+".")
	}
	return s, fine("")
}

// plainText refuses what is not text on one line.
func plainText(s string) Verdict {
	switch {
	case !utf8.ValidString(s):
		return wrong("not UTF-8", "There are bytes in it that are not text (UTF-8).")
	case hasControl(s):
		return wrong("control character", "Control characters and line breaks are not allowed.")
	case strings.ContainsRune(s, utf8.RuneError):
		return wrong("broken character", "There is a broken character (U+FFFD) in it: type it again.")
	}
	return fine("")
}

// line parses one line of at most the given number of bytes.
func line(most int) func(string) (string, Verdict) {
	return func(raw string) (string, Verdict) {
		s := strings.TrimSpace(raw)
		if v := plainText(s); v.Level != OK {
			return "", v
		}
		if len(s) > most {
			return "", wrong("too long", "At most "+strconv.Itoa(most)+" bytes.")
		}
		return s, fine("")
	}
}

// parsePassword judges a password or token without ever showing it. Nothing is
// trimmed; RFC 4616 forbids NUL, and no server takes line breaks.
func parsePassword(raw string) (string, Verdict) {
	switch {
	case !utf8.ValidString(raw):
		return "", wrong("not UTF-8", "There are bytes in it that are not text (UTF-8).")
	case strings.ContainsFunc(raw, unicode.IsControl):
		return "", wrong("control character", "There is a control character or a line break in it.")
	case len(raw) > 8192:
		return "", wrong("too long", "At most 8192 bytes.")
	case raw != strings.TrimSpace(raw):
		return raw, wary("space at its end", "It begins or ends with a space: is that meant?")
	}
	return raw, fine("")
}

// parsePath judges an absolute path.
func parsePath(raw string) (string, Verdict) {
	s, v := line(1024)(raw)
	if v.Level == OK && !strings.HasPrefix(s, "/") {
		return "", wrong("not absolute", "A path begins with /.")
	}
	return s, v
}

// parsePin judges the SHA-256 of a public key (RFC 7469 §2.4), in base64; hex is offered as base64.
func parsePin(raw string) (string, Verdict) {
	const text = "The SHA-256 of the server's public key in base64: 44 characters."
	s := strings.TrimSpace(raw)
	for _, prefix := range []string{"sha256//", "sha256:"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			_, v := parsePin(rest)
			if !v.Blocks() {
				return "", wrong("only the hash", "Type the hash alone, without "+prefix+".").fix(rest)
			}
			return "", v
		}
	}
	if b, err := hex.DecodeString(strings.ReplaceAll(s, ":", "")); err == nil && len(b) == 32 {
		return "", wrong("hex, not base64", text).fix(base64.StdEncoding.EncodeToString(b))
	}
	if b, err := base64.StdEncoding.Strict().DecodeString(s); err == nil && len(b) == 32 {
		return s, fine("")
	}
	if len(s) < 44 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:") == "" {
		return "", half(text)
	}
	return "", wrong("not a SHA-256", text)
}

// parseTimeZone judges an IANA zone name.
func parseTimeZone(raw string) (string, Verdict) {
	const text = "A name of the IANA zone database: Area/City, such as Europe/Berlin, or UTC."
	s := strings.TrimSpace(raw)
	if s == "Local" || len(s) > 64 || strings.Trim(s, zoneLetters+"/+") != "" {
		return "", wrong("no time zone", text)
	}
	if _, err := time.LoadLocation(s); err == nil {
		return s, fine("")
	}
	found := ZonesLike(s)
	for _, z := range found { // some people type it in small letters; the names are exact
		if strings.EqualFold(z, s) {
			return "", wrong("capital letters", "Zone names have capitals: "+z+".").fix(z)
		}
	}
	switch len(found) {
	case 0:
	case 1:
		return "", half(zonesText(found)).fix(found[0])
	default:
		return "", half(zonesText(found))
	}
	area, _, inArea := strings.Cut(s, "/") // there are more names than places have
	if inArea && len(ZonesLike(area+"/")) > 0 || strings.HasPrefix("Etc/", s) || strings.HasPrefix(s, "Etc/") || strings.HasPrefix("GMT", s) {
		return "", half(text)
	}
	return "", wrong("no time zone", text)
}

// nameFor judges the name of an item of a list, which also stands in keys and on
// the command line. No transfer is called none.
func nameFor(noun string) func(string) (string, Verdict) {
	return func(raw string) (string, Verdict) {
		s := strings.TrimSpace(raw)
		if v := plainText(s); v.Level != OK {
			return "", v
		}
		for _, r := range s {
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("-_ ", r) {
				return "", wrong("bad character", "A "+noun+"'s name has letters, digits, hyphens, underscores and spaces.")
			}
		}
		if n := utf8.RuneCountInString(s); n == 0 || n > 32 {
			return "", wrong("over 32 characters", "A "+noun+"'s name has 1 to 32 characters.")
		}
		if noun == "transfer" && strings.EqualFold(s, "none") {
			return "", wrong("not a name", "A transfer cannot be called none: that stands for no transfer.")
		}
		return s, fine("")
	}
}

// parseListen judges where the SSH server listens: ":2222", "192.0.2.1:2222" or "off".
func parseListen(raw string) (string, Verdict) {
	s := strings.TrimSpace(raw)
	const text = "An address and port, such as :2222 or 192.0.2.1:2222; or off."
	if s == "off" {
		return s, fine("no SSH")
	}
	if _, v := number(1, 65535)(s); v.Level == OK {
		return "", half(text).fix(":" + s)
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		return "", half(text)
	}
	if _, v := number(1, 65535)(port); v.Level != OK {
		return "", v
	}
	if host != "" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if _, v := parseServer(host); v.Blocks() {
			return "", v
		}
	}
	if port == "22" {
		return s, wary("port of the system", "The system's own SSH server usually has port 22; 2222 is free.")
	}
	return s, fine("")
}

// later marks what the file may hold and this version does not carry out.
func later(instead string) Verdict {
	return wary("not in this version", "This is not carried out by this version: "+instead+".")
}
