package config

import (
	"slices"
	"strconv"
	"strings"
)

// Draft is a configuration being edited: it holds whatever has been typed, right
// or wrong. It belongs to one goroutine.
type Draft struct {
	base  Settings
	typed map[string]string // by key; only what differs from the base

	judged *judged // of the draft as a whole; nil after a change
}

// judged is what follows from all fields together.
type judged struct {
	config Config // base and every typed value that stands alone
	listed Config // base and the lists that were typed whole: in it the items have the names that they have in the draft's keys
	cross  []crossFinding
}

// NewDraft starts from the configuration in force. secretSet says which secrets
// are set, without their values.
func NewDraft(base Settings) *Draft {
	base.Config = clone(base.Config)
	return &Draft{base: base, typed: map[string]string{}}
}

// key gives the one spelling of a key: triggers.1.name becomes triggers.yard.name.
func (d *Draft) key(key string) string {
	sp, ok := find(key)
	if !ok || sp.name == "" {
		return key
	}
	if i := sp.in.index(&d.base.Config, sp.name); i >= 0 {
		return sp.in.keyOf(&d.base.Config, i) + "." + sp.leaf()
	}
	return key
}

// baseText is a field's text in the base; a secret has none.
func (d *Draft) baseText(key string) string {
	sp, ok := find(key)
	if ok && sp.f.plain != nil {
		if p, ok := sp.at(&d.base.Config, &Secrets{}); ok {
			return sp.f.plain(p)
		}
	}
	s, _ := valueIn(&d.base.Config, &Secrets{}, key)
	return s
}

// Raw returns the text of a field: what was typed, else the base's value; a secret
// that was not typed is empty (see SecretSet).
func (d *Draft) Raw(key string) string {
	key = d.key(key)
	if s, ok := d.typed[key]; ok {
		return s
	}
	return d.baseText(key)
}

// SecretSet reports whether a secret has a value, saved or typed.
func (d *Draft) SecretSet(key string) bool {
	key = d.key(key)
	if s, ok := d.typed[key]; ok {
		return s != ""
	}
	return d.base.Secrets[key]
}

// Set changes a field's text. Setting the base's text again makes it unchanged;
// for a secret that is the empty text, since its value is not known here: see Clear.
func (d *Draft) Set(key, raw string) {
	key = d.key(key)
	d.judged = nil
	if raw == d.baseText(key) {
		delete(d.typed, key)
		return
	}
	d.typed[key] = raw
}

// Clear empties a field. Of a secret it takes the saved value away, which Set cannot.
func (d *Draft) Clear(key string) {
	key = d.key(key)
	d.Set(key, "")
	if d.base.Secrets[key] {
		d.typed[key] = ""
	}
}

// whole judges the draft as a whole, once after each change.
func (d *Draft) whole() *judged {
	if d.judged == nil {
		c, s, _ := apply(d.base.Config, d.marks(), d.Changes())
		// A gap among the typed destinations closes when they are saved; until then
		// each finding stands at the field where the address was typed.
		w := slots(c)
		for i := range MaxDestinations {
			w.Mail.Destinations[i] = strings.TrimSpace(d.Raw(destinationsKey + "." + strconv.Itoa(i+1)))
		}
		if _, ok := d.typed[destinationsKey]; !ok && len(c.Mail.Destinations) > 0 {
			c.Mail.Destinations = w.Mail.Destinations
		}
		d.judged = &judged{c, d.listed(), cross(c, s)}
		for i := range d.judged.cross { // an item that is being renamed keeps its key until it is saved
			x := &d.judged.cross[i]
			x.Key = rekeyed(x.Key, &c, &d.judged.listed)
			for j := range x.also {
				x.also[j] = rekeyed(x.also[j], &c, &d.judged.listed)
			}
		}
	}
	return d.judged
}

// Tells reports whether the draft tells a finding too, at the same field.
func (d *Draft) Tells(f Finding) bool {
	v := d.Verdict(f.Key)
	return v.Level == f.Level && v.Text == f.Text || slices.ContainsFunc(d.whole().cross, func(x crossFinding) bool {
		return x.Key == f.Key && x.Level == f.Level && x.Text == f.Text
	})
}

// marks stand for the secrets that are set; their values are not known here.
func (d *Draft) marks() Secrets {
	var s Secrets
	for key, set := range d.base.Secrets {
		sp, ok := find(key)
		if p, there := sp.at(&d.base.Config, &s); ok && there && set {
			sp.f.set(p, "set")
		}
	}
	return s
}

// listed is the base with the lists that were typed whole.
func (d *Draft) listed() Config {
	var typed []Change
	for _, ls := range lists {
		if raw, ok := d.typed[ls.key]; ok {
			typed = append(typed, Change{ls.key, raw})
		}
	}
	c, _, _ := apply(d.base.Config, Secrets{}, typed)
	return c
}

// rekeyed is the key of an item of one configuration in another that has the same
// items by other names.
func rekeyed(key string, from, to *Config) string {
	sp, ok := find(key)
	if !ok || sp.name == "" {
		return key
	}
	if i := sp.in.index(from, sp.name); i >= 0 && i < sp.in.size(to) {
		return sp.in.keyOf(to, i) + "." + sp.leaf()
	}
	return key
}

// Verdict judges a field within the whole draft: its own check, then cross-field rules.
func (d *Draft) Verdict(key string) Verdict {
	key = d.key(key)
	sp, ok := find(key)
	if !ok {
		return noField(key)
	}
	if sp.name != "" && sp.in.index(&d.whole().listed, sp.name) < 0 {
		return sp.in.none(sp.name)
	}
	if d.idle(key) {
		return Verdict{Level: Empty}
	}
	v := d.own(sp)
	if v.Blocks() {
		return v
	}
	for _, x := range d.whole().cross {
		if (x.Key == key || slices.Contains(x.also, key)) && x.Level.severity() > v.Level.severity() {
			v = x.Verdict
			if x.Key != key {
				v.Fix = "" // it would cure the other field
			}
		}
	}
	switch {
	case v.Level > OK:
	case key == "smtp.security" && d.whole().config.SMTP.Security == "auto":
		v = Verdict{Level: Empty, Short: securityShort(d.whole().config.SMTP)}
	case key == "camera.buffer":
		v.Short = bufferShort(d.whole().config)
	case sp.f.Key == andKey+".line" && v.Level == Empty && d.wired(sp):
		v = wary("line is missing", "This source needs the input's line, such as gpiochip0:4.")
	case sp.item > 0 && v.Level == Empty && d.gap(sp.item):
		v.Short = "closed up when saved"
	}
	return v
}

// own is a field's verdict without the others.
func (d *Draft) own(sp spot) Verdict {
	raw, typed := d.typed[sp.key]
	switch {
	case sp.f.Secret && !typed:
		if d.base.Secrets[sp.key] {
			return fine("")
		}
		return Verdict{Level: Empty}
	case !typed:
		raw = d.baseText(sp.key)
	}
	if sp.key == destinationsKey {
		list, v := splitDestinations(raw)
		for _, a := range list {
			if w := sp.f.Check(a); w.Level.severity() > v.Level.severity() {
				v = w
			}
		}
		return v
	}
	return sp.f.Check(raw)
}

// wired reports whether the second source of a trigger has a line.
func (d *Draft) wired(sp spot) bool {
	p, ok := sp.at(&d.whole().config, &Secrets{})
	return ok && andOf(p).wired()
}

// gap reports whether a destination after the n-th is typed.
func (d *Draft) gap(n int) bool {
	for n++; n <= MaxDestinations; n++ {
		if strings.TrimSpace(d.Raw(destinationsKey+"."+strconv.Itoa(n))) != "" {
			return true
		}
	}
	return false
}

// Changed reports whether key, or for "" anything, differs from the base.
func (d *Draft) Changed(key string) bool {
	if key == "" {
		return len(d.Changes()) > 0
	}
	key = d.key(key)
	_, ok := d.typed[key]
	return ok && !d.idle(key)
}

// idle reports that a key is of a second source that a trigger does not have: what
// was typed there is kept for when it has one again, and is no change until then.
func (d *Draft) idle(key string) bool {
	sp, ok := find(key)
	if !ok || sp.f.of != andKey || sp.leaf() == "and.source" {
		return false
	}
	of, _ := strings.CutSuffix(key, sp.leaf())
	if _, whole := d.typed[of+"and"]; whole {
		return false
	}
	source := d.Raw(of + "and.source")
	return source == "" || source == "none"
}

// Changes returns what differs, in the order of the field table, ready for Apply.
func (d *Draft) Changes() []Change {
	var out []Change
	seen := map[string]bool{}
	take := func(key string) {
		if raw, ok := d.typed[key]; ok && !seen[key] && !d.idle(key) {
			seen[key] = true
			out = append(out, Change{key, raw})
		}
	}
	for _, ls := range lists {
		take(ls.key)
	}
	take(destinationsKey)
	for _, sp := range spots(&d.base.Config) {
		take(sp.key)
	}
	rest := make([]string, 0, len(d.typed))
	for key := range d.typed { // keys that the base does not have
		rest = append(rest, key)
	}
	slices.Sort(rest)
	for _, key := range rest {
		take(key)
	}
	return out
}

// Blocking returns the first finding that blocks a save (Error or Incomplete), or
// false. Fields that were not typed in count too where a rule joins them.
func (d *Draft) Blocking() (Finding, bool) {
	for _, ch := range d.Changes() { // what was changed is to be changed again, not what it does not fit
		if v := d.Verdict(ch.Key); v.Blocks() {
			return Finding{Key: ch.Key, Verdict: v}, true
		}
	}
	for _, sp := range spots(&d.base.Config) {
		if v := d.Verdict(sp.key); v.Blocks() {
			return Finding{Key: sp.key, Verdict: v}, true
		}
	}
	return Finding{}, false
}

// Rebase puts the draft's changes on top of a newer configuration and returns
// the keys that were changed on both sides. A change that the newer one already
// has is gone.
func (d *Draft) Rebase(base Settings) (conflicts []string) {
	old := *d
	mine, _, _ := apply(old.base.Config, Secrets{}, old.Changes())
	d.base, d.typed, d.judged = base, map[string]string{}, nil
	d.base.Config = clone(base.Config)
	destinationsSame := slices.Equal(mine.Mail.Destinations, d.base.Config.Mail.Destinations)
	for _, ch := range old.Changes() {
		isDestination := ch.Key == destinationsKey || strings.HasPrefix(ch.Key, destinationsKey+".")
		if isDestination && destinationsSame {
			continue // gaps may have been closed on the way
		}
		was := ch.Key
		ch.Key = old.renamed(ch.Key, &d.base.Config)
		now := d.baseText(ch.Key)
		sp, ok := find(ch.Key)
		if ok && !sp.f.Secret && canonical(sp, ch.Value) == now || ok && sp.f.Secret && ch.Value == "" && !d.base.Secrets[ch.Key] {
			continue
		}
		d.typed[ch.Key] = ch.Value
		if now != old.baseText(was) {
			conflicts = append(conflicts, ch.Key)
		}
	}
	return conflicts
}

// renamed is a key in a newer configuration that has an item by the name that the
// draft gave it, and no longer by its old one.
func (d *Draft) renamed(key string, newer *Config) string {
	sp, ok := find(key)
	if !ok || sp.name == "" || sp.in.index(newer, sp.name) >= 0 {
		return key
	}
	name := strings.TrimSpace(d.typed[sp.in.key+"."+sp.name+".name"])
	if i := sp.in.index(newer, name); i >= 0 {
		return sp.in.keyOf(newer, i) + "." + sp.leaf()
	}
	return key
}

// canonical is how get would write a typed value; the value itself where it does not stand.
func canonical(sp spot, raw string) string {
	if sp.f.Check(raw).Blocks() || sp.key == destinationsKey {
		return raw
	}
	c := slots(Default())
	for _, ls := range lists {
		ls.copy(&c, &Config{})
		ls.grow(&c)
	}
	p := place{c: &c, s: &Secrets{}, item: max(sp.item-1, 0)}
	sp.f.set(p, raw)
	return sp.f.typed(p)
}
