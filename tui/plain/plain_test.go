package plain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// box is a backend on a file of its own; mail goes nowhere and arrives.
type box struct {
	t       *testing.T
	file    *config.File
	feed    chan event.Event
	before  func() // what happens before the next Apply
	tried   []config.Change
	refused bool
}

func newBox(t *testing.T, yaml string) *box {
	t.Helper()
	path := filepath.Join(t.TempDir(), "watchpost.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return &box{t: t, file: config.Open(path), feed: make(chan event.Event, 16)}
}

func (b *box) settings(l config.Loaded) config.Settings {
	return config.Settings{Config: l.Config, Revision: l.Revision, Secrets: l.Secrets.Set(l.Config)}
}

func (b *box) Config(context.Context) (config.Settings, error) {
	l, err := b.file.Load()
	return b.settings(l), err
}

func (b *box) Apply(_ context.Context, _ string, changes []config.Change) (config.Settings, []config.Finding, error) {
	if b.before != nil {
		b.before()
		b.before = nil
	}
	l, err := b.file.Save(changes)
	return b.settings(l), l.Findings, err
}

func (b *box) Watch(context.Context) (event.Snapshot, <-chan event.Event, error) {
	return event.Snapshot{Status: event.Status{Site: "Gate 3", State: "armed", Problems: []string{"the \x1b[31mcamera is lost"}}}, b.feed, nil
}

func (b *box) Diagnose(_ context.Context, changes []config.Change, step func(event.Step)) (bool, error) {
	b.tried = changes
	step(event.Step{Step: "lookup", Target: "mail.example.net", OK: true, MS: 12, Verdict: "192.0.2.1"})
	if b.refused {
		step(event.Step{Step: "auth", Target: "gate3", Code: 535, Text: "5.7.8 no", Verdict: "The password is wrong.", Do: "Type it again."})
	}
	return !b.refused, nil
}

func (b *box) TestMail(context.Context) (event.Mail, error) {
	m := event.Mail{ID: "7-test", Kind: event.Test, Recipients: []event.Recipient{{Address: "guard@example.net", State: event.Pending}}}
	b.feed <- event.Event{Step: &event.MailStep{Mail: "7-test", Step: event.Step{Step: "data", OK: true, Verdict: "taken"}}}
	done := m
	done.Recipients = []event.Recipient{{Address: "guard@example.net", State: event.Delivered, Reply: "250 ok"}}
	b.feed <- event.Event{Mail: &done}
	return m, nil
}

func (b *box) saved() config.Loaded {
	l, err := b.file.Load()
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// setUpWith runs Setup with answers, one a line.
func (b *box) setUpWith(answers ...string) (string, error) {
	b.t.Helper()
	var out bytes.Buffer
	err := Setup(context.Background(), b, Options{In: strings.NewReader(strings.Join(answers, "\n") + "\n"), Out: &out})
	for i, c := range out.String() {
		if c < 0x20 && c != '\n' || c == 0x7f {
			b.t.Errorf("byte %d is %#x: %q", i, c, out.String())
		}
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 300 {
			b.t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
	return out.String(), err
}

func sees(t *testing.T, out string, texts ...string) {
	t.Helper()
	at := 0
	for _, text := range texts {
		i := strings.Index(out[at:], text)
		if i < 0 {
			t.Fatalf("%q is missing (or comes too early) in:\n%s", text, out)
		}
		at += i
	}
}

func TestSetup(t *testing.T) {
	b := newBox(t, "")
	out, err := b.setUpWith("Gate 3", "Europe/Berlin", "scene:",
		"?", "mail.exam ple", "mail.example.net", // explained, wrong, right
		"465", "<", "587", ".", "starttls", "<", "-", "", "gate3", "hunter2 hunter2",
		"gate3@example.net", "guard@", "guard@example.net", "", "", "", // an incomplete one
		"yes",          // a trigger
		"",             // no further settings
		"yes",          // diagnosis
		"maybe", "yes", // save
		"yes") // test mail
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sees(t, out, "The box", "Site []", "The mail server", "A web-only mail service", "error: ", "ok: host name", "Port [587]:", "incomplete", "There is no trigger",
		"lookup mail.example.net: ok", "Everything is in order", "What changes:", "SMTP server: mail.example.net", "Password: set, not shown", "Mail goes to: guard@example.net", "Type yes or no", "Saved.",
		"Send a test mail to guard@example.net", "data: ok, taken", "guard@example.net: delivered. 250 ok")
	if strings.Contains(out, "hunter2") {
		t.Errorf("the password is shown:\n%s", out)
	}
	l := b.saved()
	if c := l.Config; c.Site.Name != "Gate 3" || c.SMTP.Server != "mail.example.net" || c.SMTP.Port != 587 || c.SMTP.Security != "auto" || l.Secrets.SMTPPassword != "hunter2 hunter2" || len(c.Triggers) != 1 {
		t.Errorf("saved is %+v", c)
	}
	if len(b.tried) == 0 {
		t.Error("the diagnosis was of what is saved, not of what was typed")
	}
}

const mailed = "site: {name: Gate 3}\nsmtp: {server: mail.example.net, username: gate3}\nmail: {reply_address: gate3@example.net, destinations: [guard@example.net]}\ntriggers: [{name: yard, source: motion}]\n"

func TestNothingIsSavedUnlessAsked(t *testing.T) {
	for name, c := range map[string]struct {
		answers []string
		want    error
	}{
		"no":             {[]string{"Gate 4", "!", "", "no", "no"}, ErrUnsaved},
		"the input ends": {[]string{"Gate 4", "!", ""}, io.EOF},
		"at once":        {nil, io.EOF},
	} {
		b := newBox(t, mailed)
		if out, err := b.setUpWith(c.answers...); !errors.Is(err, c.want) || b.saved().Config.Site.Name != "Gate 3" {
			t.Errorf("%s: %v, %+v\n%s", name, err, b.saved().Config.Site, out)
		}
	}
	b := newBox(t, mailed)
	if out, err := b.setUpWith("!", "", "no", "no"); err != nil || !strings.Contains(out, "Nothing was changed.") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What is offered is taken with =; what is wrong never stays.
func TestOffers(t *testing.T) {
	b := newBox(t, mailed)
	out, err := b.setUpWith(".", ".", ".", "2001:db8::25", "=", "!", "", "no", "yes")
	if err != nil || b.saved().Config.SMTP.Server != "[2001:db8::25]" {
		t.Fatalf("%v %+v\n%s", err, b.saved().Config.SMTP, out)
	}
	sees(t, out, "SMTP server [mail.example.net]", "Type = for [2001:db8::25]", "SMTP server [mail.example.net]", "ok")
	b = newBox(t, mailed)
	wrong := strings.Split(strings.Repeat("no host,", 100), ",")
	if _, err := b.setUpWith(append([]string{".", ".", "."}, wrong...)...); !errors.Is(err, errAnswers) {
		t.Errorf("100 wrong answers: %v", err)
	}
}

func TestMoreSettings(t *testing.T) {
	b := newBox(t, mailed)
	out, err := b.setUpWith("!",
		"nonsense", "system", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "/dev/ttyS0 9600 vt100", "let me in please", // SSH's three are kept
		"triggers", "+", "manual", "bell", "bell", ".", "!", "-bell", "no", "+", "timer", "yard", "yard", ".", ".", "7", "!", "",
		"", "no", "yes", "no")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sees(t, out, "There is no nonsense here", "Serial consoles []", "bell was added", "bell: manual", "Delete the trigger bell?", "needs a name of its own", "Threshold [5]", "yard: Threshold: 7, was 5", "Saved.")
	l := b.saved()
	if len(l.Config.Serial) != 1 || l.Config.Serial[0].Baud != 9600 || len(l.Config.Triggers) != 2 || l.Config.Triggers[0].Threshold != 7 || l.Secrets.ConsolePassword == "" {
		t.Errorf("%+v\n%s", l.Config, out)
	}
	if strings.Contains(out, "let me in") || l.Secrets.ConsolePassword == "let me in please" {
		t.Error("the console's password is in clear")
	}
}

// Somebody else saved the same field meanwhile: it is told before it is overwritten.
func TestChangedElsewhere(t *testing.T) {
	for answer, want := range map[string]string{"yes": "Gate 5", "no": "Gate 4"} {
		b := newBox(t, mailed)
		b.before = func() {
			other := config.Open(b.file.Path())
			other.Load()
			if _, err := other.Save([]config.Change{{Key: "site.name", Value: "Gate 4"}, {Key: "smtp.port", Value: "25"}}); err != nil {
				t.Fatal(err)
			}
		}
		out, err := b.setUpWith("Gate 5", "!", "", "no", "yes", answer, "no")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		sees(t, out, "Site was changed elsewhere in the meantime, to: Gate 4")
		if c := b.saved().Config; c.Site.Name != want || c.SMTP.Port != 25 {
			t.Errorf("%s: saved is %q, port %d", answer, c.Site.Name, c.SMTP.Port)
		}
	}
}

// A raw line: echo, editing, CR, LF and CR LF, secrets unseen, a key's sequence passed over.
func TestRawLine(t *testing.T) {
	for in, want := range map[string][]string{
		"one\rtwo\r\nthree\nfour\r":         {"one", "two", "three", "four"},
		"\r\r\n\n":                          {"", "", ""},
		"onx\x08e\rabc\x15two\r":            {"one", "two"},
		"o\x1b[An\x1b[1;5Ce\x1bOP\rt\r":     {"one", "t"},
		"T\u00fcx\x7f\x7fest\r\xffb\x01c\r": {"Test", "bc"},
	} {
		var out bytes.Buffer
		p := NewPrompt(Options{In: strings.NewReader(in), Out: &out, Raw: true, ASCII: true})
		for _, w := range want {
			if got, err := p.Ask("? "); got != w || err != nil {
				t.Errorf("%q: %q, %v, want %q", in, got, err, w)
			}
		}
		if _, err := p.Ask("? "); err != io.EOF {
			t.Errorf("%q: more comes: %v", in, err)
		}
		for _, c := range out.Bytes() {
			if c < 0x20 && !strings.ContainsRune("\r\n\b", rune(c)) || c >= 0x7f {
				t.Errorf("%q: %q is written", in, out.String())
				break
			}
		}
		if strings.Contains(strings.ReplaceAll(out.String(), "\r\n", ""), "\n") {
			t.Errorf("%q: a bare line feed in %q", in, out.String())
		}
	}
	var out bytes.Buffer
	p := NewPrompt(Options{In: strings.NewReader("hunter2\x08\r"), Out: &out, Raw: true})
	if got, err := p.AskSecret("Password: "); got != "hunter" || err != nil || out.String() != "Password: \r\n" {
		t.Errorf("%q, %v, written is %q", got, err, out.String())
	}
	p = NewPrompt(Options{In: strings.NewReader("abc\x03"), Out: &out, Raw: true})
	if _, err := p.Ask(""); !errors.Is(err, ErrLeft) {
		t.Errorf("ctrl+c: %v", err)
	}
}

func TestSession(t *testing.T) {
	b := newBox(t, mailed)
	b.refused = true
	var out bytes.Buffer
	var did []string
	o := Options{In: strings.NewReader("?\r\nnonsense\rdiagnose\rtest\revents list\rsetup\r\x03leave\rnever"), Out: &out, Raw: true, ASCII: true,
		Commands: []Command{{"events", "events list", "the events"}},
		Do: func(_ context.Context, line string, w io.Writer) {
			did = append(did, line)
			io.WriteString(w, "an\x1b[2Jevent\n")
		}}
	if err := Session(context.Background(), b, o); err != nil {
		t.Fatal(err)
	}
	sees(t, out.String(), "Gate 3: armed.", "Problem: the [31mcamera", "setup: asks", "events list: the events", "There is no nonsense here.", "auth gate3: FAILED, The password is wrong.", "535 5.7.8 no", "What to do: Type it again.",
		"guard@example.net: delivered", "an [2Jevent\r\n", "Site [Gate 3]", "Nothing was saved.", "Command (?")
	if len(did) != 1 || did[0] != "events list" || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%v\n%s", did, out.String())
	}
	out.Reset()
	o.In, o.Operator = strings.NewReader("setup\rtest\rleave\r"), true
	if err := Session(context.Background(), b, o); err != nil || strings.Contains(out.String(), "Site [") || strings.Contains(out.String(), "delivered.") {
		t.Errorf("an operator: %v\n%s", err, out.String())
	}
}

func FuzzPrompt(f *testing.F) {
	f.Add([]byte("one\x1b[A\x1b\r\n\x7f\xff"), true)
	f.Fuzz(func(t *testing.T, in []byte, secret bool) {
		var out bytes.Buffer
		p := NewPrompt(Options{In: bytes.NewReader(in), Out: &out, Raw: true})
		for range len(in) + 1 {
			got, err := p.ask("", secret)
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				break
			}
			if strings.ContainsAny(got, "\x1b\r\n\x00") {
				t.Fatalf("%q from %q", got, in)
			}
		}
		if bytes.ContainsAny(out.Bytes(), "\x1b\x00") {
			t.Fatalf("%q is written for %q", out.Bytes(), in)
		}
	})
}
