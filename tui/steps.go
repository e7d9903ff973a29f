package tui

import (
	"context"
	"fmt"
	"strings"

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
	over   bool
	ok     bool
	end    string // how it ended
}

// failed is the first step that failed, or nil. An address that did not answer
// is none where another one of the server did.
func (w *walk) failed() *event.Step {
	var f *event.Step
	for i := range w.steps {
		switch s := &w.steps[i]; {
		case !s.OK && f == nil:
			f = s
		case s.OK && s.Step == "tcp" && f != nil && f.Step == "tcp":
			f = nil
		}
	}
	return f
}

// stop ends a diagnosis that runs.
func (w *walk) stop() {
	if w.cancel != nil {
		w.cancel()
	}
}

// lines draws at most h lines: the title, the steps, how it ended. The newest
// steps are shown where not all fit.
func (k *walk) lines(w, h int) []string {
	tail := k.ending(w)
	room := max(0, h-1-len(tail))
	var steps []string
	for i := range k.steps {
		s := &k.steps[i]
		steps = append(steps, stepLines(*s, w, k.over && !k.ok && s == k.failed())...)
	}
	steps = steps[max(0, len(steps)-room):]
	out := append([]string{"  " + accent.Render(cut(k.title, w-4))}, steps...)
	if len(steps) < room {
		out = append(out, "")
	}
	out = append(out, tail...)
	return out[:min(h, len(out))]
}

// ending is what the walk came to, behind a mark, or what it waits for.
func (k *walk) ending(w int) []string {
	texts := []string{k.end}
	mark := "  "
	switch f := k.failed(); {
	case !k.over && k.end == "":
		texts[0] = "waiting for the next step"
	case !k.over:
	case k.ok:
		mark = good.Render("ok")
	case f != nil:
		mark = bad.Render("! ")
		texts = []string{clean(f.Verdict), clean(f.Do), k.end}
	default:
		mark = bad.Render("! ")
	}
	var out []string
	for _, t := range texts {
		for _, l := range wrap(t, w-7, 3) {
			out = append(out, "  "+mark+" "+l)
			mark = "  "
		}
	}
	return out
}

// stepLines: mark, step, time, target, the words, which stand below where they
// are long. told: the verdict stands at the end of the panel.
func stepLines(s event.Step, w int, told bool) []string {
	mark := good.Render("ok")
	if !s.OK {
		mark = bad.Render("! ")
	}
	words := s.Text
	switch {
	case told && strings.Contains(s.Verdict, s.Text):
		words = ""
	case words == "" || s.OK && s.Verdict != "" && s.Code == 0:
		words = s.Verdict
	}
	if s.Code != 0 && !strings.HasPrefix(words, fmt.Sprint(s.Code)) {
		words = strings.TrimSpace(fmt.Sprintf("%d %s", s.Code, words))
	}
	target := 24
	if w >= 100 {
		target = 36
	}
	head := fmt.Sprintf("  %s %s%6.0f ms  %s  ", mark, fit(clean(s.Step), 6), s.MS, fit(clean(s.Target), target))
	return beside(head, clean(words), 5, w-1, 3)
}

// fieldOf is the field that a failed step speaks of.
func fieldOf(s event.Step, destinations func(i int) string) string {
	switch s.Step {
	case "lookup", "tcp", "ehlo":
		return "smtp.server"
	case "tls":
		return "smtp.security"
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
