package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"watchpost/mail/transfer/transfertest"
)

// The trial of transfers as an installer sees it, against real servers, on a normal
// and on a small screen: an unknown host key is taken over by one key, saved by none,
// and what is typed is what is tried.
func TestTrialScreen(t *testing.T) {
	ssh, prints := transfertest.SSHD(t, "", "ed25519")
	broker := transfertest.StartMosquitto(t)
	yaml := "version: 1\ncamera: {source: \"scene:\"}\ntransfers:\n" +
		fmt.Sprintf("  - {name: nas, kind: sftp, server: 127.0.0.1, port: %d, username: %s}\n", ssh.Port, transfertest.User) +
		fmt.Sprintf("  - {name: ha, kind: mqtt, server: 127.0.0.1, port: %d, topic: elsewhere, security: tls, username: %s}\n", broker.TLS, transfertest.User)
	secrets := fmt.Sprintf("transfers:\n  nas: {password: %q}\n  ha: {password: %q}\n", transfertest.Password, transfertest.Password)
	for _, size := range [][2]int{{80, 24}, {60, 15}} {
		r := newRig(t, yaml)
		if err := os.WriteFile(filepath.Join(r.dir, "secrets.yaml"), []byte(secrets), 0o600); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(r.config)
		p := r.pane(size[0], size[1])
		p.wait("1 Status")
		p.keys("3")
		p.wait("no trigger uses it")
		p.keys("d")
		p.wait("!  hostkey")
		p.wait(prints["ed25519"][:40])
		p.keys("Enter")
		p.wait("> Host key")
		p.keys("C-f")
		p.wait(">*Host key")
		p.keys("C-d")
		p.wait("Images would arrive there.")
		t.Log(p.screen())
		p.keys("C-g", "C-g", "Down")
		p.keys("d")
		p.wait("!  tls")
		p.keys("Enter")
		p.wait("> Key pin")
		p.keys("C-f", "C-d")
		p.wait("The broker refuses: not allowed")
		t.Log(p.screen())
		p.keys("Enter")
		p.wait("> Topic")
		if saved, _ := os.ReadFile(r.config); string(saved) != string(before) {
			t.Errorf("saved by a trial:\n%s", saved)
		}
		left, _ := filepath.Glob(ssh.Home("*"))
		if len(left) != 1 { // the disk that is full
			t.Errorf("left at the server: %v", left)
		}
	}
}
