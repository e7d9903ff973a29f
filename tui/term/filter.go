package term

import (
	"io"

	"github.com/charmbracelet/x/ansi"
)

// maxPending bounds an unfinished sequence carried from one Write to the next.
const maxPending = 4096

// Filter passes a renderer's output on without what the terminal would misread.
//
// From every stream it drops the keyboard protocols (CSI > u, CSI < u, CSI = u,
// CSI ? u, CSI > m: some terminals take the last for underline), the queries for
// synchronised output and grapheme widths, and the cursor's shape: nothing here
// needs them, and they cost bytes. Where the terminal is not Modern it also
// drops bracketed paste, the setting of tab stops, and all strings (OSC, DCS,
// APC, PM, SOS), and replaces the alternate screen by a cleared one.
//
// It is for one writer at a time.
type Filter struct {
	w       io.Writer
	modern  bool
	parser  *ansi.Parser
	pending []byte
	out     []byte
}

// NewFilter filters what is written to w for t.
func NewFilter(w io.Writer, t Terminal) *Filter {
	p := new(ansi.Parser) // ansi.NewParser's has 64 kB for strings, of which nothing is read here
	p.SetParamsSize(32)
	p.SetDataSize(64)
	return &Filter{w: w, modern: t.Modern, parser: p}
}

// Write filters p and writes the rest in one piece. It reports all of p as
// written where the rest was.
func (f *Filter) Write(p []byte) (int, error) {
	b := p
	if len(f.pending) > 0 {
		b = append(f.pending, p...)
	}
	f.out = f.out[:0]
	f.pending = f.pending[:0:0]
	var state byte = ansi.NormalState
	for len(b) > 0 {
		seq, _, n, next := ansi.DecodeSequence(b, state, f.parser)
		// A last ESC may be the beginning of what ends the string before it.
		unfinished := next != ansi.NormalState || string(b[n:]) == "\x1b"
		if unfinished && len(b) <= maxPending {
			f.pending = append(f.pending, b...)
			break
		}
		f.out = append(f.out, f.translate(seq)...)
		b, state = b[n:], ansi.NormalState
	}
	if len(f.out) == 0 {
		return len(p), nil
	}
	if _, err := f.w.Write(f.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// clear is what stands for the alternate screen where there is none.
const clear = "\x1b[m\x1b[H\x1b[2J"

func (f *Filter) translate(seq []byte) []byte {
	switch {
	case ansi.HasCsiPrefix(seq):
	case ansi.HasOscPrefix(seq), ansi.HasDcsPrefix(seq), ansi.HasApcPrefix(seq), ansi.HasPmPrefix(seq), ansi.HasSosPrefix(seq):
		if !f.modern {
			return nil
		}
		return seq
	default:
		return seq
	}
	cmd := ansi.Cmd(f.parser.Command())
	param, _ := f.parser.Param(0, 0)
	prefix, inter, final := cmd.Prefix(), cmd.Intermediate(), cmd.Final()
	switch {
	case final == 'u' && prefix != 0, final == 'm' && prefix != 0: // keyboard protocols
		return nil
	case final == 'q' && inter == ' ': // cursor shape
		return nil
	case prefix != '?':
		return seq
	case param == 2026 || param == 2027:
		return nil
	case f.modern:
		return seq
	case param == 1049 && (final == 'h' || final == 'l'):
		return []byte(clear)
	case param == 25 && (final == 'h' || final == 'l'): // cursor on and off: a VT220 has it, others ignore it
		return seq
	}
	return nil // bracketed paste, tab stops and whatever else is private
}
