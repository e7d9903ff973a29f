package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// Op names a call that changes the disk.
type Op string

const (
	OpCreate   Op = "create" // a new, empty file and its entry
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpSync     Op = "fsync"
	OpRename   Op = "rename"
	OpLink     Op = "link"
	OpRemove   Op = "remove"
	OpMkdir    Op = "mkdir"
	OpSyncDir  Op = "fsync directory"
)

// Call is one call that changes the disk.
type Call struct {
	Op     Op
	Path   string // as the file was opened, or the entry's
	To     string // with rename and link
	Offset int64  // with write; with truncate the new length
	Data   []byte // with write; valid during the call of the observer only
}

// Observer sees every call of this package that changes the disk. Before may
// refuse it with an error, which is then the call's; After is told of those that
// succeeded. It is for tests: a disk that fails, a power cut.
type Observer struct {
	Before func(Call) error
	After  func(Call)
}

var observer atomic.Pointer[Observer]

// Observe puts o in place until undo is called. One at a time.
func Observe(o Observer) (undo func()) {
	observer.Store(&o)
	return func() { observer.Store(nil) }
}

// changing makes the call c, which do carries out.
func changing(c Call, do func() error) error {
	o := observer.Load()
	if o != nil && o.Before != nil {
		if err := o.Before(c); err != nil {
			return err
		}
	}
	err := do()
	if err == nil && o != nil && o.After != nil {
		o.After(c)
	}
	return err
}

// File is an open file that is written piece by piece and fsynced by its owner.
type File struct {
	*os.File
	path string
	end  int64 // of what Write wrote
}

// Open opens path for reading and writing and makes it where it is not there.
// Its directory is not fsynced.
func Open(path string, perm os.FileMode) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, perm)
	if err == nil || !os.IsNotExist(err) {
		return &File{File: f, path: path}, err
	}
	err = changing(Call{Op: OpCreate, Path: path}, func() error {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		return err
	})
	return &File{File: f, path: path}, err
}

// CreateTemp makes a temporary file in dir, which Sweep knows and only its owner may read.
func CreateTemp(dir string) (*File, error) {
	f, err := os.CreateTemp(dir, TempPrefix+"*")
	if err != nil {
		return nil, err
	}
	// The name is known only now; a test's disk that fails does so behind it.
	if err := changing(Call{Op: OpCreate, Path: f.Name()}, func() error { return nil }); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return &File{File: f, path: f.Name()}, nil
}

// Write writes behind what Write wrote before. Reading has a position of its own.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.end)
	f.end += int64(n)
	return n, err
}

// WriteAt writes at an offset.
func (f *File) WriteAt(p []byte, off int64) (n int, err error) {
	err = changing(Call{Op: OpWrite, Path: f.path, Offset: off, Data: p}, func() error {
		n, err = f.File.WriteAt(p, off)
		return err
	})
	return n, err
}

// WriteString is Write.
func (f *File) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// ReadFrom is Write of what r gives; it keeps io.Copy from going past it.
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{f}, r)
}

// Truncate sets the length.
func (f *File) Truncate(size int64) error {
	return changing(Call{Op: OpTruncate, Path: f.path, Offset: size}, func() error { return f.File.Truncate(size) })
}

// Sync puts what was written on the disk.
func (f *File) Sync() error {
	return changing(Call{Op: OpSync, Path: f.path}, f.File.Sync)
}

// Moved tells the file that it has been renamed.
func (f *File) Moved(path string) { f.path = path }

// Move renames without an fsync: a power cut may undo it.
func Move(from, to string) error {
	return changing(Call{Op: OpRename, Path: from, To: to}, func() error { return os.Rename(from, to) })
}

// MoveNew moves a file to a name that nothing has, without an fsync; os.ErrExist,
// wrapped, says that something has it. Where the file system has no second names
// (FAT), what comes in the very moment may still be replaced.
func MoveNew(from, to string) error {
	err := Link(from, to)
	if err == nil {
		return Remove(from)
	}
	if _, there := os.Lstat(to); there == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: os.ErrExist}
	}
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		return Move(from, to)
	}
	return err
}

// Rename moves a file or directory for good: the entry is fsynced in both directories.
func Rename(from, to string) error {
	if err := Move(from, to); err != nil {
		return err
	}
	if err := SyncDir(filepath.Dir(to)); err != nil {
		return err
	}
	if filepath.Dir(from) != filepath.Dir(to) {
		return SyncDir(filepath.Dir(from))
	}
	return nil
}

// Link gives a file a second name, without an fsync.
func Link(from, to string) error {
	return changing(Call{Op: OpLink, Path: from, To: to}, func() error { return os.Link(from, to) })
}

// Remove removes a file without an fsync: a power cut may bring it back.
func Remove(path string) error {
	return changing(Call{Op: OpRemove, Path: path}, func() error { return os.Remove(path) })
}

// RemoveAll removes a file, or a folder with all that is in it, without an fsync:
// a power cut may bring any part of it back. What is not there is no error.
func RemoveAll(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := RemoveAll(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return Remove(path)
}

// Mkdir makes a directory without an fsync. One that root makes belongs to whom
// its parent belongs, as a file that Write makes does.
func Mkdir(dir string, perm os.FileMode) error {
	err := changing(Call{Op: OpMkdir, Path: dir}, func() error { return os.Mkdir(dir, perm) })
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	if st, err := os.Stat(filepath.Dir(dir)); err == nil {
		if at, ok := st.Sys().(*syscall.Stat_t); ok {
			_ = os.Lchown(dir, int(at.Uid), int(at.Gid))
		}
	}
	return nil
}

// SyncDir fsyncs a directory, so that its entries survive a power cut.
func SyncDir(dir string) error {
	return changing(Call{Op: OpSyncDir, Path: dir}, func() error {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		if err := d.Sync(); err != nil && !unsupported(err) {
			return fmt.Errorf("fsync %s: %w", dir, err)
		}
		return nil
	})
}
