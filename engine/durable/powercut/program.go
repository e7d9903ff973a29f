package powercut

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"watchpost/engine/durable"
)

// RunUntil runs a part of the program until ok, and reports whether that came about
// within a time.
func RunUntil(run func(context.Context) error, within time.Duration, ok func() bool) bool {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); run(ctx) }()
	defer func() { cancel(); <-done }()
	for end := time.Now().Add(within); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// SaveAndDie saves state as JSON at path as a program does that is killed between
// the rename and the folder's fsync.
func SaveAndDie(t testing.TB, path string, state any) {
	t.Helper()
	b, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	f, err := durable.CreateTemp(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = durable.Move(f.Name(), path)
	}
	if err != nil {
		t.Fatal(err)
	}
}
