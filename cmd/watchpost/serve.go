package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// runServe is `watchpost serve`: the engine without a screen. SIGHUP reads the
// configuration again; SIGTERM ends it.
func runServe(ctx context.Context, args []string, s streams) int {
	f := newFlags("serve", s)
	if _, ok := f.parse(args, -1, 0, 0); !ok {
		return exitUsage
	}
	if os.Getenv("GOGC") == "" {
		// Fifty sessions hold some 40 MB, of which as much again would wait to be
		// collected. The engine itself allocates little.
		debug.SetGCPercent(50)
	}
	log := slog.New(slog.NewTextHandler(s.err, nil))
	srv, err := begin{file: f.file(), mode: "service", log: func(string) (*slog.Logger, error) { return log, nil }}.open()
	var held *heldError
	if errors.As(err, &held) {
		return f.failed(fmt.Errorf("it runs already: %w", err))
	}
	if err != nil {
		return f.failed(err)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reloader := make(chan struct{})
	go func() {
		defer close(reloader)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				if err := srv.engine.Reload(ctx); err != nil {
					log.Warn("the configuration was not read", "error", err)
				}
			}
		}
	}()
	log.Info("watchpost runs", "version", version, "configuration", f.file().Path())
	err = srv.run(ctx)
	cancel()
	<-reloader
	if err != nil {
		return f.failed(err)
	}
	log.Info("watchpost has stopped")
	return exitOK
}
