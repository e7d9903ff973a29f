package config

import (
	"errors"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

var errNotPermitted = errors.New("not permitted in a domain name")

// parts is an address taken apart.
type parts struct {
	local  string // as typed, quoted where it was
	domain string // A-labels, or a literal in brackets
	utf8   bool   // the local part is not ASCII
}

// parseAddress judges one mailbox: RFC 5321 §4.1.2 (dot-string, quoted string,
// domain), §4.1.3 (address literals), §4.5.3.1 (64 and 255 octets; 254 for the
// whole by RFC 3696 erratum 1690), RFC 6531 for other letters.
func parseAddress(raw string) (string, Verdict) {
	_, v := splitAddress(strings.TrimSpace(raw))
	return strings.TrimSpace(raw), v
}

func splitAddress(s string) (p parts, v Verdict) {
	if !utf8.ValidString(s) || hasControl(s) {
		return p, wrong("bad character", "There is a control character or a byte that is not text in it.")
	}
	if len(s) > 1000 {
		return p, wrong("over 254 octets", "An address has at most 254 octets.")
	}
	if v := pasted(s); v.Level == Error {
		return p, v
	}
	rest, v := p.readLocal(s)
	if v.Level != OK {
		return p, v
	}
	if v = p.readDomain(rest); v.Level == Error || v.Level == Incomplete {
		return p, v
	}
	if len(p.local)+1+len(p.domain) > 254 {
		return p, wrong("over 254 octets", "An address has at most 254 octets (encoded).")
	}
	if p.utf8 && v.Level == OK {
		v = wary("needs SMTPUTF8", "Only servers that offer SMTPUTF8 take letters like these before the @.")
	}
	return p, v
}

// pasted explains what comes along when an address is copied from elsewhere.
func pasted(s string) Verdict {
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		return wrong("only the address", "Type the address alone, without mailto:.").fix(s[7:])
	}
	if i := strings.LastIndexByte(s, '<'); i >= 0 && !insideQuotes(s, i) {
		if j := strings.IndexByte(s[i:], '>'); j > 0 {
			return wrong("only the address", "Type the address alone, without a name and <>.").fix(strings.TrimSpace(s[i+1 : i+j]))
		}
		return wrong("only the address", "Type the address alone, without a name and <>.")
	}
	if i := strings.IndexAny(s, ",;"); i >= 0 && !insideQuotes(s, i) {
		return wrong("one address", "One address stands in each field, without a comma or semicolon.").fix(strings.TrimSpace(s[:i]))
	}
	return fine("")
}

// insideQuotes reports whether position i of s is within a quoted string.
func insideQuotes(s string, i int) bool {
	in := false
	for j := 0; j < i; j++ {
		switch s[j] {
		case '\\':
			j++
		case '"':
			in = !in
		}
	}
	return in
}

// readLocal takes the local part and the @ off s.
func (p *parts) readLocal(s string) (domain string, v Verdict) {
	const goesOn = "An address is name@domain, such as guard@example.net."
	end := 0
	if strings.HasPrefix(s, `"`) {
		end = quotedEnd(s)
		if end < 0 {
			return "", half("The quoted name ends with a second quote, then comes @.")
		}
		if escapesNonASCII(s[:end]) {
			return "", wrong("bad escape", "Inside quotes a backslash stands before ASCII characters only.")
		}
		if rest := s[end:]; rest != "" && rest[0] != '@' {
			return "", wrong("text after quote", "After the closing quote comes @.")
		}
	} else {
		end = strings.IndexByte(s, '@')
		if end < 0 {
			end = len(s)
		}
		if v := dotAtom(s[:end], end == len(s)); v.Level != OK {
			return "", v
		}
	}
	p.local = s[:end]
	p.utf8 = !isASCII(p.local)
	if len(p.local) > 64 {
		return "", wrong("over 64 octets", "Before the @ there are at most 64 octets.")
	}
	if end >= len(s)-1 {
		return "", half(goesOn)
	}
	return s[end+1:], fine("")
}

// quotedEnd returns the position after the closing quote of the quoted string
// that s begins with, or -1.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// escapesNonASCII: RFC 6531 lets other letters into a quoted string, not into a quoted pair.
func escapesNonASCII(quoted string) bool {
	for i := 0; i+1 < len(quoted); i++ {
		if quoted[i] == '\\' {
			if i++; quoted[i] >= utf8.RuneSelf {
				return true
			}
		}
	}
	return false
}

// dotAtom judges an unquoted local part: RFC 5322 §3.2.3 atext, dots between.
func dotAtom(local string, open bool) Verdict {
	for _, r := range local {
		switch {
		case unicode.IsSpace(r):
			return wrong("space in it", "An address has no spaces.")
		case r == '(' || r == ')':
			return wrong("comment in it", "A comment in parentheses does not belong to the address.")
		case r < utf8.RuneSelf && !isAlnum(byte(r)) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r):
			return wrong("bad character", "The character "+quote(string(r))+" does not stand before the @ unquoted.")
		}
	}
	switch {
	case local == "":
		return wrong("nothing before @", "Before the @ the mailbox's name is missing.")
	case strings.HasPrefix(local, "."):
		return wrong("begins with a dot", "Before the @ the name does not begin with a dot.")
	case strings.Contains(local, ".."):
		return wrong("two dots", "Before the @ no two dots follow each other.")
	case strings.HasSuffix(local, ".") && open:
		return half("The name goes on after the dot, then comes @.")
	case strings.HasSuffix(local, "."):
		return wrong("dot before @", "No dot stands right before the @.")
	}
	return fine("")
}

// readDomain judges what stands after the @.
func (p *parts) readDomain(s string) Verdict {
	switch {
	case strings.HasPrefix(s, "["):
		p.domain = s
		return addressLiteral(s)
	case strings.Contains(s, "@"):
		return wrong("second @", "There is a second @ in it.")
	}
	if quad, v := dottedQuad(s); quad {
		if v.Level == OK {
			return wrong("needs brackets", "After the @ an IP address needs brackets.").fix(p.local + "@[" + s + "]")
		}
		return v
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Is6() && a.Zone() == "" {
		return wrong("needs brackets", "After the @ an IPv6 address is written [IPv6:…].").fix(p.local + "@[IPv6:" + s + "]")
	}
	var v Verdict
	p.domain, v = domainName(s)
	switch {
	case v.Fix != "":
		v.Fix = p.local + "@" + v.Fix
	case v.Level == OK && !strings.Contains(p.domain, "."):
		return wary("local domain", "A domain without a dot is known on the local network only.")
	}
	if v.Level == OK {
		v.Short = ""
	}
	return v
}

// addressLiteral judges [192.0.2.1] and [IPv6:2001:db8::1] (RFC 5321 §4.1.3).
func addressLiteral(s string) Verdict {
	inner, rest, closed := strings.Cut(s[1:], "]")
	tag, v6 := "", ""
	if len(inner) >= 5 {
		tag, v6 = inner[:5], inner[5:]
	}
	tagged := strings.EqualFold(tag, "IPv6:")
	if !closed {
		begun := len(inner) < 5 && strings.EqualFold("IPv6:"[:len(inner)], inner)
		if begun || tagged && mayBecomeIPv6(v6) || strings.Trim(inner, "0123456789.") == "" {
			return half("After the @ an IP address is written [192.0.2.1] or [IPv6:2001:db8::1].")
		}
		return wrong("not an IP address", "In brackets an IP address stands: [192.0.2.1] or [IPv6:2001:db8::1].")
	}
	a, err := netip.ParseAddr(inner)
	switch {
	case rest != "":
		return wrong("text after ]", "Nothing may stand after the closing bracket.")
	case err == nil && a.Is4():
		return fine("")
	case err == nil:
		return wrong("needs IPv6:", "In an address an IPv6 address is written [IPv6:"+inner+"].")
	}
	if a, err := netip.ParseAddr(v6); tagged && err == nil && a.Is6() && a.Zone() == "" {
		return fine("")
	}
	return wrong("not an IP address", "In brackets an IP address stands: [192.0.2.1] or [IPv6:2001:db8::1].")
}

// AddressForEnvelope turns an address as typed into what MAIL and RCPT carry:
// the domain as A-labels. needsUTF8 says that the local part is not ASCII, so
// that only a server with SMTPUTF8 (RFC 6531) takes it.
func AddressForEnvelope(addr string) (ascii string, needsUTF8 bool, err error) {
	p, v := splitAddress(strings.TrimSpace(addr))
	if v.Blocks() {
		return "", false, errors.New(quote(addr) + " is not an address: " + v.message())
	}
	return p.local + "@" + p.domain, p.utf8, nil
}

// Domain returns an address' domain in lower case with A-labels, or its literal
// in brackets; empty where addr is not an address.
func Domain(addr string) string {
	p, v := splitAddress(strings.TrimSpace(addr))
	if v.Blocks() {
		return ""
	}
	return strings.ToLower(p.domain)
}

// sameMailbox compares as a mail server does: the domain without case, the
// local part exactly (RFC 5321 §2.4).
func sameMailbox(a, b string) bool {
	pa, va := splitAddress(strings.TrimSpace(a))
	pb, vb := splitAddress(strings.TrimSpace(b))
	if va.Blocks() || vb.Blocks() {
		return a == b
	}
	return pa.local == pb.local && strings.EqualFold(pa.domain, pb.domain)
}
