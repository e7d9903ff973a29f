package mailtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a server that runs under a shell's eye: whatever becomes of the
// test, the server ends with it and its folder goes.
type process struct {
	t    testing.TB
	dir  string   // all that the server writes
	args []string // of the server, its program first
	env  []string // beside the test's own
	port []int    // that it listens on; at least one

	guard io.WriteCloser // its end kills the server; nil: it is stopped
	shell *exec.Cmd
}

// eye starts "$@", says its process ID and kills it when its own input ends. Without
// a word before that the test was killed, and nobody else will tidy up.
const eye = `"$@" </dev/null >>"$0/log" 2>&1 &
echo $!
read word
kill -9 $!
wait
[ "$word" ] || { sleep 1; rm -rf "$0"; }`

// newProcess makes the server's folder and sees to the end of both. It is not
// t.TempDir, whose parent is closed to the users that servers run as.
func newProcess(t testing.TB, name string) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", name+"-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	p := &process{t: t, dir: dir}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			log, _ := os.ReadFile(p.path("log"))
			t.Logf("the log of %s:\n%s", name, log[max(0, len(log)-16<<10):])
		}
		os.RemoveAll(dir)
	})
	return p
}

func (p *process) path(name string) string { return filepath.Join(p.dir, name) }

func (p *process) write(name, text string, mode os.FileMode) {
	p.t.Helper()
	must(p.t, os.MkdirAll(filepath.Dir(p.path(name)), 0o755))
	must(p.t, os.WriteFile(p.path(name), []byte(text), mode))
	must(p.t, os.Chmod(p.path(name), mode)) // whatever the umask
}

// Start starts the server, again after Kill: on the same ports, with the same
// files. It is up when Start returns.
func (p *process) Start() {
	p.t.Helper()
	must(p.t, p.start())
}

func (p *process) start() error {
	cmd := exec.Command("sh", append([]string{"-c", eye, p.dir}, p.args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is not for it
	cmd.Env = append(os.Environ(), p.env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.guard, p.shell = in, cmd
	var pid int
	if _, err := fmt.Fscanln(out, &pid); err != nil {
		return fmt.Errorf("%s: the shell says no process ID: %w", p.args[0], err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := answer(p.port)
		dead := !alive(pid) // and another one answers
		if err == nil && !dead {
			return nil
		}
		if dead || time.Now().After(end) {
			p.Kill()
			log, _ := os.ReadFile(p.path("log"))
			return fmt.Errorf("%s does not answer: %v\n%s", p.args[0], err, log)
		}
	}
}

// alive reports whether a process has not ended; one that ended waits for its shell.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

// answer connects to each port; its error is that of the first that refuses.
func answer(ports []int) error {
	for _, port := range ports {
		c, err := net.DialTimeout("tcp", Addr(port), time.Second)
		if err != nil {
			return err
		}
		c.Close()
	}
	return nil
}

// Kill ends the server and all that it started with SIGKILL; its ports are
// closed when Kill returns. Killing a dead one does nothing.
func (p *process) Kill() {
	if p.guard == nil {
		return
	}
	fmt.Fprintln(p.guard, "done")
	p.guard.Close()
	p.shell.Wait()
	p.guard = nil
	// What it left behind may take a moment to die.
	for end := time.Now().Add(10 * time.Second); answer(p.port[:1]) == nil && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

// given is the ports that were given out in this process.
var given sync.Map

// freePorts returns n ports of loopback that nobody listens on. They lie below
// those that the kernel gives to connections and to port 0, and none is given out
// twice: a port stays a server's while it is down.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 10_000 {
		if len(ports) == n {
			return ports, nil
		}
		port := 10_000 + rand.IntN(22_000)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", Addr(port)); err == nil {
			l.Close()
			ports = append(ports, port)
		}
	}
	return nil, errors.New("no free port on loopback")
}

// startOnFreePorts chooses n ports, lets configure write them down and starts the
// server; again where another process took one in the meantime.
func (p *process) startOnFreePorts(n int, configure func()) {
	p.t.Helper()
	for try := 1; ; try++ {
		var err error
		p.port, err = freePorts(n)
		must(p.t, err)
		configure()
		if err = p.start(); err == nil {
			return
		}
		if try == 3 {
			p.t.Fatal(err)
		}
	}
}
