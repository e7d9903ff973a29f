package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"

	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// File is a configuration file with its secrets file, held open for change. It
// is safe for concurrent use; other processes are kept out by a lock file while
// one of them writes.
type File struct {
	path string

	mu       sync.Mutex
	revision string // of what was loaded or saved last; empty before
	stale    bool   // the good copy is not what is in force: it could not be kept
}

// Loaded is what a file holds.
type Loaded struct {
	Config   Config
	Secrets  Secrets
	Revision string
	Findings []Finding // errors first, then by line; any Error means that Config must not be used
}

// DefaultPath is /etc/watchpost/watchpost.yaml for root, else under $XDG_CONFIG_HOME.
func DefaultPath() string {
	const name = "watchpost/watchpost.yaml"
	if os.Geteuid() == 0 {
		return filepath.Join("/etc", name)
	}
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // the specification says that a relative one is passed over
		dir = filepath.Join(os.Getenv("HOME"), ".config")
	}
	return filepath.Join(dir, name)
}

// Open names a configuration file; nothing is read yet. Missing is valid: unconfigured.
func Open(path string) *File { return &File{path: path} }

// Path returns the file's path.
func (f *File) Path() string { return f.path }

const secretsName = "secrets.yaml"

func (f *File) secretsPath() string { return filepath.Join(filepath.Dir(f.path), secretsName) }

// content is the bytes of both files; nil where one is missing or cannot be read.
type content struct {
	config, secrets       []byte
	configErr, secretsErr error // why it could not be read
}

// revision tells one content from another.
func (c content) revision() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n", len(c.config), len(c.secrets))
	h.Write(c.config)
	h.Write(c.secrets)
	if c.configErr != nil || c.secretsErr != nil {
		fmt.Fprintf(h, "%v\n%v", c.configErr, c.secretsErr)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// readBoth reads both files; of one that is too large just enough to tell.
func (f *File) readBoth() (c content) {
	c.config, c.configErr = readFile(f.path)
	c.secrets, c.secretsErr = readFile(f.secretsPath())
	return c
}

var errNotAFile = errors.New("not a file")

func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is not waited for
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		return nil, errNotAFile
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	return data, nil
}

// unreadable tells why a file cannot be read and what to do.
func unreadable(err error) Verdict {
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err // the finding names the file
	}
	do := "look at the disk, put the file back"
	switch {
	case errors.Is(err, errNotAFile):
		do = "move away what stands in its place"
	case errors.Is(err, os.ErrPermission):
		do = "give it to the user that watchpost runs as"
	}
	return wrong("cannot be read", "This cannot be read ("+err.Error()+"): "+do+".")
}

// Load reads and judges the file and its secrets. What is wrong in them is told
// by the findings, also that one of them cannot be read; the error is always nil.
func (f *File) Load() (Loaded, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.readBoth()
	f.revision = b.revision()
	l, _ := f.judge(b)
	return l, nil
}

// judge reads both files' bytes. The second result has each key's line.
func (f *File) judge(b content) (Loaded, map[string]Finding) {
	c, s := Default(), Secrets{}
	main := loader{file: f.path, c: &c, s: &s}
	main.take(b.config, b.configErr)
	kept := loader{file: f.secretsPath(), secret: true, c: &c, s: &s}
	kept.take(b.secrets, b.secretsErr)
	if st, err := os.Stat(f.secretsPath()); err == nil && b.secretsErr == nil && st.Mode().Perm()&0o077 != 0 {
		kept.tell(0, "", wary("readable by others", fmt.Sprintf("Others may read the secrets in this file (mode %04o): chmod 600 it.", st.Mode().Perm())))
	}
	where := map[string]Finding{}
	for key, line := range main.lines {
		where[key] = Finding{File: f.path, Line: line}
	}
	for key, line := range kept.lines {
		if own, ok := find(key); ok && own.f.Secret {
			where[key] = Finding{File: f.secretsPath(), Line: line}
		}
	}
	found := append(main.out, kept.out...)
	wrong := hasErrors(found)
	if !wrong {
		found = append(found, unusedSecrets(c, s, kept)...)
		found = append(found, inClear(s, kept)...)
	}
	read := found
	for _, x := range cross(c, s) {
		if wrong && (x.Level != Error || follows(x.Key, read)) { // one fault, one line
			continue
		}
		if !slices.ContainsFunc(found, func(y Finding) bool { return y.Key == x.Key && y.Verdict == x.Verdict }) {
			found = joined(found, locate(x.Finding, where, f.path))
		}
	}
	f.sort(found)
	if len(found) > maxFindings {
		found = found[:maxFindings]
	}
	return Loaded{Config: c, Secrets: s, Revision: b.revision(), Findings: found}, where
}

// follows reports whether what is wrong at a key may come from a value that could
// not be read: one of the same section or item, or of a trigger's transfer the
// transfers' names.
func follows(key string, found []Finding) bool {
	within := func(key, whole string) bool { return key == whole || strings.HasPrefix(key, whole+".") }
	return slices.ContainsFunc(found, func(y Finding) bool {
		switch sp, ok := find(key); {
		case y.Level != Error:
			return false
		case ok && sp.f.Key == "triggers.*.transfer":
			nameless := within(y.Key, transfers.key) && (strings.Count(y.Key, ".") < 2 || strings.HasSuffix(y.Key, ".name"))
			return y.Key == key || nameless
		case ok && sp.name != "":
			return within(y.Key, sp.in.key+"."+sp.name)
		}
		section, _, _ := strings.Cut(key, ".")
		return within(y.Key, section)
	})
}

// unusedSecrets tells of passwords that belong to no transfer. Their names are not
// shown: whatever stands in the secrets file may be a password.
func unusedSecrets(c Config, s Secrets, kept loader) (out []Finding) {
	for name := range s.Transfers {
		if !transfers.has(&c, name) {
			out = append(out, Finding{File: kept.file, Line: kept.lines[transfers.key+"."+name], Key: transfers.key,
				Verdict: wary("no such transfer", "This is the password of a transfer that the configuration does not have: it is not used.")})
		}
	}
	return out
}

// sort puts what forbids using the files first, then by file and line.
func (f *File) sort(found []Finding) {
	slices.SortStableFunc(found, func(a, b Finding) int {
		rank := func(x Finding) [3]int {
			return [3]int{-x.Level.severity(), slices.Index([]string{f.path, f.secretsPath()}, x.File), x.Line}
		}
		ra, rb := rank(a), rank(b)
		return slices.Compare(ra[:], rb[:])
	})
}

// locate puts a finding at its key's line, or at that of the nearest key above.
func locate(x Finding, where map[string]Finding, file string) Finding {
	x.File, x.Line = file, 0
	for key := x.Key; key != ""; {
		if at, ok := where[key]; ok {
			x.File, x.Line = at.File, at.Line
			break
		}
		i := strings.LastIndexByte(key, '.')
		key = key[:max(i, 0)]
	}
	return x
}

// Save applies changes to the file, keeping comments and order, and writes it
// (and the secrets file where a secret changed) durably. With a finding of level
// Error nothing is written and ErrRefused returned; ErrConflict says that the
// file changed on the disk since it was loaded.
//
// Where the files as they stand have an error they are not in force, nor shown
// anywhere: the changes are then made in the last good copy, or in an empty file
// where there is none, and what that replaces is set aside beside it as
// FILE.broken, which a finding of level Warning tells. A secrets file that has no
// error stays.
func (f *File) Save(changes []Change) (Loaded, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	unlock, err := f.lock()
	if err != nil {
		return Loaded{}, err
	}
	defer unlock()
	old := f.readBoth()
	if f.revision != "" && f.revision != old.revision() {
		return Loaded{}, ErrConflict
	}
	base := old
	before, where := f.judge(old)
	if hasErrors(before.Findings) {
		if f.stale {
			return Loaded{Config: before.Config, Revision: before.Revision}, fmt.Errorf("save %s: it has errors, and there is no copy of what is in force to change instead: correct it by hand", f.path)
		}
		base = f.inForce(old, before.Findings)
		before, _ = f.judge(base)
		before.Revision, where = old.revision(), nil // nobody has a file in which to look up these lines
	}
	changes, err = hashed(changes)
	if err != nil {
		return Loaded{}, fmt.Errorf("save %s: %w", f.path, err)
	}
	want, wantSecrets, refused := apply(before.Config, before.Secrets, changes)
	for i := range refused {
		refused[i] = locateChanged(refused[i], where)
	}
	if len(refused) > 0 {
		return Loaded{Config: before.Config, Revision: before.Revision, Findings: refused}, ErrRefused
	}
	new, err := f.patched(base, before, want, wantSecrets, changes)
	if err != nil {
		return Loaded{}, fmt.Errorf("save %s: %w", f.path, err)
	}
	after, _ := f.judge(new)
	if hasErrors(after.Findings) {
		out := Loaded{Config: before.Config, Revision: before.Revision}
		for _, x := range after.Findings {
			if x.Level == Error {
				out.Findings = append(out.Findings, locateChanged(x, where))
			}
		}
		return out, ErrRefused
	}
	if !agrees(after, want, wantSecrets, changes) { // never a saved file that says something else than was meant
		return Loaded{}, fmt.Errorf("save %s: %w", f.path, errLayout)
	}
	aside, err := f.setAside(old, base)
	if err != nil {
		return Loaded{}, err
	}
	if err := f.write(old, new); err != nil {
		return Loaded{}, err
	}
	after, _ = f.judge(new) // again: the secrets now have the mode that was missed before
	f.revision = after.Revision
	after.Findings = append(after.Findings, aside...)
	return after, nil
}

// Locate gives findings their file and the lines that their keys have in it now.
func (f *File) Locate(found []Finding) []Finding {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, where := f.judge(f.readBoth())
	for i := range found {
		found[i] = locate(found[i], where, f.path)
	}
	return found
}

// locateChanged gives a finding of a configuration that was not written the
// line that its key has in the file, where it has one.
func locateChanged(x Finding, where map[string]Finding) Finding {
	at := where[x.Key]
	x.File, x.Line = at.File, at.Line
	return x
}

// agrees reports whether what was read back is what was meant. A trigger's
// notify may follow from its source.
func agrees(after Loaded, want Config, secrets Secrets, changes []Change) bool {
	want = clone(want)
	if len(want.Triggers) == len(after.Config.Triggers) {
		for i := range want.Triggers {
			if want.Triggers[i].Source != event.Timer {
				for _, ch := range changes {
					if strings.HasSuffix(ch.Key, ".source") {
						want.Triggers[i].Notify = after.Config.Triggers[i].Notify
					}
				}
			}
		}
	}
	return after.Secrets.Equal(secrets) && equal(after.Config, want)
}

// equal compares by the fields' texts, so that an empty list equals none.
func equal(a, b Config) bool {
	a, b = slots(a), slots(b)
	sa, sb := spots(&a), spots(&b)
	if len(sa) != len(sb) {
		return false
	}
	for i := range sa {
		pa, oka := sa[i].at(&a, &Secrets{})
		pb, okb := sb[i].at(&b, &Secrets{})
		if oka != okb || oka && sa[i].f.get(pa) != sb[i].f.get(pb) {
			return false
		}
	}
	return reflect.DeepEqual(a.Mail.Destinations, b.Mail.Destinations)
}

// write puts the files that differ on the disk: the secrets first, so that a
// configuration never stands there without the password that it was saved with.
func (f *File) write(old, new content) error {
	if err := durable.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return fmt.Errorf("save the configuration: %w", err)
	}
	if old.secretsErr != nil || !bytes.Equal(old.secrets, new.secrets) {
		if err := durable.WriteFile(target(f.secretsPath()), 0o600, new.secrets); err != nil {
			return fmt.Errorf("save the secrets: %w", err)
		}
	}
	if old.configErr != nil || !bytes.Equal(old.config, new.config) {
		path, mode := target(f.path), os.FileMode(0o644)
		if st, err := os.Stat(path); err == nil && old.configErr == nil { // a mode that let nobody read is not kept
			mode = st.Mode().Perm()
		}
		if err := durable.WriteFile(path, mode, new.config); err != nil {
			return fmt.Errorf("save the configuration: %w", err)
		}
	}
	return nil
}

// Stamp changes when either file does; "" stands for one that is missing. It is
// for whoever polls: nothing is read.
func (f *File) Stamp() string { return stampOf(f.path) + "/" + stampOf(f.secretsPath()) }

func stampOf(path string) string {
	st, err := os.Stat(path)
	if err != nil {
		return ""
	}
	s := fmt.Sprint(st.ModTime().UnixNano(), st.Size(), st.Mode())
	if at, ok := st.Sys().(*syscall.Stat_t); ok {
		s += fmt.Sprint(" ", at.Ino, " ", at.Uid, " ", at.Gid) // who may read it is a change too
	}
	return s
}

// target follows a symbolic link, so that a save does not replace it by a file.
func target(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
