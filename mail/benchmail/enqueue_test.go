package benchmail

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/need"
	"watchpost/mail/mailtest"
)

const (
	enqueueRounds = 30
	enqueueMails  = 8 // a round and contestant
)

// enqueue is how many mails a second are put where a power cut does not take
// them, one after the other, nothing being sent meanwhile; all on one disk.
func enqueue(t *testing.T, rows *table) {
	sendmail := need.Program(t, "sendmail", "postfix")
	nullmailer := unpackNullmailer(t)
	p := mailtest.Start(t, mailtest.Options{})
	// Stopped, so that what it does with a mail afterwards does not count.
	p.Stop()
	etc := filepath.Join(filepath.Dir(p.CAFile), "etc")

	c, _ := account(p.At(), p.Plain, false)
	jpeg := picture(usual)
	eml := rendered(t, c, alarm(1, jpeg))
	o, err := openOutbox(t.TempDir(), c, config.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	state := bytes.Repeat([]byte("state"), 200) // as large as a mail's .json
	pipe := func(cmd *exec.Cmd) error {
		cmd.Stdin = bytes.NewReader(eml)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", cmd.Path, err, out)
		}
		return nil
	}
	contestants := []struct {
		name string
		add  func(n int) error
		took times
	}{
		{name: "Watchpost, Submit: composed, two files, each fsynced and the directory", add: func(n int) error { return o.Submit(t.Context(), alarm(n, jpeg)) }},
		{name: "Postfix `sendmail` (a process a mail; the directory is not fsynced)", add: func(int) error {
			cmd := exec.Command(sendmail, "-C", etc, "-i", "-f", sender, guard)
			return pipe(cmd)
		}},
		{name: "`nullmailer-inject` (a process a mail)", add: func(int) error {
			cmd := exec.Command("/usr/bin/nullmailer-inject", "-f", sender, guard)
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: nullmailer}
			cmd.Dir = "/"
			return pipe(cmd)
		}},
		{name: "a process that does nothing (`/bin/true`)", add: func(int) error { return pipe(exec.Command("/bin/true")) }},
		{name: "the disk: one file of those bytes", add: func(n int) error { return durably(dir, fmt.Sprint(n, ".one"), eml) }},
		{name: "the disk: two files", add: func(n int) error {
			return errors.Join(durably(dir, fmt.Sprint(n, ".eml"), eml), durably(dir, fmt.Sprint(n, ".json"), state))
		}},
	}
	for round := range enqueueRounds {
		for i := range contestants {
			began := time.Now()
			for n := range enqueueMails {
				if err := contestants[i].add(round*enqueueMails + n + 1); err != nil {
					t.Fatal(err)
				}
			}
			contestants[i].took = append(contestants[i].took, time.Since(began))
		}
	}
	const total = enqueueRounds * enqueueMails
	for where, dir := range map[string]string{"Postfix": filepath.Join(filepath.Dir(etc), "queue", "maildrop"), "nullmailer": filepath.Join(nullmailer, "var/spool/nullmailer/queue")} {
		if n := files(t, dir, len(eml)); n != total {
			t.Errorf("%s has %d of %d mails", where, n, total)
		}
	}
	if n := len(o.Mails()); n != total {
		t.Errorf("the outbox has %d of %d mails", n, total)
	}

	rows.section(fmt.Sprintf("Durable enqueues of %.0f kB, one after the other; median of %d rounds of %d", float64(len(eml))/1000, enqueueRounds, enqueueMails), "a second; ms each; ratio of the time")
	each := func(d times) float64 { return ms(d.at(0.5)) / enqueueMails }
	for _, c := range contestants {
		rows.row(c.name, fmt.Sprintf("%.0f; %.2f", 1000/each(c.took), each(c.took)), c.took.beside(contestants[0].took))
	}
}

// durably is what a file costs that is to survive: written, fsynced, renamed, its directory fsynced.
func durably(dir, name string, data []byte) error {
	f, err := os.Create(filepath.Join(dir, "temporary"))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// files counts the files in dir that hold at least size bytes or nearly so: a tool may store LF for CRLF.
func files(t *testing.T, dir string, size int) (n int) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if st, err := e.Info(); err == nil && st.Size() > int64(size)*9/10 {
			n++
		}
	}
	return n
}

// unpackNullmailer makes a root for nullmailer, which conflicts with Postfix as a
// package and has its paths built in: its programs, their libraries and its spool.
func unpackNullmailer(t *testing.T) (root string) {
	ldd := need.Program(t, "ldd", "libc-bin")
	need.Root(t, "nullmailer runs in a root of its own")
	from := need.Unpacked(t, "nullmailer")
	root = t.TempDir()
	put := func(path, as string) {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(filepath.Join(root, filepath.Dir(as)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(root, as), b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{"usr/bin/nullmailer-inject", "usr/sbin/nullmailer-queue"} {
		path := filepath.Join(from, program)
		put(path, program)
		out, err := exec.Command(ldd, path).Output()
		if err != nil {
			t.Fatalf("ldd %s: %v", path, err)
		}
		for _, word := range strings.Fields(string(out)) {
			if strings.HasPrefix(word, "/") {
				put(word, word)
			}
		}
	}
	for _, d := range []string{"dev", "etc/nullmailer", "var/spool/nullmailer/queue", "var/spool/nullmailer/tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"dev/null": "", "etc/mailname": mailtest.Domain + "\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
