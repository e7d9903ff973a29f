package transfer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// ledger is a place in a file that outlives the program: a line for each file that
// it has.
type ledger struct{ path string }

func (l ledger) connect(context.Context) (session, error) { return l, nil }

func (l ledger) put(_ context.Context, f file) (string, error) {
	from, err := f.open()
	if err != nil {
		return "", err
	}
	defer from.Close()
	data, err := io.ReadAll(from)
	if err != nil {
		return "", err
	}
	to, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer to.Close()
	_, err = fmt.Fprintf(to, "%s/%s %d\n", f.dir, f.name, len(data))
	return "ok", err
}

func (l ledger) close() {}

// openKilled is the queue that is killed again and again, with a place that works.
func openKilled(dir string) (*Queue, error) {
	q, err := Open(filepath.Join(dir, "transfer"), Options{Images: crashAlbum(killedEvents)})
	if err != nil {
		return nil, err
	}
	q.make["ftp"] = func(config.Transfer, string) target { return ledger{filepath.Join(dir, "ledger")} }
	q.Configure(places("nas"), config.Secrets{}, time.UTC)
	return q, nil
}

const killedEvents = 400

// TestKilledChild is the program that TestKilled kills: it adds the next jobs, says
// which are accepted, and hands over what waits.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv("WATCHPOST_KILLED")
	if dir == "" {
		return
	}
	q, err := openKilled(dir)
	if err != nil {
		t.Fatal(err)
	}
	go q.Run(t.Context())
	known := map[string]bool{}
	for _, m := range q.Mails() {
		known[m.ID] = true
	}
	fmt.Println("open")
	for n := 1; n <= killedEvents; n++ {
		id := event.TransferID(uint64(n))
		if known[id] {
			continue
		}
		if err := q.Add(event.Job{ID: id, Event: eventID(n), Trigger: "yard", Transfer: "nas", At: noon.Add(time.Duration(n) * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("accepted", id)
		q.Changed(eventID(n))
	}
	select {} // until it is killed
}

// A program that is killed at any moment loses no job, and hands nothing over twice
// but the file that was on its way.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	accepted := map[string]bool{}
	kills := 0
	for range 20 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
		cmd.Env = append(os.Environ(), "WATCHPOST_KILLED="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		open := false
		for lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "accepted "); ok {
				accepted[id] = true
			}
			if lines.Text() == "open" && !open {
				open = true
				time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		cmd.Wait()
		if open {
			kills++
		}
	}
	q, err := openKilled(dir)
	must(t, err)
	if p := q.Problems(); len(p) > 0 {
		t.Errorf("damage: %v", p)
	}
	for id := range accepted {
		if stateOf(q, id).ID == "" {
			t.Errorf("%s is lost", id)
		}
	}
	open := func(m event.Mail) bool { return m.QueueState() == "delivered" }
	if !runUntil(q, func() bool {
		for _, m := range q.Mails() {
			if !open(m) {
				return false
			}
		}
		return true
	}) {
		t.Fatal("not handed over")
	}
	text, err := os.ReadFile(filepath.Join(dir, "ledger"))
	must(t, err)
	copies, doubles := map[string]int{}, 0
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		name, _, _ := strings.Cut(line, " ")
		if copies[name]++; copies[name] > 1 {
			doubles++
		}
	}
	for n := 1; n <= killedEvents; n++ {
		if !accepted[event.TransferID(uint64(n))] {
			continue
		}
		for _, name := range expected(n, crashImages) {
			if copies[name] == 0 {
				t.Errorf("%s never arrived", name)
			}
		}
	}
	if doubles > kills {
		t.Errorf("%d files went twice in %d kills", doubles, kills)
	}
	if kills < 15 || len(accepted) < 20 {
		t.Errorf("%d kills, %d jobs: nothing was tested", kills, len(accepted))
	}
	t.Logf("%d kills, %d jobs accepted, %d files handed over, %d of them twice", kills, len(accepted), len(copies), doubles)
}
