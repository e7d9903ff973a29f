package durable

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// seen observes and returns what it saw, as "op path", the folder cut off.
func seen(t *testing.T, dir string, before func(Call) error) *[]string {
	t.Helper()
	var calls []string
	undo := Observe(Observer{Before: before, After: func(c Call) {
		text := string(c.Op) + " " + strings.TrimPrefix(c.Path, dir)
		if c.To != "" {
			text += " " + strings.TrimPrefix(c.To, dir)
		}
		calls = append(calls, text)
	}})
	t.Cleanup(undo)
	return &calls
}

// Every call that changes the disk is seen, once, in its order.
func TestObserverSeesAll(t *testing.T) {
	dir := t.TempDir()
	calls := seen(t, dir, nil)
	f, err := Open(dir+"/a", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	steps := []error{}
	do := func(err error) { steps = append(steps, err) }
	_, err = f.Write([]byte("0123456789"))
	do(err)
	_, err = f.WriteString("ab")
	do(err)
	_, err = f.ReadFrom(strings.NewReader("cd"))
	do(err)
	_, err = f.WriteAt([]byte("X"), 1)
	do(err)
	do(f.Truncate(13))
	do(f.Sync())
	do(Move(dir+"/a", dir+"/b"))
	f.Moved(dir + "/b")
	do(f.Sync())
	do(Link(dir+"/b", dir+"/c"))
	do(MkdirAll(dir+"/d/e", 0o700))
	do(Rename(dir+"/c", dir+"/d/c"))
	do(Remove(dir + "/b"))
	do(RemoveAll(dir + "/d"))
	do(RemoveAll(dir + "/d")) // not there: nothing to do
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	want := []string{"create /a", "write /a", "write /a", "write /a", "write /a", "truncate /a", "fsync /a",
		"rename /a /b", "fsync /b", "link /b /c", "mkdir /d", "fsync directory ", "mkdir /d/e", "fsync directory /d",
		"rename /c /d/c", "fsync directory /d", "fsync directory ", "remove /b", "remove /d/c", "remove /d/e", "remove /d"}
	if got := strings.Join(*calls, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("saw\n%s", got)
	}
	if got, err := os.ReadFile(dir + "/b"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%q %v", got, err)
	}
	got := make([]byte, 20)
	n, _ := f.ReadAt(got, 0)
	if string(got[:n]) != "0X23456789abc" {
		t.Errorf("%q", got[:n])
	}
}

// A file that is there is opened as it is.
func TestOpenKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := WriteFile(path, 0o600, []byte("kept")); err != nil {
		t.Fatal(err)
	}
	calls := seen(t, filepath.Dir(path), nil)
	f, err := Open(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := os.ReadFile(path); err != nil || string(got) != "kept" || len(*calls) != 0 {
		t.Errorf("%q %v %v", got, err, *calls)
	}
	if _, err := Open(filepath.Join(path, "below"), 0o600); err == nil {
		t.Error("opened a file below a file")
	}
}

// Whatever call of a write the disk refuses: the error is told, and the file holds
// the old or the new text. It is the new one only where nothing but the
// folder's fsync failed. No temporary file stays that a Sweep does not take.
func TestRefusedCalls(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for n := 0; ; n++ {
		if err := WriteFile(path, 0o600, []byte("before")); err != nil {
			t.Fatal(err)
		}
		count, op := 0, Op("")
		undo := Observe(Observer{Before: func(c Call) error {
			if count++; count == n+1 {
				op = c.Op
				return syscall.ENOSPC
			}
			return nil
		}})
		err := WriteFile(path, 0o600, []byte("after"))
		undo()
		if op == "" {
			if err != nil || n != 5 { // create, write, fsync, rename, fsync directory
				t.Errorf("%d calls, %v", n, err)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s refused: the error is %v", op, err)
		}
		want := "before"
		if op == OpSyncDir {
			want = "after"
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s refused: %q %v", op, got, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("%s refused: left are %v", op, left)
		}
	}
}

// The other calls tell a refusal too, and do not go on past it.
func TestRefusedElsewhere(t *testing.T) {
	dir := t.TempDir()
	f, err := Open(dir+"/f", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := MkdirAll(dir+"/full/of", 0o700); err != nil {
		t.Fatal(err)
	}
	_ = seen(t, dir, func(Call) error { return syscall.EIO })
	for name, do := range map[string]func() error{
		"open":              func() error { _, err := Open(dir+"/new", 0o600); return err },
		"write":             func() error { _, err := f.WriteString("x"); return err },
		"truncate":          func() error { return f.Truncate(1) },
		"fsync":             f.Sync,
		"rename":            func() error { return Rename(dir+"/f", dir+"/g") },
		"link":              func() error { return Link(dir+"/f", dir+"/g") },
		"remove":            func() error { return RemoveAll(dir + "/full") },
		"mkdir":             func() error { return MkdirAll(dir+"/x/y", 0o700) },
		"fsync of a folder": func() error { return SyncDir(dir) },
	} {
		if err := do(); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", name, err)
		}
	}
	left, _ := os.ReadDir(dir)
	if st, err := os.Stat(dir + "/f"); len(left) != 2 || err != nil || st.Size() != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
