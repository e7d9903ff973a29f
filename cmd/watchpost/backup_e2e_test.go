package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/config"
)

const backedUp = `# Gate 3, set up by Jo
version: 1
site: {name: Gate 3}   # by the road
camera: {source: "scene:"}
smtp: {server: mail.example.net, username: gate3}
mail: {reply_address: gate3@example.net, destinations: [guard@example.net]}
triggers: [{name: bell, source: manual}, {name: yard, source: manual, transfer: nas}]
transfers: [{name: nas, kind: http, url: "https://nas.example.net/up", username: camera, auth: basic}]
`

const backedUpSecrets = "smtp: {password: hunter2-one}\ntransfers: {nas: {password: hunter2-two}} # mine\n"

// box is a rig with the settings above.
func box(t *testing.T, yaml, secrets string) *rig {
	t.Helper()
	r := newRig(t, yaml)
	if secrets != "" {
		if err := os.WriteFile(filepath.Join(r.dir, "secrets.yaml"), []byte(secrets), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) text(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// backup makes a backup and returns its file. No command shows a secret.
func (r *rig) backup(flags ...string) string {
	r.t.Helper()
	file := filepath.Join(r.dir, "backup.json")
	out, errOut, code := r.run("", append(append([]string{"backup"}, flags...), file)...)
	if code != exitOK || strings.Contains(out+errOut, "hunter2") || strings.Count(out, "\n") != 1 {
		r.t.Fatalf("backup %v: %d %q %q", flags, code, out, errOut)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		r.t.Errorf("the backup: %v %v", st, err)
	}
	return file
}

// restore runs restore and fails where a secret is shown.
func (r *rig) restore(stdin string, words ...string) (out string, code int) {
	r.t.Helper()
	out, errOut, code := r.run(stdin, append([]string{"restore"}, words...)...)
	if strings.Contains(out+errOut, "hunter2") || code != exitOK && strings.Count(errOut, "\n") != 1 {
		r.t.Errorf("restore %v: %d %q %q", words, code, out, errOut)
	}
	return out + errOut, code
}

// The settings of one box on another, byte for byte, while its service is down and
// while it runs: then they are in force when restore returns.
func TestRestoreToAnotherBox(t *testing.T) {
	for _, running := range []bool{false, true} {
		from, to := box(t, backedUp, backedUpSecrets), box(t, "site: {name: Other}\ncamera: {source: \"scene:\"}\ntriggers: [{name: old, source: manual}]", "smtp: {password: hunter2-old}\n")
		want := from.text("watchpost.yaml")
		file := from.backup("--secrets")
		if running {
			from.serve().ready()
			to.serve().ready()
			file = from.backup("--secrets") // the same with the service
		}
		// Without --yes and a terminal it only shows what it would do.
		out, code := to.restore("yes\n", file)
		for _, line := range []string{"backup of Gate 3, made ", "  site.name: Other -> Gate 3\n", "  smtp.server: empty -> mail.example.net\n", "  smtp.password: changed\n", "  triggers.old: removed: ",
			"  triggers.bell: added: {name: bell, source: manual}\n", "  transfers.nas: added: ", "  transfers.nas.password: set\n", "--yes"} {
			if code != exitFailed || !strings.Contains(out, line) {
				t.Errorf("running %v: restore without --yes: %d, no %q in\n%s", running, code, line, out)
			}
		}
		if got := to.text("secrets.yaml"); !strings.Contains(to.text("watchpost.yaml"), "Other") || !strings.Contains(got, "hunter2-old") {
			t.Errorf("running %v: it was restored without being asked to", running)
		}
		out, code = to.restore("", "--yes", file)
		says := "in force from the next start on"
		if running {
			says = "restored and in force"
		}
		if code != exitOK || !strings.Contains(out, says) {
			t.Errorf("running %v: %d %s", running, code, out)
		}
		if to.text("watchpost.yaml") != want || to.text("secrets.yaml") != backedUpSecrets {
			t.Errorf("running %v: the files are not those of the backup:\n%s", running, to.text("watchpost.yaml"))
		}
		if running {
			if st := to.status(); st.Site != "Gate 3" || len(st.Triggers) != 2 {
				t.Errorf("in force is %s with %d triggers", st.Site, len(st.Triggers))
			}
		}
		if out, code = to.restore("", "--yes", file); code != exitOK || !strings.Contains(out, "nothing to restore") {
			t.Errorf("running %v: once more: %d %s", running, code, out)
		}
	}
}

// Through pipes, without secrets: those of the box stay, and none is in the backup.
func TestBackupThroughPipes(t *testing.T) {
	from, to := box(t, backedUp, backedUpSecrets), box(t, "", "")
	data, errOut, code := from.run("", "backup", "-")
	if code != exitOK || strings.Contains(data, "hunter2") || !strings.Contains(data, "mail.example.net") {
		t.Fatalf("backup -: %d %s\n%s", code, errOut, data)
	}
	if out, code := to.restore(data, "-"); code != exitFailed || !strings.Contains(out, "--yes") {
		t.Errorf("restore - without --yes: %d %s", code, out)
	}
	if _, err := os.Stat(to.config); err == nil {
		t.Error("it was restored without being asked to")
	}
	out, code := to.restore(data, "--yes", "-")
	if code != exitOK || !strings.Contains(out, "the secrets stay as they are") || strings.Contains(out, "smtp.password: set") {
		t.Errorf("restore -: %d %s", code, out)
	}
	if to.text("watchpost.yaml") != from.text("watchpost.yaml") {
		t.Errorf("%s", to.text("watchpost.yaml"))
	}
	if _, err := os.Stat(filepath.Join(to.dir, "secrets.yaml")); err == nil {
		t.Error("there are secrets")
	}
	own := box(t, "", "smtp: {password: hunter2-own}\n")
	if out, code := own.restore(data, "--yes", "-", "--json"); code != exitOK || own.text("secrets.yaml") != "smtp: {password: hunter2-own}\n" {
		t.Errorf("%d %s", code, out)
	}
	with, errOut, code := from.run("", "backup", "--secrets", "-")
	if b, err := config.ReadBackup("it", []byte(with)); code != exitOK || err != nil || !b.HasSecrets() {
		t.Errorf("backup --secrets -: %d %v %s", code, err, errOut)
	}
}

// What is damaged, or does not validate, is refused and changes nothing; a file
// with errors is not backed up.
func TestRefusedBackups(t *testing.T) {
	r := box(t, backedUp, backedUpSecrets)
	file := r.backup("--secrets")
	good := r.text("backup.json")
	config, secrets := r.text("watchpost.yaml"), r.text("secrets.yaml")
	for name, text := range map[string]string{
		"a changed letter": strings.Replace(good, "Jo", "Jim", 1), "cut off": good[:len(good)/2], "empty": "", "no backup": config, "later": `{"watchpost_backup": 9}`,
		"huge": strings.Repeat("x", 5<<20),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := r.restore("", "--yes", file); code != exitFailed {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
	if out, code := r.restore("", "--yes", filepath.Join(r.dir, "missing")); code != exitFailed {
		t.Errorf("missing: %d %s", code, out)
	}
	if r.text("watchpost.yaml") != config || r.text("secrets.yaml") != secrets {
		t.Error("a refused backup changed the files")
	}
	r.write("version: 1\nsmtp: {port: many, password: hunter2}")
	out, errOut, code := r.run("", "backup", file)
	if code != exitFailed || !strings.Contains(out, r.config+":2: smtp.port: ") || strings.Contains(out+errOut, "hunter2") || strings.Count(errOut, "\n") != 1 {
		t.Errorf("a file with errors: %d %q %q", code, out, errOut)
	}
	for _, words := range [][]string{{"backup"}, {"backup", "a", "b"}, {"restore"}, {"restore", "--no", file}} {
		if _, errOut, code := r.run("", words...); code != exitUsage || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%v: %d %q", words, code, errOut)
		}
	}
}

// On a terminal restore shows what changes and asks.
func TestRestoreAsks(t *testing.T) {
	from, to := box(t, backedUp, backedUpSecrets), box(t, "site: {name: Other}\n", "")
	file := from.backup("--secrets")
	before := to.text("watchpost.yaml")
	p := to.pane(100, 30, "restore", file)
	p.wait("site.name: Other -> Gate 3")
	p.wait("(yes or no)")
	p.text("no")
	p.keys("Enter")
	p.wait("Nothing was changed.")
	p.wait("it ended with 1")
	if to.text("watchpost.yaml") != before {
		t.Error("no was taken for yes")
	}
	p = to.pane(100, 30, "restore", file)
	p.wait("(yes or no)")
	p.text("yes")
	p.keys("Enter")
	p.wait("it ended with 0")
	if to.text("watchpost.yaml") != from.text("watchpost.yaml") || strings.Contains(p.screen(), "hunter2") {
		t.Errorf("%s", p.screen())
	}
	p = from.pane(100, 30, "backup", "--secrets", "-")
	p.wait("it ended with 1")
	if s := p.screen(); strings.Contains(s, "hunter2") || !strings.Contains(s, "terminal") {
		t.Errorf("%s", s)
	}
}

// A restore that is killed at any moment leaves one of the two configurations.
func TestKilledRestores(t *testing.T) {
	from, to := box(t, backedUp, backedUpSecrets), box(t, "site: {name: Other}", "smtp: {password: hunter2-old}\n")
	file := from.backup("--secrets")
	old, oldSecrets := to.text("watchpost.yaml"), to.text("secrets.yaml")
	was, is := 0, 0
	for i := range 40 {
		for name, text := range map[string]string{"watchpost.yaml": old, "secrets.yaml": oldSecrets} {
			if err := os.WriteFile(filepath.Join(to.dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := to.command("restore", "--yes", file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(i)*time.Millisecond, func() { cmd.Process.Kill() })
		cmd.Wait()
		config, secrets := to.text("watchpost.yaml"), to.text("secrets.yaml")
		switch {
		case config == old && (secrets == oldSecrets || secrets == backedUpSecrets):
			was++
		case config == from.text("watchpost.yaml") && secrets == backedUpSecrets:
			is++
		default:
			t.Fatalf("killed after %d ms it left\n%s", i, config)
		}
		if out, errOut, code := to.run("", "check"); code != exitOK {
			t.Errorf("killed after %d ms: %s%s", i, out, errOut)
		}
	}
	t.Logf("%d times the old settings, %d times those of the backup", was, is)
}

// No command's output, and no file that others may read, has a secret after all that.
func TestSecretsStayInTheirFiles(t *testing.T) {
	from, to := box(t, backedUp, backedUpSecrets), box(t, "camera: {source: \"scene:\"}", "")
	file := from.backup("--secrets")
	s := to.serve().ready()
	if out, code := to.restore("", "--yes", "--json", file); code != exitOK {
		t.Fatal(out)
	}
	s.stop(syscall.SIGTERM)
	if strings.Contains(s.log.String(), "hunter2") {
		t.Error("a secret is in the log")
	}
	found, _ := exec.Command("grep", "-rl", "hunter2", to.dir).Output()
	for path := range strings.Lines(string(found)) {
		path = strings.TrimSpace(path)
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 || filepath.Base(path) != "secrets.yaml" {
			t.Errorf("a secret is in %s, %v %v", path, st.Mode(), err)
		}
	}
}

// A backup goes to a file of its own: not over the settings that it is of, nor in
// the place of a device or a pipe.
func TestBackupIsNoOtherFile(t *testing.T) {
	r := box(t, backedUp, backedUpSecrets)
	pipe := filepath.Join(r.dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(r.dir, "link")
	if err := os.Symlink(r.config, link); err != nil {
		t.Fatal(err)
	}
	config, secrets := r.text(filepath.Base(r.config)), r.text("secrets.yaml")
	for _, to := range []string{r.config, filepath.Join(r.dir, "secrets.yaml"), link, pipe, r.dir} {
		out, errOut, code := r.run("", "backup", to)
		if code != exitFailed || out != "" || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%s: %d %q %q", to, code, out, errOut)
		}
	}
	if r.text(filepath.Base(r.config)) != config || r.text("secrets.yaml") != secrets {
		t.Error("the settings are overwritten")
	}
	if st, err := os.Lstat(pipe); err != nil || st.Mode().IsRegular() {
		t.Errorf("the pipe: %v %v", st, err)
	}
}
