package schedule

import (
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
)

// Where any zone's clock is set back from or to what its database calls summer
// time, config.Stamp with the mark gives no two moments one stamp. It cannot where
// the zone itself changes, with summer time on both sides or on neither. It stands
// here for the zone database's sake.
func TestStampsOfAnHourThatRepeats(t *testing.T) {
	marked := func(at time.Time) bool { return strings.Contains(config.Stamp(at, true), "s") }
	apart, alike := 0, map[string]int{}
	for _, zone := range zoneDatabase(t) {
		for _, at := range settings(zone, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)) {
			before := at.Add(-time.Second)
			_, was := before.Zone()
			_, is := at.Zone()
			switch {
			case before.IsDST() == at.IsDST():
				if is < was && marked(before) == marked(at) {
					alike[at.Format("2006")]++
				}
			case zone.String() == "Africa/Windhoek" && is > was && at.Year() == 2017: // to stay: the usual time since
			case is > was && (marked(before) || !marked(at)):
				t.Errorf("%s is set forward at %v: mark %v, then %v", zone, at, marked(before), marked(at))
			case is < was:
				apart++
				again := time.Duration(was-is) * time.Second
				for off := time.Duration(0); off < again; off += 5 * time.Minute {
					first, second := config.Stamp(at.Add(off-again), true), config.Stamp(at.Add(off), true)
					if first[:8]+first[9:] != second || first[8] != 's' {
						t.Fatalf("%s at %v: %s and %s", zone, at, first, second)
					}
				}
			}
		}
	}
	t.Logf("%d hours kept apart; not kept apart, by year: %v", apart, alike)
	if apart < 1000 {
		t.Errorf("only %d hours that repeat", apart)
	}
	for year, n := range alike {
		if year > "2025" {
			t.Errorf("%d changes of zone in %s: what is new?", n, year)
		}
	}
}
