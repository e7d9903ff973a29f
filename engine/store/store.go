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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

const metaName = "event.json"

// reserve is kept free on the disk for the journal and the mail spool, which
// matter more than images.
const reserve = 64 << 20

// eventCost is what an event takes beside its images: a folder and event.json, a
// block each. So a flood of events without images is bounded too.
const eventCost = 8 << 10

// keepNewest events stay when the disk is filled by something else than events.
const keepNewest = 10

// Store is the event store of one directory. Put, AddImage and Usage are one
// goroutine's; the disk is never touched with mu held, so that nobody waits for it.
//
// Invariant, under mu: ids is sorted, oldest first, and bytes[id] is the size of
// that event's files; total is their sum; open holds the events that are going on.
type Store struct {
	dir  string
	disk func() (free, size int64) // of the file system, bytes

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
	s.disk = func() (free, size int64) {
		var fs syscall.Statfs_t
		if syscall.Statfs(dir, &fs) != nil {
			return 0, 0
		}
		return int64(fs.Bavail) * fs.Bsize, int64(fs.Blocks) * fs.Bsize
	}
	for _, e := range entries {
		if !e.IsDir() || !idForm.MatchString(e.Name()) {
			continue // foreign files stay alone
		}
		s.ids = append(s.ids, e.Name())
		s.bytes[e.Name()] = size(filepath.Join(dir, e.Name()))
		s.total += s.bytes[e.Name()]
	}
	slices.SortFunc(s.ids, compareIDs)
	for _, id := range s.ids[max(0, len(s.ids)-16):] {
		if e, err := read(dir, id); err == nil && e.End.IsZero() {
			// For those who read the files; where it cannot be written, as on a
			// full disk, every reader still gets it so from Read.
			_ = s.write(ended(dir, e))
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
	n := int64(eventCost)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Name() != metaName {
			n += info.Size()
		}
	}
	return n
}

// ended gives an event that a crash left open its end, and lists the images that
// were written after its last event.json.
func ended(dir string, e event.Stored) event.Stored {
	files, err := os.ReadDir(filepath.Join(dir, e.ID)) // sorted by name
	for _, f := range files {
		name := f.Name()
		if !strings.HasSuffix(name, ".jpg") || slices.ContainsFunc(e.Images, func(i event.StoredImage) bool { return i.File == name }) {
			continue
		}
		if st, serr := f.Info(); serr == nil {
			e.Images = append(e.Images, event.StoredImage{File: name, At: imageTime(name, e.Start.Location(), st.ModTime()), Bytes: int(st.Size())})
		}
	}
	e.End = e.Start
	if n := len(e.Images); n > 0 && e.Images[n-1].At.After(e.Start) {
		e.End = e.Images[n-1].At
	}
	e.Missing = append(e.Missing, "the rest: the program was stopped or the power was cut during the event")
	if err != nil {
		e.Missing = append(e.Missing, err.Error())
	}
	return e
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
	was := s.open[e.ID]
	e.Images = was.Images
	lost := was.Missing // images that could not be written; the caller's own list comes with each Put
	if _, ok := s.bytes[e.ID]; !ok {
		s.ids = append(s.ids, e.ID)
		s.bytes[e.ID] = eventCost
		s.total += eventCost
	}
	now := e
	now.Missing = lost
	if s.open[e.ID] = now; !e.End.IsZero() {
		delete(s.open, e.ID)
	}
	s.mu.Unlock()
	e.Missing = append(slices.Clone(e.Missing), lost...)
	err := durable.MkdirAll(filepath.Join(s.dir, e.ID), 0o750)
	if err == nil {
		err = s.write(e)
	}
	if err != nil {
		return fmt.Errorf("store event %s: %w", e.ID, err)
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
	perr := s.prune(id) // told at last: the image can be written all the same
	var err error
	if s.low() {
		err = errors.New("the disk is almost full: what is left is kept for the journal and the mail")
	}
	if err == nil {
		err = durable.WriteFile(filepath.Join(s.dir, id, name), 0o640, im.JPEG)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
	return perr
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

// Read returns one event of the store in dir. One that has no end on the disk
// gets it from its last image: it is not going on, or another process has it open.
func Read(dir, id string) (event.Stored, error) {
	e, err := read(dir, id)
	if err == nil && e.End.IsZero() {
		e = ended(dir, e)
	}
	return e, err
}

func read(dir, id string) (event.Stored, error) {
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

// prune removes the oldest events while the store is over its bounds or the disk
// is almost full, never one that is going on nor keep.
func (s *Store) prune(keep string) (failed error) {
	s.mu.Lock()
	ids, maxBytes, maxAge := slices.Clone(s.ids), s.maxBytes, s.maxAge
	s.mu.Unlock()
	for i, id := range ids {
		s.mu.Lock()
		_, running := s.open[id]
		over := maxBytes > 0 && s.total > maxBytes
		s.mu.Unlock()
		over = over || len(ids)-i > keepNewest && s.low()
		if !over && maxAge > 0 {
			// A start before the clock was set says nothing of an event's age.
			if e, err := read(s.dir, id); err == nil && e.Start.After(event.ClockFloor) {
				over = time.Since(e.Start) > maxAge
			}
		}
		if !over {
			return failed
		}
		if running || id == keep {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, id)); err != nil {
			failed = fmt.Errorf("store: remove the oldest event: %w", err)
			continue // the next oldest, then
		}
		s.mu.Lock()
		s.total -= s.bytes[id]
		delete(s.bytes, id)
		s.ids = slices.DeleteFunc(s.ids, func(x string) bool { return x == id })
		s.mu.Unlock()
	}
	return failed
}

// low reports whether the disk has less left than the reserve (on a small disk, a tenth of it).
func (s *Store) low() bool {
	free, size := s.disk()
	return size > 0 && free < min(reserve, size/10)
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
	return Read(s.dir, id)
}

// LastSeq is the highest sequence number among the events' ids, 0 where there is none.
func (s *Store) LastSeq() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ids) == 0 {
		return 0
	}
	seq, _, _ := strings.Cut(s.ids[len(s.ids)-1], "-")
	n, _ := strconv.ParseUint(seq, 10, 64) // the form was checked
	return n
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
	u.FreeBytes, _ = s.disk()
	u.Low = s.low()
	return u
}
