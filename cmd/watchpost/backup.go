package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/control"
	"watchpost/engine/durable"
	"watchpost/engine/foreign"
)

// forceWait is how long restore waits until the service has read what it wrote,
// which it does within seconds.
const forceWait = 30 * time.Second

// runBackup is `watchpost backup [--secrets] FILE|-`.
func runBackup(_ context.Context, args []string, s streams) int {
	f := newFlags("backup", s)
	secrets := f.Bool("secrets", false, "with the passwords, readable")
	words, ok := f.parse(args, -1, 1, 1)
	if !ok {
		return exitUsage
	}
	to := words[0]
	if out, ok := s.out.(*os.File); ok && to == "-" && *secrets && isTerminal(out) {
		return f.failed(errors.New("a backup with secrets is not shown on a terminal: send it to a file"))
	}
	switch st, err := os.Stat(to); {
	case to == "-":
	case f.file().Mine(to):
		return f.failed(fmt.Errorf("%s is the settings themselves: name another file for the backup", to))
	case err == nil && !st.Mode().IsRegular():
		return f.failed(fmt.Errorf("%s is no file: name a file for the backup, or - for standard output", to))
	}
	data, findings, err := f.file().Backup(*secrets, version, time.Now())
	if len(findings) > 0 {
		printFindings(f, findings, "")
		err = errors.New("the settings have errors and could not be restored: nothing was backed up")
	}
	if err != nil {
		return f.failed(err)
	}
	if to == "-" {
		if _, err := s.out.Write(data); err != nil {
			return f.failed(err)
		}
		return exitOK
	}
	if err := durable.WriteFile(to, 0o600, data); err != nil {
		return f.failed(err)
	}
	if f.json {
		f.printJSON(map[string]any{"file": to, "bytes": len(data), "secrets": *secrets})
	} else {
		fmt.Fprintf(s.out, "the settings %s are in %s\n", withSecrets(*secrets), to)
	}
	return exitOK
}

func withSecrets(with bool) string {
	if with {
		return "with the secrets"
	}
	return "without the secrets"
}

// runRestore is `watchpost restore [--yes] FILE|-`.
func runRestore(ctx context.Context, args []string, s streams) int {
	f := newFlags("restore", s)
	yes := f.Bool("yes", false, "do not ask")
	words, ok := f.parse(args, -1, 1, 1)
	if !ok {
		return exitUsage
	}
	b, err := readBackup(f, words[0])
	if err != nil {
		return f.failed(err)
	}
	file := f.file()
	p, err := file.Preview(b)
	if err != nil {
		return f.failed(err)
	}
	if !f.json {
		fmt.Fprintf(s.out, "backup of %s, made %s by watchpost %s, %s\n", orUnnamed(b.Site), b.Made.Local().Format(time.DateTime),
			foreign.Sanitise(b.Version), withSecrets(b.HasSecrets()))
	}
	if printFindings(f, p.Findings, "") != exitOK {
		return f.failed(errors.New("the backup does not fit: nothing was changed"))
	}
	if p.Same {
		return told(f, "same", "these settings are in the files already: nothing to restore")
	}
	printPreview(f, p, b.HasSecrets())
	if !*yes {
		if in, ok := s.in.(*os.File); words[0] == "-" || !ok || !isTerminal(in) || f.json {
			return f.failed(errors.New("nothing was changed: without a terminal to ask on, --yes restores"))
		}
		fmt.Fprint(s.out, "Replace the settings? (yes or no) ")
		answer, err := readLine(bufio.NewReader(io.LimitReader(s.in, 1<<10)))
		if err != nil || !strings.HasPrefix(strings.ToLower(answer), "y") {
			fmt.Fprintln(s.out, "Nothing was changed.")
			return exitFailed
		}
	}
	l, err := file.Restore(b)
	if err != nil {
		return f.failed(err)
	}
	for _, x := range l.Findings {
		if x.Short == "set aside" {
			printFindings(f, []config.Finding{x}, "")
		}
	}
	return waitInForce(ctx, f, l.Revision)
}

func orUnnamed(site string) string {
	if site = foreign.Sanitise(site); site == "" {
		return "a box without a name"
	}
	return site
}

// readBackup reads FILE, or standard input for -.
func readBackup(f *flags, name string) (config.Backup, error) {
	in := f.s.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return config.Backup{}, err
		}
		defer file.Close()
		in = file
	} else {
		name = "the backup"
	}
	data, err := io.ReadAll(io.LimitReader(in, config.MaxBackup+1))
	if err != nil {
		return config.Backup{}, fmt.Errorf("read the backup: %w", err)
	}
	return config.ReadBackup(name, data)
}

// printPreview prints what would change, a line a field.
func printPreview(f *flags, p config.Preview, secrets bool) {
	for _, d := range p.Differences {
		if f.json {
			f.printJSON(d)
		} else {
			fmt.Fprintln(f.s.out, "  "+d.String())
		}
	}
	if f.json {
		return
	}
	if len(p.Differences) == 0 {
		fmt.Fprintln(f.s.out, "  no value changes: only comments or the layout of the file")
	}
	if !secrets {
		fmt.Fprintln(f.s.out, "  the secrets stay as they are")
	}
}

// told prints a command's last line.
func told(f *flags, done, line string) int {
	if f.json {
		f.printJSON(map[string]string{"done": done})
	} else {
		fmt.Fprintln(f.s.out, line)
	}
	return exitOK
}

// waitInForce waits until the service, where one runs, has the revision in force.
func waitInForce(ctx context.Context, f *flags, revision string) int {
	const written = "the settings are restored"
	ctx, cancel := context.WithTimeout(ctx, forceWait)
	defer cancel()
	client, err := f.service(ctx)
	if errors.Is(err, control.ErrNoService) {
		return told(f, "restored", written+": they are in force from the next start on")
	}
	for err == nil {
		var settings config.Settings
		if settings, err = client.Config(ctx); err == nil && settings.Revision == revision {
			st, err := client.Status(ctx)
			if err == nil && len(st.Findings) > 0 {
				return f.failed(fmt.Errorf("%s, but the service did not accept them: %s", written, st.Findings[0]))
			}
			return told(f, "in force", written+" and in force")
		}
		select {
		case <-ctx.Done():
			err = errors.New("it has not read them yet: look at watchpost status")
		case <-time.After(100 * time.Millisecond):
		}
	}
	return f.failed(fmt.Errorf("%s; whether they are in force the service does not say: %w", written, err))
}
