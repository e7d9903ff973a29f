package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/store"
)

// The clock was ahead, then it was set: the newest image is that of the newest event.
func TestClockWasAhead(t *testing.T) {
	s := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": s})
	c := places("nas")
	c.Transfers[0].File = "latest.jpg"
	b.Configure(c, config.Secrets{}, time.UTC)
	b.run()
	begin := func(n int, at time.Time) string {
		id := b.job(n, "nas")
		b.album.begin(eventID(n), at)
		b.album.take(eventID(n), 1, 3000)
		b.album.end(eventID(n))
		b.Changed(eventID(n))
		return id
	}
	b.untilState(begin(1, noon.AddDate(1, 0, 0)), "delivered")
	b.untilState(begin(2, noon), "delivered")
	s.mu.Lock()
	defer s.mu.Unlock()
	images := 0
	for _, name := range s.got {
		if strings.HasSuffix(name, "latest.jpg") {
			images++
		}
	}
	if images != 2 {
		t.Errorf("%d images came to the place, of two events: %v; job 2: %q", images, s.got, b.mail(event.TransferID(2)).Subject)
	}
}

// onDisk is what cmd/watchpost/transfers.go is.
type onDisk struct{ *store.Store }

func (s onDisk) Open(id, name string) (io.ReadSeekCloser, int64, time.Time, error) {
	e, err := s.Get(id)
	if err != nil {
		return nil, 0, noon, err
	}
	at := noon
	for _, im := range e.Images {
		if im.File == name {
			at = im.At
		}
	}
	f, err := os.Open(filepath.Join(s.Dir(id), name))
	if err != nil {
		return nil, 0, noon, err
	}
	return f, 5, at, nil
}

func (s onDisk) Event(id string) (event.Stored, error) { return s.Get(id) }

func (s onDisk) Files(id string) (names []string, ended bool, err error) {
	e, err := s.Get(id)
	for _, im := range e.Images {
		names = append(names, im.File)
	}
	return names, !e.End.IsZero(), err
}

// The disk of the events is away while a transfer waits, and comes back.
func TestDiskAway(t *testing.T) {
	dir := t.TempDir()
	events := filepath.Join(dir, "events")
	st, err := store.Open(events)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{}
	s.fails(notNow)
	b := opened(t, filepath.Join(dir, "transfers"), newAlbum(), map[string]*shelf{"nas": s}, func(q *Queue, o *Options) {
		o.Images = onDisk{st}
		if q != nil {
			q.options.Images = o.Images
		}
	})
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	b.run()
	id := b.job(1, "nas")
	e := event.Stored{ID: eventID(1), Trigger: "yard", Start: noon, Source: event.Motion}
	for _, err := range []error{st.Put(e), st.AddImage(e.ID, event.Image{At: noon, JPEG: []byte("image")})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	e.End = noon.Add(time.Second)
	if err := st.Put(e); err != nil {
		t.Fatal(err)
	}
	b.Changed(e.ID)
	b.until(id, "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	if err := os.Rename(events, events+".away"); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		time.Sleep(5 * time.Millisecond)
		if b.mail(id).Settled() {
			break
		}
	}
	if err := os.Rename(events+".away", events); err != nil {
		t.Fatal(err)
	}
	s.fails(nil)
	b.until(id, "settled", func(m event.Mail) bool { return m.Settled() })
	if m := b.mail(id); m.QueueState() != "delivered" {
		t.Errorf("%s: %+v", m.QueueState(), m.Recipients[0])
	}
}

// A job that comes after the last word of its event is handed over.
func TestJobAfterItsEvent(t *testing.T) {
	s := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": s})
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	b.run()
	b.album.begin(eventID(1), noon)
	b.album.take(eventID(1), 1, 3000)
	b.album.end(eventID(1))
	b.Changed(eventID(1))
	id := b.job(1, "nas")
	time.Sleep(2 * time.Second)
	if m := b.mail(id); !m.Settled() {
		t.Errorf("%s, %q", m.QueueState(), m.Subject)
	}
}

var _ = context.Background
var _ = fmt.Sprint

type badSector struct{ nopCloser }

func (badSector) Read([]byte) (int, error)       { return 0, errors.New("input/output error") }
func (badSector) Seek(int64, int) (int64, error) { return 0, nil }

// What is kept here and cannot be read is tried again, whatever the kind of place:
// its disk may come back.
func TestKeptFileNotReadable(t *testing.T) {
	for name, open := range map[string]func() (io.ReadSeekCloser, error){
		"not opened": func() (io.ReadSeekCloser, error) { return nil, errors.New("input/output error") },
		"not read":   func() (io.ReadSeekCloser, error) { return badSector{}, nil },
	} {
		if _, f := openSource(file{name: "x.jpg", size: 5, open: open}); f == nil || f.kind != temporary || f.step != "store" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
