package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/need"
	"watchpost/tui"
)

// oneEvent is an archive of one event.
type oneEvent struct{ tarred }

func (a oneEvent) Events(context.Context, event.Filter) ([]event.Stored, error) {
	return []event.Stored{{ID: someEvent}}, nil
}

// endless is one event with an image that has no end.
type endless struct{ oneEvent }

func (endless) Export(_ context.Context, w io.Writer, _ []string, _ string) error {
	t := tar.NewWriter(w)
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: someEvent + "/0001-x.jpg", Size: 1 << 40, Mode: 0o644, Format: tar.FormatPAX}); err != nil {
		return err
	}
	for {
		if _, err := t.Write(make([]byte, 1<<15)); err != nil {
			return err
		}
	}
}

// Why nothing was saved is said in words, and no part of it is left.
func TestSaveFails(t *testing.T) {
	good := oneEvent{tarred{names: []string{someEvent + "/event.json", someEvent + "/0001-20261124T150405.000.jpg"}}}
	disk := func(op durable.Op, err error) durable.Observer {
		return durable.Observer{Before: func(c durable.Call) error {
			if c.Op == op {
				return err
			}
			return nil
		}}
	}
	for name, c := range map[string]struct {
		from archive
		to   string
		disk durable.Observer
		says string
		is   error
	}{
		"exists":   {from: good, to: "there.zip", says: "DIR/there.zip exists already; choose another name", is: os.ErrExist},
		"folder":   {from: good, to: "no/where.zip", says: "there is no folder DIR/no; make it, or choose another one", is: os.ErrNotExist},
		"a file":   {from: good, to: "there.zip/x.tar", says: "DIR/there.zip is not a folder; choose another one", is: syscall.ENOTDIR},
		"no right": {from: good, to: "x.zip", disk: disk(durable.OpCreate, syscall.EACCES), says: "you may not write in DIR; choose another folder"},
		"full":     {from: good, to: "x.zip", disk: disk(durable.OpWrite, syscall.ENOSPC), says: "the disk of DIR is full; make room, or choose another folder"},
		"read":     {from: good, to: "x.tar", disk: disk(durable.OpCreate, syscall.EROFS), says: "the disk of DIR is read-only; choose another folder"},
		"gone":     {from: tarred{}, to: "x.zip", says: "it was removed meanwhile", is: event.ErrNotFound},
		"going":    {from: oneEvent{tarred{err: fmt.Errorf("export: left out: %w", event.ErrNotFound)}}, to: "x.zip", says: "it was removed meanwhile"},
		"long":     {from: good, to: strings.Repeat("x", 300) + ".zip", says: "the name is too long"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &saver{events: events{archive: c.from}, dir: t.TempDir()}
			if err := os.WriteFile(filepath.Join(s.dir, "there.zip"), []byte("a person's"), 0o600); err != nil {
				t.Fatal(err)
			}
			if c.disk.Before != nil {
				defer durable.Observe(c.disk)()
			}
			_, err := s.save(t.Context(), tui.Export{ID: someEvent, To: c.to})
			if err == nil || err.Error() != strings.ReplaceAll(c.says, "DIR", s.dir) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v", err)
			}
			if left := filesIn(t, s.dir); len(left) != 1 || left["there.zip"] != "a person's" {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// What is left out of an export that stands is said; a name may be in the home folder.
func TestSaveOfParts(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	from := oneEvent{tarred{names: []string{someEvent + "/event.json", someEvent + "/0001-20261124T150405.000.jpg"}, err: event.ErrNotFound}}
	s := &saver{events: events{archive: from}, dir: t.TempDir()}
	told := 0
	saved, err := s.save(t.Context(), tui.Export{ID: someEvent, To: "~/x.zip", Wrote: func(n int) { told += n }})
	path := filepath.Join(os.Getenv("HOME"), "x.zip")
	st, serr := os.Stat(path)
	if err != nil || serr != nil || saved != (tui.Saved{Path: path, Events: 1, Images: 1, Bytes: st.Size(), Left: "Some of it was removed meanwhile and is not in it."}) || int64(told) != st.Size() {
		t.Errorf("%+v %v %v, told of %d", saved, err, serr, told)
	}
}

// An export that is given up in the middle of an image leaves nothing, before the
// program ends.
func TestSaveIsGivenUp(t *testing.T) {
	for _, to := range []string{"x.zip", "x.tar"} {
		s := &saver{events: events{archive: endless{}}, dir: t.TempDir()}
		ctx, cancel := context.WithCancel(t.Context())
		under := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			n, told := 0, false
			_, err := s.save(ctx, tui.Export{ID: someEvent, To: to, Wrote: func(k int) {
				if n += k; n > 1<<20 && !told {
					told = true
					close(under)
				}
			}})
			ended <- err
		}()
		<-under
		if _, err := s.save(ctx, tui.Export{ID: someEvent, To: "y.zip"}); err == nil {
			t.Error("two at once")
		}
		cancel()
		s.end()
		if left := filesIn(t, s.dir); len(left) != 0 {
			t.Errorf("%s: %d files left", to, len(left))
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := s.save(t.Context(), tui.Export{ID: someEvent, To: "z.zip"}); err == nil {
			t.Error("an export began when the program ended")
		}
	}
}

// Events are exported from the screen that is attached to the service, into files
// that other programs read.
func TestExportFromScreen(t *testing.T) {
	python, untar := need.Program(t, "python3", "python3"), need.Program(t, "tar", "tar")
	r := newRig(t, "camera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual, post: 1s}]")
	damaged, hostile := r.foreignEvents()
	r.serve().ready()
	r.until("there is a picture", func() bool { return r.status().Camera.Frames > 20 })
	bell := r.fireEvent("bell")
	want := contents{}
	for _, id := range []string{damaged, hostile, bell} {
		for name, text := range filesIn(t, filepath.Join(r.dir, "store/events", id)) {
			if name != "notes.txt" { // no file of the event
				want[id+"/"+name] = text
			}
		}
	}
	of := func(id string) contents {
		some := contents{}
		for name, text := range want {
			if id == "" || strings.HasPrefix(name, id) {
				some[name] = text
			}
		}
		return some
	}
	unpacked := func(name string, want contents) {
		t.Helper()
		dir := t.TempDir()
		cmd := exec.Command(untar, "-xf", filepath.Join(r.dir, name), "-C", dir)
		if strings.HasSuffix(name, ".zip") {
			cmd = exec.Command(python, "-c", "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nz.extractall(sys.argv[2])", filepath.Join(r.dir, name), dir)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", name, err, out)
		}
		if d := want.differ(filesIn(t, dir)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	p := r.pane(80, 24)
	p.keys("5")
	p.wait("> ")
	p.wait(bell)
	p.keys("e")
	p.wait("Save as " + bell + ".zip")
	p.keys("Enter")
	p.wait(fmt.Sprintf("Saved %d images", len(of(bell))-1))
	unpacked(bell+".zip", of(bell))
	p.keys("Enter") // the event in full
	p.wait("e, or watchpost events export")
	p.keys("e", "Tab")
	p.wait("Save as " + bell + ".tar")
	p.keys("Enter")
	p.wait(bell + ".tar")
	p.wait("Saved")
	unpacked(bell+".tar", of(bell))
	p.keys("e", "Enter")
	p.wait("choose another name")
	unpacked(bell+".zip", of(bell))
	p.keys("C-k")
	p.text("nowhere/x.zip")
	p.keys("Enter")
	p.wait("there is no folder /")
	p.keys("Escape")
	p.wait("e export")
	p.keys("Escape")
	p.wait("x, X remove")
	p.keys("E")
	p.wait("3 events with")
	p.keys("C-k")
	p.text("all.zip")
	p.keys("Enter")
	p.wait("Saved 3 events")
	unpacked("all.zip", want)
	p.keys("End", "e")
	p.wait("Save as " + damaged + ".zip")
	if err := os.RemoveAll(filepath.Join(r.dir, "store/events", damaged)); err != nil {
		t.Fatal(err)
	}
	p.keys("Enter")
	p.wait("it was removed meanwhile")
	p.keys("Escape")
	p.wait("x, X remove")
	p.keys("q", "y")
	p.wait("it ended with 0")
	if left, _ := filepath.Glob(filepath.Join(r.dir, ".tmp-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// An export that takes long tells how far it is and ends at Esc, and when the
// screen is left, without a trace.
func TestExportFromScreenIsGivenUp(t *testing.T) {
	r := newRig(t, "camera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual}]")
	_, id := r.foreignEvents()
	if out, errOut, code := r.run("", "set", "storage.max_bytes", "100GB"); code != exitOK {
		t.Fatal(out, errOut)
	}
	// An image that takes a while, without taking room in the store.
	if err := os.Truncate(filepath.Join(r.dir, "store/events", id, "0001-20260203T040506.000.jpg"), 1<<33); err != nil {
		t.Fatal(err)
	}
	r.serve().ready()
	p := r.pane(80, 24)
	p.keys("5")
	p.wait("> ")
	p.wait(id)
	nothing := func() {
		t.Helper()
		for _, pattern := range []string{".tmp-*", "*.zip"} {
			if left, _ := filepath.Glob(filepath.Join(r.dir, pattern)); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		}
	}
	p.keys("e", "Enter")
	p.wait("Saving " + id)
	r.until("it tells how far it is", func() bool { return !strings.Contains(p.screen(), " 0 B of about") })
	p.keys("Escape")
	p.wait("The export was given up")
	nothing()
	p.keys("e", "Enter")
	p.wait("Saving " + id)
	p.keys("q")
	p.wait("The export is given up then. Leave?")
	p.keys("y")
	p.wait("it ended with 0")
	nothing()
}
