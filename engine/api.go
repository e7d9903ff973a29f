package engine

import (
	"context"
	"io"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// API is the seam between the engine and everything that looks at it: the
// interface, the local socket, the commands. The Engine has it, and so has the
// socket's client. All methods are safe for concurrent use; none waits for a
// device or the network past its context.
type API interface {
	// Watch gives the present state and every change after it, without a gap,
	// over a bounded channel; where the subscriber is slow the oldest changes
	// are dropped and it is told so. The channel closes when ctx ends or the engine stops.
	Watch(ctx context.Context) (event.Snapshot, <-chan event.Event, error)
	Status(ctx context.Context) (event.Status, error)
	Config(ctx context.Context) (config.Settings, error)
	// Apply validates the changes on top of revision, saves them and puts them in
	// force. Findings of level Error come with config.ErrRefused and nothing is
	// changed; config.ErrConflict says that the configuration has changed since revision.
	Apply(ctx context.Context, revision string, changes []config.Change) (config.Settings, []config.Finding, error)
	// Revert puts the last good configuration before this one in force again.
	Revert(ctx context.Context) (config.Settings, error)
	// TestMail queues a test mail and returns it; its steps and outcome follow through Watch.
	TestMail(ctx context.Context) (event.Mail, error)
	// Diagnose walks the delivery up to RCPT with the configuration plus changes,
	// unsaved, and calls step for each step.
	Diagnose(ctx context.Context, changes []config.Change, step func(event.Step)) (ok bool, err error)
	// DiagnoseTransfer tries the transfer of that name with the configuration plus
	// changes, unsaved: as an image would go, with a small file that is taken away
	// again. It calls step for each step. name is the one in force where changes
	// give it another; an unknown one is event.ErrNotFound.
	DiagnoseTransfer(ctx context.Context, name string, changes []config.Change, step func(event.Step)) (ok bool, err error)
	// Fire fires a trigger by hand, obeying its schedule, hold-off and privacy.
	Fire(ctx context.Context, trigger string) (event.Firing, error)
	// Privacy switches privacy mode on or off.
	Privacy(ctx context.Context, on bool) error
	// View gives the next frame as motion detection sees it, with what each trigger
	// makes of it. It waits for that frame; without a camera it fails.
	View(ctx context.Context) (event.View, error)
	// Queue lists the mails of the spool and the transfers, newest first, the newest
	// delivered ones too.
	Queue(ctx context.Context) ([]event.Mail, error)
	Retry(ctx context.Context, id string) error
	Drop(ctx context.Context, id string) error
	// Events lists stored events, newest first.
	Events(ctx context.Context, f event.Filter) ([]event.Stored, error)
	// Kept counts what the store holds of the events that f chooses.
	Kept(ctx context.Context, f event.Filter) (event.Kept, error)
	// RemoveEvents removes stored events with their images and returns how many.
	RemoveEvents(ctx context.Context, f event.Filter) (int, error)
	// Export writes the files of events to w as an archive, "zip" or "tar".
	Export(ctx context.Context, w io.Writer, ids []string, format string) error
}
