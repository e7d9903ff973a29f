// Package durable is the one way in which Watchpost writes a file that must
// survive a power cut: temporary file, write, fsync, rename, fsync the directory.
//
// It is not a database and holds no state. It starts no goroutine.
package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// TempPrefix begins the name of every temporary file. A reader of a directory
// passes over such files; Sweep removes what a crash left.
const TempPrefix = ".tmp-"

// WriteFile puts data at path so that, at any moment and after any crash, the
// path holds either what it held before or all of data.
func WriteFile(path string, perm os.FileMode, data []byte) error {
	return Write(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write is WriteFile for content that is produced piece by piece.
func Write(path string, perm os.FileMode, produce func(io.Writer) error) error {
	return write(path, perm, produce, Move)
}

// WriteNew is Write where there must be no file yet: os.ErrExist, wrapped, says
// that there is one, also where it came while produce was at work.
func WriteNew(path string, perm os.FileMode, produce func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil { // before all the work
		return fmt.Errorf("write %s: %w", path, os.ErrExist)
	}
	return write(path, perm, produce, MoveNew)
}

func write(path string, perm os.FileMode, produce func(io.Writer) error, move func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	f, err := CreateTemp(dir)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if uid, gid, ok := owner(path); ok && f.Chown(uid, gid) != nil {
		_ = f.Chown(-1, gid) // who may not give a file away may yet keep its group
	}
	if err = f.Chmod(perm); err != nil {
		return err
	}
	if err = produce(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = move(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// owner is whom a file at path is to belong to: whom the one that it replaces
// belongs to; a new one that root writes, whom the folder belongs to. So root's
// "set" does not lock out the service's own user.
func owner(path string) (uid, gid int, ok bool) {
	st, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) && os.Geteuid() == 0 {
		st, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return 0, 0, false
	}
	at, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(at.Uid), int(at.Gid), true
}

// MkdirAll makes dir and its parents and fsyncs every directory that gained an entry.
func MkdirAll(dir string, perm os.FileMode) error {
	if st, err := os.Stat(dir); err == nil {
		if !st.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirAll(parent, perm); err != nil {
			return err
		}
	}
	if err := Mkdir(dir, perm); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// unsupported: some file systems cannot fsync a directory, and need not.
func unsupported(err error) bool { return errors.Is(err, syscall.EINVAL) }

// Sweep removes the temporary files that a crash left in dir.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), TempPrefix) {
			if err := RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
