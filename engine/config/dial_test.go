package config

import (
	"testing"
)

func TestHostForDial(t *testing.T) {
	for in, want := range map[string]string{
		"mail.example.net": "mail.example.net", "[2001:db8::25]": "2001:db8::25", "[fe80::1%eth0]": "fe80::1%eth0", "192.0.2.25": "192.0.2.25",
		"bücher.example": "xn--bcher-kva.example", " mail.example.net ": "mail.example.net", "Bücher.Example": "xn--bcher-kva.Example", "": "",
	} {
		if got := HostForDial(in); got != want {
			t.Errorf("HostForDial(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAddressForEnvelope(t *testing.T) {
	for _, c := range []struct {
		in, ascii, domain string
		utf8              bool
	}{
		{"guard@example.net", "guard@example.net", "example.net", false},
		{"Guard@Example.NET", "Guard@Example.NET", "example.net", false},
		{"post@exämple.de", "post@xn--exmple-cua.de", "xn--exmple-cua.de", false},
		{"jürgen@exämple.de", "jürgen@xn--exmple-cua.de", "xn--exmple-cua.de", true},
		{`"a@b"@example.net`, `"a@b"@example.net`, "example.net", false},
		{"x@[IPv6:2001:db8::1]", "x@[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]", false},
	} {
		ascii, utf8, err := AddressForEnvelope(c.in)
		if err != nil || ascii != c.ascii || utf8 != c.utf8 {
			t.Errorf("AddressForEnvelope(%q) = %q, %v, %v", c.in, ascii, utf8, err)
		}
		if d := Domain(c.in); d != c.domain {
			t.Errorf("Domain(%q) = %q, want %q", c.in, d, c.domain)
		}
	}
	for _, bad := range []string{"ops@", "a b@c.d", "a@b.c\r\nX", "@"} {
		if _, _, err := AddressForEnvelope(bad); err == nil {
			t.Errorf("AddressForEnvelope(%q) gave no error", bad)
		}
	}
}
