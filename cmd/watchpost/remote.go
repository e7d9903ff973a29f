package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// far is what a command has to know that was given over SSH.
type far struct {
	config   string // the service's configuration: no other one may be named
	operator bool   // look, retry and fire
}

// farCommands are what may be done over SSH, and by whom: nothing that reads or
// writes files or runs commands.
var farCommands = []struct {
	name, usage string
	operator    bool
}{
	{"status", "status", true},
	{"events", "events list [FILTERS] | show ID | export ID|FILTERS -", true},
	{"queue", "queue list | show ID | retry [ID] | drop ID", true},
	{"trigger", "trigger NAME", true},
	{"doctor", "doctor [--transfer NAME]", false},
	{"test-mail", "test-mail [--timeout 60s]", false},
	{"version", "version", true},
}

// runFar runs a command that was given over SSH.
func runFar(ctx context.Context, args []string, s streams) int {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		farUsage(s.out, s.far.operator)
		return exitOK
	}
	i := slices.Index(farNames(), args[0])
	if i < 0 {
		fmt.Fprintf(s.err, "watchpost: there is no command %q over SSH; help lists them\n", harmless(args[0]))
		return exitUsage
	}
	if s.far.operator && (!farCommands[i].operator || args[0] == "queue" && slices.Contains(args, "drop")) {
		fmt.Fprintf(s.err, "watchpost: %s is not for an operator's key, which may look, retry and fire\n", strings.Join(args[:min(len(args), 2)], " "))
		return exitFailed
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], s)
		}
	}
	return exitUsage
}

func farNames() (names []string) {
	for _, c := range farCommands {
		names = append(names, c.name)
	}
	return names
}

// forOperator leaves out of a usage what an operator may not do.
func forOperator(usage string, operator bool) string {
	if operator {
		return strings.TrimSuffix(usage, " | drop ID")
	}
	return usage
}

func farUsage(w io.Writer, operator bool) {
	fmt.Fprint(w, "Commands over SSH; without one the interface is shown. sftp reads the events.\n\n")
	for _, c := range farCommands {
		if c.operator || !operator {
			fmt.Fprintf(w, "  %s\n", forOperator(c.usage, operator))
		}
	}
	fmt.Fprint(w, "\nEvery command that prints takes --json.\n")
}
