package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"watchpost/engine/config"
)

// stateDir is where the journal, the spool and the events are kept.
func stateDir(c config.Config) string {
	if c.Storage.Directory != "" {
		return c.Storage.Directory
	}
	if os.Geteuid() == 0 {
		return "/var/lib/watchpost"
	}
	if d := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "watchpost")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), fmt.Sprintf("watchpost-%d", os.Geteuid()))
	}
	return filepath.Join(home, ".local", "state", "watchpost")
}

// socketPath is the local socket of the service that runs on a configuration:
// in $RUNTIME_DIRECTORY or $XDG_RUNTIME_DIR; each configuration has its own.
func socketPath(configPath string) string {
	dir := os.Getenv("RUNTIME_DIRECTORY")
	if dir == "" {
		dir = os.Getenv("XDG_RUNTIME_DIR")
	}
	switch {
	case dir != "":
	case os.Geteuid() == 0:
		dir = "/run/watchpost"
	default:
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("watchpost-%d", os.Geteuid()))
	}
	name := "watchpost.sock"
	if abs, err := filepath.Abs(configPath); err == nil && abs != config.DefaultPath() {
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			abs = real
		}
		name = fmt.Sprintf("watchpost-%.6x.sock", sha256.Sum256([]byte(abs)))
	}
	return filepath.Join(dir, name)
}

// lock is an exclusive lock on a file, held until the process ends or Close.
type lock struct{ f *os.File }

// heldError says who holds a lock.
type heldError struct{ what, by string }

func (e *heldError) Error() string {
	return fmt.Sprintf("%s is in use by %s: stop that one first, or use it", e.what, e.by)
}

// takeLock locks path for what (words for the error). The file tells a person who holds it.
func takeLock(path, what string) (*lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", what, err)
		}
		holder := make([]byte, 200)
		n, _ := f.ReadAt(holder, 0)
		by := strings.TrimSpace(string(holder[:n]))
		if by == "" {
			by = "another process"
		}
		return nil, &heldError{what, by}
	}
	text := fmt.Sprintf("process %d (watchpost)\n", os.Getpid())
	if err := f.Truncate(0); err == nil {
		f.WriteAt([]byte(text), 0)
	}
	return &lock{f}, nil
}

// Close lets the lock go. The file stays: removing it would race with the next holder.
func (l *lock) Close() error { return l.f.Close() }
