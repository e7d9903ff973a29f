package config

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxConsoles is how many serial consoles there are at most.
const MaxConsoles = 8

var (
	flows = []string{"none", "rtscts", "xonxoff"}
	// bauds are the rates that ports and terminal programs have.
	bauds = []int{300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600, 1500000}
	// terms are what stands at the other end of serial lines.
	terms = []string{"vt100", "vt102", "vt220", "ansi", "linux", "xterm", "xterm-256color", "screen", "tmux", "putty", "dumb"}
)

// parseSerial judges the list of serial consoles: YAML, or as plainSerial writes it.
func parseSerial(raw string) ([]Serial, Verdict) {
	const text = "A console is /dev/ttyS0 115200 vt220, rtscts behind it; the next follows a ;"
	if strings.HasPrefix(strings.TrimSpace(raw), "/") {
		raw = yamlSerial(raw)
	}
	list, v := mapsOf(raw, MaxConsoles, text)
	if v.Level != OK {
		return nil, v
	}
	var all []Serial
	worst := fine("")
	for _, pairs := range list {
		s, v := parseConsole(pairs, text)
		switch {
		case v.Blocks():
			return nil, v
		case slices.ContainsFunc(all, func(o Serial) bool { return o.Device == s.Device }):
			return nil, wrong("comes twice", quote(s.Device)+" stands here twice: a port has one console.")
		case v.Level.severity() > worst.Level.severity():
			worst = v
		}
		all = append(all, s)
	}
	if len(all) > 0 && worst.Level == OK {
		worst = fine(plural(len(all), "console"))
	}
	return all, worst
}

// parseConsole judges one console. What makes it doubtful comes as a warning.
func parseConsole(pairs []pair, text string) (Serial, Verdict) {
	s := Serial{Baud: 115200, Term: "vt220", Flow: "none"}
	worst := fine("")
	for _, p := range pairs {
		if p.value.Kind != yaml.ScalarNode {
			return s, wrong("not a value", "The value of "+quote(p.key)+" is a single word or number.")
		}
		var v Verdict
		switch p.key {
		case "device":
			s.Device, v = parsePath(p.value.Value)
		case "baud":
			if s.Baud, v = number(300, 4000000)(p.value.Value); v.Level == OK && !slices.Contains(bauds, s.Baud) {
				v = wary("unusual rate", strconv.Itoa(s.Baud)+" baud is no usual rate: 9600 and 115200 are. The other end needs the same.")
			}
		case "term":
			if s.Term, v = line(64)(p.value.Value); v.Level == OK && !slices.Contains(terms, s.Term) {
				v = wary("unknown terminal", quote(s.Term)+" is taken for a vt100. Known: vt100, vt220, linux, xterm, dumb.")
			}
		case "flow":
			s.Flow, v = choice(flows...)(p.value.Value)
		default:
			v = wrong("unknown key", "There is no "+quote(p.key)+" here, only device, baud, term and flow.")
		}
		if v.Blocks() {
			return s, v
		}
		if v.Level.severity() > worst.Level.severity() {
			worst = v
		}
	}
	if s.Device == "" {
		return s, wrong("device is missing", text)
	}
	return s, worst
}

func formatSerial(all []Serial) string {
	if len(all) == 0 {
		return ""
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range all {
		m := &yaml.Node{Kind: yaml.MappingNode}
		put(m, "device", s.Device)
		m.Content = append(m.Content, scalar("baud", text), scalar(strconv.Itoa(s.Baud), word))
		put(m, "term", s.Term)
		if s.Flow != "none" {
			put(m, "flow", s.Flow)
		}
		n.Content = append(n.Content, m)
	}
	return flowText(n)
}

func put(m *yaml.Node, key, value string) {
	m.Content = append(m.Content, scalar(key, text), scalar(value, text))
}

// mapsOf takes a list of at most most maps apart.
func mapsOf(raw string, most int, text string) ([][]pair, Verdict) {
	n, v := parseFlow(raw)
	if v.Blocks() {
		return nil, v
	}
	if n.Kind != yaml.SequenceNode {
		return nil, wrong("not a list", text)
	}
	if len(n.Content) > most {
		return nil, wrong("too many", "At most "+strconv.Itoa(most)+" stand here.")
	}
	var all [][]pair
	for _, item := range n.Content {
		pairs, v := pairsOf(item, text)
		if v.Level != OK {
			return nil, v
		}
		all = append(all, pairs)
	}
	return all, fine("")
}
