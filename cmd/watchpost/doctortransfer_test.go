package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watchpost/engine/event"
	"watchpost/mail/transfer/transfertest"
)

// `doctor --transfer` tries a transfer's place with what is saved and prints as doctor
// does, with the service down as well.
func TestDoctorTransfer(t *testing.T) {
	ftp := transfertest.Vsftpd(t, "")
	ssh, _ := transfertest.SSHD(t, "", "ed25519")
	r := newRig(t, "version: 1\ntransfers:\n"+
		fmt.Sprintf("  - {name: nas, kind: ftp, server: 127.0.0.1, port: %d, username: %s, ca_file: %q}\n", ftp.Port, transfertest.User, ftp.CAFile)+
		fmt.Sprintf("  - {name: far away, kind: sftp, server: 127.0.0.1, port: %d, username: %s}\n", ssh.Port, transfertest.User))
	secrets := fmt.Sprintf("transfers:\n  nas: {password: %q}\n  far away: {password: %q}\n", transfertest.Password, transfertest.Password)
	if err := os.WriteFile(filepath.Join(r.dir, "secrets.yaml"), []byte(secrets), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, code := r.run("", "doctor", "--transfer", "nas")
	for _, want := range []string{"ok  tcp", "ok  login", "ok  folder", "ok  send", "ok  rename", "ok  remove", "images would arrive there"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if code != exitOK || errOut != "" || strings.Contains(out, transfertest.Password) {
		t.Errorf("exit %d, %s%s", code, out, errOut)
	}
	t.Log(out)
	out, _, code = r.run("", "doctor", "--transfer", "nas", "--json")
	var names []string
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range lines[:len(lines)-1] {
		names = append(names, unmarshal[event.Step](t, line).Step)
	}
	if code != exitOK || lines[len(lines)-1] != `{"ok":true}` || !strings.HasSuffix(strings.Join(names, " "), "login folder data send size rename remove") {
		t.Errorf("exit %d, %s", code, out)
	}
	out, _, code = r.run("", "doctor", "--transfer", "far away")
	if code != exitFailed || !strings.Contains(out, "!   hostkey") || !strings.Contains(out, "SHA256:") || strings.Count(out, "SHA256:") != 1 {
		t.Errorf("exit %d, %s", code, out)
	}
	t.Log(out)
	if out, _, code = r.run("", "doctor", "--transfer", "nix"); code != exitFailed || !strings.Contains(out, "no transfer of that name") {
		t.Errorf("exit %d, %s", code, out)
	}
}
