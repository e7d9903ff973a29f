package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/durable"
	"watchpost/engine/event"
	"watchpost/engine/frame"
)

// mailed is a configuration that mails, with motion triggers.
func mailed(triggers ...config.Trigger) config.Config {
	c := conf(triggers...)
	c.SMTP.Server, c.Mail.ReplyAddress, c.Mail.Destinations = "mail.example", "a@b.example", []string{"c@d.example"}
	return c
}

// inSetBox is inBox with a clock that is set, in a machine that was started once.
func inSetBox(t *testing.T, cfg config.Config, test func(t *testing.T, b *box)) {
	t.Helper()
	onMemory(t)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, dir: dir, cam: &fakeCamera{every: 2 * time.Second}, out: newFakeOutbox(), boot: "one"}
		b.clock.set(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
		b.start(cfg)
		test(t, b)
		b.stop()
	})
}

func (c *testClock) set(at time.Time) { c.ahead.Store(int64(time.Until(at))) }

func (b *box) camera(fail error) {
	b.cam.mu.Lock()
	defer b.cam.mu.Unlock()
	b.cam.fail = fail
}

// states are the state mails so far.
func (b *box) states() (out []event.Notice) {
	for _, n := range b.out.sent() {
		if n.Kind == event.State {
			out = append(out, n)
		}
	}
	return out
}

// expect holds the titles of the state mails against those that are to be, and
// every one against what a state mail must have.
func (b *box) expect(titles ...string) []event.Notice {
	b.t.Helper()
	var got []string
	ids := map[string]bool{}
	for _, n := range b.states() {
		got = append(got, n.Title)
		if ids[n.ID] || !strings.HasPrefix(n.ID, "state-") || len(n.Notes) == 0 || n.Count() != 0 || strings.ContainsFunc(n.ID, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", r)
		}) {
			b.t.Errorf("state mail %+v", n)
		}
		ids[n.ID] = true
	}
	if !slices.Equal(got, titles) {
		b.t.Errorf("state mails %q, want %q", got, titles)
	}
	return b.states()
}

func says(t *testing.T, n event.Notice, words ...string) {
	t.Helper()
	text := strings.Join(n.Notes, "\n")
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", n.Title, w, text)
		}
	}
}

func TestCameraLostIsMailed(t *testing.T) {
	inSetBox(t, mailed(trig("yard")), func(t *testing.T, b *box) {
		time.Sleep(time.Minute)
		b.camera(errors.New("unplugged"))
		time.Sleep(50 * time.Second)
		b.expect()
		time.Sleep(20 * time.Second)
		says(t, b.expect("camera lost")[0], "since 2027-03-01 13:01:0", "unplugged", "no motion is detected", "Check its cable")
		b.camera(nil) // for a moment
		time.Sleep(8 * time.Second)
		b.camera(errors.New("unplugged"))
		time.Sleep(time.Minute)
		b.expect("camera lost")
		b.stop() // a restart repeats nothing and forgets nothing
		b.start(mailed(trig("yard")))
		time.Sleep(5 * time.Minute)
		b.expect("camera lost")
		b.camera(nil)
		time.Sleep(time.Minute)
		says(t, b.expect("camera lost", "camera back")[1], "lost for 7 min", "2027-03-01 13:01:0")
		if a := b.account("yard"); a.Fired != 0 {
			t.Errorf("account %+v", a)
		}
	})
}

// A camera that comes and goes for hours sends at most a pair an hour, and tells how often.
func TestFlappingCamera(t *testing.T) {
	inSetBox(t, mailed(trig("yard")), func(t *testing.T, b *box) {
		for range 30 { // two hours and a half
			time.Sleep(3 * time.Minute)
			b.camera(errors.New("unplugged"))
			time.Sleep(2 * time.Minute)
			b.camera(nil)
		}
		time.Sleep(time.Minute)
		sent := b.expect("camera lost", "camera back", "camera lost", "camera back", "camera lost", "camera back")
		says(t, sent[2], "11 more times")
	})
}

// Nothing is mailed where nobody needs the camera, where the recording has ended,
// where mail is not configured or state mails are off, or in a demo.
func TestNoStateMails(t *testing.T) {
	manual, off := trig("door"), mailed(trig("yard"))
	manual.Source = event.Manual
	off.Mail.StateMails = false
	lost := errors.New("unplugged")
	for name, c := range map[string]struct {
		cfg  config.Config
		mode string
		fail error
	}{
		"no trigger needs it": {mailed(manual), "", lost},
		"ended":               {mailed(trig("yard")), "", frame.ErrEnded},
		"not configured":      {conf(trig("yard")), "", lost},
		"off":                 {off, "", lost},
		"demo":                {mailed(trig("yard")), "demo", lost},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				b := &box{t: t, dir: dir, cam: &fakeCamera{fail: c.fail}, out: newFakeOutbox(), mode: c.mode}
				b.clock.set(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
				b.start(c.cfg)
				time.Sleep(3 * time.Hour)
				b.expect()
				b.stop()
				if _, err := os.Stat(filepath.Join(dir, conditionsName)); (err != nil) != (c.mode == "demo") {
					t.Errorf("its file: %v", err)
				}
			})
		})
	}
}

func TestStuckSensorIsMailed(t *testing.T) {
	inSetBox(t, mailed(trig("yard")), func(t *testing.T, b *box) {
		state := func() event.Trigger {
			s, err := b.Status(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return s.Triggers[0]
		}
		says := func(started bool) {
			b.do(context.Background(), func() { b.signalled(signal{role: role{trigger: "yard"}, started: started, at: b.now()}) })
		}
		time.Sleep(time.Minute)
		says(true)
		time.Sleep(29 * time.Minute)
		if s := state(); s.State == event.StateStuck {
			t.Errorf("%+v", s)
		}
		b.expect()
		time.Sleep(2 * time.Minute)
		if s := state(); s.State != event.StateStuck || s.Why == "" {
			t.Errorf("%+v", s)
		}
		if n := b.expect("sensor stuck"); !strings.Contains(n[0].Notes[0], `"yard" has said active since 2027-03-01 13:01`) {
			t.Errorf("%q", n[0].Notes)
		}
		says(false)
		time.Sleep(2 * time.Minute)
		if s := state(); s.State == event.StateStuck {
			t.Errorf("%+v", s)
		}
		b.expect("sensor stuck", "sensor free")
	})
}

func TestDiskLowIsMailed(t *testing.T) {
	inSetBox(t, mailed(trig("yard")), func(t *testing.T, b *box) {
		low := func(is bool, d time.Duration) {
			for range int(d / time.Second) { // the keeper measures too
				b.do(context.Background(), func() {
					b.usageAt = time.Now().Add(time.Hour)
					b.used.Store(&event.Storage{Directory: "/store", Low: is, FreeBytes: 3e6})
				})
				time.Sleep(time.Second)
			}
		}
		time.Sleep(10 * time.Second)
		low(true, 30*time.Second)
		low(false, 2*time.Minute)
		b.expect()
		low(true, 3*time.Minute)
		says(t, b.expect("disk low")[0], "/store", "3 MB are free", "New images are not kept")
		low(false, 2*time.Minute)
		says(t, b.expect("disk low", "disk free again")[1], "almost full for 3 min")
	})
}

// A board without a battery starts in 1970: mails and firings carry the time that
// was saved last and what has passed since, and say so, until the clock is set.
func TestClockNotSet(t *testing.T) {
	cfg := mailed(quick())
	cfg.Mail.HoldOff = 0
	inSetBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(25 * time.Minute)
		b.stop() // saves 12:25
		b.cam.every = camEvery
		b.clock.set(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
		b.start(cfg)
		time.Sleep(30 * time.Second)
		f := b.fire("yard")
		time.Sleep(4 * time.Second)
		want := time.Date(2027, 3, 1, 12, 25, 30, 0, time.UTC)
		if d := f.At.Sub(want).Abs(); d > 2*time.Second {
			t.Errorf("the firing is of %v", f.At)
		}
		n := b.out.sent()[0]
		if !n.At.Equal(f.At) || !slices.Contains(n.Notes, noteEstimate) || len(n.Images) != 1 || n.Images[0].At.Sub(n.At).Abs() > 2*time.Second {
			t.Errorf("%+v", n)
		}
		list, err := b.Events(context.Background(), event.Filter{N: 1})
		if err != nil || len(list[0].Images) < 5 || list[0].End.Sub(want).Abs() > 10*time.Second {
			t.Errorf("%+v %v", list, err)
		}
		time.Sleep(time.Minute)
		says(t, b.expect("clock not set")[0], "1970-01-01 01:01", noteEstimate)
		b.cam.show(true) // motion is stamped by the camera
		time.Sleep(2 * time.Second)
		b.cam.show(false)
		b.clock.set(time.Date(2027, 3, 2, 8, 0, 0, 0, time.UTC))
		time.Sleep(20 * time.Second)
		says(t, b.expect("clock not set", "clock set")[1], "2027-03-02 09:00")
		sent := b.out.sent()
		last := sent[slices.IndexFunc(sent, func(n event.Notice) bool { return n.Kind == event.Alarm && n.Firings[0].Source == event.Motion })]
		if last.At.Year() != 2027 {
			t.Errorf("%+v", last)
		}
		f = b.fire("yard")
		time.Sleep(2 * time.Second)
		if f.At.UTC().Day() != 2 {
			t.Errorf("the firing is of %v", f.At)
		}
		if sent := b.out.sent(); slices.Contains(sent[len(sent)-1].Notes, noteEstimate) {
			t.Errorf("%+v", sent[len(sent)-1])
		}
	})
}

// After an outage of longer than ten minutes one mail tells how many mails came
// late, over a restart and whatever became a digest.
func TestDelayedMailIsTold(t *testing.T) {
	cfg := mailed(quick())
	cfg.Mail.HoldOff = 0
	inSetBox(t, cfg, func(t *testing.T, b *box) {
		b.out.keep = true
		time.Sleep(time.Minute)
		for range 4 {
			b.fire("yard")
			time.Sleep(5 * time.Second)
		}
		time.Sleep(8 * time.Minute)
		for _, id := range b.out.ids(nil)[:1] { // one gets through in time
			b.out.change(id, event.Delivered)
		}
		time.Sleep(7 * time.Minute)
		ids := b.out.ids(nil)
		b.out.set(func() {
			m := b.out.mails[ids[0]]
			m.Problem = "The line is dead."
			b.out.mails[ids[0]] = m
			b.out.feed.MailChanged(m)
		})
		time.Sleep(5 * time.Second)
		b.stop()
		b.start(cfg)
		time.Sleep(2 * time.Minute)
		b.out.fold(ids[:2]...)
		time.Sleep(time.Minute)
		b.expect()
		b.out.set(func() { b.out.keep = false })
		for _, id := range b.out.ids(nil) {
			b.out.change(id, event.Delivered)
			time.Sleep(3 * time.Second)
		}
		time.Sleep(time.Minute)
		says(t, b.expect("mail delayed")[0], "3 mails waited longer than 10 min", "The line is dead.", "from 2027-03-01 13:0", "at 2027-03-01 13:19")
		time.Sleep(time.Hour)
		b.expect("mail delayed")
	})
}

// Only another start of the machine after no clean stop is a power cut.
func TestPowerCut(t *testing.T) {
	inSetBox(t, mailed(trig("yard")), func(t *testing.T, b *box) {
		path := filepath.Join(b.dir, conditionsName)
		again := func(boot string, kill bool) {
			running, err := os.ReadFile(path)
			b.stop()
			if kill && err == nil { // as it was before the stop
				err = os.WriteFile(path, running, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			b.boot = boot
			b.start(mailed(trig("yard")))
			time.Sleep(15 * time.Minute)
		}
		time.Sleep(25 * time.Minute)
		again("one", true)  // SIGKILL
		again("two", false) // shut down
		b.expect()
		again("three", true)
		// It ran until 13:55; the time was saved last eight minutes after its start.
		says(t, b.expect("power cut")[0], "started anew at 2027-03-01 13:55", "last known to run at 2027-03-01 13:48")
		again("four", true)
		again("five", true)
		b.expect("power cut")
		time.Sleep(time.Hour)
		says(t, b.expect("power cut", "power cut")[1], "once more")
		again("five", true)
		time.Sleep(2 * time.Hour)
		b.expect("power cut", "power cut")
	})
}

func TestHeartbeat(t *testing.T) {
	cfg := mailed(quick())
	cfg.Mail.Heartbeat = 6 * time.Hour
	cfg.Mail.StateMails = false // it is a wish of its own
	inSetBox(t, cfg, func(t *testing.T, b *box) {
		time.Sleep(time.Hour)
		b.fire("yard")
		time.Sleep(3 * time.Hour)
		b.stop()
		b.start(cfg)
		time.Sleep(110 * time.Minute)
		b.expect()
		time.Sleep(20 * time.Minute)
		says(t, b.expect("heartbeat")[0], "armed", "since 2027-03-01 17:00", "1 firing, 1 mail delivered", "Camera: ok")
		time.Sleep(6 * time.Hour)
		says(t, b.expect("heartbeat", "heartbeat")[1], "0 firings, 1 mail delivered")
	})
}

// A state mail that the spool did not take before the stop is sent after it, once.
func TestOwedStateMail(t *testing.T) {
	inSetBox(t, mailed(trig("yard")), func(t *testing.T, b *box) {
		path := filepath.Join(b.dir, conditionsName)
		defer durable.Observe(durable.Observer{After: func(c durable.Call) {
			if c.Op != durable.OpRename || c.To != path {
				return
			}
			// Whenever the power is cut, what is owed and what was told agree.
			if r, err := readConditions(path); err != nil || len(r.Owed) > 0 && !r.Standing["camera"].Told {
				t.Errorf("%+v %v", r, err)
			}
		}})()
		b.out.set(func() { b.out.err = errors.New("the disk is full") })
		time.Sleep(time.Minute)
		b.camera(errors.New("unplugged"))
		time.Sleep(2 * time.Minute)
		b.stop()
		b.start(mailed(trig("yard")))
		time.Sleep(2 * time.Minute)
		b.expect()
		b.out.set(func() { b.out.err = nil })
		time.Sleep(time.Minute)
		b.expect("camera lost")
		b.stop()
		b.start(mailed(trig("yard")))
		time.Sleep(2 * time.Minute)
		b.expect("camera lost")
	})
}

func FuzzConditions(f *testing.F) {
	f.Add([]byte(`{"boot":"x","standing":{"camera":{"told":true},"disk":null},"owed":[{"id":"state-x-1","kind":"state"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _ := parseConditions(data)
		for key, s := range r.Standing {
			if s == nil || !s.Told && !s.Since.IsZero() {
				t.Errorf("%s: %+v", key, s)
			}
		}
		if r.Standing == nil || len(r.Owed) > owedMax {
			t.Errorf("%+v", r)
		}
	})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 s", 90 * time.Second: "90 s", 10 * time.Minute: "10 min", 3*time.Hour + 5*time.Minute: "3 h 5 min", 50 * time.Hour: "2 days 2 h"} {
		if got := span(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}
