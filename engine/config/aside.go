package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"watchpost/engine/durable"
)

// inForce is what is in force while the files have errors: the last good copy, or
// nothing. A secrets file without errors stays all the same: no secret is ever
// shown. A configuration without errors does not, since nobody saw what it says.
func (f *File) inForce(old content, found []Finding) content {
	base, _, _ := f.lastGood("")
	inSecrets := func(x Finding) bool { return x.Level == Error && x.File == f.secretsPath() }
	if !slices.ContainsFunc(found, inSecrets) {
		base.secrets = old.secrets
	}
	return base
}

// setAside keeps what another content is about to replace, durably, as
// FILE.broken; the one before it goes. It tells each file as a finding.
func (f *File) setAside(old, by content) (told []Finding, err error) {
	for _, file := range []struct {
		path    string
		old, by []byte
		err     error
	}{
		{f.secretsPath(), old.secrets, by.secrets, old.secretsErr},
		{f.path, old.config, by.config, old.configErr},
	} {
		if file.err == nil && (len(file.old) == 0 || bytes.Equal(file.old, file.by)) {
			continue
		}
		path := target(file.path)
		broken := path + ".broken"
		if err := moveAside(path, broken); err != nil {
			return told, fmt.Errorf("set the configuration with errors aside: %w", err)
		}
		told = append(told, Finding{File: file.path, Verdict: wary("set aside", "This was not in force: it is set aside as "+broken+".")})
	}
	return told, nil
}

// moveAside gives a file a second name, so that the first never misses before it
// is replaced: a missing configuration would be taken for an empty one. What
// cannot have two names (a folder) is moved.
func moveAside(path, broken string) error {
	if err := durable.RemoveAll(broken); err != nil {
		return err
	}
	err := durable.Link(path, broken)
	if err == nil {
		return durable.SyncDir(filepath.Dir(broken))
	}
	if errors.Is(err, os.ErrNotExist) { // it has just been removed by hand
		return nil
	}
	return durable.Rename(path, broken)
}
