package transfer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// An event that never came is no job after a start, and one that was removed is
// told as dropped with the reason.
func TestEventGone(t *testing.T) {
	dir, a, nas := t.TempDir(), newAlbum(), &shelf{}
	shelves := map[string]*shelf{"nas": nas}
	b := opened(t, dir, a, shelves).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	never := b.job(1, "nas")
	nas.fails(lineDown)
	removed := b.event(2, "nas", 3)
	b.untilState(removed, "deferred")
	b.stop()
	a.remove(eventID(2))
	nas.fails(nil)
	b = opened(t, dir, a, shelves).run()
	if m := b.mail(never); m.ID != "" {
		t.Errorf("%+v", m)
	}
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	m := b.untilState(removed, "dropped")
	if !strings.Contains(m.Problem, "removed from the event store") || m.Recipients[0].Reply != m.Problem {
		t.Errorf("%+v", m)
	}
	// While the program runs it is the same, and the job may come before its event.
	early := b.job(3, "nas")
	b.Changed(eventID(3))
	b.album.begin(eventID(3), noon)
	b.album.take(eventID(3), 1, 3000)
	b.Changed(eventID(3))
	b.until(early, "at 1", func(m event.Mail) bool { return m.Subject == "1 of 1 images" })
	b.album.remove(eventID(3))
	b.Changed(eventID(3))
	if m := b.untilState(early, "dropped"); !strings.Contains(m.Problem, "1 of its images was handed over") {
		t.Errorf("%+v", m)
	}
}

// An image that is gone is told, the others arrive; a store that cannot be read is
// no reason to take them for gone.
func TestStoreDamaged(t *testing.T) {
	nas := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	id := b.job(1, "nas")
	b.album.begin(eventID(1), noon)
	b.album.take(eventID(1), 3, 3000)
	b.album.lose(eventID(1), 2)
	b.album.breaks(syscall.EIO)
	b.Changed(eventID(1))
	b.album.end(eventID(1))
	b.until(id, "told", func(event.Mail) bool { return true })
	b.album.breaks(nil)
	b.Changed(eventID(1))
	m := b.untilState(id, "delivered")
	if m.Subject != "2 images" || !strings.Contains(m.Problem, "1 of 3 images is gone") {
		t.Errorf("%+v", m)
	}
	if got, all := nas.names(), expected(1, 3); !slices.Equal(got, slices.Delete(all, 1, 2)) {
		t.Errorf("%v", got)
	}
	nas.fails(lineDown)
	id = b.event(2, "nas", 1)
	b.untilState(id, "deferred")
	b.album.breaks(syscall.EIO)
	b.until(id, "told", func(m event.Mail) bool { return strings.Contains(m.Problem, "input/output error") })
	nas.fails(nil)
	b.album.breaks(nil)
	b.untilState(id, "delivered")
}

// Beyond its bound the queue drops what has waited longest, and says so.
func TestBounded(t *testing.T) {
	b := opened(t, t.TempDir(), newAlbum(), nil)
	for n := 1; n <= 3; n++ {
		b.job(n, "nas")
	}
	b.mu.Lock()
	b.open += maxJobs - 3 // the files of 10,000 take their time
	b.mu.Unlock()
	b.job(4, "nas")
	b.job(5, "nas")
	for n, want := range []string{"dropped", "dropped", "queued", "queued", "queued"} {
		if m := b.mail(event.TransferID(uint64(n + 1))); m.QueueState() != want || want == "dropped" && !strings.Contains(m.Problem, "queue of transfers is full") {
			t.Errorf("%d: %+v", n+1, m)
		}
	}
	for n := 10; n < 10+keepSettled+5; n++ {
		id := b.job(n, "nas")
		must(t, b.Drop(id))
		must(t, b.Settle(id))
	}
	if files, _ := filepath.Glob(filepath.Join(b.dir, "delivered", "*")); len(files) != keepSettled || len(b.settled) != keepSettled {
		t.Errorf("%d files, %d settled", len(files), len(b.settled))
	}
}

// What another version wrote is no damage: it stays, is told, and goes on under that
// version.
func TestJobsOfAnotherVersion(t *testing.T) {
	dir, a, nas := t.TempDir(), newAlbum(), &shelf{}
	b := opened(t, dir, a, nil)
	one, two := b.event(1, "nas", 1), b.event(2, "nas", 1)
	path := b.folder.queue(one)
	ours, err := os.ReadFile(path)
	must(t, err)
	theirs := strings.Replace(string(ours), `"version": 1`, `"version": 9, "more": {}`, 1)
	must(t, os.WriteFile(path, []byte(theirs), 0o600))
	b = opened(t, dir, a, map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	b.untilState(two, "delivered")
	if p := strings.Join(b.Problems(), "\n"); !strings.HasPrefix(p, "1 transfer is of another version of this program and waits untouched") {
		t.Error(p)
	}
	b.stop()
	if text, _ := os.ReadFile(path); string(text) != theirs {
		t.Errorf("%s", text)
	}
	must(t, os.WriteFile(path, ours, 0o600))
	b = opened(t, dir, a, map[string]*shelf{"nas": nas}).run()
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	b.untilState(one, "delivered")
}

// Damage is set aside and told, and the rest goes on.
func TestDamagedState(t *testing.T) {
	dir, a := t.TempDir(), newAlbum()
	b := opened(t, dir, a, nil)
	var good string
	for n := 1; n <= 8; n++ {
		good = b.event(n, "nas", 1)
	}
	for n, damage := range []func(text string) string{
		func(string) string { return "" },
		func(text string) string { return text[:len(text)/2] },
		func(text string) string { return strings.Replace(text, `"pending"`, `"sent"`, 1) },
		func(text string) string { return strings.Replace(text, event.TransferID(4), event.TransferID(5), 1) },
		func(text string) string { return strings.Replace(text, `"attempts": 0`, `"attempts": -1`, 1) },
		func(text string) string { return strings.Replace(text, `"transfer"`, `"alarm"`, 1) },
		func(string) string { return strings.Repeat(" ", maxRecord+1) },
	} {
		path := b.folder.queue(event.TransferID(uint64(n + 1)))
		text, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, []byte(damage(string(text))), 0o600))
	}
	must(t, os.WriteFile(filepath.Join(dir, "queue", "README"), nil, 0o600))
	b = opened(t, dir, a, nil)
	if all := b.Mails(); len(all) != 1 || all[0].ID != good || len(b.Problems()) != 7 {
		t.Errorf("%v\n%s", all, strings.Join(b.Problems(), "\n"))
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "quarantine", "*")); len(files) != 7 {
		t.Errorf("%v", files)
	}
}

// What was wrong with the disk is told while it is.
func TestProblemsEnd(t *testing.T) {
	nas := &shelf{}
	b := opened(t, t.TempDir(), newAlbum(), map[string]*shelf{"nas": nas})
	b.Configure(places("nas"), config.Secrets{}, time.UTC)
	full := syscall.ENOSPC
	id := b.event(1, "nas", 1)
	undo := durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		if strings.HasPrefix(c.Path, filepath.Join(b.dir, "queue")) {
			return full
		}
		return nil
	}})
	defer undo()
	b.run()
	eventually(t, "told", func() bool { p := b.Problems(); return len(p) == 1 && strings.Contains(p[0], full.Error()) })
	undo()
	b.untilState(id, "delivered")
	if p := b.Problems(); len(p) != 0 {
		t.Errorf("%q", p)
	}
}
