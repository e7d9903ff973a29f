package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"watchpost/engine/need"
)

// sshRig is a service that answers over SSH, and OpenSSH's programs to reach it.
type sshRig struct {
	*rig
	port string
}

const sshTrigger = `
camera: {source: "scene:"}
triggers: [{name: "front yard", source: manual, pre: 2 images, post: 1s}]
`

func newSSHRig(t *testing.T) *sshRig {
	t.Helper()
	for _, p := range []string{"ssh", "sftp", "ssh-keygen"} {
		need.Program(t, p, "openssh-client")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := &sshRig{newRig(t, fmt.Sprintf("%sssh: {listen: %q}", sshTrigger, l.Addr())), port}
	return r
}

// pair makes a key pair; its private key's path is returned.
func (r *sshRig) pair(name string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path).CombinedOutput(); err != nil {
		r.t.Fatalf("ssh-keygen: %v %s", err, out)
	}
	return path
}

// letIn makes a key pair and lets it in.
func (r *sshRig) letIn(name string, flags ...string) string {
	r.t.Helper()
	path := r.pair(name)
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		r.t.Fatal(err)
	}
	if out, errOut, code := r.run(string(public), append([]string{"ssh-key", "add", "-"}, flags...)...); code != exitOK || !strings.Contains(out, "added: SHA256:") {
		r.t.Fatalf("%s %s %d", out, errOut, code)
	}
	return path
}

func (r *sshRig) options(key string) []string {
	return []string{"-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
		"-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=" + filepath.Join(r.dir, "known_hosts")}
}

func (r *sshRig) ssh(key string, args ...string) *exec.Cmd {
	cmd := exec.Command("ssh", append(append(r.options(key), "-p", r.port), args...)...)
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "TERM=xterm-256color")
	return cmd
}

// far runs a command over SSH.
func (r *sshRig) far(key, line string) (out, errOut string, code int) {
	r.t.Helper()
	cmd := r.ssh(key, "-T", "127.0.0.1", "--", line)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// open waits until the service listens.
func (r *sshRig) open() {
	r.t.Helper()
	r.until("the service listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+r.port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func TestSSHKeyCommand(t *testing.T) {
	r := newSSHRig(t)
	key := r.letIn("anna@laptop")
	private, _ := os.ReadFile(key)
	if out, errOut, code := r.run(string(private), "ssh-key", "add", "-"); code != exitFailed || !strings.Contains(errOut, "private key") || strings.Contains(out+errOut, "BEGIN") {
		t.Errorf("a private key: %s %s %d", out, errOut, code)
	}
	for in, says := range map[string]string{"rubbish": "no public key", "": "no key in it", "ssh-ed25519 AAAA": "no public key"} {
		if _, errOut, code := r.run(in, "ssh-key", "add", "-"); code != exitFailed || !strings.Contains(errOut, says) || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%q: %s %d", in, errOut, code)
		}
	}
	public, _ := os.ReadFile(key + ".pub")
	out, _, code := r.run(string(public), "ssh-key", "add", "-")
	print := regexp.MustCompile(`SHA256:\S+`).FindString(out)
	if code != exitOK || !strings.Contains(out, "already there") {
		t.Errorf("a duplicate: %s %d", out, code)
	}
	real, err := exec.Command("ssh-keygen", "-lf", key+".pub").Output()
	if err != nil || !strings.Contains(string(real), print) {
		t.Errorf("ssh-keygen says %s, not %s", real, print)
	}
	if out, _, code := r.run("", "ssh-key", "list"); code != exitOK || !strings.Contains(out, print+"  installer  ssh-ed25519  anna@laptop") {
		t.Errorf("%s %d", out, code)
	}
	if _, _, code := r.run(string(public), "ssh-key", "add", string(public)); code != exitUsage {
		t.Errorf("a key on the command line: %d", code)
	}
	if _, errOut, code := r.run("", "ssh-key", "remove", "SHA256:x"); code != exitFailed || !strings.Contains(errOut, "ssh-key list") {
		t.Errorf("%s %d", errOut, code)
	}
	if out, _, code := r.run("", "ssh-key", "remove", print); code != exitOK || !strings.Contains(out, "removed: "+print) {
		t.Errorf("%s %d", out, code)
	}
	if out, _, _ := r.run("", "ssh-key"); !strings.Contains(out, "no key may log in yet") {
		t.Error(out)
	}
}

// The commands over a real OpenSSH: the design's, with their exit codes, and no others.
func TestSSHCommands(t *testing.T) {
	r := newSSHRig(t)
	r.serve().ready()
	if c, err := net.Dial("tcp", "127.0.0.1:"+r.port); err == nil {
		c.Close()
		t.Fatal("it listens without a key")
	}
	key, op := r.letIn("installer"), r.letIn("gate", "--operator")
	r.open()
	out, errOut, code := r.far(key, "trigger 'front yard'")
	id := strings.TrimSpace(out)
	if code != exitOK || !isEventID(id) {
		t.Fatalf("%q %s %d", out, errOut, code)
	}
	local, _, _ := r.run("", "version", "--json")
	if far, _, _ := r.far(op, "version --json"); far != local {
		t.Errorf("version: %q, here %q", far, local)
	}
	secretFile := filepath.Join(r.dir, "secret.yaml")
	os.WriteFile(secretFile, []byte("hunter2: x\n"), 0o600)
	victim := filepath.Join(r.dir, "victim")
	for _, c := range []struct {
		key, line string
		code      int
		says      string // in what is printed, wherever
	}{
		{key, "status", exitOK, "front yard"},
		{key, "status --json", exitOK, `"triggers":`},
		{key, "events list", exitOK, id},
		{key, "events show " + id, exitOK, "manual"},
		{key, "queue list", exitOK, ""},
		{key, "queue show 00000099-alarm", exitFailed, "not"},
		{key, "doctor", exitFailed, "not configured"},
		{key, "trigger nothing", exitFailed, ""},
		{key, "help", exitOK, "test-mail"},
		{op, "status", exitOK, "front yard"},
		{op, "events list", exitOK, id},
		{op, "queue retry", exitOK, ""},
		{op, "trigger 'front yard'", exitOK, ""},
		{op, "help", exitOK, "retry"},
		{op, "queue drop 00000001-alarm", exitFailed, "operator"},
		{op, "queue --json drop 00000001-alarm", exitFailed, "operator"},
		{op, "doctor", exitFailed, "operator"},
		{op, "test-mail", exitFailed, "operator"},
		{key, "set site.name x", exitUsage, "no command"},
		{key, "check " + secretFile, exitUsage, "no command"},
		{key, "backup -", exitUsage, "no command"},
		{key, "restore -", exitUsage, "no command"},
		{key, "replay /dev/null", exitUsage, "no command"},
		{key, "ssh-key list", exitUsage, "no command"},
		{key, "serve", exitUsage, "no command"},
		{key, "privacy on", exitUsage, "no command"},
		{key, "--config " + secretFile + " status", exitUsage, "no command"},
		{key, "status --config " + secretFile, exitUsage, "not defined"},
		{key, "doctor --config=" + secretFile, exitUsage, "not defined"},
		{key, "events export " + id, exitFailed, "standard output"},
		{key, "events export " + id + " " + victim, exitFailed, "standard output"},
		{key, "events export " + id + " " + victim + ".tar", exitFailed, "standard output"},
		{key, "events export --trigger 'front yard' " + victim + ".zip", exitFailed, "standard output"},
		{key, "status; touch " + victim, exitUsage, ""},
		{key, "$(touch " + victim + ")", exitUsage, "no command"},
		{key, "status 'open", exitUsage, "quotation mark"},
	} {
		out, errOut, code := r.far(c.key, c.line)
		if code != c.code || !strings.Contains(out+errOut, c.says) || strings.Contains(out+errOut, "hunter2") {
			t.Errorf("%s: %d\n%s%s", c.line, code, out, errOut)
		}
	}
	if left, _ := filepath.Glob(victim + "*"); len(left) > 0 {
		t.Errorf("written: %v", left)
	}
	r.until("the event is over", func() bool { out, _, _ := r.far(key, "events list"); return !strings.Contains(out, "going on") })
	out, _, code = r.far(key, "events export "+id+" -")
	names := 0
	for tr := tar.NewReader(strings.NewReader(out)); ; names++ {
		if _, err := tr.Next(); err != nil {
			break
		}
	}
	if code != exitOK || names < 2 {
		t.Errorf("%d files in the tar, %d", names, code)
	}
}

func TestSSHFiles(t *testing.T) {
	r := newSSHRig(t)
	r.serve().ready()
	op := r.letIn("gate", "--operator")
	r.open()
	out, _, _ := r.far(op, "trigger 'front yard'")
	id := strings.TrimSpace(out)
	r.until("the event is over", func() bool { out, _, _ := r.far(op, "events list"); return !strings.Contains(out, "going on") })
	batch := filepath.Join(r.dir, "batch")
	got := filepath.Join(r.dir, "got")
	os.WriteFile(batch, []byte("ls -l\nget -r /"+id+" "+got+"\n-put "+batch+" /x\n-put "+batch+" /"+id+"/x.jpg\n-rm /"+id+"/event.json\n-rmdir /"+id+"\n-rename /"+id+" /y\n-mkdir /z\n-chmod 777 /"+id+"\n-symlink /etc/passwd /l\n-get /../../etc/passwd "+got+"\n"), 0o600)
	cmd := exec.Command("sftp", append(r.options(op), "-P", r.port, "-b", batch, "127.0.0.1")...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sftp: %v\n%s", err, text)
	}
	stored := filepath.Join(r.dir, "store", "events", id)
	files, _ := os.ReadDir(stored)
	if len(files) < 2 {
		t.Fatalf("%d files in the store", len(files))
	}
	for _, f := range files {
		want, _ := os.ReadFile(filepath.Join(stored, f.Name()))
		have, err := os.ReadFile(filepath.Join(got, f.Name()))
		if err != nil || !bytes.Equal(want, have) {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
	if _, err := os.Stat(filepath.Join(got, "passwd")); err == nil {
		t.Error("a file of the box came")
	}
	for _, x := range []string{"x", "z", "l", "y"} {
		if _, err := os.Lstat(filepath.Join(r.dir, "store", "events", x)); err == nil {
			t.Errorf("%s was made", x)
		}
	}
	if n := strings.Count(string(text), "ermission denied"); n < 6 {
		t.Errorf("%d refusals:\n%s", n, text)
	}
}

// What is set while the service runs is in force: a password, where it listens, off.
func TestSSHSettingsAreTakenOverLive(t *testing.T) {
	r := newSSHRig(t)
	r.serve().ready()
	if _, errOut, code := r.run("let me in please", "set", "ssh.password", "-"); code != exitOK {
		t.Fatal(errOut)
	}
	r.open()
	kept, _ := os.ReadFile(filepath.Join(r.dir, "secrets.yaml"))
	if strings.Contains(string(kept), "let me") || !strings.Contains(string(kept), "$2") {
		t.Errorf("secrets.yaml holds %q", kept)
	}
	with := func(password string) error {
		c, err := ssh.Dial("tcp", "127.0.0.1:"+r.port, &ssh.ClientConfig{User: "x", Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := with("let me in please"); err != nil {
		t.Error(err)
	}
	if with("let me in") == nil {
		t.Error("a wrong password was let in")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.run("", "set", "ssh.listen", l.Addr().String())
	r.until("a port that is taken is a problem on the screen", func() bool {
		return strings.Contains(strings.Join(r.status().Problems, "\n"), "another program has that port")
	})
	l.Close()
	_, r.port, _ = net.SplitHostPort(l.Addr().String())
	r.open()
	if err := with("let me in please"); err != nil {
		t.Error(err)
	}
	if _, errOut, code := r.run("", "set", "ssh.listen", "off"); code != exitOK {
		t.Fatal(errOut)
	}
	r.until("nothing listens", func() bool { return with("let me in please") != nil })
}

// The interface in OpenSSH's client in a real terminal.
func TestSSHInterface(t *testing.T) {
	r := newSSHRig(t)
	r.serve().ready()
	key, op := r.letIn("installer"), r.letIn("gate", "--operator")
	r.open()
	cmd := r.ssh(key, "-tt", "127.0.0.1")
	p := r.paneOf(80, 24, cmd)
	p.wait("front yard")
	p.keys("2", "Tab")
	p.text("mail.example.net")
	p.wait("2 Mail*")
	if out, err := exec.Command(p.tmux, "-L", p.name, "resize-window", "-x", "100", "-y", "30").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	r.until("the screen is as wide as the window", func() bool {
		return strings.Contains(p.screen(), strings.Repeat("─", 97)) || strings.Contains(p.screen(), strings.Repeat("-", 97))
	})
	p.keys("C-w")
	p.wait("Saved")
	o := r.paneOf(80, 24, r.ssh(op, "-tt", "127.0.0.1"))
	o.wait("operator")
	o.keys("2")
	o.wait("mail.example.net") // he sees what the other saved
	o.keys("w")
	o.wait("Not with an operator's key")
	p.keys("Escape", "7", "s")
	p.wait("gate")
	p.keys("Down", "x")
	p.wait("Remove gate")
	p.keys("y")
	o.wait("it ended with") // his session ends with his key
	p.wait("gate (SHA256")
	p.keys("q", "y")
	p.wait("it ended with 0")
	if out, _, _ := r.run("", "ssh-key", "list"); strings.Contains(out, "gate") {
		t.Error(out)
	}
}
