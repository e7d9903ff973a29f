package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"watchpost/engine/config"
	"watchpost/engine/control"
)

// flags are a command's flags, with those that every command takes.
type flags struct {
	*flag.FlagSet
	config string
	json   bool
	s      streams
}

func newFlags(name string, s streams) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), s: s}
	f.SetOutput(io.Discard)
	if s.far == nil {
		f.StringVar(&f.config, "config", "", "configuration file")
	} else {
		f.config = s.far.config
	}
	f.BoolVar(&f.json, "json", false, "print JSON")
	return f
}

// parse takes flags and words in any order. The word at index literal is taken
// as it is, even with a dash before it (-1: none). least and most bound the
// number of words. With false the usage error has been printed.
func (f *flags) parse(args []string, literal, least, most int) ([]string, bool) {
	var words []string
	for len(args) > 0 {
		a := args[0]
		fl := f.flag(a)
		n := 1
		switch {
		case a == "--" && len(words) != literal:
			words, n = append(words, args[1:]...), len(args)
		case fl == nil && (len(words) == literal || a == "-" || !strings.HasPrefix(a, "-")):
			words = append(words, a)
		default:
			if b, ok := valueOf(fl).(interface{ IsBoolFlag() bool }); (!ok || !b.IsBoolFlag()) && !strings.Contains(a, "=") {
				n = min(2, len(args))
			}
			if err := f.Parse(args[:n]); err != nil {
				return nil, f.misused(err.Error())
			}
		}
		args = args[n:]
	}
	if len(words) < least {
		return nil, f.misused("something is missing")
	}
	if len(words) > most {
		return nil, f.misused(fmt.Sprintf("%q is one word too many", words[most]))
	}
	return words, true
}

// flag returns the flag that a names, exactly, nil where there is none.
func (f *flags) flag(a string) *flag.Flag {
	name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
	if !strings.HasPrefix(a, "-") {
		return nil
	}
	return f.Lookup(name)
}

func valueOf(fl *flag.Flag) flag.Value {
	if fl == nil {
		return nil
	}
	return fl.Value
}

func (f *flags) misused(why string) bool {
	u := f.Name()
	for _, c := range commands() {
		if c.name == f.Name() {
			u = c.usage
		}
	}
	if f.s.far != nil {
		for _, c := range farCommands {
			if c.name == f.Name() {
				u = c.usage
			}
		}
	}
	if u == "watchpost" {
		u = "[--demo]"
	}
	fmt.Fprintf(f.s.err, "%s: %s; usage: watchpost %s\n", f.word(), why, u)
	return false
}

// word is the command as it was typed.
func (f *flags) word() string {
	if f.Name() == "watchpost" {
		return "watchpost"
	}
	return "watchpost " + f.Name()
}

// file returns the configuration file that the flags name.
func (f *flags) file() *config.File {
	if f.config != "" {
		return config.Open(f.config)
	}
	return config.Open(config.DefaultPath())
}

// service returns a client of the running service, or control.ErrNoService.
func (f *flags) service(ctx context.Context) (*control.Client, error) {
	err := error(control.ErrNoService)
	paths := socketPaths(f.file().Path())
	// A service started with another environment says in its store where it listens.
	if l, _, lerr := load(f.file()); lerr == nil {
		if path := socketOf(stateDir(l.Config)); path != "" && filepath.Base(path) == filepath.Base(paths[0]) {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		var c *control.Client
		if c, err = control.Dial(ctx, path); !errors.Is(err, control.ErrNoService) {
			return c, err
		}
	}
	return nil, err
}

// failed says in one line why a command could not run and returns its exit code.
func (f *flags) failed(err error) int {
	fmt.Fprintf(f.s.err, "%s: %s\n", f.word(), strings.ReplaceAll(err.Error(), "\n", " "))
	if errors.Is(err, control.ErrNoService) {
		return exitNoService
	}
	return exitFailed
}

// printJSON prints v as one line.
func (f *flags) printJSON(v any) {
	enc := json.NewEncoder(f.s.out)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}

// value returns a VALUE of the command line; - is standard input without its
// last line end. A secret is taken in no other way.
func (f *flags) value(key, v string) (string, error) {
	if v != "-" {
		if field, ok := config.Lookup(key); ok && field.Secret {
			return "", fmt.Errorf("%s is a secret: give it on standard input, with - as the value", key)
		}
		return v, nil
	}
	if t, ok := f.s.in.(*os.File); ok && isTerminal(t) {
		if field, ok := config.Lookup(key); ok && field.Secret {
			return readSecret(t, f.s.err, field.Label+": ")
		}
	}
	data, err := io.ReadAll(io.LimitReader(f.s.in, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}
