package tui

import (
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{`"Müller, Hans" <h@x.example>; Doe, John <j@x.example>`, []string{"h@x.example", "j@x.example"}},
		{`"Müller, Hans" <h@x.example>, "Doe, John" <j@x.example>`, []string{"h@x.example", "j@x.example"}},
		{`Doe, John <j@x.example>, a@x.example`, []string{"j@x.example", "a@x.example"}},
		{`a@x.example, Doe, John <j@x.example>`, []string{"a@x.example", "j@x.example"}},
		{"a@x.example\r\nb@x.example\n", []string{"a@x.example", "b@x.example"}},
		{"a@x.example; b@x.example;", []string{"a@x.example", "b@x.example"}},
		{`guard, ops@x.example`, []string{"guard", "ops@x.example"}},
		{`"two words"@x.example, b@x.example`, []string{`"two words"@x.example`, "b@x.example"}},
		{`"a;b"@x.example; b@x.example`, []string{`"a;b"@x.example`, "b@x.example"}},
		{`Guards: a@x.example, b@x.example;`, []string{"a@x.example", "b@x.example"}},
		{`a@[IPv6:2001:db8::1], b@[192.0.2.1]`, []string{"a@[IPv6:2001:db8::1]", "b@[192.0.2.1]"}},
		{`a@x.example (Hans, nights); b@x.example`, []string{"a@x.example", "b@x.example"}},
		{`"Hans <h@x.example>; Jo <j@x.example>`, []string{"h@x.example", "j@x.example"}}, // a quote that is never closed
		{`"say \"hi\", all" <h@x.example>; <j@x.example>`, []string{"h@x.example", "j@x.example"}},
		{"grün@büro.example, b@x.example", []string{"grün@büro.example", "b@x.example"}},
		{"a@b.example c", []string{"a@b.example c"}},
		{"Hans <h@x.example", []string{"Hans <h@x.example"}},
		{"\u202aa@x.example\u202c; b@x.example", []string{"a@x.example", "b@x.example"}},
		{" ,;\n", nil},
		{"<>;()", nil},
		{"", nil},
	} {
		if got := addresses(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzAddresses(f *testing.F) {
	f.Add(`"Müller, Hans" <h@x.example>; Doe, John <j@x.example>`)
	f.Add("a@b,(c\\")
	f.Add(`"\`)
	f.Add("\xff<\x80>")
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range addresses(text) {
			if len(text) <= maxPasted && (a == "" || clean(a) != a) {
				t.Errorf("%q of %q", a, text)
			}
		}
		if got := strings.Join(clusters(text), ""); got != text {
			t.Errorf("the clusters of %q are %q", text, got)
		}
	})
}

func TestPastedListSays(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a@x.example,b@x.example", "2 destinations pasted: check them"},
		{"a@x.example,b@x.example,c@x.example,d@x.example", "3 destinations pasted, 1 address left out:"},
		{"a@x.example,b@x.example,c@x.example,d@x.example,e@x.example", "3 destinations pasted, 2 addresses left out:"},
		{"a@x.example;\u202ab@x.example", "Invisible characters were left out."},
		{"\u200ea@x.example", "Invisible characters were left out of what was pasted"},
		{"a@x.ex\nample", "2 destinations pasted"},
		{" a@x.example\n", ""},
	} {
		s := open(t, newFake(), 80, 24)
		s.edit("mail.destinations.1", "")
		s.send(tea.PasteMsg{Content: c.text})
		if !strings.Contains(s.say, c.want) || c.want == "" && s.say != "" {
			t.Errorf("%q: %q, want %q", c.text, s.say, c.want)
		}
	}
}

// What is typed or pasted as a password is the password, byte for byte.
func TestPasswordIsKeptAsItIs(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.edit("smtp.password", " a\u202eb\u200e ")
	if got := s.draft.Raw("smtp.password"); got != " a\u202eb\u200e " {
		t.Errorf("typed: %q", got)
	}
	if got := strings.Count(s.text(), "*"); got != len(clusters(" a\u202eb\u200e "))+2 { // the field's and the page's mark
		t.Errorf("%d stars:\n%s", got, s.text())
	}
	s.press("home", "right", "delete", "'\t", "end", "backspace")
	if got := s.draft.Raw("smtp.password"); got != " \t\u202eb\u200e" {
		t.Errorf("edited: %q", got)
	}
	s = open(t, newFake(), 80, 24)
	s.edit("smtp.password", "")
	s.send(tea.PasteMsg{Content: "two\nlines\r\n"})
	if got := s.draft.Raw("smtp.password"); got != "two\nlines" {
		t.Errorf("pasted: %q", got)
	}
	if !strings.Contains(s.text(), "control character or a line break") { // config's verdict
		t.Error(s.text())
	}
	// Elsewhere what is not kept is told.
	s.edit("mail.subject", "")
	s.press("'\u202e")
	if !strings.Contains(s.say, "invisible character") || s.draft.Raw("mail.subject") != "" {
		t.Errorf("%q, the message %q", s.draft.Raw("mail.subject"), s.say)
	}
}
