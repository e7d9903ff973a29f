package config

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// example is a person's file, in the layout of design/product.md.
const example = `# Gate 3, set up by Jo

version:  1
site:     {name: "Gate 3", time_zone: Europe/Berlin}   # by the road
smtp:     {server: mail.example.net, port: 587, security: auto, auth: auto, username: gate3, ca_file: "", pin: ""}
          # security: auto, starttls, tls, none
mail:
  reply_address: 'gate3@example.net'
  # who is called
  destinations:
    - guard@example.net   # the night guard
    # and in the day
    - "desk@example.net"
  subject: CameraNotification

  hold_off: 60s
triggers:
  # the yard
  - {name: yard, source: motion, threshold: 5, zones: [[0, 0, 100, 100]],
     active: {days: [mon, tue], from: "18:00", to: "06:00"},   # nights
     pre: 5 images, post: 10s}
  - name: by hand
    source: manual
    notify: true   # yes
# the end
`

const exampleSecrets = "smtp: {password: hush}\n"

func made(t *testing.T, config, secrets string) *File {
	t.Helper()
	f := Open(filepath.Join(t.TempDir(), "watchpost.yaml"))
	if config != "" {
		if err := os.WriteFile(f.Path(), []byte(config), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if secrets != "" {
		if err := os.WriteFile(f.secretsPath(), []byte(secrets), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func load(t *testing.T, f *File) Loaded {
	t.Helper()
	l, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func lines(fs []Finding) string {
	var all []string
	for _, f := range fs {
		f.File = filepath.Base(f.File)
		all = append(all, f.String())
	}
	return strings.Join(all, "\n")
}

func TestEmptyAndMissingFilesAreUnconfigured(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing yet\n", "---\n", "null\n", "smtp:\nmail:\ntriggers:\n", "{}\n", "\ufeff# BOM\nversion: 1\n"} {
		l := load(t, made(t, text, ""))
		if len(l.Findings) > 0 || !equal(l.Config, Default()) || MailConfigured(l.Config) {
			t.Errorf("%q: %v %+v", text, l.Findings, l.Config)
		}
	}
}

func TestLoad(t *testing.T) {
	l := load(t, made(t, example, exampleSecrets))
	if len(l.Findings) > 0 {
		t.Fatalf("findings: %s", lines(l.Findings))
	}
	c := l.Config
	if c.Site.Name != "Gate 3" || c.SMTP.Server != "mail.example.net" || len(c.Mail.Destinations) != 2 || l.Secrets.SMTPPassword != "hush" || len(c.Triggers) != 2 || !MailConfigured(c) {
		t.Errorf("%+v", c)
	}
	yard := c.Triggers[0]
	if yard.Sensitivity != 5 || !yard.Notify || yard.Interval != 500*time.Millisecond || yard.Active[0].From != 18*60 || yard.Active[0].To != 6*60 || yard.HoldOff != nil {
		t.Errorf("%+v", yard)
	}
}

// TestBadFiles has one clear line for each fault, with file, line and key.
func TestBadFiles(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"wrong value", "smtp:\n  port: 99999\n", "watchpost.yaml:2: smtp.port: A whole number from 1 to 65535."},
		{"half a value", "smtp:\n  server: mail.\n", "watchpost.yaml:2: smtp.server: The value is incomplete. The name goes on after the dot."},
		{"a bare number of bytes", "storage:\n  max_bytes: 4\n", "watchpost.yaml:2: storage.max_bytes: At least 1MB; a bare number is bytes."},
		{"a bare number of seconds", "storage:\n  max_age: 4\n", "watchpost.yaml:2: storage.max_age: At least 1h; a bare number is seconds."},
		{"below the least", "camera:\n  width: 4\n", "watchpost.yaml:2: camera.width: A whole number from 16 to 8192."},
		{"a fix", "smtp:\n  server: 2001:db8::25\n", "watchpost.yaml:2: smtp.server: An IPv6 address needs brackets: [2001:db8::25]."},
		{"unknown key", "smtp:\n  prot: 25\n", "watchpost.yaml:2: smtp.prot: There is no such key. Is port meant?"},
		{"unknown section", "stmp:\n  port: 25\n", "watchpost.yaml:1: stmp: There is no such key. Is smtp meant?"},
		{"right key, wrong place", "username: gate3\n", "watchpost.yaml:1: username: There is no such key. smtp.username is one: is it indented under its section?"},
		{"dotted key", "smtp.port: 25\n", "watchpost.yaml:1: smtp.port: A key has no dot: keys stand under their section, as in smtp: {port: 587}."},
		{"duplicate key", "smtp:\n  port: 25\n  port: 587\n", "watchpost.yaml:3: smtp.port: This key comes twice; the first one is in a line above."},
		{"duplicate section", "site: {name: a}\nsite: {name: b}\n", "watchpost.yaml:2: site: This key comes twice; the first one is in a line above."},
		{"map for a value", "smtp:\n  port: {a: 1}\n", "watchpost.yaml:2: smtp.port: Here stands a single value, not a list or a map."},
		{"value for a map", "smtp: mail.example.net\n", "watchpost.yaml:1: smtp: Under smtp there are keys of its own, not a single value."},
		{"list at the root", "- a\n", "watchpost.yaml:1: A configuration is a map such as smtp: {server: mail.example.net}."},
		{"text at the root", "hello\n", "watchpost.yaml:1: A configuration is a map such as smtp: {server: mail.example.net}."},
		{"not YAML", "smtp: {server: a\n", "watchpost.yaml:1: This is not YAML: did not find expected ',' or '}'."},
		{"a tab", "smtp:\n\tport: 25\n", "watchpost.yaml:2: This is not YAML: a tab at the beginning of the line; YAML wants spaces."},
		{"not UTF-8", "site:\n  name: T\xfcr\n", "watchpost.yaml:2: The file is not UTF-8 text: save it as UTF-8."},
		{"UTF-16", "\xff\xfes\x00i\x00", "watchpost.yaml:1: The file is not UTF-8 text: save it as UTF-8."},
		{"control character", "site:\n  name: a\x00b\n", "watchpost.yaml:2: There is a control character in this line."},
		{"10 MB", strings.Repeat("# a long comment\n", 600_000), "watchpost.yaml: The file is larger than 1 MiB: this is not a configuration."},
		{"anchor", "site: &a {name: x}\n", "watchpost.yaml:1: Anchors and aliases (& and *) are not used here: write the value out."},
		{"alias bomb", "a: &a [x]\nb: [*a, *a]\n", "watchpost.yaml:1: Anchors and aliases (& and *) are not used here: write the value out."},
		{"merge key", "site:\n  <<: {name: x}\n", "watchpost.yaml:2: Merge keys (<<) are not used here: write the values out."},
		{"tag", "site:\n  name: !!binary aGk=\n", `watchpost.yaml:2: Tags ("!!binary") are not used here.`},
		{"two documents", "version: 1\n---\nversion: 1\n", "watchpost.yaml:2: There is a second YAML document (---); the file holds one."},
		{"version 2", "version: 2\n", "watchpost.yaml:1: version: This program reads version 1 of the configuration only."},
		{"secret in the main file", "smtp:\n  password: hush\n", "watchpost.yaml:2: smtp.password: This is a secret: it belongs in secrets.yaml beside this file, under the same key."},
		{"empty subject", "mail:\n  subject: \"\"\n", "watchpost.yaml:2: mail.subject: The value is incomplete. The subject cannot be empty."},
		{"gap in destinations", "mail:\n  destinations:\n    - a@example.net\n    - \"\"\n", "watchpost.yaml:4: mail.destinations.2: This destination is empty: remove it."},
		{"four destinations", "mail: {destinations: [a@x.org, b@x.org, c@x.org, d@x.org]}\n", "watchpost.yaml:1: mail.destinations: There are at most 3 destinations."},
		{"a bad destination's own line", "mail:\n  destinations:\n    - a@example.net\n    - b@\n", "watchpost.yaml:4: mail.destinations.2: The value is incomplete. An address is name@domain, such as guard@example.net."},
		{"six triggers", "triggers: [{name: a},{name: b},{name: c},{name: d},{name: e},{name: f}]\n", "watchpost.yaml:1: triggers: There are at most 5 triggers."},
		{"trigger without a name", "triggers:\n  - source: motion\n", "watchpost.yaml:2: triggers.1.name: A trigger needs a name."},
		{"trigger is no map", "triggers: [yard]\n", "watchpost.yaml:1: triggers.1: A trigger is a map: {name: yard, source: motion}."},
		{"wrong trigger value", "triggers:\n  - name: yard\n    threshold: 12\n", "watchpost.yaml:3: triggers.yard.threshold: A whole number from 1 to 9."},
		{"unknown trigger key", "triggers:\n  - name: yard\n    thresold: 5\n", "watchpost.yaml:3: triggers.yard.thresold: There is no such key. Is threshold meant?"},
		{"triggers of one name", "triggers:\n  - name: yard\n  - name: yard\n", "watchpost.yaml:3: triggers.2.name: Another trigger is called \"yard\" too."},
		{"timer that notifies", "triggers:\n  - name: t\n    source: timer\n    notify: true\n", "watchpost.yaml:4: triggers.t.notify: A timer trigger has no e-mail notification: leave notify out."},
		{"zones as text", "triggers:\n  - {name: yard, zones: all}\n", "watchpost.yaml:2: triggers.yard.zones: Here stands a list of [x, y, width, height] in percent."},
		{"password in clear", "smtp: {server: mail.example.net, security: none, username: u}\nmail: {reply_address: a@example.net, destinations: [b@example.net]}\n", "watchpost.yaml:1: smtp.password: warning: A user name is set but no password: the server will refuse the login.\nwatchpost.yaml:1: smtp.security: Without encryption the password travels in clear: choose auto."},
		{"escape sequences are not repeated", "\"a\\e[2Jb\": 1\n", "watchpost.yaml:1: a?[2Jb: There is no such key."},
	} {
		f := made(t, c.text, "")
		l := load(t, f)
		got, want := strings.Split(lines(l.Findings), "\n"), strings.Split(c.want, "\n")
		if len(got) != len(want) {
			t.Errorf("%s: %d lines, want %d:\n%s", c.name, len(got), len(want), lines(l.Findings))
			continue
		}
		for _, w := range want {
			if !strings.Contains(lines(l.Findings), w) {
				t.Errorf("%s:\n got %s\nwant %s", c.name, lines(l.Findings), w)
			}
		}
		if !hasErrors(l.Findings) {
			t.Errorf("%s: no error", c.name)
		}
	}
}

func TestAllFaultsAreToldAtOnceButNotEndlessly(t *testing.T) {
	l := load(t, made(t, "smtp:\n  port: x\n  security: y\nmail:\n  subject: \"\"\n", ""))
	if len(l.Findings) != 3 {
		t.Errorf("%s", lines(l.Findings))
	}
	l = load(t, made(t, "a: 1\n"+strings.Repeat("a: 1\n", 1000), ""))
	if len(l.Findings) != maxFindings {
		t.Errorf("%d findings", len(l.Findings))
	}
}

func TestSecretsFile(t *testing.T) {
	f := made(t, example, "smtp: {password: hush, port: 25}\n")
	if got := lines(load(t, f).Findings); got != "secrets.yaml:1: smtp.port: This is no secret: it belongs in the configuration file." {
		t.Error(got)
	}
	f = made(t, example, "smtp: {password: \"hush\n")
	if got := lines(load(t, f).Findings); !strings.HasPrefix(got, "secrets.yaml:") || strings.Contains(got, "hush") {
		t.Error(got)
	}
	f = made(t, example, exampleSecrets)
	if err := os.Chmod(f.secretsPath(), 0o644); err != nil {
		t.Fatal(err)
	}
	l := load(t, f)
	if got := lines(l.Findings); got != "secrets.yaml: warning: Others may read the secrets in this file (mode 0644): chmod 600 it." || l.Secrets.SMTPPassword != "hush" {
		t.Error(got)
	}
	if l, err := f.Save([]Change{{"smtp.password", "hush2"}}); err != nil || len(l.Findings) > 0 { // the warning is cured with it
		t.Fatal(err, lines(l.Findings))
	}
	if st, _ := os.Stat(f.secretsPath()); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
}

// TestSaveChangesNothingElse compares the file line by line before and after.
func TestSaveChangesNothingElse(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes []Change
		old     string // the part of example that goes
		new     string // what comes in its place
	}{
		{"a value in a flow map", []Change{{"smtp.port", "465"}}, "port: 587", "port: 465"},
		{"two at once", []Change{{"smtp.port", "25"}, {"smtp.security", "starttls"}}, "port: 587, security: auto", "port: 25, security: starttls"},
		{"a quoted value stays quoted", []Change{{"site.name", `Gate "4"`}}, `"Gate 3"`, `"Gate \"4\""`},
		{"single quotes too", []Change{{"mail.reply_address", "o'neil@example.net"}}, `'gate3@example.net'`, `'o''neil@example.net'`},
		{"a text that looks like a number", []Change{{"smtp.username", "0123"}}, "username: gate3", `username: "0123"`},
		{"a text that breaks a flow map", []Change{{"smtp.username", "a, {b}: #c"}}, "username: gate3", `username: 'a, {b}: #c'`},
		{"a new key in a block map", []Change{{"mail.picture_wait", "2s"}}, "  hold_off: 60s\n", "  hold_off: 60s\n  picture_wait: 2s\n"},
		{"a new key in its place", []Change{{"mail.dst_mark", "true"}}, "\n  hold_off: 60s\n", "\n  dst_mark: true\n  hold_off: 60s\n"},
		{"a new section in its place", []Change{{"camera.source", "scene:"}}, "smtp:     {", "camera:\n  source: 'scene:'\nsmtp:     {"},
		{"a new section at the end", []Change{{"storage.max_age", "7d"}}, "    notify: true   # yes\n", "    notify: true   # yes\nstorage:\n  max_age: 7d\n"},
		{"a trigger in flow style", []Change{{"triggers.yard.threshold", "7"}}, "threshold: 5", "threshold: 7"},
		{"a trigger by number", []Change{{"triggers.1.threshold", "7"}}, "threshold: 5", "threshold: 7"},
		{"a new key of a trigger", []Change{{"triggers.yard.sensitivity", "7"}}, "zones: [", "sensitivity: 7, zones: ["},
		{"at a flow map's end", []Change{{"triggers.yard.notify", "false"}}, "post: 10s}", "post: 10s, notify: false}"},
		{"a trigger in block style", []Change{{"triggers.by hand.hold_off", "5s"}}, "    notify: true   # yes\n", "    notify: true   # yes\n    hold_off: 5s\n"},
		{"renamed, and changed in the same go", []Change{{"triggers.yard.name", "court"}, {"triggers.yard.threshold", "7"}}, "name: yard, source: motion, threshold: 5", "name: court, source: motion, threshold: 7"},
		{"zones", []Change{{"triggers.yard.zones", "[[10, 10, 20, 20]]"}}, "[[0, 0, 100, 100]]", "[[10, 10, 20, 20]]"},
		{"a destination", []Change{{"mail.destinations.2", "day@example.net"}}, `"desk@example.net"`, `"day@example.net"`},
		{"one more destination", []Change{{"mail.destinations.3", "boss@example.net"}}, "    - \"desk@example.net\"\n", "    - \"desk@example.net\"\n    - boss@example.net\n"},
		{"one destination less", []Change{{"mail.destinations.2", ""}}, "    - \"desk@example.net\"\n", ""},
		{"no destination, and the comments stay", []Change{{"mail.destinations", ""}}, "    - guard@example.net   # the night guard\n    # and in the day\n    - \"desk@example.net\"\n", "    # and in the day\n"},
		{"the first destination goes", []Change{{"mail.destinations.1", ""}}, "    - guard@example.net   # the night guard\n", ""},
		{"a list of destinations", []Change{{"mail.destinations", `guard@example.net "desk@example.net"@example.org`}}, `"desk@example.net"`, `"\"desk@example.net\"@example.org"`},
		{"nothing", []Change{{"smtp.port", "587"}}, "", ""},
	} {
		f := made(t, example, exampleSecrets)
		load(t, f)
		l, err := f.Save(c.changes)
		if err != nil {
			t.Errorf("%s: %v %s", c.name, err, lines(l.Findings))
			continue
		}
		after := read(t, f.Path())
		if want := strings.Replace(example, c.old, c.new, 1); after != want {
			t.Errorf("%s:\n%s", c.name, after)
		}
		if again := load(t, f); hasErrors(again.Findings) || !equal(again.Config, l.Config) || again.Revision != l.Revision {
			t.Errorf("%s: loads differently: %s", c.name, lines(again.Findings))
		}
		if st, _ := os.Stat(f.Path()); st.Mode().Perm() != 0o640 {
			t.Errorf("%s: mode became %v", c.name, st.Mode())
		}
	}
}

// TestSaveUnderstandsLayouts changes files as people lay them out.
func TestSaveUnderstandsLayouts(t *testing.T) {
	changes := []Change{{"site.name", "a: #b"}, {"smtp.port", "26"}, {"mail.destinations.1", "z@example.org"}, {"mail.destinations.2", "y@example.org"}, {"mail.hold_off", "7"},
		{"mail.subject", "y"}, {"triggers.1.threshold", "3"}, {"storage.max_age", "9d"}, {"triggers", "[{name: q}]"}}
	for _, text := range []string{
		"site: {name: 'a\n  b'}\n", "site:\n  name: >-\n    x\n\n  # zone\n  time_zone: UTC\n", "site:\n  name: a\n    b\n\nsmtp: {port: 25}\n", "mail:\n    subject: |-\n      x\n    hold_off: 5s\n",
		"site: {name: x,}\n", "\"site\": {\"name\":\"x\"}\n", "site:\n    # c\n    name: x # d\nsmtp:\n    port: 25\n", "mail: {destinations: [a@x.org,\n  # c\n  b@x.org]} # t\n",
		"triggers:\n- name: a\n  source: motion\n- name: b\n", "mail:\n  destinations:\n  - a@x.org\n", "mail:\n  destinations: a@x.org\n", "smtp: {server: a.b,\n   port: 25 # c\n}\n",
		"mail:\n  destinations: []\n", "smtp:\n\n\nmail:\n", "site: # c\n  name: x\n\n# about mail\nmail:\n  subject: x\n", "---\nversion: 1\n", "\ufeffsite: {name: ä, time_zone: UTC}\n", "version: 1",
	} {
		for _, ch := range changes {
			f := made(t, text, "")
			if l, err := f.Save([]Change{ch}); err != nil && !(strings.HasPrefix(ch.Key, "triggers.1") && !strings.Contains(text, "triggers")) {
				t.Errorf("%q %v: %v %s", text, ch, err, lines(l.Findings))
			} else if err == nil && strings.Count(read(t, f.Path()), "# ") < strings.Count(text, "# ") {
				t.Errorf("%q %v: a comment is gone:\n%s", text, ch, read(t, f.Path()))
			}
		}
	}
}

func TestSaveIntoNothing(t *testing.T) {
	for _, text := range []string{"", "# mine\n", "version: 1", "smtp:\n", "smtp: {}\nmail:\n", "smtp:   # the server\nsite: {}\n", "# DOS\r\nsite:\r\n  name: a\r\n"} {
		f := made(t, text, "")
		changes := []Change{{"smtp.server", "mail.example.net"}, {"smtp.username", "gate3"}, {"smtp.password", "a: #b"}, {"mail.reply_address", "gate3@example.net"},
			{"mail.destinations", "guard@example.net, \"a,b\"@example.net"}, {"triggers", "[{name: yard, source: motion}]"}, {"site.name", "null"}}
		l, err := f.Save(changes)
		if err != nil {
			t.Errorf("%q: %v %s", text, err, lines(l.Findings))
			continue
		}
		if c := l.Config; c.SMTP.Server != "mail.example.net" || len(c.Mail.Destinations) != 2 || c.Mail.Destinations[1] != `"a,b"@example.net` || len(c.Triggers) != 1 || c.Site.Name != "null" || l.Secrets.SMTPPassword != "a: #b" {
			t.Errorf("%q: %+v", text, c)
		}
		if comment, _, _ := strings.Cut(text, "\n"); strings.Contains(comment, "#") && !strings.Contains(read(t, f.Path()), comment[strings.Index(comment, "#"):]) {
			t.Errorf("%q: the comment is gone:\n%s", text, read(t, f.Path()))
		}
		if st, _ := os.Stat(f.secretsPath()); st.Mode().Perm() != 0o600 {
			t.Errorf("secrets have mode %v", st.Mode())
		}
		if n := strings.Count(read(t, f.Path()), "\r\n"); strings.Contains(text, "\r\n") && n != strings.Count(read(t, f.Path()), "\n") {
			t.Errorf("%q: line ends are mixed", text)
		}
	}
}

func TestSaveRefuses(t *testing.T) {
	for _, c := range []struct {
		change Change
		want   string
	}{
		{Change{"smtp.port", "0"}, "watchpost.yaml:5: smtp.port: A whole number from 1 to 65535."},
		{Change{"smtp.server", "mail."}, "watchpost.yaml:5: smtp.server: The value is incomplete. The name goes on after the dot."},
		{Change{"smtp.security", "none"}, "watchpost.yaml:5: smtp.security: Without encryption the password travels in clear: choose auto."},
		{Change{"mail.destinations.3", "guard@EXAMPLE.net"}, "mail.destinations.3: This is destination 1 again: leave one of them empty."},
		{Change{"mail.destinations", "a@x.org b@x.org c@x.org d@x.org"}, "watchpost.yaml:10: mail.destinations: There are at most 3 destinations."},
		{Change{"triggers.gate.threshold", "5"}, `triggers.gate.threshold: There is no trigger called "gate".`},
		{Change{"triggers.yard.name", "By Hand"}, `watchpost.yaml:22: triggers.by hand.name: Another trigger is called "By Hand": capitals make no difference.`},
		{Change{"smtp.prot", "5"}, "smtp.prot: There is no such key."},
		{Change{"smtp", "{server: mail.example.net}"}, `watchpost.yaml:5: smtp: "smtp" is a section, not a field: name a key of it, such as smtp.server.`},
		{Change{"mail", ""}, `watchpost.yaml:7: mail: "mail" is a section, not a field: name a key of it, such as mail.reply_address.`},
		{Change{"triggers.yard", "5"}, `watchpost.yaml:19: triggers.yard: "triggers.yard" is a section, not a field: name a key of it, such as triggers.yard.source.`},
		{Change{"smtp.password", "a\nb"}, "secrets.yaml:1: smtp.password: There is a control character or a line break in it."},
		{Change{"mail.subject", ""}, "watchpost.yaml:14: mail.subject: The value is incomplete. The subject cannot be empty."},
	} {
		f := made(t, example, exampleSecrets)
		l, err := f.Save([]Change{{"site.name", "changed"}, c.change})
		if !errors.Is(err, ErrRefused) || !strings.Contains(lines(l.Findings), c.want) {
			t.Errorf("%v: %v\n got %s\nwant %s", c.change.Key, err, lines(l.Findings), c.want)
		}
		if read(t, f.Path()) != example || read(t, f.secretsPath()) != exampleSecrets {
			t.Errorf("%v: something was written", c.change.Key)
		}
	}
}

func TestSaveSeesAHandEdit(t *testing.T) {
	f := made(t, example, exampleSecrets)
	load(t, f)
	edited := strings.Replace(example, "587", "25", 1)
	if err := os.WriteFile(f.Path(), []byte(edited), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Save([]Change{{"site.name", "a"}}); !errors.Is(err, ErrConflict) || read(t, f.Path()) != edited {
		t.Errorf("saved over a hand edit: %v", err)
	}
	load(t, f)
	if _, err := f.Save([]Change{{"site.name", "a"}}); err != nil {
		t.Error(err)
	}
}

// TestTwoWritersLoseNothing has two holders of one file, as a service and a
// `watchpost set` beside it are.
func TestTwoWritersLoseNothing(t *testing.T) {
	f := made(t, example, exampleSecrets)
	keys := []string{"camera.width", "camera.height", "camera.fps", "smtp.port", "mail.hold_off", "triggers.yard.threshold", "triggers.yard.sensitivity", "storage.max_age"}
	var wg sync.WaitGroup
	for _, key := range keys {
		wg.Go(func() {
			if _, err := Open(f.Path()).Save([]Change{{key, map[bool]string{true: "5d", false: "25"}[key == "storage.max_age"]}}); err != nil && !strings.HasPrefix(key, "triggers") {
				t.Errorf("%s: %v", key, err)
			}
		})
	}
	wg.Wait()
	c := load(t, f).Config
	if c.Camera.Width != 25 || c.Camera.Height != 25 || c.Camera.FPS != 25 || c.SMTP.Port != 25 || c.Mail.HoldOff != 25*time.Second || c.Storage.MaxAge != 5*day {
		t.Errorf("a change is lost: %+v", c)
	}
}

// TestManyWriters: a Save without a Load has nothing that it could conflict with.
func TestManyWriters(t *testing.T) {
	f := made(t, example, exampleSecrets)
	const writers = 24
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for {
				_, err := Open(f.Path()).Save([]Change{{"camera.width", strconv.Itoa(100 + i)}, {"site.name", strconv.Itoa(i)}})
				if err == nil {
					return
				}
				if !strings.Contains(err.Error(), "is held by another program") { // on a slow disk the lock may not be had in time
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	c := load(t, f).Config
	if n, err := strconv.Atoi(c.Site.Name); err != nil || c.Camera.Width != 100+n {
		t.Errorf("two writers are mixed: %+v %+v", c.Site, c.Camera)
	}
}

func TestSaveThroughASymbolicLink(t *testing.T) {
	f := made(t, example, "")
	link := Open(filepath.Join(t.TempDir(), "watchpost.yaml"))
	if err := os.Symlink(f.Path(), link.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := link.Save([]Change{{"smtp.port", "25"}}); err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Lstat(link.Path()); st.Mode()&os.ModeSymlink == 0 || load(t, f).Config.SMTP.Port != 25 {
		t.Error("the link was replaced by a file")
	}
}

func TestGoodCopies(t *testing.T) {
	f := made(t, "", "")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.MarkGood())
	if _, ok := f.LoadGood(); ok || f.CanRevert() {
		t.Error("nothing is no good configuration")
	}
	save := func(port, password string) {
		t.Helper()
		_, err := f.Save([]Change{{"smtp.port", port}, {"smtp.password", password}})
		must(err)
	}
	save("25", "one")
	must(f.MarkGood())
	must(f.MarkGood()) // the same again is no earlier one
	if f.CanRevert() {
		t.Error("there is only one")
	}
	save("465", "two")
	if !f.CanRevert() {
		t.Error("what is not yet in force can be left for the last good one")
	}
	must(f.MarkGood())
	if l, ok := f.LoadGood(); !ok || l.Config.SMTP.Port != 465 || l.Secrets.SMTPPassword != "two" {
		t.Errorf("the last good: %+v %v", l.Config.SMTP, ok)
	}
	l, err := f.Revert()
	must(err)
	if l.Config.SMTP.Port != 25 || l.Secrets.SMTPPassword != "one" || load(t, f).Secrets.SMTPPassword != "one" {
		t.Errorf("reverted to %+v", l.Config.SMTP)
	}
	must(f.MarkGood())
	l, err = f.Revert()
	must(err)
	if l.Config.SMTP.Port != 465 {
		t.Error("a second revert comes back")
	}
	must(os.WriteFile(f.Path(), []byte("smtp: {port: broken}\n"), 0o644))
	if l, ok := f.LoadGood(); !ok || !equal(l.Config, l.Config) || hasErrors(l.Findings) {
		t.Error("a broken file leaves the last good one")
	}
	if l, err := f.Revert(); err != nil || l.Config.SMTP.Port != 25 {
		t.Errorf("from a broken file back to the one in force last: %v %+v", err, l.Config.SMTP)
	}
	for _, p := range []string{f.beside(".good"), f.beside(".good-1")} {
		st, err := os.Stat(p)
		must(err)
		if st.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", p, st.Mode())
		}
		if st, err := os.Stat(filepath.Join(p, secretsName)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: the secrets' copy: %v %v", p, st, err)
		}
	}
}

func TestRevertWithoutACopy(t *testing.T) {
	if _, err := made(t, example, "").Revert(); err == nil {
		t.Error("no error")
	}
}

func TestDefaultPath(t *testing.T) {
	p := DefaultPath()
	if os.Geteuid() == 0 {
		if p != "/etc/watchpost/watchpost.yaml" {
			t.Error(p)
		}
		return
	}
	t.Setenv("XDG_CONFIG_HOME", "/x")
	if p := DefaultPath(); p != "/x/watchpost/watchpost.yaml" {
		t.Error(p)
	}
}
