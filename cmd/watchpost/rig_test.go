package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/event"
)

// The tests of this package run the built program as its users do. The timeouts
// are how long a broken program is waited for, not what a good one takes.
const patience = 60 * time.Second

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "watchpost-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "watchpost")
	build := exec.Command("go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// rig is a box of its own: configuration, store and socket in a folder.
type rig struct {
	t      *testing.T
	dir    string
	config string
}

func newRig(t *testing.T, yaml string) *rig {
	t.Helper()
	// Not t.TempDir: its long path leaves no room for a socket's name.
	dir, err := os.MkdirTemp("", "wp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{t: t, dir: dir, config: filepath.Join(dir, "watchpost.yaml")}
	if yaml != "" {
		r.write(yaml)
	}
	return r
}

func (r *rig) write(yaml string) {
	r.t.Helper()
	yaml += fmt.Sprintf("\nstorage: {directory: %q}\n", filepath.Join(r.dir, "store"))
	if err := os.WriteFile(r.config, []byte(yaml), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) secret(password string) {
	r.t.Helper()
	text := fmt.Sprintf("smtp: {password: %q}\n", password)
	if err := os.WriteFile(filepath.Join(r.dir, "secrets.yaml"), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append([]string{"--config", r.config}, args...)...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+r.dir, "RUNTIME_DIRECTORY=", "XDG_CONFIG_HOME="+r.dir, "XDG_STATE_HOME="+r.dir)
	return cmd
}

// run runs a command and returns what it printed and its exit code.
func (r *rig) run(stdin string, args ...string) (out, errOut string, code int) {
	r.t.Helper()
	cmd := r.command(args...)
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("%v: %v", args, err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// served is a running `watchpost serve`.
type served struct {
	r    *rig
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan struct{}
}

func (r *rig) serve() *served {
	r.t.Helper()
	s := &served{r: r, cmd: r.command("serve"), log: &bytes.Buffer{}, done: make(chan struct{})}
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() { s.cmd.Wait(); close(s.done) }()
	r.t.Cleanup(func() {
		s.stop(syscall.SIGKILL)
		if r.t.Failed() {
			r.t.Logf("serve's log:\n%s", s.log)
		}
	})
	return s
}

// ready waits until the service answers.
func (s *served) ready() *served {
	s.r.t.Helper()
	s.r.until("the service answers", func() bool {
		select {
		case <-s.done:
			s.r.t.Fatalf("serve ended: %s", s.log)
		default:
		}
		_, _, code := s.r.run("", "status")
		return code == exitOK
	})
	return s
}

func (s *served) stop(sig syscall.Signal) {
	s.cmd.Process.Signal(sig)
	select {
	case <-s.done:
	case <-time.After(patience):
		s.cmd.Process.Kill()
		s.r.t.Errorf("serve did not end on %v", sig)
		<-s.done
	}
}

func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain until %s", what)
		}
	}
}

func (r *rig) status() event.Status {
	r.t.Helper()
	out, errOut, code := r.run("", "status", "--json")
	if code != exitOK {
		r.t.Fatalf("status: %d %s", code, errOut)
	}
	var s event.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		r.t.Fatalf("status is not one JSON object: %v\n%s", err, out)
	}
	for _, t := range s.Triggers {
		if !t.Balanced() {
			r.t.Errorf("the account of %s does not add up: %+v", t.Name, t.Account)
		}
	}
	return s
}
