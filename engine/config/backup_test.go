package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var madeAt = time.Date(2026, 11, 24, 20, 51, 0, 0, time.FixedZone("", 3600))

// backedUp makes a backup and reads it.
func backedUp(t *testing.T, f *File, secrets bool) ([]byte, Backup) {
	t.Helper()
	data, found, err := f.Backup(secrets, "9.9", madeAt)
	if err != nil {
		t.Fatal(err, lines(found))
	}
	b, err := ReadBackup("gate3.json", data)
	if err != nil {
		t.Fatal(err)
	}
	return data, b
}

func preview(t *testing.T, f *File, b Backup) (string, Preview) {
	t.Helper()
	p, err := f.Preview(b)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range p.Differences {
		all = append(all, d.String())
	}
	return strings.Join(all, "\n"), p
}

// What a backup holds is put back byte for byte, comments and all, and what was
// there can be returned to.
func TestBackupRoundtrip(t *testing.T) {
	const odd = "# ä \u2027 <tag> & \\ \" \t 😀 \r\nversion: 1\r\nsite: {name: \"\\u0041 ü\"}\n"
	const oddSecrets = "# not \"hush\"\nsmtp: {password: \"a: #b\\\\ 😀\"}\n"
	for _, c := range []struct{ config, secrets string }{
		{example, exampleSecrets}, {odd, oddSecrets}, {example, ""}, {"# nothing yet\n", ""},
	} {
		from := made(t, c.config, c.secrets)
		_, b := backedUp(t, from, true)
		to := made(t, "site: {name: Other}\n", "smtp: {password: other}\n")
		if _, err := to.Restore(b); err != nil {
			t.Fatal(err)
		}
		if got := read(t, to.Path()); got != c.config {
			t.Errorf("the configuration came back as %q", got)
		}
		if got := read(t, to.secretsPath()); got != c.secrets {
			t.Errorf("the secrets came back as %q", got)
		}
		if st, err := os.Stat(to.secretsPath()); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("secrets: %v %v", st.Mode(), err)
		}
		if l, err := to.Revert(); err != nil || l.Config.Site.Name != "Other" || l.Secrets.SMTPPassword != "other" {
			t.Errorf("what was there is not returned to: %+v %v", l.Config.Site, err)
		}
	}
}

// Without secrets in the backup those of the box stay, and none is in the file.
func TestBackupWithoutSecrets(t *testing.T) {
	data, b := backedUp(t, made(t, example, exampleSecrets), false)
	if bytes.Contains(data, []byte("hush")) || b.HasSecrets() {
		t.Errorf("the backup has the secrets:\n%s", data)
	}
	to := made(t, "site: {name: Other}\n", "smtp: {password: own}\n")
	if l, err := to.Restore(b); err != nil || l.Config.Site.Name != "Gate 3" || l.Secrets.SMTPPassword != "own" {
		t.Errorf("%+v %v", l.Config.Site, err)
	}
	if got := read(t, to.secretsPath()); got != "smtp: {password: own}\n" {
		t.Errorf("secrets.yaml: %q", got)
	}
}

// A box without a configuration has a backup too; restored on one that is set up
// it leaves a file, since an empty one would be taken for an accident.
func TestBackupOfNothing(t *testing.T) {
	f := Open(filepath.Join(t.TempDir(), "none", "watchpost.yaml"))
	_, b := backedUp(t, f, true)
	if _, p := preview(t, f, b); !p.Same {
		t.Errorf("nothing differs from nothing: %+v", p)
	}
	if _, err := os.Stat(filepath.Dir(f.Path())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a backup made the folder: %v", err)
	}
	to := made(t, example, exampleSecrets)
	l, err := to.Restore(b)
	if err != nil || !equal(l.Config, Default()) || l.Secrets.SMTPPassword != "" {
		t.Errorf("%+v %v", l.Config, err)
	}
	if got := read(t, to.Path()); got != "version: 1\n" {
		t.Errorf("%q", got)
	}
}

// A preview tells what changes, of secrets only what becomes of them.
func TestPreview(t *testing.T) {
	from := made(t, `smtp: {server: mail.example.org, port: 465, username: gate3}
mail: {reply_address: gate3@example.org, destinations: [a@example.org, b@example.org]}
triggers:
  - {name: gate, source: manual}
  - {name: yard, source: motion, threshold: 7, transfer: nas}
transfers: [{name: nas, kind: ftp, server: nas.example.org, username: box}, {name: web, kind: http, url: "https://example.org/up"}]
`, "smtp: {password: hush2}\ntransfers: {nas: {password: sesame}, web: {password: token1}}\n")
	to := made(t, `smtp: {server: mail.example.net, port: 465, username: gate3}
mail: {reply_address: gate3@example.org, destinations: [a@example.org]}
triggers:
  - {name: yard, source: motion}
  - {name: bell, source: manual}
  - {name: gate, source: manual}
transfers: [{name: web, kind: http, url: "https://example.org/up"}, {name: old, kind: http, url: "https://example.org/old"}]
`, "smtp: {password: hush1}\ntransfers: {web: {password: token1}, old: {password: oldone}}\n")
	_, b := backedUp(t, from, true)
	got, p := preview(t, to, b)
	want := `smtp.server: mail.example.net -> mail.example.org
smtp.password: changed
mail.destinations: a@example.org -> a@example.org, b@example.org
triggers.bell: removed: {name: bell, source: manual}
triggers.yard.threshold: 5 -> 7
triggers.yard.transfer: none -> nas
triggers: yard, gate -> gate, yard
transfers.old: removed: {name: old, kind: http, url: 'https://example.org/old'}
transfers.old.password: removed
transfers.nas: added: {name: nas, kind: ftp, server: nas.example.org, username: box}
transfers.nas.password: set`
	if got != want {
		t.Errorf("the preview:\n%s\nwant:\n%s", got, want)
	}
	for _, secret := range []string{"hush", "sesame", "token1", "oldone"} {
		if strings.Contains(fmt.Sprintf("%+v %#v", p, p), secret) {
			t.Errorf("%s is in the preview", secret)
		}
	}
	if text, _ := preview(t, from, b); text != "" {
		t.Errorf("a box differs from its own backup: %s", text)
	}
	_, b = backedUp(t, from, false)
	if text, _ := preview(t, to, b); strings.Contains(text, "smtp.password") || strings.Contains(text, "nas.password") {
		t.Errorf("secrets that stay are told as changed:\n%s", text)
	}
}

// A backup whose configuration does not validate is refused with the findings that
// check gives, by its own name; nothing is written.
func TestBackupThatDoesNotValidate(t *testing.T) {
	broken := made(t, "version: 1\nsmtp:\n  port: many\n", "")
	data, found, err := broken.Backup(false, "9.9", madeAt)
	if data != nil || !errors.Is(err, ErrRefused) || len(found) != 1 || found[0].Line != 3 {
		t.Errorf("a file with errors was backed up: %s %v %v", data, found, err)
	}
	e := envelope{Format: 1, Made: madeAt, Config: "version: 1\nsmtp:\n  port: many\n"}
	e.SHA256 = e.sum()
	b := Backup{name: "gate3.json", config: e.Config}
	to := made(t, example, exampleSecrets)
	_, p := preview(t, to, b)
	l, err := to.Restore(b)
	if !errors.Is(err, ErrRefused) || lines(l.Findings) != lines(p.Findings) || !strings.HasPrefix(lines(l.Findings), "gate3.json config:3: smtp.port: ") {
		t.Errorf("%v %s", err, lines(l.Findings))
	}
	if read(t, to.Path()) != example || read(t, to.secretsPath()) != exampleSecrets {
		t.Error("a refused backup changed the files")
	}
}

// What has errors was not in force: the preview compares with what is, and a
// restore sets it aside.
func TestRestoreOverErrors(t *testing.T) {
	to := made(t, example, exampleSecrets)
	load(t, to)
	if err := to.MarkGood(); err != nil {
		t.Fatal(err)
	}
	_, b := backedUp(t, to, false)
	if err := os.WriteFile(to.Path(), []byte("smtp: {port: many}\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if text, p := preview(t, to, b); text != "" || p.Same {
		t.Errorf("the preview compares with what is not in force: %s", text)
	}
	l, err := to.Restore(b)
	if err != nil || len(l.Findings) != 1 || l.Findings[0].Short != "set aside" || l.Secrets.SMTPPassword != "hush" {
		t.Errorf("%v %s", err, lines(l.Findings))
	}
	if read(t, to.Path()) != example || read(t, to.Path()+".broken") != "smtp: {port: many}\n" {
		t.Error("the files are not as they should be")
	}
}

// Between preview and restore another hand may save: then nothing is restored.
func TestRestoreConflict(t *testing.T) {
	_, b := backedUp(t, made(t, example, ""), false)
	to := made(t, "site: {name: Other}\n", "")
	preview(t, to, b)
	if _, err := Open(to.Path()).Save([]Change{{"site.name", "Third"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Restore(b); !errors.Is(err, ErrConflict) || load(t, to).Config.Site.Name != "Third" {
		t.Errorf("%v", err)
	}
}

// Any byte of a backup changed, left out or added: it is refused, or says the same.
func TestDamagedBackup(t *testing.T) {
	data, b := backedUp(t, made(t, example, exampleSecrets), true)
	refused, kept := 0, 0
	try := func(text []byte, what string, i int) {
		t.Helper()
		got, err := ReadBackup("gate3.json", text)
		switch {
		case err != nil:
			refused++
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("%s at %d: the refusal has a secret: %v", what, i, err)
			}
		case got.config != b.config || got.secrets == nil || *got.secrets != *b.secrets || got.Site != b.Site || !got.Made.Equal(b.Made) || got.Version != b.Version:
			t.Fatalf("%s at %d is taken for a backup that says something else", what, i)
		default:
			kept++
		}
	}
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			try(bad, "a flipped bit", i)
		}
		try(append(bytes.Clone(data[:i]), data[i+1:]...), "a missing byte", i)
		try(append(bytes.Clone(data[:i]), append([]byte{'x'}, data[i:]...)...), "a byte more", i)
		if _, err := ReadBackup("gate3.json", data[:i]); err == nil && i < len(data)-1 {
			t.Errorf("cut off after %d bytes it is taken", i)
		}
	}
	t.Logf("%d bytes: %d changes refused, %d make no difference", len(data), refused, kept)
	if kept > refused/50 {
		t.Errorf("%d changes of the layout are too many to be of the layout", kept)
	}
}

// What is no backup, too large, or of a later version: a clear refusal.
func TestNoBackup(t *testing.T) {
	data, _ := backedUp(t, made(t, example, ""), false)
	for _, c := range []struct{ text, says string }{
		{"", "no backup"}, {"{}", "no backup"}, {"null", "no backup"}, {"[1]", "no backup"}, {example, "no backup"}, {`{"watchpost_backup":"1"}`, "damaged"},
		{strings.Replace(string(data), `"watchpost_backup": 1`, `"watchpost_backup": 2, "more": true`, 1), "format 2"},
		{string(data) + "{}", "damaged"}, {`{"watchpost_backup":1}`, "damaged"},
		{strings.Repeat(" ", MaxBackup) + string(data), "more than"},
		{strings.Repeat("[", 100_000), "no backup"},
	} {
		if _, err := ReadBackup("gate3.json", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "gate3.json") {
			t.Errorf("%.40q: %v", c.text, err)
		}
	}
}
