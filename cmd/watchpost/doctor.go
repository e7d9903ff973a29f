package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail"
)

// runDoctor is `watchpost doctor`: every step to the mail server up to RCPT.
func runDoctor(ctx context.Context, args []string, s streams) int {
	f := newFlags("doctor", s)
	if _, ok := f.parse(args, -1, 0, 0); !ok {
		return exitUsage
	}
	l, err := f.file().Load()
	if err != nil {
		return f.failed(err)
	}
	show := f.stepPrinter()
	ok := true
	for _, x := range l.Findings {
		if x.Level == config.Error {
			ok = false
			show(event.Step{Step: "config", Target: x.Key, Text: x.String(), Verdict: "the configuration has an error", Do: "correct it: watchpost check"})
		}
	}
	if ok {
		ok = mail.Diagnose(ctx, l.Config, l.Secrets, show)
	}
	if f.json {
		f.printJSON(map[string]bool{"ok": ok})
	} else if ok {
		fmt.Fprintln(s.out, "Everything is in order: the server would take the mail. watchpost test-mail sends one.")
	}
	if !ok {
		return exitFailed
	}
	return exitOK
}

// stepPrinter prints the steps of a delivery as they come.
func (f *flags) stepPrinter() func(event.Step) {
	if f.json {
		return func(s event.Step) { f.printJSON(s) }
	}
	return func(s event.Step) { printStep(f.s.out, s) }
}

func printStep(w io.Writer, s event.Step) {
	mark := "ok"
	if !s.OK {
		mark = "!"
	}
	fmt.Fprintf(w, "%-3s %-7s %-28s %6.0f ms  %s\n", mark, s.Step, s.Target, s.MS, s.Verdict)
	if !s.OK {
		text := s.Text
		if s.Code > 0 {
			text = fmt.Sprintf("%d %s", s.Code, text)
		}
		for _, line := range []string{text, s.Do} {
			if line = strings.TrimSpace(line); line != "" {
				fmt.Fprintf(w, "            %s\n", line)
			}
		}
	}
}
