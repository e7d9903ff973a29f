package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"watchpost/engine"
	"watchpost/engine/config"
	"watchpost/engine/control"
	"watchpost/hw"
	"watchpost/tui"
	"watchpost/tui/term"
)

const logMax = 1 << 20 // bytes of the terminal's log file before the next one begins

// runTerminal is `watchpost` alone: it attaches to the service that runs on the
// configuration, or is engine and interface itself; without a configuration and
// without a camera it is the demo.
func runTerminal(ctx context.Context, args []string, s streams) int {
	f := newFlags("watchpost", s)
	demo := f.Bool("demo", false, "embedded scene and mail server")
	if _, ok := f.parse(args, -1, 0, 0); !ok {
		return exitUsage
	}
	in, ok := s.in.(*os.File)
	out, ok2 := s.out.(*os.File)
	if !ok || !ok2 || !isTerminal(in) || !isTerminal(out) {
		return f.failed(errors.New("this is no terminal: watchpost serve runs without one, watchpost help lists the commands"))
	}
	attached, inDemo := false, *demo
	show := func(ctx context.Context, api engine.API) error {
		s := newSaver(api)
		defer s.end()
		line, err := term.Local(in, out, nil)
		if err != nil {
			return fmt.Errorf("interface: %w", err)
		}
		defer line.Close()
		var keys tui.SSHKeys
		if !inDemo {
			keys = boxKeys{api, f.file().Path()}
		}
		return tui.Run(ctx, api, tui.Options{Line: line, Rights: tui.Rights{Commands: true}, Attached: attached, Keys: keys, Files: &tui.Files{Dir: s.dir, Save: s.save}})
	}
	if *demo {
		return runDemo(ctx, f, "", show)
	}
	client, err := f.service(ctx)
	if err == nil {
		attached = true
		err = show(ctx, client)
		return f.result(err)
	}
	if !errors.Is(err, control.ErrNoService) {
		return f.failed(err)
	}
	if unconfigured(f.file()) {
		if source, why := hw.FindCamera(); source == "" {
			inDemo = true
			return runDemo(ctx, f, why, show)
		}
	}
	srv, err := begin{file: f.file(), mode: "terminal", log: fileLog}.open()
	if err != nil {
		return f.failed(err)
	}
	return f.result(beside(ctx, srv, show))
}

func (f *flags) result(err error) int {
	if err != nil {
		return f.failed(err)
	}
	return exitOK
}

// unconfigured reports whether there is nothing in the file, or no file.
func unconfigured(file *config.File) bool {
	st, err := os.Stat(file.Path())
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	return st.Size() == 0
}

// beside runs the service and the interface until either ends, and ends the other.
func beside(ctx context.Context, srv *service, show func(context.Context, engine.API) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ran := make(chan error, 1)
	go func() {
		defer cancel()
		ran <- srv.run(ctx)
	}()
	err := show(ctx, srv.engine)
	cancel()
	if rerr := <-ran; rerr != nil {
		return rerr
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// fileLog logs beside the store, so that nothing prints over the interface.
func fileLog(dir string) (*slog.Logger, error) {
	w := &logFile{path: filepath.Join(dir, "watchpost.log")}
	if err := w.open(); err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return slog.New(slog.NewTextHandler(w, nil)), nil
}

// logFile is a log of at most twice logMax: the file and the one before it.
// slog writes one record at a time.
type logFile struct {
	path string
	f    *os.File
	size int64
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.f, l.size = f, st.Size()
	return nil
}

func (l *logFile) Write(p []byte) (int, error) {
	if l.size > logMax {
		l.f.Close()
		_ = os.Rename(l.path, l.path+".1") // it may be gone; the log goes on
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.f.Write(p)
	l.size += int64(n)
	return n, err
}
