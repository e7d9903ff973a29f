package store

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// Foreign files and folders stay alone and are not listed, at a start and when
// events are removed around them.
func TestForeign(t *testing.T) {
	s, ids := littered(t)
	outside := []string{"notes.txt", "folder.jpg", "0009-link.jpg", ID(7, t0), ID(8, t0), ID(9, t0)}
	s = open(t, s.dir)
	if got := s.IDs(event.Filter{}); len(got) != 3 {
		t.Errorf("%v", got)
	}
	for _, name := range []string{"999999999999999999999-20261123T205107", "18446744073709551615-20261123T205107", "00000005-20261323T205107", "0000005-20261123T205107", "00000005-20261123T205107x", "+0000005-20261123T205107"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		outside = append(outside, name)
	}
	s = open(t, s.dir)
	if got := s.IDs(event.Filter{}); len(got) != 3 || s.LastSeq() != 3 {
		t.Errorf("%v, last %d", got, s.LastSeq())
	}
	if n, err := s.Remove(ids); n != 3 || err != nil {
		t.Error(n, err)
	}
	for _, name := range outside {
		if _, err := os.Lstat(filepath.Join(s.dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, id := range []string{"../../etc", "", ".", "00000005-20261123T205107/..", ID(7, t0)} {
		if _, err := s.Get(id); err == nil {
			t.Errorf("%q is an event", id)
		}
		if _, err := Read(s.dir, id); err == nil {
			t.Errorf("%q is an event", id)
		}
	}
	if err := s.Put(event.Stored{ID: "../x"}); err == nil {
		t.Error("an event outside the store was stored")
	}
}

// An event whose event.json is damaged is listed with what is wrong and what is
// there, before and after a start; it is removed in its turn, not before.
func TestDamagedEvent(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"cut":         func(p string) error { return os.Truncate(p, 10) },
		"empty":       func(p string) error { return os.Truncate(p, 0) },
		"missing":     os.Remove,
		"zeros":       func(p string) error { return os.WriteFile(p, make([]byte, 400), 0o600) },
		"null":        func(p string) error { return os.WriteFile(p, []byte("null"), 0o600) },
		"other types": func(p string) error { return os.WriteFile(p, []byte(`{"start": 5, "images": "x"}`), 0o600) },
		"too large":   func(p string) error { return os.Truncate(p, metaMax+1) },
		"a folder":    func(p string) error { os.Remove(p); return os.Mkdir(p, 0o700) },
		"a link":      func(p string) error { os.Remove(p); return os.Symlink("/etc/passwd", p) },
		"a pipe":      func(p string) error { os.Remove(p); return syscall.Mkfifo(p, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			ids := []string{record(t, s, 1, 3, 100, true), record(t, s, 2, 1, 100, true)}
			if err := damage(filepath.Join(dir, ids[0], metaName)); err != nil {
				t.Fatal(err)
			}
			for _, trigger := range []string{"yard", "yard", ""} { // the index still knows it
				list, err := s.List(event.Filter{})
				if err != nil || len(list) != 2 {
					t.Fatalf("%v %v", list, err)
				}
				e := list[1]
				if e.ID != ids[0] || len(e.Missing) != 1 || !strings.HasPrefix(e.Missing[0], "what event.json said: ") || len(e.Images) != 3 ||
					e.Images[1].Bytes != 100 || e.Start.Format(idStamp) != t0.Format(idStamp) || e.End.IsZero() || e.Trigger != trigger {
					t.Errorf("%+v", e)
				}
				if k := s.Count(event.Filter{}); k != (event.Kept{Events: 2, Images: 4, Bytes: 2*eventCost + 400}) {
					t.Errorf("%+v", k)
				}
				if _, ok := s.Best(ids[0]); !ok {
					t.Error("no image")
				}
				s = open(t, dir)
				if trigger == "" || s.read == 1 {
					continue
				}
				if err := os.Remove(filepath.Join(dir, indexName)); err != nil {
					t.Fatal(err)
				}
				if list, _ := s.List(event.Filter{}); len(list) != 2 {
					t.Errorf("%v", list)
				}
				if s = open(t, dir); s.read != 2 {
					t.Errorf("%d read", s.read)
				}
				if e, err := s.Get(ids[0]); err != nil || e.Trigger != "" || len(e.Images) != 3 {
					t.Errorf("%+v %v", e, err)
				}
				break
			}
			if n, err := s.Remove(ids[:1]); n != 1 || err != nil {
				t.Error(n, err)
			}
		})
	}
}

// Whatever stands in event.json: the event is listed, with names that lead nowhere.
func FuzzEventFile(f *testing.F) {
	for _, seed := range []string{"", "{}", "null", "[]", `{"start":"2026-11-23T20:51:07Z","images":[{"file":"../x.jpg"},{"file":"a.jpg","bytes":-1}]}`, `{"start":"9999-12-31T23:59:59Z","end":"0001-01-01T00:00:01Z"}`} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	id := ID(1, t0)
	if err := os.Mkdir(filepath.Join(dir, id), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, js []byte) {
		if err := os.WriteFile(filepath.Join(dir, id, metaName), js, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(dir, indexName))
		s := open(t, dir)
		list, err := s.List(event.Filter{})
		if err != nil || len(list) != 1 || list[0].ID != id || list[0].End.IsZero() || s.Usage().Bytes != eventCost {
			t.Fatalf("%+v %v", list, err)
		}
		for _, im := range list[0].Images {
			if filepath.Base(im.File) != im.File {
				t.Errorf("%q", im.File)
			}
		}
	})
}

// A damaged event is looked at again at each start: its repair is noticed, and
// does not have the index written anew each time until then.
func TestRepairedEvent(t *testing.T) {
	dir := t.TempDir()
	s := some(t, dir, 3)
	want, id := summary(s), s.IDs(event.Filter{})[1]
	path := filepath.Join(dir, id, metaName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, indexName)); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	calls := 0
	undo := durable.Observe(durable.Observer{After: func(durable.Call) { calls++ }})
	s = open(t, dir)
	undo()
	if s.read != 1 || calls != 0 || s.find(id).trigger != "" {
		t.Errorf("%d read, %d changes, %+v", s.read, calls, s.find(id))
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := summary(open(t, dir)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// What another hand wrote into event.json leads nowhere.
func TestForeignNames(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	id := record(t, s, 1, 1, 100, true)
	js := `{"id": "../x", "start": "2026-11-23T20:51:07Z", "end": "2026-11-23T20:51:08Z", "images": [{"file": "/etc/passwd.jpg"}, {"file": "../x.jpg"}, {"file": "event.json"}, {"file": "none.jpg", "bytes": -5}]}`
	if err := os.WriteFile(filepath.Join(dir, id, metaName), []byte(js), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := s.Get(id)
	if err != nil || e.ID != id || len(e.Images) != 1 || e.Images[0].File != "none.jpg" {
		t.Errorf("%+v %v", e, err)
	}
	if _, ok := s.Best(id); ok {
		t.Error("an image that is not there")
	}
}

// A file or a link in the place of an event's folder: the event is told as not
// stored, and nothing is written behind the link.
func TestNoFolder(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	s := open(t, dir)
	for seq, put := range []func(path string) error{
		func(p string) error { return os.WriteFile(p, []byte("mine"), 0o600) },
		func(p string) error { return os.Symlink(elsewhere, p) },
		func(p string) error { return os.Symlink("nowhere", p) },
	} {
		e := event.Stored{ID: ID(uint64(seq), t0), Trigger: "yard", Start: t0}
		if err := put(filepath.Join(dir, e.ID)); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(e); err == nil {
			t.Errorf("%d: it was stored", seq)
		}
		if err := s.AddImage(e.ID, event.Image{At: t0, JPEG: []byte("x")}); err == nil {
			t.Errorf("%d: an image was stored", seq)
		}
		e.End = t0
		if err := s.Put(e); err == nil {
			t.Errorf("%d: it was stored", seq)
		}
		if _, err := os.Lstat(filepath.Join(dir, e.ID)); err != nil {
			t.Error(err)
		}
	}
	if in, err := os.ReadDir(elsewhere); err != nil || len(in) > 0 {
		t.Errorf("%v %v", in, err)
	}
	if list, err := s.List(event.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
}

// A folder that vanishes under a running store is told; it is not made anew, which
// would fill another disk. When it is back, all goes on, the event that is going on
// too.
func TestDiskGoneAndBack(t *testing.T) {
	mount := filepath.Join(t.TempDir(), "mount")
	dir := filepath.Join(mount, "events")
	s := open(t, dir)
	first, second := record(t, s, 1, 1, 100, true), record(t, s, 4, 1, 100, true)
	e := event.Stored{ID: record(t, s, 2, 1, 100, false), Trigger: "yard", Start: t0, Firings: 1}
	away := mount + "-away"
	if err := os.Rename(mount, away); err != nil {
		t.Fatal(err)
	}
	later := event.Stored{ID: ID(3, t0), Trigger: "yard", Start: t0}
	im := event.Image{At: t0, JPEG: make([]byte, 100)}
	_, listErr := s.List(event.Filter{})
	_, removeErr := s.Remove([]string{first})
	for what, err := range map[string]error{"Put": s.Put(later), "AddImage": s.AddImage(e.ID, im), "AddImage to a new one": s.AddImage(later.ID, im),
		"List": listErr, "Remove": removeErr, "Export": s.Export(nil, []string{first}, "tar")} {
		if err == nil || !strings.Contains(err.Error(), dir+" cannot be reached (no such file or directory)") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if u := s.Usage(); u.FreeBytes != 0 {
		t.Errorf("%+v", u)
	}
	if _, err := os.Stat(mount); err == nil {
		t.Fatal("the folder was made anew")
	}
	if err := os.RemoveAll(filepath.Join(away, "events", second)); err != nil { // in another computer
		t.Fatal(err)
	}
	if err := os.Rename(away, mount); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{e.ID, later.ID} {
		if err := s.AddImage(id, im); err != nil {
			t.Error(err)
		}
	}
	later.End, e.End = t0, t0
	if err := s.Put(e); err != nil {
		t.Error(err)
	}
	for id, images := range map[string]int{first: 1, e.ID: 2, later.ID: 1} {
		got, err := Read(dir, id) // if the power were cut now
		if err != nil || len(got.Images) != images || id != first && !strings.Contains(fmt.Sprint(got.Missing), "cannot be reached") && id != later.ID {
			t.Errorf("%+v %v", got, err)
		}
	}
	if err := s.Put(later); err != nil {
		t.Error(err)
	}
	if got, err := s.Get(later.ID); err != nil || len(got.Images) != 1 || !strings.Contains(fmt.Sprint(got.Missing), "cannot be reached") {
		t.Errorf("%+v %v", got, err)
	}
	if want, got := summary(s), summary(open(t, dir)); got != want || strings.Contains(got, second) {
		t.Errorf("%s, after a start %s", want, got)
	}
}

// Another disk in its place is read; of the event that goes on, what the other one
// has is told missing.
func TestAnotherDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "events")
	s := open(t, dir)
	record(t, s, 1, 1, 100, true)
	id := record(t, s, 2, 2, 100, false)
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	some(t, dir, 1)
	if u := s.Usage(); u.Events != 2 || u.Bytes != 2*eventCost+101 {
		t.Errorf("%+v", u)
	}
	if err := s.AddImage(id, event.Image{At: t0, JPEG: []byte("x")}); err != nil {
		t.Error(err)
	}
	if err := s.Put(event.Stored{ID: id, Trigger: "yard", Start: t0, End: t0}); err != nil {
		t.Error(err)
	}
	e, err := s.Get(id)
	if err != nil || len(e.Images) != 1 || len(e.Missing) != 1 || !strings.HasPrefix(e.Missing[0], "2 images: the disk was changed") {
		t.Errorf("%+v %v", e, err)
	}
}

// A disk that refuses everything for a while: each image is told missing, and what
// comes after is stored.
func TestFailingDisk(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EROFS, syscall.ENOSPC, syscall.EIO} {
		dir := t.TempDir()
		s := open(t, dir)
		old := record(t, s, 1, 1, 100, true)
		e := event.Stored{ID: ID(2, t0), Trigger: "yard", Start: t0}
		undo := durable.Observe(durable.Observer{Before: func(durable.Call) error { return errno }})
		for seq := uint64(10); seq < 15; seq++ { // of these nothing stays
			if err := s.Put(event.Stored{ID: ID(seq, t0), Start: t0, End: t0}); err == nil {
				t.Error("it was stored")
			}
		}
		if u := s.Usage(); u.Events != 1 || u.Bytes != eventCost+100 {
			t.Errorf("%+v", u)
		}
		s.Limit(eventCost, 0) // asks for a removal too
		if err := s.Put(e); err == nil || !strings.Contains(err.Error(), errno.Error()) {
			t.Error(err)
		}
		for i := range 3 {
			if err := s.AddImage(e.ID, event.Image{At: t0.Add(time.Duration(i) * time.Second), JPEG: []byte("x")}); err == nil {
				t.Error("it was stored")
			}
		}
		if list, err := open(t, dir).List(event.Filter{}); err != nil || len(list) != 1 || list[0].ID != old || len(list[0].Images) != 1 {
			t.Errorf("%s: a start finds %+v %v", errno, list, err)
		}
		undo()
		s.Limit(0, 0)
		if err := s.AddImage(e.ID, event.Image{At: t0, JPEG: []byte("x")}); err != nil {
			t.Error(err)
		}
		got, err := Read(dir, e.ID)
		if err != nil || len(got.Images) != 1 || !slices.ContainsFunc(got.Missing, func(m string) bool { return strings.HasPrefix(m, "3 images of ") && strings.Contains(m, errno.Error()) }) {
			t.Errorf("%+v %v", got, err)
		}
		e.End = t0
		if err := s.Put(e); err != nil {
			t.Error(err)
		}
		if again := open(t, dir); summary(again) != summary(s) {
			t.Errorf("%s\nafter a start %s", summary(s), summary(again))
		}
	}
}

// A file system that is really read-only, or really full: mounted in a namespace
// of its own, where the machine allows that.
func TestRealDisks(t *testing.T) {
	if dir := os.Getenv("STORE_MOUNT"); dir != "" {
		onRealDisk(t, dir)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := `mount -t tmpfs -o size=2m none "$STORE_MOUNT" && exec "$0" -test.run '^TestRealDisks$' -test.v`
	cmd := exec.Command("unshare", "-rm", "sh", "-c", script, exe)
	cmd.Env = append(os.Environ(), "STORE_MOUNT="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(string(out), "=== RUN") {
		t.Skipf("no mount namespace here: %v: %s", err, out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v: %s", err, out)
	}
}

func onRealDisk(t *testing.T, mount string) {
	dir := filepath.Join(mount, "events")
	s := open(t, dir)
	id := record(t, s, 1, 1, 1000, true)
	s.disk = func() (int64, int64) { return 0, 0 } // no reserve: to the last byte
	e := event.Stored{ID: ID(2, t0), Trigger: "yard", Start: t0}
	if err := s.Put(e); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range 60 {
		if err := s.AddImage(e.ID, event.Image{At: t0.Add(time.Duration(i) * time.Second), JPEG: make([]byte, 60_000)}); err != nil {
			if refused++; !strings.Contains(err.Error(), "no space left") {
				t.Error(err)
			}
		}
	}
	got, err := s.Get(e.ID)
	if err != nil || refused == 0 || len(got.Images)+refused != 60 || !strings.Contains(fmt.Sprint(got.Missing), "no space left") {
		t.Errorf("%d images, %d refused, %v: %v", len(got.Images), refused, got.Missing, err)
	}
	if err := syscall.Mount("none", mount, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.AddImage(e.ID, event.Image{At: t0, JPEG: []byte("x")}); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Error(err)
	}
	if _, err := s.Remove([]string{id}); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Error(err)
	}
	for range 2 {
		list, err := s.List(event.Filter{})
		if err != nil || len(list) != 2 || len(list[0].Images) != len(got.Images) || list[1].ID != id {
			t.Errorf("%d events: %v", len(list), err)
		}
		s = open(t, dir)
	}
	if err := syscall.Unmount(mount, 0); err != nil {
		t.Errorf("the store holds something open: %v", err)
	}
	if err := s.Put(event.Stored{ID: ID(3, t0), Start: t0}); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Error(err)
	}
}
