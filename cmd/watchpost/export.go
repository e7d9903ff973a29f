package main

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

const exportChunk = 10_000 // events asked for at a time: their ids are one request

// errLeftOut says that an export is good as far as it goes.
var errLeftOut = errors.New("not all of it could be exported")

// export is where events go, and what has gone there.
type export struct {
	to             string // -, FILE.zip, FILE.tar, or a folder
	bare           bool   // a folder without one for the event in it
	fresh          bool   // an archive takes no other file's place
	needs          int64  // about so many bytes are written; 0: not known
	wrote          func(n int)
	events, images int
	bytes          int64  // of an archive
	last           string // the event of the newest file
}

func exportOne(ctx context.Context, f *flags, e events, words []string) error {
	x, err := e.one(ctx, words[0])
	if err != nil {
		return err
	}
	out := export{to: x.ID, bare: true, needs: exportBytes(x)}
	if len(words) == 2 {
		out.to = words[1]
	}
	return out.run(ctx, f, e, []string{x.ID}, len(x.Images)+1)
}

func exportChosen(ctx context.Context, f *flags, e events, filter event.Filter, words []string) error {
	out := export{to: "."}
	if len(words) == 1 {
		out.to = words[0]
	}
	ids, files, needs, err := e.oldestFirst(ctx, filter)
	if err != nil {
		return err
	}
	out.needs = needs
	return out.run(ctx, f, e, ids, files)
}

// oldestFirst returns the ids of the events that f chooses, as they came, and how
// many files and about how many bytes they have.
func (e events) oldestFirst(ctx context.Context, f event.Filter) (ids []string, files int, bytes int64, err error) {
	for x, err := range e.chosen(ctx, f) {
		if err != nil {
			return nil, 0, 0, err
		}
		ids, files, bytes = append(ids, x.ID), files+len(x.Images)+1, bytes+exportBytes(x)
	}
	slices.Reverse(ids)
	return ids, files, bytes, nil
}

// run exports and says what went where. Under its name an archive, and in a folder
// each file, stands only when it is whole.
func (x *export) run(ctx context.Context, f *flags, e events, ids []string, files int) (err error) {
	switch ext := strings.ToLower(filepath.Ext(x.to)); {
	case x.to != "-" && f.s.far != nil:
		return errors.New("over SSH events are exported to standard output only: put a - at the end, and > FILE.tar where you are; sftp copies them too")
	case x.to == "-":
		if t, ok := f.s.out.(*os.File); ok && isTerminal(t) {
			return errors.New("a tar is nothing for a terminal: send it to a program or a file")
		}
		return x.archived(ctx, f.s.out, e, ids, asTar)
	case ext == ".tar", ext == ".zip":
		if err = x.file(ctx, e, ids, files); err != nil && !errors.Is(err, errLeftOut) {
			err = fmt.Errorf("nothing was exported: %w", err)
		}
	default:
		if err = x.room(x.to); err != nil {
			return fmt.Errorf("nothing was exported: %w", err)
		}
		err = x.files(ctx, e, ids, x.place)
		if err != nil && !errors.Is(err, errLeftOut) {
			err = fmt.Errorf("the export broke off after %s and is not whole: %w", counted(x.images, "image"), err)
		}
	}
	if err != nil || x.to == "-" {
		return err
	}
	if f.json {
		done := map[string]any{"events": x.events, "images": x.images, "to": x.to}
		if x.bare {
			done["id"] = ids[0]
		}
		f.printJSON(done)
		return nil
	}
	what := counted(x.images, "image")
	if !x.bare {
		what = counted(x.events, "event") + ", " + what
	}
	fmt.Fprintf(f.s.out, "%s in %s\n", what, x.to)
	return nil
}

// file writes the archive x.to. Where all is left out there is none.
func (x *export) file(ctx context.Context, e events, ids []string, files int) error {
	form, write := asTar, durable.Write
	if strings.EqualFold(filepath.Ext(x.to), ".zip") {
		if form = asZip; files > event.ZipFiles {
			return fmt.Errorf("%d files are too many for a zip, which holds %d: choose fewer events, or a tar", files, event.ZipFiles)
		}
	}
	if err := x.room(filepath.Dir(x.to)); err != nil {
		return err
	}
	if x.fresh {
		write = durable.WriteNew
	}
	var left error
	err := write(x.to, 0o644, func(w io.Writer) error {
		err := x.archived(ctx, &counter{ctx, w, x}, e, ids, form)
		switch {
		case !errors.Is(err, errLeftOut):
			return err
		case x.events > 0:
			left = err
			return nil
		case errors.Is(err, event.ErrNotFound):
			return fmt.Errorf("all of it was removed meanwhile: %w", event.ErrNotFound)
		}
		return errors.New(err.Error())
	})
	if err == nil {
		err = left
	}
	return err
}

// counter counts what is written of an archive, and ends it with its context: one
// image may take long.
type counter struct {
	ctx context.Context
	w   io.Writer
	x   *export
}

func (c *counter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.w.Write(p)
	c.x.bytes += int64(n)
	if c.x.wrote != nil {
		c.x.wrote(n)
	}
	return n, err
}

// place writes a file of an event into the folder.
func (x *export) place(h *tar.Header, r io.Reader) error {
	dir := x.to
	if !x.bare {
		dir = filepath.Join(dir, filepath.Dir(h.Name))
	}
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, filepath.Base(h.Name)), 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// asTar and asZip begin an archive: what adds a file, and what ends it.
func asTar(w io.Writer) (func(*tar.Header, io.Reader) error, func() error) {
	t := tar.NewWriter(w)
	return func(h *tar.Header, r io.Reader) error {
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(t, r)
		return err
	}, t.Close
}

func asZip(w io.Writer) (func(*tar.Header, io.Reader) error, func() error) {
	z := zip.NewWriter(w)
	return func(h *tar.Header, r io.Reader) error {
		head := &zip.FileHeader{Name: h.Name, Modified: h.ModTime, Method: zip.Store} // JPEG does not shrink
		head.SetMode(0o644)
		w, err := z.CreateHeader(head)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, r)
		return err
	}, z.Close
}

// archived writes events as one archive; it is whole also where something is left out.
func (x *export) archived(ctx context.Context, w io.Writer, e events, ids []string,
	form func(io.Writer) (func(*tar.Header, io.Reader) error, func() error)) error {
	add, end := form(w)
	err := x.files(ctx, e, ids, add)
	if err != nil && !errors.Is(err, errLeftOut) {
		return err
	}
	if cerr := end(); cerr != nil {
		return cerr
	}
	return err
}

// files takes the files of events one by one. errLeftOut says that all went well
// with those that are there.
func (x *export) files(ctx context.Context, e events, ids []string, take func(*tar.Header, io.Reader) error) error {
	var left error
	for chunk := range slices.Chunk(ids, exportChunk) {
		switch err := x.chunk(ctx, e, chunk, take); {
		case errors.Is(err, errLeftOut):
			left = errors.Join(left, err)
		case err != nil:
			return err
		}
	}
	return left
}

func (x *export) chunk(ctx context.Context, e events, ids []string, take func(*tar.Header, io.Reader) error) error {
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() { // ends with the export, which ends when the pipe is closed
		defer close(ended)
		w.CloseWithError(e.Export(ctx, w, ids, "tar"))
	}()
	defer func() { <-ended }()
	defer r.CloseWithError(errors.New("the export was given up"))
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		id, file, _ := strings.Cut(h.Name, "/")
		if !isEventID(id) || !filepath.IsLocal(file) || filepath.Base(file) != file || h.Typeflag != tar.TypeReg {
			return fmt.Errorf("%q is no file of an event", h.Name)
		}
		if err := take(h, t); err != nil {
			return err
		}
		if id != x.last {
			x.last = id
			x.events++
		}
		if strings.HasSuffix(file, ".jpg") {
			x.images++
		}
	}
	// The archive has its end: what comes now is what it goes without.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("%w: %w", errLeftOut, err)
	}
	return nil
}
