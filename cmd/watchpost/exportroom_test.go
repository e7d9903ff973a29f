package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watchpost/engine/event"
	"watchpost/tui"
)

// hugeEvent is an archive whose event says that it has more than any disk.
type hugeEvent struct{ tarred }

func (a hugeEvent) Events(context.Context, event.Filter) ([]event.Stored, error) {
	return []event.Stored{{ID: someEvent, Images: []event.StoredImage{{File: "0001-20261124T150405.000.jpg", Bytes: 1 << 58}}}}, nil
}

// What does not fit is refused before anything is written.
func TestExportWithoutRoom(t *testing.T) {
	var from archive = hugeEvent{tarred{names: []string{someEvent + "/event.json"}}}
	for _, to := range []string{"out.tar", "out.zip", "out", "new/folder"} {
		dir := t.TempDir()
		var out bytes.Buffer
		f := newFlags("events", streams{out: &out, err: &out})
		err := exportOne(t.Context(), f, events{archive: from}, []string{someEvent, filepath.Join(dir, to)})
		if err == nil || !strings.HasPrefix(err.Error(), "nothing was exported: the export takes about 288230376151.7 MB, and the disk of "+dir) {
			t.Errorf("%s: %v", to, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left %v", to, left)
		}
	}
	dir := t.TempDir()
	for _, id := range []string{someEvent, ""} {
		_, err := newSaver(from).save(t.Context(), tui.Export{ID: id, To: filepath.Join(dir, "out.zip")})
		if err == nil || !strings.HasPrefix(err.Error(), "the export takes about ") {
			t.Errorf("%q: %v", id, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// The store's reserve stays free: 64 MiB, of a small disk a tenth.
func TestExportLeavesTheReserve(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		needs, free, size int64
		want              bool
	}{
		{100 * mb, 164 * mb, 10_000 * mb, true},
		{100*mb + 1, 164 * mb, 10_000 * mb, false},
		{90 * mb, 100 * mb, 100 * mb, true},
		{91 * mb, 100 * mb, 100 * mb, false},
		{1, 0, 0, true}, // a disk that does not say
	} {
		if got := fits(c.needs, c.free, c.size); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
