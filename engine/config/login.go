package config

import (
	"slices"
	"strconv"

	"watchpost/engine/secret"
)

// parseLogin judges a password of which only a hash is kept. A hash stands for itself.
func parseLogin(raw string) (string, Verdict) {
	s, v := parsePassword(raw)
	switch {
	case v.Blocks() || secret.Is(raw):
	case len(raw) < secret.Least:
		return "", below(strconv.Itoa(secret.Least)+" bytes", "Who tries on the line should not find it: at least "+strconv.Itoa(secret.Least)+" characters.")
	case len(raw) > secret.Most:
		return "", wrong("too long", "At most "+strconv.Itoa(secret.Most)+" bytes.")
	}
	return s, v
}

// hashed puts hashes in the place of typed passwords of which nothing else is kept.
// What is wrong stays as it is, to be refused.
func hashed(changes []Change) ([]Change, error) {
	changes = slices.Clone(changes)
	for i, ch := range changes {
		sp, ok := find(ch.Key)
		if !ok || !sp.f.Hashed || ch.Value == "" || secret.Is(ch.Value) || sp.f.Check(ch.Value).Blocks() {
			continue
		}
		h, err := secret.Hash(ch.Value)
		if err != nil {
			return nil, err
		}
		changes[i].Value = h
	}
	return changes, nil
}

// inClear tells of such passwords that a person wrote into the secrets file. They are taken.
func inClear(s Secrets, kept loader) (out []Finding) {
	for i := range table {
		f := &table[i]
		if !f.Hashed {
			continue
		}
		if v := f.get(place{c: &Config{}, s: &s}); v != "" && !secret.Is(v) {
			out = append(out, Finding{Key: f.Key, File: kept.file, Line: kept.lines[f.Key],
				Verdict: wary("stands in clear", "This password stands in the file itself: watchpost set "+f.Key+" - keeps only its hash.")})
		}
	}
	return out
}
