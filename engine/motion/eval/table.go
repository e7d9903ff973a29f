package main

import (
	"fmt"
	"os"
	"strings"
)

const (
	beginMark = "<!-- make eval writes from here -->"
	endMark   = "<!-- to here -->"
)

// table is the rows in Markdown; in each cell the detector, then the baseline.
func table(rows []*row) string {
	var b strings.Builder
	b.WriteString("| scene | shows | events | recall | precision | clean ends | latest start, s | false an hour | minutes of them | pixel F |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	var ours, base result
	for _, r := range rows {
		name := r.name
		if r.reported {
			name += " *"
		} else {
			ours.sum(&r.ours)
			base.sum(&r.base)
		}
		b.WriteString(line(name, r.about, &r.ours, &r.base))
	}
	b.WriteString(line("**all but \\***", "", &ours, &base))
	return b.String()
}

// sum adds a scene's counts to a total.
func (r *result) sum(s *result) {
	if !s.labelled {
		return
	}
	r.labelled = true
	r.True, r.Hits, r.Clean, r.Reported = r.True+s.True, r.Hits+s.Hits, r.Clean+s.Clean, r.Reported+s.Reported
	r.Recall = float64(r.Hits) / float64(max(r.True, 1))
	r.Precision = 1
	if r.Reported > 0 {
		r.Precision = float64(r.Hits) / float64(r.Reported)
	}
	r.Delay = max(r.Delay, s.Delay)
}

func line(name, about string, ours, base *result) string {
	cell := func(value func(r *result) string) string {
		a, b := value(ours), value(base)
		if a == "" && b == "" {
			return ""
		}
		return a + " / " + b
	}
	scored := func(form string, value func(r *result) any) string {
		return cell(func(r *result) string {
			if !r.labelled {
				return ""
			}
			return fmt.Sprintf(form, value(r))
		})
	}
	found := fmt.Sprint(ours.True)
	if !ours.labelled {
		found = fmt.Sprintf("no labels; found %d / %d", ours.Reported, base.Reported)
	}
	cells := []string{name, about, found,
		scored("%.2f", func(r *result) any { return r.Recall }),
		scored("%.2f", func(r *result) any { return r.Precision }),
		scored("%d", func(r *result) any { return r.Clean }),
		cell(func(r *result) string {
			switch {
			case !r.labelled:
				return ""
			case r.Hits == 0:
				return "–"
			}
			return fmt.Sprintf("%.1f", r.Delay)
		}),
		cell(func(r *result) string {
			if !r.hasIdle {
				return ""
			}
			return fmt.Sprintf("%.0f", r.idle)
		}),
		cell(func(r *result) string {
			if !r.hasIdle {
				return ""
			}
			return fmt.Sprintf("%.1f", r.minutes)
		}),
		cell(func(r *result) string {
			if r.pixels.hit+r.pixels.missed == 0 {
				return ""
			}
			return fmt.Sprintf("%.2f", r.pixels.f())
		})}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// list is the events of each row, in frames.
func list(rows []*row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s: true %v, found %v, baseline %v\n", r.name, r.truth, r.ours.found, r.base.found)
	}
	return b.String()
}

// put replaces what stands between the markers of a file.
func put(path, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	s := string(b)
	head, rest, ok := strings.Cut(s, beginMark+"\n")
	_, tail, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no markers %q and %q", path, beginMark, endMark)
	}
	return os.WriteFile(path, []byte(head+beginMark+"\n"+text+endMark+tail), 0o644)
}
