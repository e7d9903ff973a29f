// Command watchpost turns a Linux box with a camera into a trigger-notification camera.
//
// This package is the wiring: flags, signals, exit codes, one file a command. It
// is the only place that knows every package, and holds no logic of theirs.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // the zone database is built in
)

// The exit codes are a contract (design: the command line).
const (
	exitOK         = 0
	exitFailed     = 1 // refused or failed
	exitUsage      = 2
	exitIncomplete = 3 // check --field
	exitNoService  = 4
	exitTimeout    = 5 // test-mail
)

// streams are a command's standard input, output and error.
type streams struct {
	in       io.Reader
	out, err io.Writer
	far      *far // nil: given here, not over SSH
}

// command is one word of the command line.
type command struct {
	name  string
	usage string
	about string
	run   func(ctx context.Context, args []string, s streams) int
}

func commands() []command {
	return []command{
		{"serve", "serve", "the service: engine, SSH and local socket, no interface here", runServe},
		{"setup", "setup --plain", "the mail settings as prompts, line by line", runSetup},
		{"set", "set KEY VALUE", "change one field (VALUE - reads standard input)", runSet},
		{"check", "check [FILE] | check --field KEY VALUE", "validate a configuration, or one value", runCheck},
		{"doctor", "doctor [--transfer NAME]", "diagnose the way to the mail server (nothing is sent) or of images to a transfer", runDoctor},
		{"test-mail", "test-mail [--timeout 60s]", "queue a test mail and follow it", runTestMail},
		{"replay", "replay [--fps N] [--zone X,Y,W,H] [--masks DIR] CLIP...", "run the detector on recorded footage",
			func(ctx context.Context, args []string, s streams) int {
				return runReplay(ctx, args, s.in, s.out, s.err)
			}},
		{"status", "status", "the state of everything", runStatus},
		{"events", "events list [FILTERS] | show ID | export ID|FILTERS [DIR|FILE.zip|FILE.tar|-]",
			"the stored events; FILTERS: --trigger NAME --from T --to T --before ID -n N", runEvents},
		{"queue", "queue list | show ID | retry [ID] | drop ID", "the mails that wait", runQueue},
		{"trigger", "trigger NAME", "fire a trigger by hand", runTrigger},
		{"privacy", "privacy [on|off]", "switch privacy mode, or say whether it is on", runPrivacy},
		{"backup", "backup [--secrets] FILE|-", "the settings as one file", runBackup},
		{"restore", "restore [--yes] FILE|-", "put a backup's settings in force; shows first what changes", runRestore},
		{"ssh-key", "ssh-key add - [--operator] | list | remove FINGERPRINT", "who may log in over SSH, and the box's own fingerprint", runSSHKey},
		{"version", "version", "the version", runVersion},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	os.Exit(run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run finds the command's word, which may stand behind flags that every command
// takes, and hands it the rest.
func run(ctx context.Context, args []string, s streams) int {
	all := commands()
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--config" || a == "-config":
			i++ // its value
			continue
		case a == "-h" || a == "-help" || a == "--help" || a == "help":
			usage(s.out, all)
			return exitOK
		case strings.HasPrefix(a, "-") && a != "-":
			continue
		}
		k := slices.IndexFunc(all, func(c command) bool { return c.name == a })
		if k < 0 {
			fmt.Fprintf(s.err, "watchpost: there is no command %q; watchpost help lists them\n", a)
			return exitUsage
		}
		for _, h := range args[i+1:] {
			if h == "-h" || h == "-help" || h == "--help" {
				fmt.Fprintf(s.out, "watchpost %s\n    %s\n", all[k].usage, all[k].about)
				return exitOK
			}
			if !strings.HasPrefix(h, "-") {
				break // a VALUE may be anything
			}
		}
		return all[k].run(ctx, slices.Concat(args[:i], args[i+1:]), s)
	}
	return runTerminal(ctx, args, s)
}

func usage(w io.Writer, all []command) {
	fmt.Fprint(w, "watchpost: a trigger-notification camera\n\n"+
		"  watchpost [--demo]\n      engine and interface in this terminal; attaches to the running service\n")
	for _, c := range all {
		fmt.Fprintf(w, "  watchpost %s\n      %s\n", c.usage, c.about)
	}
	fmt.Fprint(w, "\nEvery command takes --config FILE; every command that prints takes --json.\n")
}
