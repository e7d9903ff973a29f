package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

var t0 = time.Date(2026, 11, 23, 20, 51, 7, 512e6, time.UTC)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(t *testing.T, s *Store, seq uint64, images, size int, end bool) string {
	t.Helper()
	e := event.Stored{ID: ID(seq, t0), Trigger: "yard", Source: event.Motion, Start: t0, Firings: 1}
	if err := s.Put(e); err != nil {
		t.Fatal(err)
	}
	for i := range images {
		im := event.Image{At: t0.Add(time.Duration(i-1) * 500 * time.Millisecond), Level: float64(i % 3), JPEG: make([]byte, size)}
		im.JPEG[0] = byte(i)
		if err := s.AddImage(e.ID, im); err != nil {
			t.Fatal(err)
		}
	}
	if end {
		e.End = t0.Add(10 * time.Second)
		if err := s.Put(e); err != nil {
			t.Fatal(err)
		}
	}
	return e.ID
}

func TestEventIsReadable(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	id := record(t, s, 7, 4, 100, true)
	for range 2 {
		e, err := s.Get(id)
		if err != nil || len(e.Images) != 4 || e.End.IsZero() {
			t.Fatalf("%+v, %v", e, err)
		}
		for _, im := range e.Images {
			if st, err := os.Stat(filepath.Join(dir, id, im.File)); err != nil || int(st.Size()) != im.Bytes {
				t.Errorf("%s: %v", im.File, err)
			}
		}
		best, ok := s.Best(id)
		if !ok || best.JPEG[0] != 2 {
			t.Errorf("best image: %v %v", best.JPEG[0], ok)
		}
		s = open(t, dir)
	}
	if u := s.Usage(); u.Events != 1 || u.Bytes < 400 || u.FreeBytes == 0 {
		t.Errorf("usage %+v", u)
	}
}

// What a crash leaves open is closed at the next start, with the images that
// were written and a word of what is missing.
func TestCrashDuringEvent(t *testing.T) {
	dir := t.TempDir()
	id := record(t, open(t, dir), 8, 3, 50, false)
	s := open(t, dir)
	e, err := s.Get(id)
	if err != nil || len(e.Images) != 3 || e.End.IsZero() || len(e.Missing) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	if !e.Images[2].At.Equal(t0.Add(500*time.Millisecond)) || !strings.Contains(e.Missing[0], "power") {
		t.Errorf("%+v", e)
	}
}

func TestQuota(t *testing.T) {
	s := open(t, t.TempDir())
	s.Limit(6*eventCost, 0)
	for seq := uint64(1); seq <= 20; seq++ {
		record(t, s, seq, 5, 100, true)
	}
	list, err := s.List(event.Filter{N: 100})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 4 || len(list) > 6 || list[0].ID != ID(20, t0) {
		t.Errorf("%d events, newest %s", len(list), list[0].ID)
	}
	if u := s.Usage(); u.Bytes > 7*eventCost {
		t.Errorf("%d bytes in a store of %d", u.Bytes, 6*eventCost)
	}
}

// A long event does not stop the older ones from being removed, and the bound
// holds while it runs.
func TestLongEventDoesNotStopPruning(t *testing.T) {
	s := open(t, t.TempDir())
	s.Limit(6*eventCost, 0)
	long := record(t, s, 1, 1, 100, false)
	for seq := uint64(2); seq <= 20; seq++ {
		record(t, s, seq, 5, 100, true)
	}
	if u := s.Usage(); u.Bytes > 7*eventCost {
		t.Errorf("%d bytes in a store of %d", u.Bytes, 6*eventCost)
	}
	if _, err := s.Get(long); err != nil {
		t.Errorf("the running event: %v", err)
	}
}

// On an almost full disk the oldest events go, then images are told missing; the
// newest events stay whatever fills the disk.
func TestFullDisk(t *testing.T) {
	s := open(t, t.TempDir())
	for seq := uint64(1); seq <= 30; seq++ {
		record(t, s, seq, 2, 100, true)
	}
	s.disk = func() (int64, int64) { return 1 << 20, 1 << 40 }
	e := event.Stored{ID: ID(31, t0), Trigger: "yard", Start: t0}
	if err := s.Put(e); err != nil {
		t.Fatal(err)
	}
	if err := s.AddImage(e.ID, event.Image{At: t0, JPEG: make([]byte, 100)}); err == nil {
		t.Error("an image was written into the reserve")
	}
	e.End = t0.Add(time.Second)
	if err := s.Put(e); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(e.ID)
	if err != nil || len(got.Images) != 0 || len(got.Missing) != 1 || !strings.Contains(got.Missing[0], "almost full") {
		t.Errorf("%+v, %v", got, err)
	}
	if u := s.Usage(); u.Events != keepNewest || !u.Low {
		t.Errorf("%+v", u)
	}
}

// The disk may fill during an event.
func TestDiskFillsDuringEvent(t *testing.T) {
	s := open(t, t.TempDir())
	for seq := uint64(1); seq <= 30; seq++ {
		record(t, s, seq, 1, 100, true)
	}
	id := record(t, s, 31, 1, 100, false)
	free := int64(1 << 30)
	s.disk = func() (int64, int64) { return free, 1 << 40 }
	free = 1 << 20
	if err := s.AddImage(id, event.Image{At: t0, JPEG: make([]byte, 100)}); err == nil || !strings.Contains(err.Error(), "almost full") {
		t.Error(err)
	}
	if u := s.Usage(); u.Events != keepNewest {
		t.Errorf("%+v", u)
	}
}

// A folder that could not be made at first is made when it can be.
func TestFolderComesLater(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	e := event.Stored{ID: ID(1, t0), Start: t0}
	if err := os.WriteFile(filepath.Join(dir, e.ID), nil, 0o600); err != nil { // in its way
		t.Fatal(err)
	}
	if err := s.Put(e); err == nil {
		t.Fatal("it was stored into a file")
	}
	if err := os.Remove(filepath.Join(dir, e.ID)); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(e); err != nil {
		t.Fatal(err)
	}
	if err := s.AddImage(e.ID, event.Image{At: t0, JPEG: []byte("x")}); err != nil {
		t.Error(err)
	}
}

// An event of 1970 is not old: the clock was not set.
func TestAge(t *testing.T) {
	s := open(t, t.TempDir())
	s.Limit(0, time.Hour)
	for i, at := range []time.Time{time.Unix(100, 0).UTC(), time.Now().Add(-time.Minute)} {
		e := event.Stored{ID: ID(uint64(i+1), at), Start: at, End: at.Add(time.Second)}
		if err := s.Put(e); err != nil {
			t.Fatal(err)
		}
	}
	if u := s.Usage(); u.Events != 2 {
		t.Errorf("%d events", u.Events)
	}
	if s.LastSeq() != 2 {
		t.Errorf("last seq %d", s.LastSeq())
	}
}

// A flood of events without a single image is bounded too.
func TestEventsWithoutImagesAreBounded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.Limit(10*eventCost, 0)
	for seq := uint64(1); seq <= 100; seq++ {
		record(t, s, seq, 0, 0, true)
	}
	folders, err := os.ReadDir(dir)
	if err != nil || len(folders) > 11 || len(folders) < 9 {
		t.Errorf("%d folders: %v", len(folders), err)
	}
	if again := open(t, dir).Usage(); again.Bytes != s.Usage().Bytes {
		t.Errorf("%d bytes, after a restart %d", s.Usage().Bytes, again.Bytes)
	}
}
