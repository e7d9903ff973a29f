package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// set enters a field of any page and replaces what is in it.
func (s *screen) set(k, text string) {
	s.t.Helper()
	s.toField(k)
	if e := s.focusedEditor(); e == nil {
		s.t.Fatal("no field ", k)
	}
	s.press("ctrl+k", "'"+text)
	if got := s.draft.Raw(k); got != text {
		s.t.Fatalf("%s: %q, want %q", k, got, text)
	}
}

// Every key of the field table has a field on a page.
func TestEveryKeyHasAField(t *testing.T) {
	elsewhere := map[string]string{"version": "the format of the file", "triggers.*.enabled": "o in the list"}
	shown := map[string]bool{}
	for _, k := range fieldKeys() {
		shown[k] = true
	}
	for _, s := range sources {
		for _, second := range []event.Source{"", event.External} {
			for _, leaf := range triggerFields(s.source, second) {
				shown["triggers.*."+leaf] = true
			}
		}
	}
	for _, k := range transferKinds {
		for _, leaf := range transferFields(k.kind, "basic", "put") {
			shown["transfers.*."+leaf] = true
		}
	}
	for _, f := range config.Fields() {
		for _, k := range f.Parts() {
			k = strings.Replace(k, "mail.destinations.*", "mail.destinations.1", 1)
			if !shown[k] && elsewhere[k] == "" {
				t.Errorf("%s has no field", k)
			}
		}
	}
	if !shown["triggers.*.and.within"] {
		t.Error("and has no parts")
	}
}

func TestSystemIsEdited(t *testing.T) {
	f := newFake()
	c := start(t, f, xterm, 80, 24)
	c.typed("7")
	c.sees("[7 System]", "Site            Gate 3", "; no problems")
	c.typed("\t")
	c.sees("> Site            Gate 3")
	c.typed("\x0bGate 4\t\x0bberl")
	c.sees("7 System*", "Europe/Berlin", "^f takes it")
	c.typed("\x06\t12-25, 2027-02-3")
	c.sees("*Holidays", "incomplete")
	c.typed("\x17")
	c.sees("Not saved: Holidays is incomplete.", "[7 System")
	c.typed("0")
	c.sees("no such day")
	c.typed("\x7f\x7f28\x17")
	c.sees("Saved and in force", "[7 System]", "Holidays        12-25, 2027-02-28")
	c.asked("apply site.name site.holidays")
}

// A list of zones opens over the field, is narrowed by what is typed, and gives the one chosen.
func TestZoneIsChosen(t *testing.T) {
	f := newFake()
	c := start(t, f, xterm, 80, 24)
	c.typed("7")
	c.sees("Site            Gate 3")
	c.typed("\t\t\x06")
	c.sees("to choose from", "> Europe/Berlin")
	c.typed("kolk")
	c.sees("1 to choose from", "> Asia/Kolkata")
	c.typed("x")
	c.sees("None begins so")
	c.typed("\x7f\r")
	c.sees(">*Time zone       Asia/Kolkata", "ok")
	c.typed("\x06\x07")
	c.sees(">*Time zone       Asia/Kolkata")
	c.typed("\x17")
	c.sees("Saved and in force")
	c.asked("apply site.time_zone")
}

func TestCameraIsEdited(t *testing.T) {
	f := newFake()
	c := start(t, f, xterm, 80, 24)
	c.typed("4")
	c.sees("Image buffer    8MiB")
	c.typed("\t")
	c.sees("> Camera", "State           ok", "^f: the one found")
	c.typed("/dev/video1")
	c.sees("kind is missing", "^f: v4l2:/dev/video1")
	c.typed("\x06\t\x0b1")
	c.sees("*Camera          v4l2:/dev/video1", "..  at least 16")
	c.typed("\x17")
	c.sees("Not saved: Width is incomplete", "[4 Camera")
	c.typed("280\x17")
	c.sees("Saved and in force", "[4 Camera]")
	c.asked("apply camera.source camera.width")
}

// The image buffer says how much it holds as typed, and warns where a trigger needs more.
func TestBufferTellsWhatItHolds(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("4")
	s.toField("camera.buffer")
	s.sees("holds about 145 images, the last 72 s")
	s.set("camera.buffer", "16MiB")
	s.sees("holds about 290 images, the last 144 s")
	s.press("esc")
	s.set("camera.width", "1280")
	s.set("camera.height", "960")
	s.toField("camera.buffer")
	s.sees("holds about 68 images, the last 34 s", "ok 68 images, 34 s")
	s.set("camera.buffer", "2MB")
	s.sees("too small", `"yard" has 25 images`, "^f: 7MB")
	s.press("ctrl+f")
	if v := s.draft.Verdict("camera.buffer"); v.Level != config.OK || s.draft.Raw("camera.buffer") != "7MB" {
		t.Errorf("%q %+v", s.draft.Raw("camera.buffer"), v)
	}
}

// Another directory says on the way, when it is saved and afterwards that it is not in force yet.
func TestDirectoryIsFromTheNextStart(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.press("7")
	s.sees("Directory /var/lib/watchpost")
	s.set("storage.directory", "mnt")
	s.sees("not absolute")
	s.set("storage.directory", "/mnt/disk")
	s.sees("from the next start", "nothing is moved")
	s.run("ctrl+w")
	s.sees("Saved and in force, but for the directory: that is from the next start on.")
	if s.unsaved() != 0 || !strings.Contains(s.text(), "ok  from the next start") {
		t.Error(s.text())
	}
	s.set("storage.directory", "/var/lib/watchpost")
	if strings.Contains(s.text(), "ok  from the next start") {
		t.Error(s.text())
	}
	s.run("ctrl+w")
	s.status.Storage.Directory = "/var/lib/watchpost/events" // as an engine tells it
	if strings.Contains(s.text(), "ok  from the next start") {
		t.Error(s.text())
	}
}

// Privacy's times are edited in the week of a trigger's active time.
func TestPrivacyTimesAreEdited(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.toField(privacyActive)
	s.press("'x")
	s.sees("Enter opens the week")
	s.press("enter")
	s.sees("No span: it is switched by hand only")
	s.press("x")
	s.sees("a adds a span")
	s.press("a")
	s.press("right", "right", "right", "right", "right", "space", "right", "space", "'2200", "'0600", "enter")
	s.sees("Mon-Fri holidays 22:00-06:00")
	if got, want := s.draft.Raw(privacyActive), `{days: [mon, tue, wed, thu, fri, holiday], from: "22:00", to: "06:00"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s.run("ctrl+w")
	if p := s.settings.Config.Privacy.Active; len(p) != 1 || p[0].From != 22*60 {
		t.Errorf("%+v", p)
	}
	s.press("enter", "x", "enter")
	s.sees("by hand only")
}

// The week answers ? and F1 with its keys, and goes on where it was.
func TestWeekHasHelp(t *testing.T) {
	for _, k := range []string{"triggers.yard.active", privacyActive} {
		for _, name := range []string{"?", "f1"} {
			s := open(t, newFake(), 80, 24)
			s.toField(k)
			s.press("enter", "a", name)
			if s.sees("In the week of an active time", "add a span", "remove a span"); !s.helping {
				t.Errorf("%s: no help at %s", k, name)
			}
			s.press("esc")
			s.sees("Span Mon Tue")
		}
	}
}

// What is unsaved stands in one draft: each page marks its own and takes back its own,
// a save takes all, and leaving asks.
func TestUnsavedOfAllPages(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.set("site.name", "Gate 4")
	s.set("camera.fps", "5")
	s.set("triggers.yard.threshold", "7")
	s.set("smtp.port", "25")
	s.sees("[2 Mail*]", "3 Triggers*", "4 Camera*", "7 System*")
	s.press("esc", "4", "u")
	s.sees("Frame rate is 15 again.", "[4 Camera]", "7 System*")
	s.press("u")
	s.sees("Nothing to undo on this page since the last save.")
	s.press("q")
	s.sees("3 unsaved changes will be lost.", "w save first")
	s.press("n", "7")
	s.sees("1 unsaved change on this page: w saves")
	s.run("w")
	if s.unsaved() != 0 || s.at != systemAt || s.settings.Config.Site.Name != "Gate 4" || s.settings.Config.SMTP.Port != 25 {
		t.Errorf("page %d, %v", s.at, s.draft.Changes())
	}
}

// A field of any page that is in the way of a save, a diagnosis or a test is gone to.
func TestWhatIsInTheWayIsGoneTo(t *testing.T) {
	for k, text := range map[string]string{"camera.width": "1", "site.time_zone": "Eur", "triggers.yard.pre": "5 ima", "triggers.yard.and.within": "x"} {
		for _, name := range []string{"w", "d", "t"} {
			s := open(t, newFake(), 80, 24)
			if strings.Contains(k, ".and.") {
				s.field("triggers.yard.and.source")
				s.press("'s")
			}
			s.set(k, text)
			s.press("esc", "esc", "1", name)
			if s.at != pageOf(k) || s.focusedEditor() == nil || !strings.Contains(s.say, label(k)) {
				t.Errorf("%s, %s: page %d, %q", k, name, s.at, s.say)
			}
		}
	}
}

// What is typed while it is being saved stays; what the engine refuses is gone to.
func TestSavingSettings(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.set("site.name", "Gate 4")
	cmd := s.press("ctrl+w")
	s.press("'5")
	s.carry(cmd)
	if got := s.draft.Raw("site.name"); got != "Gate 45" || s.settings.Config.Site.Name != "Gate 4" || s.unsavedOn(systemAt) != 1 {
		t.Errorf("%q, saved %q", got, s.settings.Config.Site.Name)
	}
	s.press("esc", "1")
	s.send(appliedMsg{findings: []config.Finding{{Key: "camera.source", Verdict: config.Verdict{Level: config.Error, Short: "no", Text: "It is not there."}}},
		err: fmt.Errorf("fake: %w", config.ErrRefused)})
	s.sees("Not saved: Camera: It is not there.", "[4 Camera]", "> Camera")
}

// A field changed on both sides is marked, named, and asked for before a save.
func TestSettingsInConflict(t *testing.T) {
	s := open(t, newFake(), 80, 24)
	s.set("storage.max_age", "7d")
	next := s.settings
	next.Config, _, _ = config.PatchFor(next.Config, config.Secrets{}, []config.Change{{Key: "storage.max_age", Value: "90d"}, {Key: "camera.fps", Value: "5"}})
	next.Revision = "r2"
	s.f.settings = next
	s.send(configMsg{settings: next})
	s.sees("Changed elsewhere as well: Keep for.", "!Keep for 7d", "changed elsewhere")
	s.press("backspace", "'h", "ctrl+u") // what is typed on is the same step
	if got := s.draft.Raw("storage.max_age"); got != "90d" || s.unsaved() != 0 {
		t.Errorf("undone: %q, %v", got, s.draft.Changes())
	}
	s = open(t, newFake(), 80, 24)
	s.set("storage.max_age", "7d")
	s.f.settings = next
	s.send(configMsg{settings: next})
	s.press("esc")
	s.press("w")
	s.sees("Save over what was changed elsewhere? Keep for")
	s.press("n")
	s.sees("Changed elsewhere as well: Keep for. Enter the field")
	s.press("u")
	if got := s.draft.Raw("storage.max_age"); got != "90d" || s.unsaved() != 0 {
		t.Errorf("%q, %v", got, s.draft.Changes())
	}
	other := next
	other.Config.Camera.FPS, other.Revision = 10, "r3"
	s.send(configMsg{settings: other})
	s.sees("Frame rate was changed elsewhere: 10.")
}

// However many problems there are, the first stands whole on the System page at
// 80x24, and every one at one key.
func TestProblemsStayInView(t *testing.T) {
	f := troubled(4)
	for i := range 20 {
		f.snap.Status.Problems = append(f.snap.Status.Problems, fmt.Sprintf("problem %d: %s", i, strings.Repeat("something long is wrong here ", 6)))
	}
	for _, size := range [][2]int{{80, 24}, {60, 15}} {
		s := open(t, f, size[0], size[1])
		s.press("7")
		s.sees("Problems 24", "The camera is lost: no frame for 42 s. Check its cable.")
		s.press("tab", "shift+tab") // the last field is in view, and so are they
		s.sees("> Serial password", "The camera is lost")
		s.press("esc", "i")
		seen := ""
		for range 120 {
			seen += s.text()
			s.press("down")
		}
		for i := range 20 {
			if !strings.Contains(seen, fmt.Sprintf("problem %d:", i)) {
				t.Errorf("%v: problem %d is never shown", size, i)
			}
		}
		s.sees("here")
		s.press("esc")
		s.sees("Serial consoles")
	}
}

// Lists and ports stand in a form as a person writes them.
func TestPlainForms(t *testing.T) {
	s := open(t, withTransfers(), 80, 24)
	s.field("transfers.nas.port")
	s.sees("Port")
	s.press("shift+tab")
	s.sees("Port 22, the usual one")
	if got := s.draft.Raw("transfers.nas.port"); got != "" {
		t.Errorf("port %q", got)
	}
	s.press("esc", "esc")
	s.field("triggers.yard.zones")
	s.press("ctrl+k", "'0,0,50")
	s.sees("Zones 0,0,50 .. incomplete")
	s.press("',100; 60 0 40 100")
	s.sees("ok 2 zones")
	s.set("triggers.yard.destinations", "a@example.net, b@")
	s.sees("incomplete")
	s.press("'example.net")
	s.field("triggers.yard.and.source")
	if slices.Contains(s.triggersPage().edit.keys, "triggers.yard.and.within") {
		t.Error("within without a second source")
	}
	s.press("'s", "tab")
	s.sees("> Both within")
	s.press("ctrl+k", "'90s")
	s.run("ctrl+w")
	s.sees("Saved and in force")
	y := s.settings.Config.Triggers[0]
	if len(y.Zones) != 2 || len(y.Destinations) != 2 || y.And == nil || *y.And != (config.And{Source: event.Sound, Within: 90 * time.Second}) {
		t.Errorf("%+v %+v %+v", y.Zones, y.Destinations, y.And)
	}
	s.field("triggers.yard.and.source")
	s.press("home")
	s.run("ctrl+w")
	if a := s.settings.Config.Triggers[0].And; a != nil {
		t.Errorf("%+v", a)
	}
}
