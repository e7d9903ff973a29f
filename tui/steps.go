package tui

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// walk is a diagnosis or the delivery of a test mail, as it is watched.
type walk struct {
	title  string
	run    int                // of a diagnosis: its number
	cancel context.CancelFunc // of a diagnosis
	next   tea.Cmd            // of a diagnosis: waits for its next message
	mailID string             // of a test mail, once it is known
	saved  bool               // the test followed a save: a failure offers the last good settings
	steps  []event.Step
	chosen int // the step whose words are shown whole, from 1; 0: how it ended
	over   bool
	ok     bool
	end    string // how it ended
	good   string // of a diagnosis: what it means that all is well
}

// begin makes a diagnosis that runs, and the command that runs it.
func (a *app) begin(title, good string, do func(ctx context.Context, step func(event.Step)) (bool, error)) (*walk, tea.Cmd) {
	a.runs++
	ctx, cancel := context.WithCancel(a.ctx)
	k := &walk{title: title, good: good, run: a.runs, cancel: cancel}
	var start tea.Cmd
	start, k.next = a.calls.diagnose(ctx, k.run, do)
	return k, tea.Batch(start, k.next)
}

// walked takes a message of a diagnosis to the one that it is of, if that is still shown.
func (a *app) walked(msg tea.Msg) tea.Cmd {
	for _, k := range []*walk{a.mailPage().walk, a.triggersPage().walk} {
		if k == nil || k.run == 0 {
			continue
		}
		switch m := msg.(type) {
		case stepMsg:
			if m.run == k.run {
				k.add(m.step)
				return k.next
			}
		case diagnosedMsg:
			if m.run == k.run && !k.over {
				k.done(m)
			}
		}
	}
	return nil
}

// done notes how a diagnosis ended.
func (k *walk) done(m diagnosedMsg) {
	k.over, k.ok = true, m.ok && m.err == nil
	switch {
	case errors.Is(m.err, context.Canceled):
		k.end = "cancelled"
	case m.err != nil:
		k.end = because(m.err)
	case m.ok:
		k.end = k.good
	default:
		k.end = ""
	}
	k.stop()
}

// add takes one more step.
func (k *walk) add(s event.Step) {
	k.steps = append(k.steps, s)
	if n := len(k.steps) - maxSteps; n > 0 {
		k.steps, k.chosen = k.steps[n:], max(0, k.chosen-n)
	}
}

// anyPin and anyHostKey are a key's pin and its fingerprint as a step tells them.
var (
	anyPin     = regexp.MustCompile(`\bpin ([A-Za-z0-9+/]{43}=)`)
	anyHostKey = regexp.MustCompile(`\b(SHA256:[A-Za-z0-9+/]{43})`)
)

// pin is that of the server's key, where a step told it; empty: none did. Of a
// chain the server's own certificate comes first.
func (k *walk) pin() string { return k.first(anyPin, "tls") }

// hostKey is the SSH host key that the server showed; empty: none.
func (k *walk) hostKey() string { return k.first(anyHostKey, "hostkey") }

// first is the first match in what steps of a kind told.
func (k *walk) first(what *regexp.Regexp, step string) string {
	for _, s := range k.steps {
		if m := what.FindStringSubmatch(s.Text); m != nil && s.Step == step {
			return m[1]
		}
	}
	return ""
}

// failed is the first step that failed, or nil. An address that did not answer
// is none where another one of the server did.
func (k *walk) failed() *event.Step {
	connected := slices.ContainsFunc(k.steps, func(s event.Step) bool { return s.OK && s.Step == "tcp" })
	for i := range k.steps {
		if s := &k.steps[i]; !s.OK && !(connected && s.Step == "tcp") {
			return s
		}
	}
	return nil
}

// stop ends a diagnosis that runs.
func (k *walk) stop() {
	if k.cancel != nil {
		k.cancel()
	}
}

// key chooses a step; behind the last one stands how it ended. False: not a key for that.
func (k *walk) key(p tea.KeyPressMsg) bool {
	n := len(k.steps) + 1
	switch {
	case n == 1 || p.String() == "tab" || p.String() == "shift+tab": // they go to the fields
		return false
	case key.Matches(p, keys.Up):
		k.chosen = (k.chosen + n - 1) % n
	case key.Matches(p, keys.Down):
		k.chosen = (k.chosen + 1) % n
	case key.Matches(p, keys.PageUp, keys.First):
		k.chosen = 1
	case key.Matches(p, keys.PageDown, keys.Last):
		k.chosen = 0
	default:
		return false
	}
	return true
}

// lines draws at most h lines: the title, a line a step, what there is to say.
// The newest steps are shown where not all fit, or those up to the one that
// matters. sending is how far the mail is, where that takes long.
func (k *walk) lines(w, h int, sending string) []string {
	c, told := k.columns(w), k.told()
	tail := k.tail(w, max(1, h-2), c)
	room := max(1, h-1-len(tail)) // of the steps
	rows := make([][]string, len(k.steps))
	for i := range k.steps {
		rows[i] = []string{c.row(k.shown(i), i == told)}
		if i+1 == k.chosen {
			rows[i][0] = marked.Render(fit(">"+rows[i][0][1:], w-1))
		}
	}
	if sending != "" {
		rows = append(rows, []string{c.head(event.Step{Step: "data"}) + sending})
	}
	from := max(0, len(rows)-room)
	if told >= 0 {
		from = min(from, told)
	}
	to := min(len(rows), from+room)
	part := ""
	if to-from < len(rows) {
		part = fmt.Sprintf("%d-%d of %d  ", from+1, to, len(rows))
	} else if k.over && k.chosen == 0 {
		k.unfold(rows, c, room-1)
	}
	out := []string{spread("  "+accent.Render(cut(k.title, w-4-len(part))), part, w)}
	for _, r := range rows[from:to] {
		out = append(out, r...)
	}
	if len(out)+len(tail) < h {
		out = append(out, "")
	}
	out = append(out, tail...)
	return out[:min(h, len(out))]
}

// told is the place of the step whose words stand below the steps: the chosen one
// or the one that failed. -1: there is none.
func (k *walk) told() int {
	if k.chosen > 0 {
		return k.chosen - 1
	}
	if f := k.failed(); k.over && !k.ok && f != nil {
		return slices.IndexFunc(k.steps, func(s event.Step) bool { return s == *f })
	}
	return -1
}

// shown is a step as its line shows it: the target of the line above stands there
// once, which leaves room for words; with the step that is told it is said again.
func (k *walk) shown(i int) event.Step {
	s := k.steps[i]
	if i > 0 && k.steps[i-1].Target == s.Target && i != k.told() {
		s.Target = ""
	}
	return s
}

// unfold puts whole words below the lines of steps, as many as h lines take:
// first where the verdict is cut, the newest first (what a server offers under TLS
// says more than before), then where more was said.
func (k *walk) unfold(rows [][]string, c columns, h int) {
	free := h - len(rows)
	for _, cuts := range []bool{true, false} {
		for n := range k.steps {
			i := n
			if cuts {
				i = len(k.steps) - 1 - n
			}
			s := k.shown(i)
			whole, room := joined(s), c.room(s)
			isCut := width(clean(s.Verdict)) > room
			if i == k.told() || width(whole) <= room || isCut != cuts {
				continue
			}
			if !isCut {
				whole = replied(s)
			}
			below := hang(strings.Repeat(" ", 5), whole, c.w-1, 3)
			if len(below) > free {
				continue
			}
			free -= len(below)
			if isCut {
				rows[i] = []string{strings.TrimRight(c.head(s), " ")}
			}
			rows[i] = append(rows[i], below...)
		}
	}
}

// tail is what stands below the steps, in at most h lines: the whole words of the
// chosen step, or what the walk came to, or what it waits for.
func (k *walk) tail(w, h int, c columns) []string {
	mark, texts := "  ", []string{k.end}
	switch f := k.failed(); {
	case k.chosen > 0:
		s := k.steps[k.chosen-1]
		texts = []string{joined(s), s.Do}
	case !k.over && k.end == "":
		texts[0] = "waiting for the next step"
	case !k.over:
	case k.ok:
		mark = good.Render("ok")
	case f != nil:
		mark, texts = bad.Render("! "), []string{f.Verdict, f.Do, k.end}
		words := replied(*f)
		if strings.Contains(f.Verdict, f.Text) || width(words) <= c.room(*f) {
			break // it stands there, or with the step
		}
		if all := []string{f.Verdict, words, f.Do, k.end}; len(below(mark, all, w, h+1)) <= h {
			texts = all
		} else { // what to do comes before the server's words
			texts = append(texts, words)
		}
	default:
		mark = bad.Render("! ")
	}
	return below(mark, texts, w, h)
}

// below draws texts, at most h lines, the first one behind a mark. The first gives
// way to the second, which says what to do.
func below(mark string, texts []string, w, h int) []string {
	var out []string
	for i, t := range texts {
		room := min(5, h-len(out))
		if i == 0 && len(texts) > 1 {
			room = max(1, min(room, h-len(wrap(clean(texts[1]), w-7, 5))))
		}
		for _, l := range wrap(clean(t), w-7, room) {
			out = append(out, "  "+mark+" "+l)
			mark = "  "
		}
	}
	return out
}

// replied is what the server or the system said at a step, with its code.
func replied(s event.Step) string {
	text := clean(s.Text)
	if s.Step == "lookup" {
		text = strings.Trim(text, "[]")
	}
	if s.Code != 0 && !strings.HasPrefix(text, fmt.Sprint(s.Code)) {
		text = strings.TrimSpace(fmt.Sprintf("%d %s", s.Code, text))
	}
	return text
}

// joined is the verdict on a step with what was said.
func joined(s event.Step) string {
	verdict, words := clean(s.Verdict), replied(s)
	switch {
	case verdict == "":
		return words
	case strings.Contains(verdict, words):
		return verdict
	}
	return verdict + " (" + words + ")"
}

// columns are where the parts of a step's line stand.
type columns struct{ w, step, target int }

// columns makes the targets' column as wide as they need and the screen allows;
// it begins so wide that it seldom grows while steps come.
func (k *walk) columns(w int) columns {
	least, most := 20, 24
	switch {
	case w < 76:
		least, most = 17, 22
	case w >= 100:
		most = 36
	}
	step := 6
	for _, s := range k.steps {
		least, step = max(least, width(clean(s.Target))), max(step, min(8, width(clean(s.Step))))
	}
	return columns{w, step, min(least, most)}
}

// head is a step's line without its words: mark, step, time, target. Where there
// is no target the words stand in its place, where there is no verdict yet no mark.
func (c columns) head(s event.Step) string {
	mark, ms := good.Render("ok"), fmt.Sprintf("%6.0f ms", s.MS)
	if !s.OK {
		mark = bad.Render("! ")
	}
	if s.Verdict+s.Text == "" && !s.OK {
		mark, ms = "  ", strings.Repeat(" ", len(ms))
	}
	h := fmt.Sprintf("  %s %s%s  ", mark, fit(clean(s.Step), c.step), ms)
	if s.Target != "" {
		h += fit(clean(s.Target), c.target) + "  "
	}
	return h
}

// room is how many columns a step's line has for its words.
func (c columns) room(s event.Step) int { return c.w - 1 - width(c.head(s)) }

// row is a step in one line. told: its words stand below; here only the server's,
// where they fit.
func (c columns) row(s event.Step, told bool) string {
	words, room := joined(s), c.room(s)
	switch {
	case told:
		if words = replied(s); width(words) > room || strings.Contains(s.Verdict, s.Text) {
			words = ""
		}
	case width(words) > room && s.Verdict != "":
		words = clean(s.Verdict)
	}
	return c.head(s) + cut(words, room)
}

// fieldOf is the field that a failed step speaks of.
func fieldOf(s event.Step, destinations func(i int) string) string {
	switch s.Step {
	case "lookup", "tcp", "ehlo":
		return "smtp.server"
	case "tls":
		if strings.Contains(s.Do, "pin") {
			return "smtp.pin"
		}
		return "smtp.security"
	case "config":
		if strings.Contains(s.Verdict, "CA file") {
			return "smtp.ca_file"
		}
		return "smtp.server"
	case "auth":
		return "smtp.username"
	case "mail":
		return "mail.reply_address"
	case "rcpt":
		for i := 1; i <= 3; i++ {
			if destinations(i) == s.Target {
				return fmt.Sprintf("mail.destinations.%d", i)
			}
		}
		return "mail.destinations.1"
	}
	return "smtp.server"
}
