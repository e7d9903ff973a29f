package tui

import (
	"strings"
	"testing"

	"watchpost/engine/config"
)

// elsewhere are the settings after another one changed the server.
func elsewhere(s *screen, server string) config.Settings {
	to := s.settings
	to.Config.SMTP.Server = server
	to.Revision += "e"
	return to
}

// After a change on both sides undo takes the other one's value, not an older one.
func TestUndoTakesTheOtherValue(t *testing.T) {
	for _, k := range []string{"ctrl+u", "u"} {
		s := open(t, newFake(), 80, 24)
		s.edit("smtp.port", "25")
		s.edit("smtp.server", "127.0.0.1")
		s.send(configMsg{settings: elsewhere(s, "127.0.0.5")})
		if !strings.Contains(s.say, "Changed elsewhere as well: SMTP server.") || s.draft.Raw("smtp.server") != "127.0.0.1" {
			t.Fatal(s.say, s.draft.Changes())
		}
		s.press("esc")
		if text := s.text(); !strings.Contains(text, " !SMTP server") || !strings.Contains(text, "changed elsewhere") || !strings.Contains(text, " *Port") {
			t.Error(text)
		}
		if k == "ctrl+u" {
			s.press("tab")
			if !strings.Contains(s.message(), "Now 127.0.0.5 elsewhere; ^u takes that one.") {
				t.Error(s.message())
			}
		}
		s.press(k)
		if s.draft.Changed("smtp.server") || s.draft.Raw("smtp.server") != "127.0.0.5" || s.say != "SMTP server is 127.0.0.5." {
			t.Errorf("%s: %q, %v", k, s.say, s.draft.Changes())
		}
		if got := s.mailPage().inConflict(); len(got) > 0 || strings.Contains(s.text(), "!SMTP") {
			t.Error(got, s.text())
		}
		s.press("esc", "u") // the other field's undo is as it was
		if s.unsaved() != 0 || s.draft.Raw("smtp.port") != "587" {
			t.Error(s.draft.Changes())
		}
	}
}

// A conflict ends where the field is edited to what stands elsewhere, and where
// the other side takes its change back; what is typed on is the same step.
func TestConflictEnds(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	before := s.settings
	s.edit("smtp.server", "127.0.0.1")
	s.send(configMsg{settings: elsewhere(s, "127.0.0.12")})
	s.press("'2")
	if got := s.mailPage().inConflict(); len(got) > 0 {
		t.Error("edited to the other value:", got)
	}
	s.edit("smtp.server", "127.0.0.1")
	s.send(configMsg{settings: elsewhere(s, "127.0.0.5")})
	s.press("'9", "ctrl+u")
	if got := s.draft.Raw("smtp.server"); got != "127.0.0.5" {
		t.Error("undone after typing on:", got)
	}
	s.edit("smtp.server", "mail.example.nett")
	s.send(configMsg{settings: elsewhere(s, "127.0.0.6")})
	before.Revision = "back"
	s.send(configMsg{settings: before})
	s.press("ctrl+u")
	if got := s.draft.Raw("smtp.server"); got != "mail.example.net" || s.unsaved() != 0 {
		t.Error("undone after the other side went back:", got)
	}
}

// A save over a change of another asks once, naming the field.
func TestSaveInConflictAsks(t *testing.T) {
	for _, c := range []struct{ key, question, call string }{
		{"w", "Save over what was changed elsewhere? SMTP server", "apply smtp.server"},
		{"t", "Save over what was changed elsewhere (SMTP server) and send to these? guard@example.net", "apply smtp.server"},
	} {
		f := newFake()
		s := open(t, f, 80, 24)
		s.edit("smtp.server", "127.0.0.1")
		s.send(configMsg{settings: elsewhere(s, "127.0.0.5")})
		f.settings = s.settings
		s.press("esc", c.key)
		if s.qu == nil || !strings.HasPrefix(s.qu.text, c.question) {
			t.Fatalf("%s: %+v", c.key, s.qu)
		}
		s.press("n")
		if s.mailPage().saving {
			t.Fatal("saved all the same")
		}
		s.press(c.key)
		s.send(s.press("y")())
		if asked := f.asked(); len(asked) != 1 || asked[0] != c.call || s.qu != nil {
			t.Errorf("%s: %v", c.key, asked)
		}
		if got := s.mailPage().inConflict(); len(got) > 0 || s.unsaved() > 0 {
			t.Error("after the save:", got, s.draft.Changes())
		}
	}
}

// A conflict that comes while the question stands is asked about.
func TestConflictWhileAsking(t *testing.T) {
	f := newFake()
	s := open(t, f, 80, 24)
	s.edit("smtp.server", "127.0.0.1")
	s.press("ctrl+t")
	s.send(configMsg{settings: elsewhere(s, "127.0.0.5")})
	s.press("y")
	if s.qu == nil || !strings.Contains(s.qu.text, "changed elsewhere (SMTP server)") || s.mailPage().saving {
		t.Fatalf("%+v", s.qu)
	}
	s.press("y")
	if !s.mailPage().saving {
		t.Error("not saved")
	}
}

// Another session's save is told instead of this one's last message.
func TestSavedValueIsChangedElsewhere(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	for _, c := range []struct {
		change func(*config.Settings)
		want   string
	}{
		{func(c *config.Settings) { c.Config.SMTP.Server = "127.0.0.5" }, "SMTP server was changed elsewhere: 127.0.0.5."},
		{func(c *config.Settings) { c.Config.SMTP.Server = "" }, "SMTP server was changed elsewhere: it is empty now."},
		{func(c *config.Settings) { c.Config.SMTP.Server, c.Config.SMTP.Port = "a.example", 25 }, "SMTP server, Port were changed elsewhere."},
		{func(c *config.Settings) { c.Secrets = nil }, "Password was changed elsewhere: none is saved now."},
		{func(c *config.Settings) { c.Config.Site.Name = "x" }, "Site was changed elsewhere: x."},
		{func(c *config.Settings) {
			c.Config.SMTP = config.Default().SMTP
			c.Config.Mail.Subject = "x"
		}, "SMTP server, Port and 2 more fields were changed elsewhere."},
	} {
		s.say = "Saved and in force."
		to := s.settings
		to.Revision += "e"
		c.change(&to)
		s.send(configMsg{settings: to})
		if s.say != c.want {
			t.Errorf("%q, want %q", s.say, c.want)
		}
		s.say = "Saved and in force."
		s.send(configMsg{settings: to}) // nothing new
		if s.say != "Saved and in force." {
			t.Error(s.say)
		}
	}
}

// A secret in conflict is never shown.
func TestConflictOfASecret(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.edit("smtp.password", "mine")
	to := s.settings
	to.Secrets, to.Revision = nil, "r2"
	s.send(configMsg{settings: to})
	if s.say = ""; s.message() != "Changed elsewhere as well; ^u takes that one." {
		t.Error(s.message())
	}
	s.press("ctrl+u")
	if s.unsaved() > 0 || len(s.mailPage().inConflict()) > 0 || s.say != "Password is as it is elsewhere." {
		t.Error(s.say, s.draft.Changes())
	}
}

// In the demo nothing is kept, and the screen does not say that it is.
func TestDemoKeepsNothing(t *testing.T) {
	f := newFake()
	f.snap.Status.Mode = "demo"
	s := open(t, f, 80, 24)
	s.press("q")
	if s.qu.text != "End the demo?" {
		t.Error(s.qu.text)
	}
	s.press("n")
	s.edit("smtp.port", "25")
	s.send(s.press("ctrl+w")())
	if !strings.HasPrefix(s.say, "In force until you leave: the demo keeps nothing.") || !strings.Contains(s.text(), "nothing is kept") {
		t.Error(s.text())
	}
	s.press("ctrl+c")
	if s.qu.text != "End the demo? What was set in it is not kept." {
		t.Error(s.qu.text)
	}
}

// After a save at most one warning is told, and none that stood there before.
func TestNoteAfterASave(t *testing.T) {
	f := newFake()
	f.settings.Config.Mail.ReplyAddress = "gate3@exmaple.net" // not the server's domain
	s := open(t, f, 80, 24)
	s.edit("mail.subject", "Gate")
	s.send(s.press("ctrl+w")())
	if s.say != "Saved and in force." {
		t.Error(s.say)
	}
	s.edit("mail.reply_address", "gate3@exmaple.org")
	s.send(s.press("ctrl+w")())
	if !strings.HasPrefix(s.say, "Saved and in force. Note: Reply address: ") {
		t.Error(s.say)
	}
}
