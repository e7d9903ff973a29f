package config

import (
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The parts of the file that a later version carries out: read, judged and kept.

// parseTransfers judges the list of places that images go to.
func parseTransfers(raw string) ([]Transfer, Verdict) {
	const text = "Transfers are [{name: nas, kind: sftp, …}]."
	list, v := listOf(raw, 8, text)
	if v.Level != OK {
		return nil, v
	}
	var all []Transfer
	for _, pairs := range list {
		t := Transfer{Rest: map[string]string{}}
		for _, p := range pairs {
			if p.value.Kind != yaml.ScalarNode {
				return nil, wrong("not a value", "The value of "+quote(p.key)+" is a single word or number.")
			}
			if v := plainText(p.value.Value); v.Level != OK {
				return nil, v
			}
			switch p.key {
			case "name":
				if t.Name, v = parseTriggerName(p.value.Value); v.Level != OK || t.Name == "none" {
					return nil, wrong("not a name", "A transfer's name is made of letters, digits, - and _, and is not none.")
				}
			case "kind":
				if t.Kind, v = choice("ftp", "ftps", "sftp", "http", "https", "email")(p.value.Value); v.Level != OK {
					return nil, v
				}
			case "password", "secret", "token", "passphrase", "key":
				return nil, wrong("secret in the file", "A transfer's "+p.key+" does not stand in this file.")
			default:
				t.Rest[p.key] = p.value.Value
			}
		}
		if t.Name == "" || t.Kind == "" {
			return nil, wrong("name and kind", "Each transfer has a name and a kind.")
		}
		for _, other := range all {
			if strings.EqualFold(other.Name, t.Name) {
				return nil, wrong("name comes twice", "Two transfers are called "+quote(t.Name)+".")
			}
		}
		all = append(all, t)
	}
	if len(all) == 0 {
		return nil, fine("")
	}
	return all, later("nothing is transferred")
}

func formatTransfers(all []Transfer) string {
	if len(all) == 0 {
		return ""
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, t := range all {
		m := &yaml.Node{Kind: yaml.MappingNode}
		put(m, "name", t.Name)
		put(m, "kind", t.Kind)
		keys := make([]string, 0, len(t.Rest))
		for k := range t.Rest {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			put(m, k, t.Rest[k])
		}
		n.Content = append(n.Content, m)
	}
	return flowText(n)
}

// parseSerial judges the list of serial consoles.
func parseSerial(raw string) ([]Serial, Verdict) {
	const text = "Serial consoles are [{device: /dev/ttyS0, baud: 115200, term: vt220}]."
	list, v := listOf(raw, 8, text)
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

// listOf takes a list of at most most maps apart.
func listOf(raw string, most int, text string) ([][]pair, Verdict) {
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
