package mail

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/engine/need"
	"watchpost/engine/uptime"
)

// smallDisk is a file system of its own.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	need.Root(t, "a small file system is mounted")
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=", bytes)); err != nil {
		need.Skip(t, "a tmpfs cannot be mounted: "+err.Error())
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// A program that is started again and again does not ask again and again for what
// the server has refused; other settings are tried at once; the password is in
// no file of the spool.
func TestPauseOutlivesARestart(t *testing.T) {
	const password = "correct horse battery"
	f := newFaulty(t, map[string]string{"GREETING": "554 go away"})
	dir := t.TempDir()
	c, s := f.settings(), config.Secrets{SMTPPassword: password}
	b := start(t, dir, c, s)
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	b.stop()
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if x, _ := os.ReadFile(path); strings.Contains(string(x), password) {
			t.Errorf("the password is in %s", path)
		}
		return nil
	})
	asked := f.conns.Load()
	for range 3 {
		b = start(t, dir, c, s)
		m := b.mail("alarm-1")
		if left := time.Until(m.NextTry); left < 10*time.Minute || !strings.Contains(m.Problem, "554") {
			t.Errorf("%v left: %+v", left, m)
		}
		b.stop()
	}
	if n := f.conns.Load(); n != asked {
		t.Errorf("%d connections more", n-asked)
	}
	f.unset("GREETING")
	b = start(t, dir, c, config.Secrets{SMTPPassword: "another"})
	b.untilState("alarm-1", "delivered")
	b.stop()
	if _, err := os.Stat(filepath.Join(dir, "hold.json")); err == nil {
		t.Error("the pause is still on the disk")
	}
}

// A mail's own wait goes on over a restart in the same boot, is over in the next,
// and no clock has a say in it.
func TestWaitIsUptime(t *testing.T) {
	f := newFaulty(t, map[string]string{"RCPT": "450 4.2.0 later"})
	dir := t.TempDir()
	slow := func(t *timeouts) { t.slowRetry, t.busyRetry = []time.Duration{time.Hour}, []time.Duration{time.Hour} }
	b := start(t, dir, f.settings(), config.Secrets{}, slow)
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	b.stop()
	o, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(o.mails["alarm-1"].next); left < 30*time.Minute || left > 90*time.Minute || o.mails["alarm-1"].Failed != 1 {
		t.Errorf("%v left", left)
	}
	u := uptime.Clock(func() uptime.Moment { return uptime.Moment{Boot: "this", At: time.Minute} })
	for _, c := range []struct {
		m    *uptime.Moment
		left time.Duration
	}{{nil, 0}, {&uptime.Moment{Boot: "this", At: time.Hour}, 59 * time.Minute}, {&uptime.Moment{Boot: "this", At: time.Second}, 0}, {&uptime.Moment{Boot: "other", At: time.Hour}, 0}, {&uptime.Moment{Boot: "", At: time.Hour}, 0}} {
		if got := u.Left(c.m); got != c.left {
			t.Errorf("%+v: %v left, want %v", c.m, got, c.left)
		}
	}
	if now := uptime.Boot()(); now.Boot == "" || now.At <= 0 {
		t.Errorf("%+v", now)
	}
}

// The line is back: what failed for it is tried at once, and what the server
// refused is not.
func TestLineBack(t *testing.T) {
	f := newFaulty(t, map[string]string{"GREETING": ""})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{}, func(t *timeouts) { t.networkRetry = []time.Duration{time.Hour} })
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	f.unset("GREETING")
	b.LineBack()
	b.untilState("alarm-1", "delivered")

	f = newFaulty(t, map[string]string{"GREETING": "554 go away"})
	b = start(t, t.TempDir(), f.settings(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	b.LineBack()
	if _, wait := b.next(); wait < 10*time.Minute {
		t.Errorf("an account is tried again in %v because a route came back", wait)
	}
}

// What was refused is tried again when the configuration that caused it changes,
// also one that was changed while nothing ran: the reply address, and the account.
func TestHeldIsReconsidered(t *testing.T) {
	f := newFaulty(t, map[string]string{"MAIL": "550 5.7.60 SendAsDenied"})
	c := f.settings()
	dir := t.TempDir()
	b := start(t, dir, c, config.Secrets{})
	b.submit(firing(1, time.Now(), picture(t, 64, 48)))
	id := event.AlarmID(1)
	was := b.untilState(id, "held")
	f.unset("MAIL")
	b.stop()
	b = start(t, dir, c, config.Secrets{}) // nothing has changed
	time.Sleep(200 * time.Millisecond)
	if m := b.mail(id); m.QueueState() != "held" || m.Attempts != 1 {
		t.Errorf("%+v", m)
	}
	b.stop()
	c.Mail.ReplyAddress = "gate3@example.test"
	b = start(t, dir, c, config.Secrets{})
	m := b.untilState(id, "delivered")
	f.mu.Lock()
	p := parse(t, []byte(f.last))
	f.mu.Unlock()
	if p.header.Get("From") != "<gate3@example.test>" || len(p.images) != 1 || m.MessageID != was.MessageID || p.header.Get("To") != "<guard@example.test>" {
		t.Errorf("%v, %+v", p.header, m)
	}

	relay := newFaulty(t, map[string]string{"RCPT": "554 5.7.1 Relay access denied"})
	c = relay.settings()
	b = start(t, t.TempDir(), c, config.Secrets{})
	b.submit(firing(1, time.Now(), nil))
	b.untilState(id, "held")
	b.Configure(c, config.Secrets{}, time.UTC) // the same again
	time.Sleep(200 * time.Millisecond)
	if m := b.mail(id); m.QueueState() != "held" || m.Attempts != 1 {
		t.Errorf("%+v", m)
	}
	other := newFaulty(t, map[string]string{})
	c.SMTP = other.settings().SMTP
	b.Configure(c, config.Secrets{}, time.UTC)
	b.untilState(id, "delivered")
}
