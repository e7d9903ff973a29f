package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// PatternValues fill the placeholders of a transfer's path, file and topic.
type PatternValues struct {
	Site    string    // site.name
	Trigger string    // the trigger's name
	Event   string    // the event's id
	At      time.Time // of the image, in the zone of the stamps
	Mark    bool      // mail.dst_mark
	N       int       // of the image in its event, from 1
}

// placeholder is one that a pattern may have, and the most bytes that it stands for.
type placeholder struct {
	name string
	most int
	text func(PatternValues) string
}

var placeholders = []placeholder{
	{"site", 64, func(v PatternValues) string { return v.Site }},
	{"trigger", 32, func(v PatternValues) string { return v.Trigger }},
	{"event", 64, func(v PatternValues) string { return v.Event }},
	{"date", 8, func(v PatternValues) string { return v.At.Format("20060102") }},
	{"year", 4, func(v PatternValues) string { return v.At.Format("2006") }},
	{"month", 2, func(v PatternValues) string { return v.At.Format("01") }},
	{"day", 2, func(v PatternValues) string { return v.At.Format("02") }},
	{"hour", 2, func(v PatternValues) string { return v.At.Format("15") }},
	{"stamp", 18, func(v PatternValues) string { return Stamp(v.At, v.Mark) }},
	{"n", 10, func(v PatternValues) string { return fmt.Sprintf("%04d", v.N) }},
}

func placeholderOf(name string) (placeholder, bool) {
	for _, p := range placeholders {
		if p.name == name {
			return p, true
		}
	}
	return placeholder{}, false
}

var inBraces = regexp.MustCompile(`\{[a-z]+\}`)

// Expand fills the placeholders of a pattern that the configuration accepted. Each
// value becomes safe for a file's name: what is not a letter, digit, dot, hyphen or
// underscore of ASCII becomes an underscore; none is empty, a dot or two dots. So the
// result has the slashes of the pattern and no others, and stays in its folder. The
// path "." gives an empty text: the place's own folder.
func Expand(pattern string, v PatternValues) string {
	if pattern == "." {
		return ""
	}
	return inBraces.ReplaceAllStringFunc(pattern, func(in string) string {
		p, ok := placeholderOf(in[1 : len(in)-1])
		if !ok {
			return in
		}
		return safeName(p.text(v), p.most)
	})
}

// safeName makes any text a part of a file's name.
func safeName(s string, most int) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() == most {
			break
		}
		if r >= 0x80 || !isAlnum(byte(r)) && r != '.' && r != '_' && r != '-' {
			r = '_'
		}
		b.WriteRune(r)
	}
	switch b.String() {
	case "":
		return "_"
	case ".", "..":
		return strings.Repeat("_", b.Len())
	}
	return b.String()
}

// maxName is how long a file's or folder's name may become, in bytes: file systems
// take 255, and a server's temporary name is longer than the last.
const maxName = 200

// parsePattern judges a pattern of parts between slashes.
func parsePattern(raw string) (string, Verdict) {
	s, v := line(255)(raw)
	if v.Level != OK {
		return "", v
	}
	if strings.Contains(s, `\`) {
		return "", wrong("backslash", `Folders are parted by /, not by \.`).fix(fixPattern(strings.ReplaceAll(s, `\`, "/")))
	}
	if strings.HasSuffix(s, "/") {
		return "", half("A name follows the last slash, or none stands there.").fix(fixPattern(strings.TrimRight(s, "/")))
	}
	parts := strings.Split(strings.TrimPrefix(s, "/"), "/")
	if len(parts) > 16 {
		return "", wrong("over 16 folders", "At most 16 folders stand in each other.")
	}
	for i, part := range parts {
		if v := patternPart(part, i == len(parts)-1); v.Level != OK {
			return "", v
		}
	}
	return s, fine("")
}

func fixPattern(s string) string {
	if _, v := parsePattern(s); v.Blocks() {
		return ""
	}
	return s
}

// patternPart judges what stands between two slashes.
func patternPart(part string, last bool) Verdict {
	switch part {
	case "":
		return wrong("empty name", "Between two slashes stands a name.")
	case ".", "..":
		return wrong(`"." or ".."`, "A path has no . and no .. in it.")
	}
	longest := len(part)
	rest := part
	for {
		before, after, ok := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return wrong("} without {", "A } closes a { before it.")
		}
		if !ok {
			break
		}
		name, more, closed := strings.Cut(after, "}")
		p, known := placeholderOf(name)
		switch {
		case !closed && last && begunPlaceholder(name):
			return half("A } closes it: {date}.")
		case !known:
			return wrong("unknown placeholder", knownPlaceholders)
		}
		longest += p.most - len(name) - 2
		rest = more
	}
	if longest > maxName {
		return wrong("may be too long", fmt.Sprintf("With its placeholders a name may become %d bytes long; at most %d.", longest, maxName))
	}
	return fine("")
}

const knownPlaceholders = "{site} {trigger} {event} {date} {year} {month} {day} {hour} {stamp} {n} only."

func begunPlaceholder(name string) bool {
	for _, p := range placeholders {
		if strings.HasPrefix(p.name, name) {
			return true
		}
	}
	return false
}

// parseFolder judges the folder of a transfer: a pattern, or "." for the place's own.
func parseFolder(raw string) (string, Verdict) {
	if s := strings.TrimSpace(raw); s == "." {
		return s, fine("no folder")
	}
	return parsePattern(raw)
}

// parseFileName judges the name of a transferred image, a pattern.
func parseFileName(raw string) (string, Verdict) {
	s, v := parsePattern(raw)
	switch {
	case strings.Contains(raw, "/"):
		return "", wrong("slash in a name", "A file's name has no slash; its folder stands under path.")
	case v.Level == OK && !strings.Contains(s, "{stamp}") && !strings.Contains(s, "{n}"):
		return s, wary("one name for all", "Without {stamp} or {n} each image replaces the one before it.")
	}
	return s, v
}

// parseTopic judges an MQTT topic (MQTT 3.1.1 §4.7), a pattern.
func parseTopic(raw string) (string, Verdict) {
	s, v := parsePattern(raw)
	switch {
	case strings.ContainsAny(raw, "+#"):
		return "", wrong("+ or # in a topic", "+ and # are for subscribing; a topic to publish to has none.")
	case v.Blocks():
		return "", v
	case strings.HasPrefix(s, "/"):
		return "", wrong("begins with /", "A topic does not begin with a slash.").fix(fixPattern(s[1:]))
	case strings.HasPrefix(s, "$"):
		return "", wrong("begins with $", "Topics that begin with $ belong to the server.")
	}
	return s, v
}
