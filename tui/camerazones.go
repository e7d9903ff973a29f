package tui

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// What bounds the zones that are drawn: as the field table has it.
const (
	mostZones  = 16 // of each kind
	leastZone  = 1  // percent a side
	mostBefore = 100
)

// zoneEdit draws the zones of a motion trigger over the picture. They live in the
// draft, in the fields that the trigger's form has, and are judged and saved with it.
type zoneEdit struct {
	name       string // of the trigger
	at         int    // which zone: those that count, then the excluded ones
	lower      bool   // the lower right corner is moved, else the upper left one
	before     [][2]string
	cols, rows int // cells of the picture
}

// zoned is a zone, and whether motion counts in it or not.
type zoned struct {
	config.Zone
	out bool
}

func (z *zoneEdit) keys() (zones, exclude string) {
	return triggersKey + "." + z.name + ".zones", triggersKey + "." + z.name + ".exclude"
}

// motionTriggers are those whose zones can be drawn.
func (a *app) motionTriggers() (names []string) {
	if a.draft == nil {
		return nil
	}
	for _, t := range a.settings.Config.Triggers {
		if a.draft.Raw(triggersKey+"."+t.Name+".source") == string(event.Motion) {
			names = append(names, t.Name)
		}
	}
	return names
}

// zones are those of the draft.
func (z *zoneEdit) zones(a *app) (all []zoned) {
	i := a.item(triggersKey, z.name)
	c := a.drafted()
	if i < 0 || i >= len(c.Triggers) {
		return nil
	}
	for _, o := range c.Triggers[i].Zones {
		all = append(all, zoned{o, false})
	}
	for _, o := range c.Triggers[i].Exclude {
		all = append(all, zoned{o, true})
	}
	z.at = max(0, min(z.at, len(all)-1))
	return all
}

// put brings zones into the draft.
func (z *zoneEdit) put(a *app, all []zoned) {
	var in, out []string
	for _, o := range all {
		var four []string
		for _, f := range []float64{o.X, o.Y, o.W, o.H} {
			four = append(four, strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64))
		}
		if text := strings.Join(four, ", "); o.out {
			out = append(out, text)
		} else {
			in = append(in, text)
		}
	}
	kIn, kOut := z.keys()
	z.before = append(z.before, [2]string{a.draft.Raw(kIn), a.draft.Raw(kOut)})
	z.before = z.before[max(0, len(z.before)-mostBefore):]
	z.set(a, [2]string{strings.Join(in, "; "), strings.Join(out, "; ")})
}

// set changes the two fields. On the Triggers page a visit is one step of undo, as it
// is of any field.
func (z *zoneEdit) set(a *app, to [2]string) {
	m := a.mailPage()
	kIn, kOut := z.keys()
	for i, k := range []string{kIn, kOut} {
		again := slices.ContainsFunc(m.undo, func(u undoStep) bool { return u.key == k })
		m.set(a, k, held{raw: to[i]}, again)
	}
	a.reloadOthers()
}

// takeBack takes back the last change of this visit.
func (z *zoneEdit) takeBack(a *app) tea.Cmd {
	n := len(z.before)
	if n == 0 {
		a.say = "Nothing to undo since the zones were opened."
		return nil
	}
	z.set(a, z.before[n-1])
	z.before = z.before[:n-1]
	return nil
}

// openZones begins to draw the zones of the first motion trigger.
func (p *cameraPage) openZones(a *app) tea.Cmd {
	names := a.motionTriggers()
	switch {
	case a.draft == nil:
		a.say = "The configuration is not known yet: the engine has not answered."
	case len(names) == 0:
		a.say = "No trigger watches for motion: 3 opens the Triggers page, where a adds one."
	default:
		i := slices.IndexFunc(names, func(n string) bool { return !wrongZones(a, n) })
		if i < 0 {
			a.say = "The zones of " + clean(names[0]) + " are typed wrongly on the Triggers page: put them right there first."
			return nil
		}
		p.walk = walkTest{}
		p.zones = &zoneEdit{name: names[i], lower: true}
		if !p.live.on {
			return p.live.begin(a)
		}
	}
	return nil
}

// wrongZones reports whether a trigger's fields cannot be drawn as they are typed.
func wrongZones(a *app, name string) bool {
	kIn, kOut := (&zoneEdit{name: name}).keys()
	return a.draft.Verdict(kIn).Blocks() || a.draft.Verdict(kOut).Blocks()
}

// goesOn closes the zones where there is nothing to draw any more: the trigger is gone,
// or its fields were changed to what cannot be drawn.
func (p *cameraPage) goesOn(a *app) bool {
	if z := p.zones; z != nil && (!slices.Contains(a.motionTriggers(), z.name) || wrongZones(a, z.name)) {
		p.zones = nil
	}
	return p.zones != nil
}

// zonesKey takes a key while zones are drawn; false: it is the app's.
func (p *cameraPage) zonesKey(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	z := p.zones
	all := z.zones(a)
	if len(all) == 0 {
		p.zones = nil
		return nil, false
	}
	now := &all[z.at]
	count := func(out bool) (n int) {
		for _, o := range all {
			if o.out == out {
				n++
			}
		}
		return n
	}
	dx, dy := z.step(k.String())
	switch {
	case dx != 0 || dy != 0:
		if !now.move(z.lower, dx, dy) {
			a.say = "The corner cannot go further: a zone stays in the picture and keeps its corners apart."
			return nil, true
		}
		z.put(a, all)
	case key.Matches(k, keys.Corner):
		z.lower = !z.lower
	case key.Matches(k, keys.Next):
		z.at = (z.at + 1) % len(all)
	case key.Matches(k, keys.Prev):
		z.at = (z.at + len(all) - 1) % len(all)
	case key.Matches(k, keys.NextTrigger):
		names := a.motionTriggers()
		next := names[(slices.Index(names, z.name)+1)%len(names)]
		switch {
		case len(names) == 1:
			a.say = "There is one motion trigger only."
		case wrongZones(a, next):
			a.say = "The zones of " + clean(next) + " are typed wrongly on the Triggers page: put them right there first."
		default:
			p.zones = &zoneEdit{name: next, lower: true, cols: z.cols, rows: z.rows}
		}
	case key.Matches(k, keys.AddZone):
		if count(false) >= mostZones {
			a.say = fmt.Sprintf("There are %d zones already: more cannot be set.", mostZones)
			break
		}
		z.at, z.lower = count(false), true
		z.put(a, slices.Insert(all, z.at, zoned{Zone: config.Zone{X: 35, Y: 35, W: 30, H: 30}}))
	case key.Matches(k, keys.Delete):
		if !now.out && count(false) == 1 {
			a.say = "One zone in which motion counts must stay: a adds another one first."
			break
		}
		z.put(a, slices.Delete(all, z.at, z.at+1))
	case key.Matches(k, keys.InOut):
		switch {
		case !now.out && count(false) == 1:
			a.say = "One zone in which motion counts must stay: a adds another one first."
		case count(!now.out) >= mostZones:
			a.say = fmt.Sprintf("There are %d such zones already: more cannot be set.", mostZones)
		default:
			o := *now
			o.out = !o.out
			all = slices.Delete(all, z.at, z.at+1)
			z.at = len(all) // excluded ones stand behind
			if !o.out {
				z.at = count(false)
			}
			z.put(a, slices.Insert(all, z.at, o))
		}
	case key.Matches(k, keys.Leave, keys.Enter, keys.Zones):
		p.zones = nil
		p.live.end()
		if n := a.unsavedOn(triggersAt); n > 0 {
			a.say = plural(n, "unsaved change") + " on the Triggers page: w saves."
		}
	case key.Matches(k, keys.Live):
		if p.live.busy {
			a.say = "A picture is on its way; it is renewed by itself as fast as this line can."
			break
		}
		p.live.busy = true
		return a.calls.view(p.live.run), true
	default:
		return nil, false
	}
	return nil, true
}

// step is how far a key moves a corner, in percent: an arrow by a cell of the picture,
// a capital by one percent.
func (z *zoneEdit) step(name string) (dx, dy float64) {
	x := max(1, math.Round(100/float64(max(1, z.cols))))
	y := max(1, math.Round(100/float64(max(1, z.rows))))
	switch name {
	case "left", "h":
		return -x, 0
	case "right", "l":
		return x, 0
	case "up", "k":
		return 0, -y
	case "down", "j":
		return 0, y
	case "H":
		return -1, 0
	case "L":
		return 1, 0
	case "K":
		return 0, -1
	case "J":
		return 0, 1
	}
	return 0, 0
}

// move moves a corner of a zone as far as it can go; false: not at all.
func (o *zoned) move(lower bool, dx, dy float64) bool {
	was := o.Zone
	x0, y0, x1, y1 := o.X, o.Y, o.X+o.W, o.Y+o.H
	if lower {
		x1, y1 = max(x0+leastZone, min(x1+dx, 100)), max(y0+leastZone, min(y1+dy, 100))
	} else {
		x0, y0 = min(x1-leastZone, max(x0+dx, 0)), min(y1-leastZone, max(y0+dy, 0))
	}
	// A zone finer than that, typed by hand, is not pushed out of the picture.
	o.X, o.Y = max(x0, 0), max(y0, 0)
	o.W, o.H = min(x1, 100)-o.X, min(y1, 100)-o.Y
	return o.Zone != was
}

// selected marks a cell of the zone that is being changed.
const selected = 0x80

// marks are the zones' outlines over the picture: '|' and '_' where motion counts, 'x'
// where it does not, a number in a corner, and 'O' at the corner that moves.
func (z *zoneEdit) marks(all []zoned, cols, rows int) []byte {
	out := make([]byte, cols*rows)
	outline := func(i int) {
		o, flag := all[i], byte(0)
		if i == z.at {
			flag = selected
		}
		x0, y0 := int(o.X*float64(cols)/100), int(o.Y*float64(rows)/100)
		x1, y1 := int(math.Ceil((o.X+o.W)*float64(cols)/100))-1, int(math.Ceil((o.Y+o.H)*float64(rows)/100))-1
		x0, y0 = max(0, min(x0, cols-1)), max(0, min(y0, rows-1))
		x1, y1 = max(x0, min(x1, cols-1)), max(y0, min(y1, rows-1))
		across, down := byte('_'), byte('|')
		if o.out {
			across, down = 'x', 'x'
		}
		for x := x0; x <= x1; x++ {
			out[y0*cols+x], out[y1*cols+x] = across|flag, across|flag
		}
		for y := y0; y <= y1; y++ {
			out[y*cols+x0], out[y*cols+x1] = down|flag, down|flag
		}
		number := byte('9')
		if i < 9 {
			number = byte('1' + i)
		}
		out[y0*cols+x1] = number | flag
		switch {
		case flag != 0 && z.lower:
			out[y1*cols+x1] = 'O' | flag
		case flag != 0:
			out[y0*cols+x0] = 'O' | flag
		}
	}
	for i := range all {
		if i != z.at {
			outline(i)
		}
	}
	if len(all) > 0 {
		outline(z.at) // over the others
	}
	return out
}

// zonesBody draws the zones over the picture; where there is none, over an empty field.
func (p *cameraPage) zonesBody(a *app, w, h int) []string {
	z, l := p.zones, &p.live
	all := z.zones(a)
	if len(all) == 0 {
		return nil
	}
	var lines []string
	if v := l.view; len(v.Luma) > 0 && !a.status.Privacy.On {
		room := func(n int) int { return max(1, int(float64(n)*sizes[l.size])) }
		lines = l.pic.draw(v, room(w-4), room(h-1), l.paint(a), func(q *picture, _ event.View) []byte { return z.marks(all, q.cols, q.rows) })
		z.cols, z.rows = l.pic.cols, l.pic.rows
	} else {
		l.pic = picture{}
		width, height := a.status.Camera.Width, a.status.Camera.Height
		if width <= 0 || height <= 0 {
			width, height = 4, 3
		}
		z.cols, z.rows = fitted(width, height, w-4, h-1)
		marks := z.marks(all, z.cols, z.rows)
		for y := range z.rows {
			var b strings.Builder
			for _, m := range marks[y*z.cols : (y+1)*z.cols] {
				if m == 0 {
					b.WriteByte('.')
				} else {
					b.WriteString(markCell(m))
				}
			}
			lines = append(lines, b.String())
		}
	}
	out := make([]string, 0, h)
	for _, s := range lines {
		out = append(out, "  "+s)
	}
	o := all[z.at]
	what := "motion counts"
	if o.out {
		what = "excluded"
	}
	state := ""
	if a.unsavedOf(triggersKey, z.name) > 0 {
		state = "  unsaved"
	}
	n := func(f float64) string { return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64) }
	return append(out, cut(fmt.Sprintf("  %s  zone %d of %d  %s, %s, %s, %s %%  %s%s", strong.Render(cut(clean(z.name), 16)), z.at+1, len(all), n(o.X), n(o.Y), n(o.W), n(o.H), what, state), w))
}

func (p *cameraPage) zonesHint(*app) string {
	text := "Arrows move corner O by a cell, HJKL by 1 %; space takes the other corner."
	switch l := &p.live; {
	case l.why != "":
		text += " " + upper(l.why)
	case l.still:
		text += " v: a new picture."
	}
	return text
}

func (p *cameraPage) zonesBindings(a *app) []key.Binding {
	flip := bind("i", "exclude", "i")
	if all := p.zones.zones(a); len(all) > 0 && all[p.zones.at].out {
		flip.SetHelp("i", "include")
	}
	bs := []key.Binding{bind("space", "corner"), bind("tab", "zone"), keys.AddZone, keys.Delete, flip, keys.Save, bind("esc", "done")}
	if len(a.motionTriggers()) > 1 {
		bs = slices.Insert(bs, 2, keys.NextTrigger)
	}
	return bs
}

// zonesHelp are the keys while zones are drawn.
func zonesHelp() []key.Binding {
	return []key.Binding{bind("arrows", "move corner"), bind("H J K L", "by 1 %"), keys.Corner, bind("tab", "next zone"), keys.AddZone, keys.Delete,
		keys.InOut, keys.NextTrigger, bind("v", "new picture"), keys.Undo, keys.Save, bind("esc, enter", "done")}
}
