package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail"
	"watchpost/mail/transfer"
)

// runDoctor is `watchpost doctor`: every step to the mail server up to RCPT, or with
// --transfer every step of an image to a transfer's place.
func runDoctor(ctx context.Context, args []string, s streams) int {
	f := newFlags("doctor", s)
	name := f.String("transfer", "", "the transfer to try")
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
	good := "Everything is in order: the server would take the mail. watchpost test-mail sends one."
	switch {
	case !ok:
	case *name != "":
		ok = transfer.Diagnose(ctx, l.Config, l.Secrets, *name, mail.Diagnose, show)
		good = "Everything is in order: images would arrive there."
	default:
		ok = mail.Diagnose(ctx, l.Config, l.Secrets, show)
	}
	if f.json {
		f.printJSON(map[string]bool{"ok": ok})
	} else if ok {
		fmt.Fprintln(s.out, good)
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

// Columns of a step's line, and of what stands below it.
const (
	stepWidth  = 79
	stepIndent = "            "
)

// printStep prints a step in a line, and below it what is long: a verdict that
// does not fit, who a certificate is for, why a step failed and what to do.
func printStep(w io.Writer, s event.Step) {
	mark, text := "ok", s.Text
	if !s.OK {
		mark = "!"
		if s.Code > 0 {
			text = fmt.Sprintf("%d %s", s.Code, text)
		}
	}
	line := fmt.Sprintf("%-3s %-7s %-22s %6.0f ms", mark, s.Step, s.Target, s.MS)
	var below []string
	verdict := s.Verdict
	if s.OK && slices.Contains([]string{"lookup", "auth", "data"}, s.Step) && text != "" {
		verdict += " (" + strings.Trim(text, "[]") + ")"
	}
	if utf8.RuneCountInString(line+verdict)+2 > stepWidth {
		below = append(below, verdict)
	} else {
		line += "  " + verdict
	}
	if !s.OK && strings.Contains(s.Verdict, s.Text) { // it is said already
		text = ""
	}
	if !s.OK || s.Step == "tls" {
		below = append(below, text, s.Do)
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
	for _, text := range below {
		for _, l := range wrapped(text, stepWidth-len(stepIndent)) {
			fmt.Fprintln(w, stepIndent+l)
		}
	}
}

// wrapped breaks a text between its words into lines of at most width characters.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line+" "+word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
