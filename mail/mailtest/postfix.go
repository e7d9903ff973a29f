// Package mailtest is test support: real mail servers on loopback (Postfix,
// OpenSMTPD, Exim, aiosmtpd) with STARTTLS, AUTH and a Maildir, that a test
// starts, kills, restarts and reads, and Postfix's smtp-sink with its faults.
//
// It is imported by tests only and starts no goroutine; the servers run as
// processes of their own, which end with the test whatever becomes of it. The
// first three need root.
package mailtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/need"
)

// Domain and IDNDomain are what the servers take mail for; every address in them
// exists, and one mailbox has it all.
const (
	Domain    = "example.test"
	IDNDomain = "xn--bcher-kva.test" // bücher.test
)

// Options change how the server is set up. A zero Options is fine.
type Options struct {
	// Main holds further lines for main.cf, "name = value"; they win.
	Main []string
	// Mechanisms is the list of SASL mechanisms offered; empty: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256.
	Mechanisms string
}

// Postfix is a running server. Its fields do not change, restarts included.
type Postfix struct {
	Access
	mailbox
	dir     string
	program string
	postmap string
	guard   io.WriteCloser
	rejects map[string]int // by address, see Reject
	writes  int
}

// Host is the name on the server's certificate, beside 127.0.0.1.
const Host = "localhost"

// Start sets a server up and starts it; it is up when Start returns. Where
// Postfix is not installed or the test is not root, the test is skipped.
func Start(t testing.TB, o Options) *Postfix {
	t.Helper()
	program := need.Program(t, "postfix", "postfix")
	saslpasswd := need.Program(t, "saslpasswd2", "sasl2-bin")
	postmap := need.Program(t, "postmap", "postfix")
	need.Root(t, "Postfix only starts as root")

	// Not t.TempDir: its parent is closed to the users that Postfix runs as,
	// and a Unix socket's path must stay short.
	dir, err := os.MkdirTemp("", "postfix-")
	must(t, err)
	p := &Postfix{dir: dir, program: program, postmap: postmap, rejects: map[string]int{}, Access: access(dir)}
	p.mailbox = mailbox{t: t, maildir: filepath.Join(dir, "mail", "Maildir"), waiting: func(d os.DirEntry) bool {
		st, err := d.Info()
		return err == nil && st.Mode()&0o100 != 0 // without: under way, or broken off
	}}
	for _, q := range []string{"maildrop", "incoming", "active", "deferred"} {
		p.queues = append(p.queues, filepath.Join(dir, "queue", q))
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(p.log())
			t.Logf("Postfix's log:\n%s", log)
		}
		p.Stop()
		os.RemoveAll(dir)
		fmt.Fprintln(p.guard, "done")
		p.guard.Close()
	})
	p.guard, err = p.watch()
	must(t, err)
	must(t, p.layOut(o))
	must(t, p.writeRejects())
	cmd := exec.Command(saslpasswd, "-f", filepath.Join(dir, "etc", "sasl", "sasldb2"), "-c", "-p", "-u", Domain, "camera")
	cmd.Stdin = strings.NewReader(p.Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("saslpasswd2: %v: %s", err, out)
	}
	must(t, own(filepath.Join(dir, "etc", "sasl", "sasldb2"), "postfix"))

	// Another process can take a port between our choice and Postfix's bind.
	for try := 1; ; try++ {
		must(t, p.choosePorts())
		if err = p.start(); err == nil {
			return p
		}
		p.Stop()
		if try == 3 {
			t.Fatal(err)
		}
	}
}

// Start starts a stopped server again, on the same ports and with its queue.
func (p *Postfix) Start() {
	p.t.Helper()
	must(p.t, p.start())
}

// Stop stops the server. Stopping a stopped one does nothing.
func (p *Postfix) Stop() { p.end(syscall.SIGTERM) }

// Kill ends the server and all its processes with SIGKILL.
func (p *Postfix) Kill() { p.end(syscall.SIGKILL) }

func (p *Postfix) end(with syscall.Signal) {
	b, err := os.ReadFile(filepath.Join(p.dir, "queue", "pid", "master.pid"))
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 2 || !p.isMaster(pid) {
		return
	}
	// master leads a process group; its children hold the listening sockets too.
	if with == syscall.SIGKILL {
		pid = -pid
	}
	syscall.Kill(pid, with)
	pid = max(pid, -pid)
	for end := time.Now().Add(3 * time.Second); syscall.Kill(-pid, 0) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
}

// isMaster guards against a stale pid file: only a process with our configuration is ours.
func (p *Postfix) isMaster(pid int) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(env, []byte("MAIL_CONFIG="+p.config()+"\x00"))
}

func (p *Postfix) config() string { return filepath.Join(p.dir, "etc") }
func (p *Postfix) log() string    { return filepath.Join(p.dir, "log", "mail.log") }

// Addr is the loopback address with port.
func Addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Reject makes the server answer RCPT for addr with "code refused by the test":
// 550, 450 … Code 0 takes that back. It applies to connections made from now on.
func (p *Postfix) Reject(addr string, code int) {
	p.t.Helper()
	if code == 0 {
		delete(p.rejects, addr)
	} else {
		p.rejects[addr] = code
	}
	must(p.t, p.writeRejects())
}

func (p *Postfix) writeRejects() error {
	var text strings.Builder
	for addr, code := range p.rejects {
		fmt.Fprintf(&text, "%s %d refused by the test\n", addr, code)
	}
	name := filepath.Join(p.config(), "reject")
	if err := os.WriteFile(name, []byte(text.String()), 0o644); err != nil {
		return err
	}
	if out, err := exec.Command(p.postmap, "-c", p.config(), "hash:"+name).CombinedOutput(); err != nil {
		return fmt.Errorf("postmap: %w: %s", err, out)
	}
	// smtpd opens the table anew when its time in whole seconds has changed.
	p.writes++
	at := time.Now().Add(time.Duration(p.writes) * 2 * time.Second)
	return os.Chtimes(name+".db", at, at)
}

// watch starts a shell that outlives a test killed in the middle (no clean-up
// runs then): when its input ends without a word it stops Postfix and tidies up.
func (p *Postfix) watch() (io.WriteCloser, error) {
	cmd := exec.Command("sh", "-c", `read word || { "$0" -c "$1/etc" abort; sleep 1; rm -rf "$1"; }`, p.program, p.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is not for it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return in, cmd.Start()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// own gives a file to a user of the system.
func own(path, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

// start runs `postfix start` and waits until every port answers.
func (p *Postfix) start() error {
	if err := os.WriteFile(filepath.Join(p.dir, "queue", "quick-start"), nil, 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.program, "-c", p.config(), "start")
	cmd.WaitDelay = time.Second // master inherits the pipe
	if out, err := cmd.CombinedOutput(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		log, _ := os.ReadFile(p.log())
		return fmt.Errorf("postfix start: %w\n%s%s", err, out, log)
	}
	for _, port := range []int{p.Plain, p.Submission, p.TLS} {
		for {
			c, err := net.DialTimeout("tcp", Addr(port), time.Second)
			if err == nil {
				c.Close()
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("port %d of Postfix does not answer: %w", port, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}
