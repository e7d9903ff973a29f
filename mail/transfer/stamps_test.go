package transfer

import (
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/store"
)

// The clock is set, and the event's times are corrected, while an image is on its way:
// it is at its place once, under the name with which it was begun, and what the event
// was goes beside it, with the true times.
func TestOneNameWhenTheClockIsSet(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(filepath.Join(dir, "events"))
	must(t, err)
	s := &shelf{}
	var mu sync.Mutex
	var begun []string
	s.onPut = func(f file) error { // the server has it, but nobody hears that
		mu.Lock()
		defer mu.Unlock()
		begun = append(begun, f.dir+"/"+f.name)
		return lineDown
	}
	b := opened(t, filepath.Join(dir, "transfers"), newAlbum(), map[string]*shelf{"nas": s}, func(q *Queue, o *Options) {
		o.Images = onDisk{st}
		if q != nil {
			q.options.Images = o.Images
		}
	})
	c := places("nas")
	c.Transfers[0].Path, c.Transfers[0].File = "{year}", "{trigger}-{stamp}.jpg"
	b.Configure(c, config.Secrets{}, time.UTC)
	b.run()
	id := b.job(1, "nas")
	at := time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)
	e := event.Stored{ID: eventID(1), Trigger: "yard", Start: at, Source: event.Motion, Unset: &event.Unset{Boot: "boot", Up: event.Span(time.Minute)}}
	must(t, st.Put(e))
	for i := range 2 {
		must(t, st.AddImage(e.ID, event.Image{At: at.Add(time.Duration(i) * time.Second), JPEG: []byte("image"), Estimate: true}))
	}
	e.End, e.Unset = at.Add(time.Second), &event.Unset{Boot: "boot", Up: event.Span(time.Minute), End: true}
	must(t, st.Put(e))
	b.Changed(e.ID)
	eventually(t, "an image is begun", func() bool { mu.Lock(); defer mu.Unlock(); return len(begun) > 0 })
	must(t, st.Correct("boot", func(time.Duration) time.Time { return noon }))
	if now, err := st.Get(e.ID); err != nil || !now.Start.Equal(noon) {
		t.Fatalf("%+v, %v", now, err)
	}
	mu.Lock()
	n := len(begun)
	mu.Unlock()
	eventually(t, "it is begun again", func() bool { mu.Lock(); defer mu.Unlock(); return len(begun) > n+1 })
	s.fails(nil)
	b.untilState(id, "delivered")
	mu.Lock()
	defer mu.Unlock()
	if slices.Sort(begun); len(slices.Compact(begun)) != 1 {
		t.Errorf("one image was begun as %q", slices.Compact(begun))
	}
	want := []string{"1970/yard-19700101000100000.jpg", "1970/yard-19700101000101000.jpg", "1970/" + e.ID + ".json"}
	if got := s.names(); !slices.Equal(got, want) {
		t.Errorf("there are %q", got)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := string(s.data[want[2]]); !strings.Contains(text, `"start": "2026-11-24T12:00:00Z"`) {
		t.Error(text)
	}
}
