package event

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

// However many firings there are, a Gathered counts all and stays small.
func TestGatheredIsBounded(t *testing.T) {
	var g Gathered
	const n = 600_000
	for i := range uint64(n) { // two triggers by turns: every run is of one
		if i%2 == 0 {
			g.Add(Firing{Seq: i + 1, Trigger: "yard"})
		}
	}
	if g.Count() != n/2 || len(g.Firings) != gatheredMax || len(g.Seqs) != seqsMax || g.Seqs.Last() != n-1 {
		t.Errorf("count %d, %d kept, %d runs to %d", g.Count(), len(g.Firings), len(g.Seqs), g.Seqs.Last())
	}
	if g.Firings[0].Seq != 1 || g.Firings[gatheredMax-1].Seq != n-1 {
		t.Errorf("kept %d to %d", g.Firings[0].Seq, g.Firings[gatheredMax-1].Seq)
	}
	thin := g.Thin()
	if thin.Count() != g.Count() || len(thin.Firings) != thinFirings || len(thin.Seqs) != thinRuns || thin.Seqs.Last() != n-1 || len(g.Firings) != gatheredMax ||
		thin.Firings[0].Seq != 1 || thin.Firings[thinFirings-1].Seq != n-1 {
		t.Errorf("thinned: count %d, %d kept, %d runs to %d", thin.Count(), len(thin.Firings), len(thin.Seqs), thin.Seqs.Last())
	}
	js, err := json.Marshal(g)
	if err != nil || len(js) > 32<<10 {
		t.Errorf("%d bytes of JSON: %v", len(js), err)
	}
}

// Merging gives what gathering all would have given.
func TestMergeIsGathering(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		parts := make([]Gathered, 1+r.IntN(5))
		var all Gathered
		for seq := range uint64(r.IntN(300)) {
			f := Firing{Seq: seq + 1, Trigger: []string{"yard", "door"}[r.IntN(2)]}
			all.Add(f)
			parts[r.IntN(len(parts))].Add(f)
		}
		m := Merge(parts...)
		if m.Count() != all.Count() || m.Seqs.String() != all.Seqs.String() || len(m.Firings) > gatheredMax || len(all.Firings) > 0 &&
			(m.Firings[0].Seq != all.Firings[0].Seq || m.Firings[len(m.Firings)-1].Seq != all.Firings[len(all.Firings)-1].Seq) {
			t.Fatalf("%v: %d of %d, %s", parts, m.Count(), all.Count(), m.Seqs)
		}
	}
}

func TestSeqsText(t *testing.T) {
	for _, good := range []string{"", "7", "1-5,9", "1,3,5-6"} {
		var s Seqs
		if err := s.UnmarshalText([]byte(good)); err != nil || s.String() != good || s.Len() != uint64(len(slices.Collect(s.All()))) {
			t.Errorf("%q: %v %v", good, s, err)
		}
	}
	for _, bad := range []string{"-", "5-1", "1,1", "2,1", "x", "1-", "1,", "-1"} {
		var s Seqs
		if s.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q was taken for %v", bad, s)
		}
	}
}
