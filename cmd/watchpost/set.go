package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/control"
)

// runSet is `watchpost set KEY VALUE`: through the running service where there
// is one, else on the file; the same validation either way.
func runSet(ctx context.Context, args []string, s streams) int {
	f := newFlags("set", s)
	words, ok := f.parse(args, 1, 2, 2)
	if !ok {
		return exitUsage
	}
	value, err := f.value(words[0], words[1])
	if err != nil {
		return f.failed(err)
	}
	findings, err := apply(ctx, f, []config.Change{{Key: words[0], Value: value}})
	if err != nil && !(errors.Is(err, config.ErrRefused) && len(findings) > 0) {
		return f.failed(err)
	}
	if err != nil {
		for i := range findings {
			findings[i] = refusedValue(findings[i], words[0], value)
		}
	}
	// Of the whole file only what is wrong and what concerns the key; check tells all.
	findings = slices.DeleteFunc(findings, func(x config.Finding) bool {
		return x.Level == config.Warning && !strings.HasPrefix(x.Key, words[0]) && x.Key != ""
	})
	if x, bad := fileFinding(words[0], value); bad && err == nil {
		findings = append(findings, x)
	}
	code := printFindings(f, findings, "")
	if err != nil {
		code = exitFailed
	}
	return code
}

// apply saves changes, through the service that runs on the file or directly.
func apply(ctx context.Context, f *flags, changes []config.Change) ([]config.Finding, error) {
	client, err := f.service(ctx)
	if errors.Is(err, control.ErrNoService) {
		file := f.file()
		l, err := file.Save(changes)
		return l.Findings, err
	}
	if err != nil {
		return nil, err
	}
	// Another session may save between the two calls, and a service reads what was
	// edited by hand within seconds.
	for range 50 {
		var settings config.Settings
		if settings, err = client.Config(ctx); err != nil {
			return nil, err
		}
		var findings []config.Finding
		if _, findings, err = client.Apply(ctx, settings.Revision, changes); !errors.Is(err, config.ErrConflict) {
			return findings, err
		}
		time.Sleep(time.Duration(50+rand.IntN(100)) * time.Millisecond)
	}
	return nil, err
}

// refusedValue is a finding on a value that was not saved: no line of the file is to
// blame. Of a word for nothing it says what does empty the field.
func refusedValue(x config.Finding, key, value string) config.Finding {
	x.File, x.Line = "", 0
	f, ok := config.Lookup(key)
	if !ok || x.Key != key || f.Check("").Blocks() {
		return x
	}
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "none", "no", "off", "null", "~", "never", "always", "empty":
		if x.Text == "" {
			x.Text = x.Short + "."
		}
		x.Text += " To empty it: watchpost set " + key + " ''"
	}
	return x
}
