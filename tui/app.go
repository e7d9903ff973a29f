package tui

import (
	"context"
	"errors"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/tui/term"
)

// The smallest screen that is drawn; below it one message asks for more.
const (
	minWidth  = 60
	minHeight = 15
)

// maxSteps is how many delivery steps are remembered: a test mail's first steps
// may come before it is known which mail is the test.
const maxSteps = 64

// idle is how long no key must have come for the next one to be a reason to ask
// a terminal that does not tell its size again.
const idle = time.Minute

// keysTaken is after how long the keys of one read have been taken.
const keysTaken = 150 * time.Millisecond

// app is the whole interface: the model that Bubble Tea runs.
type app struct {
	calls
	now      func() time.Time
	ascii    bool // fold the frame
	attached bool // the engine runs elsewhere
	rights   Rights
	keys     SSHKeys          // nil: none are changed here
	files    *Files           // nil: no file may be written here
	ask      bool             // the terminal does not tell its size: ask it
	paints   []paint          // how the terminal can show a picture, the poorest first
	wrote    func() int64     // bytes that its line has taken
	elapsed  func() time.Time // for measuring the line: now may be set, this one runs
	flush    time.Duration    // how often what is drawn is written

	w, h    int
	at      int // which page
	pages   []page
	helping bool
	helpTop int // first line of the help that is shown
	qu      *question
	say     string // what an action came to; stands until the next key
	enter   bool   // the last key was Enter: a line feed behind it is the same key press
	lastKey time.Time

	changes   <-chan event.Event // what Watch gave
	unwatch   context.CancelFunc
	status    event.Status
	got       time.Time      // when the status came, by now
	known     bool           // there is a status
	zone      *time.Location // the box's; nil until it is known
	zoneAsked string
	gone      string // why the engine is not watched, or empty
	history   history
	steps     []event.MailStep
	sent      sending

	settings config.Settings
	draft    *config.Draft // nil until the configuration is known
	runs     int           // diagnoses begun
	kept     bool          // something was saved on this screen; a demo forgets it
}

func newApp(ctx context.Context, b Backend, now func() time.Time) *app {
	a := &app{calls: calls{ctx, b}, now: now, wrote: func() int64 { return 0 }, paints: []paint{inASCII}, elapsed: time.Now}
	for _, p := range pages {
		a.pages = append(a.pages, p.make(a))
	}
	return a
}

func (a *app) Init() tea.Cmd {
	return tea.Batch(a.rewatch(), a.minute(), a.askSize())
}

// minute waits for the box's clock to show another minute.
func (a *app) minute() tea.Cmd {
	d := time.Minute - time.Duration(a.clock().Second())*time.Second - time.Duration(a.clock().Nanosecond())
	return tea.Tick(d, func(time.Time) tea.Msg { return minuteMsg{} })
}

// clock is the box's time now.
func (a *app) clock() time.Time {
	t := a.now()
	if !a.status.Clock.Time.IsZero() {
		t = a.status.Clock.Time.Add(t.Sub(a.got))
	}
	if a.zone != nil && a.zone.String() == a.status.Clock.Zone {
		t = t.In(a.zone)
	}
	return t
}

func (a *app) askSize() tea.Cmd {
	if !a.ask {
		return nil
	}
	return tea.Raw(term.AskSize)
}

func (a *app) cameraPage() *cameraPage { return a.pages[cameraAt].(*cameraPage) }

func (a *app) mailPage() *mailPage { return a.pages[mailAt].(*mailPage) }

func (a *app) Update(msg tea.Msg) (tea.Model, tea.Cmd) { return a, a.update(msg) }

func (a *app) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		a.w, a.h = m.Width, m.Height
	case tea.CursorPositionMsg: // the answer to AskSize
		if a.ask && m.X > 0 && m.Y > 0 {
			size := tea.WindowSizeMsg{Width: m.X + 1, Height: m.Y + 1}
			if size.Width != a.w || size.Height != a.h {
				return func() tea.Msg { return size }
			}
		}
	case tea.KeyPressMsg:
		return a.pressed(m)
	case tea.PasteMsg:
		if a.qu != nil || a.helping {
			return nil
		}
		if a.rights.Operator && a.at != eventsAt {
			a.say = operatorText
			return nil
		}
		if e := a.editor(); e != nil {
			return e.paste(a, m.Content)
		}
		a.say = "There is no field here to paste into: 2 opens the Mail page, Tab enters a field."
	case notTextMsg:
		if !m.taken { // the keys that were read with them would take the message away
			return tea.Tick(keysTaken, func(time.Time) tea.Msg { return notTextMsg{true} })
		}
		a.say = "Characters that are not UTF-8 came and were left out: set the terminal to UTF-8, then check what stands here."
	case minuteMsg:
		return a.minute()
	case zoneMsg:
		a.zone = m.zone
	case watchMsg:
		return a.watching(m)
	case rewatchMsg:
		return a.rewatch()
	case eventsMsg:
		return a.happened(m.events)
	case configMsg:
		return a.configured(m)
	case reconfigMsg:
		return a.config(false)
	case viewMsg, viewTickMsg, uv.PrimaryDeviceAttributesEvent:
		return a.cameraPage().live.update(a, msg)
	case queueMsg, queueDoneMsg:
		return a.pages[queueAt].(*queuePage).done(a, m)
	case storedMsg:
		return a.eventsPage().done(a, m)
	case eventMailsMsg:
		a.eventsPage().mailed(m)
	case addedMsg:
		if m.err != nil {
			a.say = "No trigger was added: " + because(m.err)
			return nil
		}
		cmd := a.configured(configMsg{settings: m.settings})
		a.kept = true
		a.say = "The trigger motion watches the whole picture from now on."
		return cmd
	case privacyMsg:
		a.privacySwitched(m)
	case firedMsg:
		a.say = firedText(m)
	case listedMsg:
		return a.triggersPage().relisted(a, m)
	case exportTickMsg, exportedMsg:
		return a.eventsPage().exported(a, msg)
	case keptMsg, removedMsg:
		return a.counted(m)
	case appliedMsg:
		return a.applied(m)
	case sshKeysMsg:
		a.pages[systemAt].(*systemPage).ssh.done(a, m)
	case stepMsg, diagnosedMsg:
		return a.walked(m)
	case revertedMsg, testMsg:
		return a.mailPage().done(a, m)
	}
	return nil
}

func firedText(m firedMsg) string {
	name := clean(m.trigger)
	switch {
	case m.err != nil:
		return name + " was not fired: " + because(m.err)
	case m.firing.Reason == event.TimerOff:
		return name + " fired; its images are kept, a timer has no mail."
	case m.firing.Disposition == event.Silent:
		return name + " fired and stayed silent: " + silence(m.firing.Reason) + "."
	case m.firing.Disposition == event.Queued && m.firing.HeldOff:
		return name + " fired; it is held off and told in the summary."
	case m.firing.Disposition == event.Queued:
		return name + " fired; its mail is on the way."
	case m.firing.Disposition == event.Outside:
		return name + " fired outside its active time: no mail."
	case m.firing.Disposition == event.Extended:
		return name + " fired and prolonged the event that was running."
	}
	return name + " fired: " + string(m.firing.Disposition) + "."
}

// because is an error for a person, harmless for the screen.
func because(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the engine did not answer in time; the Status page shows whether it is there."
	case errors.Is(err, context.Canceled):
		return "cancelled."
	}
	s := strings.TrimSpace(clean(err.Error()))
	if s != "" && !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// configured takes the configuration in force under the draft.
func (a *app) configured(m configMsg) tea.Cmd {
	if m.err != nil {
		a.say = "The configuration could not be read: " + because(m.err)
		if a.draft == nil {
			return tea.Tick(rewatchAfter, func(time.Time) tea.Msg { return reconfigMsg{} })
		}
		return nil
	}
	if a.draft == nil || !a.draft.Changed("") {
		if a.draft == nil {
			a.say = "" // that it is not known yet
		} else if m.settings.Revision != a.settings.Revision {
			a.say = changedElsewhere(a.settings, m.settings)
		}
		a.take(m.settings)
		return nil
	}
	if m.settings.Revision == a.settings.Revision && !m.conflict {
		return nil
	}
	a.rebase(m.settings)
	return nil
}

// take starts a new draft from settings.
func (a *app) take(s config.Settings) {
	a.triggersPage().follow(a, a.draft, s)
	a.settings, a.draft = s, config.NewDraft(s)
	p := a.mailPage()
	p.undo, p.conflicts = nil, nil
	p.reload(a)
	a.reloadOthers()
}

// unsaved counts the fields that were changed.
func (a *app) unsaved() int {
	if a.draft == nil {
		return 0
	}
	return len(a.draft.Changes())
}

// open brings a page to the front.
func (a *app) open(at int) tea.Cmd {
	if e := a.editor(); e != nil {
		e.leave(a)
	}
	a.cameraPage().end()
	a.at, a.helping = at, false
	return a.pages[at].opened(a)
}

// pressed takes a key: what is asked comes first, then the field, then the app.
func (a *app) pressed(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	// CR LF is one key press: the line feed behind an Enter is swallowed.
	if name == "ctrl+j" && a.enter {
		a.enter = false
		return nil
	}
	a.enter = name == "enter"
	var cmd tea.Cmd
	if a.ask && !a.lastKey.IsZero() && a.now().Sub(a.lastKey) > idle {
		cmd = a.askSize()
	}
	a.lastKey = a.now()
	if key.Matches(k, keys.Redraw) {
		return tea.Batch(a.askSize(), tea.ClearScreen)
	}
	return tea.Batch(cmd, a.act(k))
}

func (a *app) act(k tea.KeyPressMsg) tea.Cmd {
	if a.qu != nil {
		if o, ok := a.qu.answer(k.String()); ok {
			a.qu, a.say = nil, ""
			if o.do != nil {
				return o.do()
			}
		}
		return nil
	}
	if a.helping {
		if a.scrollHelp(k) {
			return nil
		}
		a.helping = false
		if !key.Matches(k, keys.Pages, keys.Quit) {
			return nil
		}
	}
	a.say = ""
	if a.barred(k.String()) {
		a.say = operatorText
		return nil
	}
	if e := a.focusedEditor(); e != nil {
		if cmd, ok := e.fieldKey(a, k); ok {
			return cmd
		}
	}
	switch {
	case key.Matches(k, keys.Pages):
		name := k.String()
		return a.open(int(name[len(name)-1] - '1'))
	case key.Matches(k, keys.Help):
		a.helping, a.helpTop = true, 0
	case key.Matches(k, keys.Quit):
		a.quit()
	case key.Matches(k, keys.Privacy):
		return a.switchPrivacy()
	case key.Matches(k, keys.Test):
		return a.test()
	case key.Matches(k, keys.Diagnose):
		if p := a.triggersPage(); a.at == triggersAt && a.draft != nil && p.transfer(a) != "" {
			return p.diagnose(a, p.transfer(a))
		}
		return a.onMail(a.mailPage().diagnose)
	case key.Matches(k, keys.Save):
		return a.saveAll()
	case key.Matches(k, keys.Undo):
		return a.takeBack()
	default:
		cmd, ok := a.pages[a.at].key(a, k)
		if !ok && a.say == "" {
			a.say = notAKey(k)
		}
		return cmd
	}
	return nil
}

// notAKey says of a printable key that it does nothing here; others stay silent.
func notAKey(k tea.KeyPressMsg) string {
	if k.Text == "" || k.Text == " " {
		return ""
	}
	if k.Text == "p" {
		return "Privacy mode is switched with P, a capital, so that it is not by accident."
	}
	return "'" + clean(k.Text) + "' does nothing on this page; ? shows the keys."
}

// onMail does something of the Mail page from whatever page is open.
func (a *app) onMail(do func(*app) tea.Cmd) tea.Cmd {
	if a.draft == nil {
		a.say = "The configuration is not known yet: the engine has not answered."
		return nil
	}
	var cmd tea.Cmd
	if a.at != mailAt {
		cmd = a.open(mailAt)
	}
	return tea.Batch(cmd, do(a))
}

// quit asks before leaving and says what leaving means.
func (a *app) quit() {
	text := "Leave Watchpost?"
	yes, no := "leave", "stay"
	switch mode := a.status.Mode; {
	case a.attached && mode == "terminal":
		text = "Leave? The engine goes on in the terminal that it runs in."
	case mode == "service":
		text = "Leave? The service goes on without this screen."
	case mode == "demo":
		text, yes = "End the demo?", "end"
	case mode == "terminal":
		text, yes = "Stop Watchpost? Its engine runs in this terminal: no trigger is watched until it is started again.", "stop"
	}
	leave := func() tea.Cmd { return tea.Quit }
	if a.status.Mode == "demo" && (a.kept || a.unsaved() > 0) { // saving first would not keep it
		text += " What was set in it is not kept."
	}
	a.qu = yesNo(text, yes, no, leave)
	if a.eventsPage().export.running() {
		a.qu.text = "The export is given up then. " + a.qu.text
	}
	if n := a.unsaved(); n > 0 && a.status.Mode != "demo" {
		a.qu.text = plural(n, "unsaved change") + " will be lost. " + a.qu.text
		a.qu.options = []option{
			{"y", yes, leave},
			{"w", "save first", func() tea.Cmd { return a.saveAll() }},
			{"n", no, nil},
		}
	}
}

// label is a field's name on the screen.
func label(k string) string {
	if f, ok := config.Lookup(k); ok && f.Label != "" {
		if n, ok := strings.CutPrefix(k, "mail.destinations."); ok && !strings.HasSuffix(f.Label, n) {
			return strings.TrimSpace(f.Label + " " + n)
		}
		return f.Label
	}
	return k
}
