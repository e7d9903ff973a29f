package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
	"unicode/utf8"
)

// MaxBackup bounds a backup's file, bytes: both files and what JSON adds to them.
const MaxBackup = 4 << 20

const backupFormat = 1

// envelope is a backup's file. The texts are those of the two files, comments and
// all.
type envelope struct {
	Format  int       `json:"watchpost_backup"`
	Version string    `json:"version"` // of the program that made it
	Site    string    `json:"site"`
	Made    time.Time `json:"made"`
	Config  string    `json:"config"`
	Secrets *string   `json:"secrets,omitempty"` // nil: made without them
	SHA256  string    `json:"sha256"`            // of all the rest
}

// sum is the hash of what the envelope says, not of its layout: a backup may go
// through a mail program or a pretty-printer.
func (e envelope) sum() string {
	e.SHA256 = ""
	js, err := json.Marshal(e)
	if err != nil { // a year that JSON has no text for
		return ""
	}
	h := sha256.Sum256(js)
	return hex.EncodeToString(h[:])
}

// Backup is a backup that was read and found undamaged; whether it validates,
// Preview and Restore say.
type Backup struct {
	Site    string // foreign text
	Version string // foreign text
	Made    time.Time

	name    string // of its file, for findings
	config  string
	secrets *string
}

// HasSecrets reports whether it was made with the secrets.
func (b Backup) HasSecrets() bool { return b.secrets != nil }

// Backup returns the settings as one text for a file. Where the files have errors
// it is ErrRefused with the findings: such a backup could not be restored.
func (f *File) Backup(secrets bool, version string, at time.Time) ([]byte, []Finding, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.readPair()
	if err != nil {
		return nil, nil, err
	}
	l, _ := f.judge(b)
	if hasErrors(l.Findings) {
		return nil, l.Findings, ErrRefused
	}
	e := envelope{Format: backupFormat, Version: version, Site: l.Config.Site.Name, Made: at.Truncate(time.Second), Config: string(b.config)}
	if secrets {
		text := string(b.secrets)
		e.Secrets = &text
	}
	e.SHA256 = e.sum()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(e); err != nil {
		return nil, nil, fmt.Errorf("back up the settings: %w", err)
	}
	if out.Len() > MaxBackup {
		return nil, nil, fmt.Errorf("back up the settings: they take %d bytes, and a backup has at most %d: shorten the comments", out.Len(), MaxBackup)
	}
	return out.Bytes(), nil, nil
}

// Mine reports whether a path is one of the two files, by whatever name.
func (f *File) Mine(path string) bool {
	st, err := os.Stat(path)
	abs, _ := filepath.Abs(path)
	return slices.ContainsFunc([]string{f.path, f.secretsPath()}, func(own string) bool {
		mine, merr := os.Stat(own)
		ownAbs, _ := filepath.Abs(own)
		return abs == ownAbs || err == nil && merr == nil && os.SameFile(st, mine)
	})
}

// readPair reads both files while nobody writes them, so that they belong together.
func (f *File) readPair() (content, error) {
	if _, err := os.Stat(filepath.Dir(f.path)); errors.Is(err, os.ErrNotExist) {
		return content{}, nil
	}
	unlock, err := f.lock()
	switch {
	case err == nil:
		defer unlock()
	case !errors.Is(err, syscall.EROFS): // where nobody can write nobody does
		return content{}, err
	}
	return f.readBoth(), nil
}

// ReadBackup reads a backup's text; name is what its findings call it. It refuses
// what is damaged, no backup, or of a later format.
func ReadBackup(name string, data []byte) (Backup, error) {
	if len(data) > MaxBackup {
		return Backup{}, fmt.Errorf("%s is no backup: it has more than %d bytes", name, MaxBackup)
	}
	damaged := fmt.Errorf("%s is damaged: nothing of it is used; take another copy of the backup", name)
	if !utf8.Valid(data) {
		return Backup{}, damaged
	}
	var kind struct {
		Format *int `json:"watchpost_backup"`
	}
	switch err := json.Unmarshal(data, &kind); {
	case !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")):
		return Backup{}, fmt.Errorf("%s is no backup of watchpost, or damaged", name)
	case err != nil:
		return Backup{}, damaged
	case kind.Format == nil:
		return Backup{}, fmt.Errorf("%s is no backup of watchpost, or damaged", name)
	case *kind.Format != backupFormat:
		return Backup{}, fmt.Errorf("%s is of format %d, and this version reads format %d: restore it with the version that made it", name, *kind.Format, backupFormat)
	}
	var e envelope
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return Backup{}, damaged
	}
	if _, err := dec.Token(); err != io.EOF || e.SHA256 == "" || e.SHA256 != e.sum() {
		return Backup{}, damaged
	}
	return Backup{Site: e.Site, Version: e.Version, Made: e.Made, name: name, config: e.Config, secrets: e.Secrets}, nil
}

// Preview is what a restore would do.
type Preview struct {
	Differences []Difference
	Same        bool      // both files would stay as they are, byte for byte
	Findings    []Finding // of the backup, as it would be with the present secrets where it has none
}

// Preview compares what is in force with a backup. With findings of level Error,
// Restore refuses it.
func (f *File) Preview(b Backup) (Preview, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, err := f.readPair()
	if err != nil {
		return Preview{}, err
	}
	f.revision = old.revision()
	before, base := f.present(old)
	new := b.content(old, base)
	after, _ := f.judge(new)
	p := Preview{Findings: f.inBackup(after.Findings, b.name)}
	if !hasErrors(after.Findings) {
		p.Differences = differences(before, after)
		p.Same = new.revision() == old.revision()
	}
	return p, nil
}

// Restore puts a backup in the place of the files, durably and only as a whole:
// after a crash in between the configuration is still the old one. The present
// settings are kept as those to return to; where they have errors they are set aside
// as Save does. Secrets that the backup has none of stay. With findings of level
// Error nothing is written and ErrRefused returned; ErrConflict says that the files
// changed since the Preview.
func (f *File) Restore(b Backup) (Loaded, error) {
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
	before, base := f.present(old)
	new := b.content(old, base)
	after, _ := f.judge(new)
	if hasErrors(after.Findings) {
		return Loaded{Config: before.Config, Revision: old.revision(), Findings: f.inBackup(after.Findings, b.name)}, ErrRefused
	}
	var aside []Finding
	if base.revision() != old.revision() {
		if aside, err = f.setAside(old, new); err != nil {
			return Loaded{}, err
		}
	} else if good, ok := f.readGood(".good"); len(old.config) > 0 && (!ok || good.revision() != old.revision()) {
		if err := f.keep(old); err != nil {
			return Loaded{}, fmt.Errorf("nothing was restored: %w", wrapGood(err))
		}
	}
	if err := f.write(old, new); err != nil {
		return Loaded{}, err
	}
	after, _ = f.judge(new)
	f.revision = after.Revision
	after.Findings = append(after.Findings, aside...)
	return after, nil
}

// present is what is in force: the files, or where they have errors the last good copy.
func (f *File) present(old content) (Loaded, content) {
	before, _ := f.judge(old)
	if !hasErrors(before.Findings) {
		return before, old
	}
	base := f.inForce(old, before.Findings)
	before, _ = f.judge(base)
	return before, base
}

// content is what the files are to hold; base is what is in force.
func (b Backup) content(old, base content) content {
	c := content{config: []byte(b.config), secrets: base.secrets}
	if b.config == "" && len(old.config) > 0 {
		c.config = []byte("version: 1\n") // an empty file in its place would be taken for an accident
	}
	if b.secrets != nil {
		c.secrets = []byte(*b.secrets)
	}
	return c
}

// inBackup gives findings the name of the backup in place of the files'.
func (f *File) inBackup(found []Finding, name string) []Finding {
	for i := range found {
		found[i].File = name + " " + map[string]string{f.path: "config", f.secretsPath(): "secrets"}[found[i].File]
	}
	return found
}
