package tui

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// Files is the disk of the box that the interface runs on.
type Files struct {
	Dir string // where a name without a folder goes
	// Save writes events into one new file, which stands under its name only when
	// it is whole, and ends soon after ctx does. Its errors are whole sentences;
	// os.ErrExist and others stay wrapped in them.
	Save func(ctx context.Context, x Export) (Saved, error)
}

// Export says what to write, and where to.
type Export struct {
	ID     string // one event; empty: all that Filter chooses
	Filter event.Filter
	To     string      // a name that ends in .zip or .tar, which is the format
	Wrote  func(n int) // is told of each n bytes that were written, in Save's goroutine
}

// Saved is what an export came to.
type Saved struct {
	Path           string // absolute
	Events, Images int
	Bytes          int64
	Left           string // a sentence: what is not in it; empty: all is
}

const (
	exportMost = 10_000          // events of one export; of more the box is better asked itself
	exportTell = 2 * time.Second // how often it is told how far an export is: a serial line is slow
)

// exporting is an export from the question where to, a line above the page, to its end.
type exporting struct {
	what  string // "25 images (920 kB)"
	x     Export
	files int   // in it, without those that come meanwhile
	bytes int64 // about
	to    line
	why   string // the last try with this name failed; empty: there was none

	cancel context.CancelFunc // nil until it is under way
	wrote  atomic.Int64       // bytes
	shown  int64              // of wrote, on the screen
}

type (
	exportTickMsg struct{ of *exporting }
	exportedMsg   struct {
		of    *exporting
		saved Saved
		err   error
	}
)

func (x *exporting) editing() bool { return x != nil && x.cancel == nil }
func (x *exporting) running() bool { return x != nil && x.cancel != nil }

// askExport asks where to export an event to.
func (p *eventsPage) askExport(a *app, e event.Stored) {
	what := fmt.Sprintf("%s (%s)", plural(len(e.Images), "image"), size(imageBytes(e)))
	if e.End.IsZero() {
		what += " so far"
	}
	switch {
	case a.files == nil:
		a.say = a.exportText(e)
	case p.export.running():
		a.say = "An export is under way; Esc gives it up."
	default:
		p.askWhere(what, Export{ID: e.ID}, len(e.Images)+1, imageBytes(e), e.ID)
	}
}

// askExportAll counts all that the filter chooses, then asks where to export it to.
func (p *eventsPage) askExportAll(a *app) tea.Cmd {
	switch {
	case a.files == nil:
		a.say = "On the box: watchpost events export" + p.filter.flags(a.clock()) + " events.tar"
	case p.export.running():
		a.say = "An export is under way; Esc gives it up."
	default:
		a.say = "Counting them."
		return a.countKept(p.filter.filter(a.clock()), forExport)
	}
	return nil
}

func (p *eventsPage) askExportCounted(a *app, f event.Filter, k event.Kept) {
	switch {
	case k.Events == 0:
		a.say = "There is no such event any more."
	case k.Events > exportMost:
		a.say = fmt.Sprintf("%d events: %d at most are exported here. f narrows them; on the box: watchpost events export%s events.tar",
			k.Events, exportMost, p.filter.flags(a.clock()))
	default:
		f.N = exportMost
		p.askWhere(keptText(event.Kept{Events: k.Events, Images: k.Images, Bytes: k.Bytes}), Export{Filter: f}, k.Events+k.Images, k.Bytes, "events-"+a.clock().Format("20060102T150405"))
	}
}

func (p *eventsPage) askWhere(what string, x Export, files int, bytes int64, name string) {
	ending := ".zip"
	if files > event.ZipFiles {
		ending = ".tar"
	}
	p.result = ""
	p.export = &exporting{what: what, x: x, files: files, bytes: bytes, to: newLine(name+ending, false)}
}

// flags are those of `watchpost events export` for what is chosen.
func (f *eventFilter) flags(now time.Time) (s string) {
	if f.trigger != "" {
		name := clean(f.trigger)
		if strings.ContainsFunc(name, func(r rune) bool {
			return !strings.ContainsRune("-_.", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}) {
			name = "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
		}
		s += " --trigger " + name
	}
	if !f.from.IsZero() {
		s += " --from " + f.from.Format(dayForm)
	}
	if to := f.to; !to.IsZero() {
		s += " --to " + to.Format(dayForm)
	} else if s == "" {
		s = " --to " + now.Format(dayForm)
	}
	return s
}

// format is what a name's ending says; "" where that is none.
func format(name string) string {
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".zip", ".tar":
		if base := path.Base(name); len(base) > len(ext) {
			return ext[1:]
		}
	}
	return ""
}

// verdict judges the name as it is typed.
func (x *exporting) verdict(dir string) (mark, text string) {
	to := x.to.String()
	switch form := format(to); {
	case x.why != "" && to == x.x.To:
		return "", x.why
	case form == "":
		return "!", "The name ends in .zip or .tar: Tab puts that there."
	case form == "zip" && x.files > event.ZipFiles:
		return "!", fmt.Sprintf("%d files are too many for a zip, which holds %d: Tab makes it a tar.", x.files, event.ZipFiles)
	default:
		text := x.what + " as a " + form
		if !path.IsAbs(to) && !strings.HasPrefix(to, "~/") {
			text += " in " + clean(dir)
		}
		other := "tar"
		if form == "tar" {
			other = "zip"
		}
		return "ok", text + ". Tab makes it a " + other + ", Enter saves it, Esc does not."
	}
}

// turnFormat goes from a zip to a tar, and back.
func (x *exporting) turnFormat() {
	to := x.to.String()
	switch format(to) {
	case "zip":
		to = to[:len(to)-len(".zip")] + ".tar"
	case "tar":
		to = to[:len(to)-len(".tar")] + ".zip"
	default:
		to = strings.TrimRight(to, ".") + ".zip"
	}
	x.to = newLine(to, false)
}

func (p *eventsPage) exportKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	x := p.export
	switch name := k.String(); {
	case key.Matches(k, keys.Leave):
		p.export = nil
	case key.Matches(k, keys.Enter):
		return p.startExport(a), true
	case name == "tab" || name == "shift+tab":
		x.turnFormat()
	case key.Matches(k, keys.Empty):
		x.to = newLine("", false)
	case k.Text != "" && !k.Mod.Contains(tea.ModAlt) && !k.Mod.Contains(tea.ModCtrl):
		if !x.to.insert(k.Text) {
			a.say = "This field is full."
		}
	case x.to.key(name), name == "up", name == "down", name == "pgup", name == "pgdown":
	default:
		return nil, false
	}
	return nil, true
}

func (p *eventsPage) startExport(a *app) tea.Cmd {
	x := p.export
	mark, text := x.verdict(a.files.Dir)
	if mark == "!" {
		a.say = text
		return nil
	}
	ctx, cancel := context.WithCancel(a.ctx)
	x.cancel, x.shown = cancel, 0
	x.wrote.Store(0)
	x.x.To = x.to.String()
	x.x.Wrote = func(n int) { x.wrote.Add(int64(n)) }
	what, save := x.x, a.files.Save
	return tea.Batch(x.tick(), func() tea.Msg {
		defer cancel()
		saved, err := save(ctx, what)
		return exportedMsg{x, saved, err}
	})
}

func (x *exporting) tick() tea.Cmd {
	return tea.Tick(exportTell, func(time.Time) tea.Msg { return exportTickMsg{x} })
}

// exported takes how far an export is, and what it came to.
func (p *eventsPage) exported(a *app, msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case exportTickMsg:
		if m.of == p.export && p.export.running() {
			m.of.shown = m.of.wrote.Load()
			return m.of.tick()
		}
	case exportedMsg:
		if m.of != p.export {
			return nil
		}
		p.export = nil
		switch {
		case errors.Is(m.err, context.Canceled):
			p.result = "The export was given up; nothing of it was left."
		case m.err != nil:
			p.result = "Nothing was exported: " + because(m.err)
			if a.idle(eventsAt) { // the name is mostly what is to be changed
				p.export, m.of.cancel = m.of, nil
				m.of.why, p.result = p.result, ""
			}
		default:
			p.result = m.saved.text(m.of.x.ID != "")
		}
		if p.result != "" && (a.at != eventsAt || p.focused()) {
			a.say = p.result
		}
	}
	return nil
}

// text tells what was saved.
func (s Saved) text(one bool) string {
	what := plural(s.Images, "image")
	if !one {
		what = plural(s.Events, "event") + ", " + what
	}
	text := fmt.Sprintf("Saved %s, %s: %s", what, size(s.Bytes), clean(s.Path))
	if s.Left != "" {
		text += ". " + clean(s.Left)
	}
	return text
}

// progress tells how far it is.
func (x *exporting) progress() string {
	return fmt.Sprintf("Saving %s: %s of about %s. Esc gives it up.", clean(path.Base(x.x.To)), size(x.shown), size(max(x.bytes, x.shown)))
}

// bar draws the line, and a gap.
func (x *exporting) bar(a *app, w int) ([]string, *tea.Position) {
	head := " " + mark(true) + "Save as "
	text, at := x.to.view(w - width(head) - 5)
	sign, _ := x.verdict(a.files.Dir)
	return []string{cut(head+text+" "+sign, w-1), ""}, &tea.Position{X: width(head) + at, Y: 0}
}

func (x *exporting) bindings() []key.Binding {
	return []key.Binding{bind("enter", "save", "enter"), bind("tab", "zip or tar", "tab"), bind("esc", "do not", "esc"), keys.Empty}
}
