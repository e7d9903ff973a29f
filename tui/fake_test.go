package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// noon is the fake box's time.
var noon = time.Date(2026, 11, 23, 20, 51, 7, 512e6, berlin())

func berlin() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return zone
}

// fake is an engine without anything behind it. What it answers is set by the
// test; what it was asked is in calls.
type fake struct {
	mu       sync.Mutex
	snap     event.Snapshot
	settings config.Settings
	secrets  config.Secrets
	calls    []string
	feed     chan event.Event

	applyErr   error         // what Apply returns instead of saving
	testErr    error         // what TestMail returns
	steps      []event.Step  // what a diagnosis finds
	pause      time.Duration // before each step
	mails      []event.Mail
	kept       event.Kept
	stored     []event.Stored
	watchErr   error
	privacyErr error                           // what Privacy returns
	view       func(n int) (event.View, error) // what the camera sees, the nth time; nil: viewOf
	viewed     int
	saved      Saved // what an export comes to
	saveErr    error
	sshKeys    KeyList
}

// newFake is a box that is set up and has seen something.
func newFake() *fake {
	c := config.Default()
	c.Site = config.Site{Name: "Gate 3", TimeZone: "Europe/Berlin"}
	c.SMTP.Server, c.SMTP.Port, c.SMTP.Username = "mail.example.net", 587, "gate3@example.net"
	c.Mail.ReplyAddress = "gate3@example.net"
	c.Mail.Destinations = []string{"guard@example.net", "ops@example.net"}
	yard, door := config.ExampleTrigger(), config.ExampleTrigger()
	yard.Name, door.Name, door.Source = "yard", "door", event.External
	c.Triggers = []config.Trigger{yard, door}
	f := &fake{
		settings: config.Settings{Config: c, Revision: "r1", Secrets: map[string]bool{"smtp.password": true}, Path: "/etc/watchpost/watchpost.yaml"},
		secrets:  config.Secrets{SMTPPassword: "correct horse"},
		feed:     make(chan event.Event, 64),
	}
	f.snap.Status = event.Status{
		State: "armed", Site: "Gate 3", Version: "0.1.0", Mode: "terminal", Revision: "r1",
		Camera: event.Camera{State: event.CameraOK, Source: "clip:gate.mp4", FPS: 14.98, Dropped: 2, Frames: 5000, Width: 640, Height: 480},
		Triggers: []event.Trigger{
			{Name: "yard", Source: event.Motion, State: event.Armed, Level: 0.08, Fires: 0.15, Last: noon.Add(-time.Minute),
				Account: event.Account{Fired: 14, Mailed: 11, Queued: 1, Held: 1, Outside: 1}},
			{Name: "door", Source: event.External, State: event.StateHeldOff, Until: noon.Add(2 * time.Minute),
				Account: event.Account{Fired: 3, Mailed: 3}},
		},
		Queue:   event.Queue{Queued: 1, Held: 1, Delivered: 132},
		Clock:   event.Clock{Time: noon, Zone: "Europe/Berlin", Set: true},
		Storage: event.Storage{Directory: "/var/lib/watchpost", Events: 12, Bytes: 34_512_000, MaxBytes: 2e9, FreeBytes: 18_234_567_890},
		Buffer:  event.Buffer{Images: 140, Bytes: 8_100_000, MaxBytes: 8 << 20, Fit: 145, Seconds: 72},
	}
	alarm := func(seq uint64, at time.Time, state event.RecipientState, reply string) event.Mail {
		return event.Mail{
			ID: fmt.Sprintf("20261123-yard-%d", seq), Kind: event.Alarm, Firings: event.Seqs{{From: seq, To: seq}}, Trigger: "yard",
			Subject: "CameraNotification:" + config.Stamp(at, false), At: at, Queued: at, Attempts: 1, Bytes: 81_234,
			Recipients: []event.Recipient{
				{Address: "guard@example.net", State: event.Delivered, Reply: "250 2.0.0 Ok: queued as 4F2B1"},
				{Address: "ops@example.net", State: state, Reply: reply},
			},
		}
	}
	t1, t2, t3 := noon.Add(-26*time.Hour), noon.Add(-10*time.Minute), noon.Add(-time.Minute)
	f.snap.Firings = []event.Firing{
		{Seq: 1, Trigger: "yard", Source: event.Motion, At: t1, Disposition: event.Outside},
		{Seq: 2, Trigger: "yard", Source: event.Motion, At: t2, Disposition: event.Queued},
		{Seq: 3, Trigger: "yard", Source: event.Motion, At: t3, Disposition: event.Queued},
		{Seq: 4, Trigger: "door", Source: event.External, At: t3.Add(time.Second), Disposition: event.Silent, Reason: event.NotifyOff},
	}
	f.snap.Mails = []event.Mail{
		alarm(2, t2, event.RcptHeld, "550 5.1.1 <ops@example.net>: Recipient address rejected: User unknown"),
		alarm(3, t3, event.Delivered, "250 2.0.0 Ok: queued as 4F2B2"),
	}
	f.mails = []event.Mail{f.snap.Mails[1], f.snap.Mails[0]}
	f.stored = []event.Stored{
		{ID: "20261123T205007-yard", Trigger: "yard", Source: event.Motion, Start: t3, Firings: 2, Peak: 2.4, Images: images(t3, 12)},
		{ID: "20261123T204107-yard", Trigger: "yard", Source: event.Motion, Start: t2, End: t2.Add(14200 * time.Millisecond), Firings: 1, Peak: 0.9, Images: images(t2, 25)},
	}
	f.steps = goodSteps()
	return f
}

// images are those of an event: five from before it, one each half second.
func images(start time.Time, n int) []event.StoredImage {
	out := make([]event.StoredImage, n)
	for i := range out {
		at := start.Add(time.Duration(i-5) * 500 * time.Millisecond)
		out[i] = event.StoredImage{File: fmt.Sprintf("%04d-%s.jpg", i+1, at.Format("20060102T150405.000")), At: at, Bytes: 36_700 + 10*i}
		if i >= 5 {
			out[i].Level = 0.2
		}
	}
	return out
}

// emptyFake is a box straight out of its package.
func emptyFake() *fake {
	f := newFake()
	f.settings = config.Settings{Config: config.Default(), Revision: "r0", Path: "/etc/watchpost/watchpost.yaml"}
	f.snap = event.Snapshot{Status: event.Status{
		State: "setup", Version: "0.1.0", Mode: "terminal", Revision: "r0",
		Camera: event.Camera{State: event.CameraStarting},
		Clock:  event.Clock{Time: noon, Zone: "Europe/Berlin", Set: true},
	}}
	f.mails, f.stored = nil, nil
	return f
}

// goodSteps are what a real server's diagnosis showed, under other names.
func goodSteps() []event.Step {
	const offers = "mails up to 52.4 MB; PIPELINING; 8BITMIME; SMTPUTF8"
	at := "192.0.2.25:587"
	return []event.Step{
		{Step: "lookup", Target: "mail.example.net", OK: true, MS: 12.4, Text: "[192.0.2.25]", Verdict: "1 of 1 addresses"},
		{Step: "tcp", Target: at, OK: true, MS: 31.8, Verdict: "connected"},
		{Step: "ehlo", Target: at, OK: true, MS: 30.1, Code: 250, Text: "mail.example.net", Verdict: "the server answers, and offers STARTTLS; " + offers},
		{Step: "tls", Target: at, OK: true, MS: 0.2, Text: "pin a/7YqyYP4EeYMeE2+DnTa61t6xftceR2PG563n4407s=, for CN=mail.example.net (mail.example.net), by CN=Example CA, from 2026-05-09 until 2027-02-03",
			Verdict: "certificate 1 of 2: good for another 72 days"},
		{Step: "tls", Target: at, OK: true, MS: 0.1, Text: "pin b/8YqyYP4EeYMeE2+DnTa61t6xftceR2PG563n4407s=, for CN=Example CA, by CN=Example CA, from 2020-05-09 until 2030-02-03",
			Verdict: "certificate 2 of 2: good for another 1168 days"},
		{Step: "tls", Target: at, OK: true, MS: 65.0, Code: 220, Text: "TLS 1.3, TLS_AES_128_GCM_SHA256, pin a/7YqyYP4EeYMeE2+DnTa61t6xftceR2PG563n4407s=, for mail.example.net, by Example CA, until 2027-02-03",
			Verdict: "encrypted by STARTTLS"},
		{Step: "ehlo", Target: at, OK: true, MS: 30.1, Code: 250, Text: "mail.example.net", Verdict: "the server answers under TLS, and offers sign-in by PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256; " + offers},
		{Step: "auth", Target: "gate3@example.net", OK: true, MS: 88.2, Code: 235, Text: "SCRAM-SHA-256", Verdict: "user name and password accepted"},
		{Step: "mail", Target: "gate3@example.net", OK: true, MS: 30.9, Code: 250, Text: "2.1.0 Ok", Verdict: "the sender is accepted"},
		{Step: "rcpt", Target: "guard@example.net", OK: true, MS: 30.0, Code: 250, Text: "2.1.5 Ok", Verdict: "the recipient is accepted"},
		{Step: "rcpt", Target: "ops@example.net", OK: true, MS: 30.2, Code: 250, Text: "2.1.5 Ok", Verdict: "the recipient is accepted"},
	}
}

func refusedSteps() []event.Step {
	s := goodSteps()[:7]
	return append(s, event.Step{Step: "auth", Target: "gate3@example.net", MS: 2088.2, Code: 535, Text: "5.7.8 Error: authentication failed: \x1b[31mbad",
		Verdict: "The server does not accept this user name and password.", Do: "Check both; many providers want an app password."})
}

func (f *fake) called(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

func (f *fake) Watch(ctx context.Context) (event.Snapshot, <-chan event.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchErr != nil {
		return event.Snapshot{}, nil, f.watchErr
	}
	out := make(chan event.Event)
	go func() {
		defer close(out)
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-f.feed:
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return f.snap, out, nil
}

func (f *fake) Config(context.Context) (config.Settings, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.settings, nil
}

func (f *fake) Apply(_ context.Context, revision string, changes []config.Change) (config.Settings, []config.Finding, error) {
	keys := ""
	for _, c := range changes {
		keys += " " + c.Key
	}
	f.called("apply%s", keys)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.applyErr != nil {
		return config.Settings{}, nil, f.applyErr
	}
	if revision != f.settings.Revision {
		return config.Settings{}, nil, fmt.Errorf("fake: %w", config.ErrConflict)
	}
	c, s, findings := config.PatchFor(f.settings.Config, f.secrets, changes)
	for _, x := range findings {
		if x.Level == config.Error {
			return config.Settings{}, findings, fmt.Errorf("fake: %w", config.ErrRefused)
		}
	}
	f.settings.Config, f.secrets = c, s
	f.settings.Revision += "+"
	f.settings.LastGood = true
	f.settings.Secrets = s.Set(c)
	return f.settings, findings, nil
}

func (f *fake) Revert(context.Context) (config.Settings, error) {
	f.called("revert")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settings.Revision += "-"
	return f.settings, nil
}

// TestMail tells the first step before it returns, as a fast engine does.
func (f *fake) TestMail(context.Context) (event.Mail, error) {
	f.called("test")
	if f.testErr != nil {
		return event.Mail{}, f.testErr
	}
	m := event.Mail{ID: "test-1", Kind: event.Test, At: noon, Subject: "CameraNotification:" + config.Stamp(noon, false)}
	for _, d := range f.settings.Config.Mail.Destinations {
		m.Recipients = append(m.Recipients, event.Recipient{Address: d, State: event.Pending})
	}
	f.feed <- event.Event{Mail: &m}
	f.feed <- event.Event{Step: &event.MailStep{Mail: m.ID, Step: f.steps[0]}}
	go f.deliver(m)
	return m, nil
}

func (f *fake) deliver(m event.Mail) {
	ok := true
	for _, s := range f.steps[1:] {
		time.Sleep(f.pause)
		f.feed <- event.Event{Step: &event.MailStep{Mail: m.ID, Step: s}}
		ok = ok && s.OK
	}
	m.Attempts = 1
	m.Recipients = append([]event.Recipient(nil), m.Recipients...)
	for i := range m.Recipients {
		m.Recipients[i].State, m.Recipients[i].Reply = event.Delivered, "250 2.0.0 Ok: queued as 4F2B9"
		if !ok {
			m.Recipients[i].State, m.Recipients[i].Reply = event.Pending, ""
			m.Problem = "The server does not accept this user name and password."
			m.NextTry = noon.Add(5 * time.Minute)
		}
	}
	f.feed <- event.Event{Mail: &m}
}

func (f *fake) Diagnose(ctx context.Context, changes []config.Change, step func(event.Step)) (bool, error) {
	f.called("diagnose %d", len(changes))
	return f.walk(ctx, step)
}

func (f *fake) walk(ctx context.Context, step func(event.Step)) (bool, error) {
	ok := true
	for _, s := range f.steps {
		select {
		case <-time.After(f.pause):
		case <-ctx.Done():
			return false, ctx.Err()
		}
		step(s)
		ok = ok && s.OK
	}
	return ok, nil
}

func (f *fake) DiagnoseTransfer(ctx context.Context, name string, changes []config.Change, step func(event.Step)) (bool, error) {
	f.called("transfer %s %d", name, len(changes))
	return f.walk(ctx, step)
}

func (f *fake) Fire(_ context.Context, trigger string) (event.Firing, error) {
	f.called("fire %s", trigger)
	if trigger == "door" {
		return event.Firing{}, errors.New("trigger door is unavailable: no such line")
	}
	return event.Firing{Seq: 9, Trigger: trigger, At: noon, Disposition: event.Queued}, nil
}

func (f *fake) Queue(context.Context) ([]event.Mail, error) { return f.mails, nil }

func (f *fake) Retry(_ context.Context, id string) error {
	f.called("retry %s", id)
	return nil
}

func (f *fake) Drop(_ context.Context, id string) error {
	f.called("drop %s", id)
	return nil
}

// Events chooses as the store does.
func (f *fake) Events(_ context.Context, x event.Filter) ([]event.Stored, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []event.Stored
	older := x.Before == ""
	for _, e := range f.stored {
		switch {
		case !older:
			older = e.ID == x.Before
		case x.ID != "" && e.ID != x.ID, x.Trigger != "" && e.Trigger != x.Trigger, !x.From.IsZero() && e.Start.Before(x.From), !x.To.IsZero() && !e.Start.Before(x.To):
		case x.N == 0 || len(out) < x.N:
			out = append(out, e)
		}
	}
	return out, nil
}

func (f *fake) Kept(context.Context, event.Filter) (event.Kept, error) { return f.kept, nil }

func (f *fake) RemoveEvents(_ context.Context, x event.Filter) (int, error) {
	f.called("remove %s%s", x.ID, x.Trigger)
	return f.kept.Events, nil
}

func (f *fake) View(context.Context) (event.View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.viewed++
	if f.view != nil {
		return f.view(f.viewed)
	}
	return viewOf(f.viewed, -1), nil
}

// save writes nothing.
func (f *fake) save(_ context.Context, x Export) (Saved, error) {
	f.called("export %s%s to %s", x.ID, x.Filter.Trigger, x.To)
	x.Wrote(1000)
	return f.saved, f.saveErr
}

func (f *fake) Privacy(_ context.Context, on bool) error {
	f.called("privacy %v", on)
	return f.privacyErr
}

// The fake's SSH keys.

func (f *fake) List() (KeyList, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sshKeys, nil
}

func (f *fake) Judge(text string) ([]SSHKey, error) {
	if !strings.HasPrefix(text, "ssh-ed25519 ") {
		return nil, errors.New("this is no public key")
	}
	text = strings.TrimSpace(text)
	return []SSHKey{{Fingerprint: "SHA256:newOne", Comment: text[strings.LastIndexByte(text, ' ')+1:]}}, nil
}

func (f *fake) Add(text string, operator bool) error {
	k, err := f.Judge(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	k[0].Operator = operator
	f.sshKeys.Keys = append(f.sshKeys.Keys, k[0])
	return err
}

func (f *fake) Remove(fingerprint string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sshKeys.Keys = slices.DeleteFunc(f.sshKeys.Keys, func(k SSHKey) bool { return k.Fingerprint == fingerprint })
	return nil
}

func (f *fake) Mark(fingerprint string, operator bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.sshKeys.Keys {
		if f.sshKeys.Keys[i].Fingerprint == fingerprint {
			f.sshKeys.Keys[i].Operator = operator
		}
	}
	return nil
}

// twoKeys is an installer's and an operator's.
func twoKeys() KeyList {
	return KeyList{Host: "SHA256:fV93SDOdqoa/kJ8TVvvaqkEE4LguESbedJ3Dl3z7ncc", Keys: []SSHKey{
		{Fingerprint: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", Comment: "anna@laptop"},
		{Fingerprint: "SHA256:Xk3oQ1vY0N8fV5bUe3m7cJp2dR9tKzW4aLhGs6iTnEw", Comment: "gate", Operator: true},
	}}
}
