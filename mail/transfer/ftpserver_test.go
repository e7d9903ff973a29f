package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/need"
	"watchpost/mail/mailtest"
)

// serverUser may log in to every real server, with serverPassword; it has the
// folder home of the server's own and no rights elsewhere.
const (
	serverUser     = "camera"
	serverPassword = "s3cret-Pa55word"
	serverUID      = 65010
)

// server is a real FTP or SSH server that is not installed: a Debian package,
// unpacked, in mount and process namespaces of its own, with its own users.
type server struct {
	t        *testing.T
	dir      string
	packages string
	port     int
	implicit int    // port with TLS from the start; 0: none
	caFile   string // of its certificate
	pin      string
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *server) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	must(s.t, os.WriteFile(s.path(name), []byte(text), mode))
}

// home is a path in the user's folder.
func (s *server) home(name string) string { return filepath.Join(s.dir, "home", name) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newServer makes the folders of a server, its users and its certificate.
func newServer(t *testing.T, packages ...string) *server {
	t.Helper()
	need.Root(t, "a server that is not installed gets its own users")
	s := &server{t: t, packages: need.Unpacked(t, packages...)}
	var err error
	s.dir, err = os.MkdirTemp("", "watchpost-"+packages[0]+"-")
	must(t, err)
	t.Cleanup(func() {
		for _, name := range []string{"log", "log.own"} {
			if log, _ := os.ReadFile(s.path(name)); t.Failed() {
				t.Logf("the log of %s:\n%s", packages[0], log[max(0, len(log)-8<<10):])
			}
		}
		os.RemoveAll(s.dir)
	})
	must(t, os.Chmod(s.dir, 0o755))
	hash, err := exec.Command(need.Program(t, "openssl", "openssl"), "passwd", "-6", serverPassword).Output()
	must(t, err)
	for file, line := range map[string]string{
		"passwd": fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\nsshd:x:65011:65011::/run/sshd:/usr/sbin/nologin\n", serverUser, serverUID, serverUID, s.path("home")),
		"group":  fmt.Sprintf("%s:x:%d:\nsshd:x:65011:\n", serverUser, serverUID),
		"shadow": fmt.Sprintf("%s:%s:19000:0:99999:7:::\n", serverUser, bytes.TrimSpace(hash)),
	} {
		old, err := os.ReadFile("/etc/" + file)
		must(t, err)
		s.write("etc/"+file, string(old)+line, 0o644)
	}
	for _, service := range []string{"vsftpd", "sshd"} {
		s.write("etc/pam.d/"+service, "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n", 0o644)
	}
	for _, d := range []string{"home", "home/full", "empty", "run/sshd"} {
		must(t, os.MkdirAll(s.path(d), 0o755))
	}
	must(t, os.Chown(s.path("home"), serverUID, serverUID))
	ca, err := mailtest.NewAuthority()
	must(t, err)
	cert, key, err := ca.Certificate(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0), "127.0.0.1", "::1")
	must(t, err)
	s.write("cert.pem", string(cert), 0o644)
	s.write("key.pem", string(key), 0o600)
	s.write("both.pem", string(key)+string(cert), 0o600)
	s.write("ca.pem", string(ca.PEM), 0o644)
	s.caFile, s.pin = s.path("ca.pem"), pinOf(t, cert)
	return s
}

// besideScript gives the command behind its two folders the server's users and
// libraries, and the disk home/full, which is small.
const besideScript = `set -e
dir=$1 packages=$2
shift 2
for f in passwd group shadow pam.d; do mount --bind "$dir/etc/$f" /etc/$f; done
mount --bind "$dir/run" /run
mount -t tmpfs -o size=256k,mode=777 tmpfs "$dir/home/full"
export LD_LIBRARY_PATH=$(echo "$packages"/usr/lib/*-linux-gnu*)
"$@" & # the shell stays the first process: vsftpd ends with a fault where it is given orphans
wait $!`

// start runs a server until the test's end; it is up when start returns. Its arguments are
// made once its ports are known.
func (s *server) start(args func() []string) {
	s.t.Helper()
	for try := 1; ; try++ {
		s.port, s.implicit = freePort(s.t), freePort(s.t)
		a := args()
		log, err := os.OpenFile(s.path("log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		must(s.t, err)
		cmd := exec.Command(need.Program(s.t, "unshare", "util-linux"),
			append([]string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", besideScript, "sh", s.dir, s.packages}, a...)...)
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		must(s.t, cmd.Start())
		log.Close()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		stop := func() { cmd.Process.Kill(); <-ended }
		if s.up(ended) {
			s.t.Cleanup(stop)
			return
		}
		if try == 3 {
			stop()
			log, _ := os.ReadFile(s.path("log"))
			s.t.Fatalf("%s does not start:\n%s", a[0], log)
		}
		cmd.Process.Kill()
	}
}

func (s *server) up(ended chan error) bool {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			return false
		default:
		}
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port)); err == nil {
			c.Close()
			return true
		}
	}
	return false
}

var givenPorts sync.Map

func freePort(t *testing.T) int {
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

// image is a file of n bytes that is like no other.
func image(name string, n int, seed byte) (file, []byte) {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(data)
	return bytesFile("cam/20261124", name, data), data
}

func bytesFile(dir, name string, data []byte) file {
	return file{dir: dir, name: name, kind: "image/jpeg", at: time.Now(), size: int64(len(data)),
		open: func() (io.ReadSeekCloser, error) { return closing{bytes.NewReader(data)}, nil }}
}

type closing struct{ io.ReadSeeker }

func (closing) Close() error { return nil }

// connected is a session that the test closes.
func connected(t *testing.T, to target) session {
	t.Helper()
	s, err := to.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// refusedWith connects and hands f over; one of both has to fail.
func refusedWith(t *testing.T, to target, f file) *fault {
	t.Helper()
	s, err := to.connect(t.Context())
	if err == nil {
		defer s.close()
		_, err = s.put(t.Context(), f)
	}
	return asFault(t, err)
}

// asFault is err as a fault that says all that it has to and no secret.
func asFault(t *testing.T, err error) *fault {
	t.Helper()
	var f *fault
	if !errors.As(err, &f) {
		t.Fatalf("not a fault: %v", err)
	}
	all := f.Error()
	for e := error(f); e != nil; e = errors.Unwrap(e) {
		all += fmt.Sprintf("\n%v\n%+v\n%#v", e, e, e)
	}
	if strings.Contains(all, serverPassword) {
		t.Errorf("the secret is in %s", all)
	}
	if f.step == "" || f.text == "" || f.do == "" || strings.ContainsFunc(f.Error(), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
		t.Errorf("an incomplete or harmful fault: %+v", f)
	}
	return f
}

// hasFile checks that a folder holds just one file with the given bytes.
func hasFile(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%s has %d bytes, not the %d that were sent", name, len(got), len(data))
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.part"))
	if len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// cancelledSoon cancels what do waits for and fails where it takes long to obey. The
// bound is well above the 100 ms promised, for a machine that is busy.
func cancelledSoon(t *testing.T, began <-chan struct{}, do func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	<-began
	cancel()
	select {
	case err := <-done:
		if f := asFault(t, err); f.kind != network || !errors.Is(f, context.Canceled) {
			t.Errorf("%+v", f)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("does not obey its context")
	}
}

// at is the place that a server is.
func (s *server) at(kind string) config.Transfer {
	return config.Transfer{Name: "nas", Kind: kind, Server: "127.0.0.1", Port: s.port, Username: serverUser, CAFile: s.caFile}
}
