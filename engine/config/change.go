package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"watchpost/engine/event"
)

// clone copies c so deeply that nothing is shared.
func clone(c Config) Config {
	c.Mail.Destinations = slices.Clone(c.Mail.Destinations)
	c.Transfers = slices.Clone(c.Transfers)
	for i := range c.Transfers {
		t := &c.Transfers[i]
		t.Headers = maps.Clone(t.Headers)
		t.Destinations = slices.Clone(t.Destinations)
	}
	c.Site.Holidays = slices.Clone(c.Site.Holidays)
	c.Privacy.Active = cloneSpans(c.Privacy.Active)
	c.Serial = slices.Clone(c.Serial)
	c.Triggers = slices.Clone(c.Triggers)
	for i := range c.Triggers {
		t := &c.Triggers[i]
		t.Zones, t.Exclude = slices.Clone(t.Zones), slices.Clone(t.Exclude)
		t.Active = cloneSpans(t.Active)
		t.Destinations = slices.Clone(t.Destinations)
		if t.HoldOff != nil {
			h := *t.HoldOff
			t.HoldOff = &h
		}
		if t.And != nil {
			a := *t.And
			t.And = &a
		}
	}
	return c
}

func cloneSpans(spans []Span) []Span {
	spans = slices.Clone(spans)
	for i := range spans {
		spans[i].Days = slices.Clone(spans[i].Days)
	}
	return spans
}

// slots is a copy of c with a place for each destination that there may be.
func slots(c Config) Config {
	c = clone(c)
	for len(c.Mail.Destinations) < MaxDestinations {
		c.Mail.Destinations = append(c.Mail.Destinations, "")
	}
	return c
}

// closeGaps takes empty destinations out.
func closeGaps(c *Config) {
	c.Mail.Destinations = slices.DeleteFunc(c.Mail.Destinations, func(a string) bool { return a == "" })
	if len(c.Mail.Destinations) == 0 {
		c.Mail.Destinations = nil
	}
}

// PatchFor returns the configuration that base plus changes gives, for a diagnosis
// of what is not saved. Nothing is written.
func PatchFor(c Config, s Secrets, changes []Change) (Config, Secrets, []Finding) {
	c, s, refused := apply(c, s, changes)
	return c, s, append(refused, Validate(c, s)...)
}

// apply makes changes in a copy of c. What does not stand alone is reported and
// left as it was. Keys are those of c, also where a change renames an item.
func apply(base Config, s Secrets, changes []Change) (Config, Secrets, []Finding) {
	c, s := slots(base), s.clone()
	var out []Finding
	refuse := func(key string, v Verdict) {
		out = append(out, Finding{Key: key, Verdict: v.final()})
	}
	for _, ch := range changes { // a whole list at once, before one of its items
		ls := listIn(ch.Key)
		if ls == nil || ch.Key != ls.key {
			continue
		}
		all := Config{}
		if strings.TrimSpace(ch.Value) != "" {
			var v Verdict
			if all, v = ls.parse(ch.Value); v.Blocks() {
				refuse(ch.Key, v)
				continue
			}
		}
		ls.copy(&c, &all)
	}
	for _, t := range base.Transfers { // a password goes with its transfer
		if !transfers.has(&c, t.Name) {
			delete(s.Transfers, t.Name)
		}
	}
	type job struct {
		spot
		p     place
		value string
	}
	var jobs []job
	for _, ch := range changes {
		sp, ok := find(ch.Key)
		switch {
		case sp.whole():
		case !ok:
			refuse(ch.Key, noField(ch.Key))
		case ch.Key == destinationsKey:
			list, v := splitDestinations(ch.Value)
			if v.Blocks() {
				refuse(ch.Key, v)
				continue
			}
			for i := range MaxDestinations {
				item := ""
				if i < len(list) {
					item = list[i]
				}
				key := destinationsKey + "." + strconv.Itoa(i+1)
				jobs = append(jobs, job{spot{key: key, f: sp.f, item: i + 1}, place{c: &c, s: &s, item: i}, item})
			}
		default:
			p, ok := sp.at(&c, &s)
			if !ok {
				v := wrong("unknown key", "There is no such key.")
				if sp.in != nil {
					v = sp.in.none(sp.name)
				}
				refuse(ch.Key, v)
				continue
			}
			jobs = append(jobs, job{sp, p, ch.Value})
		}
	}
	// Names last: a password is found by the name that its transfer has.
	slices.SortStableFunc(jobs, func(a, b job) int { return rank(a.spot) - rank(b.spot) })
	old := clone(c)
	for _, j := range jobs {
		if v := j.f.Check(j.value); v.Blocks() {
			refuse(j.key, v)
			continue
		}
		if j.in != &triggers {
			j.f.set(j.p, j.value)
			continue
		}
		t := &c.Triggers[j.p.item]
		was := t.Source
		j.f.set(j.p, j.value)
		if (was == event.Timer) != (t.Source == event.Timer) {
			t.Notify = was == event.Timer // a timer never notifies, the others do unless told otherwise
		}
	}
	for i := range c.Triggers {
		settleAnd(&c.Triggers[i])
	}
	followNames(old, &c, &s)
	closeGaps(&c)
	return c, s, out
}

func rank(sp spot) int {
	if sp.in != nil && sp.leaf() == "name" {
		return 1
	}
	return 0
}

// followNames takes the passwords of renamed transfers and what triggers call them
// to the new names.
func followNames(old Config, c *Config, s *Secrets) {
	to, taken := map[string]string{}, map[string]bool{}
	for i, t := range old.Transfers {
		if now := c.Transfers[i].Name; now != t.Name && transfers.index(&old, t.Name) == i {
			to[t.Name], taken[now] = now, true
		}
	}
	if len(to) == 0 {
		return
	}
	passwords := map[string]string{}
	for name, value := range s.Transfers {
		if now, ok := to[name]; ok {
			passwords[now] = value
		} else if !taken[name] {
			passwords[name] = value
		}
	}
	s.Transfers = passwords
	for i := range c.Triggers {
		if now, ok := to[c.Triggers[i].Transfer]; ok {
			c.Triggers[i].Transfer = now
		}
	}
}

// splitDestinations reads a list of addresses: YAML, or separated by commas,
// semicolons or spaces outside quotes.
func splitDestinations(raw string) ([]string, Verdict) {
	s := strings.TrimSpace(raw)
	var list []string
	if strings.HasPrefix(s, "[") {
		n, v := parseFlow(s)
		if v.Blocks() {
			return nil, v
		}
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return nil, wrong("not addresses", "Destinations are a list of addresses: [a@example.net, b@example.net].")
			}
			list = append(list, item.Value)
		}
	} else {
		start := 0
		for i := 0; i <= len(s); i++ {
			if i == len(s) || strings.IndexByte(",; \t", s[i]) >= 0 && !insideQuotes(s, i) {
				if i > start {
					list = append(list, s[start:i])
				}
				start = i + 1
			}
		}
	}
	if len(list) > MaxDestinations {
		return nil, wrong("at most 3", "There are at most 3 destinations.")
	}
	return list, fine("")
}

// valueIn returns a field's text in c, as its get writes it.
func valueIn(c *Config, s *Secrets, key string) (string, bool) {
	sp, ok := find(key)
	if !ok {
		return "", false
	}
	if key == destinationsKey {
		return strings.Join(c.Mail.Destinations, ", "), true
	}
	p, ok := sp.at(c, s)
	if !ok {
		return "", sp.item > 0
	}
	return sp.f.get(p), true
}
