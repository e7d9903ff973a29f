package config

import (
	_ "embed"
	"strings"
)

// The zones of the IANA database that a place is in (zone.tab), and UTC, by name.
//
//go:embed zones.txt
var zoneText string

var zones = strings.Fields(zoneText)

// ZonesLike returns the time zones whose name, or whose city, begins with what was
// typed, by name; capitals make no difference, and a blank is an underscore.
func ZonesLike(begun string) []string {
	begun = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(begun)), " ", "_")
	var out []string
	for _, z := range zones {
		lower := strings.ToLower(z)
		if strings.HasPrefix(lower, begun) || strings.HasPrefix(lower[strings.LastIndexByte(lower, '/')+1:], begun) {
			out = append(out, z)
		}
	}
	return out
}

// zonesText names the first of some zones, and how many there are beside.
func zonesText(found []string) string {
	const most = 2
	if len(found) == 1 {
		return "Is " + found[0] + " meant?"
	}
	if len(found) <= most {
		return "Such as " + strings.Join(found, ", ") + "."
	}
	return "Such as " + strings.Join(found[:most], ", ") + ", and " + plural(len(found)-most, "other") + "."
}
