package tui

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"watchpost/engine/need"
)

// tmux runs the test binary as the interface (see TestMain) in a real terminal.
type tmuxPane struct {
	t    *testing.T
	path string
	sock string
}

func tmux(t *testing.T, env string, w, h int) *tmuxPane {
	t.Helper()
	p := &tmuxPane{t, need.Program(t, "tmux", "tmux"), filepath.Join(t.TempDir(), "tmux")}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p.do("-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h), "env "+env+" "+exe+"; echo gone; exec sleep 600")
	p.do("set", "-g", "status", "off")
	t.Cleanup(func() { exec.Command(p.path, "-S", p.sock, "kill-server").Run() })
	return p
}

func (p *tmuxPane) do(args ...string) string {
	p.t.Helper()
	out, err := exec.Command(p.path, append([]string{"-S", p.sock}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (p *tmuxPane) sees(texts ...string) {
	p.t.Helper()
	end := time.Now().Add(patience)
	for {
		s := p.do("capture-pane", "-p")
		missing := ""
		for _, t := range texts {
			if !strings.Contains(s, t) {
				missing = t
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("%q does not come on the screen:\n%s", missing, s)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestTmux(t *testing.T) {
	p := tmux(t, "WATCHPOST_FAKE=full LANG=C.UTF-8", 80, 24)
	p.sees("[1 Status]", "delivered 2/2")
	p.do("send-keys", "2", "Tab", "End", "x")
	p.sees("mail.example.netx", "2 Mail*")
	p.do("resize-window", "-x", "40", "-y", "10")
	p.sees("Watchpost needs 60 columns")
	p.do("resize-window", "-x", "100", "-y", "30")
	p.sees("mail.example.netx", "F1 help")
	p.do("send-keys", "C-u", "C-g", "d")
	p.sees("The server takes mail for every destination")
	p.do("send-keys", "q")
	p.sees("Stop Watchpost?")
	p.do("send-keys", "y")
	p.sees("left", "gone")
}

// A terminal without an alternate screen is left clean.
func TestTmuxAsVT220(t *testing.T) {
	p := tmux(t, "WATCHPOST_FAKE=full TERM=vt220 LANG=C", 80, 24)
	p.sees("[1 Status]", "delivered 2/2")
	p.do("send-keys", "q", "y")
	p.sees("left")
	if s := p.do("capture-pane", "-p"); strings.Contains(s, "Status") {
		t.Errorf("the screen is still there:\n%s", s)
	}
}
