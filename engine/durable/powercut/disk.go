package powercut

import (
	"maps"
	"path/filepath"
	"strings"

	"watchpost/engine/durable"
)

// inode is a file or a folder, with what is in the page cache and what is on the platter.
type inode struct {
	dir     bool
	entries map[string]*inode // a folder's, as a program sees them
	kept    map[string]*inode // as they were when the folder was fsynced last
	data    []byte            // a file's, as a program sees it
	synced  []byte            // as it was when the file was fsynced last
	edits   []edit            // since then
}

func newDir() *inode {
	return &inode{dir: true, entries: map[string]*inode{}, kept: map[string]*inode{}}
}

// edit is a change of a file's data that is not fsynced.
type edit struct {
	offset int64 // with cut the new length
	data   []byte
	cut    bool
}

func (e edit) apply(data []byte) []byte {
	end := e.offset + int64(len(e.data))
	if e.cut {
		end = e.offset
	}
	out := append([]byte(nil), data...)
	if int64(len(out)) < end {
		out = append(out, make([]byte, end-int64(len(out)))...)
	}
	if e.cut {
		return out[:end]
	}
	copy(out[e.offset:], e.data)
	return out
}

// effect is a change of one folder's entry that is not fsynced. The two effects
// of a rename have one number: they come about together, or, after an fsync of
// one of the two folders, apart.
type effect struct {
	call int
	dir  *inode
	name string
	to   *inode // nil: the entry goes
}

// disk is the model: what would be found if the power were cut now.
type disk struct {
	root    *inode
	calls   int
	pending []effect // in their order
}

// find follows a path below the root.
func (d *disk) find(path string) *inode {
	at := d.root
	if path == "." {
		return at
	}
	for name := range strings.SplitSeq(path, "/") {
		if at = at.entries[name]; at == nil {
			return nil
		}
	}
	return at
}

func (d *disk) set(path string, to *inode) {
	dir, name := d.find(filepath.Dir(path)), filepath.Base(path)
	if dir == nil {
		return
	}
	if to == nil {
		delete(dir.entries, name)
	} else {
		dir.entries[name] = to
	}
	d.pending = append(d.pending, effect{d.calls, dir, name, to})
}

// do carries out a call. Paths are relative to the root.
func (d *disk) do(c durable.Call) {
	d.calls++
	n := d.find(c.Path)
	switch c.Op {
	case durable.OpCreate:
		d.set(c.Path, &inode{})
	case durable.OpMkdir:
		d.set(c.Path, newDir())
	case durable.OpRemove:
		d.set(c.Path, nil)
	case durable.OpLink:
		d.set(c.To, n)
	case durable.OpRename:
		if n != nil && d.find(c.To) != n { // two names of one file: rename(2) does nothing
			d.set(c.To, n)
			d.set(c.Path, nil)
		}
	case durable.OpWrite, durable.OpTruncate:
		if n != nil {
			e := edit{c.Offset, c.Data, c.Op == durable.OpTruncate}
			n.data, n.edits = e.apply(n.data), append(n.edits, e)
		}
	case durable.OpSync:
		if n != nil {
			n.synced, n.edits = n.data, nil
		}
	case durable.OpSyncDir:
		if n != nil {
			n.kept = maps.Clone(n.entries)
			rest := d.pending[:0:0]
			for _, e := range d.pending {
				if e.dir != n {
					rest = append(rest, e)
				}
			}
			d.pending = rest
		}
	}
}

// survival is how much of a file's data that is not fsynced a cut leaves.
type survival int

const (
	synced survival = iota // nothing of it
	torn                   // its first half
	zeros                  // its length, but no bytes: the size was written back before the data
	whole                  // all of it, in time by luck
)

func (s survival) String() string {
	return [...]string{"only fsynced data", "torn data", "lengths without data", "all data"}[s]
}

func (n *inode) content(s survival) []byte {
	if s == whole {
		return n.data
	}
	data := n.synced
	left := 0
	for _, e := range n.edits {
		left += len(e.data)
	}
	left /= 2
	for _, e := range n.edits {
		switch {
		case s == zeros:
			e.data = make([]byte, len(e.data))
		case s == synced || left == 0 && !e.cut:
			continue
		default:
			e.data = e.data[:min(left, len(e.data))]
			left -= len(e.data)
		}
		data = e.apply(data)
	}
	return data
}
