package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"watchpost/engine/config"
)

// cameraPage edits where the images come from, and tells what the camera delivers.
type cameraPage struct{ *settings }

func newCameraPage(a *app) *cameraPage {
	p := &cameraPage{newSettings(a, cameraAt, cameraFields)}
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
	v := a.draft.Verdict(k)
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
	return p.settings.hint(a, "Tab or Enter enters the first field; picture, zones, walk test come later.")
}

func (p *cameraPage) body(a *app, w, h int) ([]string, *tea.Position) {
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
