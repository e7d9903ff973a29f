package sshd

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// newPair is a key pair of a client, with its line of a .pub file.
func newPair(t testing.TB, comment string) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey()))) + " " + comment
}

func TestParseKeys(t *testing.T) {
	signer, line := newPair(t, "anna@laptop")
	print := ssh.FingerprintSHA256(signer.PublicKey())
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	block, _ := ssh.MarshalPrivateKey(private, "")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakKey, _ := ssh.NewPublicKey(&weak.PublicKey)
	wire := base64.StdEncoding.EncodeToString(signer.PublicKey().Marshal())
	putty := "---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"anna@laptop\"\r\nSubject: a long \\\r\nheader\r\n" + wire[:40] + "\r\n" + wire[40:] + "\r\n---- END SSH2 PUBLIC KEY ----\r\n"
	for _, c := range []struct {
		name, text string
		n          int
		operator   bool
		says       string
	}{
		{"one", line, 1, false, ""},
		{"CR LF, a comment and a gap", "# mine\r\n\r\n" + line + "\r\n", 1, false, ""},
		{"two", line + "\n" + line, 2, false, ""},
		{"operator", "operator " + line, 1, true, ""},
		{"harmless options", "restrict,no-X11-forwarding,operator " + line, 1, true, ""},
		{"PuTTYgen's", putty, 1, false, ""},
		{"PuTTYgen's, cut", putty[:80], 0, false, "broken"},
		{"an option that would be lost", `from="10.0.0.0/8" ` + line, 0, false, "option from is not known"},
		{"a command", `command="rm" ` + line, 0, false, "option command is not known"},
		{"cut", line[:50], 0, false, "no public key"},
		{"broken", line[:40] + "\n" + line[40:], 0, false, "line 1"},
		{"the second is broken", line + "\nrubbish", 0, false, "line 2"},
		{"private", string(pem.EncodeToMemory(block)), 0, false, "private key"},
		{"PuTTY's private", "PuTTY-User-Key-File-3: ssh-ed25519\n", 0, false, "private key"},
		{"weak", string(ssh.MarshalAuthorizedKey(weakKey)), 0, false, "1024 bits"},
		{"empty", "\n\n", 0, false, "no key in it"},
		{"far too long", strings.Repeat("x", maxKeyBytes+1), 0, false, "too long"},
	} {
		keys, err := ParseKeys(c.text)
		switch {
		case c.says == "" && (err != nil || len(keys) != c.n || keys[0].Operator != c.operator || keys[0].Fingerprint != print || keys[0].Comment != "anna@laptop"):
			t.Errorf("%s: %+v, %v", c.name, keys, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || len(keys) > 0):
			t.Errorf("%s: %d keys, %v", c.name, len(keys), err)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	_, line := newPair(f, "x")
	f.Add("operator " + line)
	f.Add("---- BEGIN SSH2 PUBLIC KEY ----\nComment: a\\\nAAAA\n---- END SSH2 PUBLIC KEY ----")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseKeys(text)
		if err != nil {
			return
		}
		for _, k := range keys { // what is written is read again as the same
			again, err := parseKey(k.line())
			if err != nil || again != k {
				t.Fatalf("%+v became %+v, %v", k, again, err)
			}
		}
	})
}

func TestKeyFile(t *testing.T) {
	f := KeyFile(filepath.Join(t.TempDir(), "etc", "authorized_keys"))
	if keys, problems, err := f.Keys(); keys != nil || problems != nil || err != nil {
		t.Errorf("a missing file: %v %v %v", keys, problems, err)
	}
	_, anna := newPair(t, "anna")
	_, ben := newPair(t, "ben")
	parsed, err := ParseKeys(anna + "\n" + "operator " + ben)
	if err != nil {
		t.Fatal(err)
	}
	if added, err := f.Add(parsed); err != nil || len(added) != 2 {
		t.Fatalf("%v %v", added, err)
	}
	if st, err := os.Stat(string(f)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if added, err := f.Add(parsed[:1]); err != nil || len(added) != 0 {
		t.Errorf("a duplicate: %v %v", added, err)
	}
	// A person's lines stay, and what is not safe is told.
	data, _ := os.ReadFile(string(f))
	os.WriteFile(string(f), []byte("# by hand\n"+string(data)+"\nrubbish here\n"), 0o600)
	keys, problems, err := f.Keys()
	if err != nil || len(keys) != 2 || keys[0].Operator || !keys[1].Operator || len(problems) != 1 || !strings.Contains(problems[0], ":5: ") {
		t.Errorf("%+v %v %v", keys, problems, err)
	}
	if err := f.Mark(keys[1].Fingerprint, false); err != nil {
		t.Error(err)
	}
	if k, err := f.Remove(keys[0].Fingerprint); err != nil || k.Comment != "anna" {
		t.Errorf("%+v %v", k, err)
	}
	if _, err := f.Remove(keys[0].Fingerprint); !errors.Is(err, ErrUnknownKey) {
		t.Error(err)
	}
	if err := f.Mark("SHA256:nothing", true); !errors.Is(err, ErrUnknownKey) {
		t.Error(err)
	}
	data, _ = os.ReadFile(string(f))
	if want := "# by hand\n" + ben + "\n\nrubbish here\n"; string(data) != want {
		t.Errorf("%q, want %q", data, want)
	}
	os.Chmod(string(f), 0o666)
	if keys, _, err := f.Keys(); err == nil || len(keys) > 0 || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others write: %v %v", keys, err)
	}
	os.Chmod(string(f), 0o600)
	var many []Key
	for i := range MaxKeys {
		_, l := newPair(t, fmt.Sprint(i))
		k, _ := ParseKeys(l)
		many = append(many, k...)
	}
	if _, err := f.Add(many); err == nil {
		t.Error("more keys than there may be")
	}
}

func TestHostKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), HostKeyName)
	first, err := HostKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := HostKey(path)
	if err != nil || !bytes.Equal(first.PublicKey().Marshal(), again.PublicKey().Marshal()) {
		t.Errorf("it changed: %v", err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	os.Chmod(path, 0o644)
	if _, err := HostKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("one that others may read: %v", err)
	}
	for _, damage := range []string{"", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"} {
		os.WriteFile(path, []byte(damage), 0o600)
		os.Chmod(path, 0o600)
		if _, err := HostKey(path); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("a damaged one: %v", err)
		}
		if data, _ := os.ReadFile(path); string(data) != damage {
			t.Error("a damaged key was replaced")
		}
	}
}

func TestWords(t *testing.T) {
	for line, want := range map[string]string{
		"status":                        "status",
		"  trigger  'front yard' ":      "trigger|front yard",
		`trigger "front \"yard\""`:      `trigger|front "yard"`,
		`trigger front\ yard`:           "trigger|front yard",
		"events list '' --json":         "events|list||--json",
		"a$(rm) `b` ${c} ; d | e > f *": "a$(rm)|`b`|${c}|;|d|||e|>|f|*",
		"":                              "",
	} {
		if got, ok := Words(line); strings.Join(got, "|") != want || !ok {
			t.Errorf("Words(%q) = %q, %v", line, got, ok)
		}
	}
	for _, line := range []string{"'a", `"a`, `a\`} {
		if _, ok := Words(line); ok {
			t.Errorf("Words(%q) is whole", line)
		}
	}
}
