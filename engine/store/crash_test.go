package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/durable/powercut"
	"watchpost/engine/event"
)

// What a life says. From going on, an event may be gone; from gone on, it must be.
type (
	begun   string                    // Put has returned
	stored  struct{ id, file string } // AddImage has returned
	closed  string                    // Put with an End has returned
	going   string
	gone    string
	indexed []string // a checkpoint knows these
)

func crashImage(id string, n int) []byte {
	return []byte(strings.Repeat(fmt.Sprint(id, " ", n, "\n"), 20+n))
}

// life is what happens to a store in dir.
func life(t *testing.T, dir string, say func(fact any)) {
	t.Helper()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	say(indexed{})
	put := func(seq uint64, end bool) string {
		t.Helper()
		e := event.Stored{ID: ID(seq, t0), Trigger: "yard", Start: t0, Firings: 1}
		if end {
			e.End = t0.Add(10 * time.Second)
		}
		ok(s.Put(e))
		if say(begun(e.ID)); end {
			say(closed(e.ID))
		}
		return e.ID
	}
	add := func(id string, n int) {
		t.Helper()
		ok(s.AddImage(id, event.Image{At: t0.Add(time.Duration(n) * time.Second), JPEG: crashImage(id, n)}))
		e, err := s.Get(id)
		ok(err)
		say(stored{id, e.Images[len(e.Images)-1].File})
	}
	var ids []string
	for seq := uint64(1); seq <= 3; seq++ {
		id := put(seq, false)
		ids = append(ids, id)
		add(id, 1)
		add(id, 2)
		if seq < 3 {
			put(seq, true)
		}
	}
	s = open(t, dir) // closes the third
	say(indexed(ids))
	// By the operator.
	say(going(ids[1]))
	if n, err := s.Remove([]string{ids[1]}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	say(gone(ids[1]))
	// By the bound.
	say(going(ids[0]))
	s.Limit(2*eventCost+1500, 0)
	id := put(4, false)
	say(gone(ids[0]))
	s.Limit(0, 0)
	add(id, 1)
	put(4, true)
	put(4, false) // taken up again
	add(id, 2)
	put(4, true)
}

// A power cut at any moment leaves every event that was acknowledged, whole, with
// each image that was; none that was removed, and none of which only a part is
// there. The index tells then what the folders tell, and what it knew when it was
// written anew need not be read again. Each fsync is needed for that.
func TestPowerCut(t *testing.T) {
	root := t.TempDir()
	rec, err := powercut.Record(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rec.Stop)
	life(t, filepath.Join(root, "var", "events"), rec.Say)
	rec.Verify(t, func(root string, said []any) error {
		dir := filepath.Join(root, "var", "events")
		s, err := Open(dir)
		if err != nil {
			return err
		}
		if err := holds(s, said); err != nil {
			return err
		}
		again, err := Open(dir)
		if err != nil || again.read != 0 || again.Usage().Bytes != s.Usage().Bytes {
			return fmt.Errorf("the next start reads %d folders and finds %d bytes instead of %d: %v", again.read, again.Usage().Bytes, s.Usage().Bytes, err)
		}
		if err := os.Remove(filepath.Join(dir, indexName)); err != nil {
			return err
		}
		bare, err := Open(dir)
		if err != nil || bare.Usage().Bytes != s.Usage().Bytes || bare.Usage().Events != s.Usage().Events {
			return fmt.Errorf("without an index there are %d bytes, with it %d: %v", bare.Usage().Bytes, s.Usage().Bytes, err)
		}
		return nil
	})
}

func holds(s *Store, said []any) error {
	mayGo, mustGo := map[string]bool{}, map[string]bool{}
	known := map[string]bool{}
	for _, fact := range said {
		switch f := fact.(type) {
		case going:
			mayGo[string(f)] = true
		case gone:
			mustGo[string(f)] = true
		case indexed:
			for _, id := range f {
				known[id] = true
			}
		}
	}
	list, err := s.List(event.Filter{})
	if err != nil {
		return err
	}
	found := map[string]event.Stored{}
	unknown := 0
	for _, e := range list {
		found[e.ID] = e
		if !known[e.ID] {
			unknown++
		}
		if mustGo[e.ID] {
			return fmt.Errorf("%s is back", e.ID)
		}
		if strings.Contains(strings.Join(e.Missing, " "), metaName) || e.Trigger != "yard" {
			return fmt.Errorf("%s is half there: %v", e.ID, e.Missing)
		}
		for _, im := range e.Images {
			data, err := os.ReadFile(filepath.Join(s.Dir(e.ID), im.File))
			n := im.At.Sub(t0) / time.Second
			if err != nil || string(data) != string(crashImage(e.ID, int(n))) || len(data) != im.Bytes {
				return fmt.Errorf("%s lists %s, of which there are %d bytes: %v", e.ID, im.File, len(data), err)
			}
		}
	}
	if s.read > unknown+1 { // and, perhaps, an empty folder
		return fmt.Errorf("%d folders were read, of which the index should have known all but %d", s.read, unknown)
	}
	for _, fact := range said {
		switch f := fact.(type) {
		case begun:
			if _, ok := found[string(f)]; !ok && !mayGo[string(f)] {
				return fmt.Errorf("event %s is lost", f)
			}
		case stored:
			e, ok := found[f.id]
			if ok && !strings.Contains(fmt.Sprint(e.Images), f.file) {
				return fmt.Errorf("image %s of %s is lost", f.file, f.id)
			}
		case closed:
			if e, ok := found[string(f)]; ok && e.End.IsZero() {
				return fmt.Errorf("%s has lost its end", f)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(s.dir, ".tmp-*"))
	if len(left) > 0 {
		return fmt.Errorf("left over: %v %v", left, err)
	}
	return nil
}
