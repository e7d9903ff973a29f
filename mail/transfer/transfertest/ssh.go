package transfertest

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"watchpost/engine/config"
	"watchpost/engine/need"
)

// SSHD starts OpenSSH's server with a host key of each of the types; extra are
// lines of its configuration, which win over what follows.
func SSHD(t testing.TB, extra string, types ...string) (s *Server, fingerprints map[string]string) {
	s = New(t, "openssh-server")
	keygen := need.Program(t, "ssh-keygen", "openssh-client")
	fingerprints = map[string]string{}
	var keys strings.Builder
	for _, kind := range types {
		key := s.Path("host_" + kind)
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
	s.Start(func() []string {
		s.Write("sshd_config", fmt.Sprintf(`%s
%sListenAddress 127.0.0.1
Port %d
PidFile none
UsePAM yes
StrictModes no
AuthorizedKeysFile %s
LogLevel DEBUG1
`, extra, keys.String(), s.Port, s.Path("authorized_keys")), 0o600)
		return []string{s.Packages + "/usr/sbin/sshd", "-D", "-e", "-f", s.Path("sshd_config")}
	})
	return s, fingerprints
}

// AtSFTP is the place that a server with a host key is.
func (s *Server) AtSFTP(fingerprint string) config.Transfer {
	c := s.At("sftp")
	c.CAFile, c.HostKey = "", fingerprint
	return c
}

// ClientKey makes a key that the server lets in and returns its file.
func (s *Server) ClientKey(kind, passphrase string) string {
	s.t.Helper()
	key := s.Path("client_" + kind + strconv.Itoa(len(passphrase)))
	if out, err := exec.Command("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", key).CombinedOutput(); err != nil {
		s.t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	all, _ := os.ReadFile(s.Path("authorized_keys"))
	s.Write("authorized_keys", string(all)+string(read(s.t, key+".pub")), 0o644)
	return key
}
