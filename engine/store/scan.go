package store

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"watchpost/engine/durable"
)

// scan reads what is in the store's folder: the events' names in one listing, the
// rest from the index, and the folders of those events only that it does not know,
// which are those that were going on, or came by hand. It is done at a start, and
// when the folder is back after it was gone.
func (s *Store) scan() error {
	ids, err := s.ids()
	if err != nil {
		return err
	}
	slab := make([]entry, len(ids))
	order := make([]*entry, len(ids))
	for i, id := range ids {
		slab[i].id = id
		order[i] = &slab[i]
	}
	sound := s.index.load(order)
	s.read, s.uncorrected = 0, true
	s.mu.Lock()
	open := make(map[string]*entry, len(s.open))
	for id := range s.open {
		open[id] = s.find(id)
	}
	s.mu.Unlock()
	news := 0
	kept := order[:0]
	for _, x := range order {
		if was := open[x.id]; was != nil {
			x = was
			delete(open, x.id)
		} else if x.bytes == 0 {
			s.read++
			if !s.measure(x) {
				continue
			}
			if !x.damaged {
				news++
			}
		}
		kept = append(kept, x)
	}
	s.mu.Lock()
	s.order, s.total = kept, 0
	for _, x := range kept {
		s.total += x.bytes
	}
	for id, was := range open { // it goes on, but its folder is not here
		r := s.open[id]
		if n := len(r.Images); n > 0 {
			r.notes = append(r.notes, fmt.Sprintf("%d images: the disk was changed during the event", n))
		}
		r.Images, r.made, r.behind = nil, false, true
		x := s.enter(id)
		x.trigger, x.start, x.keep = was.trigger, was.start, was.keep
	}
	s.version++
	s.mu.Unlock()
	if !sound || news > 0 {
		s.checkpoint()
	}
	return nil
}

// ids lists the events' folders, oldest first, and removes what a crash left
// unfinished. Whatever else is there stays alone.
func (s *Store) ids() ([]string, error) {
	d, err := os.Open(s.dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var ids []string
	for {
		entries, err := d.ReadDir(4096)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), durable.TempPrefix) {
				_ = durable.RemoveAll(filepath.Join(s.dir, e.Name())) // at the next start, then
			} else if _, _, ok := parseID(e.Name()); ok && e.IsDir() {
				ids = append(ids, e.Name())
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(ids, compareIDs)
	return ids, nil
}

// measure reads the folder of an event that the index does not know, and closes
// the event where a crash left it open; false where there is nothing in it.
func (s *Store) measure(x *entry) bool {
	folder := filepath.Join(s.dir, x.id)
	files, err := os.ReadDir(folder)
	x.bytes = eventCost
	left := len(files)
	for _, f := range files {
		switch name := f.Name(); {
		case strings.HasPrefix(name, durable.TempPrefix):
			_ = durable.RemoveAll(filepath.Join(folder, name))
			left--
		case isImage(name) && f.Type().IsRegular():
			if st, err := f.Info(); err == nil {
				x.images++
				x.bytes += st.Size()
			}
		}
	}
	if err == nil && left == 0 { // the power was cut before Put came to event.json
		_ = durable.Remove(folder)
		return false
	}
	e, err := read(s.dir, x.id)
	if x.damaged = err != nil; x.damaged {
		e = salvaged(s.dir, x.id, err)
	} else if e.End.IsZero() {
		e = ended(s.dir, e)
		// For those who read the files; where it cannot be written, as on a full
		// disk, every reader still gets it so from Read.
		_ = s.write(e)
	}
	x.trigger, x.keep, x.unset, x.start, x.end = e.Trigger, e.Keep, e.Unset != nil, e.Start.UnixMilli(), max(e.End.UnixMilli(), 1)
	return true
}
