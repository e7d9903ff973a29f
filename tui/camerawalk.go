package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// bellEvery is how often the bell rings at most.
const bellEvery = time.Second

// slowFlush is from which interval of drawing on a line is known to be slow (9600 baud
// is drawn to five times a second): the walk test begins without a picture there.
const slowFlush = 200 * time.Millisecond

// walkTest is for somebody who walks before the camera while the screen is out of
// sight: each trigger's level against its threshold, and a bell as an event starts. It
// lives on what the engine tells anyway, so that it needs no picture and no fast line.
type walkTest struct {
	on, mute bool
	starts   map[string]int // events begun since it is on, by trigger
	last     event.Firing   // the newest of them
	rang     time.Time      // by the measuring clock
}

// fired takes a firing, and rings the bell where it started an event.
func (w *walkTest) fired(a *app, f event.Firing) tea.Cmd {
	if !w.on || f.Disposition == event.Extended || f.Source == event.Manual {
		return nil
	}
	w.starts[f.Trigger]++
	w.last = f
	if now := a.elapsed(); !w.mute && (w.rang.IsZero() || now.Sub(w.rang) >= bellEvery) {
		w.rang = now
		return tea.Raw("\a")
	}
	return nil
}

// walkKey begins and ends the walk test.
func (p *cameraPage) walkKey(a *app) tea.Cmd {
	if p.walk.on {
		p.walk = walkTest{}
		p.live.end()
		return nil
	}
	p.walk = walkTest{on: true, starts: map[string]int{}}
	if p.live.on || a.flush >= slowFlush {
		return nil
	}
	return p.live.begin(a)
}

// walks draws the walk test without a picture.
func (p *cameraPage) walks(a *app, w, h int) []string {
	bell := "the bell rings as an event starts"
	if p.walk.mute {
		bell = "the bell is off"
	}
	lines := []string{"", "  " + accent.Render("Walk test") + ": " + bell, ""}
	var seen []event.Seen
	for _, t := range a.status.Triggers {
		if t.Source != event.Motion {
			continue
		}
		s := event.Seen{Trigger: t.Name, Level: t.Level, Fires: t.Fires, Active: t.Fires > 0 && t.Level >= t.Fires}
		if t.State != event.StateWarming {
			s.Moving = []byte{0}
		}
		seen = append(seen, s)
	}
	if len(seen) == 0 {
		lines = append(lines, "  No trigger watches for motion: 3 opens the Triggers page, where a adds one.")
	}
	return append(lines, levels(seen, p.walk.starts, w, max(1, h-len(lines)))...)
}

func (p *cameraPage) walkHint(a *app) string {
	w := &p.walk
	text := "Walk through the scene: the bell rings as an event starts."
	if w.mute {
		text = "Walk through the scene: the bell is off, m switches it on."
	}
	if w.last.Trigger != "" {
		n := 0
		for _, k := range w.starts {
			n += k
		}
		text = fmt.Sprintf("%s started at %s; %s so far.", clean(w.last.Trigger), w.last.At.In(a.clock().Location()).Format("15:04:05"), plural(n, "event"))
	}
	if a.status.Privacy.On {
		text = "Privacy mode is on: nothing starts an event. P switches it off."
	}
	return text + " Mails go out meanwhile as always. b or Esc ends the test."
}

// started says how many events a trigger has started: "  2 events".
func started(starts map[string]int, s event.Seen) string {
	if starts == nil || s.Second {
		return ""
	}
	if n := starts[s.Trigger]; n > 0 {
		return "  " + strong.Render(strings.TrimSpace(plural(min(n, 999), "event")))
	}
	return ""
}
