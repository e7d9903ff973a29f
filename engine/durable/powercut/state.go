package powercut

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// State is what a power cut may leave on the disk.
type State struct {
	Kind string // which part of what was not fsynced survives
	tree []item
}

// item is a file or folder of a state; parents come first.
type item struct {
	path string
	dir  bool
	data []byte
	same string // the path of the same file's other name, above
}

// Write puts the state into the folder dir.
func (s State) Write(dir string) error {
	for _, it := range s.tree {
		path := filepath.Join(dir, it.path)
		var err error
		switch {
		case it.dir:
			err = os.MkdirAll(path, 0o700)
		case it.same != "":
			err = os.Link(filepath.Join(dir, it.same), path)
		default:
			err = os.WriteFile(path, it.data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hash is the same for states that a program cannot tell apart.
func (s State) hash() [32]byte {
	h := sha256.New()
	for _, it := range s.tree {
		fmt.Fprintf(h, "%q %v %q %d\n", it.path, it.dir, it.same, len(it.data))
		h.Write(it.data)
	}
	return [32]byte(h.Sum(nil))
}

// String lists the files, for a failure's message.
func (s State) String() string {
	text := s.Kind + ":"
	for _, it := range s.tree {
		if !it.dir {
			text += " " + it.path + " " + strconv.Itoa(len(it.data))
		}
	}
	return text
}

// states builds each state that a cut may leave now. Of the changes to folders
// that are not fsynced there survive: none; all; the first few, as a file system
// with one ordered log has it; one alone, or all but one, as one without has it.
func (d *disk) states() iter.Seq[State] {
	var open []int // the calls with such changes
	for _, e := range d.pending {
		if len(open) == 0 || open[len(open)-1] != e.call {
			open = append(open, e.call)
		}
	}
	return func(yield func(State) bool) {
		for _, s := range []survival{synced, torn, zeros, whole} {
			if !yield(d.build("no directory entry that is not fsynced, "+s.String(), s, func(int) bool { return false })) ||
				!yield(d.build("all directory entries, "+s.String(), s, func(int) bool { return true })) {
				return
			}
		}
		for i, one := range open {
			for kind, in := range map[string]func(call int) bool{
				"the directory changes up to call %d of %d":   func(c int) bool { return c <= one },
				"of the directory changes only call %d of %d": func(c int) bool { return c == one },
				"all directory changes but call %d of %d":     func(c int) bool { return c != one },
			} {
				for _, s := range []survival{synced, whole} {
					if !yield(d.build(fmt.Sprintf(kind, i+1, len(open))+", "+s.String(), s, in)) {
						return
					}
				}
			}
		}
	}
}

// build makes the state in which the changes of the calls that in names survive.
func (d *disk) build(kind string, data survival, in func(call int) bool) State {
	kept := map[*inode]map[string]*inode{}
	for _, e := range d.pending {
		if !in(e.call) {
			continue
		}
		if kept[e.dir] == nil {
			kept[e.dir] = maps.Clone(e.dir.kept)
		}
		if e.to == nil {
			delete(kept[e.dir], e.name)
		} else {
			kept[e.dir][e.name] = e.to
		}
	}
	st, names := State{Kind: kind}, map[*inode]string{}
	var walk func(n *inode, path string)
	walk = func(n *inode, path string) {
		entries := n.kept
		if k := kept[n]; k != nil {
			entries = k
		}
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			at, path := entries[name], filepath.Join(path, name)
			switch {
			case at.dir:
				st.tree = append(st.tree, item{path: path, dir: true})
				walk(at, path)
			case names[at] != "":
				st.tree = append(st.tree, item{path: path, same: names[at]})
			default:
				names[at] = path
				st.tree = append(st.tree, item{path: path, data: at.content(data)})
			}
		}
	}
	walk(d.root, "")
	return st
}

// load reads the folder dir as it stands, all of it on the platter.
func load(dir string) (*inode, error) {
	n := newDir()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		var at *inode
		if e.IsDir() {
			if at, err = load(path); err != nil {
				return nil, err
			}
		} else {
			data, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			at = &inode{data: data, synced: data}
		}
		n.entries[e.Name()], n.kept[e.Name()] = at, at
	}
	return n, nil
}

// clone copies what is below n; a file with two names stays one file.
func (n *inode) clone(seen map[*inode]*inode) *inode {
	if n == nil || seen[n] != nil {
		return seen[n]
	}
	c := *n
	seen[n] = &c
	if n.dir {
		c.entries, c.kept = map[string]*inode{}, map[string]*inode{}
		for name, at := range n.entries {
			c.entries[name] = at.clone(seen)
		}
		for name, at := range n.kept {
			c.kept[name] = at.clone(seen)
		}
	}
	return &c
}

// differs says where the model and the disk differ as a program sees them; ""
// where they do not.
func differs(model, disk *inode, path string, ignore []string) string {
	if slices.ContainsFunc(ignore, func(suffix string) bool { return strings.HasSuffix(path, suffix) }) {
		return ""
	}
	switch {
	case model == nil:
		return path + " was made"
	case disk == nil:
		return path + " was removed"
	case model.dir != disk.dir || string(model.data) != string(disk.data):
		return path + " was changed"
	}
	names := maps.Clone(model.entries)
	maps.Copy(names, disk.entries)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if d := differs(model.entries[name], disk.entries[name], filepath.Join(path, name), ignore); d != "" {
			return d
		}
	}
	return ""
}

// Scratch is a folder for files that no real cut need spare: in memory where that
// is to be had, since the fsyncs of thousands of states take their time on a disk.
func Scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "powercut")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
