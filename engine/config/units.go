package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// number parses a whole number from lo to hi. Digits that may go on to a number
// in range are incomplete, not wrong.
func number(lo, hi int) func(string) (int, Verdict) {
	return func(raw string) (int, Verdict) {
		s := strings.TrimSpace(raw)
		rangeText := "A whole number from " + strconv.Itoa(lo) + " to " + strconv.Itoa(hi) + "."
		if s == "" || strings.Trim(s, "0123456789") != "" {
			return 0, wrong("not a number", rangeText)
		}
		n, err := strconv.Atoi(s)
		switch {
		case err != nil || n > hi:
			return 0, wrong("at most "+strconv.Itoa(hi), rangeText)
		case n < lo && n > 0 && n*10 <= hi:
			return 0, below(strconv.Itoa(lo), rangeText) // digits may follow
		case n < lo:
			return 0, wrong("at least "+strconv.Itoa(lo), rangeText)
		}
		return n, fine("")
	}
}

// parsePort judges an SMTP port: RFC 5321 (25), RFC 6409 (587), RFC 8314 (465).
func parsePort(raw string) (int, Verdict) {
	n, v := number(1, 65535)(raw)
	if v.Level != OK {
		return n, v
	}
	switch n {
	case 25:
		return n, fine("usual")
	case 587:
		return n, fine("submission")
	case 465:
		return n, fine("TLS from the start")
	}
	return n, wary("unusual", "Mail servers listen on 25, 587 or 465; others only if the provider says so.")
}

func parseBool(raw string) (bool, Verdict) {
	s := strings.ToLower(strings.TrimSpace(raw))
	switch s {
	case "true", "yes", "on":
		return true, fine("")
	case "false", "no", "off":
		return false, fine("")
	}
	for _, w := range []string{"true", "yes", "on", "false", "no", "off"} {
		if strings.HasPrefix(w, s) {
			return false, half("true or false.")
		}
	}
	return false, wrong("true or false", "true or false.")
}

// choice parses one of some words; a beginning of one is incomplete.
func choice(words ...string) func(string) (string, Verdict) {
	return func(raw string) (string, Verdict) {
		s := strings.ToLower(strings.TrimSpace(raw))
		listed := "One of: " + strings.Join(words, ", ") + "."
		var begun []string
		for _, w := range words {
			if s == w {
				return w, fine("")
			}
			if strings.HasPrefix(w, s) {
				begun = append(begun, w)
			}
		}
		switch len(begun) {
		case 0:
			return "", wrong("not a choice", listed)
		case 1:
			return "", half(listed).fix(begun[0])
		}
		return "", half(listed)
	}
}

const day = 24 * time.Hour

var units = []struct {
	name string
	is   time.Duration
}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", day}}

// readDuration reads "500ms", "10 s", "1.5h", "1h30m", "30d" or a bare number of
// seconds, in steps of 1 ms.
func readDuration(raw string) (time.Duration, Verdict) {
	const forms = "A time such as 500ms, 10s, 5m, 2h or 30d; a bare number is seconds."
	s := strings.ToLower(strings.TrimSpace(raw))
	bad := wrong("not a time", forms)
	if s == "" || len(s) > 40 {
		return 0, bad
	}
	var total float64 // nanoseconds
	for rest := s; rest != ""; {
		i := 0
		for i < len(rest) && (rest[i] >= '0' && rest[i] <= '9' || rest[i] == '.') {
			i++
		}
		n, err := strconv.ParseFloat(rest[:i], 64)
		if err != nil {
			return 0, bad
		}
		if rest[i-1] == '.' {
			if i == len(rest) {
				return 0, half(forms)
			}
			return 0, bad
		}
		rest = strings.TrimLeft(rest[i:], " ")
		j := 0
		for j < len(rest) && rest[j] >= 'a' && rest[j] <= 'z' {
			j++
		}
		unit := rest[:j]
		rest = strings.TrimLeft(rest[j:], " ")
		scale := time.Duration(0)
		for _, u := range units {
			if u.name == unit {
				scale = u.is
			}
		}
		if unit == "" && rest == "" && total == 0 {
			scale = time.Second
		}
		if scale == 0 {
			return 0, bad
		}
		total += n * float64(scale)
	}
	if total > float64(100*365*day) {
		return 0, wrong("too long", forms)
	}
	d := time.Duration(math.Round(total))
	if d%time.Millisecond != 0 {
		return 0, wrong("steps of 1 ms", "Times are given in whole milliseconds.")
	}
	return d, fine("")
}

// duration parses a time from lo to hi.
func duration(lo, hi time.Duration) func(string) (time.Duration, Verdict) {
	return func(raw string) (time.Duration, Verdict) {
		d, v := readDuration(raw)
		if v.Level != OK {
			return 0, v
		}
		between := "From " + formatDuration(lo) + " to " + formatDuration(hi) + "."
		switch {
		case d > hi:
			return 0, wrong("at most "+formatDuration(hi), between)
		case d < lo && strings.Trim(strings.TrimSpace(raw), "0123456789.") == "":
			return 0, below(formatDuration(lo), "At least "+formatDuration(lo)+"; a bare number is seconds.") // a unit or digits may follow
		case d < lo:
			return 0, wrong("at least "+formatDuration(lo), between)
		}
		return d, v
	}
}

// formatDuration writes what readDuration reads, in the largest unit that
// installers use for it: 500ms, 60s, 15m, 2h, 30d.
func formatDuration(d time.Duration) string {
	switch {
	case d >= day && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d >= 10*time.Minute && d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	case d%time.Second == 0:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

var sizes = []struct {
	name string
	is   int64
}{
	{"TB", 1e12}, {"TiB", 1 << 40}, {"GB", 1e9}, {"GiB", 1 << 30}, {"MB", 1e6}, {"MiB", 1 << 20},
	{"kB", 1e3}, {"KiB", 1 << 10}, {"B", 1},
}

// size parses a size in bytes from lo to hi: MB = 10⁶, MiB = 2²⁰; a bare number is bytes.
func size(lo, hi int64) func(string) (int64, Verdict) {
	return func(raw string) (int64, Verdict) {
		const forms = "A size such as 500MB or 2GB (10⁹); GiB is 2³⁰; a bare number is bytes."
		s := strings.TrimSpace(raw)
		i := 0
		for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
			i++
		}
		n, err := strconv.ParseFloat(s[:i], 64)
		unit := strings.TrimSpace(s[i:])
		if err != nil || i > 20 {
			return 0, wrong("not a size", forms)
		}
		scale := int64(0)
		begun := unit == ""
		for _, u := range sizes {
			if strings.EqualFold(u.name, unit) {
				scale = u.is
			}
			begun = begun || len(unit) < len(u.name) && strings.EqualFold(u.name[:len(unit)], unit)
		}
		if unit == "" {
			scale = 1
		}
		b := n * float64(scale)
		between := "From " + formatSize(lo) + " to " + formatSize(hi) + "."
		switch {
		case s[i-1] == '.' && unit == "":
			return 0, half(forms)
		case scale == 0 && begun:
			return 0, half(forms)
		case scale == 0 || s[i-1] == '.':
			return 0, wrong("not a size", forms)
		case b != math.Trunc(b):
			return 0, wrong("not whole bytes", "The size is not a whole number of bytes.")
		case b > float64(hi):
			return 0, wrong("at most "+formatSize(hi), between)
		case b < float64(lo) && begun:
			return 0, below(formatSize(lo), "At least "+formatSize(lo)+"; a bare number is bytes.") // a unit or digits may follow
		case b < float64(lo):
			return 0, wrong("at least "+formatSize(lo), between)
		}
		return int64(b), fine("")
	}
}

// formatSize writes what size reads, exactly.
func formatSize(n int64) string {
	for _, u := range sizes {
		if n >= u.is && n%u.is == 0 && u.is > 1 {
			return strconv.FormatInt(n/u.is, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
