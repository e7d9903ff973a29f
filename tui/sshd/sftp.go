package sshd

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/pkg/sftp"
)

// maxHandles is how many files and folders one transfer may have open: each costs
// the engine's process a descriptor or a listing.
const maxHandles = 32

// sftp serves the files, read only, until the client leaves.
func (s *session) sftp() int {
	f := &readOnly{fs: s.c.s.Files}
	server := sftp.NewRequestServer(channel{input{s}, s.ch}, sftp.Handlers{FileGet: f, FilePut: f, FileCmd: f, FileList: f})
	stop := make(chan struct{})
	go func() { // a server reads until its channel is closed
		select {
		case <-s.ctx.Done():
			s.ch.Close()
		case <-stop:
		}
	}()
	err := server.Serve()
	close(stop)
	server.Close()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 1
	}
	return 0
}

// channel reads through input, which tells that somebody is there.
type channel struct {
	io.Reader
	io.WriteCloser
}

// readOnly is an fs.FS as an SFTP server's handlers.
type readOnly struct {
	fs   fs.FS
	mu   sync.Mutex
	open int
}

var errHandles = errors.New("too many files are open at once")

func (r *readOnly) take() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open >= maxHandles {
		return errHandles
	}
	r.open++
	return nil
}

func (r *readOnly) give() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
}

// name is a request's path in the file system.
func name(q *sftp.Request) string {
	if n := strings.TrimPrefix(path.Clean("/"+q.Filepath), "/"); n != "" {
		return n
	}
	return "."
}

// Fileread opens a file.
func (r *readOnly) Fileread(q *sftp.Request) (io.ReaderAt, error) {
	if err := r.take(); err != nil {
		return nil, err
	}
	f, err := r.fs.Open(name(q))
	if err == nil {
		if at, ok := f.(io.ReaderAt); ok {
			return &file{ReaderAt: at, f: f, r: r}, nil
		}
		f.Close()
		err = sftp.ErrSSHFxPermissionDenied // a folder
	}
	r.give()
	return nil, plain(err)
}

// file is an open file, counted until it is closed.
type file struct {
	io.ReaderAt
	f    fs.File
	r    *readOnly
	once sync.Once
}

func (f *file) Close() error {
	err := f.f.Close()
	f.once.Do(f.r.give)
	return err
}

// Filewrite refuses.
func (r *readOnly) Filewrite(*sftp.Request) (io.WriterAt, error) {
	return nil, sftp.ErrSSHFxPermissionDenied
}

// Filecmd refuses: removing, renaming, making folders, links, times.
func (r *readOnly) Filecmd(*sftp.Request) error { return sftp.ErrSSHFxPermissionDenied }

// Filelist lists a folder, or tells of one file.
func (r *readOnly) Filelist(q *sftp.Request) (sftp.ListerAt, error) {
	switch q.Method {
	case "Stat":
		st, err := fs.Stat(r.fs, name(q))
		if err != nil {
			return nil, plain(err)
		}
		return list{st}, nil
	case "List":
	default:
		return nil, sftp.ErrSSHFxOpUnsupported
	}
	if err := r.take(); err != nil {
		return nil, err
	}
	f, err := r.fs.Open(name(q))
	if err == nil {
		if dir, ok := f.(fs.ReadDirFile); ok {
			return &folder{dir: dir, r: r}, nil
		}
		f.Close()
		err = sftp.ErrSSHFxFailure // no folder
	}
	r.give()
	return nil, plain(err)
}

// Lstat is Stat: there are no links.
func (r *readOnly) Lstat(q *sftp.Request) (sftp.ListerAt, error) {
	st, err := fs.Stat(r.fs, name(q))
	if err != nil {
		return nil, plain(err)
	}
	return list{st}, nil
}

// plain is an error without what it tells of the box.
func plain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.ErrNotExist
	case errors.Is(err, fs.ErrPermission):
		return os.ErrPermission
	case errors.Is(err, sftp.ErrSSHFxPermissionDenied):
		return err
	}
	return sftp.ErrSSHFxFailure
}

// list is what is listed, whole.
type list []fs.FileInfo

func (l list) ListAt(out []fs.FileInfo, from int64) (int, error) {
	if from >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(out, l[from:])
	if n < len(out) {
		return n, io.EOF
	}
	return n, nil
}

// folder is a listing in pages: a store may hold a hundred thousand events. One that
// has gone meanwhile is passed over.
type folder struct {
	dir  fs.ReadDirFile
	r    *readOnly
	once sync.Once
}

// ListAt gives the next entries: from is always where the last ones ended.
func (f *folder) ListAt(out []fs.FileInfo, _ int64) (int, error) {
	n := 0
	for n < len(out) {
		entries, err := f.dir.ReadDir(len(out) - n)
		for _, e := range entries {
			if st, err := e.Info(); err == nil {
				out[n] = st
				n++
			}
		}
		if err != nil || len(entries) == 0 {
			return n, io.EOF
		}
	}
	return n, nil
}

func (f *folder) Close() error {
	f.once.Do(func() { f.dir.Close(); f.r.give() })
	return nil
}
