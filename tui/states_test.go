package tui

import (
	"errors"
	"slices"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// states are the screens that are kept as golden files.
var states = []struct {
	name string
	make func() *fake
	do   func(*screen)
}{
	{"status", newFake, func(*screen) {}},
	{"status-demo", func() *fake {
		f := newFake()
		f.snap.Status.Mode, f.snap.Status.Demo = "demo", demoText
		return f
	}, func(*screen) {}},
	{"status-setup", func() *fake {
		f := emptyFake()
		f.snap.Status.Findings = []string{
			"/etc/watchpost/watchpost.yaml:7: smtp.port: a port is a number from 1 to 65535",
			"/etc/watchpost/watchpost.yaml:9: smtp.sever: unknown key; did you mean smtp.server?",
		}
		return f
	}, func(*screen) {}},
	{"status-problems", func() *fake {
		f := newFake()
		s := &f.snap.Status
		s.Camera = event.Camera{State: event.CameraLost, Source: "v4l2:/dev/video0", Problem: "The camera was unplugged; plug it in again, it is tried every 2 s."}
		s.Clock.Set = false
		s.Problems = []string{
			"The camera is lost: no frame for 42 s. Check its cable.",
			"Mail is delayed: connection to mail.example.net:587 refused. It is tried again at 20:56; watchpost doctor says more.",
			"The disk is nearly full: 82 MB are free in /var/lib/watchpost. Remove something or lower storage.max_bytes.",
		}
		s.Triggers[1].State, s.Triggers[1].Until, s.Triggers[1].Why = event.Unavailable, time.Time{}, "no line gpiochip0:4 on this box"
		return f
	}, func(*screen) {}},
	{"system-keys", keysFake, func(s *screen) { s.press("7"); s.carry(s.press("s")) }},
	{"system-keys-none", newFake, func(s *screen) { s.press("7"); s.carry(s.press("s")) }},
	{"system-keys-add", keysFake, func(s *screen) {
		s.press("7")
		s.carry(s.press("s"))
		s.press("a", "'ssh-ed25519 AAAA ben@laptop")
	}},
	{"system-keys-ask", keysFake, func(s *screen) {
		s.press("7")
		s.carry(s.press("s"))
		s.press("down", "x")
	}},
	{"queue-operator", newFake, func(s *screen) { s.rights.Operator = true; s.press("6", "x") }},
	{"mail", newFake, func(s *screen) { s.press("2") }},
	{"mail-empty", emptyFake, func(s *screen) { s.press("2", "tab") }},
	{"mail-errors", newFake, func(s *screen) {
		s.press("2", "tab", "ctrl+h")
		s.edit("mail.destinations.2", "ops@")
		s.edit("mail.subject", "Gate 3: 漢字 and more than the forty-four characters that fit")
		s.edit("smtp.server", "2001:db8::25")
	}},
	{"mail-warnings", newFake, func(s *screen) {
		s.press("2")
		s.edit("mail.reply_address", "gate3@exmaple.net")
		s.edit("smtp.port", "465")
		s.edit("smtp.security", "s")
	}},
	{"mail-conflict", newFake, func(s *screen) {
		s.edit("smtp.server", "127.0.0.1")
		s.send(configMsg{settings: elsewhere(s, "127.0.0.5")})
		s.press("esc", "tab")
	}},
	{"mail-conflict-save", newFake, func(s *screen) {
		s.edit("smtp.server", "127.0.0.1")
		s.send(configMsg{settings: elsewhere(s, "127.0.0.5")})
		s.press("ctrl+t")
	}},
	{"mail-demo", func() *fake {
		f := newFake()
		f.snap.Status.Mode, f.snap.Status.Demo = "demo", demoText
		return f
	}, func(s *screen) { s.press("2") }},
	{"mail-question", newFake, func(s *screen) {
		s.press("2")
		s.edit("mail.subject", "Gate")
		s.press("ctrl+t")
	}},
	{"mail-diagnosis", newFake, func(s *screen) {
		s.press("2", "d")
		for _, st := range refusedSteps() {
			s.send(stepMsg{1, st})
		}
		s.send(diagnosedMsg{run: 1})
	}},
	{"mail-diagnosis-ok", newFake, func(s *screen) {
		s.press("2", "d")
		for _, st := range goodSteps() {
			s.send(stepMsg{1, st})
		}
		s.send(diagnosedMsg{run: 1, ok: true})
	}},
	{"mail-diagnosis-certificate", newFake, func(s *screen) {
		s.press("2", "d")
		for _, st := range append(goodSteps()[:4], badCertificate) {
			s.send(stepMsg{1, st})
		}
		s.send(diagnosedMsg{run: 1})
	}},
	{"mail-diagnosis-chosen", newFake, func(s *screen) {
		s.press("2", "d")
		for _, st := range goodSteps() {
			s.send(stepMsg{1, st})
		}
		s.send(diagnosedMsg{run: 1, ok: true})
		s.press("down", "down", "down", "down")
	}},
	{"mail-sending", newFake, func(s *screen) {
		s.press("2", "t")
		s.send(testMsg{mail: event.Mail{ID: "test-1", Kind: event.Test, Recipients: []event.Recipient{{State: event.Pending}, {State: event.Pending}}}})
		for _, st := range goodSteps() {
			s.send(eventsMsg{[]event.Event{{Step: &event.MailStep{Mail: "test-1", Step: st}}}})
		}
		s.sends("test-1", 3_400_000)
	}},
	{"mail-second", func() *fake {
		f := newFake()
		f.snap.Status.Mode, f.snap.Status.Demo = "demo", demoText
		return f
	}, func(s *screen) {
		s.press("2")
		s.edit("mail.hold_off", "2m")
		s.edit("mail.heartbeat", "10m")
	}},
	{"mail-test", newFake, func(s *screen) {
		s.press("2", "t")
		s.send(testMsg{mail: event.Mail{ID: "test-1", Kind: event.Test, Recipients: []event.Recipient{{State: event.Pending}, {State: event.Pending}}}})
		var es []event.Event
		for _, st := range goodSteps()[:9] {
			es = append(es, event.Event{Step: &event.MailStep{Mail: "test-1", Step: st}})
		}
		s.send(eventsMsg{es})
	}},
	{"mail-password", newFake, func(s *screen) { s.press("2"); s.mailPage().focusKey(s.app, "smtp.password") }},
	{"mail-removed", newFake, func(s *screen) {
		s.press("2")
		s.mailPage().focusKey(s.app, "smtp.password")
		s.press("backspace")
	}},
	{"mail-choice", newFake, func(s *screen) { s.press("2"); s.mailPage().focusKey(s.app, "smtp.auth") }},
	{"mail-test-failed", newFake, failedTest},
	{"mail-test-refused", newFake, func(s *screen) {
		s.press("2", "t")
		m := event.Mail{ID: "test-1", Kind: event.Test, Attempts: 1, Problem: refusedConnection,
			NextTry: noon.Add(time.Minute), Recipients: []event.Recipient{{State: event.Pending}, {State: event.Pending}}}
		s.send(testMsg{mail: m})
		s.send(eventsMsg{[]event.Event{{Step: &event.MailStep{Mail: "test-1", Step: event.Step{Step: "tcp", Target: "192.0.2.25:587", MS: 1,
			Text: "dial tcp 192.0.2.25:587: connect: connection refused", Verdict: "Nothing listens on this port of the server (connection refused)",
			Do: "Check server and port: 587 or 465 for providers, 25 for a relay."}}}, {Mail: &m}}})
	}},
	{"status-unavailable", unavailable, func(*screen) {}},
	{"triggers-unavailable", unavailable, func(s *screen) { s.press("3", "down") }},
	{"triggers", newFake, func(s *screen) { s.press("3", "down") }},
	{"triggers-silent", func() *fake {
		f := newFake()
		ts := f.snap.Status.Triggers
		ts[0].State, ts[0].Until = event.StateOutside, noon.AddDate(0, 0, 7)
		ts[1].State, ts[1].Until, ts[1].Why = event.Unavailable, time.Time{}, "no line gpiochip0:4 on this box"
		return f
	}, func(s *screen) { s.press("3", "down") }},
	{"status-outside", func() *fake {
		f := newFake()
		ts := f.snap.Status.Triggers
		ts[0].State, ts[0].Until = event.StateOutside, noon.AddDate(0, 0, 2)
		ts[1].State, ts[1].Until = event.StateOutside, noon.AddDate(0, 0, 9)
		return f
	}, func(*screen) {}},
	{"camera", newFake, func(s *screen) { s.press("4") }},
	{"camera-lost", unavailable, func(s *screen) {
		s.status.Camera.Problem = "The camera was unplugged; plug it in again, it is tried every 2 s."
		s.press("4")
	}},
	{"camera-buffer", newFake, func(s *screen) {
		s.press("4", "shift+tab", "ctrl+k", "'1MB")
	}},
	{"camera-source", newFake, func(s *screen) { s.press("4", "tab", "'v4l2:/de") }},
	{"camera-view", newFake, func(s *screen) { s.looks(viewOf(1, 30), nil) }},
	{"camera-view-five", newFake, func(s *screen) {
		v := viewOf(1, 30)
		for i, name := range []string{"door", "gate", "north side", "roof"} {
			v.Seen = append(v.Seen, event.Seen{Trigger: name, Level: 0.05 * float64(i), Fires: 0.15, Moving: make([]byte, len(v.Luma))})
		}
		v.Seen[4].Second, v.Seen[4].Moving = true, nil
		s.looks(v, nil)
	}},
	{"camera-view-untold", newFake, func(s *screen) {
		v := viewOf(1, -1)
		v.Seen, v.Unknown = nil, make([]byte, len(v.Luma))
		for i := len(v.Luma) / 2; i < len(v.Luma); i++ {
			v.Unknown[i] = 1
		}
		s.looks(v, nil)
	}},
	{"camera-view-lost", newFake, func(s *screen) { s.looks(event.View{}, errors.New("there is no picture: the camera is lost")) }},
	{"camera-view-slow", newFake, func(s *screen) {
		s.looks(viewOf(1, -1), nil)
		s.cameraPage().live.still = true
	}},
	{"camera-walk", newFake, func(s *screen) { s.walks(3) }},
	{"camera-walk-slow", newFake, func(s *screen) {
		s.flush = slowFlush
		s.walks(2)
		s.press("m")
	}},
	{"camera-zones", newFake, func(s *screen) {
		s.zoning()
		s.press("left", "left", "left", "up", "up", "a", "i", "left", "left", "space")
	}},
	{"help-zones", newFake, func(s *screen) { s.zoning(); s.press("?") }},
	{"camera-zones-blind", newFake, func(s *screen) {
		s.press("4", "z")
		s.send(viewMsg{s.cameraPage().live.run, event.View{}, errors.New("there is no picture: the camera is lost")})
	}},
	{"events", newFake, func(s *screen) { s.press("5"); s.send(storedMsg{events: s.f.stored}) }},
	{"queue", newFake, func(s *screen) { s.press("6"); s.send(queueMsg{mails: s.f.mails}); s.press("down") }},
	{"queue-deferred", newFake, func(s *screen) {
		s.status.Queue = event.Queue{Deferred: 1, Problem: refusedConnection}
		m := s.f.mails[1]
		m.Problem, m.NextTry = refusedConnection, noon.Add(time.Minute)
		m.Recipients = []event.Recipient{{Address: "guard@example.net", State: event.Pending}}
		s.press("6")
		s.send(queueMsg{mails: []event.Mail{m}})
	}},
	{"queue-kinds", newFake, func(s *screen) {
		s.press("6")
		s.send(queueMsg{mails: kinds()})
		s.sends("digest", 2_000_000)
	}},
	{"queue-digest", newFake, func(s *screen) {
		s.press("6")
		s.send(queueMsg{mails: kinds()})
		s.press("down", "down")
	}},
	{"status-kinds", func() *fake {
		f := newFake()
		f.snap.Mails = kinds()
		slices.Reverse(f.snap.Mails)
		return f
	}, func(*screen) {}},
	{"status-stuck", stuck, func(*screen) {}},
	{"triggers-stuck", stuck, func(s *screen) { s.press("3", "down") }},
	{"system", newFake, func(s *screen) { s.press("7") }},
	{"system-problems", func() *fake { return troubled(4) }, func(s *screen) { s.press("7") }},
	{"system-details", func() *fake { return troubled(4) }, func(s *screen) { s.press("7", "i") }},
	{"system-consoles", consolesFake, func(s *screen) { s.press("7", "i") }},
	{"system-consoles-field", consolesFake, func(s *screen) { s.press("7", "tab", "shift+tab", "shift+tab") }},
	{"system-zone", newFake, func(s *screen) { s.press("7", "tab", "tab", "ctrl+k", "'Europe/B") }},
	{"system-zones", newFake, func(s *screen) { s.press("7", "tab", "tab", "ctrl+k", "'new", "ctrl+f", "down") }},
	{"system-directory", newFake, func(s *screen) {
		s.press("7")
		s.toField("storage.directory")
		s.press("'/mnt/disk")
	}},
	{"system-conflict", newFake, func(s *screen) {
		s.press("7", "tab", "ctrl+k", "'Gate 4")
		next := s.settings
		next.Config, _, _ = config.PatchFor(next.Config, config.Secrets{}, []config.Change{{Key: "site.name", Value: "Gate 5"}})
		next.Revision = "r2"
		s.send(configMsg{settings: next})
		s.press("shift+tab", "tab")
	}},
	{"system-week", newFake, func(s *screen) {
		s.press("7")
		s.toField(privacyActive)
		s.press("enter", "a")
	}},
	{"triggers-form-and", newFake, func(s *screen) {
		s.field("triggers.yard.and.source")
		s.press("'e", "tab", "ctrl+k", "'700m")
	}},
	{"system-demo", func() *fake {
		f := newFake()
		f.snap.Status.Mode = "demo"
		f.snap.Status.Demo = "a generated scene is the camera, an embedded mail server takes the mail; nothing is kept"
		f.snap.Status.Storage.Directory = "/tmp/watchpost-demo-890393916/events"
		return f
	}, func(s *screen) { s.press("7") }},
	{"status-privacy", func() *fake { return private(event.ByPerson, noon.Add(-time.Hour)) }, func(*screen) {}},
	{"privacy-off", func() *fake { return private(event.BySchedule, noon.Add(-time.Hour)) }, func(s *screen) { s.press("3", "P") }},
	{"triggers-transfers", withTransfers, func(s *screen) { s.press("3", "down", "down") }},
	{"triggers-waiting", withWaiting, func(s *screen) { s.press("3", "down", "down") }},
	{"triggers-waiting-delete", withWaiting, func(s *screen) { s.press("3", "down", "down", "x") }},
	{"triggers-trial", withWaiting, func(s *screen) { s.trial(trialSteps(), true) }},
	{"triggers-trial-hostkey", withWaiting, func(s *screen) { s.trial([]event.Step{trialSteps()[0], trialSteps()[1], unknownKey}, false) }},
	{"triggers-trial-offer", withWaiting, func(s *screen) {
		s.trial([]event.Step{trialSteps()[0], trialSteps()[1], unknownKey}, false)
		s.press("enter")
	}},
	{"triggers-none", emptyFake, func(s *screen) { s.press("3") }},
	{"triggers-add", newFake, func(s *screen) { s.press("3", "a") }},
	{"triggers-delete", newFake, func(s *screen) {
		s.f.kept = event.Kept{Events: 12, Images: 240, Bytes: 34_512_000}
		s.press("3")
		s.run("x")
	}},
	{"triggers-deleted", newFake, func(s *screen) {
		s.f.kept = event.Kept{Events: 12, Images: 240, Bytes: 34_512_000}
		s.press("3")
		s.run("x")
		s.run("y")
	}},
	{"triggers-form", withTransfers, func(s *screen) {
		s.field("triggers.yard.pre")
		s.press("ctrl+k", "'5 ima")
	}},
	{"triggers-form-timer", newFake, func(s *screen) {
		s.field("triggers.door.source")
		s.press("'t", "esc")
	}},
	{"triggers-form-transfer", withTransfers, func(s *screen) { s.field("transfers.nas.password") }},
	{"triggers-week", newFake, func(s *screen) {
		s.f.settings.Config.Site.Holidays = []config.Date{{Month: 11, Day: 26}}
		s.send(configMsg{settings: s.f.settings})
		s.take(s.f.settings)
		s.field("triggers.yard.active")
		s.press("enter", "a", "right", "right", "right", "right", "right", "space", "right", "space", "right", "space", "'1845", "a", "home")
		for range 7 {
			s.press("space", "right")
		}
		s.press("home", "right", "right", "right", "right", "right", "space", "right", "space", "home", "left", "'2400", "left", "'0800")
	}},
	{"triggers-conflict", newFake, func(s *screen) {
		s.field("triggers.yard.threshold")
		s.press("ctrl+k", "'3")
		next := s.settings
		next.Config, _, _ = config.PatchFor(next.Config, config.Secrets{}, []config.Change{{Key: "triggers.yard.threshold", Value: "9"}})
		next.Revision = "r2"
		s.send(configMsg{settings: next})
		s.press("shift+tab", "tab")
	}},
	{"events-pages", func() *fake { return full(250) }, func(s *screen) {
		s.run("5")
		s.press("end")
		s.run("down")
	}},
	{"events-detail", newFake, func(s *screen) {
		s.f.stored[1].Missing = []string{"2 images from before the trigger: the camera had just started"}
		s.f.stored[1].Transfer = "nas"
		s.f.mails = append(s.f.mails, event.Mail{ID: "00000002-transfer", Kind: event.Transfer, Event: s.f.stored[1].ID, Subject: "12 of 25 images",
			Recipients: []event.Recipient{{Address: "nas", State: event.Pending}}})
		s.run("5")
		s.press("down")
		s.run("enter")
	}},
	{"events-filter", newFake, func(s *screen) {
		s.run("5")
		s.press("f", "right", "tab", "'11-2")
	}},
	{"events-remove", newFake, func(s *screen) {
		s.run("5")
		s.press("down")
		s.run("x")
	}},
	{"events-export", newFake, func(s *screen) {
		s.run("5")
		s.press("down", "e")
	}},
	{"events-export-all", newFake, func(s *screen) {
		s.f.kept = event.Kept{Events: 12, Images: 240, Bytes: 34_512_000}
		s.run("5")
		s.run("E")
	}},
	{"events-exporting", newFake, func(s *screen) {
		s.run("5")
		s.press("down", "e", "enter")
		x := s.eventsPage().export
		x.wrote.Store(340_000)
		s.send(exportTickMsg{x})
	}},
	{"events-exported", newFake, func(s *screen) {
		s.run("5")
		s.press("down", "e", "enter")
		s.send(exportedMsg{of: s.eventsPage().export, saved: Saved{Path: "/home/gate/20261123T204107-yard.zip", Events: 1, Images: 25, Bytes: 921_000}})
	}},
	{"help", newFake, func(s *screen) { s.press("?") }},
	{"leave", newFake, func(s *screen) { s.press("2"); s.edit("smtp.port", "25"); s.press("esc", "q") }},
}

// badCertificate is the step that a private server without its CA file fails.
var badCertificate = event.Step{Step: "tls", Target: "192.0.2.25:587", MS: 332, Text: "tls: failed to verify certificate: x509: certificate signed by unknown authority",
	Verdict: "The server's certificate is of an authority that this box does not know",
	Do:      "For a private server enter its CA file or pin; else check the server's name: somebody may be in between (a hotel's or office's portal)."}

// troubled is a box with so many problems, all of them long.
func troubled(n int) *fake {
	f := newFake()
	f.snap.Status.Problems = []string{
		"The camera is lost: no frame for 42 s. Check its cable.",
		"Mail is delayed: connection to mail.example.net:587 refused. It is tried again at 20:56; watchpost doctor says more.",
		"The disk is nearly full: 82 MB are free in /var/lib/watchpost. Remove something or lower storage.max_bytes.",
		"storage: storage.directory is /mnt/disk from the next start on; what waits in /var/lib/watchpost is not moved: let the queue run empty first, or move the folder",
	}[:n]
	return f
}

// sends tells 35 % of a mail as an engine does, over two seconds.
func (s *screen) sends(id string, of int64) {
	now := noon
	s.now = func() time.Time { return now }
	for range 3 {
		s.send(eventsMsg{[]event.Event{{Sent: &event.MailSent{Mail: id, Sent: of * 35 / 100, Of: of}}}})
		now = now.Add(time.Second)
	}
	s.now = func() time.Time { return noon }
}

// kinds is a mail of each kind, newest first.
func kinds() []event.Mail {
	var ms []event.Mail
	for i, m := range []event.Mail{
		{ID: "test-1", Kind: event.Test, Subject: "CameraNotification"},
		{ID: "state-1", Kind: event.State, Subject: "CameraNotification - camera lost"},
		{ID: "digest", Kind: event.Digest, FiringCount: 55, Replaces: make([]string, 31), Stands: 31, Subject: "CameraNotification", Attempts: 1},
		{ID: "00000012-summary", Kind: event.Summary, Trigger: "yard", FiringCount: 12, Subject: "CameraNotification"},
	} {
		m.At = noon.Add(-time.Duration(i+1) * time.Minute)
		m.Subject += ":" + config.Stamp(m.At, false)
		m.Queued, m.Bytes = m.At, 2_000_000
		m.Recipients = []event.Recipient{{Address: "guard@example.net", State: event.Pending}}
		ms = append(ms, m)
	}
	ms[3].Recipients[0] = event.Recipient{Address: "guard@example.net", State: event.Delivered, Reply: "250 2.0.0 Ok: queued as 4F2B1"}
	ms[1].Problem = "The daily budget of 100 recipients is used up. It goes on at 22:10; raise mail.daily_budget if the provider allows more."
	return ms
}

// stuck is a box with a trigger whose source does not let go and one that has been held off and summarised.
func stuck() *fake {
	f := newFake()
	ts := f.snap.Status.Triggers
	ts[0].Account = event.Account{Fired: 140, Mailed: 11, Summarised: 120, Queued: 1, Held: 7, Outside: 1}
	ts[1].State, ts[1].Until, ts[1].Why = event.StateStuck, time.Time{}, "its source has said active for 42 minutes without an end"
	f.snap.Status.Problems = []string{"disk: it is full (No space left on device): images are left out of notifications until there is room. Remove something or lower storage.max_bytes."}
	return f
}

// unavailable is a box whose camera is lost and whose second trigger cannot do
// what it is told to.
func unavailable() *fake {
	f := newFake()
	s := &f.snap.Status
	s.Camera = event.Camera{State: event.CameraLost, Source: "v4l2:/dev/video0"}
	s.Problems = []string{"The camera is lost: no frame for 42 s. Check its cable."}
	ts := s.Triggers
	ts[0].State, ts[0].Why, ts[0].Level = event.Unavailable, "the camera is lost", 0
	ts[1].State, ts[1].Until, ts[1].Why = event.Unavailable, time.Time{}, "its AND with another source is not carried out by this version"
	return f
}

const refusedConnection = "Nothing listens on this port of the server (connection refused). Check server and port: 587 or 465 for providers, 25 for a relay."

// failedTest is a test mail that the server did not take: the mail's problem is
// the failed step's verdict, the server's words and the cure in one.
func failedTest(s *screen) {
	s.press("2", "t")
	m := event.Mail{ID: "test-1", Kind: event.Test, Attempts: 1, NextTry: noon.Add(5 * time.Minute), Recipients: []event.Recipient{{State: event.Pending}, {State: event.Pending}}}
	s.send(testMsg{mail: m})
	var es []event.Event
	for _, st := range refusedSteps() {
		es = append(es, event.Event{Step: &event.MailStep{Mail: "test-1", Step: st}})
	}
	last := refusedSteps()[7]
	m.Problem = last.Verdict + ": 535 " + last.Text + ". " + last.Do
	s.send(eventsMsg{append(es, event.Event{Mail: &m})})
}

// keysFake has SSH keys, and answers over SSH.
func keysFake() *fake {
	f := newFake()
	f.sshKeys = twoKeys()
	f.snap.Status.Ways = []event.Way{{Kind: "ssh", Name: ":2222", State: "ready", How: "2 keys and a password"}}
	return f
}

// consolesFake has serial consoles, one in use, one unplugged, one that another program has.
func consolesFake() *fake {
	f := keysFake()
	f.settings.Config.Serial = []config.Serial{{Device: "/dev/ttyS0", Baud: 9600, Term: "vt100", Flow: "none"}, {Device: "/dev/ttyUSB0", Baud: 115200, Term: "vt220", Flow: "rtscts"}, {Device: "/dev/ttyS1", Baud: 115200, Term: "vt220", Flow: "none"}}
	taken := "/dev/ttyS1 is used by agetty (process 612), the system's log-in. End it: systemctl disable --now serial-getty@ttyS1"
	f.snap.Status.Ways = append(f.snap.Status.Ways,
		event.Way{Kind: "serial", Name: "/dev/ttyS0", State: "in use", How: "9600 baud, vt100"},
		event.Way{Kind: "serial", Name: "/dev/ttyUSB0", State: "absent", How: "115200 baud, vt220, rtscts", Problem: "the line was lost; it is opened again when it is back", Quiet: true},
		event.Way{Kind: "serial", Name: "/dev/ttyS1", State: "taken", How: "115200 baud, vt220", Problem: taken})
	f.snap.Status.Problems = append(f.snap.Status.Problems, "serial: "+taken)
	return f
}
