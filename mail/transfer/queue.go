package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/uptime"
)

// maxJobs bounds the jobs that are not settled.
const maxJobs = 10_000

// maxPlaces bounds the places, each of which has a goroutine.
const maxPlaces = 8

// Listener is told what happens: MailChanged by whoever made the change, before
// Add, Retry or Drop returns, and MailStep and MailSent by Run; each in order for
// one job. A listener returns at once and does not call the Queue, which may be
// locked.
type Listener interface {
	MailChanged(event.Mail)
	MailStep(id string, s event.Step)
	MailSent(event.MailSent) // at most twice a second, while a file is handed over
}

// Images is the event store, as the queue reads it.
type Images interface {
	// Event is what is known of an event. An error that wraps event.ErrNotFound says
	// that there is none of that id, so that its job is dropped; a store that cannot be
	// read gives another.
	Event(id string) (event.Stored, error)
	// Files are the names of an event's images in their order, each with its number
	// first (0001-…), and whether the event has ended, so that no more will come.
	Files(id string) (names []string, ended bool, err error)
	// Open opens one image; at is the moment that it shows. An error that wraps
	// os.ErrNotExist says that this one is gone for good.
	Open(id, name string) (f io.ReadSeekCloser, size int64, at time.Time, err error)
}

// Options are what a Queue needs beside its folder.
type Options struct {
	Listener Listener     // may be nil
	Log      *slog.Logger // may be nil
	Images   Images
	// Submit hands a mail to the mail queue and returns when it is on the disk; one
	// whose ID it knows it leaves alone. Limit is the largest mail that the mail
	// server takes, bytes; 0: not known, math.MaxInt64: it announces none. For places of kind email.
	Submit func(context.Context, event.Notice) error
	Limit  func() int64
	// Diagnose walks a mail's delivery; for the trial of places of kind email.
	Diagnose MailDiagnosis
}

// Queue is the durable queue of events on their way. All methods are safe for
// concurrent use.
type Queue struct {
	folder  folder
	options Options
	times   times
	uptime  uptime.Clock
	make    map[string]targetOf // by kind

	// disk is held over every change: a write, then the same change in memory.
	// It is taken before mu, and mu is never held while the disk is written.
	disk sync.Mutex

	mu       sync.Mutex // guards all below; what is in jobs is what is on the disk
	jobs     map[string]*entry
	byEvent  map[string][]string // IDs in jobs
	open     int                 // jobs that are not settled
	settled  []event.Mail        // in delivered/, oldest first
	newest   map[string]order
	problems []string
	// unwritten is why an outcome could not be written last.
	unwritten string
	setup     setup
	places    map[string]*place // nil: not configured yet
	renames   map[string]string // places that have another name now; Run has their jobs follow
	changed   map[string]bool   // events with new images, to be looked at by Run
	wake      chan struct{}     // has room for one: Run looks again
}

// entry is a job in the queue.
type entry struct {
	record
	next   time.Time // monotonic: not before; zero: at once
	urgent bool      // a person asked for it
	line   bool      // the last attempt failed for the line
	// looks counts the calls of Changed for it, and idle is that count when there
	// was last nothing to hand over: equal, there is nothing to do.
	looks, idle int
	images      int                // of its event when it was last looked at
	late        *record            // of an attempt, not on the disk yet
	stop        context.CancelFunc // of the attempt; nil: none is under way
}

// setup is what of the configuration concerns every place.
type setup struct {
	site string
	zone *time.Location
	mark bool
}

// Open reads the queue in dir, makes it if need be, and tidies up after a crash.
// Nothing is handed over before Run.
func Open(dir string, o Options) (*Queue, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	q := &Queue{
		folder: folder{dir}, options: o, times: defaultTimes, uptime: uptime.Boot(),
		make: map[string]targetOf{"ftp": newFTP, "sftp": newSFTP, "http": newHTTP, "mqtt": newMQTT},
		jobs: map[string]*entry{}, byEvent: map[string][]string{}, newest: map[string]order{},
		changed: map[string]bool{}, renames: map[string]string{}, wake: make(chan struct{}, 1),
	}
	queued, settled, problems, err := q.folder.load()
	if err != nil {
		return nil, err
	}
	for _, r := range settled {
		q.note(r)
		q.settled = append(q.settled, r.Mail)
	}
	slices.SortStableFunc(q.settled, func(a, b event.Mail) int { return a.Queued.Compare(b.Queued) })
	q.settled = q.folder.bound(q.settled)
	for _, r := range queued {
		if !r.Seen && !r.Mail.Settled() {
			_, _, err := o.Images.Files(r.Mail.Event)
			if errors.Is(err, event.ErrNotFound) { // the job came first, and the event did not come
				q.folder.remove(r.Mail.ID)
				continue
			}
			q.changed[r.Mail.Event] = true
		}
		e := &entry{record: r, looks: 1}
		e.Mail.NextTry = time.Time{}
		if left := q.uptime.Left(r.Next); left > 0 {
			e.next = time.Now().Add(min(left, 2*q.times.longest()))
			e.Mail.NextTry = wall(e.next)
		}
		q.note(r)
		q.put(e)
	}
	q.problems = problems
	for _, p := range problems {
		o.Log.Error("transfer queue", "problem", p)
	}
	return q, nil
}

// put takes a job into the queue, and forget takes one out of it. Called with mu
// held.
func (q *Queue) put(e *entry) {
	id := e.Mail.ID
	q.jobs[id] = e
	q.byEvent[e.Mail.Event] = append(q.byEvent[e.Mail.Event], id)
	if !e.Mail.Settled() {
		q.open++
	}
}

func (q *Queue) forget(id string) {
	e := q.jobs[id]
	if e == nil {
		return
	}
	delete(q.jobs, id)
	ev := e.Mail.Event
	q.byEvent[ev] = slices.DeleteFunc(q.byEvent[ev], func(other string) bool { return other == id })
	if len(q.byEvent[ev]) == 0 {
		delete(q.byEvent, ev)
	}
	if !e.Mail.Settled() {
		q.open--
	}
}

// note remembers which image is the newest at a place where each takes the place
// of the one before it.
func (q *Queue) note(r record) {
	if r.Last == nil {
		return
	}
	const most = 1000
	key := r.to().Address + "\n" + r.Last.Where
	if _, known := q.newest[key]; !known && len(q.newest) >= most { // a topic or name for each day, it seems
		oldest := slices.MinFunc(slices.Collect(maps.Keys(q.newest)), func(a, b string) int { return q.newest[a].compare(q.newest[b]) })
		delete(q.newest, oldest)
	}
	if at := (order{r.Mail.Event, r.Last.N}); at.compare(q.newest[key]) > 0 {
		q.newest[key] = at
	}
}

// Add takes a job; it returns when the job is on the disk. One whose ID is there
// already is left alone. The event need not be in the store yet: Changed tells
// when it is. Where the queue is full, the oldest job that waits is dropped, and
// that is told.
func (q *Queue) Add(j event.Job) error {
	if !validID(j.ID) || j.Event == "" || j.Transfer == "" {
		return fmt.Errorf("transfer %q: its ID is lower case letters, digits and '-', and it has an event and a place", j.ID)
	}
	q.disk.Lock()
	defer q.disk.Unlock()
	q.mu.Lock()
	known := q.jobs[j.ID] != nil || slices.ContainsFunc(q.settled, func(m event.Mail) bool { return m.ID == j.ID })
	oldest := ""
	if q.open >= maxJobs {
		oldest = q.oldest()
	}
	q.mu.Unlock()
	if known {
		return nil
	}
	if oldest != "" {
		if _, err := q.edit(oldest, func(r *record) bool {
			r.drop(fmt.Sprintf("The queue of transfers is full: %d wait. The oldest was dropped to make room; its images are still in the event store.", maxJobs))
			return true
		}); err != nil {
			return err
		}
	}
	now := time.Now().Round(0)
	r := record{Version: recordVersion, Mail: event.Mail{
		ID: j.ID, Kind: event.Transfer, Trigger: j.Trigger, Event: j.Event, At: j.At, Queued: now, Subject: "images",
		Recipients: []event.Recipient{{Address: j.Transfer, State: event.Pending}},
	}}
	if err := q.folder.save(r); err != nil {
		q.folder.remove(j.ID) // where only its fsync failed it is there
		return fmt.Errorf("transfer %s: %w", j.ID, err)
	}
	q.mu.Lock()
	e := &entry{record: r}
	q.put(e)
	q.changed[j.Event] = true // the event may be there already
	m := q.shown(e)
	q.mu.Unlock()
	q.announce(m)
	poke(q.wake) // its place may be gone
	return nil
}

// oldest is the job that has waited longest; a held one where none waits. Called
// with mu held.
func (q *Queue) oldest() string {
	var old *entry
	for _, e := range q.jobs {
		if e.Mail.Settled() {
			continue
		}
		if old == nil || before(old, e) {
			old = e
		}
	}
	if old == nil {
		return ""
	}
	return old.Mail.ID
}

// before reports whether a would be dropped later than b: what waits goes before
// what is held, and the older before the newer.
func before(a, b *entry) bool {
	if x, y := a.to().State, b.to().State; x != y {
		return y == event.Pending
	}
	if !a.Mail.At.Equal(b.Mail.At) {
		return b.Mail.At.Before(a.Mail.At)
	}
	return b.Mail.ID < a.Mail.ID
}

// Changed says that an event is in the store, has new images, or has ended.
func (q *Queue) Changed(id string) {
	q.mu.Lock()
	if len(q.byEvent[id]) > 0 {
		q.changed[id] = true
	}
	q.mu.Unlock()
	poke(q.wake)
}

// Pending reports whether images of an event are still to be handed over, held
// ones included.
func (q *Queue) Pending(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.byEvent[id], func(job string) bool { return !q.jobs[job].Mail.Settled() })
}

// Problems returns what is wrong with the queue itself, a sentence each.
func (q *Queue) Problems() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	all, late := slices.Clone(q.problems), 0
	for _, e := range q.jobs {
		if e.late != nil {
			late++
		}
	}
	if late > 0 {
		all = append(all, fmt.Sprintf("The state of %d %s could not be written: %s. Check the disk; it is tried again.", late, plural(late, "transfer", "transfers"), q.unwritten))
	}
	return all
}

// Mails lists the queue, oldest first: the newest settled jobs, then all others.
func (q *Queue) Mails() []event.Mail {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]event.Mail, 0, len(q.settled)+len(q.jobs))
	for _, m := range q.settled {
		all = append(all, cloneMail(m))
	}
	for _, e := range q.jobs {
		all = append(all, q.shown(e))
	}
	slices.SortStableFunc(all, func(a, b event.Mail) int { return a.Queued.Compare(b.Queued) })
	return all
}

// shown is a job as the listener and the lists see it: with what it waits for,
// where that is not its own trouble. Called with mu held.
func (q *Queue) shown(e *entry) event.Mail {
	m := cloneMail(e.Mail)
	p := q.places[e.to().Address]
	if e.to().State == event.Pending && e.images > 0 {
		m.Subject = e.progress(e.images)
	}
	if e.to().State == event.Pending && e.looks > e.idle && e.stop == nil && p != nil && p.hold.count > 0 {
		m.Problem = p.hold.problem
		m.NextTry = wall(later(e.next, p.hold.until))
	}
	return m
}

// poke wakes the reader of c, now or when it next looks.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
