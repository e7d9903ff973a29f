package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"watchpost/engine/event"
)

// littered is a store with three events, and all that may lie in one beside them.
func littered(t *testing.T) (s *Store, ids []string) {
	t.Helper()
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret.jpg")
	s = open(t, dir)
	for seq := uint64(1); seq <= 3; seq++ {
		ids = append(ids, record(t, s, seq, 2, 100, seq < 3))
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(os.WriteFile(outside, []byte("secret"), 0o600))
	for _, in := range []string{dir, s.Dir(ids[0]), s.Dir(ids[2])} {
		ok(os.WriteFile(filepath.Join(in, "notes.txt"), []byte("mine"), 0o600))
		ok(os.WriteFile(filepath.Join(in, ".tmp-123"), []byte("half"), 0o600))
		ok(os.WriteFile(filepath.Join(in, ".hidden.jpg"), nil, 0o600))
		ok(os.Mkdir(filepath.Join(in, "folder.jpg"), 0o700))
		ok(os.Symlink(outside, filepath.Join(in, "0009-link.jpg")))
		ok(os.Symlink("event.json", filepath.Join(in, "0008-link.jpg")))
	}
	ok(os.Symlink(s.Dir(ids[0]), filepath.Join(dir, ID(7, t0))))
	ok(os.Symlink("/", filepath.Join(dir, ID(8, t0))))
	ok(os.WriteFile(filepath.Join(dir, ID(9, t0)), []byte("a file"), 0o600))
	return s, ids
}

// The file system is a good one, and holds the events' own files only.
func TestFS(t *testing.T) {
	s, ids := littered(t)
	var want []string
	for _, id := range ids {
		e, err := s.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, id, id+"/event.json")
		for _, im := range e.Images {
			want = append(want, id+"/"+im.File)
		}
	}
	slices.Sort(want)
	for range 2 { // and after a start
		if err := fstest.TestFS(s.FS(), want...); err != nil {
			t.Fatal(err)
		}
		var got []string
		err := fs.WalkDir(s.FS(), ".", func(path string, d fs.DirEntry, err error) error {
			if path != "." {
				got = append(got, path)
			}
			return err
		})
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v\nwant %v: %v", got, want, err)
		}
		s = open(t, s.dir)
	}
	for _, id := range ids {
		for _, name := range []string{"notes.txt", ".tmp-123", ".hidden.jpg", "folder.jpg", "0009-link.jpg", "0008-link.jpg", "none.jpg", "event.json/x"} {
			if _, err := fs.Stat(s.FS(), id+"/"+name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
			if f, err := s.FS().Open(id + "/" + name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v %v", name, f, err)
			}
		}
	}
	for _, name := range []string{"notes.txt", indexName, ID(7, t0), ID(7, t0) + "/event.json", ID(8, t0), ID(8, t0) + "/etc", ID(9, t0)} {
		if f, err := s.FS().Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v %v", name, f, err)
		}
	}
	for _, name := range []string{"", "/", "/etc/passwd", "..", ids[0] + "/../x", ids[0] + "/"} {
		if f, err := s.FS().Open(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v %v", name, f, err)
		}
	}
}

// A folder that becomes a link under a running store leads nowhere, out of the
// store or not.
func TestFolderBecomesALink(t *testing.T) {
	s := some(t, t.TempDir(), 3)
	other := some(t, t.TempDir(), 3)
	ids := s.IDs(event.Filter{})
	for i, to := range []string{other.Dir(ids[0]), ids[2]} {
		if err := os.RemoveAll(s.Dir(ids[i])); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, s.Dir(ids[i])); err != nil {
			t.Fatal(err)
		}
		if f, err := s.FS().Open(ids[i] + "/event.json"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v %v", f, err)
		}
		if e, err := s.Get(ids[i]); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("%v %v", e, err)
		}
		if _, ok := s.Best(ids[i]); ok {
			t.Error("it has an image")
		}
	}
}

// A listing in pages has every event once that was there all the time, whatever
// comes and goes.
func TestPages(t *testing.T) {
	s := some(t, t.TempDir(), 6)
	ids := s.IDs(event.Filter{})
	d, err := s.FS().Open(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := d.(fs.ReadDirFile)
	var got []string
	for n := 1; ; n++ {
		page, err := dir.ReadDir(2)
		for _, e := range page {
			got = append(got, e.Name())
		}
		if err == io.EOF {
			break
		}
		if err != nil || len(page) == 0 || len(page) > 2 {
			t.Fatal(page, err)
		}
		if n == 1 {
			if _, err := s.Remove([]string{ids[4], ids[3]}); err != nil { // one that was listed, one that was not
				t.Fatal(err)
			}
			record(t, s, 99, 0, 0, true)
		}
	}
	if want := []string{ids[5], ids[4], ids[2], ids[1], ids[0], ID(99, t0)}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// It can be read while events are written and removed: what is listed opens whole,
// or has gone.
func TestFSWhileWriting(t *testing.T) {
	s := open(t, t.TempDir())
	s.Limit(10*eventCost, 0)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for seq := uint64(1); seq <= 60; seq++ {
			record(t, s, seq, 3, 1000, true)
		}
	})
	seen := 0
	for going := true; going; {
		select {
		case <-done:
			going = false
		default:
		}
		err := fs.WalkDir(s.FS(), ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				var data []byte
				if data, err = fs.ReadFile(s.FS(), path); err == nil && strings.HasSuffix(path, ".jpg") && len(data) != 1000 {
					t.Errorf("%s has %d bytes", path, len(data))
				}
				seen++
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if seen == 0 {
		t.Error("nothing was read")
	}
	f, err := s.FS().Open(ID(60, t0) + "/event.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := s.Remove([]string{ID(60, t0)}); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.(io.Writer); ok {
		t.Error("it can be written to")
	}
	at := make([]byte, 1)
	if n, err := f.(io.ReaderAt).ReadAt(at, 0); n != 1 || err != nil || at[0] != '{' {
		t.Errorf("what is open is read to its end: %q %v", at, err)
	}
	if st, err := f.Stat(); err != nil || st.Mode() != 0o444 || st.ModTime().Before(time.Now().Add(-time.Minute)) {
		t.Errorf("%v %v", st, err)
	}
}
