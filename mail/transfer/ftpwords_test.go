package transfer

import (
	"strings"
	"testing"
	"unicode"
)

// The last reply is found among replies of many lines, commands and what is none.
func TestFTPLastReply(t *testing.T) {
	for said, want := range map[string]struct {
		code int
		line string
		verb string
	}{
		"":                                       {},
		"220 ready\r\n":                          {220, "ready", ""},
		"220-a\r\n220 b":                         {},
		"220-a\r\n 230 no\r\n220 b\r\n":          {220, "b", ""},
		"USER a\r\n331 go\r\nPASS\r\n":           {331, "go", "PASS"},
		"STOR 999 x\r\n150 go\r\n226\r\n":        {226, "", "STOR"},
		"RNTO 250 a.jpg\r\n":                     {0, "", "RNTO"},
		"\x1b[2J\r\n999 x\r\n12 y\r\n1234 z\r\n": {},
	} {
		var l lastWords
		l.Write([]byte(said))
		if code, line := l.reply(); code != want.code || line != want.line || l.verb() != want.verb {
			t.Errorf("%q: %d %q %q", said, code, line, l.verb())
		}
	}
}

// The password is written to the library's debug output, and not kept there.
func TestFTPLastWordsKeepNoPassword(t *testing.T) {
	var l lastWords
	for range 3 {
		l.Write([]byte("PASS " + serverPassword + "\r\n"))
	}
	if strings.Contains(string(l.text), serverPassword) || l.verb() != "PASS" {
		t.Errorf("%q", l.text)
	}
}

func FuzzFTPLastWords(f *testing.F) {
	f.Add("220-a\r\n220 b\r\n", "PASS x\r\n", "secret")
	f.Add("\x00\xff\u202e\x9b31m530 secret", "226\n", "sec")
	f.Fuzz(func(t *testing.T, a, b, secret string) {
		var l lastWords
		l.Write([]byte(a))
		l.Write([]byte(b))
		code, line := l.reply()
		if code != 0 && (code < 100 || code > 599) || len(l.text) > maxLastWords {
			t.Errorf("code %d, %d bytes", code, len(l.text))
		}
		l.verb()
		words := serverWords(line, secret)
		if strings.ContainsFunc(words, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q", words)
		}
		if len(secret) >= 4 && !strings.Contains("****", secret) && strings.Contains(words, secret) {
			t.Errorf("%q has %q", words, secret)
		}
		if f := ftpRefusal("send", code, words); f.text == "" || f.do == "" {
			t.Error("a fault without words")
		}
	})
}
