package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/need"
)

// broken is a file in force as example, then edited by hand: the port is wrong
// and the mail would go elsewhere.
func broken(t *testing.T) (f *File, edited string) {
	t.Helper()
	f = made(t, example, exampleSecrets)
	load(t, f)
	if err := f.MarkGood(); err != nil {
		t.Fatal(err)
	}
	edited = strings.NewReplacer("587", "many", "guard@", "wrong-party@").Replace(example)
	replace(t, f.Path(), edited)
	return f, edited
}

func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSaveOnABrokenFileSavesWhatWasSeen: what runs and what is shown is the last good copy.
func TestSaveOnABrokenFileSavesWhatWasSeen(t *testing.T) {
	f, edited := broken(t)
	if _, err := f.Save([]Change{{"smtp.port", "465"}}); !errors.Is(err, ErrConflict) {
		t.Fatalf("a hand edit since the last load: %v", err)
	}
	if !hasErrors(load(t, f).Findings) {
		t.Fatal("no error")
	}
	l, err := f.Save([]Change{{"smtp.port", "0"}})
	if !errors.Is(err, ErrRefused) || !strings.HasSuffix(lines(l.Findings), ": smtp.port: A whole number from 1 to 65535.") || read(t, f.Path()) != edited {
		t.Errorf("refused: %v %s", err, lines(l.Findings))
	}
	if _, err := os.Stat(f.Path() + ".broken"); err == nil {
		t.Error("what is refused sets nothing aside")
	}
	l, err = f.Save([]Change{{"smtp.port", "465"}})
	if err != nil || read(t, f.Path()) != strings.Replace(example, "587", "465", 1) || l.Config.Mail.Destinations[0] != "guard@example.net" {
		t.Errorf("%v\n%s", err, read(t, f.Path()))
	}
	want := "watchpost.yaml: warning: This was not in force: it is set aside as " + f.Path() + ".broken."
	if lines(l.Findings) != want {
		t.Errorf(" got %s\nwant %s", lines(l.Findings), want)
	}
	if read(t, f.Path()+".broken") != edited || read(t, f.secretsPath()) != exampleSecrets {
		t.Error("the broken file is not kept, or the secrets were touched")
	}
	if st, _ := os.Stat(f.Path() + ".broken"); st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", st.Mode())
	}
	if again := load(t, f); len(again.Findings) > 0 || again.Revision != l.Revision {
		t.Errorf("%s", lines(again.Findings))
	}
	replace(t, f.Path(), "smtp: {\n")
	load(t, f)
	if _, err := f.Save([]Change{{"smtp.port", "465"}}); err != nil || read(t, f.Path()+".broken") != "smtp: {\n" {
		t.Errorf("the next broken one takes its place: %v", err)
	}
}

// TestAnyBrokenFileIsRepairedBySaving has no last good copy.
func TestAnyBrokenFileIsRepairedBySaving(t *testing.T) {
	for _, text := range []string{"smtp: {port: many}\n", "smtp: {sever: x}\n", "version: 1\n\t{{{\n", "smtp:\n  port: 25\n  port: 587\n", "\xff\xfe", strings.Repeat("# much\n", 200_000),
		"smtp: {server: mail.example.net, security: none, username: u}\n"} { // the last with the password: in clear
		f := made(t, text, exampleSecrets)
		load(t, f)
		l, err := f.Save([]Change{{"smtp.server", "mail.example.org"}, {"smtp.port", "465"}})
		if err != nil || read(t, f.Path()) != "version: 1\nsmtp:\n  server: mail.example.org\n  port: 465\n" || l.Secrets.SMTPPassword != "hush" {
			t.Errorf("%.40q: %v %s\n%s", text, err, lines(l.Findings), read(t, f.Path()))
		}
		if read(t, f.Path()+".broken") != text {
			t.Errorf("%.40q: not kept", text)
		}
	}
}

func TestSaveOnBrokenSecrets(t *testing.T) {
	f := made(t, example, exampleSecrets)
	load(t, f)
	if err := f.MarkGood(); err != nil {
		t.Fatal(err)
	}
	replace(t, f.secretsPath(), "smtp: {password: !hush}\n")
	load(t, f)
	if l, err := f.Save([]Change{{"site.name", "Gate 4"}}); err != nil || l.Secrets.SMTPPassword != "hush" || !strings.HasPrefix(lines(l.Findings), "secrets.yaml: warning: This was not in force") {
		t.Errorf("%v %s", err, lines(l.Findings))
	}
	if read(t, f.secretsPath()) != exampleSecrets || read(t, f.secretsPath()+".broken") != "smtp: {password: !hush}\n" {
		t.Error("the good secrets are not back, or the broken ones not kept")
	}
	if _, err := os.Stat(f.Path() + ".broken"); err == nil {
		t.Error("the configuration was in force: there is nothing to set aside")
	}
}

func TestRevertKeepsABrokenFile(t *testing.T) {
	f, edited := broken(t)
	l, err := f.Revert()
	if err != nil || read(t, f.Path()) != example || read(t, f.Path()+".broken") != edited || !strings.Contains(lines(l.Findings), "set aside") {
		t.Errorf("%v %s", err, lines(l.Findings))
	}
}

// TestUnreadableIsAFinding puts in a file's place what nobody can read, root neither.
func TestUnreadableIsAFinding(t *testing.T) {
	for kind, put := range map[string]func(path string) error{
		"not a file":  func(path string) error { return os.Mkdir(path, 0o700) },
		"not a file ": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"permission denied": func(path string) error {
			if os.Geteuid() == 0 { // who may read everything: a folder again
				return os.Mkdir(path, 0o700)
			}
			return os.WriteFile(path, []byte("x"), 0)
		},
		"too many levels of symbolic links": func(path string) error { return os.Symlink(filepath.Base(path), path) },
	} {
		for _, secrets := range []bool{false, true} {
			f := made(t, example, exampleSecrets)
			load(t, f)
			if err := f.MarkGood(); err != nil {
				t.Fatal(err)
			}
			path := f.Path()
			if secrets {
				path = f.secretsPath()
			}
			if err := errors.Join(os.Remove(path), put(path)); err != nil {
				t.Fatal(err)
			}
			l := load(t, f)
			if kind == "permission denied" && os.Geteuid() == 0 {
				kind = "not a file"
			}
			if want := fmt.Sprintf("%s: This cannot be read (%s): ", filepath.Base(path), strings.TrimSpace(kind)); !strings.Contains(lines(l.Findings), want) || l.Revision == "" || !hasErrors(l.Findings) {
				t.Errorf("%s, revision %q", lines(l.Findings), l.Revision)
			}
			if good, ok := f.LoadGood(); !ok || good.Config.Site.Name != "Gate 3" || good.Secrets.SMTPPassword != "hush" {
				t.Errorf("%s: there is no last good copy", kind)
			}
			if f.MarkGood() == nil {
				t.Errorf("%s: kept as good", kind)
			}
			l, err := f.Save([]Change{{"site.name", "Gate 4"}})
			if err != nil || l.Config.SMTP.Server != "mail.example.net" || l.Secrets.SMTPPassword != "hush" || len(load(t, f).Findings) > 0 {
				t.Errorf("%s: %v %s", kind, err, lines(l.Findings))
			}
			if _, err := os.Lstat(path + ".broken"); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
	if v := unreadable(&os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}); v.Text != "This cannot be read (permission denied): give it to the user that watchpost runs as." {
		t.Error(v.Text)
	}
}

// TestUnreadableWithoutAGoodCopy begins anew, also where the new file is empty.
func TestUnreadableWithoutAGoodCopy(t *testing.T) {
	f := made(t, "", "")
	for _, path := range []string{f.Path(), f.secretsPath()} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	load(t, f)
	if l, err := f.Save(nil); err != nil || len(l.Findings) != 2 || len(load(t, f).Findings) > 0 {
		t.Errorf("%v %s", err, lines(l.Findings))
	}
}

// TestSecretsAreNeverQuoted has a password in every place where it can fall.
func TestSecretsAreNeverQuoted(t *testing.T) {
	const p = "hunter2"
	for _, text := range []string{
		p, p + ": x\n", p + ".port: x\n", "smtp.hunter2: x\n", "smtp: {hunter2: x}\n", "smtp:\n  hunter2:\n    password: x\n", "smtp: hunter2\n", "smtp: [hunter2]\n", "- hunter2\n",
		"smtp: {password: !hunter2}\n", "smtp: {password: !!hunter2 x}\n", "smtp: {password: !hunter2 hunter2}\n", "smtp: {password: !<hunter2> x}\n", "!hunter2 smtp: {}\n", "!hunter2\nsmtp: {}\n", "%TAG ! hunter2\n---\na: !b c\n", "%hunter2\n---\n", "%YAML hunter2\n---\n",
		"smtp: {password: &hunter2}\n", "smtp: {password: &hunter2 x}\n", "smtp: {password: *hunter2}\n", "a: &hunter2 {}\nsmtp: *hunter2\n", "<<: hunter2\n", "<<: *hunter2\n", "smtp: {<<: {hunter2: 1}}\n",
		"smtp: {password: #hunter2}\n", "smtp:\n  password: #hunter2\n x: y\n", "#hunter2\n\tx\n", "smtp: {password: @hunter2}\n", "smtp: {password: `hunter2}\n", "smtp: {password: %hunter2}\n", "smtp: {password: \"hunter2}\n", "smtp: {password: 'hunter2}\n",
		"smtp: {password: \"\\hunter2\"}\n", "smtp: {password: \"hunter2\\n\"}\n", "smtp: {password: \"hunter2 \"}\n", "smtp: {password: [hunter2]}\n", "smtp: {password: {hunter2: hunter2}}\n", "smtp: {password: hunter2: x}\n", "smtp: {password: |hunter2}\n", "smtp:\n  password: |hunter2\n", "smtp:\n  password: >2hunter2\n    x\n",
		"smtp:\n\tpassword: hunter2\n", "smtp:\n  password: hunter2\n hunter2: x\n", "smtp:\n  password: x\n   hunter2\n", "  hunter2\nsmtp: x\n", "? hunter2\n", "? [hunter2]\n: x\n", "? {hunter2: x}\n", "hunter2:hunter2\nx: y\n",
		"smtp: {password: hunter2\xff}\n", "\xffhunter2: x\n", "smtp: {password: hunter2\x00}\n", "smtp: {password: !hunter2\u2028}\n", "hunter2: x\nhunter2: y\n", "smtp: {password: hunter2, password: hunter2}\n", "smtp: {}\n---\nhunter2\n", "smtp: {port: hunter2}\n", "mail: {destinations: [hunter2]}\n", "mail: {destinations: {hunter2: hunter2}}\n",
		"triggers: hunter2\n", "triggers: [{name: hunter2, source: hunter2, hunter2: x}]\n", "hunter2: &x [*x]\n", "smtp: {password: " + strings.Repeat(p, 2000) + "}\n", "serial: [{hunter2: x}]\n", "transfers: [{name: hunter2}]\n", "username: hunter2\npasswrd: hunter2\n", "smtp: {pasword: hunter2}\n",
	} {
		f := made(t, example, text)
		l := load(t, f)
		for _, x := range l.Findings {
			if strings.Contains(fmt.Sprintf("%s %+v", x, x), p) {
				t.Errorf("%q: %+v", text, x)
			}
		}
		if len(l.Findings) == 0 && l.Secrets.SMTPPassword == "" && !strings.Contains(text, "#") && !strings.HasPrefix(text, "%") {
			t.Errorf("%q: nothing is wrong", text)
		}
		l, err := f.Save([]Change{{"site.name", "x"}})
		for _, x := range l.Findings {
			if strings.Contains(x.String(), p) {
				t.Errorf("saving on %q: %s", text, x)
			}
		}
		if err != nil {
			t.Errorf("saving on %q: %v", text, err)
		}
	}
	l := load(t, made(t, "", "smtp:\n  password: !hunter2\n"))
	if want := `secrets.yaml:2: This is not right (tag): the file holds smtp: {password: "…"}, in quotes.`; lines(l.Findings) != want {
		t.Errorf(" got %s\nwant %s", lines(l.Findings), want)
	}
}

func FuzzSecretsAreNeverQuoted(f *testing.F) {
	for _, s := range []string{"smtp: {password: %}", "smtp: {password: !%}", "%: x", "smtp: {%: 1}", "&% x", "a: *%", "\"%", "<<: %", "? %", "- %"} {
		f.Add(s)
	}
	file := Open(filepath.Join(f.TempDir(), "watchpost.yaml"))
	f.Fuzz(func(t *testing.T, text string) {
		l, _ := file.judge(content{secrets: []byte(strings.ReplaceAll(text, "%", "hunter2"))})
		for _, x := range l.Findings {
			if strings.Contains(x.String(), "hunter2") {
				t.Errorf("%q: %s", text, x)
			}
		}
	})
}

func TestStampFollowsBothFiles(t *testing.T) {
	f := made(t, "", "")
	if f.Stamp() != "/" {
		t.Errorf("of nothing %q", f.Stamp())
	}
	last := f.Stamp()
	changed := func(what string) {
		t.Helper()
		if now := f.Stamp(); now == last {
			t.Errorf("%s: still %s", what, now)
		} else if last = now; f.Stamp() != now {
			t.Errorf("%s: it changes by itself", what)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	replace(t, f.Path(), example)
	changed("written")
	replace(t, f.secretsPath(), exampleSecrets)
	changed("secrets")
	must(os.Chtimes(f.secretsPath(), time.Time{}, time.Unix(1, 1)))
	changed("touched")
	must(os.Chmod(f.Path(), 0o444))
	changed("made readable")
	st, err := os.Stat(f.secretsPath())
	must(err)
	replace(t, f.secretsPath()+"2", exampleSecrets)
	must(os.Chtimes(f.secretsPath()+"2", time.Time{}, st.ModTime()))
	must(os.Rename(f.secretsPath()+"2", f.secretsPath()))
	changed("replaced by one of the same size and time")
	must(os.Remove(f.secretsPath()))
	changed("removed")
}

// TestRootsLockIsTheServicesToo: root edits the file of a service that has a user of its own.
func TestRootsLockIsTheServicesToo(t *testing.T) {
	need.Root(t, "it gives a folder to another user")
	f := made(t, example, "")
	const user = 65534
	if err := os.Chown(filepath.Dir(f.Path()), user, user); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Save([]Change{{"site.name", "x"}}); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(f.beside(".lock"))
	if err != nil || st.Sys().(*syscall.Stat_t).Uid != user {
		t.Errorf("the service cannot lock its file: %v", err)
	}
}

// TestStaleCopyIsNotBuiltOn: where the copy of what is in force could not be kept
// (here since its name is too long), a save over a broken file is refused; the
// copy that there is says something else than was seen.
func TestStaleCopyIsNotBuiltOn(t *testing.T) {
	f := Open(filepath.Join(t.TempDir(), strings.Repeat("x", 249))) // .good fits into a name, .good-1 does not
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(f.Path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		load(t, f)
	}
	write("site: {name: A}\n")
	if err := f.MarkGood(); err != nil {
		t.Fatal(err)
	}
	write("site: {name: B}\n") // in force from here on
	if err := f.MarkGood(); err == nil {
		t.Fatal("the copy was kept under an impossible name")
	}
	write("site: {nome: C}\n")
	if l, err := f.Save([]Change{{"mail.subject", "Hello"}}); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("saved on a stale copy: %v %s", err, lines(l.Findings))
	}
	if got := read(t, f.Path()); got != "site: {nome: C}\n" {
		t.Errorf("the file is now %q", got)
	}
}
