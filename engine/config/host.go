package config

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// parseServer judges the SMTP server: a host name (RFC 1123 §2.1, IDNA 2008), a
// strict dotted quad, or IPv6 (RFC 4291 §2.2) in brackets.
func parseServer(raw string) (string, Verdict) {
	s := strings.TrimSpace(raw)
	switch {
	case !utf8.ValidString(s) || hasControl(s):
		return "", wrong("bad character", "There is a control character or a byte that is not text in it.")
	case len(s) > 1000:
		return "", wrong("over 253 characters", "A name has at most 253 characters.")
	case strings.Contains(s, "://"):
		return "", pastedURL(s)
	case strings.Contains(s, "@"):
		return "", wrong("an e-mail address", "This is an address. Type the name of the outgoing (SMTP) mail server.")
	case strings.HasPrefix(s, "["):
		return s, bracketed(s)
	case strings.ContainsAny(s, "/\\"):
		host := s[:strings.IndexAny(s, "/\\")]
		return "", wrong("only the name", "Type the server's name alone, without a path.").fix(fixServer(host))
	case strings.Contains(s, ":"):
		return "", withColon(s)
	}
	if quad, v := dottedQuad(s); quad {
		return s, v
	}
	ascii, v := domainName(s)
	if v.Level != OK {
		return s, v
	}
	return s, knownServer(ascii)
}

// fixServer returns s where it is an acceptable server, else nothing. s is
// always shorter than what is being judged, or an address put into brackets.
func fixServer(s string) string {
	if s == "" || strings.ContainsAny(s, `:/\@`) && !strings.HasPrefix(s, "[") {
		return ""
	}
	if _, v := parseServer(s); v.Blocks() {
		return ""
	}
	return s
}

// pastedURL explains a URL in the server's field.
func pastedURL(s string) Verdict {
	scheme, rest, _ := strings.Cut(s, "://")
	host := rest
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	fix := fixServer(host)
	if strings.HasPrefix(strings.ToLower(scheme), "http") {
		if v := knownServer(host); v.Blocks() || v.Level == Warning {
			fix = v.Fix
		}
		return wrong("a web address", "A web-only mail service cannot be used: type the name of its SMTP server.").fix(fix)
	}
	return wrong("only the name", "Type the server's name alone, without "+quote(scheme+"://")+"; the port has its own field.").fix(fix)
}

// withColon explains an unbracketed IPv6 address, or a port behind the name.
func withColon(s string) Verdict {
	if a, err := netip.ParseAddr(s); err == nil && a.Is6() {
		return wrong("needs brackets", "An IPv6 address needs brackets: ["+s+"].").fix(fixServer("[" + s + "]"))
	}
	host, port, _ := strings.Cut(s, ":")
	if strings.Trim(port, "0123456789") == "" && host != "" {
		if fix := fixServer(host); fix != "" {
			return wrong("port: own field", "The port has its own field: type "+quote(host)+" alone here.").fix(fix)
		}
	}
	if strings.Trim(s, "0123456789abcdefABCDEF:.") == "" && mayBecomeIPv6(s) {
		return wrong("needs brackets", "An IPv6 address needs brackets, such as [2001:db8::25].").fix("[" + s)
	}
	return wrong("colon in the name", "A host name has no colon; IPv6 needs brackets; the port has its own field.")
}

// bracketed judges an IPv6 address in brackets.
func bracketed(s string) Verdict {
	inner, rest, closed := strings.Cut(s[1:], "]")
	if !closed {
		if mayBecomeIPv6(inner) {
			return half("An IPv6 address in brackets, such as [2001:db8::25].")
		}
		return wrong("not IPv6", "In brackets stands an IPv6 address, such as [2001:db8::25].")
	}
	whole := s[:len(s)-len(rest)]
	if rest != "" {
		if port, ok := strings.CutPrefix(rest, ":"); ok && strings.Trim(port, "0123456789") == "" {
			return wrong("port: own field", "The port has its own field: type "+whole+" alone here.").fix(fixServer(whole))
		}
		return wrong("text after ]", "Nothing may stand after the closing bracket.").fix(fixServer(whole))
	}
	if a, err := netip.ParseAddr(inner); err == nil && a.Is4() {
		return wrong("no brackets", "An IPv4 address has no brackets here: "+inner+".").fix(fixServer(inner))
	}
	if len(inner) > 5 && strings.EqualFold(inner[:5], "IPv6:") {
		return wrong("only the address", "Inside the brackets the address stands alone, without IPv6:.").fix(fixServer("[" + inner[5:] + "]"))
	}
	return ipv6(inner)
}

// ipv6 judges what stands between brackets.
func ipv6(inner string) Verdict {
	a, err := netip.ParseAddr(inner)
	if err != nil || !a.Is6() {
		return wrong("not IPv6", "IPv6 is eight groups of up to four hex digits, with :: once for zeros.")
	}
	link := a.WithZone("").IsLinkLocalUnicast()
	switch {
	case a.IsUnspecified() || a.IsMulticast():
		return wrong("not a server", "This address stands for no single machine.")
	case a.Zone() != "" && !link: // RFC 4007 §11: zones tell link-local addresses apart
		return wrong("zone not allowed", "A zone (%eth0) belongs to link-local addresses (fe80::) only.").fix("[" + a.WithZone("").String() + "]")
	case a.Zone() != "" && strings.Trim(a.Zone(), zoneLetters) != "":
		return wrong("bad zone", "The zone after % is the name of a network interface, such as eth0.")
	case link && a.Zone() == "":
		return wary("link-local, no zone", "A link-local address is found only with its interface, such as "+a.String()+"%eth0.")
	case a.IsLoopback():
		return fine("IPv6, this box")
	case link:
		return fine("IPv6, link-local")
	}
	return fine("IPv6")
}

const zoneLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// mayBecomeIPv6 reports whether some continuation of s is an IPv6 address.
func mayBecomeIPv6(s string) bool {
	if len(s) > 60 {
		return false
	}
	for _, more := range []string{"", "::", ":", ":1", "1", ".1", ".1.1", ".1.1.1", "1.1", "1.1.1"} {
		if a, err := netip.ParseAddr(s + more); err == nil && a.Is6() {
			return true
		}
	}
	return false
}

// dottedQuad judges s where it is made of numbers and dots: RFC 1123 §2.1 says
// that such a name is taken for an IPv4 address.
func dottedQuad(s string) (is bool, v Verdict) {
	if s == "" || strings.Trim(s, "0123456789.") != "" {
		return false, v
	}
	parts := strings.Split(s, ".")
	if strings.HasPrefix(s, ".") || strings.Contains(s, "..") || len(parts) > 5 || len(parts) == 5 && parts[4] != "" {
		return true, wrong("bad IPv4", "An IPv4 address is four numbers from 0 to 255, such as 192.0.2.25.")
	}
	if len(parts) < 4 || parts[3] == "" {
		return true, half("An IPv4 address is four numbers, such as 192.0.2.25.")
	}
	a, err := netip.ParseAddr(strings.Join(parts[:4], "."))
	switch {
	case err != nil:
		return true, wrong("bad IPv4", "An IPv4 address is four numbers from 0 to 255 without leading zeros.")
	case len(parts) == 5:
		return true, half("An IPv4 address ends with its fourth number, not with a dot.").fix(a.String())
	case a.IsUnspecified() || a.IsMulticast() || a.As4()[0] >= 240 || a.As4()[0] == 0:
		return true, wrong("not a server", "This address stands for no single machine.")
	case a.IsLoopback():
		return true, fine("IPv4, this box")
	}
	return true, fine("IPv4")
}

// HostForDial turns a server as the installer typed it into what is looked up
// and dialled: brackets removed (a zone kept), internationalised labels as
// A-labels (RFC 5890), so that net.JoinHostPort may take it. A server that does
// not validate comes back as it is.
func HostForDial(server string) string {
	s := strings.TrimSpace(server)
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if addr, ok := strings.CutSuffix(inner, "]"); ok {
			return addr
		}
		return s
	}
	if ascii, v := domainName(s); !v.Blocks() && ascii != "" {
		return ascii
	}
	return s
}
