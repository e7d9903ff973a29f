package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/event"
)

// privacy on and off, and what it says: nothing is captured and nothing fires while
// it is on, and a crash does not switch it off.
func TestPrivacy(t *testing.T) {
	r := newRig(t, "camera: {source: \"scene:\"}\ntriggers: [{name: bell, source: manual, post: 0}]")
	for _, words := range [][]string{{"privacy"}, {"privacy", "on"}, {"privacy", "off", "--json"}} {
		if out, errOut, code := r.run("", words...); code != exitNoService || out != "" || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%v without a service: %d %q %q", words, code, out, errOut)
		}
	}
	s := r.serve().ready()
	say := func(want string, words ...string) {
		t.Helper()
		out, errOut, code := r.run("", append([]string{"privacy"}, words...)...)
		if code != exitOK || !strings.HasPrefix(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("privacy %v: %d %q %s", words, code, out, errOut)
		}
	}
	say("off\n")
	say("off\n", "off")
	before := time.Now().Add(-time.Second)
	say("on since "+time.Now().Format(time.DateOnly), "on")
	mode := func() event.PrivacyMode {
		t.Helper()
		out, _, _ := r.run("", "privacy", "--json")
		return unmarshal[event.PrivacyMode](t, out)
	}
	first := mode()
	if !first.On || first.By != event.ByPerson || first.Since.Before(before) || first.Since.After(time.Now()) {
		t.Errorf("%+v", first)
	}
	if st := r.status(); st.State != "privacy" {
		t.Errorf("the state is %s", st.State)
	}
	if out, _, code := r.run("", "trigger", "bell"); code != exitFailed || !strings.Contains(out, "privacy") {
		t.Errorf("a trigger in privacy mode: %d %q", code, out)
	}
	s.stop(syscall.SIGKILL)
	s = r.serve().ready()
	say("on since "+first.Since.Local().Format(time.DateTime)+" (by a person)\n", "on") // since then, not anew
	say("off\n", "off")
	if r.fireEvent("bell") == "" {
		t.Error("no event after privacy mode")
	}
	if out, errOut, code := r.run("", "privacy", "maybe"); code != exitUsage || out != "" {
		t.Errorf("%d %q %q", code, out, errOut)
	}
	// Its schedule has it on by itself; a person overrules that, and it says so.
	if out, errOut, code := r.run("", "set", "privacy.active", "{from: \"00:00\", to: \"00:00\"}"); code != exitOK {
		t.Fatal(out, errOut)
	}
	r.until("its schedule has it on", func() bool { return mode().On })
	if out, _, _ := r.run("", "privacy"); !strings.HasSuffix(out, " (by its schedule)\n") {
		t.Errorf("%q", out)
	}
	say("off by a person, until its schedule or line is over", "off")
	say("on since ", "on")
}
