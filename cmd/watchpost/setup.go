package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"watchpost/engine/config"
	"watchpost/engine/control"
	"watchpost/engine/event"
	"watchpost/mail"
	"watchpost/tui/plain"
)

// runSetup is `watchpost setup --plain`: the settings as prompts, for terminals that
// can do nothing else and for screen readers.
func runSetup(ctx context.Context, args []string, s streams) int {
	f := newFlags("setup", s)
	asked := f.Bool("plain", false, "prompts, line by line")
	if _, ok := f.parse(args, -1, 0, 0); !ok {
		return exitUsage
	}
	if !*asked {
		f.misused("it takes --plain; watchpost alone is the full-screen set-up")
		return exitUsage
	}
	o := plain.Options{In: io.LimitReader(s.in, 1<<20), Out: s.out}
	if t, ok := s.in.(*os.File); ok && isTerminal(t) {
		o.In = t
		o.Hidden = func(prompt string) (string, error) { return readSecret(t, s.out, prompt) }
	}
	client, err := f.service(ctx)
	var b plain.Backend = client
	if errors.Is(err, control.ErrNoService) {
		b, o.Offline = onFile{f.file()}, true
	} else if err != nil {
		return f.failed(err)
	}
	switch err := plain.Setup(ctx, b, o); {
	case errors.Is(err, plain.ErrUnsaved):
		fmt.Fprintln(s.out, "Nothing was saved.")
		return exitFailed
	case errors.Is(err, io.EOF):
		return f.failed(errors.New("the input ended; nothing was saved"))
	case err != nil:
		return f.failed(err)
	}
	return exitOK
}

// onFile is the configuration file where no service runs: it can be read, saved and
// tried; there is nothing to watch and nobody to send.
type onFile struct{ file *config.File }

func (o onFile) Config(context.Context) (config.Settings, error) {
	l, _, err := load(o.file)
	return o.settings(l), err
}

func (o onFile) settings(l config.Loaded) config.Settings {
	return config.Settings{Config: l.Config, Revision: l.Revision, Path: o.file.Path(), Secrets: l.Secrets.Set(l.Config)}
}

func (o onFile) Apply(_ context.Context, _ string, changes []config.Change) (config.Settings, []config.Finding, error) {
	l, err := o.file.Save(changes)
	return o.settings(l), l.Findings, err
}

func (o onFile) Diagnose(ctx context.Context, changes []config.Change, step func(event.Step)) (bool, error) {
	l, _, err := load(o.file)
	if err != nil {
		return false, err
	}
	c, secrets, _ := config.PatchFor(l.Config, l.Secrets, changes)
	return mail.Diagnose(ctx, c, secrets, step), nil
}

func (onFile) Watch(context.Context) (event.Snapshot, <-chan event.Event, error) {
	return event.Snapshot{}, nil, control.ErrNoService
}

func (onFile) TestMail(context.Context) (event.Mail, error) {
	return event.Mail{}, control.ErrNoService
}
