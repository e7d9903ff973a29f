package tui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// A saved password is removed by Backspace where nothing was typed, and kept by undo.
func TestPasswordIsRemoved(t *testing.T) {
	for _, k := range []string{"backspace", "ctrl+h", "ctrl+k"} {
		s := open(t, newFake(), 80, 24)
		s.edit("smtp.password", "")
		if s.unsaved() != 0 || !strings.Contains(s.text(), "set, not shown; Backspace removes it") {
			t.Fatal(s.text())
		}
		s.press(k)
		want := []config.Change{{Key: "smtp.password"}}
		if got := s.draft.Changes(); !slices.Equal(got, want) || !strings.Contains(s.text(), "will be removed  ") || !strings.Contains(s.text(), "^u keeps it") {
			t.Fatalf("%s: %v\n%s", k, got, s.text())
		}
		s.press(k) // there is nothing more to remove
		if got := s.draft.Changes(); !slices.Equal(got, want) {
			t.Errorf("%s twice: %v", k, got)
		}
		s.press("ctrl+u")
		if s.unsaved() != 0 || !strings.Contains(s.text(), "set, not shown") || !strings.Contains(s.say, "Password is as it was") {
			t.Errorf("%s, undone: %v\n%s", k, s.draft.Changes(), s.text())
		}
		s.press(k, "'new", "esc")
		if got := s.draft.Raw("smtp.password"); got != "new" {
			t.Errorf("typed after %s: %q", k, got)
		}
		s.press("u")
		if s.unsaved() != 0 {
			t.Errorf("typed after %s, undone: %v", k, s.draft.Changes())
		}
	}
	// None is saved: Backspace does nothing.
	s := open(t, emptyFake(), 80, 24)
	s.edit("smtp.password", "")
	s.press("backspace")
	if s.unsaved() != 0 || strings.Contains(s.text(), "removed") {
		t.Error(s.text())
	}
}

func TestRemovedPasswordIsSaved(t *testing.T) {
	f := newFake()
	c := start(t, f, xterm, 80, 24)
	c.mail()
	c.typed("\t\t\t\t\t\t")
	c.sees("> Password")
	c.typed("\x7f")
	c.sees(">*Password", "will be removed")
	c.typed("\x17")
	c.sees("Saved and in force", "[2 Mail]")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.secrets.SMTPPassword != "" {
		t.Error("the password is still there")
	}
}

func TestEmptyingAField(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.at = mailAt
	s.mailPage().focusKey(s.app, "smtp.port")
	s.press("ctrl+k", "'25")
	if got := s.draft.Raw("smtp.port"); got != "25" {
		t.Errorf("port %q", got)
	}
	s.press("ctrl+u")
	if got := s.draft.Raw("smtp.port"); got != "587" || s.mailPage().edit.String() != "587" {
		t.Errorf("undone: %q, in the field %q", got, s.mailPage().edit.String())
	}
	s.press("backspace", "'8", "ctrl+k", "ctrl+u")
	if got := s.draft.Raw("smtp.port"); got != "588" {
		t.Errorf("undo restores %q, not what was emptied", got)
	}
	s.edit("smtp.port", "")
	s.press("ctrl+k")
	if !strings.Contains(s.say, "empty already") {
		t.Error(s.say)
	}
}

func TestChoicesByTheirNames(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.at = mailAt
	s.mailPage().focusKey(s.app, "smtp.auth")
	if !strings.Contains(s.text(), "left/right choose") {
		t.Error(s.text())
	}
	for _, c := range []struct{ key, want string }{
		{"'plain", "plain"}, {"'none", "none"}, {"'login", "login"}, {"'cram", "cram-md5"}, {"'scram-sha-256", "scram-sha-256"}, {"'xoauth2", "xoauth2"},
		{"'AUTO", "auto"}, {"'q", "auto"}, {"'l", "login"}, {"left", "plain"}, {"ctrl+k", "auto"}, {"'no", "none"},
	} {
		s.press(c.key)
		if got := s.draft.Raw("smtp.auth"); got != c.want {
			t.Errorf("%s: %q, want %q", c.key, got, c.want)
		}
	}
	s.mailPage().focusKey(s.app, "smtp.security")
	s.press("'starttls")
	if got := s.draft.Raw("smtp.security"); got != "starttls" {
		t.Error(got)
	}
}

func TestUntil(t *testing.T) {
	for _, c := range []struct {
		in   time.Duration
		want string
	}{
		{2 * time.Minute, "20:53"},
		{3 * time.Hour, "23:51"},
		{4 * time.Hour, "Tue 00:51"},
		{6 * 24 * time.Hour, "Sun 20:51"},
		{6*24*time.Hour + 3*time.Hour, "Sun 23:51"},
		{6*24*time.Hour + 4*time.Hour, "30 Nov 00:51"},
		{-time.Minute, "20:50"},
	} {
		if got := until(noon.Add(c.in).UTC(), noon); got != c.want {
			t.Errorf("in %v: %q, want %q", c.in, got, c.want)
		}
	}
}

// What is wrong stands before what is only to know, and nothing twice.
func TestProblems(t *testing.T) {
	warning, wrong := "w.yaml:3: smtp.security: warning: mail travels in clear", "w.yaml:7: smtp.port: a port is a number"
	got := problems(event.Status{
		Findings: []string{warning, wrong},
		Problems: []string{"clock: it is not set", "configuration: it was not accepted: " + warning},
	})
	want := []string{wrong, "clock: it is not set", "configuration: it was not accepted", warning}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The panel of a test mail and the Queue page say why once.
func TestWhyIsSaidOnce(t *testing.T) {
	for _, st := range states {
		s := open(t, st.make(), 80, 24)
		st.do(s)
		text := strings.Join(strings.Fields(s.text()), " ")
		for _, words := range []string{"does not accept this user name", "Nothing listens on this port", "connection refused)", "an app password.", "Check server and port"} {
			if n := strings.Count(text, words); n > 1 {
				t.Errorf("%s: %q stands there %d times:\n%s", st.name, words, n, s.text())
			}
		}
	}
}

// An address that did not answer is no failure where the next one did.
func TestFailedStep(t *testing.T) {
	steps := refusedSteps()
	w := walk{steps: append([]event.Step{{Step: "tcp", Target: "[2001:db8::25]:587"}}, steps[1:]...)}
	if f := w.failed(); f == nil || f.Step != "auth" {
		t.Errorf("%+v", f)
	}
	w.steps = w.steps[:len(w.steps)-1]
	if f := w.failed(); f != nil {
		t.Errorf("%+v", f)
	}
}

func TestNotSavedSaysWhatIsMissing(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.edit("smtp.server", "[2001:db8::25")
	s.press("ctrl+w")
	if !strings.HasPrefix(s.say, "Not saved: SMTP server is incomplete. ") {
		t.Error(s.say)
	}
}

// A small screen shows all of the help, a part at a time.
func TestHelpScrolls(t *testing.T) {
	s := open(t, newFake(), 60, 15)
	s.press("?")
	seen := ""
	for range helpLines(60) {
		seen += s.text()
		s.press("down")
	}
	for _, l := range helpLines(60) {
		if !strings.Contains(seen, strings.TrimSpace(ansi.Strip(l))) {
			t.Errorf("%q is never shown", l)
		}
	}
	s.press("pgup", "pgup", "pgup", "pgup", "up")
	if !strings.Contains(s.text(), "While no field is focused") {
		t.Error(s.text())
	}
	if s.press("esc"); s.helping {
		t.Error("Esc does not close it")
	}
}

// A line that is down is told once on the Status page, however many mails wait.
func TestOneReasonForManyMails(t *testing.T) {
	f := newFake()
	for i := range f.snap.Mails {
		m := &f.snap.Mails[i]
		m.Problem, m.Recipients = refusedConnection, []event.Recipient{{Address: "guard@example.net", State: event.Pending}}
	}
	s := open(t, f, 80, 24)
	if n := strings.Count(s.text(), "Nothing listens"); n != 1 {
		t.Errorf("%d times:\n%s", n, s.text())
	}
	s.status.Problems = []string{"mail: " + refusedConnection}
	if n := strings.Count(s.text(), "Nothing listens"); n != 1 || !strings.Contains(s.text(), "!  mail: Nothing") {
		t.Errorf("%d times:\n%s", n, s.text())
	}
}
