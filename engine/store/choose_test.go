package store

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"watchpost/engine/event"
)

// An event is found by its id, whatever its times have become, and goes alone.
func TestOneEventIsChosen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var ids []string
	for i := range 5 {
		ids = append(ids, record(t, s, uint64(i+1), 2, 10, true))
	}
	if err := os.WriteFile(filepath.Join(dir, ids[2], metaName), []byte("{"), 0o640); err != nil {
		t.Fatal(err)
	}
	one := event.Filter{ID: ids[2], N: 1}
	if k := s.Count(one); k.Events != 1 || k.Images != 2 {
		t.Errorf("%+v", k)
	}
	if got, err := s.List(one); err != nil || len(got) != 1 || got[0].ID != ids[2] {
		t.Errorf("%+v, %v", got, err)
	}
	for _, f := range []event.Filter{{ID: "00000009-20261123T205107"}, {ID: "x"}, {ID: ids[2], Before: ids[2]}, {ID: ids[2], Trigger: "door"}, {ID: ids[2], From: t0.Add(time.Hour)}} {
		if got := s.IDs(f); len(got) != 0 {
			t.Errorf("%+v chooses %v", f, got)
		}
	}
	if n, err := s.Remove(s.IDs(one)); n != 1 || err != nil {
		t.Error(n, err)
	}
	if got, err := s.List(one); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	slices.Reverse(ids)
	if got := s.IDs(event.Filter{}); !slices.Equal(got, slices.Delete(ids, 2, 3)) {
		t.Error(got)
	}
}
