package powercut

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"

	"watchpost/engine/durable"
)

// Check starts the program from a disk, the folder dir, that a cut left after the
// program had said all of said, and tells what is wrong; nil: nothing. It runs in
// several goroutines at once.
type Check func(dir string, said []any) error

// Verify ends the recording, checks every state that a cut may leave after any
// moment of it, and then that each fsync is needed: that without it some state
// fails the check. It logs the table of fsyncs. Files whose name ends in one of
// ignore may be written past package durable.
func (r *Recording) Verify(t *testing.T, check Check, ignore ...string) {
	t.Helper()
	r.Stop()
	if what, err := r.unseen(ignore); err != nil || what != "" {
		t.Fatalf("not recorded, because it was done past package durable: %s %v", what, err)
	}
	v := &verifier{check: check, dir: Scratch(t), passed: map[stateKey]bool{}}
	states, failures := v.all(r)
	for _, f := range failures {
		t.Error(f)
	}
	t.Logf("%d moments, %d different states after a power cut", len(r.log), states)
	if len(failures) > 0 {
		return
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	sites, counts := r.sites()
	lost := make([]string, len(sites))
	parallel(len(sites), func(i int) { lost[i] = v.without(r, sites[i]) })
	for i, s := range sites {
		fmt.Fprintf(w, "%s\t%d times\t%s\n", s, counts[s], lost[i])
		if lost[i] == "" {
			t.Errorf("nothing notices when this fsync is removed: %s", s)
		}
	}
	w.Flush()
	missed, err := unvisited(".", sites)
	if err != nil {
		t.Error(err)
	}
	for _, at := range missed {
		t.Errorf("the recording does not come to this fsync: %s", at)
	}
	t.Logf("what each fsync keeps:\n%s", &table)
}

// stateKey tells apart what a check can tell apart.
type stateKey struct {
	hash [32]byte
	said int
}

type verifier struct {
	check Check
	dir   string
	next  atomic.Int64

	mu     sync.Mutex
	passed map[stateKey]bool
}

// all checks the states of the recording as it is.
func (v *verifier) all(r *Recording) (states int, failures []string) {
	type job struct {
		state State
		key   stateKey
		after moment
		said  []any
	}
	var jobs []job
	seen := map[stateKey]bool{}
	r.replay(Site{}, func(d *disk, m moment, said []any) bool {
		for s := range d.states() {
			if k := (stateKey{s.hash(), len(said)}); !seen[k] {
				seen[k] = true
				jobs = append(jobs, job{s, k, m, said})
			}
		}
		return true
	})
	const enough = 5
	parallel(len(jobs), func(i int) {
		j := jobs[i]
		v.mu.Lock()
		stop := len(failures) >= enough
		v.mu.Unlock()
		if stop {
			return
		}
		err := v.try(j.state, j.said)
		v.mu.Lock()
		defer v.mu.Unlock()
		if err != nil {
			failures = append(failures, fmt.Sprintf("power cut after %s, with %s\n\t%v", j.after, j.state, err))
		} else {
			v.passed[j.key] = true
		}
	})
	return len(jobs), failures
}

// without checks the states that come about without the fsyncs of a site and
// tells the first loss; "" where there is none.
func (v *verifier) without(r *Recording, site Site) (lost string) {
	seen := map[stateKey]bool{}
	r.replay(site, func(d *disk, m moment, said []any) bool {
		for s := range d.states() {
			k := stateKey{s.hash(), len(said)}
			v.mu.Lock()
			known := v.passed[k] || seen[k]
			v.mu.Unlock()
			if known {
				continue
			}
			seen[k] = true
			if err := v.try(s, said); err != nil {
				text, _, _ := strings.Cut(err.Error(), "\n")
				lost = fmt.Sprintf("%.120s (%s, after %.60s)", text, s.Kind, m)
				return false
			}
		}
		return true
	})
	return lost
}

func (v *verifier) try(s State, said []any) error {
	dir := filepath.Join(v.dir, strconv.FormatInt(v.next.Add(1), 10))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := s.Write(dir); err != nil {
		return err
	}
	if err := v.check(dir, said); err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), dir+"/", ""))
	}
	return nil
}

// sites lists where fsyncs are asked for, in the order of their first time.
func (r *Recording) sites() (order []Site, counts map[Site]int) {
	counts = map[Site]int{}
	for _, m := range r.log {
		if m.call.Op != durable.OpSync && m.call.Op != durable.OpSyncDir {
			continue
		}
		if counts[m.site]++; counts[m.site] == 1 {
			order = append(order, m.site)
		}
	}
	return order, counts
}

// parallel calls do for 0 to n-1, in a goroutine for each processor, and waits.
func parallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// unvisited lists the fsyncs in the code of the package in the folder dir that
// are none of sites.
func unvisited(dir string, sites []Site) (missed []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			return nil, err
		}
		if f.Name.Name == "powercut" {
			continue // SaveAndDie's, which other packages' recordings come to
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			of, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := of.X.(*ast.Ident)
			switch method := of.Sel.Name; {
			case method == "Sync" && len(call.Args) == 0:
			case pkg != nil && pkg.Name == "durable" && slices.Contains([]string{"Write", "WriteFile", "WriteNew", "Rename", "SyncDir"}, method):
			default:
				return true
			}
			at := fmt.Sprintf("%s/%s:%d", filepath.Base(dir), filepath.Base(name), set.Position(call.Pos()).Line)
			if !slices.ContainsFunc(sites, func(s Site) bool { return strings.HasPrefix(s.Outside, at+" ") }) {
				missed = append(missed, at)
			}
			return true
		})
	}
	return missed, nil
}
