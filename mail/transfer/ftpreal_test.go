package transfer

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"watchpost/engine/config"
)

func pinOf(t *testing.T, certPEM []byte) string {
	block, _ := pem.Decode(certPEM)
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// startVsftpd starts vsftpd; extra are lines of its configuration.
func startVsftpd(t *testing.T, extra string) *server {
	s := newServer(t, "vsftpd")
	s.start(func() []string {
		s.write("vsftpd.conf", fmt.Sprintf(`listen=YES
listen_address=127.0.0.1
listen_port=%d
background=NO
ftp_username=nobody
local_enable=YES
write_enable=YES
secure_chroot_dir=%s
pam_service_name=vsftpd
rsa_cert_file=%s
rsa_private_key_file=%s
ssl_enable=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
require_ssl_reuse=YES
ssl_ciphers=HIGH
utf8_filesystem=YES
local_umask=022
isolate_network=NO
seccomp_sandbox=NO
log_ftp_protocol=YES
debug_ssl=YES
vsftpd_log_file=%s.own
xferlog_enable=YES
xferlog_std_format=NO
%s
`, s.port, s.path("empty"), s.path("cert.pem"), s.path("key.pem"), s.path("log"), extra), 0o600)
		conf := "/etc/ssl/openssl.cnf"
		if extra == "# TLS 1.2" {
			conf = s.path("openssl.cnf")
			s.write("openssl.cnf", "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.2\n", 0o644)
		}
		return []string{"env", "OPENSSL_CONF=" + conf, s.packages + "/usr/sbin/vsftpd", s.path("vsftpd.conf")}
	})
	return s
}

func startProftpd(t *testing.T, extra string) *server {
	s := newServer(t, "proftpd-core", "proftpd-mod-crypto")
	s.start(func() []string {
		s.write("users", string(mustRead(t, s.path("etc/passwd"))), 0o600)
		shadow := mustRead(t, s.path("etc/shadow"))
		line := shadow[bytes.LastIndex(shadow, []byte(serverUser+":"))+len(serverUser)+1:]
		s.write("users", fmt.Sprintf("%s:%s:%d:%d::%s:/bin/sh\n", serverUser, bytes.SplitN(line, []byte(":"), 2)[0], serverUID, serverUID, s.path("home")), 0o600)
		tls := fmt.Sprintf("TLSEngine on\nTLSECCertificateFile %s\nTLSECCertificateKeyFile %s\nTLSLog %s\n", s.path("cert.pem"), s.path("key.pem"), s.path("log"))
		s.write("proftpd.conf", fmt.Sprintf(`ModulePath %[1]s/usr/lib/proftpd
LoadModule mod_tls.c
ServerName test
ServerType standalone
DefaultAddress 127.0.0.1
UseIPv6 off
UseReverseDNS off
Port %[2]d
User nobody
Group nogroup
AuthOrder mod_auth_file.c
AuthUserFile %[3]s
RequireValidShell off
UseFtpUsers off
DelayEngine off
PidFile %[4]s/pid
ScoreboardFile %[4]s/score
TransferLog none
WtmpLog off
SystemLog %[5]s
%[6]s
%[7]s
<VirtualHost 127.0.0.1>
Port %[8]d
AuthUserFile %[3]s
RequireValidShell off
UseFtpUsers off
%[6]s
TLSOptions UseImplicitSSL
</VirtualHost>
`, s.packages, s.port, s.path("users"), s.path("run"), s.path("log"), tls, extra, s.implicit), 0o600)
		return []string{s.packages + "/usr/sbin/proftpd", "-n", "-c", s.path("proftpd.conf")}
	})
	return s
}

func startPureFTPd(t *testing.T) *server {
	s := newServer(t, "pure-ftpd")
	s.start(func() []string {
		add := exec.Command(s.packages+"/usr/bin/pure-pw", "useradd", serverUser, "-f", s.path("users"), "-F", s.path("users.pdb"), "-m",
			"-u", fmt.Sprint(serverUID), "-g", fmt.Sprint(serverUID), "-d", s.path("home"))
		add.Env = append(os.Environ(), "LD_LIBRARY_PATH="+s.packages+"/usr/lib/x86_64-linux-gnu")
		add.Stdin = strings.NewReader(serverPassword + "\n" + serverPassword + "\n")
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("pure-pw: %v\n%s", err, out)
		}
		return []string{s.packages + "/usr/sbin/pure-ftpd", "-S", fmt.Sprintf("127.0.0.1,%d", s.port), "-l", "puredb:" + s.path("users.pdb"),
			"-Y", "1", "-2", s.path("both.pem"), "-H", "-g", s.path("pid")}
	})
	s.implicit = 0
	return s
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return b
}

// TestFTPServers hands files over to real servers in every way that they offer.
func TestFTPServers(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *server{
		"vsftpd": func(t *testing.T) *server { s := startVsftpd(t, ""); s.implicit = 0; return s },
		"vsftpd-tls12": func(t *testing.T) *server {
			s := startVsftpd(t, "# TLS 1.2")
			s.implicit = 0
			return s
		},
		"vsftpd-implicit": func(t *testing.T) *server { s := startVsftpd(t, "implicit_ssl=YES"); s.implicit = s.port; return s },
		"proftpd":         func(t *testing.T) *server { return startProftpd(t, "") },
		"pure-ftpd":       startPureFTPd,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			for _, security := range []string{"none", "auto", "starttls", "tls"} {
				c := s.at("ftp")
				c.Security = security
				switch {
				case security == "tls" && s.implicit == 0, security != "tls" && s.implicit == s.port:
					continue
				case security == "tls":
					c.Port = s.implicit
				}
				t.Run(security, func(t *testing.T) { exchangeFTP(t, s, c) })
			}
		})
	}
}

// exchangeFTP hands over several files in one session, one of them twice.
func exchangeFTP(t *testing.T, s *server, c config.Transfer) {
	must(t, os.RemoveAll(s.home("cam")))
	to := newFTP(c, serverPassword)
	ses := connected(t, to)
	for i := range 5 {
		f, data := image(fmt.Sprintf("cam-%d.jpg", i), 300_000*i, byte(i))
		said, err := ses.put(t.Context(), f)
		if err != nil {
			t.Fatalf("file %d: %v", i, err)
		}
		if said == "" {
			t.Error("the server's last words are lost")
		}
		hasFile(t, s.home("cam/20261124"), f.name, data)
	}
	f, data := image("cam-1.jpg", 1234, 99)
	if _, err := ses.put(t.Context(), f); err != nil {
		t.Fatalf("replacing: %v", err)
	}
	hasFile(t, s.home("cam/20261124"), f.name, data)

	utf8 := bytesFile("Gärten/日本", "Tür-ü.jpg", data)
	if _, err := ses.put(t.Context(), utf8); err != nil {
		t.Fatalf("UTF-8: %v", err)
	}
	hasFile(t, s.home("Gärten/日本"), utf8.name, data)
	must(t, os.RemoveAll(s.home("Gärten")))

	// A file of which a broken attempt left half is continued, and one of which it left all is renamed.
	for i, part := range []int{200_000, 400_000} {
		f, data := image(fmt.Sprintf("broken-%d.jpg", i), 400_000, byte(10+i))
		src, flt := openSource(f)
		if flt != nil {
			t.Fatal(flt)
		}
		left := s.home(filepath.Join("cam/20261124", src.part))
		must(t, os.WriteFile(left, data[:part], 0o644))
		must(t, os.Chown(left, serverUID, serverUID))
		if _, err := ses.put(t.Context(), f); err != nil {
			t.Fatalf("resume: %v", err)
		}
		hasFile(t, s.home("cam/20261124"), f.name, data)
	}

	// The folder may be removed while the session goes on.
	must(t, os.RemoveAll(s.home("cam")))
	f, data = image("after.jpg", 5000, 20)
	if _, err := ses.put(t.Context(), f); err != nil {
		if _, err = ses.put(t.Context(), f); err != nil {
			t.Fatalf("after the folder was removed: %v", err)
		}
	}
	hasFile(t, s.home("cam/20261124"), f.name, data)
}

// A broken file is continued where the server can, not sent anew.
func TestFTPResumeSendsTheRestOnly(t *testing.T) {
	s := startVsftpd(t, "")
	f, data := image("a.jpg", 400_000, 1)
	f.dir = ""
	src, _ := openSource(f)
	must(t, os.WriteFile(s.home(src.part), data[:300_000], 0o644))
	must(t, os.Chown(s.home(src.part), serverUID, serverUID))
	if _, err := connected(t, newFTP(s.at("ftp"), serverPassword)).put(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	hasFile(t, s.home(""), f.name, data)
	if log := string(mustRead(t, s.path("log.own"))); !strings.Contains(log, `"REST 300000"`) || strings.Contains(log, "DELE") {
		t.Errorf("not continued:\n%s", log)
	}
}

// vsftpd takes no data without the control connection's TLS session, or the tests above
// would not show that it is used; and then a new session is what helps.
func TestFTPSessionReuseIsDemanded(t *testing.T) {
	s := startVsftpd(t, "")
	for _, sent := range []int{0, 1} {
		ses := connected(t, newFTP(s.at("ftp"), serverPassword))
		f, _ := image("a.jpg", 1000, byte(sent))
		for range sent {
			if _, err := ses.put(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		ses.(*ftpSession).tickets = newControlTickets()
		f, _ = image("b.jpg", 1000, byte(sent))
		_, err := ses.put(t.Context(), f)
		if flt := asFault(t, err); flt.kind != account && sent == 0 || flt.kind != network && sent > 0 || flt.code != 522 || !strings.Contains(flt.Error(), "session") {
			t.Errorf("%d sent: kind %d: %v", sent, flt.kind, flt)
		}
	}
}

// What a real server refuses is said in plain words and graded by what waits for its cure.
func TestFTPRealRefusals(t *testing.T) {
	s := startVsftpd(t, "ssl_enable=YES")
	ok, _ := image("x.jpg", 400_000, 1)
	plain, _ := image("x.jpg", 4000, 1)
	with := func(change func(c *config.Transfer)) config.Transfer {
		c := s.at("ftp")
		change(&c)
		return c
	}
	noTLS := startVsftpd(t, "ssl_enable=NO")
	denied := s.home("denied")
	must(t, os.MkdirAll(denied, 0o755)) // root's
	full, deniedFile := ok, plain
	full.dir, deniedFile.dir = "full", "denied"
	newFolder := plain
	newFolder.dir = "denied/new"
	for name, c := range map[string]struct {
		c        config.Transfer
		password string
		f        file
		kind     kind
		step     string
		says     string
	}{
		"password":      {with(func(c *config.Transfer) {}), "wrong-password", plain, account, "login", "user name or password"},
		"empty":         {with(func(c *config.Transfer) {}), "", plain, account, "login", "user name or password"},
		"user":          {with(func(c *config.Transfer) { c.Username = "nobody-here" }), serverPassword, plain, account, "login", ""},
		"name":          {with(func(c *config.Transfer) { c.Server = "localhost" }), serverPassword, plain, account, "tls", "not for localhost"},
		"authority":     {with(func(c *config.Transfer) { c.CAFile = "" }), serverPassword, plain, account, "tls", "no authority"},
		"pin":           {with(func(c *config.Transfer) { c.Pin = noTLS.pin }), serverPassword, plain, account, "tls", "not the pinned one"},
		"bad pin":       {with(func(c *config.Transfer) { c.Pin = "zz" }), serverPassword, plain, account, "tls", "pin"},
		"no ca file":    {with(func(c *config.Transfer) { c.CAFile = "/nonexistent" }), serverPassword, plain, account, "tls", "CA file"},
		"no TLS there":  {noTLS.at("ftp"), serverPassword, plain, account, "tls", "does not offer TLS"},
		"implicit":      {with(func(c *config.Transfer) { c.Security = "tls" }), serverPassword, plain, account, "tls", "does not answer in TLS"},
		"rights":        {s.at("ftp"), serverPassword, deniedFile, permanent, "send", "553"},
		"new folder":    {s.at("ftp"), serverPassword, newFolder, permanent, "folder", "550"},
		"disk full":     {s.at("ftp"), serverPassword, full, temporary, "send", "451"},
		"nobody":        {with(func(c *config.Transfer) { c.Port = freePort(t) }), serverPassword, plain, network, "tcp", "refused"},
		"no such name":  {with(func(c *config.Transfer) { c.Server = "nas.invalid" }), serverPassword, plain, network, "lookup", "nas.invalid"},
		"security word": {with(func(c *config.Transfer) { c.Security = "ssl" }), serverPassword, plain, account, "tls", "ssl"},
	} {
		t.Run(name, func(t *testing.T) {
			f := refusedWith(t, newFTP(c.c, c.password), c.f)
			if f.kind != c.kind || f.step != c.step || !strings.Contains(f.Error(), c.says) {
				t.Errorf("kind %d, step %q: %v", f.kind, f.step, f)
			}
			t.Log(f)
		})
	}
	// A pin that is right needs no authority.
	pinned := with(func(c *config.Transfer) { c.CAFile, c.Pin = "", s.pin })
	if _, err := connected(t, newFTP(pinned, serverPassword)).put(t.Context(), plain); err != nil {
		t.Error(err)
	}
}

// A full disk is said to be one where the server says so.
func TestFTPDiskFull(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *server{
		"proftpd":   func(t *testing.T) *server { return startProftpd(t, "") },
		"pure-ftpd": startPureFTPd,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			f, _ := image("x.jpg", 600_000, 1)
			f.dir = "full"
			flt := refusedWith(t, newFTP(s.at("ftp"), serverPassword), f)
			if flt.kind != temporary && flt.kind != account || !strings.Contains(flt.Error(), "room") {
				t.Errorf("%d %v", flt.kind, flt)
			}
			t.Log(flt)
		})
	}
}
