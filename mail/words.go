package mail

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"watchpost/engine/event"
)

// page is what a mail says, before it becomes text or HTML.
type page struct {
	headline string
	rows     [][2]string // label, value
	times    []string
	notes    []string
	captions []string // one an image
	footer   string
}

var sourceWords = map[event.Source]string{
	event.Motion:   "motion detection",
	event.BuiltIn:  "built-in sensor",
	event.External: "external sensor",
	event.Sound:    "sound detection",
	event.Timer:    "timer",
	event.Manual:   "fired by hand",
}

func sourceWord(s event.Source) string {
	if w := sourceWords[s]; w != "" {
		return w
	}
	return plainText(string(s))
}

// describe says what happened, where and when.
func describe(n event.Notice, f form, images []event.Image) page {
	site := plainText(f.Site)
	if site == "" {
		site = "Watchpost"
	}
	loc := n.At.Location()
	p := page{footer: fmt.Sprintf("Sent by Watchpost %s at %s. Do not reply.", plainText(f.version), site)}
	add := func(label, value string) { p.rows = append(p.rows, [2]string{label, value}) }
	add("Site", site)

	switch n.Kind {
	case event.Summary, event.Digest:
		why := "notifications were held off"
		if n.Kind == event.Digest {
			why = "mail could not be sent"
		}
		p.headline = fmt.Sprintf("%s: %s fired %s while %s.", site, triggerNames(n), times(n.Count()), why)
		if len(n.Firings) > 0 {
			for _, name := range n.Triggers() {
				add("Trigger", plainText(name)+", "+times(n.Counts[name]))
			}
			if len(n.Counts) > 1 {
				add("Count", fmt.Sprint(n.Count()))
			}
			add("First", longTime(n.Firings[0].At.In(loc)))
			add("Last", longTime(n.Firings[len(n.Firings)-1].At.In(loc)))
		}
		p.times = listTimes(n, loc)
	case event.Images:
		p.headline = fmt.Sprintf("%s: images of trigger %s.", site, plainText(n.Title))
		add("Trigger", plainText(n.Title))
		add("Time", longTime(n.At))
	case event.Test:
		p.headline = site + ": this is a test mail. No trigger fired."
		add("Time", longTime(n.At))
	case event.State:
		p.headline = site + ": " + plainText(n.Title) + "."
		if n.Title == "" {
			p.headline = site + ": a message about the camera itself."
		}
		add("Time", longTime(n.At))
	default:
		p.headline = fmt.Sprintf("%s: %s fired.", site, triggerNames(n))
		for _, fi := range n.Firings {
			add("Trigger", plainText(fi.Trigger))
			add("Source", sourceWord(fi.Source))
			if fi.Level > 0 {
				add("Motion level", fmt.Sprintf("%.2f %% of the zone", fi.Level))
			}
		}
		add("Time", longTime(n.At))
	}
	if n.Event != "" {
		add("Event", plainText(n.Event))
	}
	for _, im := range images {
		p.captions = append(p.captions, "taken "+im.At.In(loc).Format("15:04:05.000")+offset(im.At.Sub(n.At), n.Kind))
	}
	switch len(images) {
	case 0:
		if n.Kind != event.State {
			add("Image", "none")
		}
	case 1:
		add("Image", p.captions[0])
	default:
		add("Images", fmt.Sprint(len(images)))
	}
	for _, s := range append(slices.Clone(n.Notes), f.note) {
		if s = plainText(s); s != "" {
			p.notes = append(p.notes, s)
		}
	}
	return p
}

func level(f event.Firing) string {
	if f.Level <= 0 {
		return ""
	}
	return fmt.Sprintf("  %.2f %%", f.Level)
}

// offset says how far an image is from its alarm's trigger.
func offset(d time.Duration, kind event.NoticeKind) string {
	if kind != event.Alarm && kind != event.Images {
		return ""
	}
	switch s := d.Seconds(); {
	case s < -0.0005:
		return fmt.Sprintf(", %.3f s before the trigger", -s)
	case s > 0.0005:
		return fmt.Sprintf(", %.3f s after the trigger", s)
	}
	return ", at the trigger"
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// listTimes is a line for each firing that is kept whole, and one for each gap.
func listTimes(n event.Notice, loc *time.Location) []string {
	var lines []string
	for i, f := range n.Firings {
		if gap := n.Count() - uint64(len(n.Firings)); gap > 0 && i == len(n.Firings)/2 {
			lines = append(lines, fmt.Sprintf("... and %d more in between", gap))
		}
		lines = append(lines, f.At.In(loc).Format("2006-01-02 15:04:05.000")+"  "+plainText(f.Trigger)+level(f))
	}
	return lines
}

// triggerNames is the names of the triggers that fired, each once.
func triggerNames(n event.Notice) string {
	names := n.Triggers()
	for i := range names {
		names[i] = plainText(names[i])
	}
	if len(names) == 0 {
		return "a trigger"
	}
	return strings.Join(names, ", ")
}

func longTime(t time.Time) string {
	return t.Format("Monday, 2 January 2006, 15:04:05.000 MST (UTC-07:00)")
}

func (p page) text() string {
	var b strings.Builder
	b.WriteString(p.headline + "\n\n")
	width := 0
	for _, r := range p.rows {
		width = max(width, len(r[0]))
	}
	for _, r := range p.rows {
		fmt.Fprintf(&b, "%-*s  %s\n", width+1, r[0]+":", r[1])
	}
	for _, part := range [][]string{p.notes, p.times} {
		if len(part) > 0 {
			b.WriteString("\n" + strings.Join(part, "\n") + "\n")
		}
	}
	b.WriteString("\n-- \n" + p.footer + "\n")
	return b.String()
}

// html is the same with the images in it. cid gives an image's Content-ID.
func (p page) html(cid func(i int) string) string {
	e := html.EscapeString
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html><body style=\"font-family:sans-serif\">\n<p><b>" + e(p.headline) + "</b></p>\n<table>\n")
	for _, r := range p.rows {
		b.WriteString("<tr><td>" + e(r[0]) + "&nbsp;&nbsp;</td><td>" + e(r[1]) + "</td></tr>\n")
	}
	b.WriteString("</table>\n")
	for i, c := range p.captions {
		fmt.Fprintf(&b, "<p><img src=\"cid:%s\" alt=\"%s\" style=\"max-width:100%%\"><br>%s</p>\n", e(cid(i)), e("Image "+c), e(c))
	}
	for _, s := range p.notes {
		b.WriteString("<p>" + e(s) + "</p>\n")
	}
	if len(p.times) > 0 {
		b.WriteString("<ul>\n")
		for _, s := range p.times {
			b.WriteString("<li>" + e(s) + "</li>\n")
		}
		b.WriteString("</ul>\n")
	}
	b.WriteString("<p><small>" + e(p.footer) + "</small></p>\n</body></html>\n")
	return b.String()
}
