// Package term knows what a terminal can do and keeps a program from being hurt
// by one: a table by TERM, a filter for sequences that would be misread, a
// writer that a stalled line cannot hang, the size of a line that does not tell
// it, an input that tells of bytes that are no text, and ASCII for terminals
// without UTF-8.
//
// It draws nothing and knows no keys. It starts no goroutine: Writer.Watch is
// run by whoever owns the writer.
package term

import (
	"strings"

	"github.com/charmbracelet/colorprofile"
)

// Terminal is what is known of a terminal from its environment.
type Terminal struct {
	Name    string // TERM
	Dumb    bool   // cannot address its cursor: prompts only
	Modern  bool   // xterm-like: has an alternate screen and bracketed paste
	UTF8    bool
	Profile colorprofile.Profile // Ascii stands for bold, faint and reverse without colour
}

// kinds is tried from the top: the first entry whose name equals TERM or is
// followed by '-' in it decides. bubbletea's own detection takes a vt100 for a
// terminal of 16 colours and nsterm for one of 16 million.
var kinds = []struct {
	name    string
	modern  bool
	profile colorprofile.Profile
}{
	{"xterm-kitty", true, colorprofile.TrueColor},
	{"xterm-ghostty", true, colorprofile.TrueColor},
	{"xterm-direct", true, colorprofile.TrueColor},
	{"alacritty", true, colorprofile.TrueColor},
	{"contour", true, colorprofile.TrueColor},
	{"foot", true, colorprofile.TrueColor},
	{"ghostty", true, colorprofile.TrueColor},
	{"kitty", true, colorprofile.TrueColor},
	{"rio", true, colorprofile.TrueColor},
	{"wezterm", true, colorprofile.TrueColor},
	{"xterm-mono", true, colorprofile.Ascii},
	{"xterm", true, colorprofile.ANSI},
	{"tmux", true, colorprofile.ANSI},
	{"st", true, colorprofile.ANSI},
	{"rxvt", true, colorprofile.ANSI},
	{"konsole", true, colorprofile.ANSI},
	{"gnome", true, colorprofile.ANSI},
	{"vte", true, colorprofile.ANSI},
	{"mintty", true, colorprofile.ANSI},
	{"nsterm", true, colorprofile.ANSI},
	{"putty", false, colorprofile.ANSI},
	{"screen", false, colorprofile.ANSI},
	{"linux", false, colorprofile.ANSI},
	{"cygwin", false, colorprofile.ANSI},
	{"pcansi", false, colorprofile.ANSI},
	{"ansi", false, colorprofile.ANSI},
}

// Of reads a program's environment ("NAME=value"; the last of a name counts).
func Of(env []string) Terminal {
	get := func(name string) string {
		for i := len(env) - 1; i >= 0; i-- {
			if v, ok := strings.CutPrefix(env[i], name+"="); ok {
				return v
			}
		}
		return ""
	}
	t := Terminal{Name: get("TERM"), Profile: colorprofile.Ascii}
	t.Dumb = t.Name == "" || t.Name == "dumb" || t.Name == "unknown" || strings.HasPrefix(t.Name, "dumb-")
	for _, k := range kinds {
		if t.Name == k.name || strings.HasPrefix(t.Name, k.name+"-") {
			t.Modern, t.Profile = k.modern, k.profile
			if t.Profile == colorprofile.ANSI && strings.Contains(t.Name, "256color") {
				t.Profile = colorprofile.ANSI256
			}
			break
		}
	}
	if c := get("COLORTERM"); t.Modern && t.Profile >= colorprofile.ANSI && (c == "truecolor" || c == "24bit") {
		t.Profile = colorprofile.TrueColor
	}
	// https://no-color.org: any value but the empty one.
	if get("NO_COLOR") != "" {
		t.Profile = colorprofile.Ascii
	}
	// The order of POSIX.1-2017 §8.2; none set is the POSIX locale.
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := get(name); v != "" {
			v = strings.ToLower(v)
			t.UTF8 = strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
			break
		}
	}
	return t
}
