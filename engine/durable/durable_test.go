package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, text := range []string{"one", "two, longer", ""} {
		if err := WriteFile(path, 0o600, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files left: %v", left)
	}
}

// What fails half way leaves what was there and nothing beside it.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := WriteFile(path, 0o600, []byte("before")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Write(path, 0o600, func(w io.Writer) error {
		w.Write([]byte("half"))
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "before" {
		t.Errorf("%q", got)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files left: %v", left)
	}
	if err := WriteFile(filepath.Join(dir, "no", "such", "dir"), 0o600, nil); err == nil {
		t.Error("a file was written into a directory that is not there")
	}
}

// A new file takes no other's place, whether that was there or came meanwhile.
func TestWriteNew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	came := func(w io.Writer) error {
		w.Write([]byte("late"))
		return os.WriteFile(path, []byte("first"), 0o600)
	}
	never := func(io.Writer) error { t.Error("it was at work for nothing"); return nil }
	for _, produce := range []func(io.Writer) error{came, never} {
		if err := WriteNew(path, 0o600, produce); !errors.Is(err, os.ErrExist) {
			t.Errorf("error %v", err)
		}
		if got, _ := os.ReadFile(path); string(got) != "first" {
			t.Errorf("%q", got)
		}
	}
	text := func(w io.Writer) error {
		_, err := w.Write([]byte("b"))
		return err
	}
	if err := WriteNew(filepath.Join(dir, "b"), 0o600, text); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "b")); string(got) != "b" {
		t.Errorf("%q", got)
	}
	defer Observe(Observer{Before: func(c Call) error {
		if c.Op == OpLink {
			return syscall.EPERM // FAT
		}
		return nil
	}})()
	if err := WriteNew(filepath.Join(dir, "c"), 0o600, text); err != nil {
		t.Error(err)
	}
	os.Remove(path)
	if err := WriteNew(path, 0o600, came); !errors.Is(err, os.ErrExist) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 3 {
		t.Errorf("files left: %v", left)
	}
}

func TestRenameSweep(t *testing.T) {
	dir := t.TempDir()
	if err := MkdirAll(filepath.Join(dir, "x", "y"), 0o700); err != nil {
		t.Fatal(err)
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "x", "y", "b")
	if err := WriteFile(a, 0o600, []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := Rename(a, b); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b); err != nil {
		t.Error(err)
	}
	os.WriteFile(filepath.Join(dir, TempPrefix+"1"), nil, 0o600)
	os.WriteFile(filepath.Join(dir, "keep"), nil, 0o600)
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	if err := MkdirAll(filepath.Join(dir, "keep"), 0o700); err == nil {
		t.Error("a file was taken for a directory")
	}
}
