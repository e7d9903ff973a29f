package store

import (
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// FS is the store as a read-only file system: a folder an event, in it event.json
// and the images, and nothing else that may lie there. It is as the store is at
// the moment: events come and go while it is used. No symbolic link is followed,
// and no folder is held open. Its files can be read at any offset (io.ReaderAt,
// io.Seeker).
func (s *Store) FS() fs.FS { return files{s} }

// files is an fs.ReadDirFS, fs.StatFS and fs.ReadFileFS.
type files struct{ s *Store }

// resolve takes a path apart; the error is fs.ErrNotExist where it can be none of ours.
func (f files) resolve(name string) (id, file string, err error) {
	if !fs.ValidPath(name) {
		return "", "", fs.ErrInvalid
	}
	if name == "." {
		return "", "", nil
	}
	id, file, deeper := strings.Cut(name, "/")
	f.s.mu.Lock()
	known := f.s.find(id) != nil
	f.s.mu.Unlock()
	if !known || deeper && file != metaName && !isImage(file) {
		return "", "", fs.ErrNotExist
	}
	return id, file, nil
}

// look returns what name is, and the store's folder to open it in.
func (f files) look(name string) (root *os.Root, st fs.FileInfo, err error) {
	id, file, err := f.resolve(name)
	if err != nil {
		return nil, nil, err
	}
	// A root, so that not even a link put there at this moment leads out of it.
	if root, err = os.OpenRoot(f.s.dir); err != nil {
		return nil, nil, cause(err)
	}
	if st, err = lookIn(root, id, file); err != nil {
		root.Close()
		return nil, nil, cause(err)
	}
	return root, info{st, name[strings.LastIndexByte(name, '/')+1:]}, nil
}

func lookIn(root *os.Root, id, file string) (fs.FileInfo, error) {
	if id == "" {
		return root.Stat(".")
	}
	st, err := root.Lstat(id)
	if err == nil && !st.IsDir() {
		err = fs.ErrNotExist
	}
	if err == nil && file != "" {
		if st, err = root.Lstat(id + "/" + file); err == nil && !st.Mode().IsRegular() {
			err = fs.ErrNotExist
		}
	}
	return st, err
}

// Stat is fs.StatFS.
func (f files) Stat(name string) (fs.FileInfo, error) {
	root, st, err := f.look(name)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	root.Close()
	return st, nil
}

// Open is fs.FS.
func (f files) Open(name string) (fs.File, error) {
	root, st, err := f.look(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer root.Close()
	if name == "." {
		return &storeDir{files: f, st: st}, nil
	}
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: cause(err)}
	}
	if !st.IsDir() {
		return &imageFile{file, st}, nil
	}
	defer file.Close()
	entries, err := file.ReadDir(-1)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: cause(err)}
	}
	d := &eventDir{st: st, name: name}
	for _, e := range entries {
		if (e.Name() == metaName || isImage(e.Name())) && e.Type().IsRegular() {
			d.entries = append(d.entries, dirEntry{f, name + "/" + e.Name(), false})
		}
	}
	slices.SortFunc(d.entries, byName)
	return d, nil
}

func byName(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }

// ReadDir is fs.ReadDirFS. For a store of many events, Open's pages are better.
func (f files) ReadDir(name string) ([]fs.DirEntry, error) {
	d, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	dir, ok := d.(fs.ReadDirFile)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: syscall.ENOTDIR}
	}
	entries, err := dir.ReadDir(-1)
	if !slices.IsSortedFunc(entries, byName) { // ids of different lengths
		slices.SortFunc(entries, byName)
	}
	return entries, err
}

// ReadFile is fs.ReadFileFS.
func (f files) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil || st.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	data := make([]byte, st.Size())
	_, err = io.ReadFull(file, data)
	return data, err
}

// info is a file's, with the rights that it has here.
type info struct {
	fs.FileInfo
	name string
}

func (i info) Name() string { return i.name }
func (i info) Sys() any     { return nil }
func (i info) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// dirEntry looks at its file only when asked to.
type dirEntry struct {
	files files
	path  string
	dir   bool
}

func (e dirEntry) Name() string               { return e.path[strings.LastIndexByte(e.path, '/')+1:] }
func (e dirEntry) IsDir() bool                { return e.dir }
func (e dirEntry) Info() (fs.FileInfo, error) { return e.files.Stat(e.path) }
func (e dirEntry) String() string             { return fs.FormatDirEntry(e) }
func (e dirEntry) Type() fs.FileMode {
	if e.dir {
		return fs.ModeDir
	}
	return 0
}

// imageFile is an open image or event.json. The file is not embedded: it could be
// changed through its other methods.
type imageFile struct {
	file *os.File
	st   fs.FileInfo
}

func (f *imageFile) Stat() (fs.FileInfo, error)                { return f.st, nil }
func (f *imageFile) Read(p []byte) (int, error)                { return f.file.Read(p) }
func (f *imageFile) ReadAt(p []byte, off int64) (int, error)   { return f.file.ReadAt(p, off) }
func (f *imageFile) Seek(off int64, whence int) (int64, error) { return f.file.Seek(off, whence) }
func (f *imageFile) Close() error                              { return f.file.Close() }

// eventDir is the open folder of an event, as it was when it was opened.
type eventDir struct {
	st      fs.FileInfo
	name    string
	entries []fs.DirEntry
}

func (d *eventDir) Stat() (fs.FileInfo, error) { return d.st, nil }
func (d *eventDir) Close() error               { return nil }
func (d *eventDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: syscall.EISDIR}
}

func (d *eventDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.entries) {
		n = len(d.entries)
	}
	page := slices.Clone(d.entries[:n])
	d.entries = d.entries[n:]
	return page, nil
}

// storeDir is the open store. It lists events, oldest first, from the index and
// page by page: each is there once, whatever comes and goes meanwhile.
type storeDir struct {
	files
	st   fs.FileInfo
	last string // the event that was listed last
}

func (d *storeDir) Stat() (fs.FileInfo, error) { return d.st, nil }
func (d *storeDir) Close() error               { return nil }
func (d *storeDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: ".", Err: syscall.EISDIR}
}

func (d *storeDir) ReadDir(n int) ([]fs.DirEntry, error) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	i := 0
	if d.last != "" {
		var there bool
		if i, there = d.s.position(d.last); there {
			i++
		}
	}
	rest := d.s.order[i:]
	if n > 0 && len(rest) == 0 {
		return nil, io.EOF
	}
	if n > 0 && n < len(rest) {
		rest = rest[:n]
	}
	page := make([]fs.DirEntry, len(rest))
	for i, x := range rest {
		page[i] = dirEntry{d.files, x.id, true}
		d.last = x.id
	}
	return page, nil
}
