package mail

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

func test(id string) event.Notice {
	return event.Notice{ID: id, Kind: event.Test, At: time.Now()}
}

// eventually waits until ok.
func (b *bench) eventually(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("not %s", what)
		}
	}
}

func (b *bench) holding() hold {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Outbox.hold
}

// A mail that breaks every transfer takes its turn behind the others, and does
// not make them wait longer each time.
func TestOneMailDoesNotStarveTheOthers(t *testing.T) {
	for _, fault := range []string{"", "421 4.7.0 no"} {
		t.Run("reply "+fault, func(t *testing.T) {
			var mu sync.Mutex
			var order []string
			f := newFaulty(t, map[string]string{"GREETING": "421 not yet"})
			f.onDot = func(body string) (string, bool) {
				id := "good"
				if strings.Contains(body, "<poison.") {
					id = "poison"
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, id)
				return fault, id == "poison"
			}
			b := start(t, t.TempDir(), f.settings(), config.Secrets{}, func(x *timeouts) {
				x.networkRetry = []time.Duration{20 * time.Millisecond, 20 * time.Millisecond, time.Hour}
				x.slowRetry, x.busyRetry = x.networkRetry, x.networkRetry
			})
			now := time.Now()
			b.submit(alarm("good", now))
			b.submit(alarm("poison", now.Add(time.Second))) // the newest
			f.unset("GREETING")
			if err := b.Retry(""); err != nil {
				t.Fatal(err)
			}
			b.untilState("good", "delivered")
			b.eventually("tried three times", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(order) == 4
			})
			if want := []string{"poison", "good", "poison", "poison"}; !slices.Equal(order, want) {
				t.Errorf("the server got %v, want %v", order, want)
			}
			b.until("poison", "tried", func(m event.Mail) bool { return time.Until(m.NextTry) > 30*time.Minute })
			if h := b.holding(); h.count > 1 {
				t.Errorf("one mail's faults made all wait %d times", h.count)
			}
			b.submit(alarm("good-2", now.Add(2*time.Second)))
			b.untilState("good-2", "delivered")
		})
	}
}

// Faults of different mails are the line's or the server's: all wait, longer each time.
func TestFaultsOfManyMailsMakeAllWait(t *testing.T) {
	f := newFaulty(t, map[string]string{"DATA": ""})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{}, func(x *timeouts) {
		x.networkRetry = []time.Duration{10 * time.Millisecond, 10 * time.Millisecond, time.Hour}
	})
	for i := range 5 {
		b.submit(alarm(fmt.Sprint("alarm-", i), time.Now()))
	}
	b.eventually("held", func() bool { return b.holding().count == 3 })
	time.Sleep(200 * time.Millisecond)
	if n := f.conns.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

// To retry everything is one attempt where the first shows that all must wait.
func TestRetryOfAllDoesNotHammer(t *testing.T) {
	f := newFaulty(t, map[string]string{"GREETING": "554 go away"})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{})
	for i := range 40 {
		b.submit(alarm(fmt.Sprint("alarm-", i), time.Now().Add(time.Duration(i)*time.Second)))
	}
	for _, id := range []string{"test-1", "test-2"} {
		b.submit(test(id))
		b.until(id, "tried", func(m event.Mail) bool { return m.Attempts == 1 })
	}
	b.eventually("held", func() bool { return b.holding().count > 0 })
	before := f.conns.Load()
	if err := b.Retry(""); err != nil {
		t.Fatal(err)
	}
	b.eventually("tried", func() bool { return f.conns.Load() > before && b.holding().count > 0 })
	time.Sleep(300 * time.Millisecond)
	if n := f.conns.Load() - before; n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A test mail that fails within a hold says so, and the alarms wait no longer for it.
func TestFailedTestsDoNotLengthenTheHold(t *testing.T) {
	f := newFaulty(t, map[string]string{"GREETING": "554 no"})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	b.until("alarm-1", "tried", func(m event.Mail) bool { return m.Attempts == 1 })
	before := b.holding()
	for i := range 5 {
		id := fmt.Sprint("test-", i)
		b.submit(test(id))
		if m := b.until(id, "tried", func(m event.Mail) bool { return m.Attempts == 1 }); !strings.Contains(m.Problem, "554 no") {
			t.Errorf("%+v", m)
		}
	}
	if h := b.holding(); h.count != 1 || h.until != before.until {
		t.Errorf("%+v, was %+v", h, before)
	}
}

// A server that takes the connection and says nothing: soon a verdict, later
// patience, and a test mail goes at once all the same.
func TestSilentServer(t *testing.T) {
	f := newFaulty(t, map[string]string{"GREETING": silent})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{}, func(x *timeouts) {
		x.greeting, x.firstGreeting = time.Hour, 300*time.Millisecond
	})
	b.submit(alarm("alarm-1", time.Now()))
	m := b.until("alarm-1", "judged", func(m event.Mail) bool { return m.Attempts == 1 })
	if !strings.Contains(m.Problem, "says nothing") {
		t.Errorf("%+v", m)
	}
	b.eventually("tried again", func() bool { return f.conns.Load() == 2 })
	b.submit(test("test-1"))
	m = b.until("test-1", "judged", func(m event.Mail) bool { return m.Attempts == 1 })
	if !strings.Contains(m.Problem, "says nothing") {
		t.Errorf("%+v", m)
	}
	if m := b.mail("alarm-1"); m.Attempts != 1 {
		t.Errorf("the attempt that was broken off counts: %+v", m)
	}
	f.unset("GREETING")
	b.submit(test("test-2"))
	for _, id := range []string{"alarm-1", "test-1", "test-2"} {
		b.untilState(id, "delivered")
	}
}

// What waits behind another mail says for what.
func TestQueuedBehindSaysSo(t *testing.T) {
	f := newFaulty(t, map[string]string{"GREETING": silent})
	b := start(t, t.TempDir(), f.settings(), config.Secrets{}, func(x *timeouts) { x.firstGreeting = time.Hour })
	b.submit(test("test-1"))
	b.eventually("connected", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now != nil && b.now.step == "tcp"
	})
	b.submit(test("test-2"))
	m := b.mail("test-2")
	if !strings.Contains(m.Problem, "waits for mail test-1") || !strings.Contains(m.Problem, "last step: tcp") {
		t.Errorf("%q", m.Problem)
	}
	if said := b.said.changesOf("test-2"); len(said) != 1 || said[0].Problem == "" {
		t.Errorf("the listener heard %+v", said)
	}
	b.submit(alarm("alarm-1", time.Now()))
	if m := b.mail("alarm-1"); m.Problem != "" {
		t.Errorf("a moment's wait is no problem: %q", m.Problem)
	}
}

// held is a server that keeps its reply to the final dot back until told.
func held(t *testing.T) (f *faulty, reached, reply chan struct{}) {
	f = newFaulty(t, nil)
	reached, reply = make(chan struct{}, 10), make(chan struct{})
	f.onDot = func(string) (string, bool) {
		reached <- struct{}{}
		<-reply
		return "", false
	}
	return f, reached, reply
}

// A stop between the final dot and the reply waits for the reply: the mail is
// not sent again.
func TestStopAfterTheDot(t *testing.T) {
	f, reached, reply := held(t)
	dir := t.TempDir()
	b := start(t, dir, f.settings(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	<-reached
	time.AfterFunc(300*time.Millisecond, func() { close(reply) })
	b.stop()
	if m := b.mail("alarm-1"); m.QueueState() != "delivered" {
		t.Errorf("%+v", m)
	}
	b = start(t, dir, f.settings(), config.Secrets{})
	b.submit(alarm("alarm-2", time.Now()))
	b.untilState("alarm-2", "delivered")
	if n := f.mails.Load(); n != 2 {
		t.Errorf("the server has %d mails, want 2", n)
	}
}

// It does not wait for ever.
func TestStopAfterTheDotIsBounded(t *testing.T) {
	f, reached, reply := held(t)
	t.Cleanup(func() { close(reply) })
	b := start(t, t.TempDir(), f.settings(), config.Secrets{}, func(x *timeouts) { x.stop = 200 * time.Millisecond })
	b.submit(alarm("alarm-1", time.Now()))
	<-reached
	b.stop()
	if m := b.mail("alarm-1"); m.Count(event.Pending) != 1 || m.Attempts != 0 {
		t.Errorf("%+v", m)
	}
}

// A Retry while the mail is being sent is not lost with that attempt.
func TestRetryWhileSending(t *testing.T) {
	f, reached, reply := held(t)
	wait := f.onDot
	var once sync.Once
	f.onDot = func(body string) (answer string, judged bool) {
		once.Do(func() {
			wait(body)
			answer, judged = "451 4.3.0 later", true
		})
		return answer, judged
	}
	b := start(t, t.TempDir(), f.settings(), config.Secrets{}, func(x *timeouts) { x.slowRetry, x.busyRetry = []time.Duration{time.Hour}, []time.Duration{time.Hour} })
	b.submit(alarm("alarm-1", time.Now()))
	<-reached
	if err := b.Retry("alarm-1"); err != nil {
		t.Fatal(err)
	}
	close(reply)
	if m := b.untilState("alarm-1", "delivered"); m.Attempts != 2 {
		t.Errorf("%+v", m)
	}
}

// What is being sent cannot be dropped: the server's 250 counts.
func TestDropWhileSending(t *testing.T) {
	f, reached, reply := held(t)
	b := start(t, t.TempDir(), f.settings(), config.Secrets{})
	b.submit(alarm("alarm-1", time.Now()))
	<-reached
	if err := b.Drop("alarm-1"); err == nil || !strings.Contains(err.Error(), "being sent") {
		t.Errorf("Drop: %v", err)
	}
	if err := b.Settle("alarm-1"); err == nil {
		t.Error("settled while it was sent")
	}
	close(reply)
	b.untilState("alarm-1", "delivered")
	b.eventually("at rest", func() bool { return b.Drop("alarm-1") == nil })
	if m := b.mail("alarm-1"); m.QueueState() != "delivered" {
		t.Errorf("%+v", m)
	}
}

// Nor does a Drop win over a delivery that could not be written at first.
func TestDropAfterUnsavedDelivery(t *testing.T) {
	dir := t.TempDir()
	queue := filepath.Join(dir, "queue")
	f := newFaulty(t, nil)
	f.onDot = func(string) (string, bool) {
		if err := os.Rename(queue, queue+".away"); err != nil {
			t.Error(err)
		}
		return "", false
	}
	b := start(t, dir, f.settings(), config.Secrets{}, func(x *timeouts) { x.slowRetry, x.busyRetry = []time.Duration{time.Hour}, []time.Duration{time.Hour} })
	b.submit(alarm("alarm-1", time.Now()))
	b.eventually("found unwritable", func() bool { return len(b.Problems()) > 0 })
	if err := os.Rename(queue+".away", queue); err != nil {
		t.Fatal(err)
	}
	b.eventually("dropped", func() bool { return b.Drop("alarm-1") == nil })
	if m := b.mail("alarm-1"); m.QueueState() != "delivered" || f.mails.Load() != 1 {
		t.Errorf("the server has it %d times, %+v", f.mails.Load(), m)
	}
	b.stop()
	if m := idle(t, dir).Mails(); len(m) != 1 || m[0].QueueState() != "delivered" {
		t.Errorf("on the disk: %+v", m)
	}
}

// The listener knows of a mail when Submit returns, and of a change when it does.
func TestListenerHearsAtOnce(t *testing.T) {
	said := &recorder{}
	o, err := Open(t.TempDir(), Options{Listener: said})
	if err != nil {
		t.Fatal(err)
	}
	o.Configure(testConfig(), config.Secrets{}, time.UTC)
	if err := o.Submit(context.Background(), alarm("alarm-1", time.Now())); err != nil {
		t.Fatal(err)
	}
	if got := said.changesOf("alarm-1"); len(got) != 1 || got[0].QueueState() != "queued" {
		t.Errorf("after Submit: %+v", got)
	}
	if err := o.Drop("alarm-1"); err != nil {
		t.Fatal(err)
	}
	if got := said.changesOf("alarm-1"); len(got) != 2 || got[1].QueueState() != "dropped" {
		t.Errorf("after Drop: %+v", got)
	}
}
