package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"watchpost/engine/event"
)

// metaMax bounds what is read of an event.json; 2000 images take a tenth of it.
const metaMax = 4 << 20

const imageStamp = "20060102T150405.000"

// isImage tells an image's file name from all else that may be in a folder.
func isImage(name string) bool {
	return strings.HasSuffix(name, ".jpg") && !strings.HasPrefix(name, ".") && filepath.Base(name) == name
}

func imageTime(name string, zone *time.Location, otherwise time.Time) time.Time {
	_, stamp, ok := strings.Cut(strings.TrimSuffix(name, ".jpg"), "-")
	if at, err := time.ParseInLocation(imageStamp, stamp, zone); ok && err == nil {
		return at
	}
	return otherwise
}

// Read returns one event of the store in dir. One that has no end on the disk
// gets it from its last image: it is not going on, or another process has it open.
// One whose event.json is damaged or missing is what its folder tells, and says so.
func Read(dir, id string) (event.Stored, error) {
	e, err := read(dir, id)
	switch {
	case errors.Is(err, event.ErrNotFound):
		return event.Stored{}, err
	case err != nil:
		return salvaged(dir, id, err), nil
	case e.End.IsZero():
		return ended(dir, e), nil
	}
	return e, nil
}

// read reads event.json. The error is event.ErrNotFound where there is no such event.
func read(dir, id string) (event.Stored, error) {
	var e event.Stored
	_, _, ok := parseID(id)
	folder := filepath.Join(dir, id)
	st, err := os.Lstat(folder)
	if ok && err != nil && !errors.Is(err, os.ErrNotExist) {
		return e, cause(err)
	}
	if !ok || err != nil || !st.IsDir() {
		return e, fmt.Errorf("event %q: %w", id, event.ErrNotFound)
	}
	path := filepath.Join(folder, metaName)
	st, err = os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return e, errors.New("it is missing")
	case err != nil:
		return e, cause(err)
	case !st.Mode().IsRegular():
		return e, errors.New("it is no file")
	case st.Size() > metaMax:
		return e, fmt.Errorf("it has %d bytes, which none of ours has", st.Size())
	}
	f, err := os.Open(path)
	if err != nil {
		return e, cause(err)
	}
	defer f.Close()
	js, err := io.ReadAll(io.LimitReader(f, metaMax))
	if err != nil {
		return e, cause(err)
	}
	if err := json.Unmarshal(js, &e); err != nil {
		return event.Stored{}, err
	}
	if e.Start.IsZero() {
		return event.Stored{}, errors.New("it does not say when the event began")
	}
	e.ID = id
	// Another hand's file must not lead out of the folder.
	e.Images = slices.DeleteFunc(e.Images, func(im event.StoredImage) bool { return !isImage(im.File) })
	return e, nil
}

// images lists the images that are in an event's folder.
func images(dir, id string, zone *time.Location) ([]event.StoredImage, error) {
	files, err := os.ReadDir(filepath.Join(dir, id)) // sorted by name
	var found []event.StoredImage
	for _, f := range files {
		if !isImage(f.Name()) || !f.Type().IsRegular() {
			continue
		}
		if st, err := f.Info(); err == nil {
			found = append(found, event.StoredImage{File: f.Name(), At: imageTime(f.Name(), zone, st.ModTime()), Bytes: int(st.Size())})
		}
	}
	return found, err
}

const cutShort = "the rest: the program was stopped or the power was cut during the event"

// ended gives an event that a crash left open its end, and lists the images that
// were written after its last event.json.
func ended(dir string, e event.Stored) event.Stored {
	found, err := images(dir, e.ID, e.Start.Location())
	for _, im := range found {
		if !slices.ContainsFunc(e.Images, func(i event.StoredImage) bool { return i.File == im.File }) {
			im.Estimate = e.Unset != nil && e.Unset.End
			e.Images = append(e.Images, im)
		}
	}
	e.End = lastOf(e)
	if u := e.Unset; u != nil {
		n := len(e.Images)
		e.Unset = &event.Unset{Boot: u.Boot, Up: u.Up, End: n == 0 || e.Images[n-1].Estimate || !e.End.Equal(e.Images[n-1].At)}
	}
	e.Missing = append(e.Missing, cutShort)
	if err != nil {
		e.Missing = append(e.Missing, err.Error())
	}
	return e
}

func lastOf(e event.Stored) time.Time {
	if n := len(e.Images); n > 0 && e.Images[n-1].At.After(e.Start) {
		return e.Images[n-1].At
	}
	return e.Start
}

// salvaged is what can be told of an event whose event.json cannot be read.
func salvaged(dir, id string, why error) event.Stored {
	_, at, _ := parseID(id)
	e := event.Stored{ID: id, Start: at, Missing: []string{fmt.Sprintf("what %s said: %v", metaName, why)}}
	var err error
	if e.Images, err = images(dir, id, at.Location()); err != nil {
		e.Missing = append(e.Missing, err.Error())
	}
	e.End = lastOf(e)
	return e
}

// Get returns one event.
func (s *Store) Get(id string) (event.Stored, error) {
	s.mu.Lock()
	if r, going := s.open[id]; going {
		defer s.mu.Unlock()
		return r.stored(), nil
	}
	x := s.find(id)
	var trigger string
	if x != nil {
		trigger = x.trigger
	}
	s.mu.Unlock()
	if x == nil {
		return event.Stored{}, fmt.Errorf("event %q: %w", id, event.ErrNotFound)
	}
	e, err := Read(s.dir, id)
	if _, away := s.reachable(); errors.Is(err, event.ErrNotFound) && away != nil { // the disk is, not the event
		return e, away
	}
	if e.Trigger == "" { // event.json was damaged since
		e.Trigger = trigger
	}
	return e, err
}

// List returns the events that f chooses, newest first. It reads an event.json
// for each that it returns and for no other.
func (s *Store) List(f event.Filter) ([]event.Stored, error) {
	if _, err := s.reachable(); err != nil {
		return nil, err
	}
	out := []event.Stored{}
	for page := f; ; {
		if f.N > 0 {
			page.N = f.N - len(out)
		}
		ids := s.IDs(page)
		for _, id := range ids {
			e, err := s.Get(id)
			switch {
			case errors.Is(err, event.ErrNotFound): // removed since the index was asked, or by hand
			case err != nil:
				return out, err
			default:
				out = append(out, e)
			}
		}
		if len(ids) == 0 || f.N == 0 || len(out) >= f.N {
			return out, nil
		}
		page.Before = ids[len(ids)-1]
	}
}

// IDs returns the ids of the events that f chooses, newest first. The disk is not asked.
func (s *Store) IDs(f event.Filter) []string {
	ids, _ := s.choose(f)
	return ids
}

// choose also counts them.
func (s *Store) choose(f event.Filter) (ids []string, k event.Kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest, i := 0, len(s.order)
	if f.Before != "" {
		i, _ = s.position(f.Before)
	}
	if f.ID != "" {
		at, there := s.position(f.ID)
		if !there || at >= i {
			return nil, k
		}
		oldest, i = at, at+1
	}
	for i--; i >= oldest && (f.N <= 0 || len(ids) < f.N); i-- {
		if x := s.order[i]; x.chosen(f) {
			ids = append(ids, x.id)
			k.Events, k.Images, k.Bytes = k.Events+1, k.Images+x.images, k.Bytes+x.bytes
		}
	}
	return ids, k
}

func (x *entry) chosen(f event.Filter) bool {
	return (f.Trigger == "" || x.trigger == f.Trigger) &&
		(f.From.IsZero() || x.start >= f.From.UnixMilli()) && (f.To.IsZero() || x.start < f.To.UnixMilli())
}

// Count tells what there is of the events that f chooses, for the question before
// they are removed. The disk is not asked.
func (s *Store) Count(f event.Filter) event.Kept {
	ids, k := s.choose(f)
	s.mu.Lock()
	pending := s.pending
	s.mu.Unlock()
	if pending == nil {
		return k
	}
	for _, id := range ids {
		if pending(id) {
			k.Waiting++
		}
	}
	return k
}

// Best returns the image of an event with the highest motion level, false where
// there is none.
func (s *Store) Best(id string) (event.Image, bool) {
	e, err := s.Get(id)
	if err != nil || len(e.Images) == 0 {
		return event.Image{}, false
	}
	best := e.Images[0]
	for _, im := range e.Images {
		if !im.At.Before(e.Start) && (im.Level > best.Level || best.At.Before(e.Start)) {
			best = im
		}
	}
	data, err := s.FS().(files).ReadFile(id + "/" + best.File)
	if err != nil {
		return event.Image{}, false
	}
	return event.Image{At: best.At, Level: best.Level, JPEG: data}, true
}
