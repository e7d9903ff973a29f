package transfer

import (
	"context"
	"io"
	"time"

	"watchpost/engine/config"
)

// file is one file that is to be handed over.
type file struct {
	dir  string    // folder below the place's own, with slashes, no dot-dot; may be empty
	name string    // without slashes
	kind string    // its MIME type
	at   time.Time // of the image
	size int64
	open func() (io.ReadSeekCloser, error)

	trigger string // of its event
}

// target is one configured place. connect is called by one goroutine; it and what
// it returns obey their context within 100 ms, and every wait has a deadline.
type target interface {
	connect(ctx context.Context) (session, error)
}

// session is an open connection to a place.
type session interface {
	// put hands one file over: under its name it is there whole or not at all, and
	// doing it again replaces it. said is the server's last words, made harmless.
	// An error is a *fault.
	put(ctx context.Context, f file) (said string, err error)
	close()
}

// staying is a target whose session is kept also while there is nothing to hand
// over: it is the sign that this box is there.
type staying interface {
	target
	stays() bool
}

// losing is a session that tells when it has ended by itself.
type losing interface {
	session
	lost() <-chan struct{}
}

// targetOf makes the target of a configured place; nothing is opened. secret is
// its password, token or passphrase.
type targetOf func(c config.Transfer, secret string) target

// kind grades a fault by what waits for its cure.
type kind int

const (
	network   kind = iota // line or server: everything for this place waits, 5 s to 15 min
	account               // log-in, key, TLS, configuration: everything for this place waits, 1 to 30 min
	temporary             // this file, for now: 1 to 30 min
	permanent             // this file, for good: its event is held for a person
)

// fault is why something was not handed over: what happened, why, what to do.
type fault struct {
	kind kind
	step string // lookup, tcp, tls, hostkey, login, folder, send, rename …
	code int    // the server's, 0 where there is none
	text string // what happened, with the server's words made harmless; no secret
	do   string // what to do
	err  error  // may be nil

	after time.Duration // the wait that the server asks for, bounded; 0: none
}

func (f *fault) Error() string { return f.text + ". " + f.do }

func (f *fault) Unwrap() error { return f.err }
