package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/journal"
	"watchpost/engine/ring"
	"watchpost/engine/store"
	"watchpost/engine/uptime"
)

const (
	tick      = 100 * time.Millisecond
	jobsMax   = 64 // composer and keeper work that waits
	retrySoon = 5 * time.Second
)

// Options is what an engine is made of.
type Options struct {
	OpenCamera func(config.Camera) (Camera, error)
	OpenInput  func(InputConfig) (Input, error) // nil: there is none to be had
	// FindCamera names the first camera there is, for a configuration that names
	// none, or says what was looked for.
	FindCamera func() (source, why string)
	Pictures   Pictures
	Outbox     Outbox
	Mail       *MailFeed // the listener that Outbox was given
	// OpenTransfers opens the queue of transfers, which reads the images from the
	// store; nil: there is none. Whoever opens it runs it.
	OpenTransfers func(*store.Store, OutboxEvents) (Transfers, error)
	Clock         Clock
	Log           *slog.Logger

	File   *config.File  // where changes are saved
	Loaded config.Loaded // the configuration to begin with, which has validated
	Stamp  string        // File's, from before Loaded was read: a later change is read again
	// Findings are those of the file where it was not accepted and Loaded is
	// the last good copy or the empty configuration.
	Findings []config.Finding

	Directory string // of the journal and the event store
	// DirectoryOf says where a configuration wants the store; nil: never elsewhere.
	DirectoryOf func(config.Config) string
	Version     string
	Mode        string               // service, terminal, demo
	Demo        string               // what stands in for what
	Known       []string             // problems that were found before New, as sentences
	Ways        func() []event.Way   // the ways in beside the local terminal; nil: none
	Inbox       func() []string      // in demo mode: what arrived at the embedded mail server
	BootID      func() string        // another one after each start of the machine; nil: the kernel's
	Uptime      func() time.Duration // how long the machine has been on; nil: the kernel's
}

// Engine is the run loop. New reads the disk; Run does the rest.
//
// Everything below loop is owned by loop's goroutine; other goroutines reach it
// through do. settings is under settingsMu.
type Engine struct {
	Options
	journal  *journal.Journal
	store    *store.Store
	ring     *ring.Ring
	camera   *cameraFeed
	inputs   *inputs
	toPlaces Transfers
	handed   *MailFeed // the listener of toPlaces
	detector *detector
	best     *bestTime
	hub      hub

	signals     chan signal
	images      chan struct{}
	requests    chan func()
	jobs        chan func(context.Context)
	composed    chan composed
	keeper      chan func()
	keepErr     atomic.Pointer[string]
	transferErr atomic.Pointer[string]
	atKeeper    atomic.Int64             // bytes of images that the keeper has yet to write
	unput       []event.Stored           // ends of events that could not be written; the keeper's
	unqueued    []event.Job              // transfers that the queue could not take; the keeper's
	correctErr  error                    // why times could not be corrected last; the keeper's
	stored      atomic.Pointer[[]uint64] // see noteStored
	used        atomic.Pointer[event.Storage]
	done        chan struct{}

	applyMu    sync.Mutex // one change of the configuration at a time
	settingsMu sync.Mutex
	settings   config.Loaded
	findings   []config.Finding

	loop
}

// New opens the journal and the event store. Nothing runs before Run.
func New(o Options) (*Engine, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	j, err := journal.Open(filepath.Join(o.Directory, "journal"))
	if err != nil {
		return nil, err
	}
	s, err := store.Open(filepath.Join(o.Directory, "events"))
	if err != nil {
		j.Close()
		return nil, err
	}
	e := &Engine{
		Options: o, journal: j, store: s, ring: ring.New(int(o.Loaded.Config.Camera.Buffer)),
		signals: make(chan signal, 64), images: make(chan struct{}, 1),
		requests: make(chan func()), jobs: make(chan func(context.Context), jobsMax),
		composed: make(chan composed, jobsMax), keeper: make(chan func(), 4*jobsMax),
		done: make(chan struct{}), toPlaces: noTransfers{}, handed: NewMailFeed(),
	}
	u := s.Usage()
	e.used.Store(&u)
	e.camera = newCameraFeed(o.OpenCamera, o.FindCamera)
	e.loop.init()
	e.best = newBestTime(o.Clock, e.openConditions())
	e.detector = &detector{pictures: o.Pictures, box: e.camera.box, ring: e.ring, signals: e.signals, images: e.images, best: e.best,
		shown: make(chan chan<- event.View, viewersMax)}
	if e.Uptime == nil {
		e.Uptime = func() time.Duration { return uptime.Boot()().At }
	}
	e.inputs = newInputs(o.OpenInput, e.signals, e.best, &e.detector.want, time.Now().Add(-e.Uptime()))
	o.Mail.onward(e.hub.publish)
	if o.OpenTransfers != nil {
		if e.toPlaces, err = o.OpenTransfers(s, e.handed); err != nil {
			j.Close()
			return nil, err
		}
	}
	s.SetPending(e.toPlaces.Pending)
	e.handed.onward(e.hub.publish)
	if n := j.Damaged(); n > 0 {
		e.notice("journal damaged", fmt.Sprintf("%d lines of the journal could not be read and were passed over: the disk may be failing", n))
	}
	e.privacy = j.Privacy()
	e.privacyLine = e.privacy.By == event.ByLine // until the line is read
	e.shut(e.private())
	e.adopt(o.Loaded, o.Findings)
	e.beginConditions()
	e.recover()
	return e, nil
}

// Run runs the engine until ctx ends: the camera, the detector, the loop, and
// the two goroutines that do what may be slow for it. Events that are going on are closed.
func (e *Engine) Run(ctx context.Context) error {
	defer e.hub.close()
	defer e.journal.Close()
	keeperDone := make(chan struct{})
	go func() { // outlives ctx: what the loop closes at its end is still written
		defer close(keeperDone)
		for work := range e.keeper {
			work()
		}
	}()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.camera.run(ctx) })
	g.Go(func() error { return e.detector.run(ctx) })
	g.Go(func() error { return e.inputs.run(ctx) })
	g.Go(func() error { return e.work(ctx) })
	g.Go(func() error { return e.watchFile(ctx) })
	g.Go(func() error { defer close(e.done); return e.run(ctx) })
	err := g.Wait()
	e.takeLast()
	for _, t := range e.triggers {
		e.endAnds(t, time.Now(), true)
		e.closeEvent(t, "the program was stopped during the event")
	}
	for _, work := range e.unwritten {
		e.keeper <- work
	}
	begun := e.journal.Begun()
	e.keeper <- func() {
		e.addJobs()
		e.writeAgain()
		e.noteStored(begun)
	}
	close(e.keeper)
	<-keeperDone
	e.journalStored()
	e.stopConditions()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// takeLast accepts what was detected before the stop and waited for the loop.
func (e *Engine) takeLast() {
	for {
		select {
		case s := <-e.signals:
			e.signalled(s)
		default:
			e.acceptWaiting()
			return
		}
	}
}

// work does, one after the other, what reads images and writes the spool.
func (e *Engine) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case job := <-e.jobs:
			job(ctx)
		}
	}
}

// errStopped is returned where the engine no longer runs.
var errStopped = errors.New("the engine is not running")

// do runs f in the loop's goroutine and waits for it.
func (e *Engine) do(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	select {
	case e.requests <- func() { defer close(ran); f() }:
		<-ran
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the engine does not answer: %w", ctx.Err())
	case <-e.done:
		return errStopped
	}
}

// current returns the configuration in force.
func (e *Engine) current() config.Loaded {
	e.settingsMu.Lock()
	defer e.settingsMu.Unlock()
	return e.settings
}
