package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"watchpost/engine"
	"watchpost/engine/config"
	"watchpost/engine/control"
	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/store"
	"watchpost/hw"
	"watchpost/mail"
	"watchpost/mail/transfer"
	"watchpost/tui/serial"
	"watchpost/tui/sshd"
)

// wallClock is the system's clock.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

// service is an engine with everything that it needs, on one configuration.
type service struct {
	engine   *engine.Engine
	outbox   *mail.Outbox
	queue    *transfer.Queue
	ssh      *sshd.Server     // nil: not in this mode
	consoles *serial.Consoles // nil: none are opened
	socket   net.Listener     // nil: not served (demo)
	locks    []*lock
	log      *slog.Logger
}

// begin says how a service is to run.
type begin struct {
	file *config.File
	mode string // service, terminal, demo
	demo string
	// known are problems found before.
	known []string
	log   func(dir string) (*slog.Logger, error)
	// inbox is what arrived at the embedded mail server, in demo mode.
	inbox func() []string
}

// load reads the configuration that is to be in force: the file, or where that
// does not validate the last good copy, or the empty one; with the file's findings.
func load(file *config.File) (config.Loaded, []config.Finding, error) {
	l, err := file.Load()
	if err != nil {
		return l, nil, err
	}
	for _, f := range l.Findings {
		if f.Level != config.Error {
			continue
		}
		if good, ok := file.LoadGood(); ok {
			good.Revision = l.Revision // a change is made on the file as it is
			return good, l.Findings, nil
		}
		return config.Loaded{Config: config.Default(), Revision: l.Revision}, l.Findings, nil
	}
	return l, nil, nil
}

// open takes the locks and opens the stores; nothing runs yet.
func (b begin) open() (s *service, err error) {
	s = &service{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	socket := socketPaths(b.file.Path())[0]
	if err := control.Trusted(filepath.Dir(socket)); err != nil {
		return s, err
	}
	if err := s.lock(socket+".lock", "the configuration "+b.file.Path(), ""); err != nil {
		return s, err
	}
	stamp := b.file.Stamp()
	loaded, findings, err := load(b.file)
	if err != nil {
		return s, err
	}
	dir := stateDir(loaded.Config)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return s, fmt.Errorf("open the store: %w", err)
	}
	if err := s.lock(filepath.Join(dir, "lock"), "the store "+dir, socketNote+socket+"\n"); err != nil {
		return s, err
	}
	if s.log, err = b.log(dir); err != nil {
		return s, err
	}
	feed := engine.NewMailFeed()
	if s.outbox, err = mail.Open(filepath.Join(dir, "spool"), mail.Options{Listener: feed, Log: s.log, Version: version}); err != nil {
		return s, err
	}
	var images *store.Store
	s.engine, err = engine.New(engine.Options{
		OpenCamera: func(c config.Camera) (engine.Camera, error) {
			return hw.OpenCamera(c.Source, c.Width, c.Height, c.FPS)
		},
		OpenTransfers: func(opened *store.Store, tell engine.OutboxEvents) (engine.Transfers, error) {
			var err error
			images = opened
			s.queue, err = transfer.Open(filepath.Join(dir, "transfers"), transfer.Options{Listener: tell, Log: s.log,
				Images: storedImages{opened}, Submit: s.outbox.Submit, Limit: s.outbox.Limit, Diagnose: s.outbox.Diagnose})
			return s.queue, err
		},
		FindCamera: hw.FindCamera, Pictures: hw.Pictures{}, Outbox: s.outbox, Mail: feed,
		Clock: wallClock{}, Log: s.log, File: b.file, Stamp: stamp, Loaded: loaded, Findings: findings,
		Directory: dir, DirectoryOf: stateDir, Known: append(b.known, storeMoved(b.file.Path(), dir)...),
		Version: version, Mode: b.mode, Demo: b.demo, Inbox: b.inbox, Ways: s.ways,
	})
	if err != nil {
		return s, err
	}
	for _, f := range findings {
		s.log.Warn("configuration", "finding", f.String())
	}
	if len(findings) == 0 {
		s.engine.KeepGood()
	}
	if b.mode == "service" {
		s.ssh = newSSH(s, b.file, dir, images.FS())
		s.consoles = newConsoles(s, b.file)
	}
	if b.mode != "demo" {
		s.socket, err = control.Listen(socket)
	}
	return s, err
}

// storeMoved remembers beside the configuration where the store is, and says so
// where the last one was elsewhere and mail still waits in it.
func storeMoved(configPath, dir string) []string {
	path := filepath.Join(filepath.Dir(configPath), "."+filepath.Base(configPath)+".store")
	last, err := os.ReadFile(path)
	was := strings.TrimSpace(string(last))
	if err == nil && was != dir {
		if waiting, _ := os.ReadDir(filepath.Join(was, "spool", "queue")); len(waiting) > 0 {
			// The note stays as it is until nothing waits there any more.
			return []string{fmt.Sprintf("mail: %d mails wait in the store %s, which storage.directory named before: move its content to %s while nothing runs, or name it again", len(waiting)/2, was, dir)}
		}
	}
	if was != dir {
		durable.WriteFile(path, 0o644, []byte(dir+"\n")) // where it cannot be written there is no such warning
	}
	return nil
}

func (s *service) lock(path, what, note string) error {
	l, err := takeLock(path, what, note)
	if err == nil {
		s.locks = append(s.locks, l)
	}
	return err
}

// run runs everything until ctx ends or a part fails.
func (s *service) run(ctx context.Context) error {
	defer s.close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.outbox.Run(ctx) })
	g.Go(func() error { return s.queue.Run(ctx) })
	g.Go(func() error { return s.engine.Run(ctx) })
	g.Go(func() error {
		if err := hw.WatchNetwork(ctx, func() { s.outbox.LineBack(); s.queue.LineBack() }); err != nil && ctx.Err() == nil {
			s.log.Warn("network", "problem", err) // mail works without, only later after an outage
		}
		return nil
	})
	if s.ssh != nil {
		g.Go(func() error { return s.ssh.Run(ctx) })
	}
	if s.consoles != nil {
		g.Go(func() error { return s.consoles.Run(ctx) })
	}
	if s.socket != nil {
		g.Go(func() error { return control.Serve(ctx, s.socket, s.engine) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ways are the ways in beside the local terminal and the socket.
func (s *service) ways() (all []event.Way) {
	if s.ssh != nil {
		all = append(all, s.ssh.Ways()...)
	}
	if s.consoles != nil {
		all = append(all, s.consoles.Ways()...)
	}
	return all
}

func (s *service) close() {
	if s.socket != nil {
		s.socket.Close()
	}
	for _, l := range s.locks {
		l.Close()
	}
}
