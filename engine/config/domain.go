package config

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// lookup is IDNA 2008's lookup (RFC 5891 §5) with the mapping of UTS 46, which
// people need for capitals and full-width letters.
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckJoiners(true), idna.StrictDomainName(true))

// domainName judges a host or domain name and returns it with A-labels: RFC 1123
// §2.1 (letters, digits, hyphens), RFC 1035 §2.3.4 (63 and 253 octets), RFC 5891
// and RFC 5892 for other letters. What may still be completed is incomplete.
func domainName(s string) (ascii string, v Verdict) {
	s = strings.Map(func(r rune) rune {
		if r == '。' || r == '．' || r == '｡' { // IDNA takes them for dots (UTS 46 §2.3)
			return '.'
		}
		return r
	}, s)
	if rest, ok := strings.CutSuffix(s, "."); ok && rest != "" {
		ascii, v := domainName(rest)
		if v.Level == Error || strings.HasSuffix(rest, ".") {
			return "", wrong("empty label", "Two dots follow each other.")
		}
		if !v.Blocks() && strings.Contains(rest, ".") {
			return ascii, half("The name goes on after the dot, or ends before it.").fix(rest)
		}
		return ascii, half("The name goes on after the dot.")
	}
	labels := strings.Split(s, ".")
	if slices.Contains(labels, "") {
		return "", wrong("empty label", "A name does not begin with a dot, and no two dots follow each other.")
	}
	for i, label := range labels {
		last := i == len(labels)-1
		if v := plainLabel(label, last); v.Level != OK {
			return "", v
		}
		a, err := toASCII(label)
		if err != nil {
			if last && isACE(label) {
				return "", half("A label that begins with xn-- goes on with the encoded name.")
			}
			return "", wrong("not in IDNA 2008", "The part "+quote(label)+" is not allowed in a domain name (RFC 5892).")
		}
		if len(a) > 63 {
			return "", wrong("part over 63", "Between two dots a name has at most 63 characters (encoded).")
		}
		labels[i] = a
	}
	ascii = strings.Join(labels, ".")
	if len(ascii) > 253 {
		return "", wrong("over 253 characters", "A name has at most 253 characters (encoded).")
	}
	if _, err := lookup.ToASCII(ascii); err != nil && !isASCII(s) { // the bidi rule looks at the whole name (RFC 5893)
		return "", wrong("not in IDNA 2008", "The name mixes reading directions in a way that is not allowed (RFC 5893).")
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "", half("A name does not end in a number; an IPv4 address has four.")
	}
	return ascii, fine("host name")
}

func isACE(label string) bool { return len(label) >= 4 && strings.EqualFold(label[:4], "xn--") }

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// plainLabel judges the characters and hyphens of one label.
func plainLabel(label string, last bool) Verdict {
	for _, r := range label {
		switch {
		case r == '_':
			return wrong("underscore", "A host name has no underscore; a hyphen is allowed.")
		case unicode.IsSpace(r):
			return wrong("space in it", "A name has no spaces.")
		case r < utf8.RuneSelf && r != '-' && !isAlnum(byte(r)):
			return wrong("bad character", "The character "+quote(string(r))+" does not stand in a name.")
		}
	}
	switch {
	case strings.HasPrefix(label, "-"):
		return wrong("begins with hyphen", "No part of a name begins with a hyphen.")
	case strings.HasSuffix(label, "-") && last && len(label) < 63:
		return half("A name does not end with a hyphen.")
	case strings.HasSuffix(label, "-"):
		return wrong("ends with hyphen", "No part of a name ends with a hyphen.")
	case len(label) > 63 && isASCII(label):
		return wrong("part over 63", "Between two dots a name has at most 63 characters.")
	}
	return fine("")
}

func isAlnum(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// toASCII turns one label into its A-label. An ASCII label that is not xn-- is
// left as it is: names such as r3---sn.example are in use.
func toASCII(label string) (string, error) {
	if isASCII(label) && !isACE(label) {
		return label, nil
	}
	a, err := lookup.ToASCII(label)
	if err != nil {
		return "", err
	}
	if !isACE(a) { // full-width letters map to ASCII
		return a, nil
	}
	u, err := lookup.ToUnicode(a)
	if err != nil {
		return "", err
	}
	if isASCII(u) || !permitted(u) {
		return "", errNotPermitted
	}
	return a, nil
}

// permitted reports whether a U-label has only code points that IDNA 2008
// permits (RFC 5892 §2 and appendix A); the library follows UTS 46, which lets
// symbols such as U+2603 pass.
func permitted(u string) bool {
	runes := []rune(u)
	in := func(i int, t *unicode.RangeTable) bool { return i >= 0 && i < len(runes) && unicode.Is(t, runes[i]) }
	for i, r := range runes {
		switch {
		case r < utf8.RuneSelf:
		case r == 0x200c || r == 0x200d: // the library checks the joiners' context
		case r == 0x00b7: // MIDDLE DOT, between two l (A.3)
			if i == 0 || i == len(runes)-1 || runes[i-1] != 'l' || runes[i+1] != 'l' {
				return false
			}
		case r == 0x0375: // GREEK LOWER NUMERAL SIGN, before Greek (A.4)
			if !in(i+1, unicode.Greek) {
				return false
			}
		case r == 0x05f3 || r == 0x05f4: // HEBREW GERESH, after Hebrew (A.5, A.6)
			if !in(i-1, unicode.Hebrew) {
				return false
			}
		case r == 0x30fb: // KATAKANA MIDDLE DOT, with Japanese (A.7)
			if !strings.ContainsFunc(u, func(r rune) bool {
				return r != 0x30fb && unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han)
			}) {
				return false
			}
		case r == 0x06fd || r == 0x06fe || r == 0x0f0b || r == 0x3007: // exceptions that are valid (§2.6)
		case r == 0x0640 || r == 0x07fa || r == 0x302e || r == 0x302f || r >= 0x3031 && r <= 0x3035 || r == 0x303b:
			return false // exceptions that are not (§2.6)
		case !unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd):
			return false
		}
	}
	return true
}
