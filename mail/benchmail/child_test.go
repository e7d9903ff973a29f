package benchmail

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"watchpost/mail/mailtest"
)

// task is what a child process does with an outbox; its peak memory is the figure.
type task struct {
	Dir     string
	Server  mailtest.Access
	Port    int
	TLS     bool
	Picture string   // the file of an image to submit a mail with; empty: none
	Send    []string // mails to see delivered
	List    bool     // as a screen does
	Run     time.Duration
}

// figures is what came of a task.
type figures struct {
	Peak  int // KiB resident, at most (VmHWM)
	Mails int
	Open  time.Duration
	Error string
}

const childTask = "BENCHMAIL_TASK"

func TestMain(m *testing.M) {
	if text := os.Getenv(childTask); text != "" {
		var k task
		err := json.Unmarshal([]byte(text), &k)
		var f figures
		if err == nil {
			f, err = k.do()
		}
		if err == nil {
			f.Peak, err = peak()
		}
		if err != nil {
			f.Error = err.Error()
		}
		json.NewEncoder(os.Stdout).Encode(f)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func (k task) do() (f figures, err error) {
	c, secrets := account(k.Server, k.Port, k.TLS)
	began := time.Now()
	o, err := openOutbox(k.Dir, c, secrets)
	f.Open = time.Since(began)
	if err != nil {
		return f, err
	}
	if p := o.Problems(); len(p) > 0 {
		return f, fmt.Errorf("the spool has problems: %q", p)
	}
	if k.Picture != "" {
		jpeg, err := os.ReadFile(k.Picture)
		if err != nil {
			return f, err
		}
		if err := o.Submit(context.Background(), alarm(1, jpeg)); err != nil {
			return f, err
		}
	}
	if len(k.Send) > 0 || k.Run > 0 {
		stop := o.run()
		if _, _, err := o.delivered(k.Send...); err != nil {
			return f, err
		}
		time.Sleep(k.Run)
		stop()
	}
	if k.List {
		f.Mails = len(o.Mails())
	}
	return f, nil
}

// peak reads this process's highest resident memory, KiB (proc_pid_status(5)).
func peak() (int, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			return strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
		}
	}
	return 0, fmt.Errorf("no VmHWM in %s", f.Name())
}

// child does the task in a process of its own.
func (k task) child(t *testing.T) figures {
	t.Helper()
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childTask+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var f figures
	if err == nil {
		err = json.Unmarshal(out, &f)
	}
	if err != nil || f.Error != "" || f.Peak == 0 {
		t.Fatalf("%+v: %v %s", k, err, f.Error)
	}
	return f
}

// TestChild: a mail goes its whole way in a child, whose memory is known.
func TestChild(t *testing.T) {
	p := mailtest.Start(t, mailtest.Options{})
	dir := t.TempDir()
	name := filepath.Join(dir, "picture")
	if err := os.WriteFile(name, picture(usual), 0o600); err != nil {
		t.Fatal(err)
	}
	f := task{Dir: filepath.Join(dir, "spool"), Server: p.At(), Port: p.Submission, TLS: true, Picture: name, Send: []string{"00000001-alarm"}, List: true}.child(t)
	if f.Mails != 1 || f.Peak < 1000 || f.Open <= 0 {
		t.Errorf("%+v", f)
	}
	if n := len(p.WaitMails(1, patience)[0]); n < 55_000 || n > 65_000 {
		t.Errorf("the usual mail has %d bytes", n)
	}
}
