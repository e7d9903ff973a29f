package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

// tarred is an archive of one tar and what Export says of it.
type tarred struct {
	names  []string
	cut    bool // it has no end
	err    error
	begins context.CancelFunc // called first; nil: nothing
}

func (a tarred) Events(context.Context, event.Filter) ([]event.Stored, error) { return nil, nil }

func (a tarred) Export(_ context.Context, w io.Writer, _ []string, _ string) error {
	if a.begins != nil {
		a.begins()
	}
	t := tar.NewWriter(w)
	for _, name := range a.names {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 4, Mode: 0o644, ModTime: time.Unix(1e9, 0)}); err != nil {
			return err
		}
		if _, err := t.Write([]byte("JPEG")); err != nil {
			return err
		}
	}
	if a.cut {
		return errors.Join(t.Flush(), a.err)
	}
	return errors.Join(t.Close(), a.err)
}

const someEvent = "00000042-20261124T150405"

// What is left out, since it was removed meanwhile or cannot be read, is told by
// the exit; the rest is kept. What broke off, was given up or is none of an event's
// files leaves no file.
func TestExportOfParts(t *testing.T) {
	good := []string{someEvent + "/event.json", someEvent + "/0001-20261124T150405.000.jpg"}
	for name, c := range map[string]struct {
		tarred
		cancelled, stays bool
		says             string
	}{
		"left out":  {tarred: tarred{names: good, err: errors.New("event 7 is gone")}, stays: true, says: "event 7 is gone"},
		"broke off": {tarred: tarred{names: good, cut: true, err: errors.New("the disk is bad")}, says: "the disk is bad"},
		"given up":  {tarred: tarred{names: good}, cancelled: true, says: "context canceled"},
		"outside":   {tarred: tarred{names: []string{someEvent + "/../../x.jpg"}}, says: "no file of an event"},
		"absolute":  {tarred: tarred{names: []string{"/etc/x.jpg"}}, says: "no file of an event"},
		"deeper":    {tarred: tarred{names: []string{someEvent + "/a/x.jpg"}}, says: "no file of an event"},
	} {
		for _, to := range []string{"out.tar", "out.zip", "out"} {
			t.Run(name+" "+to, func(t *testing.T) {
				dir := t.TempDir()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				a := c.tarred
				if c.cancelled {
					a.begins = cancel
				}
				var out bytes.Buffer
				f := newFlags("events", streams{out: &out, err: &out})
				x := export{to: filepath.Join(dir, to)}
				err := x.run(ctx, f, events{archive: a}, []string{someEvent}, len(a.names))
				if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, errLeftOut) != c.stays {
					t.Errorf("%v", err)
				}
				if _, err := os.Stat(filepath.Join(dir, to)); to != "out" && (err == nil) != c.stays {
					t.Errorf("%s: %v", to, err)
				}
				for name, text := range filesIn(t, dir) {
					if strings.Contains(name, ".tmp-") || to == "out" && text != "JPEG" {
						t.Errorf("%s was left with %q", name, text)
					}
				}
				if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "*.jpg")); len(left) > 0 {
					t.Errorf("outside the folder: %v", left)
				}
			})
		}
	}
}
