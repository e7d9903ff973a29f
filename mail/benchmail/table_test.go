package benchmail

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var wanted = flag.Bool("table", false, "measure, and print the table on standard output")

// table is Markdown with the rows of all measurements.
type table struct{ bytes.Buffer }

// section begins a measurement; unit says what its figures are.
func (t *table) section(name, unit string) { t.row("**"+name+"**", "**"+unit+"**", "") }

func (t *table) row(what, figure, ratio string) {
	fmt.Fprintf(t, "| %s | %s | %s |\n", what, figure, ratio)
}

// ratio is x beside Watchpost's own y.
func ratio(x, y float64) string { return fmt.Sprintf("%.2f", x/y) }

// TestTable measures everything in one run, so that the ratios hold whatever the
// machine is doing. It fails where something cannot be measured, never for a figure.
func TestTable(t *testing.T) {
	if !*wanted {
		t.Skip("measures for minutes: run `make bench-mail`")
	}
	var rows table
	rows.row("", "", "÷ Watchpost's")
	rows.row("---", "---", "---:")
	for _, part := range []struct {
		name    string
		measure func(*testing.T, *table)
	}{
		{"latency", latency}, {"enqueue", enqueue}, {"wire", wire}, {"memory", memory}, {"queue", queue},
	} {
		t.Run(part.name, func(t *testing.T) {
			defer func() {
				if t.Skipped() {
					rows.section(part.name, "not measured: a program is missing (see `make deps`)")
				}
			}()
			part.measure(t, &rows)
		})
	}
	if !t.Failed() {
		fmt.Printf("\n%s\n%s\n", machine(), rows.String())
	}
}

// machine says what the figures were taken on.
func machine() string {
	cpu := runtime.GOARCH
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.HasPrefix(name, "model name") {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	load, _, _ = bytes.Cut(load, []byte(" "))
	return fmt.Sprintf("%s, %d of them; %s; load at the end %s; %s\n", cpu, runtime.NumCPU(), runtime.Version(), load, time.Now().Format(time.DateOnly))
}

// times are durations of the same thing.
type times []time.Duration

// at returns the quantile q, 0 to 1, by nearest rank.
func (d times) at(q float64) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

// beside is the median ratio of d to own, of those taken by turns.
func (d times) beside(own times) string {
	var all []float64
	for i := range d {
		all = append(all, float64(d[i])/float64(own[i]))
	}
	slices.Sort(all)
	return fmt.Sprintf("%.2f", all[len(all)/2])
}

func (d times) String() string {
	return fmt.Sprintf("%.2f, %.2f", ms(d.at(0.5)), ms(d.at(0.99)))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func TestTimes(t *testing.T) {
	var d times
	for i := range 200 {
		d = append(d, time.Duration(199-i))
	}
	if got := (times{10, 200, 60}).beside(times{20, 100, 20}); got != "2.00" {
		t.Errorf("ratio %s", got)
	}
	if d.at(0.5) != 100 || d.at(0.99) != 198 || d.at(1) != 199 || d[0] != 199 {
		t.Errorf("%d %d %d", d.at(0.5), d.at(0.99), d.at(1))
	}
}
