// Package foreign makes words from elsewhere harmless: what a server says goes
// into logs, terminals, JSON and mails.
//
// It keeps nothing and starts no goroutine.
package foreign

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Longest bounds a text that is kept, in characters.
const Longest = 400

// IsControl reports what cannot stand in one line of text: controls of ASCII and
// Latin-1, line and paragraph separators.
func IsControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// OneLine replaces what cannot stand in one line of text, and what is not UTF-8.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// Plain is OneLine with single spaces, none at the ends.
func Plain(s string) string { return strings.Join(strings.Fields(OneLine(s)), " ") }

// Sanitise makes foreign words harmless for a terminal, a log and JSON: one
// line of valid UTF-8, no controls, no invisible or bidirectional format
// characters, at most Longest characters.
func Sanitise(s string) string {
	s = Plain(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd")))
	if utf8.RuneCountInString(s) > Longest {
		s = string([]rune(s)[:Longest-1]) + "…"
	}
	return s
}

// Scrub takes secrets out of a text, should a server echo them: as they are, in
// base64, padded or not, and as JSON, HTML and a URL have them.
func Scrub(text string, secrets ...string) string {
	var forms []string
	for _, s := range secrets {
		if len(s) < 4 {
			continue // would mangle every reply, and says nothing
		}
		quoted, _ := json.Marshal(s) // a string has JSON
		plain := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
		for _, form := range []string{s, base64.RawStdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
			string(quoted[1 : len(quoted)-1]), plain, html.EscapeString(s), url.QueryEscape(s), url.PathEscape(s)} {
			if !slices.Contains(forms, form) && strings.Contains(text, form) {
				forms = append(forms, form)
			}
		}
	}
	// The longest first: of two that begin alike the shorter one would leave the rest.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, form := range forms {
		text = strings.ReplaceAll(text, form, "****")
	}
	return text
}

// Harmless is Sanitise without the secrets, also where something invisible stood
// between their letters.
func Harmless(text string, secrets ...string) string {
	return Scrub(Sanitise(Scrub(text, secrets...)), secrets...)
}
