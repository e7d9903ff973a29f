// Package serial is the serial console as a way in: a greeting on each port of the
// configuration, a password where one is set, then the interface, or prompts where
// the terminal can do nothing else. It opens no port and knows no engine: ports, what
// is shown and the settings are handed to it.
//
// A port that is taken, unplugged or wrong is a state with a reason, tried again for
// as long as it is configured. Nothing here is waited for by anybody: a line that is
// stopped stops its own session only.
//
// Consoles.Run owns every goroutine: one for each console, ended before Run returns.
package serial

import (
	"context"
	"log/slog"
	"time"

	"watchpost/engine/config"
	"watchpost/tui/term"
)

// Port is an open serial port. A Read that fails says that it is gone.
type Port interface {
	term.Port
	Close() error
}

// Settings are those in force.
type Settings struct {
	Consoles []config.Serial
	Password string // what is kept of it (secret.Matches); empty: none is asked for
	Site     string // the box's name
}

// Options are what consoles are made of.
type Options struct {
	Settings func() Settings // is asked again and again: it waits for nothing
	Open     func(config.Serial) (Port, error)
	// Show shows the interface until the person leaves (nil) or the line or ctx ends.
	Show func(ctx context.Context, line *term.Line) error
	// Problem makes a sentence of an error of Open, with what to do; taken says that
	// another program has the port.
	Problem func(c config.Serial, err error) (text string, taken bool)
	Log     *slog.Logger

	// For tests; zero: what the program uses.
	settle  time.Duration             // how often the settings are looked at
	retry   time.Duration             // after which a port is tried again
	idle    time.Duration             // without a key, after which the greeting comes back
	penalty func(n int) time.Duration // after the n-th wrong password in a row
}

const (
	settleEvery = 500 * time.Millisecond
	retryAfter  = 2 * time.Second
	// retryTaken is longer: it looks through the processes.
	retryTaken = 10 * time.Second
	idleTime   = 30 * time.Minute
	loginTime  = time.Minute // for typing the password
	lastWords  = time.Second // for a line to take what is said at an end
)

// penalty doubles from a second to a minute: a thousand tries take most of a day.
func penalty(n int) time.Duration { return min(time.Second<<min(n-1, 10), time.Minute) }
