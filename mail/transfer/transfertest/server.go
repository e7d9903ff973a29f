// Package transfertest starts the real servers that images are handed over to:
// vsftpd, ProFTPD, Pure-FTPd, OpenSSH's sshd, nginx and mosquitto, which need not
// be installed.
//
// It is imported by tests only. The goroutines that wait for a server end with it.
package transfertest

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/need"
	"watchpost/mail/mailtest"
)

// User may log in to every real server, with Password; it has the folder home of
// the server's own and no rights elsewhere.
const (
	User     = "camera"
	Password = "s3cret-Pa55word"
	UID      = 65010
)

// Server is a real server that is not installed: a Debian package, unpacked, in
// mount and process namespaces of its own, with its own users.
type Server struct {
	Dir      string // all that it writes
	Packages string // the unpacked packages
	Port     int
	Implicit int    // port with TLS from the start; 0: none
	CAFile   string // of its certificate
	Pin      string

	t    testing.TB
	args func() []string
	stop func() // nil: it does not run
}

// Path is a path in the server's folder, and Home one in the user's.
func (s *Server) Path(name string) string { return filepath.Join(s.Dir, name) }
func (s *Server) Home(name string) string { return filepath.Join(s.Dir, "home", name) }

// Write writes a file of the server's.
func (s *Server) Write(name, text string, mode os.FileMode) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(s.Path(name)), 0o755))
	must(s.t, os.WriteFile(s.Path(name), []byte(text), mode))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// New makes the folders of a server, its users and its certificate.
func New(t testing.TB, packages ...string) *Server {
	t.Helper()
	need.Root(t, "a server that is not installed gets its own users")
	s := &Server{t: t, Packages: need.Unpacked(t, packages...)}
	var err error
	s.Dir, err = os.MkdirTemp("", "watchpost-"+packages[0]+"-")
	must(t, err)
	t.Cleanup(func() {
		for _, name := range []string{"log", "log.own"} {
			if log, _ := os.ReadFile(s.Path(name)); t.Failed() {
				t.Logf("the log of %s:\n%s", packages[0], log[max(0, len(log)-8<<10):])
			}
		}
		os.RemoveAll(s.Dir)
	})
	must(t, os.Chmod(s.Dir, 0o755))
	hash, err := exec.Command(need.Program(t, "openssl", "openssl"), "passwd", "-6", Password).Output()
	must(t, err)
	for file, line := range map[string]string{
		"passwd": fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\nsshd:x:65011:65011::/run/sshd:/usr/sbin/nologin\n", User, UID, UID, s.Path("home")),
		"group":  fmt.Sprintf("%s:x:%d:\nsshd:x:65011:\n", User, UID),
		"shadow": fmt.Sprintf("%s:%s:19000:0:99999:7:::\n", User, bytes.TrimSpace(hash)),
	} {
		old, err := os.ReadFile("/etc/" + file)
		must(t, err)
		s.Write("etc/"+file, string(old)+line, 0o644)
	}
	for _, service := range []string{"vsftpd", "sshd"} {
		s.Write("etc/pam.d/"+service, "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n", 0o644)
	}
	for _, d := range []string{"home", "home/full", "empty", "run/sshd"} {
		must(t, os.MkdirAll(s.Path(d), 0o755))
	}
	must(t, os.Chown(s.Path("home"), UID, UID))
	ca, err := mailtest.NewAuthority()
	must(t, err)
	cert, key, err := ca.Certificate(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0), "127.0.0.1", "::1")
	must(t, err)
	s.Write("cert.pem", string(cert), 0o644)
	s.Write("key.pem", string(key), 0o600)
	s.Write("both.pem", string(key)+string(cert), 0o600)
	s.Write("ca.pem", string(ca.PEM), 0o644)
	s.CAFile, s.Pin = s.Path("ca.pem"), PinOf(t, cert)
	return s
}

// PinOf is the SHA-256 of a certificate's public key, in base64.
func PinOf(t testing.TB, certPEM []byte) string {
	block, _ := pem.Decode(certPEM)
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// beside gives the command behind its two folders the server's users and
// libraries, and the disk home/full, which is small.
const beside = `set -e
dir=$1 packages=$2
shift 2
for f in passwd group shadow pam.d; do mount --bind "$dir/etc/$f" /etc/$f; done
mount --bind "$dir/run" /run
mount -t tmpfs -o size=256k,mode=777 tmpfs "$dir/home/full"
export LD_LIBRARY_PATH=$(echo "$packages"/usr/lib/*-linux-gnu*)
"$@" & # the shell stays the first process: vsftpd ends with a fault where it is given orphans
wait $!`

// Start runs a server until the test's end; it is up when Start returns. Its arguments are
// made once its ports are known.
func (s *Server) Start(args func() []string) {
	s.t.Helper()
	s.args = args
	s.t.Cleanup(s.Kill)
	for try := 1; ; try++ {
		s.Port, s.Implicit = FreePort(s.t), FreePort(s.t)
		if s.run() {
			return
		}
		if try == 3 {
			log, _ := os.ReadFile(s.Path("log"))
			s.t.Fatalf("%s does not start:\n%s", args()[0], log)
		}
	}
}

// Kill ends the server and all that it started; killing a dead one does nothing.
func (s *Server) Kill() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Restart starts the server after Kill: on the same ports, with the same files.
func (s *Server) Restart() {
	s.t.Helper()
	if !s.run() {
		log, _ := os.ReadFile(s.Path("log"))
		s.t.Fatalf("%s does not start again:\n%s", s.args()[0], log)
	}
}

func (s *Server) run() bool {
	s.t.Helper()
	a := s.args()
	log, err := os.OpenFile(s.Path("log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(s.t, err)
	cmd := exec.Command(need.Program(s.t, "unshare", "util-linux"),
		append([]string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", beside, "sh", s.Dir, s.Packages}, a...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(s.t, cmd.Start())
	log.Close()
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	s.stop = func() { cmd.Process.Kill(); <-ended }
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		select {
		case <-ended:
			return false
		default:
		}
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port)); err == nil {
			c.Close()
			return true
		}
	}
	s.Kill()
	return false
}

var givenPorts sync.Map

// FreePort is a port of loopback that nobody listens on; none is given out twice.
func FreePort(t testing.TB) int {
	for range 1000 {
		port := 10_000 + rand.IntN(22_000)
		if _, taken := givenPorts.LoadOrStore(port, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// At is the place that a server is.
func (s *Server) At(kind string) config.Transfer {
	return config.Transfer{Name: "nas", Kind: kind, Server: "127.0.0.1", Port: s.Port, Username: User, CAFile: s.CAFile}
}
