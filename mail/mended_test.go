package mail

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
)

// Two recipients at whom the server ends the connection keep the mail from the third.
func TestTwoEnd(t *testing.T) {
	var rcpts atomic.Int32
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if strings.HasPrefix(cmd, "RCPT TO:<busy") {
			rcpts.Add(1)
			return "421 4.7.28 too much mail for this user"
		}
		return o
	})
	b := start(t, t.TempDir(), oddSettings(a, "busy1@example.test", "busy2@example.test", "ops@example.test"), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	time.Sleep(5 * time.Second)
	if m := b.mail("alarm-1"); m.Count(event.Delivered) != 1 {
		t.Errorf("%d attempts, %d refusals, nobody has it: %+v", m.Attempts, rcpts.Load(), m.Recipients)
	}
}

// One such recipient: how often is everything held for one mail?
func TestHoldsOfOneBad(t *testing.T) {
	for _, reply := range []string{"421 4.7.28 too much mail for this user"} {
		a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
			if strings.HasPrefix(cmd, "RCPT TO:<busy@") {
				return reply
			}
			return o
		})
		b := start(t, t.TempDir(), oddSettings(a, "guard@example.test", "busy@example.test"), config.Secrets{})
		b.submit(alarm("alarm-1", time.Now()))
		holds, was := 0, time.Time{}
		for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
			b.mu.Lock()
			h := b.hold
			b.mu.Unlock()
			if h.count > 0 && !h.until.Equal(was) {
				was = h.until
				holds++
			}
		}
		m := b.mail("alarm-1")
		t.Logf("%d attempts, everything was held %d times: %+v", m.Attempts, holds, m.Recipients)
		if holds > 1 {
			t.Errorf("everything was held %d times for one recipient of one mail", holds)
		}
	}
}

func stateMail() event.Notice {
	return event.Notice{ID: "state-camera-1", Kind: event.State, At: time.Now(), Title: "camera lost", Notes: []string{"The camera gives no picture."}}
}

// A damaged mail and a full disk: the program does not start.
func TestOpenOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	if err := o.Submit(context.Background(), stateMail()); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(o.spool.queue("state-camera-1.eml"), 100); err != nil {
		t.Fatal(err)
	}
	defer durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		if c.Op == durable.OpWrite || c.Op == durable.OpSync && !strings.HasSuffix(c.Path, "/queue") && strings.Contains(filepath.Base(c.Path), "tmp") {
			return syscall.ENOSPC
		}
		return nil
	}})()
	if _, err := Open(dir, Options{Version: "test"}); err != nil {
		t.Errorf("the spool cannot be opened: %v", err)
	}
}

// The same in a small disk that is really full.
func TestOpenOnReallyFullDisk(t *testing.T) {
	dir := smallDisk(t, 6<<20)
	o := idle(t, dir)
	if err := o.Submit(context.Background(), stateMail()); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(o.spool.queue("state-camera-1.eml"), 100); err != nil {
		t.Fatal(err)
	}
	f, _ := os.Create(filepath.Join(dir, "ballast"))
	for buf := make([]byte, 4096); ; {
		if _, err := f.Write(buf); err != nil {
			break
		}
	}
	f.Close()
	if _, err := Open(dir, Options{Version: "test"}); err != nil {
		t.Errorf("the spool cannot be opened: %v", err)
	}
}

// mend fails while it runs: the state mail is lost, and the alarm that one has is doubled.
func TestMendFailsAtRun(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	if err := o.Submit(context.Background(), stateMail()); err != nil {
		t.Fatal(err)
	}
	if err := o.Submit(context.Background(), firing(1, time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	alarmID := event.AlarmID(1)
	o.mails[alarmID].Mail.Recipients[0].State = event.Delivered
	refuse := false
	undo := durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		if c.Op == durable.OpWrite {
			refuse = true
			return syscall.EIO
		}
		return nil
	}})
	o.damaged("state-camera-1", &fault{kind: local, err: errDamagedSpool})
	o.damaged(alarmID, &fault{kind: local, err: errDamagedSpool})
	undo()
	if !refuse {
		t.Fatal("not refused")
	}
	if o.mails["state-camera-1"] == nil {
		t.Errorf("the state mail is gone: %v", o.Problems())
	}
	if o.mails[alarmID] == nil {
		t.Errorf("the alarm that one has is reported as damaged, so it is composed anew for all: %v", o.Problems())
	}
}

type spoiler struct {
	recorder
	name  string
	n     atomic.Int32
	conns atomic.Int32
}

func (s *spoiler) MailStep(id string, st event.Step) {
	if st.Step == "tcp" {
		s.conns.Add(1)
	}
	if st.Step == "rcpt" {
		x, err := os.ReadFile(s.name)
		if err == nil {
			x[len(x)/2] ^= 1
			os.WriteFile(s.name, x, 0o600)
			s.n.Add(1)
		}
	}
}

// A disk that gives back other bytes each time: a connection after the other without a pause.
func TestMendHot(t *testing.T) {
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string { return o })
	dir := t.TempDir()
	sp := &spoiler{name: filepath.Join(dir, "queue", "state-camera-1.eml")}
	o, err := Open(dir, Options{Listener: sp, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	o.Configure(oddSettings(a, "guard@example.test"), config.Secrets{}, time.UTC) // default timeouts
	if err := o.Submit(context.Background(), stateMail()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	o.Run(ctx)
	if n := sp.conns.Load(); n > 5 {
		t.Errorf("%d connections within 3 s", n)
	}
}

// What is mended at the start is counted wrong.
func TestMendBytes(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	n := event.Notice{ID: "test-1", Kind: event.Test, At: time.Now(), Images: []event.Image{{At: time.Now(), JPEG: picture(t, 640, 480)}}}
	if err := o.Submit(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	os.Truncate(o.spool.queue("test-1.eml"), 100)
	o = idle(t, dir)
	if o.bytes != o.mails["test-1"].Mail.Bytes {
		t.Errorf("%d bytes counted, the one mail has %d", o.bytes, o.mails["test-1"].Mail.Bytes)
	}
}

// A queue full of mails for which one destination says "mailbox full" for months.
func TestGiveUpPending(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	c := o.setup.config
	c.Mail.Destinations = []string{"guard@example.test", "full@example.test"}
	o.Configure(c, config.Secrets{}, time.UTC)
	if err := o.Submit(context.Background(), firing(1, time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	e := o.mails[event.AlarmID(1)]
	e.Mail.Recipients[0].State = event.Delivered
	e.Failed, e.Mail.Attempts = 40, 40
	o.spool.save(e.record)
	for i := range maxQueue - 1 {
		r := e.record.clone()
		r.Mail.ID = event.AlarmID(uint64(i + 2))
		o.mails[r.Mail.ID] = &entry{record: r}
	}
	if err := o.Submit(context.Background(), firing(50000, time.Now(), nil)); err != nil {
		t.Errorf("a notification is refused because one destination's mailbox is full: %v", err)
	}
}

// A pause for the reply address outlives the correction of it, over a restart.
func TestHoldAfterCorrection(t *testing.T) {
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if strings.HasPrefix(cmd, "MAIL FROM:<bad@") {
			return "550 5.7.57 Client not authenticated to send mail"
		}
		return o
	})
	dir := t.TempDir()
	c := oddSettings(a)
	c.Mail.ReplyAddress = "bad@example.test"
	b := start(t, dir, c, config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	m := b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	b.stop()
	t.Logf("%+v, hold %+v", m, b.hold)
	c.Mail.ReplyAddress = "good@example.test"
	b = start(t, dir, c, config.Secrets{})
	b.submit(alarm("alarm-2", time.Now()))
	time.Sleep(2 * time.Second)
	if m := b.mail("alarm-2"); m.QueueState() != "delivered" {
		t.Errorf("corrected and started again: %+v", m)
	}
	_ = fmt.Sprint
}

// News of the line that breaks nothing off is not counted.
func TestLineBackCounts(t *testing.T) {
	o := idle(t, t.TempDir())
	o.now = &attempt{id: "a"} // its text is on its way: it is not broken off
	for range brokenOffMax {
		o.LineBack()
	}
	broken := false
	o.now = &attempt{id: "b", cancel: func() { broken = true }}
	o.LineBack()
	if !broken {
		t.Error("an attempt on the old way is not broken off")
	}
}

// A power cut at any call while a damaged mail is rendered again.
func TestMendCrash(t *testing.T) {
	for n := 1; !t.Failed(); n++ {
		dir := t.TempDir()
		o := idle(t, dir)
		if err := o.Submit(context.Background(), stateMail()); err != nil {
			t.Fatal(err)
		}
		os.Truncate(o.spool.queue("state-camera-1.eml"), 100)
		seen := 0
		undo := durable.Observe(durable.Observer{Before: func(durable.Call) error {
			if seen++; seen >= n {
				return syscall.EIO
			}
			return nil
		}})
		_, err := Open(dir, Options{Version: "test"})
		undo()
		if seen < n {
			t.Logf("%d calls", n-1)
			return
		}
		o = idle(t, dir)
		e := o.mails["state-camera-1"]
		if e == nil || e.Mail.Count(event.Pending) == 0 {
			t.Fatalf("call %d: lost (%v)", n, err)
		}
		eml, rerr := os.ReadFile(o.spool.queue("state-camera-1.eml"))
		if rerr != nil || hashOf(eml) != e.SHA256 || int64(len(eml)) != e.Mail.Bytes {
			t.Errorf("call %d: its file: %v", n, rerr)
		}
	}
}

// The same while it runs, and only one call fails: it is mended at the next attempt.
func TestMendCrashAtRun(t *testing.T) {
	for n := 1; !t.Failed(); n++ {
		dir := t.TempDir()
		o := idle(t, dir)
		if err := o.Submit(context.Background(), stateMail()); err != nil {
			t.Fatal(err)
		}
		seen := 0
		undo := durable.Observe(durable.Observer{Before: func(durable.Call) error {
			if seen++; seen == n {
				return syscall.EIO
			}
			return nil
		}})
		o.damaged("state-camera-1", &fault{kind: local, err: errDamagedSpool})
		undo()
		if seen < n {
			t.Logf("%d calls", n-1)
			return
		}
		e := o.mails["state-camera-1"]
		if e == nil {
			t.Fatalf("call %d: lost", n)
		}
		eml, rerr := os.ReadFile(o.spool.queue("state-camera-1.eml"))
		if rerr != nil || hashOf(eml) != e.SHA256 {
			o.damaged("state-camera-1", &fault{kind: local, err: errDamagedSpool})
			eml, rerr = os.ReadFile(o.spool.queue("state-camera-1.eml"))
			if rerr != nil || hashOf(eml) != e.SHA256 {
				t.Errorf("call %d: not mended: %v", n, rerr)
			}
		}
		o = idle(t, dir)
		if e = o.mails["state-camera-1"]; e == nil || hashOf(eml) != e.SHA256 {
			t.Errorf("call %d: after a start: %+v", n, e)
		}
	}
}

// It was killed while it sent a mail, and the disk is full: the program does not start.
func TestOpenHandedOnFullDisk(t *testing.T) {
	dir := smallDisk(t, 6<<20)
	o := idle(t, dir)
	if err := o.Submit(context.Background(), firing(1, time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	o.spool.sending(event.AlarmID(1))
	f, _ := os.Create(filepath.Join(dir, "ballast"))
	for buf := make([]byte, 4096); ; {
		if _, err := f.Write(buf); err != nil {
			break
		}
	}
	f.Close()
	o, err := Open(dir, Options{Version: "test"})
	if err != nil {
		t.Fatalf("the spool cannot be opened: %v", err)
	}
	if !o.mails[event.AlarmID(1)].Handed {
		t.Error("not known as handed")
	}
	if o, err = Open(dir, Options{Version: "test"}); err != nil || !o.mails[event.AlarmID(1)].Handed {
		t.Errorf("started once more: not known as handed, %v", err)
	}
}

// Many damaged mails at a start on a full disk, reserve there: all of them.
func TestManyDamagedOnFullDisk(t *testing.T) {
	dir := smallDisk(t, 12<<20)
	o := idle(t, dir)
	jpeg := picture(t, 640, 480)
	for i := range 12 {
		n := firing(uint64(i+1), time.Now(), jpeg)
		if err := o.Submit(context.Background(), n); err != nil {
			t.Fatal(err)
		}
		o.mails[n.ID].Mail.Recipients[0].State = event.Delivered
		r := o.mails[n.ID].record
		r.Mail.Recipients = append(r.Mail.Recipients, event.Recipient{Address: "b@example.test", State: event.Pending})
		r.Envelope = append(r.Envelope, "b@example.test")
		if err := o.spool.save(r); err != nil {
			t.Fatal(err)
		}
		os.Truncate(o.spool.queue(n.ID+".eml"), 100)
	}
	f, _ := os.Create(filepath.Join(dir, "ballast"))
	for buf := make([]byte, 4096); ; {
		if _, err := f.Write(buf); err != nil {
			break
		}
	}
	f.Close()
	o, err := Open(dir, Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for id, e := range o.mails {
		if eml, err := os.ReadFile(o.spool.queue(id + ".eml")); err == nil && hashOf(eml) == e.SHA256 {
			good++
		}
	}
	t.Logf("%d of %d are mended; %q", good, len(o.mails), o.Problems())
	if len(o.mails) != 12 {
		t.Errorf("%d mails", len(o.mails))
	}
}
