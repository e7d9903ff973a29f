package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func decodeBase64(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, r))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unmarshal[T any](t *testing.T, js string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(js), &v); err != nil {
		t.Fatalf("%v: %s", err, js)
	}
	return v
}

func TestCheckField(t *testing.T) {
	r := newRig(t, "")
	for _, c := range []struct {
		key, value, begins string
		code               int
	}{
		{"smtp.server", "mail.example.net", "ok", exitOK},
		{"smtp.server", "[2001:db8::25]", "ok", exitOK},
		{"smtp.server", "2001:db8::25", "error: ", exitFailed},
		{"smtp.server", "mail.", "incomplete: ", exitIncomplete},
		{"smtp.port", "587", "ok", exitOK},
		{"smtp.port", "65536", "error: ", exitFailed},
		{"smtp.port", "-1", "error: ", exitFailed},
		{"mail.destinations", "ops@", "incomplete: ", exitIncomplete},
		{"mail.destinations", "ops@example.net", "ok", exitOK},
		{"mail.subject", strings.Repeat("x", 45), "error: ", exitFailed},
		{"mail.subject", strings.Repeat("ä", 44), "ok", exitOK},
		{"mail.hold_off", "1h", "ok", exitOK},
		{"mail.hold_off", "3601", "error: ", exitFailed},
	} {
		out, _, code := r.run("", "check", "--field", c.key, c.value)
		if code != c.code || !strings.HasPrefix(out, c.begins) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s %q: exit %d, %q", c.key, c.value, code, out)
		}
	}
	if out, _, code := r.run("ops@example.net\n", "check", "--field", "mail.destinations", "-"); code != exitOK || out != "ok\n" {
		t.Errorf("from standard input: %d %q", code, out)
	}
	if _, errOut, code := r.run("", "check", "--field", "smtp.password", "hunter2"); code != exitFailed || strings.Contains(errOut, "hunter2") {
		t.Errorf("a secret on the command line: %d %q", code, errOut)
	}
	if out, _, code := r.run("hunter2", "check", "--field", "smtp.password", "-"); code != exitOK || strings.Contains(out, "hunter2") {
		t.Errorf("a secret from standard input: %d %q", code, out)
	}
}

func TestUsage(t *testing.T) {
	r := newRig(t, "")
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"version"}, exitOK}, {[]string{"help"}, exitOK}, {[]string{"version", "--json"}, exitOK},
		{[]string{"frobnicate"}, exitUsage}, {[]string{"set", "smtp.port"}, exitUsage}, {[]string{"status", "--nope"}, exitUsage},
		{[]string{"check", "a", "b"}, exitUsage}, {[]string{"queue"}, exitUsage}, {[]string{"queue", "show"}, exitUsage},
		{[]string{"events", "burn"}, exitUsage}, {[]string{"setup"}, exitUsage},
		{[]string{"status"}, exitNoService}, {[]string{"trigger", "yard"}, exitNoService}, {[]string{"test-mail"}, exitNoService},
		{[]string{"queue", "list"}, exitOK}, {[]string{"events", "list"}, exitOK},
		{nil, exitFailed}, // no terminal
	} {
		out, errOut, code := r.run("", c.args...)
		if code != c.code {
			t.Errorf("%v: exit %d, want %d: %s%s", c.args, code, c.code, out, errOut)
		}
		if code != exitOK && (strings.Count(errOut, "\n") != 1 || out != "") {
			t.Errorf("%v: not one clear line: %q %q", c.args, errOut, out)
		}
	}
}

// Bad configurations: one clear line each with file, line and key; check exits 1.
func TestBadConfigurations(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"wrong value":   {"version: 1\nsmtp:\n  port: 99999\n", ":3: smtp.port: "},
		"unknown key":   {"version: 1\nsmtp:\n  sever: mail.example.net\n", ":3: smtp.sever: "},
		"duplicate key": {"version: 1\nsmtp:\n  port: 25\n  port: 587\n", ":4: smtp.port: "},
		"not YAML":      {"version: 1\n\t{{{\n", ":2: "},
		"not UTF-8":     {"version: 1\nsite: {name: \"\xff\xfe\"}\n", ":2: "},
		"10 MB":         {strings.Repeat("# padding, padding, padding\n", 370_000), ": "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			if err := os.WriteFile(r.config, []byte(c.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			out, errOut, code := r.run("", "check", r.config)
			if code != exitFailed || !strings.HasPrefix(out, r.config+c.want) || strings.Count(out, "\n") != 1 {
				t.Errorf("check: exit %d, %q %q", code, out, errOut)
			}
		})
	}
	r := newRig(t, "")
	if out, errOut, code := r.run("", "check", filepath.Join(r.dir, "missing.yaml")); code != exitOK {
		t.Errorf("missing: %d %s%s", code, out, errOut)
	}
	os.WriteFile(r.config, nil, 0o600)
	if out, errOut, code := r.run("", "check", r.config); code != exitOK {
		t.Errorf("empty: %d %s%s", code, out, errOut)
	}
}

// serve runs on the last good copy when the file breaks, shows the lines, and
// takes the mended file without a restart; with no good copy it is set-up mode.
func TestLastGood(t *testing.T) {
	good := "version: 1\nsite: {name: Good}\ncamera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual}]"
	r := newRig(t, good)
	s := r.serve().ready()
	s.stop(syscall.SIGTERM)
	broken := good + "\nsmtp: {port: many}"
	r.write(broken)
	s = r.serve().ready()
	st := r.status()
	if st.Site != "Good" || len(st.Findings) != 1 || !strings.Contains(st.Findings[0], "smtp.port") {
		t.Errorf("on a broken file: site %q, findings %v", st.Site, st.Findings)
	}
	r.write(strings.Replace(good, "Good", "Mended", 1))
	r.until("the mended file is in force", func() bool { st = r.status(); return st.Site == "Mended" && len(st.Findings) == 0 })
	r.write(broken)
	r.until("the broken file is reported", func() bool { st = r.status(); return st.Site == "Mended" && len(st.Findings) == 1 })
	r.write(strings.Replace(good, "Good", "Hup", 1))
	s.cmd.Process.Signal(syscall.SIGHUP)
	r.until("SIGHUP has read it", func() bool { return r.status().Site == "Hup" })

	if err := os.Remove(r.config); err != nil { // under an armed box this is an accident
		t.Fatal(err)
	}
	r.until("the missing file is reported", func() bool { return strings.Contains(strings.Join(r.status().Problems, "\n"), "is gone") })
	if st = r.status(); st.Site != "Hup" || len(st.Triggers) != 1 {
		t.Errorf("without the file: %+v", st)
	}
	// A change is made on what is in force, not on nothing.
	if out, errOut, code := r.run("", "set", "mail.subject", "Hello"); code != exitOK {
		t.Errorf("set without the file: %d %s%s", code, out, errOut)
	}
	if text, err := os.ReadFile(r.config); err != nil || !strings.Contains(string(text), "Hello") || !strings.Contains(string(text), "bell") {
		t.Errorf("the file afterwards: %v\n%s", err, text)
	}
	if st = r.status(); st.Site != "Hup" || len(st.Triggers) != 1 || strings.Contains(strings.Join(st.Problems, "\n"), "is gone") {
		t.Errorf("afterwards: %+v", st)
	}

	fresh := newRig(t, "smtp: {port: many}")
	fresh.serve().ready()
	if st := fresh.status(); st.State != "setup" || len(st.Findings) != 1 {
		t.Errorf("with no good copy: state %q, findings %v", st.State, st.Findings)
	}
	// It is repaired by a save: what was seen (the defaults) is what is saved.
	if out, errOut, code := fresh.run("", "set", "smtp.server", "mail.example.net"); code != exitOK {
		t.Errorf("set on a broken file: %d %s%s", code, out, errOut)
	}
	fresh.until("the repaired file is in force", func() bool { return len(fresh.status().Findings) == 0 })
	if aside, err := os.ReadFile(fresh.config + ".broken"); err != nil || !strings.Contains(string(aside), "many") {
		t.Errorf("the broken file was not set aside: %v %s", err, aside)
	}
}

func TestSecondEngine(t *testing.T) {
	r := newRig(t, "version: 1\ncamera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual}]")
	s := r.serve().ready()
	_, errOut, code := r.run("", "serve")
	if code != exitFailed || !strings.Contains(errOut, "process") || strings.Count(errOut, "\n") != 1 {
		t.Errorf("a second engine: %d %q", code, errOut)
	}
	other := newRig(t, "") // another configuration on the same store
	os.WriteFile(other.config, []byte("storage: {directory: \""+filepath.Join(r.dir, "store")+"\"}\n"), 0o600)
	if _, errOut, code = other.run("", "serve"); code != exitFailed || !strings.Contains(errOut, "store") {
		t.Errorf("another engine on the store: %d %q", code, errOut)
	}
	s.stop(syscall.SIGTERM)
	if st := r.serve().ready().r.status(); len(st.Triggers) != 1 {
		t.Errorf("after a restart: %+v", st)
	}
}

// A client finds the service that was started with another environment.
func TestServiceInAnotherEnvironment(t *testing.T) {
	r := newRig(t, "camera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual}]")
	elsewhere := filepath.Join(r.dir, "run")
	cmd := r.command("serve")
	cmd.Env = append(cmd.Env, "RUNTIME_DIRECTORY="+elsewhere)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	r.until("status finds it", func() bool { _, _, code := r.run("", "status"); return code == exitOK })
	if _, err := os.Stat(elsewhere); err != nil {
		t.Errorf("its socket is not where it was told: %v", err)
	}
}

// Many sets at once: each changes its key, none fails.
func TestManySets(t *testing.T) {
	r := newRig(t, "camera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual}]")
	for _, running := range []bool{false, true} {
		if running {
			r.serve().ready()
		}
		var wg sync.WaitGroup
		keys := []string{"site.name", "smtp.server", "smtp.username", "mail.subject", "smtp.port", "mail.hold_off", "camera.fps", "mail.picture_wait"}
		values := []string{"Many", "mail.example.net", "gate3", "Subject", "465", "90s", "12", "2s"}
		for i, key := range keys {
			wg.Go(func() {
				if out, errOut, code := r.run("", "set", key, values[i]); code != exitOK {
					t.Errorf("running %v: set %s: %d %s%s", running, key, code, out, errOut)
				}
			})
		}
		wg.Wait()
		text, err := os.ReadFile(r.config)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if !strings.Contains(string(text), v) {
				t.Errorf("running %v: %q is not in the file:\n%s", running, v, text)
			}
		}
		os.Remove(filepath.Join(r.dir, "secrets.yaml"))
	}
}

func TestSetThroughServiceAndFile(t *testing.T) {
	r := newRig(t, "version: 1 # mine\ncamera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual}]\n# keep this")
	for _, running := range []bool{false, true} {
		if running {
			r.serve().ready()
		}
		for _, c := range []struct {
			key, value, stdin string
			code              int
		}{
			{"smtp.server", "mail.example.net", "", exitOK},
			{"smtp.port", "70000", "", exitFailed},
			{"smtp.username", "-", "gate3\n", exitOK},
			{"smtp.password", "-", "hunter2\n", exitOK},
			{"smtp.password", "hunter2", "", exitFailed},
			{"mail.reply_address", "gate3@example.net", "", exitOK},
			{"mail.destinations", "a@example.net, b@example.net", "", exitOK},
			{"mail.destinations.2", "a@example.net", "", exitFailed}, // a duplicate
			{"site.name", "-x", "", exitOK},
			{"nonsense", "1", "", exitFailed},
		} {
			out, errOut, code := r.run(c.stdin, "set", c.key, c.value)
			if code != c.code || strings.Contains(out+errOut, "hunter2") || code != exitOK && out+errOut == "" {
				t.Errorf("running %v: set %s %q: %d %q %q", running, c.key, c.value, code, out, errOut)
			}
		}
		text, _ := os.ReadFile(r.config)
		if !strings.Contains(string(text), "# mine") || !strings.Contains(string(text), "# keep this") || strings.Contains(string(text), "hunter2") {
			t.Errorf("the file:\n%s", text)
		}
		secrets := filepath.Join(r.dir, "secrets.yaml")
		if st, err := os.Stat(secrets); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("secrets.yaml: %v %v", st, err)
		}
	}
	if s := r.status(); s.Site != "-x" {
		t.Errorf("site %q", s.Site)
	}
}

// An emptied field leaves the file, what stands beside it stays; a refused value
// blames no line of the file.
func TestSetEmptiesAndRefuses(t *testing.T) {
	r := newRig(t, `version: 1
site:
  holidays: [01-01]
camera: {source: "scene:"}
triggers:
  - {name: bell, source: manual, active: {from: "18:00", to: "06:00"}, notify: false}
privacy:
  # at night
  active: {from: "22:00", to: "06:00"} # the guard's
`)
	for _, key := range []string{"site.holidays", "triggers.bell.active", "privacy.active"} {
		if out, errOut, code := r.run("", "set", key, ""); code != exitOK {
			t.Errorf("set %s '': %d %s%s", key, code, out, errOut)
		}
	}
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	const want = `version: 1
site:
camera: {source: "scene:"}
triggers:
  - {name: bell, source: manual, notify: false}
privacy:
  # at night
  active: [] # the guard's
`
	if got := string(text); !strings.HasPrefix(got, want) {
		t.Errorf("the file:\n%s\nwant:\n%s", got, want)
	}
	for _, key := range []string{"triggers.bell.and", "privacy.active", "site.holidays"} {
		out, _, code := r.run("", "set", key, "none")
		if code != exitFailed || !strings.HasPrefix(out, key+": ") || !strings.HasSuffix(out, " To empty it: watchpost set "+key+" ''\n") {
			t.Errorf("set %s none: %d %q", key, code, out)
		}
	}
	if out, _, code := r.run("", "set", "triggers.bell.active", "{days: [foo]}"); code != exitFailed || strings.Contains(out, r.config) || strings.Contains(out, "To empty") {
		t.Errorf("%d %q", code, out)
	}
}

func TestPlainSetup(t *testing.T) {
	r := newRig(t, "")
	answers := "Gate 3\nEurope/Berlin\nscene:\nmail.exam ple\nmail.example.net\n587\n\n\ngate3\nhunter2\ngate3@example.net\nguard@example.net\n\n\n\nyes\n\nno\nyes\n"
	out, errOut, code := r.run(answers, "setup", "--plain")
	if code != exitOK || strings.Contains(out, "hunter2") || !strings.Contains(out, "The service does not run") {
		t.Fatalf("%d %s%s", code, out, errOut)
	}
	if out, _, code := r.run("", "check"); code != exitOK {
		t.Errorf("check: %d %s", code, out)
	}
	text, _ := os.ReadFile(r.config)
	for _, w := range []string{"Gate 3", "mail.example.net", "guard@example.net", "source: motion"} {
		if !strings.Contains(string(text), w) {
			t.Errorf("the file lacks %q:\n%s", w, text)
		}
	}
	if _, errOut, code = r.run("", "setup", "--plain"); code != exitFailed || !strings.Contains(errOut, "nothing was saved") {
		t.Errorf("input that ends: %d %q", code, errOut)
	}
}

// Clips that are missing, truncated or no video: a clear state, no crash.
func TestBadClips(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.mp4")
	os.WriteFile(text, []byte("this is no video"), 0o600)
	cut := filepath.Join(dir, "cut.y4m") // one picture and a piece of the next
	picture := "FRAME\n" + strings.Repeat("\x80", 64*64*3/2)
	os.WriteFile(cut, []byte("YUV4MPEG2 W64 H64 F10:1 C420\n"+picture+picture[:1000]), 0o600)
	for _, clip := range []string{filepath.Join(dir, "missing.mp4"), text, cut} {
		r := newRig(t, "version: 1\ncamera: {source: \"clip:"+clip+"\"}\ntriggers: [{name: yard, source: motion}]")
		r.serve().ready()
		r.until("the camera is lost, with the reason", func() bool {
			s := r.status()
			return s.Camera.State == "lost" && strings.Contains(strings.Join(s.Problems, "\n"), filepath.Base(clip))
		})
	}
}

// Files that the settings name and that cannot be read are told as any warning is:
// the file, the line, the key; each time in the same order.
func TestCheckTellsMissingFiles(t *testing.T) {
	r := box(t, `version: 1
transfers:
  - {name: nas, kind: ftp, server: nas.local,
     ca_file: /no/such.pem}
  - {name: box, kind: sftp, server: box.local, username: u, key_file: /no/key, host_key: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"}
`, "")
	for range 3 {
		out, _, code := r.run("", "check")
		var got []string
		for _, line := range strings.Split(out, "\n") {
			if strings.Contains(line, "there is no such file") {
				got = append(got, strings.TrimPrefix(line, r.config))
			}
		}
		want := []string{":4: transfers.nas.ca_file: warning: /no/such.pem", ":5: transfers.box.key_file: warning: /no/key"}
		if code != exitOK || len(got) != 2 || !strings.HasPrefix(got[0], want[0]) || !strings.HasPrefix(got[1], want[1]) {
			t.Fatalf("%d %q", code, got)
		}
	}
}
