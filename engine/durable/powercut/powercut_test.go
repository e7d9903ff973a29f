package powercut

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watchpost/engine/durable"
)

// agreed is a check: every file that was said to be written holds the text.
func agreed(dir string, said []any) error {
	for _, s := range said {
		name := s.(string)
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("%s is lost", name)
		}
		if string(got) != "text of "+name {
			return fmt.Errorf("%s holds %q", name, got)
		}
	}
	return nil
}

func record(t *testing.T) (*Recording, string) {
	t.Helper()
	root := t.TempDir()
	r, err := Record(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r, root
}

// What durable writes survives, and every fsync in it is needed.
func TestDurableIsDurable(t *testing.T) {
	r, root := record(t)
	for _, name := range []string{"a", "deep/er/b", "deep/c"} {
		path := filepath.Join(root, name)
		if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := durable.WriteFile(path, 0o600, []byte("text of "+name)); err != nil {
			t.Fatal(err)
		}
		r.Say(name)
	}
	if sites, _ := r.sites(); len(sites) != 3 {
		t.Errorf("%d places that ask for an fsync, want the file's, its folder's and a new folder's: %v", len(sites), sites)
	}
	r.Verify(t, agreed)
}

// Each careless way of writing a file is found out, and how.
func TestCarelessWritersAreFound(t *testing.T) {
	text := []byte("text of a")
	for name, c := range map[string]struct {
		write func(dir string) error
		want  string // what is wrong; "": nothing
	}{
		"no fsync": {func(dir string) error {
			f, err := durable.Open(dir+"/a", 0o600)
			if err == nil {
				_, err = f.Write(text)
			}
			return err
		}, "a is lost"},
		"no fsync of the folder": {func(dir string) error { return written(dir+"/a", text, false) }, "a is lost"},
		"no fsync of the file": {func(dir string) error {
			f, err := durable.Open(dir+"/a", 0o600)
			if err == nil {
				_, err = f.Write(text)
			}
			if err == nil {
				err = durable.SyncDir(dir)
			}
			return err
		}, `a holds`},
		"moved, not fsynced": {func(dir string) error {
			if err := written(dir+"/b", text, true); err != nil {
				return err
			}
			return durable.Move(dir+"/b", dir+"/a")
		}, "a is lost"},
		"removed, fsynced": {func(dir string) error {
			if err := durable.WriteFile(dir+"/a", 0o600, text); err != nil {
				return err
			}
			return durable.Remove(dir + "/a") // not fsynced: comes back, or does not
		}, "a is lost"},
		"a second name": {func(dir string) error {
			if err := written(dir+"/b", text, true); err != nil {
				return err
			}
			if err := durable.Link(dir+"/b", dir+"/a"); err != nil {
				return err
			}
			return durable.SyncDir(dir)
		}, ""},
		"cut to length": {func(dir string) error {
			f, err := durable.Open(dir+"/a", 0o600)
			if err == nil {
				_, err = f.WriteAt(append(bytes.Clone(text), "and more"...), 0)
			}
			if err == nil {
				err = f.Truncate(int64(len(text)))
			}
			if err == nil {
				err = f.Sync()
			}
			if err == nil {
				err = durable.SyncDir(dir)
			}
			return err
		}, ""},
		"moved to another folder": {func(dir string) error {
			if err := durable.MkdirAll(dir+"/sub", 0o700); err != nil {
				return err
			}
			if err := written(dir+"/sub/a", text, true); err != nil {
				return err
			}
			return durable.Rename(dir+"/sub/a", dir+"/a")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, root := record(t)
			if err := c.write(root); err != nil {
				t.Fatal(err)
			}
			r.Say("a")
			r.Stop()
			v := &verifier{check: agreed, dir: t.TempDir(), passed: map[stateKey]bool{}}
			states, failures := v.all(r)
			found := strings.Join(failures, "\n")
			if states == 0 || (c.want == "") != (found == "") || !strings.Contains(found, c.want) {
				t.Errorf("%d states, found %q, want %q", states, found, c.want)
			}
		})
	}
}

// written writes and fsyncs a file, and its folder where it is asked to.
func written(path string, text []byte, folder bool) error {
	f, err := durable.Open(path, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil || !folder {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// A half-written file is one of the states.
func TestTornData(t *testing.T) {
	n := &inode{synced: []byte("0123")}
	for _, e := range []edit{{offset: 4, data: []byte("abcd")}, {offset: 2, cut: true}, {offset: 2, data: []byte("XY")}} {
		n.data, n.edits = e.apply(n.data), append(n.edits, e)
	}
	n.data = []byte("01XY")
	for s, want := range map[survival]string{synced: "0123", torn: "01", zeros: "01\x00\x00", whole: "01XY"} {
		if got := string(n.content(s)); got != want {
			t.Errorf("%s: %q, want %q", s, got, want)
		}
	}
}

// What goes past package durable is not overlooked.
func TestUnseen(t *testing.T) {
	for name, c := range map[string]struct {
		past func(dir string) error
		want string
	}{
		"made":    {func(dir string) error { return os.WriteFile(dir+"/b", nil, 0o600) }, "b was made"},
		"removed": {func(dir string) error { return os.Remove(dir + "/a") }, "a was removed"},
		"changed": {func(dir string) error { return os.WriteFile(dir+"/a", []byte("other"), 0o600) }, "a was changed"},
		"ignored": {func(dir string) error { return os.WriteFile(dir+"/x.lock", nil, 0o600) }, ""},
		"nothing": {func(string) error { return nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, root := record(t)
			err := durable.Write(filepath.Join(root, "a"), 0o600, func(w io.Writer) error {
				_, err := io.Copy(w, strings.NewReader("text of a"))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Place(filepath.Join(root, "placed"), []byte("x"), "placed"); err != nil {
				t.Fatal(err)
			}
			if err := c.past(root); err != nil {
				t.Fatal(err)
			}
			if got, err := r.unseen([]string{".lock"}); err != nil || got != c.want {
				t.Errorf("%q %v, want %q", got, err, c.want)
			}
		})
	}
}

// An fsync that a recording does not come to is told.
func TestUnvisited(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	code := `package store

func put(f *durable.File) {
	durable.WriteFile("a", 0, nil)
	f.Sync()
	durable.Rename("a", "b")
	durable.Move("a", "b")
	other.Rename("a", "b")
}
`
	if err := os.WriteFile(filepath.Join(dir, "put.go"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := unvisited(dir, []Site{{Outside: "store/put.go:5 store.put"}})
	if want := "[store/put.go:4 store/put.go:6]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v %v, want %s", got, err, want)
	}
}
