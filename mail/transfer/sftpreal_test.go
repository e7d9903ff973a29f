package transfer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watchpost/engine/config"
	"watchpost/mail/transfer/transfertest"
)

var hostKeyTypes = []string{"rsa", "ecdsa", "ed25519"}

// Whatever key the installer took the fingerprint of, it is found, and what is handed over is there.
func TestSFTPHostKeysOfEveryType(t *testing.T) {
	s, prints := transfertest.SSHD(t, "", hostKeyTypes...)
	for _, kind := range hostKeyTypes {
		t.Run(kind, func(t *testing.T) {
			to := newSFTP(s.AtSFTP(prints[kind]), serverPassword)
			exchangeSFTP(t, s, connected(t, to))
			if got := to.(*sftpTarget).hostKey; !strings.Contains(got, strings.TrimPrefix(kind, "ec")) {
				t.Errorf("not remembered: %q", got)
			}
			connected(t, to) // at once now
		})
	}
	ses := connected(t, newSFTP(s.AtSFTP(prints["rsa"]), serverPassword)).(*sftpSession)
	for _, name := range []string{"posix-rename@openssh.com", "fsync@openssh.com", "statvfs@openssh.com"} {
		if _, ok := ses.sftp.HasExtension(name); !ok {
			t.Errorf("%s is not found with a server that has it", name)
		}
	}
}

func exchangeSFTP(t *testing.T, s *server, ses session) {
	t.Helper()
	must(t, os.RemoveAll(s.Home("cam")))
	folder := s.Home("cam/20261124")
	for i := range 4 {
		f, data := image(fmt.Sprintf("cam-%d.jpg", i), 150_000*i, byte(i))
		if said, err := ses.put(t.Context(), f); err != nil || said == "" {
			t.Fatalf("file %d: %v, %q", i, err, said)
		}
		hasFile(t, folder, f.name, data)
	}
	f, data := image("cam-1.jpg", 1234, 99)
	if _, err := ses.put(t.Context(), f); err != nil {
		t.Fatalf("replacing: %v", err)
	}
	hasFile(t, folder, f.name, data)
	for i, part := range []int{100_000, 400_000, 500_000} {
		f, data := image(fmt.Sprintf("broken-%d.jpg", i), 400_000, byte(10+i))
		src, flt := openSource(f)
		if flt != nil {
			t.Fatal(flt)
		}
		left := filepath.Join(folder, src.part)
		must(t, os.WriteFile(left, append(data, make([]byte, 100_000)...)[:part], 0o644))
		must(t, os.Chown(left, serverUID, serverUID))
		if _, err := ses.put(t.Context(), f); err != nil {
			t.Fatalf("resume: %v", err)
		}
		hasFile(t, folder, f.name, data)
	}
	must(t, os.RemoveAll(s.Home("cam")))
	utf8 := bytesFile("cam/Gärten/日本", "Tür.jpg", data)
	if _, err := ses.put(t.Context(), utf8); err != nil {
		t.Fatalf("after the folder was removed: %v", err)
	}
	hasFile(t, s.Home("cam/Gärten/日本"), utf8.name, data)
}

// Every way in works: a key with and without passphrase, keyboard-interactive alone, password alone.
func TestSFTPLogins(t *testing.T) {
	both, prints := transfertest.SSHD(t, "", "ed25519")
	asking, asked := transfertest.SSHD(t, "PasswordAuthentication no\nKbdInteractiveAuthentication yes", "ed25519")
	telling, told := transfertest.SSHD(t, "PasswordAuthentication yes\nKbdInteractiveAuthentication no", "ed25519")
	for name, way := range map[string]struct {
		c      config.Transfer
		secret string
		s      *server
	}{
		"password":             {telling.AtSFTP(told["ed25519"]), serverPassword, telling},
		"keyboard-interactive": {asking.AtSFTP(asked["ed25519"]), serverPassword, asking},
		"key":                  {withKey(both.AtSFTP(prints["ed25519"]), both.ClientKey("ed25519", "")), "", both},
		"rsa key":              {withKey(both.AtSFTP(prints["ed25519"]), both.ClientKey("rsa", "")), "", both},
		"key with passphrase":  {withKey(both.AtSFTP(prints["ed25519"]), both.ClientKey("ecdsa", serverPassword)), serverPassword, both},
	} {
		t.Run(name, func(t *testing.T) {
			f, data := image("a.jpg", 1000, 1)
			if _, err := connected(t, newSFTP(way.c, way.secret)).put(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			hasFile(t, way.s.Home(f.dir), f.name, data)
		})
	}
}

func withKey(c config.Transfer, file string) config.Transfer { c.KeyFile = file; return c }

// What a real server refuses is said in plain words and graded by what waits for its cure.
func TestSFTPRefusals(t *testing.T) {
	s, prints := transfertest.SSHD(t, "", hostKeyTypes...)
	asking, asked := transfertest.SSHD(t, "PasswordAuthentication no", "ed25519")
	bare, bared := transfertest.SSHD(t, "Subsystem nothing /bin/false\nMatch all\nForceCommand /bin/false", "ed25519")
	good := s.AtSFTP(prints["ed25519"])
	with := func(change func(c *config.Transfer)) config.Transfer {
		c := good
		change(&c)
		return c
	}
	must(t, os.MkdirAll(s.Home("denied"), 0o755))
	f, _ := image("x.jpg", 400_000, 1)
	full, denied, below := f, f, f
	full.dir, denied.dir, below.dir = "full", "denied", "denied/new/one"
	locked := s.ClientKey("ed25519", serverPassword)
	s.Write("garbage", "no key", 0o600)
	s.Write("authorized_keys", "", 0o600)
	stranger := s.ClientKey("rsa", "")
	s.Write("authorized_keys", "", 0o600)
	for name, c := range map[string]struct {
		c      config.Transfer
		secret string
		f      file
		kind   kind
		step   string
		says   string
	}{
		"unknown host":   {with(func(c *config.Transfer) { c.HostKey = "" }), serverPassword, f, account, "hostkey", prints["rsa"]},
		"wrong host":     {with(func(c *config.Transfer) { c.HostKey = bared["ed25519"] }), serverPassword, f, account, "hostkey", prints["ecdsa"]},
		"password":       {good, "wrong-password", f, account, "login", "user name or password"},
		"asked":          {asking.AtSFTP(asked["ed25519"]), "wrong-password", f, account, "login", "user name or password"},
		"user":           {with(func(c *config.Transfer) { c.Username = "nobody-here" }), serverPassword, f, account, "login", "user name"},
		"key":            {withKey(good, stranger), "", f, account, "login", "user name or key"},
		"no passphrase":  {withKey(good, locked), "", f, account, "key", "passphrase"},
		"passphrase":     {withKey(good, locked), "wrong-" + serverPassword[:5], f, account, "key", "another passphrase"},
		"no key":         {withKey(good, s.Path("garbage")), "", f, account, "key", "no private key"},
		"no key file":    {withKey(good, s.Path("nothing")), "", f, account, "key", "cannot be read"},
		"no SFTP":        {bare.AtSFTP(bared["ed25519"]), serverPassword, f, account, "subsystem", "does not offer SFTP"},
		"rights":         {good, serverPassword, denied, permanent, "send", "permission denied"},
		"rights, folder": {good, serverPassword, below, permanent, "folder", "permission denied"},
		"disk full":      {good, serverPassword, full, temporary, "send", "no room"},
		"nobody":         {with(func(c *config.Transfer) { c.Port = transfertest.FreePort(t) }), serverPassword, f, network, "tcp", "refused"},
		"no such name":   {with(func(c *config.Transfer) { c.Server = "nas.invalid" }), serverPassword, f, network, "lookup", "nas.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			f := refusedWith(t, newSFTP(c.c, c.secret), c.f)
			if f.kind != c.kind || f.step != c.step || !strings.Contains(f.Error(), c.says) {
				t.Errorf("kind %d, step %q: %v", f.kind, f.step, f)
			}
			t.Log(f)
		})
	}
}
