package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine"
	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/uptime"
)

// Images are handed over as they come, in their order, and what is known of the
// event after its end; the queue tells how far it is.
func TestAsTheyCome(t *testing.T) {
	nas := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.job(1, "nas")
	b.album.begin(eventID(1), noon)
	b.album.take(eventID(1), 2, 3000)
	b.Changed(eventID(1))
	m := b.until(id, "at 2", func(m event.Mail) bool { return m.Subject == "2 of 2 images" })
	if m.QueueState() != "queued" || !b.Pending(eventID(1)) || m.Kind != event.Transfer || m.Event != eventID(1) || m.Recipients[0].Address != "nas" {
		t.Errorf("%+v", m)
	}
	b.album.take(eventID(1), 1, 3000)
	b.album.end(eventID(1))
	b.Changed(eventID(1))
	m = b.untilState(id, "delivered")
	if got := nas.names(); !slices.Equal(got, expected(1, 3)) {
		t.Errorf("handed over: %v", got)
	}
	if m.Subject != "3 images" || m.Problem != "" || m.Bytes != 9000 || m.Recipients[0].Reply != "stored "+eventID(1)+".json" || b.Pending(eventID(1)) {
		t.Errorf("%+v", m)
	}
	var stored event.Stored
	if err := json.Unmarshal(nas.data["yard/"+eventID(1)+".json"], &stored); err != nil || len(stored.Images) != 3 || stored.End.IsZero() {
		t.Errorf("%v, %+v", err, stored)
	}
	if last := b.said.last(id); last.QueueState() != "delivered" {
		t.Errorf("the listener was told %+v", last)
	}
	if err := b.Settle(id); err != nil {
		t.Fatal(err)
	}
	if err := b.Settle(id); err != nil {
		t.Error(err)
	}
	if err := b.Add(event.Job{ID: id, Event: eventID(1), Transfer: "nas"}); err != nil || len(b.Mails()) != 1 {
		t.Errorf("%v, %v", err, b.Mails())
	}
	if files, _ := filepath.Glob(filepath.Join(b.dir, "queue", "*")); len(files) != 0 {
		t.Errorf("left in the queue: %v", files)
	}
}

// The newest event goes first, one connection serves all that waits, and it is
// closed once there is nothing to do.
func TestNewestFirst(t *testing.T) {
	nas := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas})
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	for n := 1; n <= 3; n++ {
		b.event(n, "nas", 2)
	}
	b.run()
	for n := 1; n <= 3; n++ {
		b.untilState(event.TransferID(uint64(n)), "delivered")
	}
	if got, want := nas.names(), slices.Concat(expected(3, 2), expected(2, 2), expected(1, 2)); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	eventually(t, "one connection, closed", func() bool { n, closed := nas.counts(); return n == 1 && closed == 1 })
}

// A dead place does not hold up another.
func TestDeadBesideLiving(t *testing.T) {
	dead, living := &shelf{slow: make(chan struct{})}, &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"dead": dead, "living": living}).run()
	b.Configure(places("dead", "living"), config.Secrets{}, time.UTC)
	b.event(1, "dead", 1)
	for n := 2; n <= 5; n++ {
		b.event(n, "living", 2)
	}
	for n := 2; n <= 5; n++ {
		b.untilState(event.TransferID(uint64(n)), "delivered")
	}
	if m := b.mail(event.TransferID(1)); m.QueueState() != "queued" {
		t.Errorf("%+v", m)
	}
}

// Each kind of fault has its outcome, and what is over there is not sent again.
func TestFaults(t *testing.T) {
	nas := &shelf{}
	third := func(f *fault) func(file) error {
		failed := 0
		return func(x file) error {
			if strings.Contains(x.name, "-0003") && failed < 3 {
				failed++
				return f
			}
			return nil
		}
	}
	for _, f := range []*fault{lineDown, notNow} {
		nas.onPut, nas.got = third(f), nil
		b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}).run()
		b.Configure(places("nas"), config.Secrets{}, time.UTC)
		id := b.event(1, "nas", 4)
		m := b.untilState(id, "delivered")
		if got := nas.names(); !slices.Equal(got, expected(1, 4)) || m.Attempts < 3 {
			t.Errorf("%s: %v, %+v", f.text, got, m)
		}
		b.said.mu.Lock()
		if !slices.ContainsFunc(b.said.mails[id], func(m event.Mail) bool {
			return m.QueueState() == "deferred" && m.Problem == f.Error() && !m.NextTry.IsZero() && m.Recipients[0].Reply == f.text && m.Subject == "2 of 4 images"
		}) {
			t.Errorf("%s was not told: %+v", f.text, b.said.mails[id])
		}
		b.said.mu.Unlock()
		b.stop()
	}

	// For good: held with the place's words, until a person says otherwise.
	nas.onPut, nas.got = third(notAtAll), nil
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.event(1, "nas", 4)
	m := b.untilState(id, "held")
	if m.Problem != notAtAll.Error() || m.Recipients[0].Reply != notAtAll.text || !b.Pending(eventID(1)) || !m.NextTry.IsZero() {
		t.Errorf("%+v", m)
	}
	other := b.event(2, "nas", 1) // it does not keep others
	b.untilState(other, "delivered")
	if err := b.Settle(id); err == nil {
		t.Error("a held job was settled")
	}
	nas.fails(nil)
	if err := b.Retry(""); err != nil {
		t.Fatal(err)
	}
	b.untilState(id, "delivered")
}

// The account's trouble makes the whole place wait, once, and says so on each job;
// a restart does not ask again, other settings do at once, and nothing on the disk
// has the secret.
func TestAccountWaits(t *testing.T) {
	const secret = "correct horse battery"
	dir, a, nas := t.TempDir(), newAlbum(), &shelf{onOpen: func() error { return shutOut }}
	b := opened(t, dir, a, map[string]*shelf{"nas": nas})
	b.Configure(places("nas"), config.Secrets{Transfers: map[string]string{"nas": secret}}, time.UTC)
	for n := 1; n <= 5; n++ {
		b.event(n, "nas", 1)
	}
	b.run()
	for n := 1; n <= 5; n++ {
		b.until(event.TransferID(uint64(n)), "waiting", func(m event.Mail) bool { return m.Problem == shutOut.Error() && time.Until(m.NextTry) > 30*time.Minute })
	}
	b.stop()
	if n, _ := nas.counts(); n != 1 {
		t.Errorf("%d log-ins", n)
	}
	for range 2 {
		b = opened(t, dir, a, map[string]*shelf{"nas": nas}).run()
		b.Configure(places("nas"), config.Secrets{Transfers: map[string]string{"nas": secret}}, time.UTC)
		b.until(event.TransferID(1), "waiting", func(m event.Mail) bool { return m.Problem == shutOut.Error() })
		b.stop()
	}
	if n, _ := nas.counts(); n != 1 {
		t.Errorf("%d log-ins after restarts", n)
	}
	filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error {
		if x, _ := os.ReadFile(path); strings.Contains(string(x), secret) {
			t.Errorf("the secret is in %s", path)
		}
		return nil
	})
	nas.mu.Lock()
	nas.onOpen = nil
	nas.mu.Unlock()
	b = opened(t, dir, a, map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{Transfers: map[string]string{"nas": "another"}}, time.UTC)
	for n := 1; n <= 5; n++ {
		b.untilState(event.TransferID(uint64(n)), "delivered")
	}
}

// A place that refuses one job after the other for now is not asked ten thousand
// times, and gets the wait that it asks for.
func TestBusyPlace(t *testing.T) {
	nas := &shelf{}
	asked := 0
	nas.onPut = func(file) error { asked++; return notNow }
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}, func(q *Queue, _ *Options) {
		if q != nil {
			q.times.slow = []time.Duration{time.Hour}
		}
	})
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	for n := 1; n <= 20; n++ {
		b.event(n, "nas", 1)
	}
	b.run()
	b.until(event.TransferID(1), "waiting", func(m event.Mail) bool { return m.Problem == notNow.Error() && m.Attempts == 0 })
	b.stop()
	if asked != busyAfter {
		t.Errorf("asked %d times", asked)
	}

	q := b.Queue
	p := &place{}
	q.times = defaultTimes
	q.holdFor(p, &fault{kind: temporary, after: 3 * time.Hour}, "a")
	if left := time.Until(p.hold.until); left < 29*time.Minute || left > maxAfter {
		t.Errorf("a server asked for three hours and gets %v", left)
	}
}

// A job's wait goes on over a restart in the same boot and is over in the next.
func TestWaitIsUptime(t *testing.T) {
	dir, a, nas := t.TempDir(), newAlbum(), &shelf{}
	nas.fails(notNow)
	b := opened(t, dir, a, map[string]*shelf{"nas": nas}, func(q *Queue, _ *Options) {
		if q != nil {
			q.times.slow = []time.Duration{20 * time.Minute}
		}
	}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.event(1, "nas", 1)
	b.untilState(id, "deferred")
	b.stop()
	again := opened(t, dir, a, nil)
	if m := again.mail(id); time.Until(m.NextTry) < 15*time.Minute || m.Problem != notNow.Error() {
		t.Errorf("%+v", m)
	}
	r, err := os.ReadFile(again.folder.queue(id))
	must(t, err)
	boot := uptime.Boot()().Boot
	must(t, os.WriteFile(again.folder.queue(id), []byte(strings.ReplaceAll(string(r), boot, "another")), 0o600))
	if m := opened(t, dir, a, nil).mail(id); !m.NextTry.IsZero() {
		t.Errorf("a wait of another boot: %+v", m)
	}
}

// Changed settings try at once what waits and what is held, the same again do not.
func TestChangedSettings(t *testing.T) {
	nas := &shelf{}
	nas.fails(notAtAll)
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}).run()
	c := places("nas")
	b.Configure(c, config.Secrets{}, time.UTC)
	id := b.event(1, "nas", 1)
	b.untilState(id, "held")
	nas.fails(nil)
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	other := b.event(2, "nas", 1)
	b.untilState(other, "delivered")
	if m := b.mail(id); m.QueueState() != "held" || m.Attempts != 1 {
		t.Errorf("%+v", m)
	}
	c = places("nas")
	c.Transfers[0].Path = "elsewhere"
	b.Configure(c, config.Secrets{}, time.UTC)
	b.untilState(id, "delivered")
	if got := nas.names(); got[len(got)-1] != "elsewhere/"+eventID(1)+".json" {
		t.Errorf("%v", got)
	}
}

// The line is back: what failed for it is tried at once, what the place refused is not.
func TestLineBack(t *testing.T) {
	nas := &shelf{onOpen: func() error { return lineDown }}
	long := func(q *Queue, _ *Options) {
		if q != nil {
			q.times.network, q.times.slow = []time.Duration{time.Hour}, []time.Duration{time.Hour}
		}
	}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}, long).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.event(1, "nas", 1)
	b.untilState(id, "deferred")
	nas.mu.Lock()
	nas.onOpen = nil
	nas.mu.Unlock()
	b.LineBack()
	b.untilState(id, "delivered")

	nas.fails(notNow)
	id = b.event(2, "nas", 1)
	b.untilState(id, "deferred")
	nas.fails(nil)
	b.LineBack()
	b.untilState(b.event(3, "nas", 1), "delivered")
	if m := b.mail(id); m.QueueState() != "deferred" {
		t.Errorf("%+v", m)
	}
	if err := b.Retry(id); err != nil {
		t.Fatal(err)
	}
	b.untilState(id, "delivered")
}

// The line is back while a connection is being tried on the old way: that is broken
// off, counts as nothing, and is made anew.
func TestLineBackWhileConnecting(t *testing.T) {
	nas := &shelf{silent: true}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.event(1, "nas", 1)
	eventually(t, "connecting", func() bool { n, _ := nas.counts(); return n == 1 })
	nas.mu.Lock()
	nas.silent = false
	nas.mu.Unlock()
	b.LineBack()
	if m := b.untilState(id, "delivered"); m.Attempts != 1 {
		t.Errorf("%+v", m)
	}
}

// Drop breaks off what is on its way, and a second time changes nothing.
func TestDrop(t *testing.T) {
	nas := &shelf{slow: make(chan struct{})}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.event(1, "nas", 2)
	eventually(t, "under way", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.jobs[id].stop != nil })
	if err := b.Drop(id); err != nil {
		t.Fatal(err)
	}
	close(nas.slow)
	b.untilState(b.event(2, "nas", 1), "delivered")
	if m := b.mail(id); m.QueueState() != "dropped" || b.Pending(eventID(1)) {
		t.Errorf("%+v", m)
	}
	if got := nas.names(); !slices.Equal(got, expected(2, 1)) {
		t.Errorf("%v", got)
	}
	for _, id := range []string{"", "00000099-transfer", "../etc/passwd"} {
		if err := b.Drop(id); err == nil || id != "" && !errors.Is(err, event.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// An outcome that could not be written is kept, nothing is sent twice for it, and
// the listener hears of it when it is on the disk.
func TestOutcomeNotWritten(t *testing.T) {
	nas := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.job(1, "nas")
	full := false
	refused := make(chan struct{}, 1000)
	defer durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if full && c.Op == durable.OpWrite {
			select {
			case refused <- struct{}{}:
			default:
			}
			return syscall.ENOSPC
		}
		return nil
	}})()
	nas.told = func(string) { b.mu.Lock(); full = true; b.mu.Unlock() }
	b.album.begin(eventID(1), noon)
	b.album.take(eventID(1), 2, 3000)
	b.album.end(eventID(1))
	b.Changed(eventID(1))
	<-refused
	<-refused
	if m := b.said.last(id); m.Subject != "0 of 2 images" || len(b.Problems()) == 0 || !strings.Contains(b.Problems()[0], "no space left") {
		t.Errorf("%+v, %v", m, b.Problems())
	}
	nas.mu.Lock()
	nas.told = nil
	nas.mu.Unlock()
	b.mu.Lock()
	full = false
	b.mu.Unlock()
	b.untilState(id, "delivered")
	if got := nas.names(); !slices.Equal(got, expected(1, 2)) {
		t.Errorf("%v", got)
	}
}

// Where each image takes the place of the one before it, only the newest goes, and
// an older event's never comes after it, also over a restart.
func TestNewestOnly(t *testing.T) {
	dir, a, nas := t.TempDir(), newAlbum(), &shelf{}
	c := places("nas")
	c.Transfers[0].File = "current.jpg"
	b := opened(t, dir, a, map[string]*shelf{"nas": nas}).run()
	b.Configure(c, config.Secrets{}, time.UTC)
	m := b.untilState(b.event(5, "nas", 4), "delivered")
	if m.Subject != "the newest of 4 images" || m.Problem != "" {
		t.Errorf("%+v", m)
	}
	b.stop()
	b = opened(t, dir, a, map[string]*shelf{"nas": nas}).run()
	b.Configure(c, config.Secrets{}, time.UTC)
	b.untilState(b.event(1, "nas", 4), "delivered")
	want := []string{"yard/current.jpg", "yard/" + eventID(5) + ".json", "yard/" + eventID(1) + ".json"}
	if got := nas.names(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if a.data[eventID(5)+"/"+a.events[eventID(5)].Images[3].File][0] != nas.data["yard/current.jpg"][0] {
		t.Error("not the last image")
	}
}

// A session that died while there was nothing to do costs no wait and no attempt.
func TestStaleSession(t *testing.T) {
	nas := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}, func(q *Queue, _ *Options) {
		if q != nil {
			q.times.idle, q.times.network = time.Hour, []time.Duration{time.Hour}
		}
	}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	b.untilState(b.event(1, "nas", 1), "delivered")
	failed := false
	nas.mu.Lock()
	nas.onPut = func(file) error {
		if !failed {
			failed = true
			return lineDown
		}
		return nil
	}
	nas.mu.Unlock()
	if m := b.untilState(b.event(2, "nas", 1), "delivered"); m.Attempts != 1 {
		t.Errorf("%+v", m)
	}
	if n, _ := nas.counts(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// What is no job is refused, and a name from elsewhere makes no path.
func TestAddRefuses(t *testing.T) {
	b := opened(t, t.TempDir(), newAlbum(), nil)
	for _, j := range []event.Job{{}, {ID: "../x", Event: "e", Transfer: "nas"}, {ID: "A", Event: "e", Transfer: "nas"}, {ID: "a", Transfer: "nas"}, {ID: "a", Event: "e"}} {
		if err := b.Add(j); err == nil {
			t.Errorf("%+v was taken", j)
		}
	}
	if got := fmt.Sprint(beyond([]string{"0001-a.jpg", "x.jpg", "0010-b.jpg", "9999-c.jpg", "10000-d.jpg", "-1.jpg", ""}, 9)); got != "[{0010-b.jpg 10} {9999-c.jpg 9999} {10000-d.jpg 10000}]" {
		t.Error(got)
	}
}

// The queue is what the engine takes for one.
var _ interface {
	engine.Transfers
	Run(context.Context) error
	LineBack()
} = (*Queue)(nil)
