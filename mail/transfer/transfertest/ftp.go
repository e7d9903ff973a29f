package transfertest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Vsftpd starts vsftpd; extra are lines of its configuration.
func Vsftpd(t testing.TB, extra string) *Server {
	s := New(t, "vsftpd")
	s.Start(func() []string {
		s.Write("vsftpd.conf", fmt.Sprintf(`listen=YES
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
`, s.Port, s.Path("empty"), s.Path("cert.pem"), s.Path("key.pem"), s.Path("log"), extra), 0o600)
		conf := "/etc/ssl/openssl.cnf"
		if extra == "# TLS 1.2" {
			conf = s.Path("openssl.cnf")
			s.Write("openssl.cnf", "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.2\n", 0o644)
		}
		return []string{"env", "OPENSSL_CONF=" + conf, s.Packages + "/usr/sbin/vsftpd", s.Path("vsftpd.conf")}
	})
	return s
}

// Proftpd starts ProFTPD; extra are lines of its configuration.
func Proftpd(t testing.TB, extra string) *Server {
	s := New(t, "proftpd-core", "proftpd-mod-crypto")
	s.Start(func() []string {
		s.Write("users", string(read(t, s.Path("etc/passwd"))), 0o600)
		shadow := read(t, s.Path("etc/shadow"))
		line := shadow[bytes.LastIndex(shadow, []byte(User+":"))+len(User)+1:]
		s.Write("users", fmt.Sprintf("%s:%s:%d:%d::%s:/bin/sh\n", User, bytes.SplitN(line, []byte(":"), 2)[0], UID, UID, s.Path("home")), 0o600)
		tls := fmt.Sprintf("TLSEngine on\nTLSECCertificateFile %s\nTLSECCertificateKeyFile %s\nTLSLog %s\n", s.Path("cert.pem"), s.Path("key.pem"), s.Path("log"))
		s.Write("proftpd.conf", fmt.Sprintf(`ModulePath %[1]s/usr/lib/proftpd
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
`, s.Packages, s.Port, s.Path("users"), s.Path("run"), s.Path("log"), tls, extra, s.Implicit), 0o600)
		return []string{s.Packages + "/usr/sbin/proftpd", "-n", "-c", s.Path("proftpd.conf")}
	})
	return s
}

// PureFTPd starts Pure-FTPd.
func PureFTPd(t testing.TB) *Server {
	s := New(t, "pure-ftpd")
	s.Start(func() []string {
		add := exec.Command(s.Packages+"/usr/bin/pure-pw", "useradd", User, "-f", s.Path("users"), "-F", s.Path("users.pdb"), "-m",
			"-u", fmt.Sprint(UID), "-g", fmt.Sprint(UID), "-d", s.Path("home"))
		add.Env = append(os.Environ(), "LD_LIBRARY_PATH="+s.Packages+"/usr/lib/x86_64-linux-gnu")
		add.Stdin = strings.NewReader(Password + "\n" + Password + "\n")
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("pure-pw: %v\n%s", err, out)
		}
		return []string{s.Packages + "/usr/sbin/pure-ftpd", "-S", fmt.Sprintf("127.0.0.1,%d", s.Port), "-l", "puredb:" + s.Path("users.pdb"),
			"-Y", "1", "-2", s.Path("both.pem"), "-H", "-g", s.Path("pid")}
	})
	s.Implicit = 0
	return s
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return b
}
