package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"watchpost/engine/config"
	"watchpost/engine/control"
)

// plainKeys are the fields that setup asks for, in the order of the Mail page.
var plainKeys = []string{
	"site.name", "site.time_zone", "camera.source",
	"smtp.server", "smtp.port", "smtp.security", "smtp.auth", "smtp.username", "smtp.password",
	"mail.reply_address", "mail.destinations.1", "mail.destinations.2", "mail.destinations.3", "mail.subject",
}

// runSetup is `watchpost setup --plain`: the fields of the Mail page as prompts,
// for terminals that can do nothing else and for screen readers.
func runSetup(ctx context.Context, args []string, s streams) int {
	f := newFlags("setup", s)
	plain := f.Bool("plain", false, "prompts, line by line")
	if _, ok := f.parse(args, -1, 0, 0); !ok {
		return exitUsage
	}
	if !*plain {
		f.misused("it takes --plain; watchpost alone is the full-screen set-up")
		return exitUsage
	}
	settings, err := currentSettings(ctx, f)
	if err != nil {
		return f.failed(err)
	}
	draft := config.NewDraft(settings)
	in := bufio.NewReader(io.LimitReader(s.in, 1<<20))
	fmt.Fprintln(s.out, "Enter keeps what stands in brackets; a single - empties a field; ? explains it.")
	for _, key := range plainKeys {
		if err := ask(f, in, draft, key); err != nil {
			return f.failed(err)
		}
	}
	if x, blocked := draft.Blocking(); blocked {
		return f.failed(fmt.Errorf("nothing was saved: %s", x))
	}
	changes := draft.Changes()
	if len(settings.Config.Triggers) == 0 {
		fmt.Fprint(s.out, "There is no trigger: nothing is watched. Add one for motion? (yes or no) ")
		if answer, err := readLine(in); err == nil && strings.HasPrefix(strings.ToLower(answer), "y") {
			changes = append(changes, config.Change{Key: "triggers", Value: "[{name: motion, source: motion}]"})
		}
	}
	if len(changes) == 0 {
		fmt.Fprintln(s.out, "Nothing was changed.")
		return exitOK
	}
	fmt.Fprintf(s.out, "Mail goes to: %s. Save? (yes or no) ", strings.Join(destinations(draft), ", "))
	answer, err := readLine(in)
	if err != nil || !strings.HasPrefix(strings.ToLower(answer), "y") {
		fmt.Fprintln(s.out, "Nothing was saved.")
		return exitFailed
	}
	findings, err := apply(ctx, f, changes)
	if err != nil && len(findings) == 0 {
		return f.failed(err)
	}
	if code := printFindings(f, findings, ""); code != exitOK || err != nil {
		return exitFailed
	}
	fmt.Fprintln(s.out, "Saved. watchpost doctor checks the way to the server, watchpost test-mail sends a mail.")
	return exitOK
}

func destinations(d *config.Draft) []string {
	var out []string
	for _, key := range plainKeys {
		if v := d.Raw(key); strings.HasPrefix(key, "mail.destinations.") && v != "" {
			out = append(out, v)
		}
	}
	if out == nil {
		return []string{"nobody yet"}
	}
	return out
}

// ask asks for one field until its value can be saved.
func ask(f *flags, in *bufio.Reader, d *config.Draft, key string) error {
	field, ok := config.Lookup(key)
	if !ok {
		return fmt.Errorf("there is no field %s", key)
	}
	for {
		old := d.Raw(key)
		if field.Secret && d.SecretSet(key) {
			old = "set"
		}
		prompt := fmt.Sprintf("%s [%s]: ", field.Label, old)
		var line string
		var err error
		if t, ok := f.s.in.(*os.File); ok && field.Secret && isTerminal(t) {
			line, err = readSecret(t, f.s.out, prompt)
		} else {
			fmt.Fprint(f.s.out, prompt)
			line, err = readLine(in)
		}
		switch {
		case errors.Is(err, io.EOF):
			return errors.New("the input ended; nothing was saved")
		case err != nil:
			return err
		case line == "?":
			fmt.Fprintln(f.s.out, field.Help)
			continue
		case line == "-" && field.Secret:
			d.Clear(key)
			return nil
		case line == "-":
			d.Set(key, "")
		case line != "":
			d.Set(key, line)
		}
		v := d.Verdict(key)
		if text := v.Text; text != "" && v.Level != config.OK {
			fmt.Fprintf(f.s.out, "  %s\n", text)
		} else if v.Short != "" {
			fmt.Fprintf(f.s.out, "  %s\n", v.Short)
		}
		if v.Level != config.Error && v.Level != config.Incomplete || line == "" {
			return nil
		}
		d.Set(key, old)
		if field.Secret {
			d.Set(key, "")
		}
	}
}

// currentSettings are those of the running service, or of the file.
func currentSettings(ctx context.Context, f *flags) (config.Settings, error) {
	client, err := f.service(ctx)
	if err == nil {
		return client.Config(ctx)
	}
	if !errors.Is(err, control.ErrNoService) {
		return config.Settings{}, err
	}
	l, _, err := load(f.file())
	if err != nil {
		return config.Settings{}, err
	}
	return config.Settings{Config: l.Config, Revision: l.Revision, Path: f.file().Path(),
		Secrets: l.Secrets.Set(l.Config)}, nil
}
