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

// On a full disk the images of held mails stay, and the text of a new notification is refused.
func TestHeldImagesCrowdOutTexts(t *testing.T) {
	for _, state := range []event.RecipientState{event.Pending, event.RcptHeld} {
		t.Run(string(state), func(t *testing.T) {
			dir := smallDisk(t, 6<<20)
			o := idle(t, dir)
			jpeg := picture(t, 640, 480)
			var last error
			for seq := range uint64(400) {
				n := firing(seq+1, time.Now(), jpeg)
				if last = o.Submit(context.Background(), n); last != nil {
					t.Logf("notification %d: %v", seq+1, last)
					break
				}
				if err := o.change(n.ID, func(r *record) bool { r.Mail.Recipients[0].State = state; return true }, nil); err != nil {
					t.Logf("state of %d: %v", seq+1, err)
					break
				}
			}
			with, bytes := 0, int64(0)
			for _, e := range o.mails {
				if len(e.Captions) > 0 {
					with++
					bytes += e.Mail.Bytes
				}
			}
			t.Logf("%s: %d mails, %d of them with images, %d kB", state, len(o.mails), with, bytes/1000)
			if last != nil && with > 1 {
				t.Errorf("refused while %d mails keep their images", with)
			}
		})
	}
}

// A stop while the server thinks about the dot forgets that it may have the mail.
func TestStopForgetsHanded(t *testing.T) {
	at := make(chan bool, 1)
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if cmd == "." {
			at <- true
			return "-"
		}
		return o
	})
	dir := t.TempDir()
	b := start(t, dir, oddSettings(a), config.Secrets{}, func(t *timeouts) { t.stop = 100 * time.Millisecond })
	b.submit(alarm("alarm-1", time.Now()))
	<-at
	b.stop()
	o := idle(t, dir)
	if !o.mails["alarm-1"].Handed {
		t.Errorf("after the restart it may be folded and made smaller; sending: %q", o.spool.wasSending())
	}
}

// A trouble that is over stays on the screen.
func TestUnsavedProblemStays(t *testing.T) {
	f := newFaulty(t, nil)
	var broken atomic.Bool
	f.onDot = func(string) (string, bool) { broken.Store(true); return "", false }
	defer durable.Observe(durable.Observer{Before: func(c durable.Call) error {
		if broken.Load() && c.Op == durable.OpSync {
			return syscall.EIO
		}
		return nil
	}})()
	b := start(t, t.TempDir(), f.settings(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	for end := time.Now().Add(patience); len(b.Problems()) == 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	broken.Store(false)
	f.mu.Lock()
	f.onDot = nil
	f.mu.Unlock()
	b.untilState("alarm-1", "delivered")
	if err := b.Settle("alarm-1"); err != nil {
		t.Fatal(err)
	}
	if p := b.Problems(); len(p) > 0 {
		t.Errorf("delivered and settled, and: %q", p)
	}
}

// Each saved setting, whatever it is about, asks the server again for what it has refused.
func TestConfigureEndsThePause(t *testing.T) {
	var auth atomic.Int32
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if cmd == "GREETING" {
			auth.Add(1)
			return "554 5.7.1 refused"
		}
		return o
	})
	c := oddSettings(a)
	b := start(t, t.TempDir(), c, config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	for i := range 10 { // an installer sets a threshold
		c.Triggers = []config.Trigger{{Name: "yard", Threshold: i%9 + 1}}
		b.Configure(c, config.Secrets{}, time.UTC)
		time.Sleep(200 * time.Millisecond)
	}
	if n := auth.Load(); n != 1 {
		t.Errorf("refused %d times within 2 s, the pause is an hour", n)
	}
}

// Words in host names and addresses are not the server's verdict.
func TestWordsInNames(t *testing.T) {
	for _, x := range []struct {
		step, reply string
		code        int
		want        string
	}{
		{"data", "4.3.0 relay02.provider.example: queue file write error", 451, "passing trouble"},
		{"rcpt", "4.2.0 <guard@example.test>: Recipient address rejected: try again, smtp-relay.provider.example", 450, "again later"},
		{"rcpt", "5.1.1 <relay@example.test>: mailbox unavailable", 550, "is not known"},
		{"rcpt", "5.1.1 <quota@example.test>: mailbox unavailable", 550, "is not known"},
		{"data", "5.7.1 message blocked by content policy", 554, "for what it holds"},
		{"rcpt", "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", 554, "block list"},
		{"rcpt", "5.7.1 <x@example.test>: Relay access denied", 554, "relaying denied"},
	} {
		if v, _ := explain(&fault{step: x.step, code: x.code, text: x.reply}); !strings.Contains(v, x.want) {
			t.Errorf("%d %s\n%s", x.code, x.reply, v)
		}
	}
}

// A state mail, and one that some have, damaged on the disk.
func TestDamaged(t *testing.T) {
	first := true
	got := map[string]int{}
	a := oddServer(t, "127.0.0.1:0", func(_ int, cmd, o string) string {
		if strings.HasPrefix(cmd, "RCPT") && strings.Contains(cmd, "slow") && first {
			first = false
			return "450 4.2.0 later"
		}
		if strings.HasPrefix(cmd, "RCPT") || cmd == "." {
			got[cmd]++
		}
		return o
	})
	dir := t.TempDir()
	b := start(t, dir, oddSettings(a, "guard@example.test", "slow@example.test"), config.Secrets{}, func(t *timeouts) { t.slowRetry = []time.Duration{time.Second} })
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts > 0 })
	name := filepath.Join(dir, "queue", "alarm-1.eml")
	x, _ := os.ReadFile(name)
	x[len(x)/2] ^= 1
	os.WriteFile(name, x, 0o600)
	if m := b.untilState("alarm-1", "delivered"); m.Damaged || got["RCPT TO:<guard@example.test>"] != 1 || got["."] != 2 {
		t.Errorf("%+v, %v", m, got)
	}
	if all := strings.Join(b.Problems(), " "); !strings.Contains(all, "rendered again without images") {
		t.Errorf("problems %q", all)
	}
}

// A state mail that is damaged is rendered again: nobody else would. So it is at a start.
func TestDamagedStateMail(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	n := event.Notice{ID: "state-camera-1", Kind: event.State, At: time.Now(), Title: "camera lost", Notes: []string{"The camera gives no picture."}}
	if err := o.Submit(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	before := o.mails[n.ID].record
	if err := os.Truncate(o.spool.queue(n.ID+".eml"), 100); err != nil {
		t.Fatal(err)
	}
	o = idle(t, dir)
	e := o.mails[n.ID]
	if e == nil || e.Mail.MessageID != before.Mail.MessageID || e.Mail.Count(event.Pending) != len(before.Mail.Recipients) {
		t.Fatalf("after a start: %+v", e)
	}
	eml, err := os.ReadFile(o.spool.queue(n.ID + ".eml"))
	if err != nil || hashOf(eml) != e.SHA256 || !strings.Contains(string(eml), "The camera gives no picture.") {
		t.Errorf("its file: %v\n%s", err, eml)
	}
	if p := o.Problems(); len(p) != 1 || !strings.Contains(p[0], "rendered again") {
		t.Errorf("problems %q", p)
	}
	if aside, _ := os.ReadDir(filepath.Join(dir, "quarantine")); len(aside) != 1 {
		t.Errorf("%d files set aside", len(aside))
	}
}

// Mails of another version of this program are no damage: they wait for it.
func TestMailsOfAnotherVersionWait(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	for i := range 50 {
		if err := o.Submit(context.Background(), firing(uint64(i+1), time.Now(), nil)); err != nil {
			t.Fatal(err)
		}
		name := o.spool.queue(event.AlarmID(uint64(i+1)) + ".json")
		js, _ := os.ReadFile(name)
		js = []byte(strings.Replace(string(js), fmt.Sprintf(`"version": %d`, recordVersion), `"version": 99`, 1))
		if err := os.WriteFile(name, js, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o = idle(t, dir)
	files, _ := os.ReadDir(o.spool.queue(""))
	if p := o.Problems(); len(o.mails) != 0 || len(files) != 100 || len(p) != 1 || !strings.Contains(p[0], "50 mails") {
		t.Errorf("%d mails, %d files, %q", len(o.mails), len(files), p)
	}
	before, _ := os.ReadFile(o.spool.queue(event.AlarmID(3) + ".json"))
	err := o.Submit(context.Background(), firing(3, time.Now(), nil)) // an engine that had it refused would keep it for ever
	if after, _ := os.ReadFile(o.spool.queue(event.AlarmID(3) + ".json")); err != nil || string(after) != string(before) {
		t.Errorf("a mail of that name: %v, written over: %v", err, string(after) != string(before))
	}
}
