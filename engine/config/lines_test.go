package config

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A list that is written anew has an item a line: a person edits it by hand.
func TestListInLines(t *testing.T) {
	n, v := parseFlow("[{name: yard, source: motion}, {name: door, source: manual}]")
	if v.Blocks() {
		t.Fatal(v)
	}
	const want = "triggers:\n  - {name: yard, source: motion}\n  - {name: door, source: manual}\n"
	for _, old := range []string{"", "version: 1\n", "version: 1\ntriggers: []\n", "version: 1\ntriggers:\n"} {
		got, err := patch([]byte(old), []edit{{path: []string{"triggers"}, value: inLines(flowCopy(n))}}, true)
		if err != nil || string(got) != "version: 1\n"+want {
			t.Errorf("%q: %q, %v", old, got, err)
		}
	}
	got, err := patch([]byte("{version: 1, triggers: []}\n"), []edit{{path: []string{"triggers"}, value: inLines(flowCopy(n))}}, true)
	if err != nil || strings.Count(string(got), "\n") != 1 || yaml.Unmarshal(got, new(any)) != nil {
		t.Errorf("in a flow map: %q, %v", got, err)
	}
}
