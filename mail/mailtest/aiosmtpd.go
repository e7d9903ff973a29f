package mailtest

import (
	_ "embed"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"watchpost/engine/need"
)

//go:embed aiosmtpd.py
var aiosmtpd string

// StartAiosmtpd sets Python's aiosmtpd up and starts it: AUTH, SIZE, SMTPUTF8, no
// PIPELINING. size is the largest mail in bytes, 0 for 50 MB.
func StartAiosmtpd(t testing.TB, size int) *Server {
	t.Helper()
	python := Python(t)
	if exec.Command(python, "-I", "-c", "import aiosmtpd").Run() != nil {
		need.Skip(t, "aiosmtpd is not installed (Debian package python3-aiosmtpd; make deps)")
	}
	if size == 0 {
		size = 50_000_000
	}
	s := newServer(t, "aiosmtpd")
	s.write("aiosmtpd.py", aiosmtpd, 0o644)
	s.env = []string{"PASSWORD=" + s.Password}
	s.refuse = s.writeRejects
	must(t, s.refuse())
	s.startOnFreePorts(3, func() {
		s.args = []string{python, "-I", s.path("aiosmtpd.py"), s.dir}
		for _, n := range append(s.port, size) {
			s.args = append(s.args, strconv.Itoa(n))
		}
		s.args = append(s.args, s.User, Domain, IDNDomain)
		s.Plain, s.Submission, s.TLS = s.port[0], s.port[1], s.port[2]
	})
	return s
}

// Python returns the path of a Python 3: Debian's, which sees Debian's packages,
// before what the user has in front of it.
func Python(t testing.TB) string {
	t.Helper()
	const debian = "/usr/bin/python3"
	if _, err := os.Stat(debian); err == nil {
		return debian
	}
	return need.Program(t, "python3", "python3")
}

// writeRejects writes a line "address: reply" for each recipient to refuse.
func (s *Server) writeRejects() error {
	var text strings.Builder
	for addr, code := range s.rejects {
		text.WriteString(addr + ": " + strconv.Itoa(code) + " refused by the test\n")
	}
	return os.WriteFile(s.path("rejects"), []byte(text.String()), 0o644)
}
