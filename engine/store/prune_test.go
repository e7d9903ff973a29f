package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// left is the events that are there, by their numbers, oldest first.
func left(s *Store) string {
	var seqs []string
	for _, id := range s.IDs(event.Filter{}) {
		seq, _, _ := parseID(id)
		seqs = append(seqs, fmt.Sprint(seq))
	}
	slices.Reverse(seqs)
	return strings.Join(seqs, " ")
}

func kept(t *testing.T, s *Store, seq uint64, keep bool, images int) (id string, err error) {
	t.Helper()
	e := event.Stored{ID: ID(seq, t0), Trigger: "yard", Start: t0, Firings: 1, Keep: keep}
	if err := s.Put(e); err != nil {
		t.Fatal(err)
	}
	for i := range images {
		err = errors.Join(err, s.AddImage(e.ID, event.Image{At: t0.Add(time.Duration(i) * time.Second), JPEG: make([]byte, eventCost)}))
	}
	e.End = t0.Add(time.Minute)
	if err := s.Put(e); err != nil {
		t.Fatal(err)
	}
	return e.ID, err
}

// What waits to be transferred goes last, and goes oldest first where all does.
func TestPendingGoesLast(t *testing.T) {
	s := open(t, t.TempDir())
	pending := map[string]bool{}
	s.SetPending(func(id string) bool {
		s.Usage() // no lock is held
		return pending[id]
	})
	s.Limit(5*eventCost, 0)
	for seq := uint64(1); seq <= 5; seq++ {
		pending[ID(seq, t0)] = seq <= 3
		record(t, s, seq, 0, 0, true)
	}
	for _, step := range []struct {
		seq  uint64
		want string
	}{{6, "1 2 3 5 6"}, {7, "1 2 3 6 7"}} {
		pending[ID(step.seq, t0)] = true
		record(t, s, step.seq, 0, 0, true)
		if got := left(s); got != step.want {
			t.Errorf("after %d: %s, want %s", step.seq, got, step.want)
		}
	}
	record(t, s, 8, 0, 0, true) // all the others wait
	if got := left(s); got != "2 3 6 7 8" {
		t.Errorf("all wait: %s", got)
	}
	if k := s.Count(event.Filter{}); k.Events != 5 || k.Waiting != 4 { // 8 does not
		t.Errorf("%+v", k)
	}
	if k := s.Count(event.Filter{Before: ID(8, t0), N: 2}); k.Events != 2 || k.Waiting != 2 {
		t.Errorf("%+v", k)
	}
	delete(pending, ID(6, t0))
	record(t, s, 9, 0, 0, true)
	if got := left(s); got != "2 3 7 8 9" {
		t.Errorf("one was transferred: %s", got)
	}
}

// Events that are kept stay at the bound; then no image is taken, of no trigger,
// and the events say so in one line. Every event gets its event.json, and those
// without images do not fill the disk.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.Limit(10*eventCost, 0)
	for seq := uint64(1); seq <= 4; seq++ {
		if _, err := kept(t, s, seq, seq != 2, 1); err != nil {
			t.Fatal(err)
		}
	}
	id, err := kept(t, s, 5, true, 4) // takes the place of 2, and fills the store
	if err == nil || left(s) != "1 3 4 5" {
		t.Fatalf("%s: %v", left(s), err)
	}
	e, err := s.Get(id)
	if err != nil || len(e.Images) != 3 || len(e.Missing) != 1 {
		t.Errorf("%+v %v", e, err)
	}
	for i, keep := range []bool{true, false} {
		id, err := kept(t, s, uint64(6+i), keep, 3)
		if err == nil || !strings.Contains(err.Error(), "storage.max_bytes") {
			t.Errorf("keep %v: %v", keep, err)
		}
		for range 2 {
			e, err := s.Get(id)
			if err != nil || len(e.Images) != 0 || len(e.Missing) != 1 || !strings.HasPrefix(e.Missing[0], "3 images of 20:51:07.512 to 20:51:09.512: the event store is at its bound") {
				t.Errorf("keep %v: %+v %v", keep, e, err)
			}
			s = open(t, dir)
			s.Limit(10*eventCost, 0)
		}
	}
	for seq := uint64(8); seq < 40; seq++ {
		kept(t, s, seq, true, 1)
	}
	if u := s.Usage(); u.Bytes > 11*eventCost {
		t.Errorf("%d bytes: %s", u.Bytes, left(s))
	}
	if got := left(s); !strings.HasPrefix(got, "1 3 4 5 39") {
		t.Errorf("%s", got)
	}
	// The age bound holds for all.
	s.Limit(10*eventCost, time.Hour)
	now := time.Now()
	if err := s.Put(event.Stored{ID: ID(50, now), Start: now, End: now}); err != nil || left(s) != "50" && t0.Before(now.Add(-time.Hour)) {
		t.Errorf("%s %v", left(s), err)
	}
}

// Age: oldest first, also what is kept or waits; not what is going on, nor what
// began before the clock was set, nor, within a day, what is damaged.
func TestAgeOfAll(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.SetPending(func(string) bool { return true })
	now := time.Now()
	for i, at := range []time.Time{time.Unix(100, 0), now.Add(-40 * time.Hour), now.Add(-30 * time.Hour), now.Add(-20 * time.Hour), now.Add(-20 * time.Hour), now.Add(-time.Hour)} {
		e := event.Stored{ID: ID(uint64(i+1), at), Start: at, End: at.Add(time.Second), Keep: i%2 == 0}
		if i == 2 {
			e.End = time.Time{}
		}
		if err := s.Put(e); err != nil {
			t.Fatal(err)
		}
	}
	s.Limit(0, 10*time.Hour)
	if err := s.Put(event.Stored{ID: ID(9, now), Start: now, End: now}); err != nil || left(s) != "1 3 6 9" {
		t.Errorf("%s %v", left(s), err)
	}
	for i, age := range []time.Duration{50 * time.Hour, 30 * time.Hour} {
		folder := filepath.Join(dir, ID(uint64(4+i), now.Add(-age)))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(folder, metaName), []byte("{"), 0o600)
	}
	s = open(t, dir)
	s.Limit(0, 10*time.Hour)
	if err := s.Put(event.Stored{ID: ID(10, now), Start: now, End: now}); err != nil || left(s) != "1 5 6 9 10" {
		t.Errorf("%s %v", left(s), err)
	}
}

// A bound that is lowered is reached bit by bit, and stops no image meanwhile.
func TestLoweredBound(t *testing.T) {
	s := open(t, t.TempDir())
	for seq := uint64(1); seq <= 3*removedMax; seq++ {
		record(t, s, seq, 0, 0, true)
	}
	id := record(t, s, 3*removedMax+1, 0, 0, false)
	s.Limit(10*eventCost, 0)
	for i := range 4 {
		if err := s.AddImage(id, event.Image{At: t0, JPEG: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if u := s.Usage(); i == 0 && u.Events != 2*removedMax+1 || i == 3 && u.Events != 9 {
			t.Errorf("after %d images %d events", i+1, u.Events)
		}
	}
}

// Whatever call of a removal the disk refuses: no event is half there, now or after
// a start, and the next removal takes what was left over.
func TestRefusedRemoval(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		s := open(t, dir)
		starts := []*Store{s}
		ids := []string{record(t, s, 1, 2, 100, true), record(t, s, 2, 2, 100, true), record(t, s, 3, 2, 100, true)}
		count := 0
		undo := durable.Observe(durable.Observer{Before: func(durable.Call) error {
			if count++; count == n {
				return syscall.EIO
			}
			return nil
		}})
		removed, err := s.Remove(ids[:2])
		undo()
		if count < n {
			if err != nil || removed != 2 || n != 2+1+2*4+1 {
				t.Errorf("%d calls, %d removed: %v", count, removed, err)
			}
			return
		}
		if !errors.Is(err, syscall.EIO) || removed != s.removedOf(ids) {
			t.Errorf("call %d: %d removed: %v", n, removed, err)
		}
		if n%2 == 0 { // a start takes what was left over too
			starts = append(starts, open(t, dir))
		}
		for _, x := range starts {
			list, err := x.List(event.Filter{})
			if err != nil || len(list) != 3-removed || x.Usage().Bytes != int64(3-removed)*(eventCost+200) {
				t.Errorf("call %d: %+v %v", n, x.Usage(), err)
			}
			for _, e := range list {
				if len(e.Images) != 2 || len(e.Missing) != 0 {
					t.Errorf("call %d: %+v", n, e)
				}
			}
		}
		if _, err := s.Remove(ids); err != nil {
			t.Errorf("call %d, again: %v", n, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("call %d: left are %v %v", n, entries, err)
		}
	}
}

func (s *Store) removedOf(ids []string) int { return len(ids) - len(s.IDs(event.Filter{})) }

// The operator removes what has ended, from wherever, while events are written.
func TestRemove(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ids := []string{record(t, s, 1, 1, 10, true), record(t, s, 2, 1, 10, false), record(t, s, 3, 1, 10, true)}
	n, err := s.Remove(append(ids, ids[0], "00000099-20261123T205107", "../x"))
	if n != 2 || err == nil || !strings.Contains(err.Error(), ids[1]+" is going on") {
		t.Errorf("%d removed: %v", n, err)
	}
	if got := left(s); got != "2" || s.Usage().Bytes != eventCost+10 {
		t.Errorf("%s, %d bytes", got, s.Usage().Bytes)
	}
	if _, err := s.Get(ids[0]); !errors.Is(err, event.ErrNotFound) {
		t.Error(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 50 {
			if _, err := s.Remove(s.IDs(event.Filter{Before: ID(1000, t0)})[1:]); err != nil && !strings.Contains(err.Error(), "going on") {
				t.Error(err)
			}
		}
	})
	s.Limit(8*eventCost, 0)
	for seq := uint64(10); seq < 60; seq++ {
		record(t, s, seq, 2, 10, true)
	}
	wg.Wait()
	want := summary(s)
	if again := summary(open(t, dir)); !strings.Contains(again, ID(59, t0)) || strings.Count(again, "\n") != strings.Count(want, "\n") {
		t.Errorf("%s\nafter a start %s", want, again)
	}
}
