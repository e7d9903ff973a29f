package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/tui/term"
)

// ErrDumb says that the terminal cannot show the interface.
var ErrDumb = errors.New("this terminal cannot show the interface (TERM=dumb or unset): use watchpost setup --plain for the settings and watchpost status for what goes on")

// ErrNoTerminal says that input or output is no terminal.
var ErrNoTerminal = errors.New("the interface needs a terminal: run watchpost in one, watchpost serve without one, or watchpost status")

// ErrGone says that the line has ended: an unplugged cable, a client that left.
var ErrGone = errors.New("the terminal is gone")

// Options say where the interface runs and what may be done in it.
type Options struct {
	Line   *term.Line       // nil: standard input and output
	Rights Rights           // the zero ones: an installer's, without commands
	Now    func() time.Time // nil: time.Now
	// Attached says that the engine runs elsewhere: it goes on when the person leaves.
	Attached bool
	// Keys are the SSH keys that the System page changes; nil: none.
	Keys SSHKeys
	// Files is where events are exported to; nil: no file may be written here.
	Files *Files
}

// Run shows the interface until the person leaves (nil), ctx ends (its error) or the
// line does (ErrGone, wrapped). It returns ErrDumb or ErrNoTerminal, wrapped, where it
// cannot be shown, and leaves signals to the caller. The terminal is as it was when it
// returns, and nobody reads from it any more.
func Run(ctx context.Context, b Backend, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Line == nil {
		if term.Of(os.Environ()).Dumb {
			return ErrDumb
		}
		line, err := term.Local(os.Stdin, os.Stdout, nil)
		if errors.Is(err, term.ErrNotTerminal) {
			return ErrNoTerminal
		}
		if err != nil {
			return fmt.Errorf("interface: %w", err)
		}
		defer line.Close()
		o.Line = line
	}
	t := term.Of(o.Line.Env)
	if t.Dumb {
		return ErrDumb
	}
	screen := term.NewScreen(o.Line, t)
	fps := o.Line.FPS()

	inner, cancel := context.WithCancel(ctx)
	a := newApp(inner, o.Rights.Limit(b), o.Now)
	a.attached, a.files, a.rights = o.Attached, o.Files, o.Rights
	if !o.Rights.Operator {
		a.keys = o.Keys
	}
	a.ascii, a.ask = !t.UTF8, !o.Line.Size.Known()
	a.paints = paintsOf(t)
	a.wrote, a.flush = screen.Lines.Sent, time.Second/time.Duration(fps)
	var p *tea.Program
	in := term.NewInput(o.Line.Port, func() { p.Send(notTextMsg{false}) }, func() { p.Quit() })
	options := []tea.ProgramOption{
		tea.WithEnvironment(o.Line.Env),
		tea.WithColorProfile(t.Profile),
		tea.WithFPS(fps),
		tea.WithoutSignalHandler(),
	}
	keys, out := o.Line.File()
	if keys != nil {
		options = append(options, tea.WithInput(term.InputFile{File: keys, Input: in}), tea.WithOutput(term.TTY{Screen: screen, First: out}))
	} else {
		size := o.Line.Size
		if !size.Known() {
			size = term.Size{Width: 80, Height: 24}
		}
		options = append(options, tea.WithInput(in), tea.WithOutput(screen), tea.WithWindowSize(size.Width, size.Height))
	}
	p = tea.NewProgram(a, options...)
	var helpers sync.WaitGroup
	helpers.Go(func() { screen.Lines.Watch(inner, func() { p.Send(tea.ClearScreen()) }) })
	helpers.Go(func() { resize(inner, o.Line.Resized, p) })
	helpers.Go(func() { // Bubble Tea's own way to end with a context leaves its reader behind
		<-inner.Done()
		p.Quit()
	})
	_, err := p.Run()
	cancel()
	helpers.Wait()
	if keys == nil { // Bubble Tea itself lets go of a local terminal only
		in.Stop()
	}
	gone := in.Gone()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case gone != nil:
		return fmt.Errorf("interface: %w: %v", ErrGone, gone)
	case err != nil:
		return fmt.Errorf("interface: %w", err)
	}
	return nil
}

// resize tells the program each size of its line until ctx ends.
func resize(ctx context.Context, sizes <-chan term.Size, p *tea.Program) {
	for {
		select {
		case <-ctx.Done():
			return
		case s, ok := <-sizes:
			if !ok {
				return
			}
			if s.Known() {
				p.Send(tea.WindowSizeMsg{Width: s.Width, Height: s.Height})
			}
		}
	}
}
