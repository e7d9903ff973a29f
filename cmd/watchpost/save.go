package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"watchpost/engine/event"
	"watchpost/tui"
)

// saver exports events for the interface, into files of whoever runs it.
type saver struct {
	events
	dir   string     // of names without a folder
	under sync.Mutex // held by an export
}

func newSaver(a archive) *saver {
	dir, err := os.Getwd()
	if err != nil { // it was removed; a name with a folder is still good
		dir = "."
	}
	return &saver{events: events{archive: a}, dir: dir}
}

// end waits for the export that the interface has just given up: it leaves no half file.
func (s *saver) end() { s.under.Lock() }

// save is tui.Files.Save.
func (s *saver) save(ctx context.Context, x tui.Export) (tui.Saved, error) {
	if !s.under.TryLock() {
		return tui.Saved{}, errors.New("another export is under way, or the program ends")
	}
	defer s.under.Unlock()
	to := filepath.Join(s.dir, x.To)
	home, err := os.UserHomeDir()
	switch rest, ok := strings.CutPrefix(x.To, "~/"); {
	case ok && err == nil:
		to = filepath.Join(home, rest)
	case filepath.IsAbs(x.To):
		to = filepath.Clean(x.To)
	}
	out := export{to: to, fresh: true, wrote: x.Wrote}
	var ids []string
	var files int
	if x.ID == "" {
		ids, files, out.needs, err = s.oldestFirst(ctx, x.Filter)
	} else {
		var e event.Stored
		if e, err = s.one(ctx, x.ID); err == nil {
			ids, files, out.needs = []string{x.ID}, len(e.Images)+1, exportBytes(e)
		}
	}
	if err == nil && len(ids) == 0 {
		err = event.ErrNotFound
	}
	if err == nil {
		err = out.file(ctx, s.events, ids, files)
	}
	saved := tui.Saved{Path: to, Events: out.events, Images: out.images, Bytes: out.bytes}
	switch {
	case errors.Is(err, errLeftOut):
		saved.Left = "Not all is in it: " + strings.TrimPrefix(err.Error(), errLeftOut.Error()+": ")
		if errors.Is(err, event.ErrNotFound) {
			saved.Left = "Some of it was removed meanwhile and is not in it."
		}
	case ctx.Err() != nil:
		return saved, ctx.Err()
	case err != nil:
		return saved, notSaved(to, err)
	}
	return saved, nil
}

// notSaved says why there is no file at to, and what to do.
func notSaved(to string, err error) error {
	dir := filepath.Dir(to)
	why := ""
	switch {
	case errors.Is(err, event.ErrNotFound):
		why = "it was removed meanwhile"
	case errors.Is(err, os.ErrExist):
		why = to + " exists already; choose another name"
	case errors.Is(err, os.ErrPermission):
		why = "you may not write in " + dir + "; choose another folder"
	case errors.Is(err, syscall.EROFS):
		why = "the disk of " + dir + " is read-only; choose another folder"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		why = "the disk of " + dir + " is full; make room, or choose another folder"
	case errors.Is(err, syscall.EFBIG):
		why = "the file is too large for the disk of " + dir + "; choose fewer events, or another folder"
	case errors.Is(err, syscall.ENAMETOOLONG):
		why = "the name is too long"
	case errors.Is(err, syscall.ENOTDIR):
		why = dir + " is not a folder; choose another one"
	case errors.Is(err, os.ErrNotExist):
		if _, serr := os.Stat(dir); errors.Is(serr, os.ErrNotExist) {
			why = "there is no folder " + dir + "; make it, or choose another one"
		}
	}
	if why == "" {
		return err
	}
	return saveError{why, err}
}

// saveError is err in words for a person.
type saveError struct {
	why string
	err error
}

func (e saveError) Error() string { return e.why }
func (e saveError) Unwrap() error { return e.err }
