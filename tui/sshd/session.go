package sshd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"watchpost/tui/term"
)

const (
	maxVariables = 16
	maxVariable  = 256     // bytes of one
	maxCommand   = 4096    // bytes of a command line
	maxInput     = 1 << 20 // bytes that a command may read
	// lastWords is how long the end of a screen may take to get out.
	lastWords = 2 * time.Second
	exitUsage = 2
)

// session is a channel: the interface, a command or SFTP.
type session struct {
	c  *conn
	ch ssh.Channel

	pty     bool
	size    term.Size
	env     []string
	resized chan term.Size // the newest size, not taken yet
	ctx     context.Context
	cancel  context.CancelFunc
}

func newSession(c *conn, ch ssh.Channel) *session {
	s := &session{c: c, ch: ch, resized: make(chan term.Size, 1)}
	s.ctx, s.cancel = context.WithCancel(c.ctx)
	return s
}

// run answers the channel's requests until the client closes it or what was begun
// has ended.
func (s *session) run(requests <-chan *ssh.Request) {
	var work sync.WaitGroup
	defer work.Wait()
	defer s.cancel()
	begun := false
	begin := func(r *ssh.Request, f func() int) {
		begun = true
		r.Reply(true, nil)
		work.Go(func() {
			code := f()
			s.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(code)}))
			s.ch.Close()
		})
	}
	unused := time.AfterFunc(loginTime, func() { s.ch.Close() }) // a channel for nothing
	defer unused.Stop()
	for r := range requests {
		switch {
		case r.Type == "window-change":
			if size, ok := sizeIn(r.Payload); ok {
				s.resize(size)
			}
			r.Reply(true, nil)
		case r.Type == "signal":
			var signal struct{ Name string }
			if ssh.Unmarshal(r.Payload, &signal) == nil && (signal.Name == "INT" || signal.Name == "TERM" || signal.Name == "HUP") {
				s.cancel()
			}
			r.Reply(true, nil)
		case begun:
			r.Reply(false, nil)
		case r.Type == "pty-req":
			r.Reply(s.terminal(r.Payload), nil)
		case r.Type == "env":
			r.Reply(s.variable(r.Payload), nil)
		case r.Type == "shell":
			unused.Stop()
			begin(r, s.shell)
		case r.Type == "exec":
			var line struct{ Text string }
			if ssh.Unmarshal(r.Payload, &line) != nil || len(line.Text) > maxCommand {
				r.Reply(false, nil)
				continue
			}
			unused.Stop()
			begin(r, func() int { return s.command(line.Text) })
		case r.Type == "subsystem":
			var name struct{ Text string }
			if ssh.Unmarshal(r.Payload, &name) != nil || name.Text != "sftp" || s.c.s.Files == nil {
				r.Reply(false, nil)
				continue
			}
			unused.Stop()
			begin(r, s.sftp)
		default: // an agent, X11
			r.Reply(false, nil)
		}
	}
}

// terminal takes a pty-req (RFC 4254 §6.2).
func (s *session) terminal(payload []byte) bool {
	var p struct {
		Term                                 string
		Columns, Rows, WidthPixels, HeightPx uint32
		Modes                                string
	}
	if s.pty || ssh.Unmarshal(payload, &p) != nil || len(p.Term) > 64 {
		return false
	}
	s.pty, s.size = true, sizeOf(p.Columns, p.Rows)
	s.env = append(s.env, "TERM="+oneLine(p.Term), "SSH_TTY=ssh")
	return true
}

func sizeIn(payload []byte) (term.Size, bool) {
	var p struct{ Columns, Rows, WidthPixels, HeightPx uint32 }
	if ssh.Unmarshal(payload, &p) != nil {
		return term.Size{}, false
	}
	size := sizeOf(p.Columns, p.Rows)
	return size, size.Known()
}

// sizeOf bounds a size: a screen costs memory by its cells.
func sizeOf(columns, rows uint32) term.Size {
	return term.Size{Width: int(min(columns, 500)), Height: int(min(rows, 200))}
}

// resize leaves the newest size to be taken; nobody waits for that.
func (s *session) resize(size term.Size) {
	select {
	case <-s.resized:
	default:
	}
	s.resized <- size // there is room: only this goroutine sends
}

// variable takes an env request: of what a client sends only what tells of its terminal.
func (s *session) variable(payload []byte) bool {
	var v struct{ Name, Value string }
	if ssh.Unmarshal(payload, &v) != nil || len(s.env) >= maxVariables || len(v.Name)+len(v.Value) > maxVariable {
		return false
	}
	switch {
	case v.Name == "LANG" || v.Name == "COLORTERM" || v.Name == "NO_COLOR":
	case strings.HasPrefix(v.Name, "LC_") && strings.Trim(v.Name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "":
	default:
		return false
	}
	s.env = append(s.env, v.Name+"="+oneLine(v.Value))
	return true
}

// input is what the client sends, each byte of which tells that somebody is there.
type input struct{ s *session }

func (in input) Read(p []byte) (int, error) {
	n, err := in.s.ch.Read(p)
	if n > 0 {
		in.s.c.touch()
	}
	return n, err
}

// shell shows the interface.
func (s *session) shell() int {
	if !s.pty {
		fmt.Fprintln(s.ch.Stderr(), "The interface needs a terminal: leave out -T, or add a command; help lists them.")
		return exitUsage
	}
	// A channel has no deadlines; pipes have. The buffer here is all that waits for a
	// client which does not read. There are two, since a client may end its input and
	// go on reading.
	var p port
	keys, screen := net.Conn(nil), net.Conn(nil)
	p.Conn, keys = net.Pipe()
	p.screen, screen = net.Pipe()
	out := make(chan struct{})
	go func() {
		defer close(out)
		io.CopyBuffer(struct{ io.Writer }{s.ch}, struct{ io.Reader }{screen}, make([]byte, 4096))
		screen.Close()
	}()
	go func() { // ends with the channel: shell's caller closes that
		io.CopyBuffer(struct{ io.Writer }{keys}, input{s}, make([]byte, 1024))
		keys.Close()
	}()
	line := &term.Line{Port: p, Env: s.env, Size: s.size, Resized: s.resized}
	err := s.c.s.Show(s.ctx, line, s.c.who)
	p.Close()
	p.screen.Close()
	select {
	case <-out:
		if why := context.Cause(s.c.ctx); why != nil && !errors.Is(why, context.Canceled) {
			fmt.Fprintf(s.ch, "%s\r\n", why)
		}
	case <-time.After(lastWords): // nobody reads: closing the channel ends the pump
	}
	s.ch.CloseWrite()
	if err != nil && s.ctx.Err() == nil {
		return 1
	}
	return 0
}

// port is a session's keys and its screen.
type port struct {
	net.Conn // the keys
	screen   net.Conn
}

func (p port) Write(b []byte) (int, error)        { return p.screen.Write(b) }
func (p port) SetWriteDeadline(t time.Time) error { return p.screen.SetWriteDeadline(t) }

// command runs one of the commands.
func (s *session) command(line string) int {
	args, ok := Words(line)
	var out, errs io.Writer = s.ch, s.ch.Stderr()
	var in io.Reader = io.LimitReader(input{s}, maxInput)
	if s.pty { // ssh -t: a terminal that nobody maps line feeds for, and where ^C is a byte
		out, errs = crlf{s.ch}, crlf{s.ch}
		go s.interrupts() // ends with the channel
		in = bytes.NewReader(nil)
	}
	if !ok {
		fmt.Fprintln(errs, "watchpost: a quotation mark is not closed")
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"help"}
	}
	return s.c.s.Command(s.ctx, s.c.who, args, in, out, errs)
}

// interrupts cancels the command when ^C is typed.
func (s *session) interrupts() {
	buf := make([]byte, 256)
	for {
		n, err := input{s}.Read(buf)
		if bytes.IndexByte(buf[:n], 3) >= 0 {
			s.cancel()
		}
		if err != nil {
			return
		}
	}
}

// crlf makes each line feed a carriage return and one.
type crlf struct{ w io.Writer }

func (c crlf) Write(p []byte) (int, error) {
	if _, err := c.w.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Words takes a command line apart as a shell does, as far as quotation marks and
// backslashes go; false: a mark is not closed. Nothing is expanded.
func Words(line string) (out []string, closed bool) {
	var w strings.Builder
	quote, escaped, in := rune(0), false, false
	for _, r := range line {
		switch {
		case escaped:
			w.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, in = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			w.WriteRune(r)
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if in {
				out = append(out, w.String())
				w.Reset()
			}
			in = false
		default:
			w.WriteRune(r)
			in = true
		}
	}
	if in {
		out = append(out, w.String())
	}
	return out, quote == 0 && !escaped
}
