// Package powercut is test support: it records what a program changes on the disk
// through package durable, builds each state in which a power cut may leave the
// disk after each of those calls, and starts the program's check from it.
//
// It models POSIX at its weakest: a file's data survives when the file has been
// fsynced, a folder's entries when the folder has, and of all else any part may.
// It is not a file system and injects no fault. Verify runs the check in several
// goroutines and waits for them.
package powercut

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"watchpost/engine/durable"
)

// Recording is what happened in a folder, in its order.
type Recording struct {
	root string
	base *inode
	undo func()

	mu  sync.Mutex
	log []moment
}

// moment is a call, something said, or a file placed from outside.
type moment struct {
	call  durable.Call // Op "": none
	site  Site
	said  any
	place *inode // nil: nothing
}

// Site is the place in the code that asks for an fsync.
type Site struct {
	Op      durable.Op
	Inside  string // the line of package durable; empty where another package asks itself
	Outside string // the first line outside of it
}

func (s Site) String() string {
	if s.Inside == "" {
		return fmt.Sprintf("%s  %s", s.Outside, s.Op)
	}
	return fmt.Sprintf("%s via %s  %s", s.Outside, s.Inside, s.Op)
}

// Record begins to record what package durable changes below the folder root.
// What is there already counts as safe on the disk. One at a time.
func Record(root string) (*Recording, error) {
	base, err := load(root)
	if err != nil {
		return nil, err
	}
	r := &Recording{root: root, base: base}
	r.undo = durable.Observe(durable.Observer{After: r.called})
	return r, nil
}

// Stop ends the recording.
func (r *Recording) Stop() { r.undo() }

// Say notes that the program has told something that a cut must not make untrue,
// or that something happened which the check must know.
func (r *Recording) Say(fact any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, moment{said: fact})
}

// Place puts a file, or where data is nil an empty folder, in the place of what is
// there, as another program does that sees to its fsyncs, and says the fact in the
// same moment.
func (r *Recording) Place(path string, data []byte, fact any) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	n := &inode{data: data, synced: data}
	err := error(nil)
	if data != nil {
		err = os.WriteFile(path, data, 0o600)
	} else {
		n, err = newDir(), os.Mkdir(path, 0o700)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, moment{call: durable.Call{Path: r.relative(path)}, said: fact, place: n})
	return err
}

// relative is the path below the root; "" where it is not.
func (r *Recording) relative(path string) string {
	rel, err := filepath.Rel(r.root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return ""
	}
	return rel
}

func (r *Recording) called(c durable.Call) {
	if c.Path = r.relative(c.Path); c.Path == "" {
		return
	}
	if c.To != "" {
		c.To = r.relative(c.To)
	}
	c.Data = bytes.Clone(c.Data)
	site := caller(c.Op)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, moment{call: c, site: site})
}

// caller finds who asked package durable for the call.
func caller(op durable.Op) Site {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	s := Site{Op: op}
	for {
		f, more := frames.Next()
		at := fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File), f.Line)
		_, method, inside := strings.Cut(f.Function, "engine/durable.")
		if !inside || strings.HasSuffix(f.File, "_test.go") {
			s.Outside = at + " " + f.Function[strings.LastIndexByte(f.Function, '/')+1:]
			return s
		}
		switch method { // the ends of the chain: they are the fsync
		case "changing", "SyncDir", "(*File).Sync":
		default:
			if s.Inside == "" {
				s.Inside = at
			}
		}
		if !more {
			return s
		}
	}
}

// replay plays the recording on the model and calls at after each moment, until
// it returns false. The fsyncs of the site without are left out.
func (r *Recording) replay(without Site, at func(d *disk, m moment, said []any) bool) {
	d := &disk{root: r.base.clone(map[*inode]*inode{})}
	var said []any
	for _, m := range r.log {
		switch {
		case m.place != nil:
			dir, name := d.find(filepath.Dir(m.call.Path)), filepath.Base(m.call.Path)
			n := m.place.clone(map[*inode]*inode{})
			dir.entries[name], dir.kept[name] = n, n
			said = append(said, m.said)
		case m.call.Op == "":
			said = append(said, m.said)
		case m.site == without:
		default:
			d.do(m.call)
		}
		if !at(d, m, said) {
			return
		}
	}
}

func (m moment) String() string {
	switch {
	case m.place != nil:
		return "placing " + m.call.Path
	case m.call.Op == "":
		return fmt.Sprintf("saying %v", m.said)
	case m.call.To != "":
		return fmt.Sprintf("%s %s to %s", m.call.Op, m.call.Path, m.call.To)
	}
	return fmt.Sprintf("%s %s", m.call.Op, m.call.Path)
}

// unseen says what was changed on the disk past package durable; "" for nothing.
// Files whose name ends in one of the suffixes do not count.
func (r *Recording) unseen(ignore []string) (string, error) {
	now, err := load(r.root)
	if err != nil {
		return "", err
	}
	var model *inode
	r.replay(Site{}, func(d *disk, _ moment, _ []any) bool { model = d.root; return true })
	return differs(model, now, "", ignore), nil
}
