// Package store keeps events: a folder an event, with its images as JPEG files
// and event.json, readable without this program.
//
// Beside the folders stands an index (index.go), so that neither a start nor a
// listing reads more than it must; it is a copy of what the folders say, and is
// made anew where it is missing or damaged. An event is whole or gone: one that is
// removed first gets another name.
//
// It is not the mail spool and not the journal: what it loses is images, and it
// says so in the event. It starts no goroutine; one writer (the engine's keeper),
// any number of readers, and Remove from anywhere.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// Reserve is what is kept free of a disk of so many bytes: on a small one a tenth.
func Reserve(size int64) int64 { return min(reserve, size/10) }

// eventCost is what an event takes beside its images: a folder and event.json, a
// block each. So a flood of events without images is bounded too.
const eventCost = 8 << 10

// Store is the event store of one directory. Put, AddImage and Usage are one
// goroutine's; the disk is never touched with mu held, so that nobody waits for it.
//
// Invariant, under mu: order is sorted, oldest first; total is the sum of its
// bytes; open holds the events that are going on, each of which is in order too.
type Store struct {
	dir  string
	disk func() (free, size int64) // of the file system, bytes

	// The writer's own.
	root  os.FileInfo // the folder that was read; nil: it is to be read anew
	index index
	plan  plan // what to remove next
	read  int  // folders that the last scan had to read, for tests
	// There may be events whose times are to be corrected once the clock is set.
	uncorrected bool

	mu       sync.Mutex
	maxBytes int64
	maxAge   time.Duration
	looked   time.Time // when ages were looked at last
	pending  func(id string) bool
	order    []*entry
	total    int64
	open     map[string]*running
	stuck    error    // why the last removal failed
	version  uint64   // counts what makes a plan old
	trash    []string // folders that are removed but could not be deleted yet
}

// entry is what is known of an event without reading its folder.
type entry struct {
	id, trigger string
	start, end  int64 // Unix milliseconds; end 0: it is going on
	bytes       int64
	images      int
	keep        bool
	unset       bool // its times are estimates that can still be corrected
	damaged     bool // event.json cannot be read; start is the id's
	gone        bool // it is just being taken out
}

// running is an event that is going on. The store keeps the list of its images;
// Missing is the caller's.
type running struct {
	event.Stored
	lost   []lost
	notes  []string // of what was lost before it was taken up again
	made   bool     // its folder is there for good
	behind bool     // event.json could not be written
}

// lost is a row of images that could not be written for one cause.
type lost struct {
	cause       string
	n           int
	first, last time.Time
}

const lostMax = 20 // rows; what comes after them is added to the last

func (r *running) lose(at time.Time, cause string) {
	if n := len(r.lost); n > 0 && (r.lost[n-1].cause == cause || n == lostMax) {
		l := &r.lost[n-1]
		l.n, l.last = l.n+1, at
		return
	}
	r.lost = append(r.lost, lost{cause, 1, at, at})
}

// stored is what event.json is to say.
func (r *running) stored() event.Stored {
	e := r.Stored
	e.Images = slices.Clone(e.Images)
	e.Missing = append(slices.Clone(e.Missing), r.notes...)
	const clock = "15:04:05.000"
	for _, l := range r.lost {
		text := fmt.Sprintf("the image of %s: %s", l.first.Format(clock), l.cause)
		if l.n > 1 {
			text = fmt.Sprintf("%d images of %s to %s: %s", l.n, l.first.Format(clock), l.last.Format(clock), l.cause)
		}
		e.Missing = append(e.Missing, text)
	}
	return e
}

const idStamp = "20060102T150405"

// ID makes an event's id: it sorts by age whatever the clock said.
func ID(seq uint64, at time.Time) string {
	return fmt.Sprintf("%08d-%s", seq, at.Format(idStamp))
}

// parseID takes an id apart. An absurd number is none of ours, and must not make
// the next one overflow.
func parseID(id string) (seq uint64, at time.Time, ok bool) {
	number, stamp, _ := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(number, 10, 62)
	if err != nil || len(number) < 8 || number[0] == '0' && len(number) > 8 {
		return 0, at, false
	}
	at, err = time.ParseInLocation(idStamp, stamp, time.Local)
	return seq, at, err == nil && len(stamp) == len(idStamp)
}

// compareIDs sorts by number, of whatever length.
func compareIDs(a, b string) int {
	if d := strings.IndexByte(a, '-') - strings.IndexByte(b, '-'); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// Open opens the store in dir and closes the events that a crash left open.
func Open(dir string) (*Store, error) {
	if err := durable.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open the event store: %w", err)
	}
	s := &Store{dir: dir, open: map[string]*running{}, index: index{path: filepath.Join(dir, indexName)}}
	s.disk = func() (free, size int64) {
		var fs syscall.Statfs_t
		if syscall.Statfs(dir, &fs) != nil {
			return 0, 0
		}
		return int64(fs.Bavail) * fs.Bsize, int64(fs.Blocks) * fs.Bsize
	}
	if err := s.here(); err != nil {
		return nil, fmt.Errorf("open the event store: %w", err)
	}
	return s, nil
}

// reachable tells why the store's folder cannot be used.
func (s *Store) reachable() (os.FileInfo, error) {
	st, err := os.Stat(s.dir)
	if err == nil && !st.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, fmt.Errorf("the event store %s cannot be reached (%v): is its disk still there? It is used again as soon as it is back", s.dir, cause(err))
	}
	return st, nil
}

// here is reachable for the writer: where the folder is another one, or is back
// after it was gone, it is read anew.
func (s *Store) here() error {
	st, err := s.reachable()
	switch {
	case err != nil:
		s.root = nil
		return err
	case s.root != nil && os.SameFile(s.root, st):
		return nil
	}
	if err := s.scan(); err != nil {
		return err
	}
	s.root = st
	return nil
}

// Limit sets the store's bounds; zero is none. They are kept at the next Put.
func (s *Store) Limit(maxBytes int64, maxAge time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maxBytes, s.maxAge, s.looked = maxBytes, maxAge, time.Time{}
}

// SetPending tells the store how to ask whether images of an event are still to
// be transferred: of what must go, such events go last. It is called from any
// goroutine, with no lock of the store held.
func (s *Store) SetPending(pending func(id string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = pending
	s.version++
}

// find returns the entry of an event, nil where there is none; with mu held.
func (s *Store) find(id string) *entry {
	if i, ok := s.position(id); ok {
		return s.order[i]
	}
	return nil
}

func (s *Store) position(id string) (int, bool) {
	if n := len(s.order); n > 0 && compareIDs(s.order[n-1].id, id) < 0 {
		return n, false
	}
	return slices.BinarySearchFunc(s.order, id, func(e *entry, id string) int { return compareIDs(e.id, id) })
}

// enter returns the entry of an event, made where there is none; with mu held.
func (s *Store) enter(id string) *entry {
	i, ok := s.position(id)
	if !ok {
		s.order = slices.Insert(s.order, i, &entry{id: id, bytes: eventCost})
		s.total += eventCost
	}
	return s.order[i]
}

// ErrUnwritten is where an event is not on the disk as Put was told.
var ErrUnwritten = errors.New("the event is not written")

// unwritten is an ErrUnwritten that speaks of its cause only.
type unwritten struct{ error }

func (u unwritten) Is(target error) bool { return target == ErrUnwritten }
func (u unwritten) Unwrap() error        { return u.error }

// Put writes what is known of an event, all but the list of its images, which
// the store keeps itself. An event with an End is finished. Idempotent. With
// ErrUnwritten it is to be called again; any other error is about making room.
func (s *Store) Put(e event.Stored) error {
	if _, _, ok := parseID(e.ID); !ok {
		return fmt.Errorf("store: %q is no event id", e.ID)
	}
	err := s.here()
	s.mu.Lock()
	r, going := s.open[e.ID]
	known := s.find(e.ID) != nil
	s.mu.Unlock()
	if !going {
		r = &running{}
		if known {
			r = s.again(e)
		}
	}
	s.mu.Lock()
	e.Images = r.Images
	r.Stored = e
	r.Missing = slices.Clone(e.Missing)
	r.behind = true
	x := s.enter(e.ID)
	reopened := x.end != 0 && e.End.IsZero()
	x.trigger, x.keep, x.start, x.end, x.unset, x.damaged = e.Trigger, e.Keep, e.Start.UnixMilli(), 0, e.Unset != nil, false
	s.open[e.ID] = r
	s.mu.Unlock()
	if err == nil {
		if reopened {
			s.checkpoint() // it must not be taken for finished, nor its images for known
		}
		err = s.save(r)
	}
	there := err == nil
	if err != nil && !e.End.IsZero() {
		st, serr := os.Lstat(filepath.Join(s.dir, e.ID))
		there = serr == nil && st.IsDir()
	}
	switch {
	case e.End.IsZero():
	case err != nil && there: // what is there says less: it goes on until its end can be written
	default:
		s.mu.Lock()
		x.end = max(e.End.UnixMilli(), 1)
		delete(s.open, e.ID)
		s.uncorrected = s.uncorrected || x.unset
		s.version++
		line := x.line()
		s.mu.Unlock()
		if there {
			s.record(line)
		} else {
			s.take([]string{e.ID}) // nothing of it came to the disk
		}
	}
	if err != nil {
		return unwritten{fmt.Errorf("store event %s: %w", e.ID, err)}
	}
	_, err = s.makeRoom(e.ID, 0)
	return err
}

// again takes up an event that was finished.
func (s *Store) again(e event.Stored) *running {
	r := &running{}
	was, err := Read(s.dir, e.ID)
	if err != nil {
		return r
	}
	r.Images = was.Images
	for _, m := range was.Missing {
		if m != cutShort && !slices.Contains(e.Missing, m) { // it was not: here is its end
			r.notes = append(r.notes, m)
		}
	}
	return r
}

// save makes the folder of an event where it is not there, and writes event.json.
func (s *Store) save(r *running) error {
	s.mu.Lock()
	e := r.stored()
	s.mu.Unlock()
	// Not with the folders above: where those are gone, so is the disk.
	err := durable.Mkdir(filepath.Join(s.dir, e.ID), 0o750)
	if st, serr := os.Lstat(filepath.Join(s.dir, e.ID)); err != nil && serr == nil && st.IsDir() {
		err = nil
	}
	if err == nil && !r.made {
		err = durable.SyncDir(s.dir)
		r.made = err == nil
	}
	if err == nil {
		err = s.write(e)
	}
	r.behind = err != nil
	return err
}

func (s *Store) write(e event.Stored) error {
	js, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(s.dir, e.ID, metaName), 0o640, append(js, '\n'))
}

// AddImage writes one image of an open event. An image that cannot be written is
// listed as missing with the reason; so is one, of whatever trigger, that would take
// the store past its bound when nothing is left that may go for it.
func (s *Store) AddImage(id string, im event.Image) error {
	s.mu.Lock()
	r, ok := s.open[id]
	s.mu.Unlock()
	if !ok {
		return fmt.Errorf("store image: event %s: %w", id, event.ErrNotFound)
	}
	err := s.here()
	var untidy error // told at last: the image can be written all the same
	if err == nil {
		var full error
		full, untidy = s.makeRoom(id, int64(len(im.JPEG)))
		if err = full; s.low() {
			err = errors.New("the disk is almost full: what is left is kept for the journal and the mail")
		}
	}
	if err == nil && r.behind {
		err = s.save(r)
	}
	name := fmt.Sprintf("%04d-%s.jpg", len(r.Images)+1, im.At.Format(imageStamp))
	if err == nil {
		err = durable.WriteFile(filepath.Join(s.dir, id, name), 0o640, im.JPEG)
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.lose(im.At, cause(err).Error())
		return fmt.Errorf("store image: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Images = append(r.Images, event.StoredImage{File: name, At: im.At, Level: im.Level, Bytes: len(im.JPEG), Estimate: im.Estimate})
	x := s.find(id)
	x.images++
	x.bytes += int64(len(im.JPEG))
	s.total += int64(len(im.JPEG))
	return untidy
}

func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// LastSeq is the highest sequence number among the events' ids, 0 where there is none.
func (s *Store) LastSeq() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		return 0
	}
	seq, _, _ := parseID(s.order[len(s.order)-1].id)
	return seq
}

// Dir returns the folder of an event.
func (s *Store) Dir(id string) string { return filepath.Join(s.dir, id) }

// Usage returns the number of events, their bytes, the bound and the file system's
// free bytes.
func (s *Store) Usage() event.Storage {
	_ = s.here() // a disk that is back is noticed; one that is gone is told by whoever needs it
	s.mu.Lock()
	u := event.Storage{Directory: s.dir, Events: len(s.order), Bytes: s.total, MaxBytes: s.maxBytes}
	s.mu.Unlock()
	u.FreeBytes, _ = s.disk()
	u.Low = s.low()
	return u
}
