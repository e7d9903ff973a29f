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
	b := f.good(suffix).readBoth()
	return b, b.config != nil && b.secretsErr == nil
}

// lastGood finds the last good copy that is not of the given revision.
func (f *File) lastGood(but string) (content, Loaded, bool) {
	for _, suffix := range []string{".good", ".good-1"} { // the second also where a crash came between two renames
		if b, ok := f.readGood(suffix); ok && b.revision() != but {
			if l, _ := f.good(suffix).judge(b); !hasErrors(l.Findings) {
				return b, l, true
			}
		}
	}
	return content{}, Loaded{}, false
}

// LoadGood reads the last good copy; false where there is none.
func (f *File) LoadGood() (Loaded, bool) {
	_, l, ok := f.lastGood("")
	return l, ok
}

// MarkGood keeps a copy of what the file holds now, which has just been put in
// force, as the last good one; the one before it becomes the one that Revert returns to.
// A missing or empty file is not kept: nobody wants to return to nothing.
// Where it cannot be written, Save refuses to build on the copy that there is.
func (f *File) MarkGood() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.readBoth()
	if err := errors.Join(b.configErr, b.secretsErr); err != nil {
		return wrapGood(err)
	}
	if len(b.config) == 0 {
		return nil
	}
	if good, ok := f.readGood(".good"); ok && good.revision() == b.revision() {
		f.stale = false
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
	err = f.keep(b)
	f.stale = err != nil
	return wrapGood(err)
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
	if err := durable.RemoveAll(making); err != nil { // of a crash
		return err
	}
	if err := durable.Mkdir(making, 0o700); err != nil { // fsynced with the rename
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
		if err := durable.RemoveAll(f.beside(".good-1")); err != nil { // another user's: out of the way with it
			if err := durable.Move(f.beside(".good-1"), f.beside(fmt.Sprintf(".good-%d", time.Now().Unix()))); err != nil {
				return err
			}
		}
		if err := durable.Rename(f.beside(".good"), f.beside(".good-1")); err != nil {
			return err
		}
	}
	return durable.Rename(making, f.beside(".good"))
}

var errNoGood = errors.New("there is no earlier configuration to return to")

// Revert writes the last good configuration before the present one and loads it.
// Reverting twice comes back to where it began. A present one that has errors is
// set aside first, as Save does.
func (f *File) Revert() (Loaded, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	unlock, err := f.lock()
	if err != nil {
		return Loaded{}, err
	}
	defer unlock()
	now := f.readBoth()
	b, _, ok := f.lastGood(now.revision())
	if !ok {
		return Loaded{}, errNoGood
	}
	var aside []Finding
	if l, _ := f.judge(now); hasErrors(l.Findings) {
		if aside, err = f.setAside(now, b); err != nil {
			return Loaded{}, err
		}
	}
	if err := f.write(now, b); err != nil {
		return Loaded{}, err
	}
	f.revision = b.revision()
	l, _ := f.judge(b)
	l.Findings = append(l.Findings, aside...)
	return l, nil
}

// CanRevert reports whether there is one.
func (f *File) CanRevert() bool {
	_, _, ok := f.lastGood(f.readBoth().revision())
	return ok
}

// lock keeps other processes out while the file is written. The lock is the
// kernel's: it ends with the process, whatever happens.
func (f *File) lock() (unlock func(), err error) {
	if err := durable.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return nil, fmt.Errorf("lock the configuration: %w", err)
	}
	l, err := openLock(f.beside(".lock"))
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

// openLock opens the lock file. One that root makes belongs to whom the folder
// belongs, so that a service of that user can lock it too.
func openLock(path string) (*os.File, error) {
	l, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(filepath.Dir(path)); err == nil {
		if owner, ok := st.Sys().(*syscall.Stat_t); ok {
			_ = l.Chown(int(owner.Uid), int(owner.Gid)) // only root may, and only root need
		}
	}
	return l, nil
}
