package transfer

import (
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
)

// What waits for a place follows it when it gets another name; another place in
// its stead is none of it.
func TestPlaceRenamed(t *testing.T) {
	nas := &shelf{}
	nas.fails(lineDown)
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas, "attic": nas}).run()
	b.Configure(places("nas"), config.Secrets{Transfers: map[string]string{"nas": "secret"}}, time.UTC)
	id := b.event(1, "nas", 2)
	b.untilState(id, "deferred")
	other := places("attic")
	other.Transfers[0].File = "{n}.jpg"
	b.Configure(other, config.Secrets{Transfers: map[string]string{"attic": "secret"}}, time.UTC)
	b.untilState(id, "held")
	b.Configure(places("nas"), config.Secrets{Transfers: map[string]string{"nas": "secret"}}, time.UTC)
	b.untilState(id, "deferred")
	nas.fails(nil)
	b.Configure(places("attic"), config.Secrets{Transfers: map[string]string{"attic": "secret"}}, time.UTC)
	if m := b.untilState(id, "delivered"); m.Recipients[0].Address != "attic" {
		t.Errorf("%+v", m)
	}
}

// A place that is removed holds its jobs with the reason; one of the same name
// takes them up, the same settings or others, also over a restart.
func TestPlaceRemoved(t *testing.T) {
	dir, a, nas := t.TempDir(), newAlbum(), &shelf{}
	nas.fails(lineDown)
	shelves := map[string]*shelf{"nas": nas}
	b := opened(t, dir, a, shelves).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.event(1, "nas", 2)
	b.untilState(id, "deferred")
	b.Configure(places(), config.Secrets{}, time.UTC)
	m := b.untilState(id, "held")
	if !strings.Contains(m.Problem, "no transfer called nas") || !b.Pending(eventID(1)) {
		t.Errorf("%+v", m)
	}
	if err := b.Retry(id); err == nil || !strings.Contains(err.Error(), "no transfer called nas") {
		t.Errorf("%v", err)
	}
	late := b.event(2, "nas", 1) // the engine's settings are a moment older
	b.untilState(late, "held")
	b.stop()
	nas.fails(nil)
	b = opened(t, dir, a, shelves).run()
	b.Configure(places(), config.Secrets{}, time.UTC)
	b.untilState(id, "held")
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	b.untilState(id, "delivered")
	b.untilState(late, "delivered")
}
