package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"watchpost/engine/need"
	"watchpost/mail/mailtest"
)

// pane is a program in a real terminal: tmux with a server of its own.
type pane struct {
	r    *rig
	tmux string
	name string
}

var panes int // so far

func (r *rig) pane(w, h int, args ...string) *pane {
	r.t.Helper()
	return r.paneOf(w, h, r.command(args...))
}

// paneOf is any program in a real terminal.
func (r *rig) paneOf(w, h int, cmd *exec.Cmd) *pane {
	r.t.Helper()
	panes++
	p := &pane{r, need.Program(r.t, "tmux", "tmux"), fmt.Sprintf("wp-%s-%d", strings.TrimPrefix(r.dir, "/tmp/"), panes)}
	line := ""
	for _, a := range cmd.Args {
		line += " '" + a + "'"
	}
	start := exec.Command(p.tmux, "-L", p.name, "-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(w), "-y", fmt.Sprint(h),
		line+"; echo \"it ended with $?\"; sleep 1000", ";", "set", "-g", "status", "off")
	start.Env, start.Dir = append(cmd.Env, "LANG=C.UTF-8"), r.dir
	if out, err := start.CombinedOutput(); err != nil {
		r.t.Fatalf("tmux: %v %s", err, out)
	}
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("the screen:\n%s", p.screen())
		}
		exec.Command(p.tmux, "-L", p.name, "kill-server").Run()
	})
	return p
}

func (p *pane) screen() string {
	out, _ := exec.Command(p.tmux, "-L", p.name, "capture-pane", "-p").Output()
	return string(out)
}

// keys presses keys by tmux's names.
func (p *pane) keys(names ...string) {
	p.r.t.Helper()
	for _, n := range names {
		if out, err := exec.Command(p.tmux, "-L", p.name, "send-keys", n).CombinedOutput(); err != nil {
			p.r.t.Fatalf("tmux: %v %s", err, out)
		}
	}
}

func (p *pane) text(s string) {
	p.r.t.Helper()
	if out, err := exec.Command(p.tmux, "-L", p.name, "send-keys", "-l", s).CombinedOutput(); err != nil {
		p.r.t.Fatalf("tmux: %v %s", err, out)
	}
}

func (p *pane) wait(what string) {
	p.r.t.Helper()
	p.r.until(fmt.Sprintf("the screen shows %q", what), func() bool { return strings.Contains(p.screen(), what) })
}

// From a box that has a camera and nothing else to a delivered test mail and a
// delivered alarm, in a real terminal, against a real Postfix.
func TestInstaller(t *testing.T) {
	pf := mailtest.Start(t, mailtest.Options{})
	r := newRig(t, "camera: {source: \"scene:\"}\nsmtp: {ca_file: \""+pf.CAFile+"\"}")
	p := r.pane(80, 24)
	p.wait("No trigger yet")
	p.keys("a")
	p.wait("Add a motion trigger")
	p.keys("y")
	p.wait("motion")
	p.keys("2")
	p.wait("SMTP server")
	p.keys("Tab")
	p.text("2001:db8::25") // wrong at first: the screen offers the cure
	p.wait("brackets")
	for range "2001:db8::25" {
		p.keys("BSpace")
	}
	p.text(mailtest.Host)
	p.keys("Tab")
	for range "587" {
		p.keys("BSpace")
	}
	p.text(fmt.Sprint(pf.Submission))
	p.keys("Tab", "Tab", "Tab")
	p.text(pf.User)
	p.keys("Tab")
	p.text(pf.Password)
	p.keys("Tab")
	p.text("gate3@example.test")
	p.keys("Tab")
	p.text("guard@")
	p.wait("..  incomplete")
	p.text("example.test")
	p.keys("C-t")
	p.wait("Save and send?")
	p.keys("y")
	p.wait("delivered")
	if s := p.screen(); strings.Contains(s, pf.Password) {
		t.Error("the password stands on the screen")
	}
	pf.WaitMails(1, patience)
	p.keys("Escape")
	p.keys("1")
	p.wait("Last results")
	pf.WaitMails(2, patience) // the walker of the scene
	p.wait("motion      delivered")
	p.keys("q")
	p.wait("y")
	p.keys("y")
	p.wait("it ended with 0")
	if out, errOut, code := r.run("", "check"); code != exitOK {
		t.Errorf("check of what was saved: %d %s%s", code, out, errOut)
	}
}

// watchpost on a box where the service runs attaches to it; the service goes on
// when the screen is left, and the screen says when the service stops.
func TestAttach(t *testing.T) {
	r := newRig(t, "site: {name: Gate 3}\ncamera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual}]")
	s := r.serve().ready()
	p := r.pane(80, 24)
	p.wait("Gate 3")
	if out, errOut, code := r.run("", "trigger", "bell"); code != exitOK {
		t.Fatalf("trigger: %d %s%s", code, out, errOut)
	}
	p.wait("bell")
	p.wait("queued") // the mail is not configured: it waits, and the screen says so
	p.keys("q")
	p.keys("y")
	p.wait("it ended with 0")
	if st := r.status(); st.Triggers[0].Fired != 1 {
		t.Errorf("%+v", st.Triggers[0])
	}
	s.stop(syscall.SIGTERM)
}

func TestDemo(t *testing.T) {
	r := newRig(t, "")
	p := r.pane(80, 24, "--demo")
	p.wait("demo: a generated scene")
	p.wait("Arrived at the demo")
	p.wait("CameraNotification:")
	p.keys("q", "y")
	p.wait("it ended with 0")
}

// Without a configuration and without a camera it is the demo, and says so; with
// a camera it is that camera.
func TestNothingConfigured(t *testing.T) {
	r := newRig(t, "")
	p := r.pane(80, 24)
	if cameras, _ := filepath.Glob("/dev/video*"); len(cameras) > 0 {
		p.wait("v4l2:/dev/")
	} else {
		p.wait("demo: no configuration and no camera were found")
	}
	p.keys("q", "y")
	p.wait("it ended with 0")
}

func TestTinyTerminal(t *testing.T) {
	r := newRig(t, "camera: {source: \"scene:\"}")
	p := r.pane(40, 10)
	p.wait("needs 60 columns")
	lines := strings.Split(strings.TrimRight(p.screen(), "\n"), "\n")
	if len(lines) > 10 {
		t.Errorf("%d lines:\n%s", len(lines), p.screen())
	}
}
