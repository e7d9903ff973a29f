package tui

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// cameraPage edits where the images come from, tells what the camera delivers and,
// where somebody asks for it, shows it.
type cameraPage struct {
	*settings
	live  live
	walk  walkTest
	zones *zoneEdit // nil: none are drawn
}

func newCameraPage(a *app) *cameraPage {
	p := &cameraPage{settings: newSettings(a, cameraAt, cameraFields)}
	p.empties = func(k string) string {
		if k == "camera.source" {
			return firstCamera(a)
		}
		return ""
	}
	p.judges = (*app).cameraVerdict
	p.says = func(k string) string {
		if k == "camera.buffer" {
			return a.bufferSays()
		}
		return ""
	}
	return p
}

// firstCamera is what an empty source stands for.
func firstCamera(a *app) string {
	if s := a.foundCamera(); s != "" {
		return s + ", the first one found"
	}
	return "the first camera found"
}

// foundCamera is the camera that the engine found by itself; empty: it was told, or found none.
func (a *app) foundCamera() string {
	if a.settings.Config.Camera.Source != "" {
		return ""
	}
	return clean(a.status.Camera.Source)
}

// cameraVerdict is the draft's; where no source is typed it offers the one found.
func (a *app) cameraVerdict(k string) config.Verdict {
	v := a.verdict(k)
	if k == "camera.source" && v.Level == config.Empty && a.foundCamera() != "" && !a.draft.Changed(k) {
		v.Short, v.Fix = "^f: the one found", a.foundCamera()
		v.Text = "The first camera found is used: " + v.Fix + ". Name it, so that no other one takes its place."
	}
	if k == "camera.buffer" && v.Level <= config.OK {
		n, s := a.bufferHolds()
		if v.Short = fmt.Sprintf("%s, %d s", plural(n, "image"), s); len(v.Short) > 20 {
			v.Short = fmt.Sprintf("%d images", n)
		}
	}
	return v
}

// bufferSays tells how much the image buffer as typed holds.
func (a *app) bufferSays() string {
	field, _ := config.Lookup("camera.buffer")
	n, s := a.bufferHolds()
	return fmt.Sprintf("%s It holds about %s, the last %d s.", field.Help, plural(n, "image"), s)
}

// bufferHolds is about how many images the image buffer as typed holds, and for how
// many seconds: by what it holds now where the pictures stay as large as they are,
// else by experience.
func (a *app) bufferHolds() (images, seconds int) {
	c, now, b := a.drafted(), a.settings.Config.Camera, a.status.Buffer
	quality, every := 1, 1/float64(max(1, c.Camera.FPS)) // seconds
	for i, t := range c.Triggers {
		quality = max(quality, t.Quality)
		if s := t.Interval.Seconds(); i == 0 || s < every {
			every = s
		}
	}
	if len(c.Triggers) == 0 {
		quality = 80
	}
	n := float64(config.ImagesHeld(c.Camera, quality))
	if b.Fit > 0 && b.MaxBytes > 0 && c.Camera.Width == now.Width && c.Camera.Height == now.Height {
		n = float64(b.Fit) * float64(c.Camera.Buffer) / float64(b.MaxBytes)
		every = b.Seconds / float64(b.Fit)
	}
	return int(min(n, 99_999)), int(min(n*every, 99_999) + 0.5)
}

func (p *cameraPage) hint(a *app) string {
	switch {
	case p.goesOn(a):
		return p.zonesHint(a)
	case p.walk.on:
		return p.walkHint(a)
	case p.live.on:
		return p.settings.hint(a, p.liveHint(a))
	}
	return p.settings.hint(a, "Tab or Enter enters the first field; v shows what the camera sees; z draws zones; in a walk test (b) a bell rings as an event starts.")
}

func (p *cameraPage) body(a *app, w, h int) ([]string, *tea.Position) {
	if p.goesOn(a) {
		return p.zonesBody(a, w, h), nil
	}
	if p.walk.on && (!p.live.on || p.live.still || p.live.begins() || p.live.why != "") {
		return p.walks(a, w, h), nil
	}
	if p.live.on && !p.live.begins() {
		return p.shows(a, w, h), nil
	}
	c := a.status.Camera
	picture, rate := "not known yet", fmt.Sprintf("%.0f frames a second", a.pages[statusAt].(*statusPage).fps)
	if c.Width > 0 {
		picture = fmt.Sprintf("%d x %d pixels", c.Width, c.Height)
	}
	source := clean(c.Source)
	if source == "" {
		source = "none yet"
	}
	state := string(c.State)
	if a.status.Privacy.On {
		state = "closed: privacy mode"
	}
	tail := pairs(w,
		"State", state,
		"In use", source,
		"Picture", picture,
		"In the buffer", bufferText(a.status.Buffer),
		"Rate", rate,
		"Dropped", fmt.Sprintf("%s frames, replaced by a newer one before detection saw them", count(c.Dropped)),
	)
	short := pairs(w, "State", state+", "+picture+", "+rate)
	if c.Problem != "" {
		problem := problemLines(clean(c.Problem), w, 3)
		tail = append(append(tail, ""), problem...)
		short = append(short, problem...)
	}
	return p.draws(a, w, h, tail, short[:min(len(short), 3)])
}

// How the live view is paced. A picture is asked for when the last one has been drawn:
// the terminal is asked what it is (DA1), and answers that behind all that was sent
// before. How long that takes beside how much was sent is what the line carries.
const (
	liveEvery  = 250 * time.Millisecond // at the soonest
	liveRetry  = 2 * time.Second        // while there is no picture
	liveAnswer = 10 * time.Second       // for so long the terminal may be drawing
	liveSample = 600                    // bytes from which on the rate is worth something; below, a busy box looks like a slow line
	liveStill  = 1200                   // bytes a second below which a picture comes on demand: 9600 baud has 960
	liveBusy   = 250 * time.Millisecond // for so long a line may be busy with a picture, that 2 a second fit
	liveLittle = 100                    // bytes that no line is busy with, and that tell nothing of it
	liveLate   = 3                      // pictures in a row that kept it busy for longer: colours or size are lowered
)

// sizes are how large a picture is beside the room for it.
var sizes = [...]float64{1, 0.7, 0.5}

// live is the live view. It is off until somebody asks for it.
type live struct {
	on, busy bool // busy: a picture is asked for or being drawn, or will be
	still    bool // the line is slow: a picture on demand
	at, top  int  // place in what the terminal can show: now, and the best that the line carries; this stays until the view is opened again
	size     int  // place in sizes
	fresh    bool // what is being drawn is a whole picture
	late     int  // pictures in a row that took too long
	run      int
	view     event.View
	why      string // there is none, in words; both empty: none yet
	pic      picture

	from   time.Time // when drawing began, and what the line had taken then
	taken  int64
	asking int // the question that the terminal has not answered; 0: none
	asked  int
	base   time.Duration // the soonest answer, and the bytes before it
	with   int64
}

// viewTickMsg ends a wait of a live view.
type viewTickMsg struct {
	run int
	to  int // what is next
	n   int // which question
}

const (
	toAsk  = iota // ask the terminal whether it has drawn
	toGive        // give up waiting for the answer
	toLook        // ask for a picture
)

func (l *live) tick(d time.Duration, to int) tea.Cmd {
	m := viewTickMsg{l.run, to, l.asked}
	return tea.Tick(d, func(time.Time) tea.Msg { return m })
}

func (l *live) begin(a *app) tea.Cmd {
	*l = live{on: true, run: l.run + 1, top: len(a.paints) - 1}
	return l.draws(a) // other keys in the key line: how soon a terminal answers that has little to draw
}

// begins reports whether nothing is known yet of camera and line: what was on the
// page stays until it is.
func (l *live) begins() bool { return len(l.view.Luma) == 0 && l.why == "" && !l.still }

// paint is how the picture is shown.
func (l *live) paint(a *app) paint {
	how := a.paints[min(l.at, len(a.paints)-1)]
	switch {
	case paintings[how].hue == 0 || coloured(l.view):
		return how
	case how == in16: // four greys tell less than ten characters
		return inASCII
	}
	return inGreys
}

func (l *live) end() { *l = live{run: l.run} }

// draws lets what Update has changed be drawn, and then asks the terminal.
func (l *live) draws(a *app) tea.Cmd {
	l.busy, l.from, l.taken = true, a.elapsed(), a.wrote()
	return l.tick(a.flush+10*time.Millisecond, toAsk)
}

func (l *live) update(a *app, msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case viewMsg:
		if m.run != l.run || !l.on {
			return nil
		}
		l.fresh = len(l.view.Luma) == 0
		l.why, l.view = "", m.view
		if m.err == nil && !viewOK(m.view) {
			m.err = errors.New("the service's picture cannot be read; is it of another version?")
		}
		if m.err != nil {
			l.view, l.why, l.pic = event.View{}, because(m.err), picture{}
			return l.tick(liveRetry, toLook)
		}
		return l.draws(a)
	case viewTickMsg:
		if m.run != l.run || !l.on {
			return nil
		}
		switch m.to {
		case toAsk:
			l.asked++
			l.asking = l.asked
			return tea.Batch(tea.Raw(ansi.RequestPrimaryDeviceAttributes), l.tick(liveAnswer, toGive))
		case toGive:
			if m.n == l.asking { // stalled, or it does not answer such questions
				l.asking, l.busy, l.still = 0, false, true
			}
		case toLook:
			if a.helping || a.qu != nil { // nobody sees it
				return l.tick(2*liveEvery, toLook)
			}
			return a.calls.view(l.run)
		}
	case uv.PrimaryDeviceAttributesEvent:
		if l.on && l.asking > 0 {
			return l.drawn(a, a.elapsed().Sub(l.from), a.wrote()-l.taken)
		}
	}
	return nil
}

// drawn is called when the terminal has drawn n bytes, after d. The line is left
// alone for as long as that took, so that keys find it free.
func (l *live) drawn(a *app, d time.Duration, n int64) tea.Cmd {
	l.asking = 0
	first, at, size, fresh := l.base == 0, l.at, l.size, l.fresh
	more, rest := n-l.with, d-l.base // the line rests for as long as it was busy
	if !first && !fresh && more >= liveLittle && rest-a.flush > liveBusy {
		l.late++
	} else {
		l.late = 0
	}
	l.fresh = false
	if !first && more >= liveLittle {
		rate := func(d time.Duration) float64 { return float64(more) / max(d, 10*time.Millisecond).Seconds() }
		least, most := rate(rest), rate(rest-a.flush) // the renderer's clock makes it uncertain
		if more >= liveSample {                       // that a line is fast shows in less
			l.still = most < liveStill
		}
		for more >= 5*liveSample && l.at > 0 && most < paintings[a.paints[l.at]].least {
			l.lower()
		}
		for i := l.at + 1; i <= l.top && l.size == 0; i++ {
			if p := paintings[a.paints[i]]; least >= p.tries && (p.hue == 0 || coloured(l.view)) {
				l.at = i
			}
		}
	}
	if first || more < liveSample && d < l.base {
		l.base, l.with = max(d, 1), n
	}
	if l.late >= liveLate {
		l.lower()
	}
	switch {
	case l.at != at || l.size != size: // the same picture in another way, to be measured too
		l.fresh = true
		return l.draws(a)
	case l.still && !first:
		l.busy = false
		return nil
	}
	return l.tick(max(liveEvery-d, rest), toLook)
}

// lower shows less: fewer colours, then a smaller picture.
func (l *live) lower() {
	if l.late = 0; l.at > 0 {
		l.at--
		l.top = l.at
		return
	}
	l.size = min(l.size+1, len(sizes)-1)
}

// end ends all that is shown over the fields.
func (p *cameraPage) end() {
	p.live.end()
	p.walk, p.zones = walkTest{}, nil
}

func (p *cameraPage) opened(*app) tea.Cmd { return nil }

func (p *cameraPage) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	l := &p.live
	if p.goesOn(a) {
		if cmd, ok := p.zonesKey(a, k); ok || p.zones != nil {
			return cmd, ok
		}
	}
	switch {
	case key.Matches(k, keys.Zones):
		return p.openZones(a), true
	case key.Matches(k, keys.Walk), p.walk.on && key.Matches(k, keys.Leave):
		return p.walkKey(a), true
	case p.walk.on && key.Matches(k, keys.Mute):
		p.walk.mute = !p.walk.mute
	case p.walk.on && key.Matches(k, keys.LiveNew) && l.still:
		a.say = "This line is too slow for a picture during the walk test: b ends it, v shows one."
	case l.on && key.Matches(k, keys.LiveEnd):
		l.end()
	case key.Matches(k, keys.Live):
		return l.begin(a), true
	case l.on && key.Matches(k, keys.LiveNew) && l.busy:
		a.say = "A picture is on its way; it is renewed by itself as fast as this line can."
	case l.on && key.Matches(k, keys.LiveNew):
		l.busy = true
		return a.calls.view(l.run), true
	default:
		cmd, ok := p.settings.key(a, k)
		if p.focused() {
			p.end()
		}
		return cmd, ok
	}
	return nil, true
}

func (p *cameraPage) bindings(a *app) []key.Binding {
	switch {
	case p.focused():
		return p.settings.bindings(a)
	case p.goesOn(a):
		return p.zonesBindings(a)
	case p.walk.on:
		mute := keys.Mute
		if p.walk.mute {
			mute.SetHelp("m", "bell on")
		}
		return []key.Binding{bind("b", "end walk test"), mute, bind("v", "picture on/off"), keys.Privacy, keys.Quit}
	case p.live.on:
		return []key.Binding{keys.LiveEnd, keys.LiveNew, keys.Walk, keys.Zones, bind("tab", "fields"), keys.Privacy, keys.Quit}
	}
	return append([]key.Binding{bind("tab", "fields"), keys.Live, keys.Walk, keys.Zones}, p.settings.bindings(a)[1:]...)
}

// shows draws the live view: the picture, and below it what each motion trigger makes of it.
func (p *cameraPage) shows(a *app, w, h int) []string {
	l := &p.live
	if a.status.Privacy.On { // what was seen before is not shown either
		l.view, l.pic = event.View{}, picture{}
	}
	switch {
	case a.status.Privacy.On && l.why == "":
		return []string{"", "  There is no picture: privacy mode is on."}
	case l.why != "":
		return append([]string{""}, place(strings.ToUpper(l.why[:1])+l.why[1:]+" The view goes on when there is one.", w, 4)...)
	case len(l.view.Luma) == 0:
		if l.busy {
			return []string{"", "  Waiting for a picture."}
		}
		return []string{"", "  Space takes a picture."}
	}
	seen := levels(l.view.Seen, p.walk.starts, w, max(1, h-4))
	room := func(n int) int { return max(1, int(float64(n)*sizes[l.size])) }
	lines := l.pic.draw(l.view, room(w-4), room(h-len(seen)), l.paint(a), moves)
	out := make([]string, 0, h)
	for _, s := range lines {
		out = append(out, "  "+s)
	}
	return append(out, seen...)
}

func (p *cameraPage) liveHint(a *app) string {
	l := &p.live
	text := "M is what moves, in the corners around it."
	switch {
	case l.begins():
		return "Waiting for a picture. v or Esc ends the live view."
	case len(l.view.Luma) == 0:
		return "v or Esc ends the live view."
	case len(l.view.Seen) == 0:
		text = "No trigger watches for motion: 3 opens the Triggers page, where a adds one."
	}
	if l.still {
		return text + " The line is slow: this is the picture of " + l.view.At.In(a.clock().Location()).Format("15:04:05") + ", space takes a new one."
	}
	return text + " v or Esc ends the live view."
}
