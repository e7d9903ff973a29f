package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/store"
)

// storedImages is the event store as the queue of transfers reads it.
type storedImages struct{ *store.Store }

func (s storedImages) Event(id string) (event.Stored, error) { return s.Get(id) }

func (s storedImages) Files(id string) (names []string, ended bool, err error) {
	e, err := s.Get(id)
	if err != nil {
		return nil, false, err
	}
	for _, im := range e.Images {
		names = append(names, im.File)
	}
	return names, !e.End.IsZero(), nil
}

func (s storedImages) Open(id, name string) (io.ReadSeekCloser, int64, time.Time, error) {
	e, err := s.Get(id)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	at := e.Start
	for _, im := range e.Images {
		if im.File == name {
			at = im.At
		}
	}
	f, err := os.Open(filepath.Join(s.Dir(id), filepath.Base(name)))
	if errors.Is(err, os.ErrNotExist) {
		if _, away := os.Stat(s.Dir(id)); away != nil { // all of it is: the disk, or an event that was just removed
			err = fmt.Errorf("the event's folder cannot be reached: %v", away)
		}
	}
	if err != nil {
		return nil, 0, at, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, at, err
	}
	return f, st.Size(), at, nil
}
