package config

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"watchpost/engine/event"
)

// parseZones judges zones in percent of the picture: [[x, y, width, height], …].
func parseZones(raw string) ([]Zone, Verdict) {
	const text = "Zones are [[x, y, width, height], …] in percent of the picture."
	if s := strings.TrimSpace(raw); s != "" && strings.ContainsAny(s[:1], "0123456789.") {
		list, v := splitZones(s)
		if v.Blocks() {
			return nil, v
		}
		return judgeZones(list)
	}
	n, v := parseFlow(raw)
	if v.Blocks() {
		return nil, v
	}
	if n.Kind != yaml.SequenceNode {
		return nil, wrong("not a list", text)
	}
	if len(n.Content) > 0 && n.Content[0].Kind == yaml.ScalarNode { // one zone without the outer brackets
		return nil, wrong("list of zones", text).fix("[" + strings.TrimSpace(raw) + "]")
	}
	var list [][]string
	for _, item := range n.Content {
		if item.Kind != yaml.SequenceNode || len(item.Content) != 4 {
			return nil, wrong("four numbers each", text)
		}
		var four []string
		for _, num := range item.Content {
			four = append(four, num.Value) // of anything but a scalar empty, and no number
		}
		list = append(list, four)
	}
	return judgeZones(list)
}

// parseExclude is parseZones where there may be none.
func parseExclude(raw string) ([]Zone, Verdict) {
	if strings.TrimSpace(raw) == "[]" {
		return nil, fine("none")
	}
	return parseZones(raw)
}

// judgeZones judges zones of four numbers each.
func judgeZones(list [][]string) ([]Zone, Verdict) {
	if len(list) == 0 || len(list) > 16 {
		return nil, wrong("1 to 16 zones", "There are 1 to 16 zones; the whole picture is 0, 0, 100, 100.")
	}
	var zones []Zone
	for _, four := range list {
		var x [4]float64
		for i, num := range four {
			f, err := strconv.ParseFloat(num, 64)
			if err != nil || !(f >= 0 && f <= 100) {
				return nil, wrong("0 to 100 percent", "A zone's numbers are percent of the picture, 0 to 100.")
			}
			x[i] = f + 0 // -0 becomes 0
		}
		z := Zone{x[0], x[1], x[2], x[3]}
		if z.W == 0 || z.H == 0 {
			return nil, wrong("empty zone", "A zone's width and height are more than 0.")
		}
		const rounding = 1e-9
		if z.X+z.W > 100+rounding || z.Y+z.H > 100+rounding {
			return nil, wrong("beyond the picture", "x + width and y + height are at most 100 percent.")
		}
		zones = append(zones, z)
	}
	return zones, fine(plural(len(zones), "zone"))
}

func formatZones(zones []Zone) string {
	if len(zones) == 0 {
		return ""
	}
	var all []string
	for _, z := range zones {
		all = append(all, "["+strings.Join(zoneWords(z), ", ")+"]")
	}
	return "[" + strings.Join(all, ", ") + "]"
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // in time.Weekday's order

// holiday stands among the days for the dates of site.holidays.
const holiday = "holiday"

// parseActive judges the active time: one span or a list of spans.
func parseActive(raw string) ([]Span, Verdict) {
	n, v := parseFlow(raw)
	if v.Blocks() {
		return nil, v
	}
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	if len(list) > 28 {
		return nil, wrong("at most 28 spans", "There are at most 28 spans of active time.")
	}
	var spans []Span
	worst := fine("")
	for _, item := range list {
		s, v := parseSpan(item)
		if v.Blocks() {
			return nil, v
		}
		if v.Level == Warning {
			worst = v
		}
		spans = append(spans, s)
	}
	return spans, worst
}

func parseSpan(n *yaml.Node) (s Span, v Verdict) {
	const text = `Active time is {days: [mon, tue], from: "18:00", to: "06:00"}.`
	s.To = 24 * 60
	pairs, v := pairsOf(n, text)
	if v.Level != OK {
		return s, v
	}
	begins, ends, noDay := false, false, false
	for _, p := range pairs {
		begins, ends = begins || p.key == "from", ends || p.key == "to"
		switch p.key {
		case "days":
			if p.value.Kind != yaml.SequenceNode {
				return s, wrong("days: a list", "The days are a list: days: [mon, tue].")
			}
			noDay = len(p.value.Content) == 0
			seen := map[time.Weekday]bool{}
			for _, d := range p.value.Content {
				if d.Kind == yaml.ScalarNode && strings.EqualFold(d.Value, holiday) {
					if s.Holiday {
						return s, wrong("day named twice", "The day "+holiday+" is named twice.")
					}
					s.Holiday = true
					continue
				}
				w, ok := weekday(d.Value)
				if !ok || d.Kind != yaml.ScalarNode {
					return s, wrong("not a day", "The days are mon, tue, wed, thu, fri, sat, sun, holiday.")
				}
				if seen[w] {
					return s, wrong("day named twice", "The day "+weekdays[w]+" is named twice.")
				}
				seen[w] = true
				s.Days = append(s.Days, w)
			}
		case "from", "to":
			m, ok := minutes(p.value.Value, p.key == "to")
			if !ok || p.value.Kind != yaml.ScalarNode {
				return s, wrong("not a time", `Times are "HH:MM" from "00:00"; only to may be "24:00".`)
			}
			if p.key == "from" {
				s.From = m
			} else {
				s.To = m
			}
		default:
			return s, wrong("unknown key", "There is no "+quote(p.key)+" here, only days, from and to.")
		}
	}
	if noDay {
		return s, wary("every day", "Without a day in days it is every day: name the days, or leave days out.")
	}
	if begins && !ends {
		return s, wary("until midnight", `Without to it ends at midnight: add to: "06:00", or to: "24:00" if midnight is meant.`)
	}
	return s, fine("")
}

func weekday(s string) (time.Weekday, bool) {
	for i, d := range weekdays {
		if strings.EqualFold(s, d) {
			return time.Weekday(i), true
		}
	}
	return 0, false
}

// minutes reads HH:MM as minutes after midnight.
func minutes(s string, midnight bool) (int, bool) {
	if len(s) != 5 || s[2] != ':' || strings.Trim(s[:2]+s[3:], "0123456789") != "" {
		return 0, false
	}
	h, _ := strconv.Atoi(s[:2])
	m, _ := strconv.Atoi(s[3:])
	if h == 24 && m == 0 && midnight {
		return 24 * 60, true
	}
	return h*60 + m, h < 24 && m < 60
}

func formatActive(spans []Span) string {
	var all []string
	for _, s := range spans {
		var b strings.Builder
		b.WriteByte('{')
		if len(s.Days) > 0 || s.Holiday {
			var days []string
			for _, d := range s.Days {
				days = append(days, weekdays[d%7])
			}
			if s.Holiday {
				days = append(days, holiday)
			}
			b.WriteString("days: [" + strings.Join(days, ", ") + "], ")
		}
		clock := func(m int) string { return strconv.Itoa(100 + m/60)[1:] + ":" + strconv.Itoa(100 + m%60)[1:] }
		b.WriteString(`from: "` + clock(s.From) + `", to: "` + clock(s.To) + `"}`)
		all = append(all, b.String())
	}
	switch len(all) {
	case 0:
		return ""
	case 1:
		return all[0]
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// parseExtent judges how much is kept: "5 images" or a time.
func parseExtent(raw string) (Extent, Verdict) {
	const most, long = 600, 10 * time.Minute
	s := strings.ToLower(strings.TrimSpace(raw))
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	unit := strings.TrimSpace(s[i:])
	switch {
	case i > 0 && (unit == "image" || unit == "images"):
		n, err := strconv.Atoi(s[:i])
		if err != nil || n > most {
			return Extent{}, wrong("at most 600 images", "At most 600 images.")
		}
		return Extent{Images: n}, fine("")
	case i > 0 && unit != "" && strings.HasPrefix("images", unit):
		return Extent{}, half("A number of images or a time: 5 images, 10s.")
	}
	d, v := duration(0, long)(raw)
	if v.Level == Error && v.Short == "not a time" {
		v = wrong("images or a time", "A number of images or a time: 5 images, 10s.")
	}
	return Extent{Time: d}, v
}

func formatExtent(e Extent) string {
	if e.Images > 0 {
		return plural(e.Images, "image")
	}
	return formatDuration(e.Time)
}

// parseAnd judges a second source: {source: motion, within: 5s}.
func parseAnd(raw string) (*And, Verdict) {
	const text = "A second source is {source: motion, within: 5s}."
	n, v := parseFlow(raw)
	if v.Blocks() {
		return nil, v
	}
	pairs, v := pairsOf(n, text)
	if v.Level != OK {
		return nil, v
	}
	var a And
	for _, p := range pairs {
		switch p.key {
		case "source":
			w, v := choice("motion", "builtin", "external", "sound")(p.value.Value)
			if v.Level != OK {
				return nil, v
			}
			a.Source = event.Source(w)
		case "within":
			if a.Within, v = duration(100*time.Millisecond, 10*time.Minute)(p.value.Value); v.Level != OK {
				return nil, v
			}
		case "line":
			if p.value.Value != "" {
				if a.Line, v = parseLine(p.value.Value); v.Level != OK {
					return nil, v
				}
			}
		default:
			return nil, wrong("unknown key", "There is no "+quote(p.key)+" here, only source, within and line.")
		}
	}
	if a.Source == "" || a.Within == 0 {
		return nil, wrong("source and within", text)
	}
	switch wired := a.wired(); {
	case wired && a.Line == "":
		return &a, wary("line is missing", "The source "+string(a.Source)+" needs its line: {source: "+string(a.Source)+", within: 5s, line: …}.")
	case !wired && a.Line != "":
		return nil, wrong("line not used", "Only the sources external and builtin have a line.")
	case needsInput(a.Source):
		return &a, notRead
	}
	return &a, fine("")
}

func formatAnd(a *And) string {
	if a == nil {
		return ""
	}
	s := "{source: " + string(a.Source) + ", within: " + formatDuration(a.Within)
	if a.Line != "" {
		s += ", line: " + inline(scalar(a.Line, text))
	}
	return s + "}"
}

// parsePrivacyLine judges the input that switches privacy mode on.
func parsePrivacyLine(raw string) (string, Verdict) {
	s, v := parseLine(raw)
	if v.Level == OK {
		v = notRead
	}
	return s, v
}
