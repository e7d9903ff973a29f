package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// fuzzField feeds any bytes to one field's check. What it accepts must be read
// back by the field as it writes it, and every fix must be acceptable.
func fuzzField(f *testing.F, key string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	field, _ := Lookup(key)
	f.Fuzz(func(t *testing.T, raw string) {
		v := field.Check(raw)
		if utf8.RuneCountInString(v.Short) > 20 {
			t.Errorf("%q: %q is over 20 columns", raw, v.Short)
		}
		if v.Blocks() && v.Text == "" {
			t.Errorf("%q: no sentence", raw)
		}
		if v.Fix != "" && field.Check(v.Fix).Level == Error {
			t.Errorf("%q: the fix %q is wrong: %s", raw, v.Fix, field.Check(v.Fix).Text)
		}
		if v.Blocks() || strings.TrimSpace(raw) == "" {
			return
		}
		sp, _ := find(key)
		text := canonical(sp, raw)
		if again := canonical(sp, text); again != text || field.Check(text).Level.severity() > v.Level.severity() && text != "" {
			t.Errorf("%q is written as %q, which is read as %q", raw, text, again)
		}
	})
}

func seeds(tables ...[]judgement) (all []string) {
	for _, table := range tables {
		for _, j := range table {
			all = append(all, j.raw)
		}
	}
	return all
}

func FuzzServer(f *testing.F)   { fuzzField(f, "smtp.server", seeds(hosts)...) }
func FuzzSubject(f *testing.F)  { fuzzField(f, "mail.subject", seeds(subjects)...) }
func FuzzDuration(f *testing.F) { fuzzField(f, "mail.hold_off", seeds(others["mail.hold_off"])...) }
func FuzzSize(f *testing.F)     { fuzzField(f, "storage.max_bytes", seeds(others["storage.max_bytes"])...) }
func FuzzExtent(f *testing.F) {
	fuzzField(f, "triggers.yard.pre", seeds(others["triggers.yard.pre"])...)
}
func FuzzZones(f *testing.F) {
	fuzzField(f, "triggers.yard.zones", seeds(others["triggers.yard.zones"])...)
}
func FuzzActive(f *testing.F) {
	fuzzField(f, "triggers.yard.active", seeds(others["triggers.yard.active"])...)
}
func FuzzTransfers(f *testing.F) { fuzzField(f, "transfers", seeds(others["transfers"])...) }
func FuzzSource(f *testing.F)    { fuzzField(f, "camera.source", seeds(others["camera.source"])...) }
func FuzzTimeZone(f *testing.F)  { fuzzField(f, "site.time_zone", seeds(others["site.time_zone"])...) }

func FuzzIPv6(f *testing.F) {
	for _, s := range seeds(hosts) {
		if strings.HasPrefix(s, "[") {
			f.Add(strings.Trim(s, "[]"))
		}
	}
	f.Fuzz(func(t *testing.T, inner string) {
		_, v := parseServer("[" + inner + "]")
		if v.Blocks() {
			return
		}
		if HostForDial("["+inner+"]") != inner {
			t.Errorf("[%s] is dialled as %q", inner, HostForDial("["+inner+"]"))
		}
		if _, bare := parseServer(inner); bare.Level != Error && !strings.Contains(inner, "]") {
			t.Errorf("%q is accepted without brackets", inner)
		}
		if !mayBecomeIPv6(inner) {
			t.Errorf("%q is complete, but cannot be typed", inner)
		}
	})
}

func FuzzAddress(f *testing.F) {
	for _, s := range seeds(addresses) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		_, v := parseAddress(raw)
		ascii, utf8Needed, err := AddressForEnvelope(raw)
		if (err != nil) != v.Blocks() {
			t.Fatalf("%q: %v, verdict %+v", raw, err, v)
		}
		if err != nil {
			return
		}
		if len(ascii) > 254 || strings.ContainsAny(ascii, "\r\n\x00") || utf8Needed == isASCII(ascii) {
			t.Errorf("%q goes out as %q (SMTPUTF8 %v)", raw, ascii, utf8Needed)
		}
		if again, _, err := AddressForEnvelope(ascii); err != nil || again != ascii {
			t.Errorf("%q goes out as %q, which is no address: %v", raw, ascii, err)
		}
	})
}

// FuzzLoad reads any bytes as a configuration. What is accepted must survive a
// change of any kind.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(twoPlaces))
	for _, s := range []string{"", "smtp:\n", "mail: {destinations: [a@x.org]}\n", "triggers:\n- name: a\n", "site: {name: 'a\n  b'}\n", "site:\n  name: >-\n    x\n", "? smtp\n: {port: 25}\n", "smtp: {port: 25,}\n", "\"smtp\": {\"port\":25}\n", "smtp: !!map {}\n", "a: &b c\n", "smtp:\n    # c\n    port: 25 # d\n"} {
		f.Add([]byte(s))
	}
	changes := []Change{{"site.name", "a: #b"}, {"smtp.port", "25"}, {"mail.destinations.1", "z@example.org"}, {"mail.hold_off", "7"}, {"triggers.1.threshold", "3"}, {"storage.max_age", "9d"}, {"transfers.1.name", "z"}, {"transfers.1.port", "2222"}, {"triggers.1.destinations", "z@example.org"}, {"site.holidays", "12-25"}}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		file := Open(filepath.Join(dir, "watchpost.yaml")) // a worker has one folder and one input at a time
		l, _ := file.judge(content{config: data})
		for _, x := range l.Findings {
			if s := x.String(); strings.ContainsAny(s, "\n\r\x1b") {
				t.Errorf("a finding of more than one line: %q", s)
			}
		}
		if hasErrors(l.Findings) {
			return
		}
		ch := changes[len(data)%len(changes)]
		if err := os.WriteFile(file.Path(), data, 0o600); err != nil {
			t.Fatal(err)
		}
		saved, err := file.Save([]Change{ch})
		if err != nil { // a layout that cannot be changed safely: nothing is
			if now, rerr := os.ReadFile(file.Path()); rerr != nil || string(now) != string(data) {
				t.Fatalf("%v, and %q became %q (%v)", err, data, now, rerr)
			}
			return
		}
		again, _ := file.Load()
		want, _, refused := apply(l.Config, l.Secrets, []Change{ch})
		if len(refused) > 0 || hasErrors(again.Findings) || !equal(again.Config, want) || !equal(saved.Config, want) {
			t.Errorf("%v on %q loads as something else: %v", ch.Key, data, lines(again.Findings))
		}
	})
}

// FuzzSave types any text into any field and saves it. What Save accepts loads
// again and says the same; what it does not accept changes nothing.
func FuzzSave(f *testing.F) {
	keys := append([]string{"mail.destinations", "triggers", "mail.destinations.1", "mail.destinations.3", "triggers.yard.name", "triggers.by hand.source", "triggers.2.zones", "no.such", "transfers"}, byKeys()...)
	for i := range transferFields {
		keys = append(keys, strings.Replace(transferFields[i].Key, "*", "nas", 1))
	}
	for i := range keys {
		f.Add(uint8(i), "auto", "x")
	}
	for _, s := range seeds(addresses) {
		f.Add(uint8(0), s, s)
	}
	for _, s := range seeds(others["triggers"]) {
		f.Add(uint8(1), s, s)
	}
	for _, s := range seeds(others["transfers"]) {
		f.Add(uint8(8), s, s)
	}
	for n := range transferFields {
		for _, s := range seeds(others[keys[len(keys)-1-n]]) {
			f.Add(uint8(len(keys)-1-n), s, s)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, raw, secret string) {
		file := Open(filepath.Join(t.TempDir(), "watchpost.yaml"))
		changes := []Change{{keys[int(n)%len(keys)], raw}, {"smtp.password", secret}, {"transfers.web.password", secret}}
		text := example + twoPlaces[strings.Index(twoPlaces, "transfers:"):]
		if changes[0].Key == transfers.key {
			changes = changes[:2] // there may be no such transfer any more
			text = strings.NewReplacer("  # in the cellar\n", "", "   # the box", "", "   # asked for", "").Replace(text)
		}
		if changes[0].Key == triggers.key { // comments inside would be refused
			text = strings.NewReplacer("  # the yard\n", "", "   # nights", "", "   # yes", "").Replace(text)
		}
		if err := os.WriteFile(file.Path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file.secretsPath(), []byte(twoSecrets), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := file.Save(changes)
		again, loadErr := file.Load()
		switch {
		case loadErr != nil || hasErrors(again.Findings):
			t.Fatalf("%q was saved and does not load: %v %v", changes, loadErr, again.Findings)
		case err == nil && (!equal(again.Config, l.Config) || !again.Secrets.Equal(l.Secrets)):
			t.Fatalf("%q was saved and loads differently", changes)
		case errors.Is(err, ErrRefused) && !hasErrors(l.Findings):
			t.Fatalf("%q was refused without a reason", changes)
		case err != nil && !errors.Is(err, ErrRefused):
			t.Fatalf("%q: %v", changes, err)
		}
	})
}

func byKeys() (all []string) {
	for _, f := range Fields() {
		all = append(all, f.Key)
	}
	return all
}

// FuzzDraft types any bytes into any field: no panic, and a draft that nothing
// blocks gives changes that are accepted.
func FuzzDraft(f *testing.F) {
	for _, s := range append(seeds(hosts, addresses, subjects), seeds(values()...)...) {
		f.Add("smtp.server", s)
		f.Add("mail.destinations.2", s)
		f.Add("triggers.yard.name", s)
		f.Add("transfers.nas.name", s)
		f.Add("transfers", s)
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, key, raw string) {
		d := drafted()
		d.Set(key, raw)
		v := d.Verdict(key)
		if utf8.RuneCountInString(v.Short) > 20 {
			t.Errorf("%q %q: %q is over 20 columns", key, raw, v.Short)
		}
		_, blocked := d.Blocking()
		_, _, found := PatchFor(d.base.Config, d.marks(), d.Changes())
		if !blocked && hasErrors(found) {
			t.Errorf("%q %q: nothing blocks, but it is refused: %v", key, raw, found)
		}
		base := d.base
		d.Rebase(base)
	})
}
