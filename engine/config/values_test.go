package config

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// want is a verdict's level in one letter.
type want byte

const (
	good    want = '+'
	warned  want = '?'
	begun   want = '.' // incomplete
	refused want = '!'
)

func (w want) level() Level {
	return map[want]Level{good: OK, warned: Warning, begun: Incomplete, refused: Error}[w]
}

// judgement is one value, what is to be said of it, and who says so.
type judgement struct {
	want   want
	raw    string
	source string
	fix    string // where one is expected
}

func judge(t *testing.T, key string, table []judgement) {
	t.Helper()
	f, ok := Lookup(key)
	if !ok {
		t.Fatalf("no field %s", key)
	}
	for _, j := range table {
		v := f.Check(j.raw)
		if v.Level != j.want.level() {
			t.Errorf("%s %q: level %d %q %q, want %c (%s)", key, j.raw, v.Level, v.Short, v.Text, j.want, j.source)
		}
		if j.fix != "" && v.Fix != j.fix {
			t.Errorf("%s %q: fix %q, want %q", key, j.raw, v.Fix, j.fix)
		}
		if v.Fix != "" && f.Check(v.Fix).Level == Error {
			t.Errorf("%s %q: the fix %q is wrong itself: %s", key, j.raw, v.Fix, f.Check(v.Fix).Text)
		}
		if utf8.RuneCountInString(v.Short) > 20 {
			t.Errorf("%s %q: %q is over 20 columns", key, j.raw, v.Short)
		}
		if v.Blocks() && v.Text == "" {
			t.Errorf("%s %q: blocks a save without a sentence", key, j.raw)
		}
	}
}

var (
	label63 = strings.Repeat("a", 63)
	name253 = label63 + "." + label63 + "." + label63 + "." + strings.Repeat("b", 61)
)

var hosts = []judgement{
	{good, "mail.example.net", "RFC 1123 §2.1", ""},
	{good, " mail.example.net ", "blanks around it come with a paste", ""},
	{good, "MAIL.Example.NET", "RFC 1035 §2.3.3: case does not matter", ""},
	{good, "3com.com", "RFC 1123 §2.1: a label may begin with a digit", ""},
	{good, "1.2.3.4.example.net", "RFC 1123 §2.1: digits are labels too", ""},
	{good, "a.b", "RFC 1035 §2.3.1: one letter labels", ""},
	{good, "r3---sn-abc.example.net", "RFC 5890 §2.3.1: not xn--, in use", ""},
	{good, "localhost", "RFC 6761 §6.3", ""},
	{warned, "mailhost", "RFC 1123 §2.1: valid; known on the local network only", ""},
	{good, label63 + ".net", "RFC 1035 §2.3.4: 63 octets", ""},
	{refused, label63 + "a.net", "RFC 1035 §2.3.4: 64 octets", ""},
	{good, name253, "RFC 1035 §2.3.4: 253 characters as text", ""},
	{refused, name253 + "b", "RFC 1035 §2.3.4: 254", ""},
	{good, "bücher.example", "RFC 5891 §4", ""},
	{good, "xn--bcher-kva.example", "RFC 5890 §2.3.2.1: its A-label", ""},
	{good, "straße.example", "RFC 5892 §2.6: ß is valid", ""},
	{good, "例え.テスト", "RFC 5892 §2: Han, Hiragana, Katakana", ""},
	{good, "mail。example。net", "UTS 46 §2.3: the ideographic full stop is a dot", ""},
	{good, "l·l.example", "RFC 5892 A.3: middle dot between l", ""},
	{refused, "a·b.example", "RFC 5892 A.3: not elsewhere", ""},
	{good, "אבג.example", "RFC 5893: a right-to-left label", ""},
	{refused, "א1a.example", "RFC 5893 §2: mixed directions", ""},
	{refused, "☃.example", "RFC 5892 §2: symbols are not letters", ""},
	{refused, "💩.example", "RFC 5892 §2: nor are emoji", ""},
	{refused, "ـa.example", "RFC 5892 §2.6: TATWEEL is disallowed", ""},
	{refused, "xn--zzzzzz99999.example", "RFC 5891 §5.4: must decode", ""},
	{refused, "mail server.net", "RFC 1123 §2.1: no blank", ""},
	{refused, "mail_server.example.net", "RFC 1123 §2.1: no underscore", ""},
	{refused, "-mail.example.net", "RFC 1123 §2.1: hyphen at the beginning", ""},
	{refused, "mail-.example.net", "RFC 1123 §2.1: hyphen at the end", ""},
	{begun, "mail.example-", "goes on with a letter", ""},
	{refused, "mail..net", "RFC 1035 §2.3.1: empty label", ""},
	{refused, ".example.net", "RFC 1035 §2.3.1: empty label", ""},
	{refused, "mail!.example.net", "RFC 1123 §2.1", ""},
	{begun, "mail.", "half typed", ""},
	{begun, "mail.example.net.", "RFC 5321 §2.3.5: no trailing dot", "mail.example.net"},
	{begun, "mail.1", "goes on, such as 1und1.example", ""},
	{begun, "mail.example.123", "RFC 1123 §2.1: the last label is not all-numeric", ""},
	{begun, "xn--", "half typed A-label", ""},
	{good, "192.0.2.25", "RFC 1123 §2.1 dotted quad; RFC 5737", ""},
	{refused, "255.0.0.1", "RFC 1112 §4: class E", ""},
	{good, "127.0.0.1", "RFC 1122 §3.2.1.3: loopback", ""},
	{refused, "192.0.2.256", "RFC 1123 §2.1: 0 to 255", ""},
	{refused, "192.0.2.025", "RFC 6943 §3.1.1: leading zeros are ambiguous", ""},
	{refused, "1.2.3.4.5", "RFC 1123 §2.1: four numbers", ""},
	{refused, "0.0.0.0", "RFC 1122 §3.2.1.3", ""},
	{refused, "224.0.0.1", "RFC 5771: multicast", ""},
	{refused, "255.255.255.255", "RFC 919: broadcast", ""},
	{begun, "192.168.1", "half typed", ""},
	{begun, "192.168.", "half typed", ""},
	{begun, "192", "half typed", ""},
	{begun, "192.0.2.25.", "one dot too many, or a name", "192.0.2.25"},
	{refused, "[192.0.2.25]", "brackets are for IPv6 (the manual)", "192.0.2.25"},
	{good, "[2001:db8::25]", "the manual: IPv6 in brackets; RFC 3986 §3.2.2", ""},
	{good, "[2001:DB8:0:0:8:800:200C:417A]", "RFC 4291 §2.2 form 1", ""},
	{good, "[2001:db8::8:800:200c:417a]", "RFC 4291 §2.2 form 2", ""},
	{good, "[::1]", "RFC 4291 §2.5.3: loopback", ""},
	{good, "[::ffff:192.0.2.25]", "RFC 4291 §2.2 form 3", ""},
	{good, "[0:0:0:0:0:0:13.1.68.3]", "RFC 4291 §2.2 form 3", ""},
	{good, "[2001:db8:0:1:1:1:1:1]", "RFC 5952 §4.2.2", ""},
	{good, "[2001:db8::1:1:1:1:1]", "RFC 5952 §4.2.2: not recommended, valid", ""},
	{good, "[fe80::1%eth0]", "RFC 4007 §11", ""},
	{warned, "[fe80::1]", "RFC 4007 §11: no zone", ""},
	{refused, "[2001:db8::1%eth0]", "RFC 4007 §11: zones on link-local only", "[2001:db8::1]"},
	{refused, "[fe80::1%]", "RFC 4007 §11.2: a zone is not empty", ""},
	{refused, "[fe80::1%e th]", "RFC 6874: unreserved characters", ""},
	{refused, "[::]", "RFC 4291 §2.5.2: unspecified", ""},
	{refused, "[ff02::1]", "RFC 4291 §2.7: multicast", ""},
	{refused, "[1:2:3:4:5:6:7]", "RFC 4291 §2.2: eight groups", ""},
	{refused, "[1:2:3:4:5:6:7:8:9]", "RFC 4291 §2.2: eight groups", ""},
	{refused, "[1::2::3]", "RFC 4291 §2.2: :: once", ""},
	{refused, "[12345::1]", "RFC 4291 §2.2: four hex digits", ""},
	{refused, "[2001:db8::g]", "RFC 4291 §2.2: hex digits", ""},
	{refused, "[::192.0.2.256]", "RFC 4291 §2.2 form 3", ""},
	{refused, "[]", "nothing in brackets", ""},
	{refused, "[mail.example.net]", "a name in brackets", ""},
	{begun, "[", "half typed", ""},
	{begun, "[2001:db8", "half typed", ""},
	{begun, "[2001:db8:", "half typed", ""},
	{begun, "[2001:db8::25", "half typed", ""},
	{begun, "[fe80::1%eth", "half typed", ""},
	{begun, "[::ffff:192.0", "half typed", ""},
	{refused, "[2001:db8::25]:587", "the port has its own field", "[2001:db8::25]"},
	{refused, "[2001:db8::25] x", "text after the bracket", "[2001:db8::25]"},
	{refused, "[IPv6:2001:db8::25]", "RFC 5321 §4.1.3 is for addresses", "[2001:db8::25]"},
	{refused, "2001:db8::25", "the manual: needs brackets", "[2001:db8::25]"},
	{refused, "::1", "facts: go-mail fails on ::1", "[::1]"},
	{refused, "2001:db8:", "colon without brackets", "[2001:db8:"},
	{refused, "mail.example.net:587", "the port has its own field", "mail.example.net"},
	{refused, "mail.example.net:", "the port has its own field", "mail.example.net"},
	{refused, "192.0.2.25:25", "the port has its own field", "192.0.2.25"},
	{refused, "smtp://mail.example.net:587", "a URL was pasted", "mail.example.net"},
	{refused, "https://mail.example.net/owa", "a web page was pasted", "mail.example.net"},
	{refused, "https://mail.google.com/mail/u/0/", "web-only", "smtp.gmail.com"},
	{refused, "outlook.live.com", "web-only", "smtp-mail.outlook.com"},
	{refused, "mail.google.com", "web-only", "smtp.gmail.com"},
	{refused, "mail.proton.me", "web-only without SMTP", ""},
	{warned, "webmail.example.net", "perhaps web-only", ""},
	{warned, "gmail.com", "a domain of addresses", "smtp.gmail.com"},
	{refused, "gate3@example.net", "an address in the server's field", ""},
	{refused, "mail.example.net/smtp", "a path", "mail.example.net"},
	{refused, "mail\x00.example.net", "control character", ""},
	{refused, "mail\x1b[2J.example.net", "escape sequence", ""},
	{refused, "mail\xff.example.net", "not UTF-8", ""},
	{refused, strings.Repeat(".", 5000), "far too long", ""},
}

var addresses = []judgement{
	{good, "guard@example.net", "RFC 5321 §4.1.2", ""},
	{good, "first.last@iana.org", "isemail 1", ""},
	{good, "user+tag@example.net", "RFC 5322 §3.2.3: + is atext", ""},
	{good, "customer/department=shipping@example.com", "RFC 3696 §3", ""},
	{good, "$A12345@example.com", "RFC 3696 §3", ""},
	{good, "!def!xyz%abc@example.com", "RFC 3696 §3", ""},
	{good, "_somename@example.com", "RFC 3696 §3", ""},
	{good, `"Abc\@def"@example.com`, "RFC 3696 erratum 246", ""},
	{good, `"Fred Bloggs"@example.com`, "RFC 3696 erratum 246", ""},
	{good, `"Joe\\Blow"@example.com`, "RFC 3696 erratum 246", ""},
	{good, `"Abc@def"@example.com`, "RFC 3696 erratum 246", ""},
	{refused, `Abc\@def@example.com`, "RFC 3696 erratum 246: not without quotes", ""},
	{good, `"a,b"@example.com`, "RFC 5322 §3.2.4: a comma in quotes", ""},
	{good, `"a<b"@example.com`, "RFC 5322 §3.2.4: <> in quotes", ""},
	{good, `""@example.com`, "RFC 5321 §4.1.2: *QcontentSMTP may be empty", ""},
	{good, `"first\"last"@iana.org`, "isemail", ""},
	{good, `"hello my name is"@stutter.com`, "isemail", ""},
	{good, "+@b.com", "isemail", ""},
	{good, "user%uucp!path@edu.gov", "isemail", ""},
	{good, "valid@about.museum", "isemail", ""},
	{good, "first.last@3com.com", "isemail; RFC 1123 §2.1", ""},
	{good, "first.last@123.iana.org", "isemail", ""},
	{good, "first.last@[12.34.56.78]", "isemail; RFC 5321 §4.1.3", ""},
	{good, "a@[IPv6:2001:db8::1]", "RFC 5321 §4.1.3", ""},
	{good, "a@[ipv6:2001:db8::1]", "RFC 5321 §2.4: tags without case", ""},
	{good, "first.last@[IPv6:::12.34.56.78]", "isemail", ""},
	{good, "first.last@[IPv6:1111:2222:3333::4444:12.34.56.78]", "isemail", ""},
	{good, "first.last@[IPv6:1111:2222:3333:4444:5555:6666:12.34.56.78]", "isemail", ""},
	{good, "first.last@[IPv6:1111:2222:3333:4444:5555:6666:7777:8888]", "isemail", ""},
	{good, "first.last@[IPv6:1111:2222:3333::4444:5555:6666]", "isemail", ""},
	{good, "post@bücher.example", "RFC 5890; RFC 6531 §3.3", ""},
	{warned, "用户@例子.广告", "RFC 6531: needs SMTPUTF8", ""},
	{warned, "jürgen@example.net", "RFC 6531: needs SMTPUTF8", ""},
	{warned, `"jürgen k"@example.net`, "RFC 6531 §3.3: QcontentSMTP", ""},
	{refused, `"\ü"@example.net`, "RFC 5321 §4.1.2: quoted-pairSMTP is ASCII", ""},
	{warned, "root@localhost", "RFC 5321 §2.3.5: local", ""},
	{good, strings.Repeat("a", 64) + "@example.net", "RFC 5321 §4.5.3.1.1: 64 octets", ""},
	{refused, strings.Repeat("a", 65) + "@example.net", "RFC 5321 §4.5.3.1.1: 65 octets", ""},
	{good, "a@" + name253[:252], "RFC 3696 erratum 1690: 254 octets", ""},
	{refused, "ab@" + name253[:252], "RFC 3696 erratum 1690: 255 octets", ""},
	{refused, "a@" + label63 + "a.net", "RFC 1035 §2.3.4", ""},
	{begun, "ops", "half typed", ""},
	{begun, "ops@", "half typed", ""},
	{begun, "ops.", "half typed", ""},
	{begun, `"ops`, "half typed", ""},
	{begun, `"\"@iana.org`, "isemail: the quote is still open", ""},
	{begun, "ops@example.", "half typed", ""},
	{begun, "ops@example.net.", "RFC 5321 §2.3.5: no trailing dot", "ops@example.net"},
	{begun, "ops@exa-", "half typed", ""},
	{begun, "ops@192.0", "half typed", ""},
	{begun, "ops@[", "half typed", ""},
	{begun, "ops@[IPv", "half typed", ""},
	{begun, "ops@[IPv6:2001:", "half typed", ""},
	{begun, "ops@[192.0.2", "half typed", ""},
	{refused, "@example.net", "isemail: nothing before @", ""},
	{refused, ".first.last@iana.org", "isemail", ""},
	{refused, "first.last.@iana.org", "isemail", ""},
	{refused, "first..last@iana.org", "isemail", ""},
	{refused, `"first"last"@iana.org`, "isemail", ""},
	{refused, `"first"."last"@iana.org`, "RFC 5321 §4.1.2: one quoted string; isemail: deprecated", ""},
	{refused, `"""@iana.org`, "isemail", ""},
	{refused, "test@test@iana.org", "isemail", ""},
	{refused, "test@@iana.org", "isemail", ""},
	{refused, "-- test --@iana.org", "isemail", ""},
	{refused, "[test]@iana.org", "isemail", ""},
	{refused, "()[]\\;:,><@iana.org", "isemail", ""},
	{refused, "HM2Kinsists@(that comments are allowed)this.is.ok", "RFC 5322 CFWS; not in RFC 5321", ""},
	{refused, "jdoe(work)@example.net", "RFC 5322 CFWS; not in RFC 5321", ""},
	{refused, "first.last@[.12.34.56.78]", "isemail", ""},
	{refused, "first.last@[12.34.56.789]", "isemail", ""},
	{refused, "first.last@[::12.34.56.78]", "isemail: no tag", ""},
	{refused, "first.last@[IPv5:::12.34.56.78]", "isemail: unknown tag", ""},
	{refused, "first.last@[IPv6:1111:2222:3333:4444:5555:6666:7777]", "isemail", ""},
	{refused, "first.last@[IPv6:1111:2222:3333:4444:5555:6666:7777:8888:9999]", "isemail", ""},
	{refused, "first.last@[IPv6:1111:2222::3333::4444:5555:6666]", "isemail", ""},
	{refused, "a@[IPv6:fe80::1%eth0]", "RFC 5321 §4.1.3: no zone", ""},
	{refused, "aaa@[123.123.123.123]a", "isemail", ""},
	{refused, "foobar@192.168.0.1", "isemail; RFC 5321 §4.1.3: brackets", "foobar@[192.168.0.1]"},
	{refused, "a@2001:db8::1", "RFC 5321 §4.1.3", "a@[IPv6:2001:db8::1]"},
	{refused, "first.last@-xample.com", "isemail", ""},
	{refused, "first.last@exampl-.com", "isemail", ""},
	{refused, "test@...........com", "isemail", ""},
	{refused, "test@.iana.org", "isemail", ""},
	{refused, "a@exa_mple.net", "RFC 1123 §2.1", ""},
	{refused, "a@☃.example", "RFC 5892 §2", ""},
	{refused, "first.last@sub.do,com", "isemail", ""},
	{refused, "Bob <bob@example.net>", "a display name was pasted", "bob@example.net"},
	{refused, `"Bob, the guard" <bob@example.net>`, "a display name was pasted", "bob@example.net"},
	{refused, "<bob@example.net>", "RFC 5321 path, not mailbox", "bob@example.net"},
	{refused, "mailto:bob@example.net", "RFC 6068", "bob@example.net"},
	{refused, "a@example.net, b@example.net", "two addresses", "a@example.net"},
	{refused, "a@example.net;", "a list's end", "a@example.net"},
	{refused, "a b@example.net", "RFC 5322 §3.2.3", ""},
	{refused, "a@exam ple.net", "RFC 1123 §2.1", ""},
	{refused, "a@example.net\r\nBcc: x@example.org", "header injection", ""},
	{refused, "a\x00@example.net", "RFC 5321 §4.1.2", ""},
	{refused, "a\xff@example.net", "not UTF-8", ""},
	{refused, "a\u202eb@example.net", "bidi control", ""},
	{refused, strings.Repeat("mailto:", 500) + "a@example.net", "far too long", ""},
}

var subjects = []judgement{
	{good, "CameraNotification", "the manual", ""},
	{good, strings.Repeat("x", 44), "the manual: 44 characters", ""},
	{refused, strings.Repeat("x", 45), "the manual: 44 characters", ""},
	{good, strings.Repeat("ä", 44), "design: grapheme clusters", ""},
	{good, strings.Repeat("a\u0308", 44), "UAX 29: a letter and its mark are one", ""},
	{refused, strings.Repeat("a\u0308", 45), "UAX 29", ""},
	{good, strings.Repeat("漢", 44), "132 bytes", ""},
	{good, strings.Repeat("😀", 44), "176 bytes", ""},
	{refused, strings.Repeat("👨\u200d👩\u200d👧", 10), "10 clusters, 180 bytes: over 176", ""},
	{good, strings.Repeat("👨\u200d👩\u200d👧", 9), "9 clusters", ""},
	{good, "Gate 3: door", "RFC 5322 §2.2: a colon in the body", ""},
	{good, "  padded  ", "blanks at the ends are cut", ""},
	{begun, "", "design: not empty", ""},
	{begun, "   ", "design: not empty", ""},
	{refused, "a\r\nBcc: x@example.org", "RFC 5322 §2.2: header injection", ""},
	{refused, "a\nb", "control character", ""},
	{refused, "a\tb", "control character", ""},
	{refused, "a\x7fb", "control character", ""},
	{refused, "a\u0085b", "C1 control", ""},
	{refused, "a\u2028b", "line separator", ""},
	{refused, "a\u202eb", "bidi override", ""},
	{refused, "a\xc3", "not UTF-8", ""},
	{refused, "a\ufffd", "broken on the way", ""},
}

func TestServer(t *testing.T) {
	judge(t, "smtp.server", hosts)
}

func TestAddress(t *testing.T) {
	judge(t, "mail.reply_address", addresses)
	judge(t, "mail.destinations", addresses)
	judge(t, "mail.destinations.3", addresses)
}

func TestSubject(t *testing.T) { judge(t, "mail.subject", subjects) }

// others are the values of all other fields, by key.
var others = map[string][]judgement{
	"smtp.port": {
		{good, "25", "RFC 5321 §4.5.4.2", ""}, {good, "587", "RFC 6409 §3.1", ""}, {good, "465", "RFC 8314 §7.3", ""},
		{warned, "5", "RFC 6335 §6: valid", ""}, {warned, "2525", "unusual", ""}, {warned, "65535", "RFC 6335 §6", ""}, {warned, "1", "RFC 6335 §6", ""},
		{refused, "0", "RFC 6335 §6: reserved", ""}, {refused, "65536", "16 bits", ""}, {refused, "-1", "", ""}, {refused, "5a", "", ""},
		{refused, "99999999999999999999", "", ""}, {refused, "smtp", "a number", ""}, {refused, "5 87", "", ""}, {refused, "٥", "ASCII digits", ""},
	},
	"smtp.security": {
		{good, "auto", "design", ""}, {good, "TLS", "case", ""}, {good, "starttls", "RFC 3207", ""}, {warned, "none", "in clear", ""},
		{begun, "start", "half typed", "starttls"}, {begun, "t", "half typed", "tls"}, {refused, "ssl", "", ""}, {refused, "tls1.3", "", ""},
	},
	"smtp.auth": {
		{good, "plain", "RFC 4616", ""}, {good, "cram-md5", "RFC 2195", ""}, {good, "scram-sha-256", "RFC 7677", ""}, {good, "xoauth2", "", ""},
		{begun, "scram", "half typed", ""}, {refused, "ntlm", "", ""},
	},
	"smtp.username": {
		{good, "gate3@example.net", "", ""}, {good, "DOMAIN\\gate 3", "", ""}, {refused, "a\x00b", "RFC 4616 §2: no NUL", ""}, {refused, strings.Repeat("a", 256), "", ""},
	},
	"smtp.password": {
		{good, "hush", "", ""}, {good, "abcd efgh ijkl mnop", "an app password as shown", ""}, {good, "pässwörd", "RFC 4616 §2: UTF-8", ""},
		{warned, "hush ", "a blank at the end", ""}, {refused, "a\nb", "", ""}, {refused, "a\x00b", "RFC 4616 §2", ""}, {refused, "\xff", "", ""}, {refused, strings.Repeat("a", 9000), "", ""},
	},
	"smtp.ca_file": {{good, "/etc/ssl/own.pem", "", ""}, {refused, "own.pem", "", ""}, {refused, "/a\nb", "", ""}},
	"smtp.pin": {
		{good, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "RFC 7469 §2.4", ""},
		{refused, "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "curl's form", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
		{refused, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "hex", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
		{begun, "47DEQ", "half typed", ""}, {refused, "not a pin", "", ""},
	},
	"mail.hold_off": {
		{good, "60s", "design", ""}, {good, "60", "design: a bare number is seconds", ""}, {good, "0", "design: 0 to 3600 s", ""}, {good, "1h", "", ""}, {good, "2 m", "", ""},
		{good, "1m30s", "", ""}, {good, "1.5m", "", ""}, {good, "500ms", "", ""}, {good, "3600", "", ""},
		{refused, "3601", "design: 0 to 3600 s", ""}, {refused, "2h", "", ""}, {refused, "-1s", "", ""}, {refused, "1.5ms", "whole milliseconds", ""}, {refused, "10x", "", ""},
		{refused, "s", "", ""}, {refused, "1 2s", "", ""}, {refused, "1e9s", "", ""}, {refused, "999999999999999999d", "", ""}, {begun, "1.", "half typed", ""}, {refused, "..", "", ""},
	},
	"mail.heartbeat":    {{good, "0", "", ""}, {good, "1d", "", ""}, {good, "31d", "", ""}, {good, "1h", "", ""}, {begun, "1", "a unit may follow", ""}, {refused, "59m", "", ""}, {refused, "32d", "", ""}, {refused, "daily", "", ""}},
	"mail.digest_after": {{good, "20", "", ""}, {good, "1", "", ""}, {refused, "0", "", ""}, {refused, "1001", "", ""}, {refused, "many", "", ""}},
	"mail.daily_budget": {{good, "0", "", ""}, {good, "500", "Gmail's limit, facts", ""}, {refused, "-1", "", ""}, {refused, "1e3", "", ""}},
	"storage.max_age":   {{good, "30d", "design", ""}, {good, "720h", "", ""}, {begun, "30", "30 s is too little; 30d may follow", ""}, {refused, "30s", "", ""}, {refused, "9999d", "", ""}},
	"storage.max_bytes": {{good, "2GB", "design: 10⁹", ""}, {good, "512MiB", "design: 2²⁰", ""}, {good, "1.5 gb", "", ""}, {good, "5000000", "bare bytes", ""}, {begun, "500", "a unit may follow", ""}, {begun, "2G", "half typed", ""}, {begun, "2Gi", "half typed", ""}, {refused, "2 apples", "", ""}, {refused, "1kB", "", ""}, {refused, "9e30GB", "", ""}, {refused, "-5MB", "", ""}, {refused, "1.0000000001MB", "no part of a byte", ""}, {refused, "GB", "", ""}},
	"site.name":         {{good, "Gate 3", "", ""}, {good, "Tür", "", ""}, {refused, strings.Repeat("x", 65), "", ""}, {refused, "a\x1b[31m", "", ""}},
	"site.time_zone": {
		{good, "Europe/Berlin", "IANA", ""}, {good, "UTC", "IANA", ""}, {good, "America/Argentina/Buenos_Aires", "IANA", ""}, {good, "Etc/GMT+5", "IANA", ""},
		{begun, "Eur", "half typed", ""}, {begun, "Europe/", "half typed", ""}, {begun, "Europe/Ber", "half typed", ""}, {begun, "Europe/Atlantis", "not there", ""},
		{refused, "europe/berlin", "the names are exact", "Europe/Berlin"}, {refused, "Local", "", ""}, {refused, "CET-1CEST", "POSIX TZ", ""}, {refused, "../../etc/passwd", "", ""}, {refused, "Mars/Base", "", ""},
	},
	"camera.source": {
		{good, "v4l2:/dev/v4l/by-id/usb-cam-index0", "design", ""}, {good, "clip:/srv/yard 1.mp4", "design", ""}, {good, "clip:yard.mp4?once", "design", ""}, {good, "scene:", "design", ""},
		{warned, "pipe:ffmpeg -i x", "design: not in this version", ""}, {begun, "v4l2", "", ""}, {begun, "v4l2:/de", "", ""}, {begun, "clip:", "", ""}, {begun, "clip:a?on", "", ""}, {begun, "pipe:", "", ""},
		{refused, "/dev/video0", "", "v4l2:/dev/video0"}, {refused, "/srv/a.mp4", "", "clip:/srv/a.mp4"}, {refused, "rtsp://camera/1", "", ""}, {refused, "clip:a?twice", "", ""}, {refused, "scene:x", "", "scene:"}, {refused, "v4l2:video0", "", ""}, {refused, "webcam", "", ""},
	},
	"camera.width": {{good, "640", "", ""}, {begun, "1", "", ""}, {refused, "0", "", ""}, {refused, "9000", "", ""}, {refused, "640px", "", ""}},
	"triggers.yard.name": {
		{good, "yard", "", ""}, {good, "Tür 2_b-c", "", ""}, {begun, "", "", ""}, {refused, "a.b", "a dot parts keys", ""}, {refused, strings.Repeat("x", 33), "", ""}, {refused, "a/b", "", ""}, {refused, "a\nb", "", ""},
	},
	"triggers.yard.source":    {{good, "motion", "", ""}, {good, "manual", "", ""}, {warned, "external", "not in this version", ""}, {warned, "builtin", "", ""}, {warned, "sound", "", ""}, {good, "timer", "the family's manuals", ""}, {begun, "m", "", ""}, {refused, "pir", "", ""}},
	"triggers.yard.threshold": {{good, "1", "design: 1 to 9", ""}, {good, "9", "", ""}, {refused, "0", "", ""}, {refused, "10", "", ""}, {refused, "5.5", "", ""}},
	"triggers.yard.zones": {
		{good, "[[0, 0, 100, 100]]", "design", ""}, {good, "[[0,0,50,50],[50.5,50,49.5,50]]", "", ""}, {begun, "[[0, 0", "", ""}, {refused, "[0, 0, 100, 100]", "", "[[0, 0, 100, 100]]"},
		{refused, "[[0,0,101,1]]", "percent", ""}, {refused, "[[60,0,50,50]]", "beyond the picture", ""}, {refused, "[[0,0,0,50]]", "empty", ""}, {refused, "[[0,0,1]]", "", ""}, {refused, "[[a,0,1,1]]", "", ""}, {refused, "[[.nan,0,1,1]]", "", ""}, {refused, "[[-1,0,1,1]]", "", ""}, {refused, "[]", "", ""}, {refused, "&a [[0,0,1,1]]", "anchor", ""}, {refused, "whole", "", ""},
	},
	"triggers.yard.active": {
		{good, `{days: [mon, tue, wed, thu, fri], from: "18:00", to: "06:00"}`, "design: over midnight", ""}, {good, `{from: 08:00, to: "24:00"}`, "design", ""}, {good, `[{days: [sat]}, {days: [sun], to: "12:00"}]`, "", ""}, {good, "[]", "always", ""}, {good, `{days: [sat, Holiday]}`, "", ""}, {warned, "{days: []}", "every day", ""}, {refused, `{days: [holiday, holiday]}`, "", ""},
		{refused, `{from: "24:00"}`, "only to may be 24:00", ""}, {refused, `{from: "8:00"}`, "HH:MM", ""}, {refused, `{to: "24:01"}`, "", ""}, {refused, `{days: [monday]}`, "", ""}, {refused, `{days: [mon, mon]}`, "", ""}, {refused, `{days: mon}`, "", ""}, {refused, `{day: [mon]}`, "", ""}, {begun, `{days: [mon`, "", ""}, {refused, "always", "", ""}, {refused, `{from: "08:00", from: "09:00"}`, "", ""},
	},
	"triggers.yard.pre":      {{good, "5 images", "design", ""}, {good, "1 image", "", ""}, {good, "3s", "", ""}, {good, "0", "", ""}, {begun, "5 i", "", ""}, {refused, "601 images", "", ""}, {refused, "5 frames", "", ""}, {refused, "images", "", ""}, {refused, "11m", "", ""}},
	"triggers.yard.interval": {{good, "500ms", "design", ""}, {good, "2", "", ""}, {refused, "10ms", "", ""}, {begun, "0", "0.5 may follow", ""}},
	"triggers.yard.transfer": {{good, "none", "", ""}, {good, "nas", "", ""}, {refused, "a/b", "", ""}},
	"triggers.yard.notify":   {{good, "true", "", ""}, {good, "No", "", ""}, {begun, "tr", "", ""}, {refused, "maybe", "", ""}, {refused, "1", "", ""}},
	"triggers.yard.hold_off": {{good, "120s", "", ""}, {refused, "2h", "", ""}},
	"triggers.yard.line":     {{good, "gpiochip0:4", "", ""}, {good, "DOOR_IN", "", ""}, {begun, "gpiochip0", "", ""}, {begun, "gpiochip0:", "", ""}, {refused, "gpiochipX:4", "", ""}},
	"triggers.yard.edge":     {{good, "rising", "", ""}, {good, "both", "", ""}, {begun, "fall", "", "falling"}, {refused, "up", "", ""}},
	"triggers.yard.debounce": {{good, "20ms", "", ""}, {refused, "11s", "", ""}},
	"triggers.yard.and":      {{good, "{source: motion, within: 5s}", "design", ""}, {warned, "{source: external, within: 5s, line: \"gpiochip0:4\"}", "not in this version", ""}, {warned, "{source: builtin, within: 5s}", "line is missing", ""}, {warned, "{source: sound, within: 1s}", "", ""}, {refused, "{source: motion, within: 5s, line: DOOR}", "no line", ""}, {begun, "{source: external, within: 5s, line: gpiochip}", "", ""}, {refused, "{source: timer, within: 5s}", "", ""}, {refused, "{source: motion}", "", ""}, {refused, "motion", "", ""}, {refused, "{source: motion, within: 5s, x: 1}", "", ""}},
	"transfers": {
		{good, "[{name: web, kind: http, url: \"https://nas.local/up\"}]", "", ""}, {good, "[]", "", ""}, {good, "- name: m\n  kind: mqtt\n  server: broker\n", "block style", ""}, {warned, "[{name: nas, kind: ftp}]", "server needed", ""}, {warned, "[{name: nas, kind: sftp, server: nas.local, username: u}]", "host key needed", ""},
		{refused, "[{name: nas}]", "kind", ""}, {refused, "[{kind: ftp}]", "name", ""}, {refused, "[{name, kind: ftp}]", "null", ""}, {refused, "[{name: a, kind: ~}]", "null", ""}, {refused, "[{name: none, kind: ftp}]", "", ""}, {refused, "[{name: None, kind: ftp}]", "", ""}, {refused, "[{name: a, kind: ftp, password: x}]", "secret", ""}, {refused, "[{name: a, kind: ftp}, {name: A, kind: ftp}]", "", ""}, {refused, "nas", "", ""}, {refused, "[nas]", "", ""}, {refused, "[{name: nas, kind: sftp, host: nas.local}]", "unknown key", ""},
		{refused, "[{name: a, kind: mqtt, security: starttls}]", "MQTT has none", ""}, {begun, "[{name: a, kind: ftp", "", ""}, {refused, "[{name: a, kind: ftp}, {name: b, kind: ftp}, {name: c, kind: ftp}, {name: d, kind: ftp}, {name: e, kind: ftp}, {name: f, kind: ftp}, {name: g, kind: ftp}, {name: h, kind: ftp}, {name: i, kind: ftp}]", "at most 8", ""},
	},
	"transfers.nas.name":     {{good, "nas", "", ""}, {good, "NAS 2", "", ""}, {begun, "", "", ""}, {refused, "none", "stands for no transfer", ""}, {refused, "a.b", "", ""}},
	"transfers.nas.kind":     {{good, "ftp", "", ""}, {good, "MQTT", "", ""}, {good, "email", "", ""}, {begun, "", "", ""}, {begun, "s", "", "sftp"}, {refused, "ftps", "", "ftp"}, {refused, "https", "", "http"}, {refused, "smb", "", ""}},
	"transfers.nas.server":   {{good, "nas.local", "", ""}, {good, "nas", "", ""}, {good, "gmail.com", "no mail server here", ""}, {good, "192.0.2.7", "", ""}, {good, "[2001:db8::7]", "", ""}, {begun, "nas.", "", ""}, {refused, "ftp://nas.local", "", "nas.local"}, {refused, "2001:db8::7", "", "[2001:db8::7]"}, {refused, "a@nas.local", "", ""}, {refused, "nas.local:21", "", "nas.local"}},
	"transfers.nas.port":     {{good, "0", "the usual one", ""}, {good, "21", "RFC 959", ""}, {good, "65535", "", ""}, {refused, "65536", "", ""}, {refused, "ftp", "", ""}},
	"transfers.nas.security": {{good, "auto", "", ""}, {good, "starttls", "RFC 4217", ""}, {good, "tls", "", ""}, {warned, "none", "in clear", ""}, {begun, "st", "", "starttls"}, {refused, "ssl", "", ""}},
	"transfers.nas.username": {{good, "gate 3", "", ""}, {refused, "a\nb", "", ""}},
	"transfers.nas.password": {{good, "hush", "", ""}, {warned, " hush", "", ""}, {refused, "a\nb", "", ""}, {refused, "\xff", "", ""}},
	"transfers.nas.key_file": {{good, "/etc/watchpost/id_ed25519", "", ""}, {refused, "~/.ssh/id_ed25519", "", ""}},
	"transfers.nas.host_key": {
		{good, "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "OpenSSH's form", ""}, {begun, "SHA", "", ""}, {begun, "SHA256:47DEQpj8", "", ""},
		{refused, "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "no padding", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"},
		{refused, "256 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU nas (ED25519)", "a line of ssh-keygen -l", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"},
		{refused, "nas ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsfYC6Y1kyxlbnLHXNGZtmQaeo1SvMKPDkSbqUgHV7S", "a line of ssh-keyscan; ssh-keygen -lf", "SHA256:fV93SDOdqoa/kJ8TVvvaqkEE4LguESbedJ3Dl3z7ncc"},
		{refused, "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", "", ""}, {refused, "SHA256:!", "", ""}, {refused, "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUU", "too long", ""},
	},
	"transfers.nas.ca_file": {{good, "/etc/ssl/own.pem", "", ""}, {refused, "own.pem", "", ""}},
	"transfers.nas.pin":     {{good, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "RFC 7469 §2.4", ""}, {begun, "x", "", ""}, {refused, "not one", "", ""}},
	"transfers.nas.path": {
		{good, "{trigger}/{date}", "the default", ""}, {good, "images/{year}/{month}/{day}/{hour}", "", ""}, {good, "/srv/{site}", "absolute", ""}, {good, ".", "no folder", ""}, {good, "a b/ä", "", ""}, {good, "...", "a name of three dots", ""},
		{begun, "images/", "half typed", "images"}, {begun, "/", "", ""}, {begun, "{da", "half typed", ""}, {begun, "{", "", ""}, {refused, "../up", "", ""}, {refused, "a/../b", "", ""}, {refused, "a/./b", "", ""}, {refused, "a//b", "", ""}, {refused, "a\\b", "", "a/b"}, {refused, "{camera}", "unknown", ""}, {refused, "{DATE}", "", ""},
		{refused, "date}", "", ""}, {refused, "{{date}}", "", ""}, {refused, "a\nb", "", ""}, {refused, "{site}{site}{site}{site}", "over 200 bytes", ""}, {refused, strings.Repeat("a/", 20) + "a", "", ""}, {refused, strings.Repeat("a", 201), "", ""},
	},
	"transfers.nas.file":         {{good, "{trigger}-{stamp}.jpg", "the default", ""}, {good, "{event}-{n}.jpg", "", ""}, {warned, "latest.jpg", "one name for all", ""}, {refused, "{date}/{n}.jpg", "a slash", ""}, {refused, "..", "", ""}, {refused, ".", "", ""}, {begun, "{n", "", ""}},
	"transfers.nas.topic":        {{good, "watchpost/{site}/{trigger}", "the default", ""}, {refused, "a/+/b", "MQTT 3.1.1 §4.7.1", ""}, {refused, "a/#", "MQTT 3.1.1 §4.7.1", ""}, {refused, "/a", "", "a"}, {refused, "$SYS/a", "MQTT 3.1.1 §4.7.2", ""}, {begun, "a/", "", "a"}},
	"transfers.nas.url":          {{good, "https://nas.local/up", "", ""}, {good, "HTTPS://nas.local:8443", "RFC 3986 §3.1", ""}, {good, "https://[2001:db8::7]:8443/a?b=c", "RFC 3986 §3.2.2", ""}, {warned, "http://nas.local/", "in clear", ""}, {begun, "htt", "", ""}, {begun, "https://", "", ""}, {begun, "https://nas.local:", "", ""}, {refused, "https://u:p@nas.local/x", "RFC 3986 §7.5", "https://nas.local/x"}, {refused, "nas.local/up", "", "https://nas.local/up"}, {refused, "ftp://nas.local", "", ""}, {refused, "https://nas.local/a#b", "RFC 3986 §3.5", "https://nas.local/a"}, {refused, "https://nas.local/a b", "", ""}, {refused, "https://nas_1.local", "", ""}, {refused, "https://nas.local:0/", "", ""}, {refused, "https://nas.local:99999/", "", ""}, {refused, "https://nas.local/%zz", "RFC 3986 §2.1", ""}},
	"transfers.nas.method":       {{good, "put", "RFC 9110 §9.3.4", ""}, {good, "POST", "", ""}, {begun, "p", "", ""}, {refused, "get", "", ""}},
	"transfers.nas.auth":         {{good, "none", "", ""}, {good, "basic", "RFC 7617", ""}, {good, "bearer", "RFC 6750", ""}, {refused, "digest", "", ""}},
	"transfers.nas.headers":      {{good, "{X-Camera: gate3, x-n: 5}", "RFC 9110 §5.1", ""}, {good, "{}", "", ""}, {begun, "{X-Camera: ", "", ""}, {refused, "{Authorization: Bearer x}", "a secret", ""}, {refused, "{Content-Length: 5}", "", ""}, {refused, "{X a: 1}", "RFC 9110 §5.6.2", ""}, {refused, "{X: 1, x: 2}", "", ""}, {refused, "{X: [1]}", "", ""}, {refused, "{X: \"a\\nb\"}", "header injection", ""}, {refused, "{X: ä}", "RFC 9110 §5.5", ""}, {refused, "X-Camera", "", ""}, {refused, "{a1: 1, a2: 1, a3: 1, a4: 1, a5: 1, a6: 1, a7: 1, a8: 1, a9: 1, b1: 1, b2: 1, b3: 1, b4: 1, b5: 1, b6: 1, b7: 1, b8: 1}", "17", ""}},
	"transfers.nas.discovery":    {{good, "yes", "", ""}, {refused, "homeassistant", "", ""}},
	"transfers.nas.destinations": {{good, "[a@example.net, b@example.net]", "", ""}, {good, "a@example.net", "one alone", ""}, {good, "[]", "", ""}, {begun, "[a@", "", ""}, {begun, "a@", "", ""}, {refused, "[a@example.net, a@EXAMPLE.net]", "RFC 5321 §2.4: comes twice", ""}, {refused, "a@x.org, b@x.org, c@x.org, d@x.org", "at most 3", ""}, {refused, "[[a@x.org]]", "", ""}, {refused, "a@exa_mple.net", "", ""}},
	"triggers.yard.destinations": {{good, "guard@example.net; ops@example.net", "", ""}, {warned, "jürgen@example.net", "RFC 6531", ""}, {refused, "guard@example.net guard@example.net", "", ""}},
	"triggers.yard.subject":      {{good, "Yard", "", ""}, {refused, strings.Repeat("x", 45), "the manual: 44 characters", ""}, {refused, "a\r\nb", "", ""}},
	"triggers.yard.enabled":      {{good, "true", "", ""}, {good, "false", "", ""}, {refused, "perhaps", "", ""}},
	"triggers.yard.quality":      {{good, "1", "", ""}, {good, "100", "", ""}, {refused, "0", "", ""}, {refused, "101", "", ""}, {refused, "high", "", ""}},
	"triggers.yard.full":         {{good, "keep", "", ""}, {good, "Overwrite", "", ""}, {begun, "k", "", "keep"}, {refused, "stop", "", ""}},
	"triggers.yard.every":        {{good, "1s", "", ""}, {good, "24h", "", ""}, {good, "1d", "", ""}, {begun, "0", "", ""}, {refused, "500ms", "", ""}, {refused, "25h", "", ""}, {refused, "daily", "", ""}},
	"site.holidays": {
		{good, "[2026-12-25, 01-01]", "RFC 3339 §5.6: full-date", ""}, {good, "2026-12-25", "one alone", ""}, {good, "12-25, 12-26", "", ""}, {good, "02-29", "comes in leap years", ""}, {good, "2028-02-29", "", ""}, {good, "[]", "", ""}, {good, "- 12-25\n- 12-26", "block style", ""},
		{begun, "12-2", "", ""}, {begun, "2026-1", "", ""}, {begun, "[12-25", "", ""}, {refused, "2026-02-29", "no leap year", ""}, {refused, "02-30", "", ""}, {refused, "13-01", "", ""}, {refused, "25.12.", "", ""}, {refused, "2026-12-25x", "", ""}, {refused, "12-25 12-25", "comes twice", ""}, {refused, "0000-01-01", "", ""}, {refused, "christmas", "", ""}, {refused, "[[12-25]]", "", ""}, {refused, "[" + strings.Repeat("12-25, ", 65) + "]", "at most 64", ""},
	},
	"camera.buffer":  {{good, "8MiB", "the default", ""}, {good, "1GB", "", ""}, {good, "1MB", "", ""}, {begun, "8", "", ""}, {refused, "2GB", "", ""}, {refused, "1kB", "", ""}, {refused, "large", "", ""}},
	"privacy.active": {{good, `{days: [mon], from: "08:00", to: "18:00"}`, "", ""}, {good, "{days: [holiday]}", "", ""}, {refused, "always", "", ""}},
	"privacy.line":   {{warned, "gpiochip0:5", "not in this version", ""}, {warned, "KEY", "", ""}, {begun, "gpiochip0:", "", ""}},
	"serial": {
		{good, "[{device: /dev/ttyS0, baud: 115200, term: vt220}]", "the design", ""}, {good, "[{device: /dev/ttyS0, flow: rtscts}]", "", ""}, {good, "/dev/ttyS0 9600 vt100; /dev/ttyUSB0 rtscts", "", ""}, {good, "/dev/ttyS0 dumb 9600", "in any order", ""},
		{warned, "/dev/ttyS0 9601", "", ""}, {warned, "/dev/ttyS0 9600 wyse60", "", ""}, {refused, "/dev/ttyS0 x; /dev/ttyS0 9600", "comes twice", ""}, {refused, "/dev/ttyS0 9600 vt100 none more", "", ""}, {begun, "/dev/ttyS0 96", "", ""},
		{refused, "[{baud: 9600}]", "", ""}, {refused, "[{device: /dev/ttyS0, baud: fast}]", "", ""}, {refused, "[{device: /dev/ttyS0, parity: even}]", "", ""}, {refused, "[{device: /dev/ttyS0, flow: dtr}]", "", ""}, {refused, "ttyS0", "", ""},
	},
	"console.password": {{good, "let me in please", "", ""}, {good, "$2a$10$" + strings.Repeat("x", 53), "", ""}, {begun, "short", "", ""}, {refused, strings.Repeat("x", 73), "bcrypt", ""}, {refused, "let\nme in it", "", ""}, {warned, "let me in ", "", ""}},
	"ssh.listen":       {{good, ":2222", "the design", ""}, {good, "192.0.2.1:2222", "", ""}, {good, "[::1]:2222", "", ""}, {good, "off", "", ""}, {warned, ":22", "the system's own", ""}, {begun, "2222", "a port alone", ":2222"}, {begun, "192.0.2.1", "", ""}, {begun, "of", "", ""}, {refused, ":0", "", ""}, {refused, "ho st:22", "", ""}},
	"ssh.password":     {{good, "let me in please", "", ""}, {good, "$2a$10$" + strings.Repeat("x", 53), "", ""}, {begun, "short", "", ""}, {refused, strings.Repeat("x", 73), "bcrypt", ""}},
	"version":          {{good, "1", "", ""}, {refused, "2", "", ""}, {refused, "one", "", ""}},
	"triggers": {
		{good, "[{name: yard, source: motion}]", "", ""}, {good, "- name: yard\n- name: door\n", "block style", ""}, {refused, "[{source: motion}]", "no name", ""}, {refused, "[{name, source: motion}]", "null", ""}, {refused, "[{name: a, thresold: 5}]", "unknown key", ""}, {refused, "[{name: t, source: timer, notify: true}]", "the family's manuals", ""}, {good, "[{name: t, source: timer}]", "", ""}, {warned, "[{name: d, source: external, line: DOOR}]", "", ""}, {refused, "[{name: d, and: {source: motion, within: 5s}}]", "its own source", ""},
		{refused, "[{name: a},{name: b},{name: c},{name: d},{name: e},{name: f}]", "at most 5", ""}, {begun, "[{name: yard", "", ""}, {refused, "yard", "", ""},
	},
}

func TestOtherValues(t *testing.T) {
	for key, table := range others {
		judge(t, key, table)
	}
}

func TestEnoughValues(t *testing.T) {
	all, cited := 0, 0
	for _, table := range append(values(), hosts, addresses, subjects) {
		for _, j := range table {
			all++
			if j.source != "" {
				cited++
			}
		}
	}
	if cited < 150 {
		t.Errorf("only %d values are cited to a source", cited)
	}
	t.Logf("%d values, %d of them cited: %d servers, %d addresses, %d subjects", all, cited, len(hosts), len(addresses), len(subjects))
}
