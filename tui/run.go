package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"watchpost/tui/term"
)

// ErrDumb says that the terminal cannot show the interface.
var ErrDumb = errors.New("this terminal cannot show the interface (TERM=dumb or unset): use watchpost setup --plain for the settings and watchpost status for what goes on")

// ErrNoTerminal says that input or output is no terminal.
var ErrNoTerminal = errors.New("the interface needs a terminal: run watchpost in one, watchpost serve without one, or watchpost status")

// defaultFPS suits a local terminal and a line of 115200 baud.
const defaultFPS = 20

// Options say where the interface runs.
type Options struct {
	In, Out *os.File // a terminal; nil: standard input and output
	Env     []string // NAME=value; nil: the process's. TERM, NO_COLOR, COLORTERM and the locale are read
	// FPS bounds how often the screen is drawn: 5 at 9600 baud, 10 at 38400.
	// 0 is 20.
	FPS int
	Now func() time.Time // nil: time.Now
	// Attached says that the engine runs elsewhere: it goes on when the person leaves.
	Attached bool
	// Files is where events are exported to; nil: no file may be written here.
	Files *Files
}

// Run shows the interface until the person leaves (nil) or ctx ends (its error).
// It returns ErrDumb or ErrNoTerminal, wrapped, where it cannot be shown, and
// leaves signals to the caller. The terminal is as it was when it returns.
func Run(ctx context.Context, b Backend, o Options) error {
	if o.In == nil {
		o.In = os.Stdin
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.FPS <= 0 {
		o.FPS = defaultFPS
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	t := term.Of(o.Env)
	if t.Dumb {
		return ErrDumb
	}
	if !term.Is(o.In) || !term.Is(o.Out) {
		return ErrNoTerminal
	}
	tty, err := term.Open(o.Out, t)
	if err != nil {
		return fmt.Errorf("interface: %w", err)
	}
	defer tty.Close()

	inner, cancel := context.WithCancel(ctx)
	a := newApp(inner, b, o.Now)
	a.attached, a.files = o.Attached, o.Files
	a.ascii, a.ask = !t.UTF8, !term.SizeKnown(o.Out)
	a.greys = t.UTF8 && t.Profile >= colorprofile.ANSI256
	a.wrote, a.flush = tty.Lines.Sent, time.Second/time.Duration(o.FPS)
	var p *tea.Program
	p = tea.NewProgram(a,
		tea.WithInput(term.NewInput(o.In, func() { p.Send(notTextMsg{false}) })),
		tea.WithOutput(tty),
		tea.WithEnvironment(o.Env),
		tea.WithColorProfile(t.Profile),
		tea.WithFPS(o.FPS),
		tea.WithoutSignalHandler(),
	)
	var helpers sync.WaitGroup
	helpers.Go(func() { tty.Lines.Watch(inner, func() { p.Send(tea.ClearScreen()) }) })
	helpers.Go(func() { // Bubble Tea's own way to end with a context leaves its reader behind
		<-inner.Done()
		p.Quit()
	})
	_, err = p.Run()
	cancel()
	helpers.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("interface: %w", err)
	}
	return nil
}
