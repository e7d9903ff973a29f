package config

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestBrokenYAMLHasALine puts each fault into the first lines of a file and
// further down, with and without a map that begins in the first line.
func TestBrokenYAMLHasALine(t *testing.T) {
	for _, c := range []struct {
		text string
		line int // of the text
		want string
	}{
		{"mail: {subject: [}\n", 1, "did not find expected node content"},
		{"mail: {subject: x\n", 1, "did not find expected ',' or '}'"},
		{"mail:\n  destinations: [a@x.org,\n    b@x.org\n  subject: x\n", 2, "did not find expected ',' or ']'"},
		{"site: {name: x\nsmtp: {port: 25}\n", 1, "did not find expected ',' or '}'"},
		{"mail: ]\n", 1, "did not find expected node content"},
		{"site:\n  name: a\n time_zone: UTC\n", 3, "did not find expected key"},
		{"site:\n  name: a\nsmtp:\n  port: 25\n server: x\nmail: {}\n", 5, "did not find expected key"},
		{"mail:\n  destinations:\n    - a@x.org\n   - b@x.org\n", 4, "did not find expected key"},
		{"version: 1\n\t{{{\n", 2, "a tab at the beginning"},
		{"version: 1\nsite: {}\n\tsmtp: {}\n", 3, "a tab at the beginning"},
		{"site:\n  - a\n  b: c\n", 3, "did not find expected '-' indicator"},
		{"site:\n  name: a\n  word\nsmtp: {}\n", 3, "could not find expected ':'"},
		{"smtp:\n port: 5\n  server: x\n", 3, "mapping values are not allowed"},
		{"site:\n  name: \"abc\nsmtp: {}\n", 2, "found unexpected end of stream"},
		{"smtp:\n\tport: 25\n", 2, "a tab at the beginning of the line"},
		{"site: @x\n", 1, "cannot start any token"},
		{"site: {name: *x}\n", 1, "unknown anchor"},
		{"site: {name: \ufffe}\n", 1, "control character"},
		{"site: {}\n---\nsmtp: {}\n", 2, "second YAML document"},
		{"site: {}\n...\nsmtp: {}\n", 3, "did not find expected <document start>"},
	} {
		for _, above := range []string{"", "\ufeff", "# c\n", "# c\n\n# d\n", "version: 1\n", "# c\nversion: 1\ncamera:\n  fps: 5\n", "camera: {width: 640,\n  height: 480}\n" + strings.Repeat("\n", 15), "# c\r\n"} {
			text := above + c.text
			if strings.Contains(above, "\r") {
				text = strings.ReplaceAll(strings.ReplaceAll(text, "\r", ""), "\n", "\r\n")
			}
			found := load(t, made(t, text, "")).Findings
			want := c.line + strings.Count(above, "\n")
			if len(found) != 1 || found[0].Line != want || !strings.Contains(found[0].Text, c.want) {
				t.Errorf("%q: line %d: %s", text, want, lines(found))
			}
		}
	}
	big := strings.Repeat("# a long comment\n", 60_000)
	if found := load(t, made(t, "site:\n  name: a\n"+big+" b: c\n", "")).Findings; len(found) != 1 || found[0].Line != 60_003 {
		t.Errorf("%s", lines(found))
	}
}

func TestAnAbsentKeyHasItsSectionsLine(t *testing.T) {
	for _, c := range []struct {
		text, secrets, key string
		line               int
	}{
		{"\nmail: {subject: x}\nsmtp: {server: mail.example.net}\n", "", "mail.reply_address", 2},
		{"\nmail:\nsmtp: {server: mail.example.net}\n", "", "mail.destinations.1", 2},
		{"smtp: {server: mail.example.net}\n", "", "mail.reply_address", 0},
		{"mail: {reply_address: a@x.org}\n\nsmtp: {}\n", "smtp: {password: x}\n", "smtp.server", 3},
		{"mail: {reply_address: a@x.org}\n", "smtp: {password: x}\n", "smtp.server", 0},
		{"triggers:\n- name: a\n- name: b\n  source: external\n", "", "triggers.b.line", 3},
	} {
		ok := false
		for _, x := range load(t, made(t, c.text, c.secrets)).Findings {
			ok = ok || x.Key == c.key && x.Line == c.line && strings.HasSuffix(x.File, "watchpost.yaml")
		}
		if !ok {
			t.Errorf("%q: %s is not told of line %s", c.text, c.key, strconv.Itoa(c.line))
		}
	}
}

// TestFindingsAreInOrder: who shows one line shows what stops the file.
func TestFindingsAreInOrder(t *testing.T) {
	f := made(t, "smtp:\n  port: 2525\n  security: x\n  username: u\ntriggers:\n- {name: a, source: sound}\n- {nam: b}\n", "smtp: {password: [x]}\n")
	if err := os.Chmod(f.secretsPath(), 0o644); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range load(t, f).Findings {
		got = append(got, x.Level.Mark()+" "+filepath.Base(x.File)+" "+strconv.Itoa(x.Line))
	}
	want := "! watchpost.yaml 3, ! watchpost.yaml 7, ! watchpost.yaml 7, ! secrets.yaml 1, ? watchpost.yaml 2, ? watchpost.yaml 6, ? secrets.yaml 0"
	if strings.Join(got, ", ") != want {
		t.Errorf(" got %s\nwant %s", strings.Join(got, ", "), want)
	}
}

// TestTriggerListFaults: another fault in the list hides neither of these.
func TestTriggerListFaults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"triggers:\n- name: a\n- name: a\n- name: ' '\n", "watchpost.yaml:3: triggers.2.name: Another trigger is called \"a\" too.\nwatchpost.yaml:4: triggers.3.name: The value is incomplete. The name cannot be empty."},
		{"triggers:\n- name: a\n- name: A\n", "watchpost.yaml:3: triggers.A.name: Another trigger is called \"a\": capitals make no difference."},
		{"triggers:\n- 5\n- name: a\n- name: a\n", "watchpost.yaml:2: triggers.1: A trigger is a map: {name: yard, source: motion}.\nwatchpost.yaml:4: triggers.3.name: Another trigger is called \"a\" too."},
		{"smtp: {port: x}\ntriggers:\n- source: external\n  name: a\n", "watchpost.yaml:1: smtp.port: A whole number from 1 to 65535.\nwatchpost.yaml:3: triggers.a.source: warning: This needs an input, which this version does not read yet.\nwatchpost.yaml:3: triggers.a.line: warning: The source external needs the input's line, such as gpiochip0:4."},
		{"triggers:\n- {name: '1', source: builtin}\n- {name: '1', source: builtin, line: 'gpiochip0:x'}\n", "watchpost.yaml:3: triggers.2.line: A line is gpiochip0:4 (chip, then line), or the line's name.\n" +
			"watchpost.yaml:3: triggers.2.name: Another trigger is called \"1\" too.\nwatchpost.yaml:2: triggers.1.source: warning: This needs an input, which this version does not read yet.\n" +
			"watchpost.yaml:2: triggers.1.line: warning: The source builtin needs the input's line, such as gpiochip0:4.\nwatchpost.yaml:3: triggers.2.source: warning: This needs an input, which this version does not read yet."},
		{"triggers:\n- {name: b}\n- {name: '1', source: builtin}\n", "watchpost.yaml:3: triggers.1.source: warning: This needs an input, which this version does not read yet.\nwatchpost.yaml:3: triggers.1.line: warning: The source builtin needs the input's line, such as gpiochip0:4."},
	} {
		if got := lines(load(t, made(t, c.text, "")).Findings); got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.text, got, c.want)
		}
	}
	f := made(t, "", "")
	if l, err := f.Save([]Change{{"triggers", "[{name: a},{name: a},{name: ' '}]"}}); !errors.Is(err, ErrRefused) || !strings.Contains(lines(l.Findings), `Another trigger is called "a" too.`) {
		t.Errorf("%v %s", err, lines(l.Findings))
	}
}
