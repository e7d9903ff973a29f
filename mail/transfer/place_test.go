package transfer

import (
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
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

// named is places with settings of their own.
func named(users ...string) config.Config { // name=user
	var c config.Config
	for _, u := range users {
		name, user, _ := strings.Cut(u, "=")
		c.Transfers = append(c.Transfers, config.Transfer{Name: name, Kind: "ftp", Username: user, Path: "{trigger}", File: "{event}-{n}.jpg"})
	}
	return c
}

// Names that change twice before the queue looks, that move along a row and that
// are exchanged: what waits follows its server.
func TestRenamedInARow(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []config.Config
		want  string // the place of the job that was for a, then of the one for b
	}{
		{"twice", []config.Config{named("c=A", "b=B"), named("d=A", "b=B")}, "d b"},
		{"there and back", []config.Config{named("c=A", "b=B"), named("a=A", "b=B")}, "a b"},
		{"a row", []config.Config{named("b=A", "c=B")}, "b c"},
		{"exchanged", []config.Config{named("b=A", "a=B")}, "b a"},
		{"exchanged twice", []config.Config{named("b=A", "a=B"), named("a=A", "b=B")}, "a b"},
		{"new settings", []config.Config{named("a=C", "b=B")}, "a b"},
		{"gone", []config.Config{named("b=B")}, "a b"},
	} {
		for range 5 { // maps have no order
			b := opened(t, t.TempDir(), newAlbum(), nil)
			b.Configure(named("a=A", "b=B"), config.Secrets{}, time.UTC)
			b.make["ftp"] = func(config.Transfer, string) target { return &shelf{onOpen: func() error { return shutOut }} }
			ids := []string{b.event(1, "a", 1), b.event(2, "b", 1)}
			for _, s := range c.steps {
				b.Configure(s, config.Secrets{}, time.UTC)
			}
			b.run()
			eventually(t, "looked at", func() bool {
				return b.mail(ids[0]).Problem != "" && b.mail(ids[1]).Problem != ""
			})
			b.stop()
			if got := b.mail(ids[0]).Recipients[0].Address + " " + b.mail(ids[1]).Recipients[0].Address; got != c.want {
				t.Errorf("%s: %s, not %s", c.name, got, c.want)
				break
			}
		}
	}
}

// A job that was held since its place was not there goes on when it is, whatever
// came in between.
func TestHomelessGoOn(t *testing.T) {
	dir, a, nas := t.TempDir(), newAlbum(), &shelf{}
	b := opened(t, dir, a, map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	b.untilState(b.event(1, "nas", 1), "delivered") // its settings are known
	b.stop()
	b = opened(t, dir, a, map[string]*shelf{"nas": nas})
	id := b.event(2, "nas", 1)
	b.outcome(id, func(r *record) bool { // as a program that died in between leaves it
		r.hold(gone("nas")+".", "")
		return true
	})
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	b.run()
	b.untilState(id, "delivered")
}

// After a place got another name an older event still does not overwrite the image
// of a newer one.
func TestNewestOverRename(t *testing.T) {
	nas := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas, "box": nas}).run()
	c := places("nas")
	c.Transfers[0].File = "last.jpg"
	b.Configure(c, config.Secrets{}, time.UTC)
	nas.fails(notAtAll)
	old := b.event(1, "nas", 1)
	b.untilState(old, "held")
	nas.fails(nil)
	b.untilState(b.event(2, "nas", 1), "delivered")
	c.Transfers = []config.Transfer{c.Transfers[0]}
	c.Transfers[0].Name = "box"
	b.Configure(c, config.Secrets{}, time.UTC)
	if m := b.untilState(old, "delivered"); m.Subject != "none of 1 image, a newer event's is there" {
		t.Errorf("it says %q went", m.Subject)
	}
	got := nas.names()
	if n := strings.Count(strings.Join(got, " "), "last.jpg"); n != 1 {
		t.Errorf("%v", got)
	}
}

// Images that get a name an hour are each the newest of their hour.
func TestNewestOfEachName(t *testing.T) {
	nas := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}).run()
	c := places("nas")
	c.Transfers[0].Path, c.Transfers[0].File = "{hour}", "last.jpg"
	id := b.job(1, "nas")
	b.album.begin(eventID(1), noon.Add(time.Hour-3*time.Second))
	b.album.take(eventID(1), 5, 300)
	b.album.end(eventID(1))
	b.Changed(eventID(1))
	b.Configure(c, config.Secrets{}, time.UTC)
	m := b.untilState(id, "delivered")
	if got := strings.Join(nas.names(), " "); !strings.HasPrefix(got, "12/last.jpg 13/last.jpg ") || nas.data["12/last.jpg"][0] != 2 || nas.data["13/last.jpg"][0] != 5 || m.Subject != "2 of 5 images" {
		t.Errorf("%s %+v", got, m)
	}
	c.Transfers[0].Path = ""
	b.Configure(c, config.Secrets{}, time.UTC)
	if m := b.untilState(b.event(2, "nas", 3), "delivered"); m.Subject != "the newest of 3 images" {
		t.Errorf("it says %q went", m.Subject)
	}
}

// What waits says how many images there are, also those that came after it was seen,
// and over a start.
func TestWaitingCountsItsImages(t *testing.T) {
	dir, a, nas := t.TempDir(), newAlbum(), &shelf{onOpen: func() error { return shutOut }}
	b := opened(t, dir, a, map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.job(1, "nas")
	a.begin(eventID(1), noon)
	b.Changed(eventID(1))
	b.untilState(id, "deferred")
	a.take(eventID(1), 3, 300)
	b.Changed(eventID(1))
	b.until(id, "counted", func(m event.Mail) bool { return m.Subject == "0 of 3 images" })
	a.take(eventID(1), 2, 300)
	a.end(eventID(1))
	b.Changed(eventID(1))
	b.until(id, "counted", func(m event.Mail) bool { return m.Subject == "0 of 5 images" })
	b.stop()
	b = opened(t, dir, a, nil)
	if m := b.mail(id); m.Subject != "0 of 5 images" {
		t.Errorf("after a start: %s", m.Subject)
	}
}

// What waits follows a place that got its other name while the program did not run, or
// so late that it ended before. Where two may be it, a person decides.
func TestRenamedWhileAway(t *testing.T) {
	dir, a, nas := t.TempDir(), newAlbum(), &shelf{}
	nas.fails(lineDown)
	shelves := map[string]*shelf{"nas": nas, "attic": nas, "cellar": nas}
	secrets := config.Secrets{Transfers: map[string]string{"nas": "secret", "attic": "secret", "cellar": "secret"}}
	b := opened(t, dir, a, shelves).run()
	b.Configure(places("nas"), secrets, time.UTC)
	id := b.event(1, "nas", 2)
	b.untilState(id, "deferred")
	b.stop()

	b = opened(t, dir, a, shelves).run()
	b.Configure(places("attic"), secrets, time.UTC)
	b.until(id, "at attic", func(m event.Mail) bool { return m.Recipients[0].Address == "attic" && m.QueueState() == "deferred" })
	b.stop()

	b = opened(t, dir, a, shelves).run()
	b.Configure(places("nas", "cellar"), secrets, time.UTC)
	b.untilState(id, "held")
	b.stop()

	nas.fails(nil)
	b = opened(t, dir, a, shelves).run()
	b.Configure(places("attic"), secrets, time.UTC)
	b.untilState(id, "delivered")
}
