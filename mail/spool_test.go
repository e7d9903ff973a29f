package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// idle opens an outbox that sends nothing.
func idle(t testing.TB, dir string) *Outbox {
	t.Helper()
	o, err := Open(dir, Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	o.Configure(testConfig(), config.Secrets{}, time.UTC)
	return o
}

func submit(t testing.TB, o *Outbox, id string) {
	t.Helper()
	if err := o.Submit(context.Background(), alarm(id, time.Now())); err != nil {
		t.Fatal(err)
	}
}

func TestSubmitIsIdempotent(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	submit(t, o, "alarm-1")
	first := o.Mails()[0]
	submit(t, o, "alarm-1")
	if m := o.Mails(); len(m) != 1 || m[0].MessageID != first.MessageID {
		t.Errorf("%+v", m)
	}
	o = idle(t, dir)
	submit(t, o, "alarm-1")
	if m := o.Mails(); len(m) != 1 || m[0].MessageID != first.MessageID {
		t.Errorf("after a restart: %+v", m)
	}
	if err := o.Drop("alarm-1"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := o.Settle("alarm-1"); err != nil {
			t.Fatal(err)
		}
	}
	submit(t, o, "alarm-1")
	o = idle(t, dir)
	submit(t, o, "alarm-1")
	if m := o.Mails(); len(m) != 1 || m[0].QueueState() != "dropped" {
		t.Errorf("after it was settled: %+v", m)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "queue")); len(left) != 0 {
		t.Errorf("left in the queue: %v", left)
	}
}

func TestSubmitRefuses(t *testing.T) {
	o := idle(t, t.TempDir())
	for _, id := range []string{"", "../x", "A", "a b", "-a", strings.Repeat("a", 101), "a/b", "a\x00"} {
		if err := o.Submit(context.Background(), event.Notice{ID: id}); err == nil {
			t.Errorf("took the ID %q", id)
		}
	}
	o.Configure(config.Config{}, config.Secrets{}, time.UTC)
	if err := o.Submit(context.Background(), alarm("alarm-1", time.Now())); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("not configured: %v", err)
	}
	if m := o.Mails(); len(m) != 0 {
		t.Errorf("%+v", m)
	}
}

func TestQueueIsBounded(t *testing.T) {
	o := idle(t, t.TempDir())
	for i := range maxQueue {
		id := fmt.Sprint("m", i)
		o.mails[id] = &entry{record: record{Mail: event.Mail{ID: id, Recipients: []event.Recipient{{State: event.RcptHeld}}}}}
	}
	if err := o.Submit(context.Background(), alarm("alarm-1", time.Now())); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
}

func TestDeliveredIsBounded(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	const n = keepDelivered + 5
	for i := range n {
		id := fmt.Sprintf("alarm-%03d", i)
		submit(t, o, id)
		if err := o.Drop(id); err != nil {
			t.Fatal(err)
		}
		if err := o.Settle(id); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := os.ReadDir(filepath.Join(dir, "delivered"))
	if m := o.Mails(); len(m) != keepDelivered || m[0].ID != "alarm-005" || len(files) != 2*keepDelivered {
		t.Errorf("%d mails from %s, %d files", len(m), m[0].ID, len(files))
	}
}

// A start makes good what a crash can leave, and sets damage aside, saying so.
func TestStartTidiesUp(t *testing.T) {
	for name, c := range map[string]struct {
		damage      func(dir string) error
		mails       int
		quarantined int
	}{
		"nothing":            {func(string) error { return nil }, 2, 0},
		"temporary file":     {func(d string) error { return os.WriteFile(d+"/queue/.tmp-1", []byte("x"), 0o600) }, 2, 0},
		"mail without state": {func(d string) error { return os.Remove(d + "/queue/alarm-1.json") }, 1, 0},
		"state without mail": {func(d string) error { return os.Remove(d + "/queue/alarm-1.eml") }, 1, 1},
		"truncated mail":     {func(d string) error { return os.Truncate(d+"/queue/alarm-1.eml", 100) }, 1, 2},
		"truncated state":    {func(d string) error { return os.Truncate(d+"/queue/alarm-1.json", 100) }, 1, 2},
		"empty state":        {func(d string) error { return os.Truncate(d+"/queue/alarm-1.json", 0) }, 1, 2},
		"another's state": {func(d string) error {
			b, err := os.ReadFile(d + "/queue/alarm-2.json")
			if err != nil {
				return err
			}
			return os.WriteFile(d+"/queue/alarm-1.json", b, 0o600)
		}, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := idle(t, dir)
			submit(t, o, "alarm-1")
			submit(t, o, "alarm-2")
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			o = idle(t, dir)
			if got := len(o.Mails()); got != c.mails {
				t.Errorf("%d mails, want %d", got, c.mails)
			}
			aside, _ := os.ReadDir(filepath.Join(dir, "quarantine"))
			if len(aside) != c.quarantined || (len(o.Problems()) > 0) != (c.quarantined > 0) {
				t.Errorf("set aside %v, problems %q", aside, o.Problems())
			}
			left, _ := os.ReadDir(filepath.Join(dir, "queue"))
			if len(left) != 2*c.mails {
				t.Errorf("in the queue: %v", left)
			}
			if _, err := os.Stat(filepath.Join(dir, "reserve")); err != nil {
				t.Error(err)
			}
			submit(t, o, "alarm-1") // the engine composes anew what has no mail
			if got := len(o.Mails()); got != 2 {
				t.Errorf("%d mails after the new submission", got)
			}
		})
	}
}

func TestRetryAndDrop(t *testing.T) {
	o := idle(t, t.TempDir())
	for _, f := range []func(string) error{o.Retry, o.Drop} {
		if err := f("nothing"); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
	submit(t, o, "alarm-1")
	if err := o.Settle("alarm-1"); err == nil {
		t.Error("settled a pending mail")
	}
	if err := o.Settle("unknown"); err != nil {
		t.Error(err)
	}
	if err := o.Drop(""); err == nil {
		t.Error("dropped everything")
	}
	if err := o.Retry(""); err != nil {
		t.Error(err)
	}
}

// The state on the disk that a person reads has no secret, and nothing that changes the mail.
func TestStateFile(t *testing.T) {
	dir := t.TempDir()
	o := idle(t, dir)
	o.Configure(testConfig(), config.Secrets{SMTPPassword: "a long secret"}, time.UTC)
	submit(t, o, "alarm-1")
	for _, suffix := range []string{".json", ".eml"} {
		b, err := os.ReadFile(filepath.Join(dir, "queue", "alarm-1"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "a long secret") {
			t.Errorf("%s holds the password", suffix)
		}
		st, err := os.Stat(filepath.Join(dir, "queue", "alarm-1"+suffix))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", suffix, st.Mode(), err)
		}
	}
}

func TestBackOff(t *testing.T) {
	for n, want := range []time.Duration{5, 15, 30, 60, 120, 300, 600, 900, 900, 900} {
		want *= time.Second
		for range 100 {
			if d := backOff(defaultTimeouts.networkRetry, n); d < want*4/5 || d > want*6/5 {
				t.Fatalf("wait %d is %v, want %v give or take a fifth", n, d, want)
			}
		}
	}
}

func FuzzRecord(f *testing.F) {
	o := idle(f, f.TempDir())
	submit(f, o, "alarm-1")
	good, err := json.Marshal(o.mails["alarm-1"].record)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"mail":{"id":"alarm-1","recipients":[{"state":"pending"}],"bytes":1},"envelope":["a@b\r\nDATA"]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord("alarm-1", b)
		if err != nil {
			return
		}
		if len(r.Envelope) != len(r.Mail.Recipients) || len(r.Envelope) == 0 || r.Mail.ID != "alarm-1" {
			t.Errorf("accepted %+v", r)
		}
		for _, a := range append(r.Envelope, r.From) {
			if strings.ContainsAny(a, "\r\n") {
				t.Errorf("a line end in %q", a)
			}
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseRecord("alarm-1", again); err != nil {
			t.Errorf("what was accepted is refused when written again: %v", err)
		}
	})
}

func FuzzSanitise(f *testing.F) {
	f.Add("250 ok")
	f.Add("\x1b[2J\x9b\u202e\xff\r\n\x00")
	f.Fuzz(func(t *testing.T, s string) {
		got := sanitise(s)
		for _, r := range got {
			if isControl(r) {
				t.Fatalf("%q from %q", got, s)
			}
		}
		if len([]rune(got)) > replyText || strings.TrimSpace(got) != got || sanitise(got) != got {
			t.Fatalf("%q from %q", got, s)
		}
	})
}

// BenchmarkSubmit is the cost of a durable enqueue of a mail with an image of
// 60 kB; its fsyncs are the disk's.
func BenchmarkSubmit(b *testing.B) {
	o := idle(b, b.TempDir())
	n := alarm("x", time.Now())
	n.Images = []event.Image{{At: n.At, JPEG: make([]byte, 60_000)}}
	for i := 0; b.Loop(); i++ {
		n.ID = fmt.Sprint("alarm-", i)
		if err := o.Submit(context.Background(), n); err != nil {
			b.Fatal(err)
		}
		o.mails = map[string]*entry{} // the bound is not what is measured
	}
}

func BenchmarkCompose(b *testing.B) {
	n := alarm("x", time.Now())
	n.Images = []event.Image{{At: n.At, JPEG: make([]byte, 60_000)}}
	for b.Loop() {
		if _, err := compose(n, form{letterhead: letterheadOf(testConfig(), nil), date: n.At}); err != nil {
			b.Fatal(err)
		}
	}
}
