// Package store keeps events: a folder an event, with its images as JPEG files
// and event.json, readable without this program.
//
// It is not the mail spool and not the journal: what it loses is images, and it
// says so in the event. It starts no goroutine; one writer (the engine's keeper)
// and any number of readers.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

const metaName = "event.json"

// Store is the event store of one directory.
//
// Invariant, under mu: ids is sorted, oldest first, and bytes[id] is the size of
// that event's files; total is their sum.
type Store struct {
	dir string

	mu       sync.Mutex
	maxBytes int64
	maxAge   time.Duration
	ids      []string
	bytes    map[string]int64
	total    int64
	open     map[string]event.Stored
}

// ID makes an event's id: it sorts by age whatever the clock said.
func ID(seq uint64, at time.Time) string {
	return fmt.Sprintf("%08d-%s", seq, at.Format("20060102T150405"))
}

var idForm = regexp.MustCompile(`^[0-9]{8,20}-[0-9]{8}T[0-9]{6}$`)

// Open opens the store in dir and closes the events that a crash left open.
func Open(dir string) (*Store, error) {
	if err := durable.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open the event store: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open the event store: %w", err)
	}
	s := &Store{dir: dir, bytes: map[string]int64{}, open: map[string]event.Stored{}}
	for _, e := range entries {
		if !e.IsDir() || !idForm.MatchString(e.Name()) {
			continue // foreign files stay alone
		}
		s.ids = append(s.ids, e.Name())
		s.bytes[e.Name()] = size(filepath.Join(dir, e.Name()))
		s.total += s.bytes[e.Name()]
	}
	slices.SortFunc(s.ids, compareIDs)
	for _, id := range s.ids[max(0, len(s.ids)-16):] { // only the newest can have been open
		e, err := s.read(id)
		if err == nil && e.End.IsZero() {
			s.adopt(&e)
			e.End = e.Start
			if n := len(e.Images); n > 0 {
				e.End = e.Images[n-1].At
			}
			e.Missing = append(e.Missing, "the rest: the program was stopped or the power was cut during the event")
			if err := s.write(e); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// Seq numbers of different lengths still sort by number.
func compareIDs(a, b string) int {
	if d := strings.IndexByte(a, '-') - strings.IndexByte(b, '-'); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func size(dir string) int64 {
	var n int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// adopt lists image files that were written after the last event.json.
func (s *Store) adopt(e *event.Stored) {
	files, _ := filepath.Glob(filepath.Join(s.dir, e.ID, "*.jpg"))
	slices.Sort(files)
	for _, f := range files {
		name := filepath.Base(f)
		if slices.ContainsFunc(e.Images, func(i event.StoredImage) bool { return i.File == name }) {
			continue
		}
		if st, err := os.Stat(f); err == nil {
			e.Images = append(e.Images, event.StoredImage{File: name, At: imageTime(name, e.Start.Location(), st.ModTime()), Bytes: int(st.Size())})
		}
	}
}

const imageStamp = "20060102T150405.000"

func imageTime(name string, zone *time.Location, otherwise time.Time) time.Time {
	_, stamp, ok := strings.Cut(strings.TrimSuffix(name, ".jpg"), "-")
	if at, err := time.ParseInLocation(imageStamp, stamp, zone); ok && err == nil {
		return at
	}
	return otherwise
}

// Limit sets the store's bounds; zero is none. They are kept at the next Put.
func (s *Store) Limit(maxBytes int64, maxAge time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maxBytes, s.maxAge = maxBytes, maxAge
}

// Put writes what is known of an event, all but the list of its images, which
// the store keeps itself. An event with an End is finished. Idempotent.
func (s *Store) Put(e event.Stored) error {
	if !idForm.MatchString(e.ID) {
		return fmt.Errorf("store: %q is no event id", e.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.open[e.ID]; ok {
		e.Images = was.Images
		e.Missing = append(slices.Clone(e.Missing), was.Missing...)
	}
	if err := durable.MkdirAll(filepath.Join(s.dir, e.ID), 0o750); err != nil {
		return fmt.Errorf("store event %s: %w", e.ID, err)
	}
	if _, ok := s.bytes[e.ID]; !ok {
		s.ids = append(s.ids, e.ID)
		s.bytes[e.ID] = 0
	}
	if err := s.write(e); err != nil {
		return fmt.Errorf("store event %s: %w", e.ID, err)
	}
	if e.End.IsZero() {
		e.Missing = nil // the caller's list comes again with the next Put
		if was, ok := s.open[e.ID]; ok {
			e.Missing = was.Missing
		}
		s.open[e.ID] = e
	} else {
		delete(s.open, e.ID)
	}
	return s.prune(e.ID)
}

// AddImage writes one image of an open event. An image that cannot be written is
// listed as missing with the reason.
func (s *Store) AddImage(id string, im event.Image) error {
	s.mu.Lock()
	e, ok := s.open[id]
	s.mu.Unlock()
	if !ok {
		return fmt.Errorf("store image: event %s: %w", id, event.ErrNotFound)
	}
	name := fmt.Sprintf("%04d-%s.jpg", len(e.Images)+1, im.At.Format(imageStamp))
	err := durable.WriteFile(filepath.Join(s.dir, id, name), 0o640, im.JPEG)
	s.mu.Lock()
	defer s.mu.Unlock()
	e = s.open[id]
	if err != nil {
		if len(e.Missing) < 20 {
			e.Missing = append(e.Missing, fmt.Sprintf("the image of %s: %v", im.At.Format("15:04:05.000"), cause(err)))
		}
		s.open[id] = e
		return fmt.Errorf("store image: %w", err)
	}
	e.Images = append(e.Images, event.StoredImage{File: name, At: im.At, Level: im.Level, Bytes: len(im.JPEG)})
	s.open[id] = e
	s.bytes[id] += int64(len(im.JPEG))
	s.total += int64(len(im.JPEG))
	return nil
}

func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func (s *Store) write(e event.Stored) error {
	js, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(s.dir, e.ID, metaName), 0o640, append(js, '\n'))
}

func (s *Store) read(id string) (event.Stored, error) { return Read(s.dir, id) }

// Read returns one event of the store in dir, which another process may have open.
func Read(dir, id string) (event.Stored, error) {
	var e event.Stored
	if !idForm.MatchString(id) {
		return e, fmt.Errorf("event %q: %w", id, event.ErrNotFound)
	}
	js, err := os.ReadFile(filepath.Join(dir, id, metaName))
	if errors.Is(err, os.ErrNotExist) {
		return e, fmt.Errorf("event %q: %w", id, event.ErrNotFound)
	}
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(js, &e); err != nil {
		return e, fmt.Errorf("event %s: %w", id, err)
	}
	e.ID = id
	return e, nil
}

// prune removes the oldest events beyond the bounds, never keep.
func (s *Store) prune(keep string) error {
	for len(s.ids) > 0 && s.ids[0] != keep {
		id := s.ids[0]
		over := s.maxBytes > 0 && s.total > s.maxBytes
		if !over && s.maxAge > 0 {
			if e, err := s.read(id); err == nil && !e.Start.IsZero() {
				over = time.Since(e.Start) > s.maxAge
			}
		}
		if _, running := s.open[id]; !over || running {
			return nil
		}
		if err := os.RemoveAll(filepath.Join(s.dir, id)); err != nil {
			return fmt.Errorf("store: remove the oldest event: %w", err)
		}
		s.total -= s.bytes[id]
		delete(s.bytes, id)
		s.ids = s.ids[1:]
	}
	return nil
}

// List returns the newest events, newest first, at most n.
func (s *Store) List(n int) ([]event.Stored, error) {
	s.mu.Lock()
	ids := slices.Clone(s.ids[max(0, len(s.ids)-n):])
	s.mu.Unlock()
	slices.Reverse(ids)
	out := make([]event.Stored, 0, len(ids))
	for _, id := range ids {
		e, err := s.Get(id)
		if err != nil {
			e = event.Stored{ID: id, Missing: []string{err.Error()}}
		}
		out = append(out, e)
	}
	return out, nil
}

// Get returns one event.
func (s *Store) Get(id string) (event.Stored, error) {
	s.mu.Lock()
	e, running := s.open[id]
	known := running
	if !running {
		_, known = s.bytes[id]
	}
	s.mu.Unlock()
	if !known {
		return event.Stored{}, fmt.Errorf("event %q: %w", id, event.ErrNotFound)
	}
	if running {
		e.Images = slices.Clone(e.Images)
		return e, nil
	}
	return s.read(id)
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
	data, err := os.ReadFile(filepath.Join(s.dir, id, best.File))
	if err != nil {
		return event.Image{}, false
	}
	return event.Image{At: best.At, Level: best.Level, JPEG: data}, true
}

// Dir returns the folder of an event.
func (s *Store) Dir(id string) string { return filepath.Join(s.dir, id) }

// Usage returns the number of events, their bytes, the bound and the file system's free bytes.
func (s *Store) Usage() event.Storage {
	s.mu.Lock()
	u := event.Storage{Directory: s.dir, Events: len(s.ids), Bytes: s.total, MaxBytes: s.maxBytes}
	s.mu.Unlock()
	var fs syscall.Statfs_t
	if syscall.Statfs(s.dir, &fs) == nil {
		u.FreeBytes = int64(fs.Bavail) * fs.Bsize
	}
	return u
}
