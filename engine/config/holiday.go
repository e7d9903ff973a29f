package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const maxHolidays = 64

// parseHolidays judges a list of dates: YAML, or separated by commas or blanks.
func parseHolidays(raw string) ([]Date, Verdict) {
	const text = "Holidays are dates: [2026-12-25, 01-01]; without a year it is each year's."
	s := strings.TrimSpace(raw)
	if !strings.HasPrefix(s, "[") && !strings.HasPrefix(s, "-") {
		s = "[" + strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }), ", ") + "]"
	}
	list, v := wordsOf(s, text)
	if v.Blocks() {
		return nil, v
	}
	if len(list) > maxHolidays {
		return nil, wrong("at most 64 holidays", "There are at most 64 holidays.")
	}
	var all []Date
	seen := map[Date]bool{}
	for _, w := range list {
		d, v := parseDate(w)
		if v.Level != OK {
			return nil, v
		}
		if seen[d] {
			return nil, wrong("comes twice", "The date "+d.String()+" comes twice.")
		}
		seen[d] = true
		all = append(all, d)
	}
	return all, fine("")
}

// parseDate judges 2026-12-25, or 12-25 for each year.
func parseDate(s string) (Date, Verdict) {
	const text = "A date is 2026-12-25, or 12-25 for each year."
	s = strings.TrimSpace(s)
	var d Date
	rest := s
	if len(s) > 5 {
		year, err := strconv.Atoi(s[:4])
		if err != nil || s[4] != '-' || year < 1970 {
			return d, wrong("not a date", text)
		}
		d.Year, rest = year, s[5:]
	}
	if strings.Trim(rest, "0123456789-") != "" {
		return d, wrong("not a date", text)
	}
	if len(rest) < 5 {
		return d, half(text)
	}
	month, err := strconv.Atoi(rest[:2])
	dayOf, err2 := strconv.Atoi(rest[3:])
	if err != nil || err2 != nil || len(rest) != 5 || rest[2] != '-' || rest[3] == '-' {
		return d, wrong("not a date", text)
	}
	year := d.Year
	if year == 0 {
		year = 2000 // a leap year: 02-29 comes in some
	}
	d.Month, d.Day = time.Month(month), dayOf
	if t := time.Date(year, d.Month, d.Day, 0, 0, 0, 0, time.UTC); t.Month() != d.Month || t.Day() != d.Day {
		return d, wrong("no such day", "There is no day "+quote(s)+" in the calendar.")
	}
	return d, fine("")
}

// String is the date as the file has it.
func (d Date) String() string {
	if d.Year == 0 {
		return fmt.Sprintf("%02d-%02d", d.Month, d.Day)
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

func formatHolidays(all []Date) string {
	if len(all) == 0 {
		return ""
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, d := range all {
		n.Content = append(n.Content, scalar(d.String(), word))
	}
	return flowText(n)
}

// neverComes reports that spans of active time have no day any more: they are for
// holidays, and there is none, or each of them is past.
func neverComes(spans []Span, holidays []Date, today time.Time) bool {
	if len(spans) == 0 {
		return false
	}
	for _, s := range spans {
		if len(s.Days) > 0 || !s.Holiday {
			return false
		}
	}
	return !holidayComes(holidays, today.AddDate(0, 0, -1)) // one that began yesterday may run over midnight
}

// holidayComes reports whether a holiday is on a day or after it.
func holidayComes(holidays []Date, from time.Time) bool {
	year, month, dayOf := from.Date()
	for _, d := range holidays {
		if d.Year == 0 || d.Year > year || d.Year == year && (d.Month > month || d.Month == month && d.Day >= dayOf) {
			return true
		}
	}
	return false
}

// isAlways reports that spans cover every minute of every day from today on.
func isAlways(spans []Span, holidays []Date, today time.Time) bool {
	const all = 24 * 60
	const kinds = 8 // the weekdays, and a holiday
	var covered [kinds][all]bool
	on := func(s Span, kind int) bool {
		if len(s.Days) == 0 && !s.Holiday {
			return true
		}
		if kind == 7 {
			return s.Holiday
		}
		for _, d := range s.Days {
			if int(d) == kind {
				return true
			}
		}
		return false
	}
	for _, s := range spans {
		for kind := range kinds {
			next := (kind + 1) % 7
			if kind == 7 {
				next = 7 // the day after a holiday may be one: taken for it
			}
			if !on(s, kind) {
				continue
			}
			from, to := s.From, s.To
			switch {
			case from == to:
				from, to = 0, all
			case to < from:
				to += all
			}
			for m := from; m < to; m++ {
				if m < all {
					covered[kind][m] = true
				} else {
					covered[next][m-all] = true
				}
			}
		}
	}
	for kind := range kinds {
		if kind == 7 && !holidayComes(holidays, today) {
			break
		}
		for _, c := range covered[kind] {
			if !c {
				return false
			}
		}
	}
	return len(spans) > 0
}
