package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"watchpost/engine/durable"
)

// The last good configurations stand beside the file, each in a folder of its
// own that holds copies of both files: .watchpost.yaml.good is what was put in
// force last, .watchpost.yaml.good-1 the one before it. A folder changes its
// name as a whole, so configuration and secrets always belong together.

func (f *File) beside(suffix string) string {
	return filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+suffix)
}

func (f *File) good(suffix string) *File {
	return Open(filepath.Join(f.beside(suffix), filepath.Base(f.path)))
}

// read returns a good copy's bytes; false where there is none.
func (f *File) readGood(suffix string) (content, bool) {
	b, err := f.good(suffix).readBoth()
	return b, err == nil && b.config != nil
}

// LoadGood reads the last good copy; false where there is none.
func (f *File) LoadGood() (Loaded, bool) {
	for _, suffix := range []string{".good", ".good-1"} { // the second where a crash came between two renames
		if _, ok := f.readGood(suffix); !ok {
			continue
		}
		if l, err := f.good(suffix).Load(); err == nil && !hasErrors(l.Findings) {
			return l, true
		}
	}
	return Loaded{}, false
}

// MarkGood keeps a copy of what the file holds now, which has just been put in
// force, as the last good one; the one before it becomes the one that Revert returns to.
// A missing or empty file is not kept: nobody wants to return to nothing.
func (f *File) MarkGood() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.readBoth()
	if err != nil {
		return err
	}
	if len(b.config) == 0 {
		return nil
	}
	if good, ok := f.readGood(".good"); ok && good.revision() == b.revision() {
		return nil
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if f.revision != "" && f.revision != b.revision() {
		return ErrConflict // it is no longer what was put in force
	}
	return wrapGood(f.keep(b))
}

func wrapGood(err error) error {
	if err != nil {
		return fmt.Errorf("keep the last good configuration: %w", err)
	}
	return nil
}

// keep makes b the last good copy.
func (f *File) keep(b content) error {
	making := f.beside(".new")
	if err := os.RemoveAll(making); err != nil { // of a crash
		return err
	}
	if err := durable.MkdirAll(making, 0o700); err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(making, filepath.Base(f.path)), 0o600, b.config); err != nil {
		return err
	}
	if b.secrets != nil {
		if err := durable.WriteFile(filepath.Join(making, secretsName), 0o600, b.secrets); err != nil {
			return err
		}
	}
	if _, err := os.Stat(f.beside(".good")); err == nil {
		if err := os.RemoveAll(f.beside(".good-1")); err != nil {
			return err
		}
		if err := durable.Rename(f.beside(".good"), f.beside(".good-1")); err != nil {
			return err
		}
	}
	return durable.Rename(making, f.beside(".good"))
}

// before finds the last good copy that differs from what the file holds.
func (f *File) before(now content) (content, bool) {
	for _, suffix := range []string{".good", ".good-1"} {
		if b, ok := f.readGood(suffix); ok && b.revision() != now.revision() {
			if l, _ := f.good(suffix).judge(b); !hasErrors(l.Findings) {
				return b, true
			}
		}
	}
	return content{}, false
}

var errNoGood = errors.New("there is no earlier configuration to return to")

// Revert writes the last good configuration before the present one and loads it.
// Reverting twice comes back to where it began.
func (f *File) Revert() (Loaded, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	unlock, err := f.lock()
	if err != nil {
		return Loaded{}, err
	}
	defer unlock()
	now, err := f.readBoth()
	if err != nil {
		return Loaded{}, err
	}
	b, ok := f.before(now)
	if !ok {
		return Loaded{}, errNoGood
	}
	if err := f.write(now, b); err != nil {
		return Loaded{}, err
	}
	f.revision = b.revision()
	l, _ := f.judge(b)
	return l, nil
}

// CanRevert reports whether there is one.
func (f *File) CanRevert() bool {
	now, err := f.readBoth()
	if err != nil {
		return false
	}
	_, ok := f.before(now)
	return ok
}

// lock keeps other processes out while the file is written. The lock is the
// kernel's: it ends with the process, whatever happens.
func (f *File) lock() (unlock func(), err error) {
	if err := durable.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return nil, fmt.Errorf("lock the configuration: %w", err)
	}
	l, err := os.OpenFile(f.beside(".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the configuration: %w", err)
	}
	const wait, step = 5 * time.Second, 20 * time.Millisecond // a save takes some 10 ms
	for waited := time.Duration(0); ; waited += step {
		err = syscall.Flock(int(l.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { l.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) || waited >= wait {
			l.Close()
			return nil, fmt.Errorf("lock the configuration: %s is held by another program: %w", l.Name(), err)
		}
		time.Sleep(step)
	}
}
