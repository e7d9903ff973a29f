package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/control"
	"watchpost/engine/event"
	"watchpost/mail/mailtest"
)

// Ten thousand firings while the server is away, each of which is to be mailed by
// itself: memory, disk and the mails that come at last stay bounded, and every
// firing is told.
func TestFlood(t *testing.T) {
	const firings, triggers = 10_000, 5
	sink := mailtest.StartSink(t)
	sink.Kill()
	yaml := fmt.Sprintf(`version: 1
camera: {source: "scene:"}
smtp: {server: 127.0.0.1, port: %d, security: none}
mail: {reply_address: a@example.test, destinations: [b@example.test], hold_off: 0s, picture_wait: 100ms, digest_after: 10, state_mails: false}
triggers:
`, sink.Port)
	for i := range triggers {
		yaml += fmt.Sprintf("  - {name: t%d, source: manual, post: 0s, pre: 1 images}\n", i)
	}
	r := newRig(t, yaml)
	t.Setenv("XDG_RUNTIME_DIR", r.dir)
	t.Setenv("RUNTIME_DIRECTORY", "")
	s := r.serve().ready()
	before := residentMB(t, s.cmd.Process.Pid)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range triggers {
		wg.Go(func() {
			c, err := control.Dial(context.Background(), socketPaths(r.config)[0])
			if err != nil {
				t.Error(err)
				return
			}
			for range firings / triggers {
				if _, err := c.Fire(context.Background(), fmt.Sprintf("t%d", i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	var most int64
	peak := func() float64 { return residentMB(t, s.cmd.Process.Pid) }
	memory := peak()
	filepath.WalkDir(filepath.Join(r.dir, "store"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				most += info.Size()
			}
		}
		return nil
	})
	st := r.status()
	sink.Restart()
	r.run("", "queue", "retry")
	r.until("nothing waits", func() bool {
		q := r.status().Queue
		memory = max(memory, peak())
		return q.Queued+q.Deferred == 0
	})
	var a event.Account
	for _, tr := range r.status().Triggers {
		a.Fired += tr.Fired
		a.Mailed += tr.Mailed
		a.Summarised += tr.Summarised
		a.Extended += tr.Extended
	}
	if a.Fired != firings || a.Mailed+a.Summarised+a.Extended != firings {
		t.Errorf("%+v", a)
	}
	digests := 0
	mails := sink.Mails()
	for _, m := range mails {
		p, err := netmail.ReadMessage(bytes.NewReader(m))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(p.Header.Get("Message-ID"), "digest") {
			digests++
		}
	}
	t.Logf("%d firings in %v (%.0f a minute): %d extended, %d mailed by themselves, %d in summaries and digests; %d mails arrived, %d of them digests; resident %.0f MB before, %.0f at most; %d mails had waited, store and spool %.1f MB",
		a.Fired, took.Round(time.Second), float64(firings)/took.Minutes(), a.Extended, a.Mailed, a.Summarised, len(mails), digests, before, memory, st.Queue.Queued+st.Queue.Deferred, float64(most)/1e6)
	if len(mails) > 200 || memory > 250 {
		t.Errorf("%d mails, %.0f MB", len(mails), memory)
	}
}

// residentMB is what of a process is in memory, in MB (10⁶ bytes).
func residentMB(t *testing.T, pid int) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	var pages, resident float64
	if err == nil {
		_, err = fmt.Sscan(string(b), &pages, &resident)
	}
	if err != nil {
		t.Fatal(err)
	}
	return resident * float64(os.Getpagesize()) / 1e6
}
