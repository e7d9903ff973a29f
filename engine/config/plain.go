package config

import (
	"slices"
	"strconv"
	"strings"
)

// How a list stands in one field of a form: as a person writes it, without YAML's
// brackets. The parsers take both, and the file keeps YAML.

// plainly gives a field the text that a form shows of it.
func plainly(f Field, as func(place) string) Field {
	f.plain = as
	return f
}

// typed is a field's text as a form shows it.
func (f *Field) typed(p place) string {
	if f.plain != nil {
		return f.plain(p)
	}
	return f.get(p)
}

// plainZones is 0, 0, 50, 100; 60, 20, 40, 80.
func plainZones(zones []Zone) string {
	all := make([]string, len(zones))
	for i, z := range zones {
		all[i] = strings.Join(zoneWords(z), ", ")
	}
	return strings.Join(all, "; ")
}

func zoneWords(z Zone) []string {
	var four []string
	for _, f := range []float64{z.X, z.Y, z.W, z.H} {
		four = append(four, strconv.FormatFloat(f, 'f', -1, 64))
	}
	return four
}

const zonesHow = "A zone is x, y, width, height in percent; the next one follows a semicolon."

// splitZones takes plain zones apart, each into its four numbers. A last one that
// has fewer is incomplete.
func splitZones(s string) ([][]string, Verdict) {
	var all [][]string
	items := strings.Split(s, ";")
	for i, item := range items {
		words := strings.FieldsFunc(item, func(r rune) bool { return r == ',' || r == ' ' })
		last := i == len(items)-1
		switch {
		case len(words) == 0 && last && i > 0: // the semicolon at the end
		case len(words) < 4 && last:
			for _, w := range words {
				if strings.Trim(w, "0123456789.") != "" {
					return nil, wrong("0 to 100 percent", zonesHow)
				}
			}
			return nil, half(zonesHow)
		case len(words) != 4:
			return nil, wrong("four numbers each", zonesHow)
		default:
			all = append(all, words)
		}
	}
	return all, fine("")
}

func plainHolidays(all []Date) string {
	words := make([]string, len(all))
	for i, d := range all {
		words[i] = d.String()
	}
	return strings.Join(words, ", ")
}

// plainSerial is /dev/ttyS0 115200 vt220; /dev/ttyS1 9600 vt100 rtscts.
func plainSerial(all []Serial) string {
	words := make([]string, len(all))
	for i, s := range all {
		words[i] = s.Device + " " + strconv.Itoa(s.Baud) + " " + s.Term
		if s.Flow != "none" {
			words[i] += " " + s.Flow
		}
	}
	return strings.Join(words, "; ")
}

// yamlSerial makes YAML of plain consoles; what has more words than there are is
// left to parseSerial to refuse.
func yamlSerial(s string) string {
	var all []string
	for item := range strings.SplitSeq(s, ";") {
		words := strings.Fields(item)
		var pairs []string
		for i, w := range words {
			name := "more"
			switch {
			case i == 0:
				name = "device"
			case strings.Trim(w, "0123456789") == "":
				name = "baud"
			case slices.Contains(flows, w):
				name = "flow"
			case i < 4:
				name = "term"
			}
			pairs = append(pairs, name+": "+strconv.Quote(w))
		}
		if len(words) > 0 {
			all = append(all, "{"+strings.Join(pairs, ", ")+"}")
		}
	}
	return "[" + strings.Join(all, ", ") + "]"
}
