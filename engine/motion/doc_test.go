package motion

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// TestTablesOfTheDocumentation: threshold and sensitivity are documented as they are.
func TestTablesOfTheDocumentation(t *testing.T) {
	b, err := os.ReadFile("../../docs/detection.md")
	if err != nil {
		t.Fatal(err)
	}
	percent, pixels, levels := "| threshold, % of the zone |", "| threshold, pixels of 640x480 |", "| sensitivity, least change of a block in levels of 255 |"
	for i, p := range thresholdPercent {
		percent += fmt.Sprintf(" %g |", p)
		pixels += fmt.Sprintf(" %.0f |", p/100*640*480)
		levels += fmt.Sprintf(" %g |", math.Round(leastDeviation*float64(deviation[i])*10)/10)
	}
	for _, row := range []string{percent, pixels, levels} {
		if !strings.Contains(string(b), row+"\n") {
			t.Errorf("docs/detection.md lacks the row\n%s", row)
		}
	}
}
