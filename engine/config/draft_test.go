package config

import (
	"reflect"
	"testing"
)

func drafted() *Draft {
	c, _ := mailed()
	yard := ExampleTrigger()
	yard.Name = "yard"
	c.Triggers = []Trigger{yard}
	nas, _ := placeOf("sftp")
	c.Transfers = []Transfer{nas}
	return NewDraft(Settings{Config: c, Revision: "1", Secrets: map[string]bool{"smtp.password": true, "transfers.nas.password": true}})
}

// TestMailPageMockUp is the Mail page of design/product.md, field by field.
func TestMailPageMockUp(t *testing.T) {
	d := drafted()
	d.Set("smtp.username", "gate3@example.net")
	d.Set("mail.reply_address", "gate3@exmaple.net")
	d.Set("mail.destinations.2", "ops@")
	for key, want := range map[string][2]string{
		"smtp.server": {"ok", "host name"}, "smtp.port": {"ok", "submission"}, "smtp.security": {"", "STARTTLS, required"}, "smtp.username": {"ok", ""}, "smtp.password": {"ok", ""},
		"mail.reply_address": {"?", "not server's domain"}, "mail.destinations.1": {"ok", ""}, "mail.destinations.2": {"..", "incomplete"}, "mail.destinations.3": {"", ""}, "mail.subject": {"ok", ""},
	} {
		if v := d.Verdict(key); v.Level.Mark() != want[0] || v.Short != want[1] {
			t.Errorf("%s: %q %q, want %q", key, v.Level.Mark(), v.Short, want)
		}
	}
	if v := d.Verdict("mail.reply_address"); v.Text != "exmaple.net is not the domain of mail.example.net: providers may refuse it." {
		t.Error(v.Text)
	}
	if f, blocked := d.Blocking(); !blocked || f.Key != "mail.destinations.2" {
		t.Errorf("blocking: %+v %v", f, blocked)
	}
	d.Set("mail.destinations.2", "")
	if f, blocked := d.Blocking(); blocked {
		t.Errorf("a warning blocks: %+v", f)
	}
}

func TestDraftFollowsOtherFields(t *testing.T) {
	d := drafted()
	d.Set("smtp.security", "starttls")
	d.Set("smtp.port", "465")
	for _, key := range []string{"smtp.port", "smtp.security"} {
		if v := d.Verdict(key); v.Level != Warning || v.Short != "465 expects TLS" {
			t.Errorf("%s: %+v", key, v)
		}
	}
	if v := d.Verdict("smtp.security"); v.Fix != "tls" {
		t.Errorf("fix %q", v.Fix)
	}
	d.Set("smtp.security", "auto")
	if v := d.Verdict("smtp.security"); v.Short != "TLS" || v.Level != Empty {
		t.Errorf("%+v", v)
	}
	d.Set("mail.destinations.3", "guard@EXAMPLE.net")
	if v := d.Verdict("mail.destinations.3"); v.Level != Error {
		t.Errorf("a duplicate beyond a gap: %+v", v)
	}
	d.Set("mail.destinations.3", "boss@example.net")
	if v := d.Verdict("mail.destinations.2"); v.Level != Empty || v.Short != "closed up when saved" {
		t.Errorf("a gap: %+v", v)
	}
	d.Set("smtp.server", "")
	if v := d.Verdict("smtp.server"); v.Level != Warning || v.Short != "needed" {
		t.Errorf("%+v", v)
	}
	if v := d.Verdict("no.such"); v.Level != Error {
		t.Errorf("%+v", v)
	}
}

func TestDraftChanges(t *testing.T) {
	d := drafted()
	if d.Changed("") || len(d.Changes()) > 0 || d.Raw("smtp.port") != "587" || d.Raw("triggers.yard.threshold") != "5" || d.Raw("smtp.password") != "" || !d.SecretSet("smtp.password") {
		t.Error("a new draft has the base's values and no change")
	}
	d.Set("triggers.1.threshold", "7")
	d.Set("smtp.password", "hush")
	d.Set("smtp.port", "25")
	d.Set("mail.destinations.1", "")
	want := []Change{{"smtp.port", "25"}, {"smtp.password", "hush"}, {"mail.destinations.1", ""}, {"triggers.yard.threshold", "7"}}
	if got := d.Changes(); !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	d.Set("smtp.port", "587")
	d.Set("smtp.password", "")
	if d.Changed("smtp.port") || d.Changed("smtp.password") || !d.Changed("triggers.yard.threshold") {
		t.Error("the base's text again is no change")
	}
	c, s, fs := PatchFor(drafted().base.Config, Secrets{SMTPPassword: "old"}, want)
	if c.SMTP.Port != 25 || s.SMTPPassword != "hush" || len(c.Mail.Destinations) != 0 || c.Triggers[0].Threshold != 7 || hasErrors(fs) {
		t.Errorf("%+v %v", c, fs)
	}
	if drafted().base.Config.SMTP.Port != 587 {
		t.Error("the base was changed")
	}
}

// TestDraftClearsASecret: an empty password is typed like one that was not touched.
func TestDraftClearsASecret(t *testing.T) {
	const key = "smtp.password"
	d := drafted()
	if d.Set(key, ""); d.Changed("") {
		t.Error("nothing typed is no change")
	}
	d.Clear(key)
	want := []Change{{key, ""}}
	if got := d.Changes(); !reflect.DeepEqual(got, want) || d.Raw(key) != "" || d.SecretSet(key) || !d.Changed(key) {
		t.Errorf("%q %v", got, d.SecretSet(key))
	}
	if v := d.Verdict(key); v.Blocks() {
		t.Errorf("%+v", v)
	}
	if _, s, found := PatchFor(d.base.Config, Secrets{SMTPPassword: "hush"}, want); s.SMTPPassword != "" || hasErrors(found) {
		t.Errorf("PatchFor leaves it: %v", found)
	}
	if d.Set(key, "new"); !d.SecretSet(key) || d.Raw(key) != "new" {
		t.Error("what is typed afterwards counts")
	}
	d.Clear(key)
	if d.Rebase(d.base); !d.Changed(key) {
		t.Error("lost on the way to a newer configuration")
	}
	d.Rebase(Settings{Config: d.base.Config})
	if d.Changed("") {
		t.Error("the newer configuration has no password any more")
	}
	if d.Clear(key); d.Changed("") {
		t.Error("there was nothing to clear")
	}
	d.Clear("smtp.server")
	if d.Raw("smtp.server") != "" || !d.Changed("smtp.server") {
		t.Error("any other field is emptied too")
	}

	f := made(t, example, exampleSecrets)
	load(t, f)
	if l, err := f.Save(want); err != nil || l.Secrets.SMTPPassword != "" || read(t, f.secretsPath()) != "smtp: {password: \"\"}\n" {
		t.Errorf("%v %s", err, read(t, f.secretsPath()))
	}
}

func TestRebase(t *testing.T) {
	d := drafted()
	d.Set("smtp.port", "25")
	d.Set("site.name", "Gate 4")
	d.Set("mail.hold_off", "90")
	newer, _ := mailed()
	newer.SMTP.Port, newer.Camera.Width, newer.Mail.HoldOff = 465, 800, 90e9
	if got := d.Rebase(Settings{Config: newer, Revision: "2"}); !reflect.DeepEqual(got, []string{"smtp.port"}) {
		t.Errorf("conflicts %q", got)
	}
	if d.Raw("smtp.port") != "25" || d.Raw("camera.width") != "800" || d.Raw("site.name") != "Gate 4" || d.Changed("mail.hold_off") {
		t.Errorf("%q", d.Changes())
	}

	d = drafted() // after its own save, with a gap that was closed
	d.Set("mail.destinations.1", "")
	d.Set("mail.destinations.2", "boss@example.net")
	c, _, _ := PatchFor(d.base.Config, Secrets{}, d.Changes())
	if got := d.Rebase(Settings{Config: c, Revision: "2"}); len(got) > 0 || d.Changed("") || d.Raw("mail.destinations.1") != "boss@example.net" {
		t.Errorf("conflicts %q, changes %q", got, d.Changes())
	}
}

// TestShortWordsFit sets every field of a draft to every value of the tables.
func TestShortWordsFit(t *testing.T) {
	var corpus []string
	for _, table := range append([][]judgement{hosts, addresses, subjects}, values()...) {
		for _, j := range table {
			if len(j.raw) < 400 {
				corpus = append(corpus, j.raw)
			}
		}
	}
	d := drafted()
	for _, sp := range spots(&d.base.Config) {
		for _, raw := range corpus {
			d.Set(sp.key, raw)
			v := d.Verdict(sp.key)
			if n := len([]rune(v.Short)); n > 20 {
				t.Errorf("%s %q: %q has %d columns", sp.key, raw, v.Short, n)
			}
			if n := len([]rune(v.Text)); n > 80 && len(raw) <= 20 {
				t.Errorf("%s %q: %d columns: %s", sp.key, raw, n, v.Text)
			}
			if v.Level == Warning && v.Text == "" || v.Blocks() && v.Text == "" {
				t.Errorf("%s %q: no sentence with %q", sp.key, raw, v.Short)
			}
		}
		d.Set(sp.key, d.baseText(sp.key))
	}
}

func values() (all [][]judgement) {
	for _, t := range others {
		all = append(all, t)
	}
	return all
}
