package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/store"
)

// An image is gone for good where its event is there without it, not where the disk
// with all of it was taken away: then it is asked for again.
func TestStoredImagesOfARemovedDisk(t *testing.T) {
	root := t.TempDir()
	dir, away := filepath.Join(root, "events"), filepath.Join(root, "away")
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	id := store.ID(1, at)
	if err := st.Put(event.Stored{ID: id, Trigger: "yard", Start: at}); err != nil { // it goes on
		t.Fatal(err)
	}
	if err := st.AddImage(id, event.Image{At: at, JPEG: []byte("jpeg")}); err != nil {
		t.Fatal(err)
	}
	images := storedImages{st}
	names, _, err := images.Files(id)
	if err != nil || len(names) != 1 {
		t.Fatalf("%v %v", names, err)
	}
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := images.Open(id, names[0]); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a disk that is away: %v", err)
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	f, size, _, err := images.Open(id, names[0])
	if err != nil || size != 4 {
		t.Fatalf("back again: %d %v", size, err)
	}
	f.Close()
	if err := os.Remove(filepath.Join(dir, id, names[0])); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := images.Open(id, names[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of an image that is gone: %v", err)
	}
}
