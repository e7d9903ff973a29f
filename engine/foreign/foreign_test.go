package foreign

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Whatever comes in, one bounded line of text comes out that no terminal obeys.
func FuzzSanitise(f *testing.F) {
	for _, seed := range []string{"250 ok", "a\r\nb\x1b[31m", "\u202egnp.exe", "\xff\xfe", strings.Repeat("é", 1000), "\u2028\u0085"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Sanitise(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > Longest || strings.TrimSpace(got) != got || Sanitise(got) != got {
			t.Errorf("%q", got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q", got)
		}
	})
}

// A secret goes, with its base64; a very short one would take half the words along.
func TestScrub(t *testing.T) {
	for text, want := range map[string]string{
		"no s3cret here": "no **** here", "czNjcmV0": "****", "czNjcmV0==": "****==", "nothing": "nothing", "abc": "abc",
	} {
		if got := Scrub(text, "s3cret", "abc", ""); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	// However it is written, and where another secret begins as it does.
	const token = `tok"en+\/odd<chars>`
	for _, text := range []string{
		token, "to\u200bk\"en+\\/odd<chars>", `tok\"en+\\/odd<chars>`, `tok\"en+\\/odd\u003cchars\u003e`, "tok%22en%2B%5C%2Fodd%3Cchars%3E",
		`tok&#34;en+\/odd&lt;chars&gt;`, "dG9rImVuK1wvb2RkPGNoYXJzPg", "dG9rImVuK1wvb2RkPGNoYXJzPg==",
	} {
		if got := Harmless("bad: "+text, `tok"e`, token); strings.TrimRight(got, "=") != "bad: ****" {
			t.Errorf("%q: %q", text, got)
		}
	}
}
