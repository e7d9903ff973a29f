package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The parts of the file that a later version carries out: read, judged and kept.

// parseSerial judges the list of serial consoles.
func parseSerial(raw string) ([]Serial, Verdict) {
	const text = "A console is /dev/ttyS0 115200 vt220; the next one follows a semicolon."
	if strings.HasPrefix(strings.TrimSpace(raw), "/") {
		raw = yamlSerial(raw)
	}
	list, v := mapsOf(raw, 8, text)
	if v.Level != OK {
		return nil, v
	}
	var all []Serial
	for _, pairs := range list {
		s := Serial{Baud: 115200, Term: "vt220"}
		for _, p := range pairs {
			if p.value.Kind != yaml.ScalarNode {
				return nil, wrong("not a value", "The value of "+quote(p.key)+" is a single word or number.")
			}
			switch p.key {
			case "device":
				s.Device, v = parsePath(p.value.Value)
			case "baud":
				s.Baud, v = number(300, 4000000)(p.value.Value)
			case "term":
				s.Term, v = line(64)(p.value.Value)
			default:
				v = wrong("unknown key", "There is no "+quote(p.key)+" here, only device, baud and term.")
			}
			if v.Level != OK {
				return nil, v
			}
		}
		if s.Device == "" {
			return nil, wrong("device is missing", text)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, fine("")
	}
	return all, later("no serial console is opened")
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
