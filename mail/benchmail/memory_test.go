package benchmail

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchpost/engine/config"
	"watchpost/mail/mailtest"
)

// peaks is the median of three runs: a collector's heap is a matter of the moment.
func peaks(t *testing.T, each func() figures) float64 {
	var all []int
	for range 3 {
		all = append(all, each().Peak)
	}
	slices.Sort(all)
	return float64(all[1]) * 1024 / 1e6
}

// memory is the most that a process with an outbox has held while a mail went through it.
func memory(t *testing.T, rows *table) {
	a := mailtest.Start(t, mailtest.Options{}).At()
	file := func(size int) string {
		name := filepath.Join(t.TempDir(), "picture")
		if err := os.WriteFile(name, picture(size), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	large, small := file(largest), file(usual)
	ids := []string{"00000001-alarm"}
	base := task{Server: a, Port: a.Submission, TLS: true}
	with := func(change func(*task)) func() figures {
		return func() figures {
			k := base
			k.Dir = t.TempDir()
			change(&k)
			return k.child(t)
		}
	}
	sendOnly := func() figures {
		k := base
		k.Dir, k.Picture = t.TempDir(), large
		k.child(t)
		k.Picture, k.Send = "", ids
		return k.child(t)
	}
	usualSize := len(rendered(t, first(account(a, a.Plain, false)), alarm(1, picture(usual))))
	largeSize := len(rendered(t, first(account(a, a.Plain, false)), alarm(1, picture(largest))))

	rows.section("Peak memory of a process with an outbox (VmHWM, median of 3; the program itself is in it)", "MB")
	idle := peaks(t, with(func(k *task) { k.Run = time.Second }))
	own := peaks(t, with(func(k *task) { k.Picture, k.Send = small, ids }))
	rows.row("an empty spool", fmt.Sprintf("%.1f", idle), ratio(idle, own))
	rows.row(fmt.Sprintf("a mail of %.0f kB, composed, spooled, sent", float64(usualSize)/1000), fmt.Sprintf("%.1f", own), "1.00")
	both := peaks(t, with(func(k *task) { k.Picture, k.Send = large, ids }))
	rows.row(fmt.Sprintf("a mail of %.1f MB (its image has %.1f), composed, spooled, sent", float64(largeSize)/1e6, largest/1e6), fmt.Sprintf("%.1f", both), ratio(both, own))
	send := peaks(t, sendOnly)
	rows.row("the same mail, sent from the spool", fmt.Sprintf("%.1f", send), ratio(send, own))
}

func first(c config.Config, _ config.Secrets) config.Config { return c }

// queueMails is how many mails wait: as many as the queue holds.
const queueMails = 10_000

// queue is memory and start-up time with very many mails waiting.
func queue(t *testing.T, rows *table) {
	dir := t.TempDir()
	var a mailtest.Access
	c, _ := account(a, 1, false)
	o, err := openOutbox(dir, c, config.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	jpeg := picture(usual)
	for i := range queueMails {
		if err := o.Submit(t.Context(), alarm(i+1, jpeg)); err != nil {
			t.Fatalf("mail %d: %v", i+1, err)
		}
	}
	names, bytes := spooled(t, dir)
	k := task{Dir: dir, Port: 1, List: true}
	buf := make([]byte, 64<<10)
	// plainly is the least: the states read and the mails found there, or all of it read and hashed.
	plainly := func(all bool) time.Duration {
		began := time.Now()
		for _, name := range names {
			if !all && filepath.Ext(name) != ".json" {
				if _, err := os.Stat(name); err != nil {
					t.Fatal(err)
				}
				continue
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyBuffer(sha256.New(), struct{ io.Reader }{f}, buf); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		return time.Since(began)
	}
	var held []int
	open := func() time.Duration {
		f := k.child(t)
		if f.Mails != queueMails {
			t.Fatalf("%d mails were found", f.Mails)
		}
		held = append(held, f.Peak)
		return f.Open
	}
	var warm, least, everything, cold, leastCold times
	for range 5 { // by turns
		warm, least, everything = append(warm, open()), append(least, plainly(false)), append(everything, plainly(true))
	}
	for range 3 {
		forget(t, names)
		cold = append(cold, open())
		forget(t, names)
		leastCold = append(leastCold, plainly(false))
	}
	slices.Sort(held)

	rows.section(fmt.Sprintf("With %d mails waiting, %d files of %.0f MB together", queueMails, len(names), float64(bytes)/1e6), "s; MB")
	row := func(what string, d, own times) {
		rows.row(what, fmt.Sprintf("%.2f", d.at(0.5).Seconds()), d.beside(own))
	}
	row("start-up (mail.Open), the files in the page cache", warm, warm)
	row("the states read and the mails found there, nothing more", least, warm)
	row("all files read and hashed", everything, warm)
	row("start-up, the files not in the page cache", cold, cold)
	row("the states read and the mails found there, not in the page cache", leastCold, cold)
	rows.row("peak memory: opened, and listed once", fmt.Sprintf("%.1f", float64(held[len(held)/2])*1024/1e6), "")
	// Last, because it may make a digest of the oldest.
	k.List, k.Run = false, 20*time.Second
	rows.row("peak memory: 20 s of trying a server that does not answer", fmt.Sprintf("%.1f", float64(k.child(t).Peak)*1024/1e6), "")
}

// spooled lists the files of the queue in dir.
func spooled(t *testing.T, dir string) (names []string, bytes int64) {
	entries, err := os.ReadDir(filepath.Join(dir, "queue"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		st, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		names, bytes = append(names, filepath.Join(dir, "queue", e.Name())), bytes+st.Size()
	}
	return names, bytes
}

// forget takes files, which are on the disk, out of the page cache.
func forget(t *testing.T, names []string) {
	for _, name := range names {
		f, err := os.Open(name)
		if err == nil {
			err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
