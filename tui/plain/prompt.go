package plain

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"watchpost/tui"
	"watchpost/tui/term"
)

const (
	maxLine = 8192 // bytes of an answer
	columns = 78   // of a line of text
)

// Prompt is a conversation by lines. It is for one goroutine.
type Prompt struct {
	o       Options
	in      *bufio.Reader
	afterCR bool // a line feed that comes now belongs to the line end before
	err     error
}

// NewPrompt begins one. What it reads ahead is lost to others; on a raw line it
// reads nothing ahead of what has come.
func NewPrompt(o Options) *Prompt {
	return &Prompt{o: o, in: bufio.NewReaderSize(o.In, 256)}
}

// Say writes a text, broken between words where it is long; without one an empty line.
func (p *Prompt) Say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	for i, l := range wrapped(strings.TrimLeft(tui.Clean(text), " "), columns-len(indent)-2) {
		if i > 0 {
			l = "  " + l
		}
		p.write(indent + l + "\n")
	}
}

// write writes what has no control characters but line feeds.
func (p *Prompt) write(s string) {
	if p.err != nil {
		return
	}
	if p.o.ASCII {
		s = term.ASCII(s)
	}
	if p.o.Raw {
		s = strings.ReplaceAll(s, "\n", "\r\n")
	}
	_, p.err = io.WriteString(p.o.Out, s)
}

// Ask shows a question and returns the answer without its end. io.EOF: there is none.
func (p *Prompt) Ask(question string) (string, error) { return p.ask(question, false) }

// AskSecret is Ask, and the answer is not shown.
func (p *Prompt) AskSecret(question string) (string, error) { return p.ask(question, true) }

func (p *Prompt) ask(question string, secret bool) (string, error) {
	question = tui.Clean(question)
	if secret && p.o.Hidden != nil && p.err == nil {
		if p.o.ASCII {
			question = term.ASCII(question)
		}
		return p.o.Hidden(question)
	}
	p.write(question)
	if p.err != nil {
		return "", p.err
	}
	if p.o.Raw {
		return p.typed(secret)
	}
	return p.line()
}

// line reads a line that the terminal or a pipe gives whole.
func (p *Prompt) line() (string, error) {
	var b []byte
	for {
		c, err := p.in.ReadByte()
		switch {
		case err != nil && len(b) == 0:
			return "", err
		case err != nil || c == '\n':
			return strings.TrimRight(string(b), "\r"), nil
		case len(b) < maxLine:
			b = append(b, c)
		}
	}
}

// typed reads a line key by key, and shows it unless it is secret.
func (p *Prompt) typed(secret bool) (string, error) {
	var b []byte
	erase := func() {
		_, n := utf8.DecodeLastRune(b)
		w := 1
		if r := string(b[len(b)-n:]); !p.o.ASCII {
			w = ansi.StringWidthWc(r)
		}
		b = b[:len(b)-n]
		if !secret {
			p.echo(strings.Repeat("\b \b", w))
		}
	}
	for {
		c, err := p.in.ReadByte()
		if err != nil {
			return "", err
		}
		after := p.afterCR
		p.afterCR = c == '\r'
		switch {
		case c == '\n' && after:
		case c == '\r', c == '\n':
			p.write("\n")
			return string(b), p.err
		case c == 0x03:
			p.write("\n")
			return "", ErrLeft
		case c == 0x04 && len(b) == 0:
			p.write("\n")
			return "", io.EOF
		case c == 0x08, c == 0x7f:
			if len(b) > 0 {
				erase()
			}
		case c == 0x15:
			for len(b) > 0 {
				erase()
			}
		case c == 0x1b:
			if err := p.passOver(); err != nil {
				return "", err
			}
		case c < 0x20 || len(b) >= maxLine:
		default:
			ch, err := p.character(c)
			if err != nil {
				return "", err
			}
			b = append(b, ch...)
			if !secret && ch != "" {
				if p.o.ASCII {
					ch = term.ASCII(ch)
				}
				p.echo(ch)
			}
		}
		if p.err != nil {
			return "", p.err
		}
	}
}

// character reads the rest of a character; one that is broken or not printable is "".
func (p *Prompt) character(first byte) (string, error) {
	b := []byte{first}
	for !utf8.FullRune(b) {
		c, err := p.in.ReadByte()
		if err != nil {
			return "", err
		}
		b = append(b, c)
	}
	if r, n := utf8.DecodeRune(b); r == utf8.RuneError || n != len(b) || !unicode.IsPrint(r) {
		return "", nil
	}
	return string(b), nil
}

// passOver reads what follows an ESC that is a key of a terminal, such as an arrow;
// an ESC alone waits for what is typed next, and takes no more than that.
func (p *Prompt) passOver() error {
	c, err := p.in.ReadByte()
	for c == '[' || c == 'O' || c >= '0' && c <= '9' || c == ';' {
		if err != nil {
			return err
		}
		if c, err = p.in.ReadByte(); err == nil && c >= 0x40 && c != '[' && c != 'O' {
			return nil
		}
	}
	return err
}

func (p *Prompt) echo(s string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.o.Out, s)
	}
}

// yes asks a question that is answered with yes or no; empty is otherwise.
func (p *Prompt) yes(question string, otherwise bool) (bool, error) {
	usual := "no"
	if otherwise {
		usual = "yes"
	}
	for range 20 { // who answers something else for ever is no person
		answer, err := p.Ask(question + " (yes or no) [" + usual + "]: ")
		if err != nil {
			return false, err
		}
		switch a := strings.ToLower(strings.TrimSpace(answer)); {
		case a == "" || a == ".":
			return otherwise, nil
		case strings.HasPrefix("yes", a):
			return true, nil
		case strings.HasPrefix("no", a):
			return false, nil
		}
		p.Say("  Type yes or no.")
	}
	return false, errAnswers
}

// wrapped breaks a text between its words into lines of at most width columns.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && ansi.StringWidthWc(line+" "+word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
