package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"watchpost/engine/config"
)

// finding is a line of `check --json`.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Key     string `json:"key,omitempty"`
	Level   string `json:"level"` // error, warning
	Message string `json:"message"`
}

func levelName(l config.Level) string {
	switch l {
	case config.Error:
		return "error"
	case config.Warning:
		return "warning"
	case config.Incomplete:
		return "incomplete"
	}
	return "ok"
}

// runCheck is `watchpost check [FILE]` and `watchpost check --field KEY VALUE`.
func runCheck(_ context.Context, args []string, s streams) int {
	f := newFlags("check", s)
	field := f.String("field", "", "judge one value of this key")
	literal := -1
	for _, a := range args {
		if name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "="); name == "field" && strings.HasPrefix(a, "-") {
			literal = 0 // VALUE is taken as it is
		}
	}
	words, ok := f.parse(args, literal, 0, 1)
	if !ok {
		return exitUsage
	}
	if *field != "" {
		if len(words) != 1 {
			f.misused("the value is missing")
			return exitUsage
		}
		return checkField(f, *field, words[0])
	}
	file := f.file()
	if len(words) == 1 {
		file = config.Open(words[0])
	}
	l, err := file.Load()
	if err != nil {
		return f.failed(err)
	}
	fine := file.Path() + ": ok"
	if _, err := os.Stat(file.Path()); errors.Is(err, os.ErrNotExist) {
		fine = file.Path() + ": ok, there is no such file: a box without a configuration"
	}
	return printFindings(f, append(l.Findings, file.Locate(fileFindings(l.Config))...), fine)
}

func checkField(f *flags, key, raw string) int {
	field, ok := config.Lookup(key)
	if !ok {
		return f.failed(fmt.Errorf("there is no field %q; the README lists them", key))
	}
	value, err := f.value(key, raw)
	if err != nil {
		return f.failed(err)
	}
	v := field.Check(value)
	text := v.Text
	if text == "" {
		text = v.Short
	}
	if f.json {
		f.printJSON(map[string]string{"key": key, "level": levelName(v.Level), "message": text, "fix": v.Fix})
	}
	code, line := exitOK, "ok"
	switch v.Level {
	case config.Incomplete:
		code, line = exitIncomplete, "incomplete: "+text
	case config.Error:
		code, line = exitFailed, "error: "+text
	}
	if !f.json {
		fmt.Fprintln(f.s.out, line)
	}
	return code
}

// printFindings prints the findings, or fine where there are none to print, and
// returns the exit code: warnings alone are no failure.
func printFindings(f *flags, findings []config.Finding, fine string) int {
	code := exitOK
	for _, x := range findings {
		if x.Level == config.Error || x.Level == config.Incomplete {
			code = exitFailed
		}
		if f.json {
			text := x.Text
			if text == "" {
				text = x.Short
			}
			f.printJSON(finding{x.File, x.Line, x.Key, levelName(x.Level), text})
		} else {
			fmt.Fprintln(f.s.out, x)
		}
	}
	if code == exitOK && fine != "" && !f.json && len(findings) == 0 {
		fmt.Fprintln(f.s.out, fine)
	}
	return code
}
