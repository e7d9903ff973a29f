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

// socketPaths are where the local socket of the service on a configuration may
// be, first where a service makes it: in $RUNTIME_DIRECTORY or $XDG_RUNTIME_DIR,
// for root without them in /run/watchpost. Root looks there too in any case: a
// log-in has an $XDG_RUNTIME_DIR of its own, the service has not. Each
// configuration has its own socket.
func socketPaths(configPath string) []string {
	var dirs []string
	for _, dir := range []string{os.Getenv("RUNTIME_DIRECTORY"), os.Getenv("XDG_RUNTIME_DIR")} {
		if dir == "" {
			continue
		}
		if st, err := os.Stat(dir); err == nil && st.Mode()&os.ModeSticky != 0 { // everybody's, as /tmp
			dir = filepath.Join(dir, fmt.Sprintf("watchpost-%d", os.Geteuid()))
		}
		dirs = append(dirs, dir)
	}
	switch {
	case os.Geteuid() == 0:
		dirs = append(dirs, "/run/watchpost")
	case dirs == nil:
		dirs = append(dirs, filepath.Join(os.TempDir(), fmt.Sprintf("watchpost-%d", os.Geteuid())))
	}
	name := "watchpost.sock"
	if p := resolved(configPath); p != resolved(config.DefaultPath()) {
		name = fmt.Sprintf("watchpost-%.6x.sock", sha256.Sum256([]byte(p)))
	}
	for i := range dirs {
		dirs[i] = filepath.Join(dirs[i], name)
	}
	return dirs
}

// resolved is the absolute path without symbolic links in its folder, the same
// before the file exists and after.
func resolved(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	return abs
}

// lock is an exclusive lock on a file, held until the process ends or Close.
type lock struct{ f *os.File }

// heldError says who holds a lock.
type heldError struct{ what, by string }

func (e *heldError) Error() string {
	return fmt.Sprintf("%s is in use by %s: stop that one first, or use it", e.what, e.by)
}

// takeLock locks path for what (words for the error). The file tells a person who holds it.
// note is added to that.
func takeLock(path, what, note string) (*lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", what, err)
		}
		holder := make([]byte, 100)
		n, _ := f.ReadAt(holder, 0)
		by, _, _ := strings.Cut(string(holder[:n]), "\n")
		if by == "" {
			by = "another process"
		}
		return nil, &heldError{what, by}
	}
	text := fmt.Sprintf("process %d (watchpost)\n%s", os.Getpid(), note)
	if err := f.Truncate(0); err == nil {
		f.WriteAt([]byte(text), 0)
	}
	return &lock{f}, nil
}

// Close lets the lock go. The file stays: removing it would race with the next holder.
func (l *lock) Close() error { return l.f.Close() }

const socketNote = "socket "

// socketOf returns the socket that the holder of a store's lock serves, "" where
// none is noted. Nobody may hold it any more.
func socketOf(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "lock"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), socketNote); ok {
			return path
		}
	}
	return ""
}
