package transfer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"watchpost/engine/config"
	"watchpost/engine/need"
)

// startSSHD starts OpenSSH's server with a host key of each of the types; extra are
// lines of its configuration, which win over what follows.
func startSSHD(t *testing.T, extra string, types ...string) (s *server, fingerprints map[string]string) {
	s = newServer(t, "openssh-server")
	keygen := need.Program(t, "ssh-keygen", "openssh-client")
	fingerprints = map[string]string{}
	var keys strings.Builder
	for _, kind := range types {
		key := s.path("host_" + kind)
		if out, err := exec.Command(keygen, "-q", "-t", kind, "-N", "", "-f", key).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
		out, err := exec.Command(keygen, "-l", "-f", key+".pub").Output()
		must(t, err)
		fingerprints[kind] = strings.Fields(string(out))[1]
		fmt.Fprintf(&keys, "HostKey %s\n", key)
	}
	if !strings.Contains(extra, "Subsystem") {
		extra += "\nSubsystem sftp internal-sftp"
	}
	s.start(func() []string {
		s.write("sshd_config", fmt.Sprintf(`%s
%sListenAddress 127.0.0.1
Port %d
PidFile none
UsePAM yes
StrictModes no
AuthorizedKeysFile %s
LogLevel DEBUG1
`, extra, keys.String(), s.port, s.path("authorized_keys")), 0o600)
		return []string{s.packages + "/usr/sbin/sshd", "-D", "-e", "-f", s.path("sshd_config")}
	})
	return s, fingerprints
}

func (s *server) atSFTP(fingerprint string) config.Transfer {
	c := s.at("sftp")
	c.CAFile, c.HostKey = "", fingerprint
	return c
}

// clientKey makes a key that the server lets in and returns its file.
func (s *server) clientKey(kind, passphrase string) string {
	s.t.Helper()
	key := s.path("client_" + kind + strconv.Itoa(len(passphrase)))
	if out, err := exec.Command("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", key).CombinedOutput(); err != nil {
		s.t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	all, _ := os.ReadFile(s.path("authorized_keys"))
	s.write("authorized_keys", string(all)+string(mustRead(s.t, key+".pub")), 0o644)
	return key
}

var hostKeyTypes = []string{"rsa", "ecdsa", "ed25519"}

// Whatever key the installer took the fingerprint of, it is found, and what is handed over is there.
func TestSFTPHostKeysOfEveryType(t *testing.T) {
	s, prints := startSSHD(t, "", hostKeyTypes...)
	for _, kind := range hostKeyTypes {
		t.Run(kind, func(t *testing.T) {
			to := newSFTP(s.atSFTP(prints[kind]), serverPassword)
			exchangeSFTP(t, s, connected(t, to))
			if got := to.(*sftpTarget).hostKey; !strings.Contains(got, strings.TrimPrefix(kind, "ec")) {
				t.Errorf("not remembered: %q", got)
			}
			connected(t, to) // at once now
		})
	}
	ses := connected(t, newSFTP(s.atSFTP(prints["rsa"]), serverPassword)).(*sftpSession)
	for _, name := range []string{"posix-rename@openssh.com", "fsync@openssh.com", "statvfs@openssh.com"} {
		if _, ok := ses.sftp.HasExtension(name); !ok {
			t.Errorf("%s is not found with a server that has it", name)
		}
	}
}

func exchangeSFTP(t *testing.T, s *server, ses session) {
	t.Helper()
	must(t, os.RemoveAll(s.home("cam")))
	folder := s.home("cam/20261124")
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
	must(t, os.RemoveAll(s.home("cam")))
	utf8 := bytesFile("cam/Gärten/日本", "Tür.jpg", data)
	if _, err := ses.put(t.Context(), utf8); err != nil {
		t.Fatalf("after the folder was removed: %v", err)
	}
	hasFile(t, s.home("cam/Gärten/日本"), utf8.name, data)
}

// Every way in works: a key with and without passphrase, keyboard-interactive alone, password alone.
func TestSFTPLogins(t *testing.T) {
	both, prints := startSSHD(t, "", "ed25519")
	asking, asked := startSSHD(t, "PasswordAuthentication no\nKbdInteractiveAuthentication yes", "ed25519")
	telling, told := startSSHD(t, "PasswordAuthentication yes\nKbdInteractiveAuthentication no", "ed25519")
	for name, way := range map[string]struct {
		c      config.Transfer
		secret string
		s      *server
	}{
		"password":             {telling.atSFTP(told["ed25519"]), serverPassword, telling},
		"keyboard-interactive": {asking.atSFTP(asked["ed25519"]), serverPassword, asking},
		"key":                  {withKey(both.atSFTP(prints["ed25519"]), both.clientKey("ed25519", "")), "", both},
		"rsa key":              {withKey(both.atSFTP(prints["ed25519"]), both.clientKey("rsa", "")), "", both},
		"key with passphrase":  {withKey(both.atSFTP(prints["ed25519"]), both.clientKey("ecdsa", serverPassword)), serverPassword, both},
	} {
		t.Run(name, func(t *testing.T) {
			f, data := image("a.jpg", 1000, 1)
			if _, err := connected(t, newSFTP(way.c, way.secret)).put(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			hasFile(t, way.s.home(f.dir), f.name, data)
		})
	}
}

func withKey(c config.Transfer, file string) config.Transfer { c.KeyFile = file; return c }

// What a real server refuses is said in plain words and graded by what waits for its cure.
func TestSFTPRefusals(t *testing.T) {
	s, prints := startSSHD(t, "", hostKeyTypes...)
	asking, asked := startSSHD(t, "PasswordAuthentication no", "ed25519")
	bare, bared := startSSHD(t, "Subsystem nothing /bin/false\nMatch all\nForceCommand /bin/false", "ed25519")
	good := s.atSFTP(prints["ed25519"])
	with := func(change func(c *config.Transfer)) config.Transfer {
		c := good
		change(&c)
		return c
	}
	must(t, os.MkdirAll(s.home("denied"), 0o755))
	f, _ := image("x.jpg", 400_000, 1)
	full, denied, below := f, f, f
	full.dir, denied.dir, below.dir = "full", "denied", "denied/new/one"
	locked := s.clientKey("ed25519", serverPassword)
	s.write("garbage", "no key", 0o600)
	s.write("authorized_keys", "", 0o600)
	stranger := s.clientKey("rsa", "")
	s.write("authorized_keys", "", 0o600)
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
		"asked":          {asking.atSFTP(asked["ed25519"]), "wrong-password", f, account, "login", "user name or password"},
		"user":           {with(func(c *config.Transfer) { c.Username = "nobody-here" }), serverPassword, f, account, "login", "user name"},
		"key":            {withKey(good, stranger), "", f, account, "login", "user name or key"},
		"no passphrase":  {withKey(good, locked), "", f, account, "key", "passphrase"},
		"passphrase":     {withKey(good, locked), "wrong-" + serverPassword[:5], f, account, "key", "another passphrase"},
		"no key":         {withKey(good, s.path("garbage")), "", f, account, "key", "no private key"},
		"no key file":    {withKey(good, s.path("nothing")), "", f, account, "key", "cannot be read"},
		"no SFTP":        {bare.atSFTP(bared["ed25519"]), serverPassword, f, account, "subsystem", "does not offer SFTP"},
		"rights":         {good, serverPassword, denied, permanent, "send", "permission denied"},
		"rights, folder": {good, serverPassword, below, permanent, "folder", "permission denied"},
		"disk full":      {good, serverPassword, full, temporary, "send", "no room"},
		"nobody":         {with(func(c *config.Transfer) { c.Port = freePort(t) }), serverPassword, f, network, "tcp", "refused"},
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
