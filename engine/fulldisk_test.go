package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"watchpost/engine/event"
	"watchpost/engine/need"
	"watchpost/engine/store"
)

// The disk was filled by something else while nothing fired. The store has
// hundreds of events that may go; the next firing is to be accepted and mailed.
func TestFullDiskWithOldEvents(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=100m"); err != nil {
		need.Skip(t, "no tmpfs can be mounted: "+err.Error())
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	s, err := store.Open(filepath.Join(dir, "events"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range 40 {
		e := event.Stored{ID: store.ID(uint64(i+1), at), Trigger: "yard", Start: at}
		s.Put(e)
		s.AddImage(e.ID, event.Image{At: at, JPEG: bytes.Repeat([]byte("x"), 1<<20)})
		e.End = at
		if err := s.Put(e); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{}, out: newFakeOutbox()}
		b.start(conf(quick()))
		time.Sleep(10 * time.Second)
		filler, _ := os.Create(filepath.Join(dir, "somebody-elses.log"))
		for {
			if _, err := filler.Write(bytes.Repeat([]byte("y"), 1<<16)); err != nil {
				break
			}
		}
		for { // to the last byte
			if _, err := filler.Write([]byte("y")); err != nil {
				break
			}
		}
		filler.Close()
		time.Sleep(time.Minute)
		b.cam.show(true)
		time.Sleep(3 * time.Second)
		b.cam.show(false)
		time.Sleep(time.Hour)
		st, _ := b.Status(context.Background())
		a := b.account("yard")
		if a.Fired == 0 {
			t.Errorf("an hour later the firing is not accepted: account %+v, %d events of %d MB in the store, %d bytes free\nproblems %q", a, st.Storage.Events, st.Storage.Bytes>>20, st.Storage.FreeBytes, st.Problems)
		}
		b.stop()
	})
	_, _ = errors.New(""), fmt.Sprint()
}
