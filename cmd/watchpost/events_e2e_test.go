package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/event"
)

// contents are the files of a folder or an archive by their names.
type contents map[string]string

func (c contents) differ(other contents) string {
	for name, text := range c {
		if got, ok := other[name]; !ok {
			return name + " is missing"
		} else if got != text {
			return name + " differs"
		}
	}
	for name := range other {
		if _, ok := c[name]; !ok {
			return name + " is one too many"
		}
	}
	return ""
}

func filesIn(t *testing.T, dir string) contents {
	t.Helper()
	all := contents{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, rerr := os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			all[name], err = string(text), rerr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func filesInTar(t *testing.T, r io.Reader) contents {
	t.Helper()
	all := contents{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		all[h.Name] = string(text)
	}
}

func filesInZip(t *testing.T, path string) contents {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	all := contents{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(text)
	}
	return all
}

// list runs events list with flags and returns what it printed as JSON.
func (r *rig) list(flags ...string) (all []event.Stored) {
	r.t.Helper()
	out, errOut, code := r.run("", append([]string{"events", "list", "--json"}, flags...)...)
	if code != exitOK {
		r.t.Fatalf("events list %v: %d %s", flags, code, errOut)
	}
	for line := range strings.Lines(out) {
		all = append(all, unmarshal[event.Stored](r.t, line))
	}
	return all
}

func ids(all []event.Stored) string {
	var out []string
	for _, e := range all {
		out = append(out, e.ID)
	}
	return strings.Join(out, " ")
}

// fireEvent fires a trigger and waits until its event has ended.
func (r *rig) fireEvent(trigger string) string {
	r.t.Helper()
	out, errOut, code := r.run("", "trigger", trigger)
	if code != exitOK {
		r.t.Fatalf("trigger %s: %d %s%s", trigger, code, out, errOut)
	}
	id := strings.TrimSpace(out)
	r.until("event "+id+" has ended", func() bool {
		all := r.list()
		i := slices.IndexFunc(all, func(e event.Stored) bool { return e.ID == id })
		return i >= 0 && !all[i].End.IsZero()
	})
	return id
}

// foreignEvents puts two events into the store that another hand has spoilt, and
// returns their ids: one whose event.json is damaged, one with words that would
// play with the terminal.
func (r *rig) foreignEvents() (damaged, hostile string) {
	r.t.Helper()
	if out, errOut, code := r.run("", "set", "storage.max_age", "3650d"); code != exitOK { // they are old
		r.t.Fatal(out, errOut)
	}
	damaged, hostile = "00000001-20260102T030405", "00000002-20260203T040506"
	for id, js := range map[string]string{damaged: "{\"id\": \"half", hostile: `{"id":"x","trigger":"\u001b[2Jbell\u202e","source":"manual","start":"2026-02-03T04:05:06Z","end":"2026-02-03T04:05:07Z",` +
		`"firings":1,"images":[{"file":"0001-20260203T040506.000.jpg","at":"2026-02-03T04:05:06Z","bytes":4}],"missing":["\u009b31m\u0007 no\nroom"]}`} {
		dir := filepath.Join(r.dir, "store/events", id)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			r.t.Fatal(err)
		}
		_, stamp, _ := strings.Cut(id, "-")
		for name, text := range map[string]string{"event.json": js, "0001-" + stamp + ".000.jpg": "JPEG", "notes.txt": "a person's"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	return damaged, hostile
}

// The events of the running service and of its files when it is down: the same
// list, the same event, the same bytes in a folder, a zip and a tar.
func TestEvents(t *testing.T) {
	r := newRig(t, "site: {time_zone: Asia/Kathmandu}\ncamera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual, post: 1s}, {name: yard, source: manual, pre: 2 images, post: 0}]")
	damaged, hostile := r.foreignEvents()
	s := r.serve().ready()
	r.until("there is a picture", func() bool { return r.status().Camera.Frames > 20 })
	bell, yard := r.fireEvent("bell"), r.fireEvent("yard")
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running %v", running), func(t *testing.T) {
			r := &rig{t, r.dir, r.config}
			if !running {
				s.stop(syscall.SIGTERM)
			}
			testEventsList(r, damaged, hostile, bell, yard)
			testEventsShow(r, damaged, hostile, bell)
			testEventsExport(r, damaged, hostile, bell, yard)
		})
	}
}

func testEventsList(r *rig, damaged, hostile, bell, yard string) {
	t := r.t
	kathmandu := time.FixedZone("", 5*3600+45*60)
	began := r.list("--trigger", "yard")[0].Start
	for _, c := range []struct {
		flags, want string
	}{
		{"", yard + " " + bell + " " + hostile + " " + damaged},
		{"-n|2", yard + " " + bell},
		{"--trigger|bell", bell},
		{"--trigger|nobody", ""},
		{"--before|" + bell, hostile + " " + damaged},
		{"--to|2026-02-02", damaged},
		{"--to|2026-02-03", hostile + " " + damaged}, // that day too
		{"--from|2026-02-03|--to|2026-02-03", hostile},
		{"--from|2026-02-03 09:50:06|--to|2026-02-03 09:51", hostile}, // Kathmandu's 04:05:06 UTC
		{"--from|2026-02-03 09:50:07|--to|2026-02-03 09:51", ""},
		{"--from|2026-02-03T04:05:06Z|--to|2026-02-03T04:05:07Z", hostile},
		{"--from|" + began.In(kathmandu).Format(time.DateTime), yard}, // the other began at least a second before
	} {
		var flags []string
		if c.flags != "" {
			flags = strings.Split(c.flags, "|")
		}
		if got := ids(r.list(flags...)); got != c.want {
			t.Errorf("events list %q: %s, want %s", c.flags, got, c.want)
		}
	}
	out, _, code := r.run("", "events", "list")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitOK || len(lines) != 4 {
		t.Fatalf("events list: %d\n%s", code, out)
	}
	for i, want := range []string{yard + "  yard         manual    ", bell + "  bell         manual    ", hostile + "  ", damaged + "  unknown      unknown   "} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, want it to begin with %q", i+1, lines[i], want)
		}
	}
	if !strings.Contains(lines[2], "2026-02-03 09:50:06  1 image, 1 missing") {
		t.Errorf("in the site's zone: %q", lines[2])
	}
	for _, bad := range []string{"--from|yesterday", "--to|2026-13-01", "-n|-1", "-n|many", "extra"} {
		out, errOut, code := r.run("", append([]string{"events", "list"}, strings.Split(bad, "|")...)...)
		if code != exitUsage || out != "" || strings.Count(errOut, "\n") != 1 {
			t.Errorf("events list %s: %d %q %q", bad, code, out, errOut)
		}
	}
	for _, flags := range [][]string{{"list"}, {"list", "--json"}, {"show", hostile}, {"show", hostile, "--json"}, {"show", damaged}} {
		out, errOut, code := r.run("", append([]string{"events"}, flags...)...)
		if code != exitOK || strings.ContainsFunc(out+errOut, func(c rune) bool { return c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 || c == 0x202e }) {
			t.Errorf("%v: %d, the words of another hand are not harmless: %q", flags, code, out+errOut)
		}
	}
}

func testEventsShow(r *rig, damaged, hostile, bell string) {
	t := r.t
	for id, want := range map[string][]string{
		bell:    {bell + ": bell, manual\n", "+0545", "fired  1 time", ".jpg"},
		damaged: {damaged + ": unknown, unknown\n", "0001-20260102T030405.000.jpg", "missing: what event.json said"},
		hostile: {"from   2026-02-03 09:50:06.000 ", "missing: ", "no room"},
	} {
		out, errOut, code := r.run("", "events", "show", id)
		for _, w := range want {
			if code != exitOK || !strings.Contains(out, w) {
				t.Errorf("events show %s: %d %q has no %q: %s", id, code, out, w, errOut)
			}
		}
	}
	for _, id := range []string{"00000099-20260102T030405", "..", "../journal", ""} {
		if out, errOut, code := r.run("", "events", "show", id); code != exitFailed || !strings.Contains(errOut, "not found") {
			t.Errorf("events show %q: %d %q %q", id, code, out, errOut)
		}
	}
}

func testEventsExport(r *rig, damaged, hostile, bell, yard string) {
	t := r.t
	out := t.TempDir()
	in := func(id string) contents {
		all := filesIn(t, filepath.Join(r.dir, "store/events", id))
		delete(all, "notes.txt") // no file of the event
		return all
	}
	stored := contents{}
	for _, id := range []string{damaged, hostile, bell, yard} {
		for name, text := range in(id) {
			stored[id+"/"+name] = text
		}
	}
	export := func(words ...string) string {
		t.Helper()
		cmd := r.command(append([]string{"events", "export"}, words...)...)
		cmd.Dir = out
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		text, err := cmd.Output()
		if err != nil {
			t.Errorf("events export %v: %v %s", words, err, &errOut)
		}
		return string(text)
	}
	same := func(what string, got, want contents) {
		t.Helper()
		if d := want.differ(got); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
	n := len(in(bell)) - 1
	if said := export(bell); said != fmt.Sprintf("%d images in %s\n", n, bell) {
		t.Errorf("%q", said)
	}
	same("an event into a folder of its name", filesIn(t, filepath.Join(out, bell)), in(bell))
	export(damaged, "deep/er")
	same("a damaged event into a folder", filesIn(t, filepath.Join(out, "deep/er")), in(damaged))
	one := contents{}
	for name, text := range in(bell) {
		one[bell+"/"+name] = text
	}
	if said := unmarshal[map[string]any](t, export(bell, "one.ZIP", "--json")); said["images"] != float64(n) || said["id"] != bell || said["to"] != "one.ZIP" {
		t.Errorf("%v", said)
	}
	same("an event as a zip", filesInZip(t, filepath.Join(out, "one.ZIP")), one)
	same("an event as a tar through a pipe", filesInTar(t, strings.NewReader(export(bell, "-"))), one)
	if said := export("-n", "100", "all"); !strings.HasPrefix(said, "4 events, ") {
		t.Errorf("%q", said)
	}
	same("all into a folder", filesIn(t, filepath.Join(out, "all")), stored)
	export("-n", "100", "all") // again, over what is there
	same("all once more", filesIn(t, filepath.Join(out, "all")), stored)
	export("--to", "2026-12-31", "all.zip")
	same("all as a zip", filesInZip(t, filepath.Join(out, "all.zip")), stored)
	export("--from", "2026-01-01", "all.tar")
	text, err := os.ReadFile(filepath.Join(out, "all.tar"))
	if err != nil {
		t.Fatal(err)
	}
	same("all as a tar", filesInTar(t, bytes.NewReader(text)), stored)
	same("all as a tar through a pipe", filesInTar(t, strings.NewReader(export("-n", "100", "-"))), stored)
	export("--trigger", "nobody", "none.tar")
	for _, c := range []struct {
		words string
		code  int
	}{
		{"", exitUsage}, {"a b c", exitUsage}, {bell + " --trigger bell", exitUsage}, {bell + " x --trigger bell", exitUsage},
		{"00000099-20260102T030405 " + out + "/absent", exitFailed}, {bell + " /proc/no/where", exitFailed}, {bell + " /proc/no/where.tar", exitFailed},
	} {
		said, errOut, code := r.run("", append([]string{"events", "export"}, strings.Fields(c.words)...)...)
		if code != c.code || said != "" || strings.Count(errOut, "\n") != 1 {
			t.Errorf("events export %s: %d %q %q", c.words, code, said, errOut)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an event that is not there left a folder: %v", err)
	}
}

// The service is killed in the middle of an export: it says so, exits 1, and no
// half file stands under a final name.
func TestExportBreaksOff(t *testing.T) {
	r := newRig(t, "camera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual}]")
	_, id := r.foreignEvents()
	// An image that takes a while, without taking room.
	if err := os.Truncate(filepath.Join(r.dir, "store/events", id, "0001-20260203T040506.000.jpg"), 1<<30); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"out.tar", "out.zip", "out", "-"} {
		t.Run(to, func(t *testing.T) {
			r := &rig{t, r.dir, r.config}
			s := r.serve().ready()
			dir := t.TempDir()
			cmd := r.command("events", "export", id, to)
			var errOut bytes.Buffer
			cmd.Dir, cmd.Stderr = dir, &errOut
			var pipe io.ReadCloser
			if to == "-" {
				var err error
				if pipe, err = cmd.StdoutPipe(); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if to == "-" {
				if _, err := io.CopyN(io.Discard, pipe, 1<<20); err != nil {
					t.Fatal(err)
				}
				go io.Copy(io.Discard, pipe)
			} else {
				r.until("it is under way", func() bool {
					temp, _ := filepath.Glob(filepath.Join(dir, "*"))
					more, _ := filepath.Glob(filepath.Join(dir, "*", ".tmp-*"))
					hidden, _ := filepath.Glob(filepath.Join(dir, ".tmp-*"))
					return slices.ContainsFunc(slices.Concat(temp, more, hidden), func(path string) bool {
						st, err := os.Stat(path)
						return err == nil && !st.IsDir() && st.Size() > 1<<16
					})
				})
			}
			s.stop(syscall.SIGKILL)
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailed {
				t.Errorf("%v", err)
			}
			if said := errOut.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "broke off") {
				t.Errorf("it says %q", said)
			}
			for name, text := range filesIn(t, dir) {
				if filepath.Base(name) != "event.json" || !strings.HasSuffix(text, "}") {
					t.Errorf("%s, %d bytes, was left", name, len(text))
				}
			}
		})
	}
}
