package tui

import (
	"net/mail"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
)

// paste takes pasted text: a list of addresses fills the destinations from the
// focused one on.
func (p *mailPage) paste(a *app, text string) tea.Cmd {
	if a.draft == nil || !p.focused() {
		a.say = "Tab or Enter enters the field to paste into."
		return nil
	}
	k := p.focusedKey()
	if destination := strings.HasPrefix(k, "mail.destinations."); destination || k == "mail.reply_address" {
		list := addresses(text)
		if len(list) > 1 && destination {
			p.pasteList(a, list)
			if strings.ContainsFunc(text, invisible) {
				a.say += " Invisible characters were left out."
			}
			return nil
		}
		if len(list) == 1 && strings.ContainsRune(text, '<') {
			text = list[0]
		}
	}
	p.form.paste(a, text)
	return nil
}

// firstLine is the first line of text that is not empty, and how many more there are.
func firstLine(text string) (line string, more int) {
	for l := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		switch l = strings.TrimSpace(l); {
		case l == "":
		case line == "":
			line = l
		default:
			more++
		}
	}
	return line, more
}

// invisible tells of characters that clean takes out, but for those that
// separate addresses.
func invisible(r rune) bool {
	return unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) && !unicode.IsSpace(r)
}

func (p *mailPage) pasteList(a *app, list []string) {
	i := p.at
	n := 0
	p.pastes++
	for ; n < len(list) && i+n < len(mailFields) && strings.HasPrefix(mailFields[i+n], "mail.destinations."); n++ {
		if k := mailFields[i+n]; a.draft.Raw(k) != list[n] {
			p.set(a, k, held{raw: list[n]}, false)
			p.undo[len(p.undo)-1].paste = p.pastes
		}
	}
	p.focus(a, i+n-1)
	a.say = plural(n, "destination") + " pasted: check them, so that no notification reaches the wrong party."
	if n < len(list) {
		a.say = plural(n, "destination") + " pasted, " + plural(len(list)-n, "address") + " left out: there are three at most. Check them."
	}
}

// maxPasted bounds, in bytes, what is looked at as a list of addresses.
const maxPasted = 16_000

// addresses takes a pasted list apart: as RFC 5322 §3.4 has it, else as mail
// programs and people write it. Names are left out.
func addresses(text string) []string {
	text = strings.TrimSpace(text)
	if len(text) > maxPasted {
		return []string{text}
	}
	var out []string
	if list, err := mail.ParseAddressList(text); err == nil {
		for _, a := range list {
			s := (&mail.Address{Address: a.Address}).String() // quotes a local part that needs it
			out = append(out, clean(s[1:len(s)-1]))
		}
		return out
	}
	// Commas, semicolons and lines separate. A piece without an address before one
	// with a name is the first half of that name: Doe, John <j@x.example>.
	name := ""
	keep := func(s string) {
		if s = clean(strings.TrimSpace(s)); s != "" {
			out = append(out, s)
		}
	}
	for _, part := range pieces(text) {
		plain, inner := unwrapped(part)
		switch {
		case inner != "":
			keep(inner)
			name = ""
		case !strings.ContainsRune(plain, '@'):
			keep(name)
			name = plain
		default:
			keep(name)
			keep(plain)
			name = ""
		}
	}
	keep(name)
	return out
}

// pieces cuts text at commas, semicolons and line ends that stand in no quotes,
// angle brackets or comment.
func pieces(text string) []string {
	var out []string
	from := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ',' || c == ';' || c < 0x20 && c != '\t':
			out = append(out, text[from:i])
			i++
			from = i
		default:
			i += enclosed(text[i:])
		}
	}
	return append(out, text[from:])
}

// enclosed is how many bytes at the beginning of s belong together: quotes,
// angle brackets or a comment up to where they close on the same line, else one.
func enclosed(s string) int {
	ends := map[byte]byte{'"': '"', '<': '>', '(': ')'}[s[0]]
	if ends == 0 {
		return 1
	}
	for i := 1; i < len(s) && s[i] >= 0x20; i++ {
		switch {
		case s[i] == ends:
			return i + 1
		case s[i] == '\\' && s[0] != '<':
			i++
		}
	}
	return 1
}

// unwrapped is a piece without comments, and what stands in its angle brackets.
func unwrapped(part string) (plain, inner string) {
	var b strings.Builder
	for len(part) > 0 {
		n := enclosed(part)
		switch {
		case part[0] == '<' && n > 1:
			inner = part[1 : n-1]
		case part[0] == '(' && n > 1:
		default:
			b.WriteString(part[:n])
		}
		part = part[n:]
	}
	return strings.TrimSpace(b.String()), inner
}
