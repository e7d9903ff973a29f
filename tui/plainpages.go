package tui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/event"
)

// later is what pages that are not whole yet say of themselves: what is coming,
// and how it is done until then.
var later = map[int]string{
	cameraAt: "Picture, zones, walk test come later. Until then: watchpost set camera.KEY.",
	systemAt: "Settings come here later. Until then: watchpost set KEY VALUE, or the file.",
}

// account shows where every firing went.
func account(c event.Account, w int) []string {
	var lines []string
	l := fmt.Sprintf("  fired %d =", c.Fired)
	for i, x := range []struct {
		what string
		n    uint64
	}{{"mailed", c.Mailed}, {"summarised", c.Summarised}, {"queued", c.Queued}, {"held", c.Held}, {"dropped", c.Dropped},
		{"outside", c.Outside}, {"extended", c.Extended}, {"silent", c.Silent}} {
		if x.n == 0 && i > 0 { // it adds up without
			continue
		}
		term := fmt.Sprintf(" %s %d", x.what, x.n)
		if i > 0 {
			term = " +" + term
		}
		if width(l+term) > w-2 {
			lines, l = append(lines, l), strings.Repeat(" ", 7)
		}
		l += term
	}
	lines = append(lines, l)
	var reasons []string
	for r, n := range c.SilentReasons {
		if n > 0 {
			reasons = append(reasons, fmt.Sprintf("%s %d", strings.ReplaceAll(clean(string(r)), "_", " "), n))
		}
	}
	slices.Sort(reasons)
	if len(reasons) > 0 {
		lines = append(lines, hang("  silent: ", strings.Join(reasons, ", "), w-1, 2)...)
	}
	if !c.Balanced() {
		lines = append(lines, "  "+bad.Render("!")+" The account does not add up. Please report this.")
	}
	return lines
}

// bufferText says how much the image buffer holds.
func bufferText(b event.Buffer) string {
	if b.Fit == 0 {
		return size(b.MaxBytes) + ", no image yet"
	}
	return fmt.Sprintf("%s, about %s fit: the last %.0f s", size(b.MaxBytes), plural(b.Fit, "image"), b.Seconds)
}

// cameraPage tells what the camera delivers.
type cameraPage struct{}

func (*cameraPage) opened(*app) tea.Cmd { return nil }

func (*cameraPage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) { return nil, noField(a, k) }

func (*cameraPage) bindings(*app) []key.Binding { return []key.Binding{keys.Quit} }
func (*cameraPage) hint(*app) string            { return later[cameraAt] }

func (*cameraPage) body(a *app, w, h int) ([]string, *tea.Position) {
	c := a.status.Camera
	picture := "not known yet"
	if c.Width > 0 {
		picture = fmt.Sprintf("%d x %d pixels", c.Width, c.Height)
	}
	source := clean(c.Source)
	if source == "" {
		source = "none configured"
	}
	lines := append([]string{""}, pairs(w,
		"State", string(c.State),
		"Source", source,
		"Picture", picture,
		"Image buffer", bufferText(a.status.Buffer),
		"Rate", fmt.Sprintf("%.0f frames a second", a.pages[statusAt].(*statusPage).fps),
		"Dropped", fmt.Sprintf("%s frames, replaced by a newer one before detection saw them", count(c.Dropped)),
	)...)
	if c.Problem != "" {
		lines = append(lines, "")
		lines = append(lines, place(clean(c.Problem), w, 3)...)
	}
	return lines[:min(h, len(lines))], nil
}

// pairs draws names with their values, which go on below where they are long.
func pairs(w int, nameValue ...string) []string {
	var lines []string
	for i := 0; i+1 < len(nameValue); i += 2 {
		lines = append(lines, hang("  "+fit(nameValue[i], 16), nameValue[i+1], w-1, 3)...)
	}
	return lines
}

// systemPage tells what runs and from which files, and every problem.
type systemPage struct{ list }

func (*systemPage) opened(*app) tea.Cmd { return nil }

func (p *systemPage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	if n := len(problems(a.status)); n > 1 && p.list.key(k, n, 5) {
		return nil, true
	}
	return nil, noField(a, k)
}

func (*systemPage) bindings(a *app) []key.Binding {
	if len(problems(a.status)) > 0 {
		return []key.Binding{bind("up/down", "problems"), keys.Quit}
	}
	return []key.Binding{keys.Quit}
}

func (*systemPage) hint(*app) string { return later[systemAt] }

func (p *systemPage) body(a *app, w, h int) ([]string, *tea.Position) {
	s := a.status
	path := a.settings.Path
	if path == "" {
		path = "none: nothing is kept"
	}
	runs := map[string]string{"service": "as a service; this screen is attached to it", "terminal": "in this terminal", "demo": "demo: " + s.Demo}[s.Mode]
	if a.attached && s.Mode == "terminal" {
		runs = "in another terminal; this screen is attached to it"
	}
	lines := append([]string{""}, pairs(w,
		"Version", clean(s.Version),
		"Runs", clean(runs),
		"Configuration", clean(path),
		"Revision", clean(s.Revision),
		"Store", clean(s.Storage.Directory),
		"Clock", a.clock().Format("2 Jan 2006 15:04")+"  "+clean(s.Clock.Zone),
	)...)
	lines = append(lines, "")
	ps := problems(s)
	if len(ps) == 0 {
		lines = append(lines, pairs(w, "Problems", "none")...)
		return lines[:min(h, len(lines))], nil
	}
	lines = append(lines, pairs(w, "Problems", fmt.Sprint(len(ps)))...)
	from, _ := p.window(len(ps), 1)
	for _, problem := range ps[from:] {
		for i, l := range place(problem, w-2, 6) {
			mark := "  "
			if i == 0 {
				mark = bad.Render(" !")
			}
			lines = append(lines, mark+l)
		}
	}
	return lines[:min(h, len(lines))], nil
}
