package tui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// statusPage shows what goes on, and why nothing does.
type statusPage struct {
	fps float64 // as shown: follows the measured rate only when it has moved
}

func (p *statusPage) opened(*app) tea.Cmd { return nil }

// settle keeps figures that tremble from costing bytes on a slow line.
func (p *statusPage) settle(s event.Status) {
	if math.Abs(s.Camera.FPS-p.fps) > 0.75 {
		p.fps = math.Round(s.Camera.FPS)
	}
}

func (p *statusPage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	switch {
	case key.Matches(k, keys.Fire):
		a.fireOne()
	case key.Matches(k, keys.Add):
		a.addTrigger()
	default:
		return nil, noField(a, k)
	}
	return nil, true
}

// addTrigger offers the first trigger, so that a new box watches at one key.
func (a *app) addTrigger() {
	switch {
	case !a.known:
		a.say = "The engine has not answered yet."
	case len(a.status.Findings) > 0:
		a.say = "No trigger can be added while the configuration file has errors: 7 System shows them."
	case len(a.settings.Config.Triggers) > 0:
		a.open(triggersAt)
		a.triggersPage().add(a, triggersKey)
	default:
		a.qu = yesNo("Add a motion trigger that watches the whole picture and mails?", "add", "no",
			func() tea.Cmd { return a.calls.addTrigger(a.settings.Revision) })
	}
}

// fireOne asks which trigger to fire by hand.
func (a *app) fireOne() {
	ts := a.status.Triggers
	switch len(ts) {
	case 0:
		a.say = "There is no trigger to fire: the configuration has none."
		return
	case 1:
		a.fireThis(ts[0])
		return
	}
	q := &question{text: "Fire which trigger by hand? Its schedule, hold-off and privacy hold."}
	for i, t := range ts[:min(9, len(ts))] {
		q.options = append(q.options, option{fmt.Sprint(i + 1), cut(clean(t.Name), 12), func() tea.Cmd {
			if a.cannotFire(t) {
				return nil
			}
			return a.fire(t.Name)
		}})
	}
	q.options = append(q.options, option{"n", "none", nil})
	a.qu = q
}

// fireThis asks whether to fire a trigger by hand.
func (a *app) fireThis(t event.Trigger) {
	if a.cannotFire(t) {
		return
	}
	a.qu = yesNo("Fire "+clean(t.Name)+" by hand? Its schedule, hold-off and privacy hold.", "fire", "no",
		func() tea.Cmd { return a.fire(t.Name) })
}

// cannotFire says of a trigger that is not available why it is not.
func (a *app) cannotFire(t event.Trigger) bool {
	if t.State != event.Unavailable {
		return false
	}
	a.say = strings.TrimSuffix(clean(t.Name)+" cannot be fired: "+clean(t.Why), ": ")
	if !strings.HasSuffix(a.say, ".") {
		a.say += "."
	}
	return true
}

func (p *statusPage) bindings(a *app) []key.Binding {
	if a.known && len(a.settings.Config.Triggers) == 0 {
		return []key.Binding{keys.Add, keys.Test, keys.Diagnose, keys.Quit}
	}
	return []key.Binding{keys.Fire, keys.Test, keys.Diagnose, keys.Quit, keys.Privacy}
}

func (p *statusPage) hint(a *app) string {
	switch {
	case !a.known || a.status.State != "setup":
	case len(a.status.Findings) > 0:
		return "The configuration file has errors, shown above. Correct it; it is read again at once."
	case len(a.settings.Config.Triggers) == 0 && config.MailConfigured(a.settings.Config):
		return "Not set up yet: nothing is watched for; a adds a motion trigger."
	default:
		return "Not set up yet: 2 opens the Mail page, Tab enters the first field."
	}
	if n := a.status.Queue.Held; n > 0 {
		return plural(n, "mail") + " held: 6 shows each with the server's words; r tries it again there."
	}
	return ""
}

func (p *statusPage) body(a *app, w, h int) ([]string, *tea.Position) {
	if !a.known {
		return []string{"", "  Waiting for the engine."}, nil
	}
	s := a.status
	var lines []string
	if s.Demo != "" {
		lines = append(lines, place("demo: "+clean(s.Demo), w, 2)...)
	}
	lines = append(lines, a.privacyLine(w)...)
	lines = append(lines, p.camera(s, w), queueLine("Queue", s.Queue, a.canMail(), w))
	if s.Transfers.Queued+s.Transfers.Deferred+s.Transfers.Held > 0 {
		lines = append(lines, queueLine("Transfers", s.Transfers, true, w))
	}
	if tight := h < 12; !tight || !s.Clock.Set {
		lines = append(lines, clockLine(s, w))
	}
	if tight := h < 12; !tight || low(s.Storage) {
		lines = append(lines, storageLine(s.Storage, w))
	}
	ps, each := problems(s), 2
	if len(ps) == 1 {
		each = 3
	}
	for _, problem := range ps {
		for i, l := range place(problem, w-2, each) {
			mark := "  "
			if i == 0 {
				mark = bad.Render(" !")
			}
			lines = append(lines, mark+l)
		}
	}
	// Problems give way to what must be seen of triggers and results.
	triggers := triggerLines(s.Triggers, a.clock(), w)
	keep := h - 4 - len(triggers)
	if len(lines) > keep && keep > 4 {
		lines = append(lines[:keep-1], fmt.Sprintf("   more: 7 System shows all %s", plural(len(ps), "problem")))
	}
	lines = append(lines, "")
	lines = append(lines, triggers...)
	lines = append(lines, "")
	inbox := inboxLines(s.Inbox, w)
	if h-len(lines) < len(inbox)+3 {
		inbox = nil // the results go before what arrived
	}
	results := a.resultLines(w, h-len(lines)-len(inbox))
	return append(append(lines, results...), inbox...), nil
}

// inboxLines is what arrived at the demo's own mail server, newest first.
func inboxLines(inbox []string, w int) []string {
	if len(inbox) == 0 {
		return nil
	}
	lines := []string{"", faint.Render("  Arrived at the demo's mail server")}
	for i := len(inbox) - 1; i >= max(0, len(inbox)-3); i-- {
		lines = append(lines, cut("  "+clean(inbox[i]), w-1))
	}
	return lines
}

// problems are all sentences that want attention: what is wrong in the
// configuration file, what else is wrong, what to know of the file. A finding
// that a problem repeats is told once.
func problems(s event.Status) []string {
	var out, warnings []string
	for _, f := range s.Findings {
		if strings.Contains(f, ": warning: ") { // as config.Finding writes it
			warnings = append(warnings, clean(f))
		} else {
			out = append(out, clean(f))
		}
	}
	for _, p := range s.Problems {
		for _, f := range s.Findings {
			p = strings.TrimSuffix(p, ": "+f)
		}
		out = append(out, clean(p))
	}
	return append(out, warnings...)
}

// fact is a labelled line: what, one word, the rest; right stands at the edge.
func fact(what, word, rest, right string, w int) string {
	return spread("  "+fit(what, 10)+strong.Render(word)+strings.Repeat(" ", max(1, 10-width(word)))+rest, right+"  ", w)
}

func (p *statusPage) camera(s event.Status, w int) string {
	c := s.Camera
	if s.Privacy.On {
		return fact("Camera", "closed", "privacy mode: nothing is captured", "", w)
	}
	right := fmt.Sprintf("%.0f fps  %s dropped", p.fps, count(c.Dropped))
	if c.Width > 0 && w >= 76 {
		right = fmt.Sprintf("%dx%d  %s", c.Width, c.Height, right)
	}
	rest := clean(c.Source)
	if c.State != event.CameraOK { // why stands among the problems
		right = ""
	}
	if rest == "" {
		rest, right = "none configured", ""
	}
	return fact("Camera", string(c.State), cut(rest, w-24-width(right)-2), right, w)
}

// canMail reports whether there is a server and a sender to mail with.
func (a *app) canMail() bool {
	c := a.settings.Config
	return !a.known || c.SMTP.Server != "" && c.Mail.ReplyAddress != ""
}

// queueLine is a line for the mails, or for the transfers while some wait; ready:
// they can be sent as things are.
func queueLine(name string, q event.Queue, ready bool, w int) string {
	word, rest := "ok", ""
	for _, x := range []struct {
		n    int
		what string
	}{{q.Queued, "queued"}, {q.Deferred, "deferred"}, {q.Held, "held"}} {
		if x.n > 0 || w >= 76 {
			rest += fmt.Sprintf("%d %s  ", x.n, x.what)
		}
	}
	rest += count(q.Delivered) + " delivered"
	switch {
	case q.Held > 0:
		word = "held"
	case q.Deferred > 0:
		word = "deferred"
	case q.Queued > 0 && (q.Problem != "" || !ready): // the budget, a mail before it
		word = "waiting"
	case q.Queued > 0:
		word = "sending"
	}
	return fact(name, word, rest, "", w)
}

func clockLine(s event.Status, w int) string {
	word, rest := "set", clean(s.Clock.Zone)
	if !s.Clock.Set {
		word, rest = "not set", "mails say so until it is right"
	}
	return fact("Clock", word, rest, "", w)
}

func storageLine(s event.Storage, w int) string {
	word, rest := "ok", plural(s.Events, "event")+"  "+size(s.Bytes)
	if s.MaxBytes > 0 {
		rest += " of " + size(s.MaxBytes)
	}
	if s.FreeBytes > 0 {
		rest += "  " + size(s.FreeBytes) + " free"
	}
	if low(s) {
		word = "low"
	}
	return fact("Storage", word, rest, "", w)
}

func low(s event.Storage) bool { return s.Low }

// triggerLines is a line for each trigger under a heading. Firings that were no
// mail's, such as those that only extended an event, are "else"; the Triggers page
// has each kind by its name.
func triggerLines(ts []event.Trigger, now time.Time, w int) []string {
	if len(ts) == 0 {
		return []string{"  No trigger yet, nothing is watched: a adds one for motion."}
	}
	wide := w >= 80
	name, state, level := 9, 23, 0
	if wide {
		spare := w - 80
		name, state, level = 10+min(spare/4, 20), 17+min(spare/4, 20), 13
	}
	counted := func(fired, mailed, wait, held, other string) string {
		s := fmt.Sprintf("%5s%7s%5s%5s", fired, mailed, wait, held)
		if wide {
			s += fmt.Sprintf("%5s", other)
		}
		return s
	}
	columns := func(n, source, st, lv, counts string) string {
		s := "  " + fit(n, name) + " "
		if wide {
			s += fit(source, 8) + " "
		}
		s += fit(st, state)
		if wide {
			s += " " + fit(lv, level)
		}
		return s + counts
	}
	lines := []string{faint.Render(columns("Trigger", "Source", "State", "Level/Fires", counted("Fired", "Mailed", "Wait", "Held", "Else")))}
	for _, t := range ts {
		lv := ""
		if wide && t.Source == event.Motion && t.Fires > 0 && t.State != event.Unavailable && t.State != event.StatePrivacy {
			lv = meter(t.Level, t.Fires)
		}
		st := triggerState(t, now)
		room, below := state, ""
		if wide && (lv == "" || width(st) > state) { // the state may use the level's column
			room, lv = state+level+1, ""
		}
		if t.Why != "" {
			if full := st + ": " + clean(t.Why); width(full) <= room {
				st = full
			} else {
				below = clean(t.Why)
			}
		}
		a := t.Account
		counts := counted(count(a.Fired), count(a.Mailed+a.Summarised), count(a.Queued), count(a.Held),
			count(a.Dropped+a.Outside+a.Extended+a.Silent))
		l := columns(clean(t.Name), string(t.Source), st, lv, counts)
		if room > state {
			l = "  " + fit(clean(t.Name), name) + " " + fit(string(t.Source), 8) + " " + fit(st, room) + counts
		}
		lines = append(lines, l)
		if below != "" {
			lines = append(lines, hang("    ", below, w-1, 3)...)
		}
	}
	return lines
}

// triggerState says whether a trigger listens and, if not, until when.
func triggerState(t event.Trigger, now time.Time) string {
	s := strings.ReplaceAll(string(t.State), "_", " ")
	if t.Why == "" && !t.Until.IsZero() {
		s += " to " + until(t.Until, now)
	}
	return s
}

// meterCells is the length of a full meter: the level at which it fires.
const meterCells = 3

// meter shows a motion level against the level that fires, both in percent of
// the zone, in steps of a tenth of the latter: a still picture is a still screen.
func meter(level, fires float64) string {
	tenths := tenthsOf(level, fires)
	full := int(min(tenths/10, 1) * meterCells)
	return fmt.Sprintf("%s/%s %s%s", percent(tenths*fires/10), percent(fires),
		strings.Repeat("#", full), strings.Repeat(".", meterCells-full))
}

// tenthsOf is a level in whole tenths of the one that fires, so that what hardly
// changes is not sent again.
func tenthsOf(level, fires float64) float64 {
	if fires <= 0 {
		return 0
	}
	tenths := math.Round(level / fires * 10)
	if level < fires {
		tenths = min(tenths, 9) // never look as if it should have fired
	}
	return tenths
}

// percent writes a percentage in four columns.
func percent(f float64) string {
	switch {
	case f < 9.995:
		return fmt.Sprintf("%.2f", f)
	case f < 99.95:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%4.0f", f)
}

// resultLines is what happened last, newest first.
func (a *app) resultLines(w, h int) []string {
	rs := a.history.results()
	if h <= 0 {
		return nil
	}
	if len(rs) == 0 {
		return []string{faint.Render("  Last results"), "  Nothing has fired yet."}[:min(2, h)]
	}
	lines := []string{faint.Render("  Last results")}
	when, who, what := 8, 10, 13
	for i := range rs {
		if r := &rs[i]; r.times > 1 {
			r.what = fmt.Sprintf("%s x%d", r.what, r.times)
		}
		who, what = min(max(who, width(rs[i].who)), 23), max(what, width(rs[i].what))
	}
	rs = rs[:min(len(rs), max(0, h-1))] // after these columns: they do not jump with what comes into view
	for _, r := range rs {
		when = max(when, width(moment(r.at, a.clock())))
	}
	told := strings.Join(problems(a.status), "\n")
	for _, r := range rs {
		if strings.Contains(told, r.words) { // above, or with a newer result
			r.words = ""
		} else if strings.HasPrefix(r.what, "deferred") {
			told += "\n" + r.words
		}
		head := fmt.Sprintf("  %s  %s  %s  ", fit(moment(r.at, a.clock()), when), fit(r.who, who), strong.Render(fit(r.what, what)))
		lines = append(lines, beside(head, r.words, 4, w-1, 2)...)
	}
	return lines[:min(h, len(lines))]
}
