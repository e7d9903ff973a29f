package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// leaves flattens a value: each path below structs, pointers to structs left
// whole; triggers and destinations item by item.
func leaves(v reflect.Value, path string, out map[string]string) {
	switch {
	case v.Kind() == reflect.Struct && (path == "" || strings.Count(path, ".") < 2) && v.Type() != reflect.TypeFor[Extent]():
		for i := range v.NumField() {
			leaves(v.Field(i), path+"."+v.Type().Field(i).Name, out)
		}
	case v.Type() == reflect.TypeFor[[]Trigger]() || v.Type() == reflect.TypeFor[[]Transfer]():
		for i := range v.Len() {
			for j := range v.Index(i).NumField() {
				f := v.Index(i).Field(j)
				if f.Kind() == reflect.Pointer && !f.IsNil() {
					f = f.Elem()
				}
				out[fmt.Sprintf("%s.%d.%s", path, i, v.Index(i).Type().Field(j).Name)] = fmt.Sprintf("%#v", f)
			}
		}
	case v.Type() == reflect.TypeFor[[]string](): // the destinations
		out[path+".*"] = fmt.Sprint(v)
	default:
		out[path] = fmt.Sprintf("%#v", v)
	}
}

// TestFieldTableIsComplete changes each field in turn and sees that exactly one
// leaf of Config or Secrets changes, each leaf by exactly one field.
func TestFieldTableIsComplete(t *testing.T) {
	samples := map[string]string{
		"site.name": "Gate 3", "site.time_zone": "Europe/Berlin", "camera.source": "scene:", "camera.width": "800", "camera.height": "600", "camera.fps": "5", "camera.absorb": "2m",
		"smtp.server": "mail.example.net", "smtp.port": "25", "smtp.security": "tls", "smtp.auth": "plain", "smtp.username": "u", "smtp.password": "p", "smtp.ca_file": "/a", "smtp.pin": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
		"mail.reply_address": "a@example.net", "mail.destinations.*": "b@example.net", "mail.subject": "S", "mail.dst_mark": "true", "mail.hold_off": "5s", "mail.picture_wait": "2s",
		"mail.digest_after": "7", "mail.daily_budget": "500", "mail.state_mails": "false", "mail.heartbeat": "1d",
		"triggers.*.name": "yard", "triggers.*.source": "manual", "triggers.*.threshold": "1", "triggers.*.sensitivity": "2", "triggers.*.zones": "[[1, 2, 3, 4]]", "triggers.*.exclude": "[[1, 2, 3, 4]]", "triggers.*.active": "{days: [mon]}",
		"triggers.*.pre": "1s", "triggers.*.post": "2 images", "triggers.*.interval": "1s", "triggers.*.transfer": "nas", "triggers.*.notify": "false", "triggers.*.hold_off": "7s", "triggers.*.line": "gpiochip0:4",
		"triggers.*.edge": "both", "triggers.*.debounce": "1s", "triggers.*.and": "{source: motion, within: 5s}",
		"triggers.*.enabled": "false", "triggers.*.every": "5m", "triggers.*.quality": "50", "triggers.*.full": "keep", "triggers.*.destinations": "[a@example.net]", "triggers.*.subject": "Yard",
		"transfers.*.name": "nas", "transfers.*.kind": "ftp", "transfers.*.server": "nas.local", "transfers.*.port": "2121", "transfers.*.security": "tls", "transfers.*.username": "u", "transfers.*.password": "p", "transfers.*.key_file": "/k",
		"transfers.*.host_key": "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "transfers.*.ca_file": "/a", "transfers.*.pin": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "transfers.*.path": "{site}", "transfers.*.file": "{n}.jpg",
		"transfers.*.url": "https://nas.local/", "transfers.*.method": "post", "transfers.*.auth": "basic", "transfers.*.headers": "{X-Camera: gate3}", "transfers.*.topic": "a/b", "transfers.*.discovery": "true", "transfers.*.destinations": "[a@example.net]",
		"site.holidays": "[2026-12-25, 01-01]", "camera.buffer": "16MB", "privacy.active": "{days: [mon]}", "privacy.line": "KEY",
		"storage.directory": "/d", "storage.max_bytes": "1GB", "storage.max_age": "1d", "ssh.listen": ":1", "ssh.authorized_keys": "/k", "ssh.password": "let me in",
		"serial": "[{device: /dev/ttyS0, baud: 9600, term: vt100}]", "console.password": "let me in", "version": "1",
	}
	fresh := func() (Config, Secrets) {
		c := slots(Default())
		c.Version = 0 // its only good value is the default
		c.Triggers = []Trigger{ExampleTrigger()}
		c.Transfers = []Transfer{{Name: "box"}}
		transfers.fill(&c, 0)
		c.Transfers[0].Name = "box"
		return c, Secrets{Transfers: map[string]string{}}
	}
	flat := func(c Config, s Secrets) map[string]string {
		out := map[string]string{}
		leaves(reflect.ValueOf(c), "", out)
		out[".Secrets.SMTPPassword"] = s.SMTPPassword
		out[".Secrets.ConsolePassword"] = s.ConsolePassword
		out[".Secrets.SSHPassword"] = s.SSHPassword
		out[".Secrets.Transfers"] = fmt.Sprint(s.Transfers)
		return out
	}
	if n := reflect.TypeFor[Secrets]().NumField(); n != 4 {
		t.Fatalf("Secrets has %d fields: extend this test", n)
	}
	c0, s0 := fresh()
	before := flat(c0, s0)
	by := map[string]string{}
	for _, f := range Fields() {
		sample, ok := samples[f.Key]
		if !ok {
			t.Errorf("no sample for field %s", f.Key)
			continue
		}
		c, s := fresh()
		p := place{c: &c, s: &s}
		f.set(p, sample)
		changed := ""
		for path, was := range before {
			if flat(c, s)[path] != was {
				if changed != "" {
					t.Errorf("field %s changes %s and %s", f.Key, changed, path)
				}
				changed = path
			}
		}
		if changed == "" {
			t.Errorf("field %s changes nothing", f.Key)
		}
		if by[changed] != "" {
			t.Errorf("%s is changed by %s and %s", changed, by[changed], f.Key)
		}
		by[changed] = f.Key
		text := f.get(p)
		c, s = fresh()
		p = place{c: &c, s: &s}
		f.set(p, text)
		if again := f.get(p); again != text {
			t.Errorf("field %s: %q is read back as %q", f.Key, text, again)
		}
	}
	for path := range before {
		if by[path] == "" {
			t.Errorf("no field for %s", path)
		}
	}
}

func TestFieldWords(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Fields() {
		if seen[f.Key] {
			t.Errorf("%s stands twice", f.Key)
		}
		seen[f.Key] = true
		if n := utf8.RuneCountInString(f.Label); n == 0 || n > 15 {
			t.Errorf("%s: label %q has %d columns", f.Key, f.Label, n)
		}
		if n := utf8.RuneCountInString(f.Help); n == 0 || n > 76 {
			t.Errorf("%s: help has %d columns", f.Key, n)
		}
		if f.values == "" {
			t.Errorf("%s: the reference does not say what may stand there", f.Key)
		}
		if f.Default != "" && f.Check(f.Default).Level != OK {
			t.Errorf("%s: its default %q is not ok: %+v", f.Key, f.Default, f.Check(f.Default))
		}
		for _, c := range f.Choices {
			if f.Check(c).Blocks() {
				t.Errorf("%s: its choice %q is refused", f.Key, c)
			}
		}
	}
	for key, label := range map[string]string{"smtp.server": "SMTP server", "smtp.port": "Port", "smtp.security": "Security", "smtp.username": "User name", "smtp.password": "Password", "mail.reply_address": "Reply address", "mail.destinations.1": "Destination 1", "mail.destinations.3": "Destination 3", "mail.subject": "Subject"} {
		if f, ok := Lookup(key); !ok || f.Label != label || f.Key != key {
			t.Errorf("Lookup(%s) = %q %q %v, want label %q", key, f.Key, f.Label, ok, label)
		}
	}
	for key, advice := range map[string]string{"mail.destinations.2": "no notification reaches the wrong party", "mail.reply_address": "address that the provider issued", "smtp.server": "web-only mail service without SMTP cannot be used"} {
		if f, _ := Lookup(key); !strings.Contains(f.Help, advice) {
			t.Errorf("the manual's advice %q does not stand in the help of %s", advice, key)
		}
	}
	for _, key := range []string{"", "smtp", "mail.destinations.4", "mail.destinations.0", "mail.destinations.01", "triggers.yard", "triggers..name", "triggers.yard.nothing", "no.such"} {
		if _, ok := Lookup(key); ok {
			t.Errorf("Lookup(%q) found something", key)
		}
	}
}

func TestDefault(t *testing.T) {
	c := Default()
	want := Config{Version: 1, Camera: Camera{Width: 640, Height: 480, FPS: 15, Buffer: 8 << 20, Absorb: time.Minute}, SMTP: SMTP{Port: 587, Security: "auto", Auth: "auto"},
		Mail: Mail{Subject: "CameraNotification", HoldOff: time.Minute, PictureWait: time.Second, DigestAfter: 20, StateMails: true}, Storage: Storage{MaxBytes: 2e9, MaxAge: 30 * day}, SSH: SSH{Listen: ":2222"}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("Default() = %+v", c)
	}
	if fs := Validate(c, Secrets{}); len(fs) > 0 {
		t.Errorf("the default configuration has findings: %v", fs)
	}
	if MailConfigured(c) {
		t.Error("an empty configuration can send no mail")
	}
	e := ExampleTrigger()
	trigger := Trigger{Name: "motion", Source: "motion", Enabled: true, Threshold: 5, Sensitivity: 5, Zones: []Zone{{0, 0, 100, 100}}, Pre: Extent{Images: 5}, Post: Extent{Time: 10 * time.Second},
		Every: time.Hour, Interval: 500 * time.Millisecond, Quality: 80, Full: "overwrite", Transfer: "none", Notify: true, Edge: "rising", Debounce: 20 * time.Millisecond}
	if !reflect.DeepEqual(e, trigger) {
		t.Errorf("ExampleTrigger() = %+v", e)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := Secrets{SMTPPassword: "hush"}
	l := Loaded{Secrets: s}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v", s, s), fmt.Sprintf("%+v", l)} {
		if strings.Contains(text, "hush") {
			t.Errorf("a secret in %s", text)
		}
	}
	f, _ := Lookup("smtp.password")
	for _, raw := range []string{"hush\n", "hush ", "hush\xff", strings.Repeat("hush", 3000)} {
		if v := f.Check(raw); strings.Contains(v.Short+v.Text+v.Fix, "hush") {
			t.Errorf("a secret in the verdict %+v", v)
		}
	}
}
func TestReference(t *testing.T) {
	r := Reference()
	for _, f := range Fields() {
		if !strings.Contains(r, cell(f.Help)) {
			t.Errorf("%s is not in the reference", f.Key)
		}
	}
	if !strings.Contains(r, "pipe:COMMAND (not in this version)") {
		t.Error("the reference does not say that pipe: is not carried out")
	}
	if r != Reference() {
		t.Error("the reference differs from call to call")
	}
}
