package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"

// twoPlaces is a person's file with transfers, and twoSecrets their passwords.
const twoPlaces = `triggers:
  - {name: yard, transfer: nas}   # the yard
  - {name: door, transfer: web}
transfers:
  # in the cellar
  - {name: nas, kind: sftp, server: nas.local, username: gate3,   # the box
     host_key: "` + fingerprint + `"}
  - name: web
    kind: http
    url: https://web.example/up
    auth: basic   # asked for
    username: u
`

const twoSecrets = `smtp: {password: hush}
transfers:
  # the cellar's
  nas:   # changed in May
    password: one   # by Jo
  web: {password: two}
`

func TestTransfersAreLoadedWithTheirSecrets(t *testing.T) {
	l := load(t, made(t, twoPlaces, twoSecrets))
	if told := lines(l.Findings); strings.Contains(told, "transfer") || hasErrors(l.Findings) {
		t.Fatal(told)
	}
	if want := (Secrets{SMTPPassword: "hush", Transfers: map[string]string{"nas": "one", "web": "two"}}); !l.Secrets.Equal(want) {
		t.Error("other secrets")
	}
	nas := l.Config.Transfers[0]
	if nas.Server != "nas.local" || nas.Path != "{trigger}/{date}" || nas.HostKey != fingerprint || PortOf(nas) != 22 || l.Config.Transfers[1].Auth != "basic" {
		t.Errorf("%+v", l.Config.Transfers)
	}
	if got := l.Secrets.Set(l.Config); !reflect.DeepEqual(got, map[string]bool{"console.password": false, "smtp.password": true, "ssh.password": false, "transfers.nas.password": true, "transfers.web.password": true}) {
		t.Errorf("%v", got)
	}
}

// TestSaveOfTransfers compares both files to the byte.
func TestSaveOfTransfers(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes []Change
		file    []string // pairs: what goes and what comes
		secrets []string
	}{
		{"a field", []Change{{"transfers.nas.port", "2222"}}, []string{"server: nas.local, ", "server: nas.local, port: 2222, "}, nil},
		{"a field in block style", []Change{{"transfers.web.method", "post"}}, []string{"    auth: basic", "    method: post\n    auth: basic"}, nil},
		{"a map", []Change{{"transfers.web.headers", "{X-Camera: gate3}"}}, []string{"    username: u\n", "    username: u\n    headers: {X-Camera: gate3}\n"}, nil},
		{"a password", []Change{{"transfers.nas.password", "new"}}, nil, []string{"one", "new"}},
		{"a password taken away", []Change{{"transfers.web.password", ""}}, nil, []string{"two", `""`}},
		{"renamed", []Change{{"transfers.nas.name", "box"}}, []string{"transfer: nas", "transfer: box", "name: nas", "name: box"}, []string{"  nas:", "  box:"}},
		{"renamed, with a new password", []Change{{"transfers.nas.password", "new"}, {"transfers.nas.name", "box"}}, []string{"transfer: nas", "transfer: box", "name: nas", "name: box"}, []string{"  nas:   # changed in May\n    password: one", "  box:   # changed in May\n    password: new"}},
		{"renamed to a number", []Change{{"transfers.web.name", "7"}}, []string{"transfer: web", `transfer: "7"`, "name: web", `name: "7"`}, []string{"web:", `"7":`}},
		{"a row of names", []Change{{"transfers.nas.name", "web"}, {"transfers.web.name", "cloud"}}, []string{"transfer: web", "transfer: cloud", "transfer: nas", "transfer: web", "name: web", "name: cloud", "name: nas", "name: web"}, []string{"web:", "cloud:", "nas:", "web:"}},
		{"names exchanged", []Change{{"transfers.nas.name", "web"}, {"transfers.web.name", "nas"}}, []string{"transfer: web", "transfer: xxx", "transfer: nas", "transfer: web", "transfer: xxx", "transfer: nas", "name: web", "name: xxx", "name: nas", "name: web", "name: xxx", "name: nas"}, []string{"one", "xxx", "two", "one", "xxx", "two"}},
		{"own destinations of a trigger", []Change{{"triggers.yard.destinations", "a@x.org"}}, []string{"transfer: nas", "transfer: nas, destinations: [a@x.org]"}, nil},
		{"a date", []Change{{"site.holidays", "2026-12-25, 01-01"}}, []string{"    username: u\n", "    username: u\nsite:\n  holidays: [2026-12-25, 01-01]\n"}, nil},
	} {
		f := made(t, twoPlaces, twoSecrets)
		before := load(t, f)
		l, err := f.Save(c.changes)
		if err != nil {
			t.Errorf("%s: %v %s", c.name, err, lines(l.Findings))
			continue
		}
		replaced := func(s string, pairs []string) string {
			for i := 0; i < len(pairs); i += 2 {
				s = strings.Replace(s, pairs[i], pairs[i+1], 1)
			}
			return s
		}
		if got, want := read(t, f.Path()), replaced(twoPlaces, c.file); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, want)
		}
		if got, want := read(t, f.secretsPath()), replaced(twoSecrets, c.secrets); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, want)
		}
		want, s, _ := apply(before.Config, before.Secrets, c.changes)
		if again := load(t, f); !equal(again.Config, want) || !again.Secrets.Equal(s) {
			t.Errorf("%s: loads as something else", c.name)
		}
	}
}

// TestARemovedTransferTakesItsPasswordAlong, in whatever layout the secrets are.
func TestARemovedTransferTakesItsPasswordAlong(t *testing.T) {
	const rest = `[{name: web, kind: http, url: "https://web.example/up", auth: basic, username: u}]`
	file := strings.NewReplacer("  # in the cellar\n", "", "   # the box", "", "   # asked for", "").Replace(twoPlaces)
	changes := []Change{{"transfers", rest}, {"triggers.yard.transfer", "none"}}
	for secrets, want := range map[string]string{
		twoSecrets: "smtp: {password: hush}\ntransfers:\n  # the cellar's\n  web: {password: two}\n",
		"transfers: {nas: {password: one}, web: {password: two}}\n":          "transfers: {web: {password: two}}\n",
		"transfers: {web: {password: two}, nas: {password: one}}\n":          "transfers: {web: {password: two}}\n",
		"transfers:\n  nas:\n    password: one\nsmtp:\n  password: hush\n":   "transfers:\nsmtp:\n  password: hush\n",
		"transfers:\n  web:\n    password: two\n  'nas': {password: one}":    "transfers:\n  web:\n    password: two\n",
		"smtp: {password: hush}\r\ntransfers:\r\n  nas: {password: one}\r\n": "smtp: {password: hush}\r\ntransfers:\r\n",
		"smtp: {password: hush}\n":                                           "smtp: {password: hush}\n",
	} {
		f := made(t, file, secrets)
		l, err := f.Save(changes)
		if err != nil {
			t.Errorf("%q: %v %s", secrets, err, lines(l.Findings))
			continue
		}
		if got := read(t, f.secretsPath()); got != want {
			t.Errorf("%q became %q, want %q", secrets, got, want)
		}
		if again := load(t, f); again.Secrets.Transfers["nas"] != "" || strings.Contains(lines(again.Findings), "belongs") {
			t.Errorf("%q: it is still there", secrets)
		}
	}
}

// TestANewTransferWithItsPassword is added in one go.
func TestANewTransferWithItsPassword(t *testing.T) {
	f := made(t, "version: 1\n", "")
	_, err := f.Save([]Change{{"transfers", `[{name: nas, kind: ftp, server: nas.local, username: u}]`}, {"transfers.nas.password", "one: #x"}})
	if err != nil {
		t.Fatal(err)
	}
	l := load(t, f)
	if len(l.Findings) > 0 || l.Secrets.Transfers["nas"] != "one: #x" || strings.Contains(read(t, f.Path()), "one") {
		t.Errorf("%s\n%s", lines(l.Findings), read(t, f.Path()))
	}
	if l, err := f.Save([]Change{{"transfers.web.password", "x"}}); !errors.Is(err, ErrRefused) || !strings.Contains(lines(l.Findings), "no transfer called") {
		t.Errorf("a password of no transfer: %v", err)
	}
}

// TestARenamedTransferLeavesNoOtherPasswordBehind: one that stood there unused is not taken over.
func TestARenamedTransferLeavesNoOtherPasswordBehind(t *testing.T) {
	for secrets, want := range map[string]string{
		"transfers: {nas: {password: one}, box: {password: old}}\n": "one",
		"transfers: {box: {password: old}}\n":                       "",
	} {
		f := made(t, twoPlaces, secrets)
		if l, err := f.Save([]Change{{"transfers.nas.name", "box"}}); err != nil || l.Secrets.Transfers["box"] != want {
			t.Errorf("%q: %v", secrets, err)
		}
		if l := load(t, f); l.Secrets.Transfers["box"] != want || len(l.Secrets.Transfers) > 1 {
			t.Errorf("%q loads with another password", secrets)
		}
	}
}

func TestBadTransferFiles(t *testing.T) {
	for _, c := range []struct{ file, secrets, want string }{
		{"transfers:\n- name: nas\n  kind: ftp\n  server: nas.local\n  password: hush\n", "", "watchpost.yaml:5: transfers.nas.password: This is a secret: it belongs in secrets.yaml beside this file: transfers: {nas: {password: …}}."},
		{"transfers:\n- name: nas\n  kidn: ftp\n", "", "watchpost.yaml:2: transfers.nas.kind: A transfer needs a kind.\nwatchpost.yaml:3: transfers.nas.kidn: There is no such key. Is kind meant?"},
		{"transfers: {nas: {kind: ftp}}\n", "", "watchpost.yaml:1: transfers: Transfers are a list: - {name: nas, kind: sftp, server: nas.example.net}."},
		{"triggers:\n- name: yard\n  transfer: box\n", "", "watchpost.yaml:3: triggers.yard.transfer: There is no transfer called \"box\"."},
		{"version: 1\n", "transfers:\n  hush: {password: hush}\n", "secrets.yaml:2: transfers: warning: This is the password of a transfer that the configuration does not have: it is not used."},
		{"version: 1\n", "transfers: [{name: nas, password: hush}]\n", "secrets.yaml:1: transfers: This is no secret: it belongs in the configuration file."},
		{"version: 1\n", "transfers: {hush/hush: {password: x}}\n", "secrets.yaml:1: transfers: This is not right (not a name): the file holds transfers: {NAME: {password: \"…\"}}, in quotes."},
		{"version: 1\n", "transfers:\n  nas: hush\n", "secrets.yaml:2: transfers: This is not right (not a map): the file holds transfers: {NAME: {password: \"…\"}}, in quotes."},
		{"version: 1\n", "transfers:\n  hush: {pasword: hush}\n", "secrets.yaml:2: transfers: This is not right (unknown key): the file holds transfers: {NAME: {password: \"…\"}}, in quotes."},
		{"version: 1\n", "transfers:\n  hush: {password: hush, kind: ftp}\n", "secrets.yaml:2: transfers: This is no secret: it belongs in the configuration file."},
		{"transfers:\n- {name: nas, kind: ftp, server: nas.local, username: u}\n", "transfers:\n  nas: {password: \"a\\u0001b\"}\n", "secrets.yaml:2: transfers.nas.password: There is a control character or a line break in it."},
		{"version: 1\n", "triggers: {yard: {password: hush}}\n", "secrets.yaml:1: triggers: This is no secret: it belongs in the configuration file."},
	} {
		if got := lines(load(t, made(t, c.file, c.secrets)).Findings); got != c.want {
			t.Errorf("%q %q:\n got %s\nwant %s", c.file, c.secrets, got, c.want)
		}
	}
}

// TestDraftOfTransfers: a name that is typed is the transfer's when it is saved, not before.
func TestDraftOfTransfers(t *testing.T) {
	f := made(t, twoPlaces, twoSecrets)
	l := load(t, f)
	base := Settings{Config: l.Config, Revision: l.Revision, Secrets: l.Secrets.Set(l.Config)}
	d := NewDraft(base)
	if !d.SecretSet("transfers.1.password") || d.Raw("transfers.nas.password") != "" || d.Raw("transfers.1.server") != "nas.local" {
		t.Error("a transfer by its number")
	}
	d.Set("transfers.nas.name", "box")
	d.Set("transfers.nas.username", "")
	if v := d.Verdict("transfers.nas.username"); v.Level != Warning || v.Short != "needed" {
		t.Errorf("a rule at a field of a transfer that is being renamed: %+v", v)
	}
	if v := d.Verdict("transfers.nas.password"); v.Level != OK {
		t.Errorf("its password goes along: %+v", v)
	}
	if v := d.Verdict("triggers.yard.transfer"); v.Blocks() {
		t.Errorf("its trigger follows: %+v", v)
	}
	d.Set("transfers.nas.name", "WEB")
	if v := d.Verdict("transfers.web.name"); v.Short != "name comes twice" {
		t.Errorf("%+v", v)
	}
	if _, blocked := d.Blocking(); !blocked {
		t.Error("two of a name do not block")
	}
	d.Set("transfers.nas.name", "box")
	if x, blocked := d.Blocking(); blocked {
		t.Fatalf("%+v", x)
	}
	saved, err := f.Save(d.Changes())
	if err != nil {
		t.Fatal(err, lines(saved.Findings))
	}
	if saved.Config.Triggers[0].Transfer != "box" || saved.Secrets.Transfers["box"] != "one" {
		t.Errorf("%+v", saved.Config.Triggers[0])
	}
	if got := d.Rebase(Settings{Config: saved.Config, Revision: saved.Revision, Secrets: saved.Secrets.Set(saved.Config)}); len(got) > 0 || d.Changed("") {
		t.Errorf("after its own save: conflicts %q, changes %q", got, d.Changes())
	}

	d = NewDraft(base)
	d.Clear("transfers.web.password")
	if v := d.Verdict("transfers.web.password"); v.Level != Warning || v.Short != "no password" || d.SecretSet("transfers.web.password") {
		t.Errorf("%+v", v)
	}
	if got := d.Changes(); !reflect.DeepEqual(got, []Change{{"transfers.web.password", ""}}) {
		t.Errorf("%q", got)
	}
	if v := d.Verdict("transfers.gone.port"); v.Short != "no such transfer" {
		t.Errorf("%+v", v)
	}

	d = NewDraft(base) // one more, with a password, called something else at once
	d.Set("transfers", d.Raw("transfers")[:len(d.Raw("transfers"))-1]+", {name: new, kind: ftp, server: nas.local, username: u}]")
	d.Set("transfers.new.password", "three")
	d.Set("transfers.new.name", "newer")
	if v := d.Verdict("transfers.new.password"); v.Level != OK {
		t.Errorf("%+v", v)
	}
	c, s, found := PatchFor(l.Config, l.Secrets, d.Changes())
	if hasErrors(found) || len(c.Transfers) != 3 || c.Transfers[2].Name != "newer" || s.Transfers["newer"] != "three" || s.Transfers["nas"] != "one" {
		t.Errorf("%s %+v", lines(found), c.Transfers)
	}
}

// TestChangesDoNotShareSecrets: the secrets in force stay as they are.
func TestChangesDoNotShareSecrets(t *testing.T) {
	l := load(t, made(t, twoPlaces, twoSecrets))
	c, s, _ := PatchFor(l.Config, l.Secrets, []Change{{"transfers.nas.password", "x"}, {"transfers.web.name", "cloud"}, {"transfers.web.headers", "{A: b}"}})
	c.Transfers[1].Headers["A"] = "c"
	if l.Secrets.Transfers["nas"] != "one" || l.Secrets.Transfers["web"] != "two" || s.Transfers["cloud"] != "two" || l.Config.Transfers[1].Headers != nil {
		t.Error("changed in what it came from")
	}
}

func TestTransferSecretsAreNotPrinted(t *testing.T) {
	if got := (Change{"transfers.nas.password", "hush"}).String(); strings.Contains(got, "hush") {
		t.Error(got)
	}
	for _, key := range []string{"transfers.nas.password", "transfers.3.password"} {
		if f, ok := Lookup(key); !ok || !f.Secret {
			t.Errorf("%s is no secret", key)
		}
	}
}

// TestItemsGoAndComeWithoutALossElsewhere: of a whole list only what changes is
// written, as people lay lists out.
func TestItemsGoAndComeWithoutALossElsewhere(t *testing.T) {
	const (
		flow  = "triggers: [{name: a, threshold: 1},   # one\n  {name: b},   # two\n  {name: c}]   # end\n"
		mixed = "triggers:\n  # first\n  - name: a   # one\n    # its level\n    threshold: 1\n  # second\n  - {name: b}   # two\n\n  - name: c\n    zones:   # where\n      - [0, 0, 50, 50]\n# end\n"
	)
	a, b, c := "{name: a, threshold: 1}", "{name: b}", "{name: c, zones: [[0, 0, 50, 50]]}"
	for _, x := range []struct{ text, value, old, new string }{
		{flow, "[" + a + ", {name: b}, {name: c}, {name: d, notify: no}]", "{name: c}]", "{name: c}, {name: d, source: motion, notify: false}]"},
		{flow, "[" + a + ", {name: c}]", "  {name: b},   # two\n", ""},
		{flow, "[{name: b}, {name: c}]", "{name: a, threshold: 1},   # one", "   # one"},
		{mixed, "[" + a + "," + b + "," + c + ", {name: d, post: 1s}]", "      - [0, 0, 50, 50]\n", "      - [0, 0, 50, 50]\n  - name: d\n    source: motion\n    post: 1s\n"},
		{mixed, "[" + a + "," + c + "]", "  - {name: b}   # two\n", ""},
		{mixed, "[" + b + "," + c + "]", "  - name: a   # one\n    # its level\n    threshold: 1\n", ""},
		{mixed, "[" + a + "," + b + ", {name: d}, {name: e}]", "  - name: c\n    zones:   # where\n      - [0, 0, 50, 50]\n", "  - name: d\n    source: motion\n  - name: e\n    source: motion\n"},
		{strings.TrimSuffix(mixed, "\n# end\n"), "[" + a + "," + b + "," + c + ", {name: d}]", "[0, 0, 50, 50]", "[0, 0, 50, 50]\n  - name: d\n    source: motion\n"},
		{twoPlaces, "", "", ""}, // see below: refused
		{mixed, "[" + b + "," + a + "," + c + "]", "", ""},
		{mixed, "[{name: a}," + b + "," + c + "]", "", ""},
	} {
		f := made(t, x.text, "")
		l, err := f.Save([]Change{{"triggers", x.value}})
		if x.old == "" {
			if err == nil || !strings.Contains(err.Error(), "comments inside triggers would be lost") {
				t.Errorf("%s: %v", x.value, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q to %s: %v %s", x.text, x.value, err, lines(l.Findings))
			continue
		}
		if got, want := read(t, f.Path()), strings.Replace(x.text, x.old, x.new, 1); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", x.value, got, want)
		}
	}
}

// A token in a header or in a URL stands in the file and in every backup of it: that
// is told.
func TestTokensOutsideTheSecrets(t *testing.T) {
	for raw, want := range map[string]string{
		"{X-Camera: gate3}":      "",
		"{X-Api-Key: abc}":       "can be read",
		"{x-auth-token: abc}":    "can be read",
		"{Cookie: session=1}":    "can be read",
		"{X-Client-Secret: abc}": "can be read",
		"{X-Monkey: abc}":        "",
	} {
		f, _ := Lookup("transfers.nas.headers")
		if v := f.Check(raw); v.Blocks() || (v.Level == Warning) != (want != "") || want != "" && v.Short != want {
			t.Errorf("%s: %+v", raw, v)
		}
	}
	for raw, want := range map[string]string{
		"https://nas.example.net/up?camera=3":     "TLS",
		"https://nas.example.net/up?token=abc":    "token in the URL",
		"https://nas.example.net/up?a=1&api_key=": "token in the URL",
	} {
		f, _ := Lookup("transfers.nas.url")
		if v := f.Check(raw); v.Blocks() || v.Short != want {
			t.Errorf("%s: %+v", raw, v)
		}
	}
}
