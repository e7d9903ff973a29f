// Package plain is Watchpost in prompts, line by line: for TERM=dumb, for screen
// readers and for scripts. Setup asks for the fields of the one field table, with the
// same words of judgement; Session is that and more for whoever comes over a serial
// line or SSH with a terminal that can do nothing else.
//
// It writes text and line ends, never an escape sequence. It decides nothing about
// validity, opens nothing and starts no goroutine; both functions return with the
// context, where whoever called them ends a read under way.
package plain

import (
	"context"
	"errors"
	"io"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Backend is what the prompts need of the engine; tui.Backend has it.
type Backend interface {
	Watch(ctx context.Context) (event.Snapshot, <-chan event.Event, error)
	Config(ctx context.Context) (config.Settings, error)
	Apply(ctx context.Context, revision string, changes []config.Change) (config.Settings, []config.Finding, error)
	Diagnose(ctx context.Context, changes []config.Change, step func(event.Step)) (ok bool, err error)
	TestMail(ctx context.Context) (event.Mail, error)
}

// Options say where the prompts appear.
type Options struct {
	In  io.Reader
	Out io.Writer
	// Raw says that the line does nothing by itself: what is typed is echoed and edited
	// here, and lines end with CR LF. A serial port and an SSH channel are such lines.
	Raw bool
	// ASCII folds what is written, for a line that is not known to take UTF-8.
	ASCII bool
	// Hidden reads a secret without showing it, on a terminal that echoes by itself;
	// nil: it is read like a line (a pipe shows nothing).
	Hidden func(prompt string) (string, error)
	// Offline says that no service runs: nothing can be sent.
	Offline bool
	// Commands are further commands of Session; Do carries out a line that begins with one.
	Commands []Command
	Do       func(ctx context.Context, line string, out io.Writer)
	// Operator leaves out what an operator may not do.
	Operator bool
}

// Command is a word of a session.
type Command struct {
	Name, Usage, About string
}

// Why a conversation ended.
var (
	// ErrLeft says that the person ended it (ctrl+c).
	ErrLeft = errors.New("left; nothing was saved")
	// ErrUnsaved says that the person was asked and did not want to save.
	ErrUnsaved = errors.New("nothing was saved")
)
