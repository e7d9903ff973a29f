package tui

import (
	"slices"
	"strings"
	"testing"

	"watchpost/engine/config"
)

// withTransfers is a box with two transfers, of which yard uses one.
func withTransfers() *fake {
	f := newFake()
	c, secrets, _ := config.PatchFor(f.settings.Config, f.secrets, []config.Change{
		{Key: "transfers", Value: "[{name: nas, kind: sftp, server: nas.example.net, username: gate3}, {name: cloud, kind: http, url: https://up.example.net/in, auth: bearer}]"},
		{Key: "triggers.yard.transfer", Value: "nas"},
		{Key: "transfers.nas.password", Value: "open sesame"},
	})
	f.settings.Config, f.secrets, f.settings.Secrets = c, secrets, secrets.Set(c)
	return f
}

// The form of a transfer has those fields that validation does not call unused.
func TestFieldsOfAKind(t *testing.T) {
	values := map[string]string{
		"server": "nas.example.net", "port": "2222", "security": "none", "username": "gate3", "key_file": "/etc/key",
		"host_key": "SHA256:" + strings.Repeat("A", 43), "ca_file": "/etc/ca.pem", "pin": strings.Repeat("A", 43) + "=", "path": "{date}",
		"file": "{stamp}.jpg", "url": "https://up.example.net/in", "method": "post", "auth": "basic", "headers": "{X-Camera: gate3}",
		"topic": "x", "discovery": "true", "destinations": "[a@example.net]",
	}
	for _, k := range transferKinds {
		shown := transferFields(k.kind, "basic", "put")
		for leaf, value := range values {
			_, _, findings := config.PatchFor(config.Default(), config.Secrets{}, []config.Change{
				{Key: "transfers", Value: "[{name: x, kind: " + k.kind + "}]"}, {Key: "transfers.x." + leaf, Value: value}})
			unused := slices.ContainsFunc(findings, func(f config.Finding) bool {
				return f.Key == "transfers.x."+leaf && strings.Contains(f.Text, "has no use for this")
			})
			if unused == slices.Contains(shown, leaf) {
				t.Errorf("%s: %s unused %v, shown %v", k.kind, leaf, unused, !unused)
			}
		}
	}
}

func TestTransfers(t *testing.T) {
	f := withTransfers()
	s := open(t, f, 80, 24)
	s.press("3")
	s.sees("Transfer", "nas sftp nas.example.net:22 nothing yet", "cloud http up.example.net no trigger uses it", "mail, nas")
	s.press("down", "down", "x")
	s.sees("Delete nas? New images of yard go nowhere.")
	s.run("y")
	if c := f.settings.Config; len(c.Transfers) != 1 || c.Triggers[0].Transfer != "none" || f.secrets.Transfers["nas"] != "" {
		t.Errorf("%+v", c)
	}
	s.press("u")
	s.sees("Its password is not: type it anew.")
	s.run("y")
	if c := f.settings.Config; len(c.Transfers) != 2 || c.Triggers[0].Transfer != "nas" {
		t.Errorf("%+v", c)
	}
	s.press("A")
	s.run("m")
	if c := f.settings.Config.Transfers; len(c) != 3 || c[2].Kind != "mqtt" || c[2].Topic == "" {
		t.Errorf("%+v", c)
	}
	s.sees("Topic watchpost/{site}/{trigger}")
	s.field("triggers.door.transfer")
	s.press("right", "right", "right")
	if got := s.draft.Raw("triggers.door.transfer"); got != "mqtt" {
		t.Error(got)
	}
}

// A transfer's password is as little shown as the mail server's.
func TestTransferPasswordIsNotShown(t *testing.T) {
	f := withTransfers()
	s := open(t, f, 80, 24)
	s.field("transfers.nas.password")
	s.sees("set, not shown; Backspace removes it")
	s.press("'hunter2")
	if s.sees("*******"); strings.Contains(s.text(), "hunter2") {
		t.Error(s.text())
	}
	s.press("ctrl+u")
	if strings.Contains(s.text()+s.say, "hunter2") || s.unsaved() != 0 {
		t.Error(s.text())
	}
	s.press("backspace")
	s.sees("will be removed", "^u keeps it")
	s.run("ctrl+w")
	if f.secrets.Transfers["nas"] != "" {
		t.Error("the password is still there")
	}
}

// A login that the method does not use is not asked for.
func TestHTTPLogin(t *testing.T) {
	s := open(t, withTransfers(), 80, 24)
	s.field("transfers.cloud.auth")
	for _, c := range []struct{ auth, shows string }{{"none", ""}, {"basic", "username password"}, {"bearer", "password"}} {
		s.press("'" + c.auth[:2])
		var got []string
		for _, k := range s.triggersPage().edit.keys {
			if k != "" && (leafOf(k) == "username" || leafOf(k) == "password") {
				got = append(got, leafOf(k))
			}
		}
		if strings.Join(got, " ") != c.shows {
			t.Errorf("%s: %v", c.auth, got)
		}
	}
}

// What a field would refuse by what else is chosen is not among its choices.
func TestChoicesFit(t *testing.T) {
	f := withTransfers()
	s := open(t, f, 80, 24)
	s.press("3", "A")
	s.run("m")
	offered := func(k string) string {
		s.field(k)
		return strings.Join(s.triggersPage().edit.choicesOf(k), " ")
	}
	if got := offered("transfers.mqtt.security"); got != "auto tls none" {
		t.Error(got)
	}
	if got := offered("triggers.yard.and.source"); got != "none builtin external sound" {
		t.Error(got)
	}
	if got := offered("triggers.door.and.source"); got != "none motion builtin sound" {
		t.Error(got)
	}
	// A new own source that the second one equals is in the way, not the second one.
	s.press("'m")
	s.run("ctrl+w")
	s.field("triggers.door.source")
	s.press("home", "esc")
	s.run("w")
	if at := s.triggersPage().edit.key(); at != "triggers.door.source" || len(s.draft.Changes()) != 1 {
		t.Errorf("at %s, %v", at, s.draft.Changes())
	}
	// One that is none again has nothing left to undo or save.
	s = open(t, newFake(), 80, 24)
	s.field("triggers.yard.and.source")
	s.press("'s", "tab", "ctrl+k", "'9s", "shift+tab", "home")
	if n := s.unsaved(); n != 0 {
		t.Errorf("%d unsaved: %v", n, s.draft.Changes())
	}
}
