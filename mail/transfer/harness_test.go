package transfer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// longest bounds every wait; a slow machine needs it, a sound one does not.
const longest = 60 * time.Second

// album is an event store in memory.
type album struct {
	mu     sync.Mutex
	events map[string]*event.Stored
	data   map[string][]byte // by event/file
	broken error             // of every call
}

func newAlbum() *album { return &album{events: map[string]*event.Stored{}, data: map[string][]byte{}} }

// begin begins an event, take adds images to it, end ends it and remove removes it.
func (a *album) begin(id string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events[id] = &event.Stored{ID: id, Trigger: "yard", Source: event.Motion, Start: at, Firings: 1}
}

func (a *album) take(id string, n, size int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.events[id]
	for range n {
		i := len(e.Images) + 1
		at := e.Start.Add(time.Duration(i) * time.Second)
		name := fmt.Sprintf("%04d-%s.jpg", i, at.Format("20060102T150405.000"))
		e.Images = append(e.Images, event.StoredImage{File: name, At: at, Bytes: size})
		a.data[id+"/"+name] = bytes.Repeat([]byte{byte(i), 'x', id[7]}, size/3+1)[:size]
	}
}

func (a *album) end(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events[id].End = a.events[id].Start.Add(time.Hour)
}

func (a *album) remove(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.events, id)
}

func (a *album) lose(id string, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.data, id+"/"+a.events[id].Images[n-1].File)
}

func (a *album) breaks(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = err
}

func (a *album) Event(id string) (event.Stored, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return event.Stored{}, a.broken
	}
	if e := a.events[id]; e != nil {
		s := *e
		s.Images = slices.Clone(e.Images)
		return s, nil
	}
	return event.Stored{}, fmt.Errorf("event %s: %w", id, event.ErrNotFound)
}

func (a *album) Files(id string) (names []string, ended bool, err error) {
	e, err := a.Event(id)
	for _, im := range e.Images {
		names = append(names, im.File)
	}
	return names, !e.End.IsZero(), err
}

func (a *album) Open(id, name string) (io.ReadSeekCloser, int64, time.Time, error) {
	e, err := a.Event(id)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	data, ok := a.data[id+"/"+name]
	if !ok {
		return nil, 0, time.Time{}, fmt.Errorf("open %s: %w", name, os.ErrNotExist)
	}
	i := slices.IndexFunc(e.Images, func(im event.StoredImage) bool { return im.File == name })
	return nopCloser{bytes.NewReader(data)}, int64(len(data)), e.Images[i].At, nil
}

// shelf is a place in memory. Its faults are what the functions return.
type shelf struct {
	mu       sync.Mutex
	got      []string          // what was put, in its order
	data     map[string][]byte // what is there
	connects int
	closed   int
	onPut    func(file) error // nil: it works
	onOpen   func() error
	slow     chan struct{} // a put waits for it
	silent   bool          // nobody answers who connects
	told     func(name string)
}

func (s *shelf) connect(ctx context.Context) (session, error) {
	s.mu.Lock()
	s.connects++
	silent := s.silent
	s.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, &fault{kind: network, step: "tcp", text: "broken off", do: "Nothing", err: ctx.Err()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onOpen != nil {
		if err := s.onOpen(); err != nil {
			return nil, err
		}
	}
	return shelfSession{s}, nil
}

type shelfSession struct{ *shelf }

func (s shelfSession) put(ctx context.Context, f file) (string, error) {
	s.mu.Lock()
	fail, slow := s.onPut, s.slow
	s.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			return "", &fault{kind: network, step: "send", text: "broken off", do: "Nothing", err: ctx.Err()}
		}
	}
	if fail != nil {
		if err := fail(f); err != nil {
			return "", err
		}
	}
	from, err := f.open()
	if err != nil {
		return "", err
	}
	defer from.Close()
	data, err := io.ReadAll(from)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(f.dir+"/"+f.name, "/")
	s.got = append(s.got, name)
	if s.data == nil {
		s.data = map[string][]byte{}
	}
	s.data[name] = data
	if s.told != nil {
		s.told(name)
	}
	return "stored " + f.name, nil
}

func (s shelfSession) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
}

// fails makes every put end with err, nil: none.
func (s *shelf) fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onPut = nil
	if err != nil {
		s.onPut = func(file) error { return err }
	}
}

func (s *shelf) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *shelf) counts() (connects, closed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connects, s.closed
}

// ear is a Listener that remembers.
type ear struct {
	mu    sync.Mutex
	mails map[string][]event.Mail
	steps []event.Step
}

func (e *ear) MailChanged(m event.Mail) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mails == nil {
		e.mails = map[string][]event.Mail{}
	}
	e.mails[m.ID] = append(e.mails[m.ID], m)
}

func (e *ear) MailStep(_ string, s event.Step) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.steps = append(e.steps, s)
}

func (e *ear) MailSent(event.MailSent) {}

func (e *ear) last(id string) event.Mail {
	e.mu.Lock()
	defer e.mu.Unlock()
	if all := e.mails[id]; len(all) > 0 {
		return all[len(all)-1]
	}
	return event.Mail{}
}

// bench is a queue at work.
type bench struct {
	*Queue
	t     *testing.T
	dir   string
	album *album
	said  *ear
	log   *logged
	stop  func()
}

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// quick is the waits for tests: short, but the same machinery. A pause of the
// account is long: it is to be seen, not sat through.
var quick = times{network: []time.Duration{20 * time.Millisecond}, account: []time.Duration{time.Hour},
	slow: []time.Duration{20 * time.Millisecond}, idle: 50 * time.Millisecond}

// opened is a queue whose places of kind ftp are the shelves of their names.
func opened(t *testing.T, dir string, a *album, shelves map[string]*shelf, adjust ...func(*Queue, *Options)) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir, album: a, said: &ear{}, log: &logged{}}
	o := Options{Listener: b.said, Images: a, Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range adjust {
		f(nil, &o)
	}
	q, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	q.times = quick
	q.make["ftp"] = func(c config.Transfer, _ string) target {
		if s := shelves[c.Name]; s != nil {
			return s
		}
		return newFTP(c, "")
	}
	for _, f := range adjust {
		f(q, &o)
	}
	b.Queue = q
	return b
}

// run runs the queue until the test ends or stop is called.
func (b *bench) run() *bench {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	b.stop = func() { cancel(); <-done }
	b.t.Cleanup(func() {
		b.stop()
		if b.t.Failed() {
			b.t.Logf("the queue's log:\n%s", b.log)
		}
	})
	return b
}

// places is a configuration with places of kind ftp.
func places(names ...string) config.Config {
	c := config.Config{Site: config.Site{Name: "Gate 3"}}
	for _, name := range names {
		c.Transfers = append(c.Transfers, config.Transfer{Name: name, Kind: "ftp", Path: "{trigger}", File: "{event}-{n}.jpg"})
	}
	return c
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// eventID is the event of the n-th firing, a minute each after noon.
func eventID(n int) string {
	return fmt.Sprintf("%08d-%s", n, noon.Add(time.Duration(n)*time.Minute).Format("20060102T150405"))
}

// job adds the job of the n-th firing for a place, before its event is there.
func (b *bench) job(n int, place string) (id string) {
	b.t.Helper()
	id = event.TransferID(uint64(n))
	if err := b.Add(event.Job{ID: id, Event: eventID(n), Trigger: "yard", Transfer: place, At: noon.Add(time.Duration(n) * time.Minute)}); err != nil {
		b.t.Fatal(err)
	}
	return id
}

// event adds a job and its whole event of some images.
func (b *bench) event(n int, place string, images int) (id string) {
	b.t.Helper()
	id = b.job(n, place)
	b.album.begin(eventID(n), noon.Add(time.Duration(n)*time.Minute))
	b.album.take(eventID(n), images, 3000)
	b.album.end(eventID(n))
	b.Changed(eventID(n))
	return id
}

// mail returns a job as the queue lists it.
func (b *bench) mail(id string) event.Mail {
	for _, m := range b.Mails() {
		if m.ID == id {
			return m
		}
	}
	return event.Mail{}
}

// until waits for a state of a job.
func (b *bench) until(id, what string, ok func(event.Mail) bool) event.Mail {
	b.t.Helper()
	for end := time.Now().Add(longest); ; time.Sleep(2 * time.Millisecond) {
		m := b.mail(id)
		if ok(m) {
			return m
		}
		if time.Now().After(end) {
			b.t.Fatalf("job %s is not %s: %+v", id, what, m)
		}
	}
}

func (b *bench) untilState(id, state string) event.Mail {
	b.t.Helper()
	return b.until(id, state, func(m event.Mail) bool { return m.ID == id && m.QueueState() == state })
}

// eventually waits for what the queue does not tell.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(longest); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not so: " + what)
		}
	}
}

// expected is what a place has of the n-th event with some images, in its order.
func expected(n, images int) (names []string) {
	for i := range images {
		names = append(names, fmt.Sprintf("yard/%s-%04d.jpg", eventID(n), i+1))
	}
	return append(names, "yard/"+eventID(n)+".json")
}

var (
	lineDown = &fault{kind: network, step: "tcp", text: "nobody answers", do: "Check the line"}
	shutOut  = &fault{kind: account, step: "login", text: "wrong password", do: "Enter another"}
	notNow   = &fault{kind: temporary, step: "send", text: "450 busy", do: "Wait"}
	notAtAll = &fault{kind: permanent, step: "send", text: "553 not allowed", do: "Choose another name"}
)
