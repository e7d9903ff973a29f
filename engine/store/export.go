package store

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"watchpost/engine/event"
)

// archive is what Export writes to.
type archive interface {
	add(name string, at time.Time, size int64, r io.Reader) error
	Close() error
}

// Export writes events as one archive, "zip" or "tar": event.json and the images,
// named EVENT/FILE, their times those of the stamps. It goes image by image; a zip
// of too many is refused. Events that are not there, or are removed meanwhile, are
// left out and told by the error, with an archive that is good without them. One
// that is going on is as it is now.
func (s *Store) Export(w io.Writer, ids []string, format string) error {
	var a archive
	switch format {
	case "zip":
		n := len(ids)
		s.mu.Lock()
		for _, id := range ids {
			if x := s.find(id); x != nil {
				n += x.images
			}
		}
		s.mu.Unlock()
		if n > event.ZipFiles {
			return fmt.Errorf("export: %d files are too many for a zip, which holds %d: export fewer events, or a tar", n, event.ZipFiles)
		}
		a = zipArchive{zip.NewWriter(w)}
	case "tar":
		a = tarArchive{tar.NewWriter(w)}
	default:
		return fmt.Errorf("export: there is no format %q: zip or tar", format)
	}
	if _, err := s.reachable(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	done := map[string]bool{}
	var left leftOut
	for _, id := range ids {
		if done[id] {
			continue
		}
		done[id] = true
		if err := s.exportEvent(a, id, &left); err != nil {
			return fmt.Errorf("export event %s: %w", id, err)
		}
	}
	if err := a.Close(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return left.err()
}

// leftOut counts what an archive goes without.
type leftOut struct {
	n     int
	first error
}

func (l *leftOut) add(err error) {
	if l.n++; l.first == nil {
		l.first = err
	}
}

func (l *leftOut) err() error {
	switch {
	case l.n == 0:
		return nil
	case l.n == 1:
		return fmt.Errorf("export: left out: %w", l.first)
	}
	return fmt.Errorf("export: %d left out, the first: %w", l.n, l.first)
}

// exportEvent adds an event; the error is the archive's.
func (s *Store) exportEvent(a archive, id string, left *leftOut) error {
	e, err := s.Get(id)
	if err != nil {
		left.add(err)
		return nil
	}
	fsys := files{s}
	entries, err := fsys.ReadDir(id)
	if err != nil {
		left.add(err)
		return nil
	}
	going := e.End.IsZero()
	if going { // the file does not list the images yet
		js, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			return err
		}
		js = append(js, '\n')
		if err := a.add(id+"/"+metaName, stamp(e, metaName, time.Time{}), int64(len(js)), bytes.NewReader(js)); err != nil {
			return err
		}
	}
	for _, d := range entries {
		if d.Name() == metaName && going {
			continue
		}
		name := id + "/" + d.Name()
		f, err := fsys.Open(name)
		if err != nil { // the event is just being removed, or the disk is bad
			left.add(err)
			continue
		}
		st, err := f.Stat()
		if err == nil {
			err = a.add(name, stamp(e, d.Name(), st.ModTime()), st.Size(), f)
		}
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// stamp is the time that a file of an event shows.
func stamp(e event.Stored, name string, otherwise time.Time) time.Time {
	switch {
	case name != metaName:
		return imageTime(name, e.Start.Location(), otherwise)
	case e.End.IsZero():
		return lastOf(e)
	}
	return e.End
}

type tarArchive struct{ *tar.Writer }

func (t tarArchive) add(name string, at time.Time, size int64, r io.Reader) error {
	// PAX keeps the milliseconds.
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: at, Format: tar.FormatPAX}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	return copyAll(t, r, name, size)
}

type zipArchive struct{ *zip.Writer }

func (z zipArchive) add(name string, at time.Time, size int64, r io.Reader) error {
	h := &zip.FileHeader{Name: name, Modified: at, Method: zip.Store} // JPEG does not shrink
	h.SetMode(0o644)
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	return copyAll(w, r, name, size)
}

func copyAll(w io.Writer, r io.Reader, name string, size int64) error {
	_, err := io.CopyN(w, r, size)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s became shorter while it was read", name)
	}
	return err
}
