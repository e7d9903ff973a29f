package store

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"watchpost/engine/event"
)

type packed struct {
	at   time.Time
	data []byte
}

func unpack(t *testing.T, format string, data []byte) map[string]packed {
	t.Helper()
	files := map[string]packed{}
	take := func(name string, at time.Time, r io.Reader, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if _, twice := files[name]; twice || err != nil {
			t.Fatal(name, err)
		}
		files[name] = packed{at, data}
	}
	if format == "tar" {
		for r := tar.NewReader(bytes.NewReader(data)); ; {
			h, err := r.Next()
			if err == io.EOF {
				return files
			}
			take(h.Name, h.ModTime, r, err)
		}
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		take(f.Name, f.Modified, r, err)
	}
	return files
}

// An archive has the events' own files, with the times of their stamps; of one that
// is going on, what there is; of a damaged one, all as it is.
func TestExport(t *testing.T) {
	s, ids := littered(t)
	if err := os.WriteFile(filepath.Join(s.Dir(ids[1]), metaName), []byte("{broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	for format, exact := range map[string]time.Duration{"zip": time.Second, "tar": time.Millisecond} {
		var b bytes.Buffer
		if err := s.Export(&b, append(ids, ids[0]), format); err != nil {
			t.Fatal(err)
		}
		files := unpack(t, format, b.Bytes())
		if len(files) != 9 {
			t.Errorf("%s: %d files", format, len(files))
		}
		for i, id := range ids {
			var e event.Stored
			meta := files[id+"/"+metaName]
			if i == 1 {
				if string(meta.data) != "{broken" {
					t.Errorf("%q", meta.data)
				}
				continue
			}
			if err := json.Unmarshal(meta.data, &e); err != nil || len(e.Images) != 2 || e.End.IsZero() != (i == 2) {
				t.Errorf("%s: %+v %v", format, e, err)
			}
			for n, im := range e.Images {
				f, ok := files[id+"/"+im.File]
				if !ok || len(f.data) != 100 || f.data[0] != byte(n) || f.at.Sub(im.At).Abs() >= exact {
					t.Errorf("%s: %s is of %v, want %v", format, im.File, f.at, im.At)
				}
			}
		}
	}
}

// What is not there is told, and the archive is good without it; what cannot be
// done is refused before a byte goes out.
func TestExportRefuses(t *testing.T) {
	s, ids := littered(t)
	if err := os.RemoveAll(s.Dir(ids[1])); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	err := s.Export(&b, append(ids, "00000099-20261123T205107", "../x"), "tar")
	if !errors.Is(err, event.ErrNotFound) || !strings.Contains(err.Error(), "3 left out") || !strings.Contains(err.Error(), ids[1]) || len(unpack(t, "tar", b.Bytes())) != 6 {
		t.Errorf("%v, %d files", err, len(unpack(t, "tar", b.Bytes())))
	}
	b.Reset()
	if err := s.Export(&b, ids, "rar"); err == nil || b.Len() > 0 {
		t.Error(err)
	}
	s.find(ids[0]).images = event.ZipFiles
	if err := s.Export(&b, ids, "zip"); err == nil || b.Len() > 0 || !strings.Contains(err.Error(), "tar") {
		t.Error(err)
	}
	full := errors.New("the receiver is gone")
	if err := s.Export(failing{full}, ids, "tar"); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// The memory that an export takes does not grow with the images.
func TestExportIsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	id := record(t, s, 1, 3, 20<<20, true)
	for _, format := range []string{"zip", "tar"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := s.Export(io.Discard, []string{id}, format); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s of 60 MB: %d bytes were allocated", format, n)
		}
	}
}
