package event

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	gatheredMax = 64   // firings that a Gathered keeps whole
	seqsMax     = 1000 // runs of a Seqs
	thinFirings = 4    // of a Gathered that was thinned
	thinRuns    = 16
)

// AlarmID names the mail of a firing, and SummaryID that of the firings that a
// hold-off gathered, by the newest of them.
func AlarmID(seq uint64) string   { return fmt.Sprintf("%08d-alarm", seq) }
func SummaryID(seq uint64) string { return fmt.Sprintf("%08d-summary", seq) }

// TransferID names the transfer of the event that a firing began.
func TransferID(seq uint64) string { return fmt.Sprintf("%08d-transfer", seq) }

// Gathered is the firings that one mail tells of, in bounded memory however
// many they are: all of them are counted, some are kept whole.
type Gathered struct {
	Counts  map[string]uint64 `json:"counts,omitempty"`  // by trigger, exact
	Firings []Firing          `json:"firings,omitempty"` // oldest first, at most gatheredMax: the first half of it and the newest
	Seqs    Seqs              `json:"seqs,omitempty"`
}

// Gather returns what gathers the firings fs.
func Gather(fs ...Firing) Gathered {
	var g Gathered
	for _, f := range fs {
		g.Add(f)
	}
	return g
}

// Add gathers one more firing, newer than those before.
func (g *Gathered) Add(f Firing) {
	if g.Counts == nil {
		g.Counts = map[string]uint64{}
	}
	g.Counts[f.Trigger]++
	g.Seqs.Add(f.Seq)
	g.keep(f)
}

// Rename counts the firings of a trigger under another name. The firings themselves
// keep the name under which they came.
func (g *Gathered) Rename(from, to string) {
	counts := maps.Clone(g.Counts) // others may read the old ones
	if n := counts[from]; n > 0 {
		counts[to] += n
		delete(counts, from)
	}
	g.Counts = counts
}

func (g *Gathered) keep(f Firing) {
	if len(g.Firings) == gatheredMax {
		g.Firings = slices.Delete(g.Firings, gatheredMax/2, gatheredMax/2+1)
	}
	g.Firings = append(g.Firings, f)
}

// Merge returns what gathers the firings of all of gs, each firing being in one of them.
func Merge(gs ...Gathered) Gathered {
	out := Gathered{Counts: map[string]uint64{}}
	var firings []Firing
	var runs Seqs
	for _, g := range gs {
		for name, n := range g.Counts {
			out.Counts[name] += n
		}
		firings = append(firings, g.Firings...)
		runs = append(runs, g.Seqs...)
	}
	slices.SortFunc(firings, func(a, b Firing) int { return compare(a.Seq, b.Seq) })
	for _, f := range firings {
		out.keep(f)
	}
	slices.SortFunc(runs, func(a, b Run) int { return compare(a.From, b.From) })
	for _, r := range runs {
		out.Seqs.add(r)
	}
	return out
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Clone copies g so that neither sees the other's changes.
func (g Gathered) Clone() Gathered {
	return Gathered{maps.Clone(g.Counts), slices.Clone(g.Firings), slices.Clone(g.Seqs)}
}

// Thin returns g with fewer firings kept whole and fewer runs of Seqs, for where
// very many are remembered; the counts stay exact.
func (g Gathered) Thin() Gathered {
	if n := len(g.Firings); n > thinFirings {
		g.Firings = slices.Concat(g.Firings[:thinFirings/2], g.Firings[n-thinFirings/2:])
	}
	if len(g.Seqs) > thinRuns {
		last := g.Seqs.Last()
		g.Seqs = slices.Clone(g.Seqs[:thinRuns])
		g.Seqs[thinRuns-1].To = last
	}
	return g
}

// Count is how many firings there are.
func (g Gathered) Count() uint64 {
	var n uint64
	for _, c := range g.Counts {
		n += c
	}
	return n
}

// Triggers are the names of the triggers that fired, in alphabetical order.
func (g Gathered) Triggers() []string { return slices.Sorted(maps.Keys(g.Counts)) }

// Run is firings whose Seq follow each other, From ≤ To.
type Run struct{ From, To uint64 }

// Seqs is a set of Seq, ascending, as runs. It is exact up to seqsMax runs;
// beyond that the last run swallows the gaps before what is added. As text it is
// "1-5,9".
type Seqs []Run

// Add adds one that is greater than all before; others are left out.
func (s *Seqs) Add(seq uint64) { s.add(Run{seq, seq}) }

func (s *Seqs) add(r Run) {
	n := len(*s)
	switch {
	case n > 0 && r.To <= (*s)[n-1].To:
	case n > 0 && (r.From <= (*s)[n-1].To+1 || n == seqsMax):
		(*s)[n-1].To = r.To
	default:
		*s = append(*s, r)
	}
}

// Has reports whether seq is in the set.
func (s Seqs) Has(seq uint64) bool {
	return slices.ContainsFunc(s, func(r Run) bool { return r.From <= seq && seq <= r.To })
}

// Last is the greatest, 0 of an empty set.
func (s Seqs) Last() uint64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].To
}

// Len is how many they are.
func (s Seqs) Len() uint64 {
	var n uint64
	for _, r := range s {
		n += r.To - r.From + 1
	}
	return n
}

// All yields them one by one.
func (s Seqs) All() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for _, r := range s {
			for seq := r.From; seq <= r.To; seq++ {
				if !yield(seq) {
					return
				}
			}
		}
	}
}

func (s Seqs) String() string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(r.From, 10))
		if r.To > r.From {
			b.WriteString("-" + strconv.FormatUint(r.To, 10))
		}
	}
	return b.String()
}

// MarshalText makes s a string in JSON.
func (s Seqs) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String writes.
func (s *Seqs) UnmarshalText(text []byte) error {
	*s = nil
	if len(text) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		from, to, ranged := strings.Cut(part, "-")
		var r Run
		var err error
		if r.From, err = strconv.ParseUint(from, 10, 64); err == nil && ranged {
			r.To, err = strconv.ParseUint(to, 10, 64)
		} else {
			r.To = r.From
		}
		if err != nil || r.To < r.From || len(*s) > 0 && r.From <= s.Last() || len(*s) == seqsMax {
			return fmt.Errorf("%q is not a list of firings", part)
		}
		*s = append(*s, r)
	}
	return nil
}
