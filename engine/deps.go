package engine

import (
	"context"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

// Camera is a source of frames. Run opens it, delivers frames until ctx ends or
// the camera fails, closes everything and returns why. A frame's Data is valid
// only during deliver, which copies what it keeps and never blocks.
// A clip that is played once returns frame.ErrEnded at its end. An error that wraps
// frame.ErrBusy says that another program uses the camera.
type Camera interface {
	Run(ctx context.Context, deliver func(*frame.Frame)) error
}

// Input is a contact, a built-in sensor or a microphone. Run watches it until ctx
// ends or it fails, and returns why; it calls tell at each change, in order, and
// never while it could block what it watches. Of a contact that is active when it is
// opened it may tell so at once. It is opened once, whoever listens.
type Input interface {
	Run(ctx context.Context, tell func(Reading)) error
}

// Reading is a change of an input.
type Reading struct {
	Active bool      // it fires now; else it is at rest again
	At     time.Time // wall clock
	Level  float64   // of sound, percent; else 0
}

// InputConfig says which input a trigger listens to, and how.
type InputConfig struct {
	Source      event.Source // builtin, external, sound
	Line        string
	Edge        string
	Debounce    time.Duration
	Threshold   int
	Sensitivity int
}

// Pictures turns frames into what the engine keeps and reads.
type Pictures interface {
	// Luma reduces f to block means of 8 x 8 pixels. An error means that nothing of it can be used.
	Luma(dst *frame.Plane, f *frame.Frame) error
	// Chroma reduces f's colours (Cb, Cr) to means of larger blocks. An error means that it has none at hand.
	Chroma(blue, red *frame.Plane, f *frame.Frame) error
	// JPEG compresses f at a quality of 1–100; an MJPEG frame is passed through as a copy.
	JPEG(f *frame.Frame, quality int) ([]byte, error)
}

// Outbox is the durable mail queue. Submit, Retry and Drop return when the
// change is on the disk. All methods are safe for concurrent use.
type Outbox interface {
	// Submit renders n once and spools it durably. A notice whose ID is already
	// in the spool, delivered ones included, is left alone and no error.
	Submit(ctx context.Context, n event.Notice) error
	// Mails lists what the spool holds: everything unsettled, and the newest settled ones.
	Mails() []event.Mail
	// Problems are sentences about the spool itself: what was found damaged and where it is now.
	Problems() []string
	// Settle tells the outbox that the journal has recorded a settled mail's
	// outcome, so that it may be moved out of the queue. Idempotent.
	Settle(id string) error
	Retry(id string) error // held recipients become pending, and the mail is tried at once; "" is all
	Drop(id string) error  // recipients not delivered become dropped
	// Configure takes a new configuration for composing and sending; a mail
	// already rendered keeps its content and recipients.
	Configure(c config.Config, s config.Secrets, zone *time.Location)
	// Diagnose walks the steps up to RCPT with the given settings; nothing is
	// sent. It calls step for each, and reports whether all were ok.
	Diagnose(ctx context.Context, c config.Config, s config.Secrets, step func(event.Step)) bool
	// Run sends what waits until ctx ends.
	Run(ctx context.Context) error
}

// Transfers is the durable queue of events whose images go to other places. Its
// items are shown as mails of kind event.Transfer. All methods are safe for
// concurrent use; Add, Retry and Drop return when the change is on the disk.
type Transfers interface {
	// Add takes a job, before its event is in the store. One whose ID is known is left alone.
	Add(event.Job) error
	// Changed says that an event is in the store, has new images, or has ended.
	Changed(id string)
	// Pending reports whether images of an event are still to be handed over.
	Pending(id string) bool
	Mails() []event.Mail
	Problems() []string
	Settle(id string) error // it has been seen that nothing more happens to it
	Retry(id string) error  // "" is all
	Drop(id string) error
	Configure(c config.Config, s config.Secrets, zone *time.Location)
	// Diagnose tries the place called name of the given settings, which need not be
	// those in force; it touches neither the queue nor the connections that are open.
	// It calls step for each step, and reports whether an image could have gone there.
	Diagnose(ctx context.Context, c config.Config, s config.Secrets, name string, step func(event.Step)) bool
}

// OutboxEvents is what an outbox tells the engine. MailChanged is called by
// whoever made the change, in order for one mail, before his call returns;
// MailStep and MailSent by the sender. All return at once and do not call the outbox.
type OutboxEvents interface {
	MailChanged(event.Mail)
	MailStep(id string, s event.Step)
	MailSent(event.MailSent) // at most twice a second, while a mail is handed over
}

// Clock tells the time. Wall time may jump; waiting is done with timers, which are monotonic.
type Clock interface {
	Now() time.Time
}
