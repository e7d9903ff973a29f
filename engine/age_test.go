package engine

import (
	"path/filepath"
	"testing"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/store"
)

// max_age is kept also where nothing fires. In real time: the store reads the system's clock.
func TestAgeOnAQuietCamera(t *testing.T) {
	b := &box{t: t, dir: t.TempDir(), cam: &fakeCamera{}, out: newFakeOutbox()}
	s, err := store.Open(filepath.Join(b.dir, "events"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().AddDate(0, 0, -60)
	s.Put(event.Stored{ID: store.ID(1, at), Trigger: "yard", Start: at, End: at})
	cfg := conf(quick())
	cfg.Storage.MaxAge = 30 * 24 * time.Hour
	b.start(cfg)
	time.Sleep(8 * time.Second)
	if u := b.store.Usage(); u.Events > 0 {
		t.Errorf("an event of 60 days ago stays with max_age 30 days as long as nothing fires")
	}
	b.stop()
}
