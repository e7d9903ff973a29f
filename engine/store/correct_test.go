package store

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

const thisBoot = "this boot"

// guessed stores an event of a clock that was not set, of seven seconds from up on.
func guessed(t *testing.T, s *Store, seq uint64, boot string, up time.Duration) string {
	t.Helper()
	at := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC).Add(up)
	e := event.Stored{ID: ID(seq, at), Trigger: "yard", Source: event.Motion, Start: at, Firings: 1, Unset: &event.Unset{Boot: boot, Up: event.Span(up)}}
	err := s.Put(e)
	if err == nil {
		err = s.AddImage(e.ID, event.Image{At: at, JPEG: []byte("x"), Estimate: true})
	}
	e.End, e.Unset = at.Add(7*time.Second), &event.Unset{Boot: boot, Up: event.Span(up), End: true}
	if err == nil {
		err = s.Put(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e.ID
}

// correct corrects what is there, of a box that was started at t0.
func correct(s *Store) error {
	return s.Correct(thisBoot, func(up time.Duration) time.Time { return t0.Add(up) })
}

func began(t *testing.T, s *Store, id string) time.Time {
	t.Helper()
	e, err := s.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return e.Start
}

// What is damaged, was removed by hand, or is removed in this very moment holds up no
// correction of others, and is no failure of the disk.
func TestCorrectionGoesPastWhatIsGone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var gone []string
	for i := range correctOnce + 5 {
		gone = append(gone, guessed(t, s, uint64(i+1), thisBoot, time.Minute))
	}
	damaged, removed := guessed(t, s, 80, thisBoot, 2*time.Minute), guessed(t, s, 81, thisBoot, 3*time.Minute)
	last := guessed(t, s, 82, thisBoot, 4*time.Minute)
	for _, id := range gone {
		if err := os.RemoveAll(filepath.Join(dir, id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, damaged, metaName), []byte(`{"id`), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := s.Correct(thisBoot, func(up time.Duration) time.Time {
			if up == 3*time.Minute {
				if _, err := s.Remove([]string{removed}); err != nil {
					t.Error(err)
				}
			}
			return t0.Add(up)
		})
		if err != nil {
			t.Error(err)
		}
	}
	if at := began(t, s, last); !at.Equal(t0.Add(4 * time.Minute)) {
		t.Errorf("the last one began at %v", at)
	}
	if _, err := os.Stat(filepath.Join(dir, removed)); err == nil {
		t.Error("what was removed is back")
	}
	if s.uncorrected {
		t.Error("it is never done")
	}
}

// An event that cannot be written now is corrected later, the others at once.
func TestCorrectionOfOneThatCannotBeWritten(t *testing.T) {
	s := open(t, t.TempDir())
	one, two := guessed(t, s, 1, thisBoot, time.Minute), guessed(t, s, 2, thisBoot, 2*time.Minute)
	undo := durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		if strings.Contains(c.Path, one) {
			return syscall.ENOSPC
		}
		return nil
	}})
	err := correct(s)
	undo()
	if err != syscall.ENOSPC || began(t, s, one).Year() != 1970 || !began(t, s, two).Equal(t0.Add(2*time.Minute)) {
		t.Errorf("%v; %v, %v", err, began(t, s, one), began(t, s, two))
	}
	if err := correct(s); err != nil || !began(t, s, one).Equal(t0.Add(time.Minute)) {
		t.Errorf("%v; %v", err, began(t, s, one))
	}
}

// A disk that comes back after the clock was set brings events to correct.
func TestCorrectionOfADiskThatCameBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "events")
	s := open(t, dir)
	id := guessed(t, s, 1, thisBoot, time.Minute)
	away := dir + "-away"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	if err := correct(s); err != nil {
		t.Error(err)
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	if err := correct(s); err != nil || !began(t, s, id).Equal(t0.Add(time.Minute)) {
		t.Errorf("%v; %v", err, began(t, s, id))
	}
}

// The index follows event.json: also where the program ends between the two, and
// whatever start of the box comes then.
func TestCorrectionThatWasCutShort(t *testing.T) {
	for _, boot := range []string{thisBoot, "the next one"} {
		dir := t.TempDir()
		s := open(t, dir)
		id, other := guessed(t, s, 1, thisBoot, time.Minute), guessed(t, s, 2, "an earlier one", time.Minute)
		before, err := os.ReadFile(filepath.Join(dir, indexName))
		if err == nil {
			err = correct(s)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, indexName), before, 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s = open(t, dir)
			if err := s.Correct(boot, func(time.Duration) time.Time { return t0.AddDate(1, 0, 0) }); err != nil {
				t.Error(err)
			}
			is := event.Filter{From: t0, To: t0.Add(time.Hour)}
			if ids := s.IDs(is); len(ids) != 1 || ids[0] != id || !began(t, s, id).Equal(t0.Add(time.Minute)) {
				t.Errorf("%s: %v, %v", boot, ids, began(t, s, id))
			}
			if at := began(t, s, other); at.Year() != 1970 {
				t.Errorf("%s: of an earlier start: %v", boot, at)
			}
		}
	}
}

// The estimate was in winter, the truth is in summer: the file says so.
func TestCorrectedIntoItsZone(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	s := open(t, dir)
	id := guessed(t, s, 1, thisBoot, time.Minute)
	summer := time.Date(2027, 7, 1, 12, 0, 0, 0, zone)
	if err := s.Correct(thisBoot, func(time.Duration) time.Time { return summer }); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, id, metaName))
	if err != nil || !strings.Contains(string(text), `"start": "2027-07-01T12:00:00+02:00"`) || !strings.Contains(string(text), `"end": "2027-07-01T12:00:07+02:00"`) ||
		!strings.Contains(string(text), `"at": "2027-07-01T12:00:00+02:00"`) {
		t.Errorf("%s, %v", text, err)
	}
}

// The clock was set during an event, and the program died in it: what came after that
// has its true times already.
func TestCorrectionOfOneThatWasCutShort(t *testing.T) {
	for _, set := range []bool{false, true} {
		dir := t.TempDir()
		s := open(t, dir)
		at := time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)
		e := event.Stored{ID: ID(1, at), Trigger: "yard", Start: at, Firings: 1, Unset: &event.Unset{Boot: thisBoot, Up: event.Span(time.Minute), End: true}}
		err := s.Put(e)
		if err == nil {
			err = s.AddImage(e.ID, event.Image{At: at, JPEG: []byte("x"), Estimate: true})
		}
		if set {
			e.Unset = &event.Unset{Boot: thisBoot, Up: event.Span(time.Minute)}
			at = t0.Add(time.Minute)
		}
		if err == nil {
			err = s.Put(e)
		}
		at = at.Add(5 * time.Second)
		if err == nil {
			err = s.AddImage(e.ID, event.Image{At: at, JPEG: []byte("y"), Estimate: !set})
		}
		if err != nil {
			t.Fatal(err)
		}
		s = open(t, dir)
		if err := correct(s); err != nil {
			t.Error(err)
		}
		got, err := s.Get(e.ID)
		begins := t0.Add(time.Minute)
		if err != nil || !got.Start.Equal(begins) || !got.Images[0].At.Equal(begins) || !got.Images[1].At.Equal(begins.Add(5*time.Second)) || !got.End.Equal(got.Images[1].At) {
			t.Errorf("set meanwhile %v: %+v, %v", set, got, err)
		}
	}
}
