package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"watchpost/engine/event"
	"watchpost/mail/mailtest"
)

// What the doctor prints keeps to 79 columns; a verdict that is long, a
// certificate and a failure go on below.
func TestDoctorLines(t *testing.T) {
	var b strings.Builder
	for _, s := range []event.Step{
		{Step: "lookup", Target: "mail.example.net", OK: true, MS: 12.4, Text: "[192.0.2.25]", Verdict: "1 of 1 addresses"},
		{Step: "tcp", Target: "192.0.2.25:587", OK: true, MS: 31.8, Verdict: "connected"},
		{Step: "ehlo", Target: "192.0.2.25:587", OK: true, MS: 30, Code: 250, Text: "mail.example.net",
			Verdict: "the server answers, and offers STARTTLS; mails up to 52.4 MB; PIPELINING; 8BITMIME; SMTPUTF8"},
		{Step: "tls", Target: "192.0.2.25:587", OK: true, Text: "pin a/7YqyYP4EeYMeE2+DnTa61t6xftceR2PG563n4407s=, for CN=mail.example.net", Verdict: "certificate 1 of 1: good for another 72 days"},
		{Step: "auth", Target: "gate3@example.net", MS: 2088, Code: 535, Text: "5.7.8 Error: authentication failed", Verdict: "The server does not accept this user name and password",
			Do: "Check both; many providers want an app password."},
		{Step: "rcpt", Target: "guard@example.net", OK: true, MS: 30, Code: 250, Text: "2.1.5 Ok", Verdict: "the recipient is accepted"},
	} {
		printStep(&b, s)
	}
	want := `ok  lookup  mail.example.net           12 ms  1 of 1 addresses (192.0.2.25)
ok  tcp     192.0.2.25:587             32 ms  connected
ok  ehlo    192.0.2.25:587             30 ms
            the server answers, and offers STARTTLS; mails up to 52.4 MB;
            PIPELINING; 8BITMIME; SMTPUTF8
ok  tls     192.0.2.25:587              0 ms
            certificate 1 of 1: good for another 72 days
            pin a/7YqyYP4EeYMeE2+DnTa61t6xftceR2PG563n4407s=, for
            CN=mail.example.net
!   auth    gate3@example.net        2088 ms
            The server does not accept this user name and password
            535 5.7.8 Error: authentication failed
            Check both; many providers want an app password.
ok  rcpt    guard@example.net          30 ms  the recipient is accepted
`
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", &b, want)
	}
	for l := range strings.Lines(b.String()) {
		if utf8.RuneCountInString(l) > stepWidth+1 {
			t.Errorf("too wide: %s", l)
		}
	}
}

// A line for each quarter of a mail, none before two seconds are over, each once.
func TestTestMailProgress(t *testing.T) {
	began := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		what string
		sent []int64 // percent, half a second apart
		want []int64
	}{
		{"quick", []int64{10, 40, 80, 100}, nil},
		{"slow", []int64{1, 5, 10, 15, 20, 25, 30, 45, 50, 55, 60, 80, 90, 100}, []int64{25, 50, 80}},
		{"slow at the end", []int64{10, 60, 61, 62, 63, 64, 65, 99, 100}, []int64{63, 99}},
		{"twice", []int64{10, 20, 25, 26, 27, 50, 3, 5, 10, 20, 30}, []int64{27, 50, 30}},
	} {
		var p progress
		var got []int64
		for i, n := range c.sent {
			if line := p.line(event.MailSent{Mail: "m", Sent: n * 20_000, Of: 2_000_000}, began.Add(time.Duration(i)*500*time.Millisecond)); line != "" {
				got = append(got, n)
				if want := fmt.Sprintf("    sending: %.1f of 2.0 MB, %d %%", float64(n)*0.02, n); line != want {
					t.Errorf("%s: %q, want %q", c.what, line, want)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: told at %v, want %v", c.what, got, c.want)
		}
	}
	var p progress
	if line := p.line(event.MailSent{}, began); line != "" {
		t.Error(line)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	if f := (&flags{s: streams{out: write}}); f.onTerminal() {
		t.Error("a pipe is taken for a terminal")
	}
}

// The diagnosis and the test mail as an installer sees them, against a real
// server, on a normal and on a small screen.
func TestDoctorScreen(t *testing.T) {
	pf := mailtest.Start(t, mailtest.Options{})
	r := newRig(t, fmt.Sprintf("camera: {source: \"scene:\"}\nsmtp: {server: %s, port: %d, username: %q, ca_file: %q}\n"+
		"mail: {reply_address: gate3@example.test, destinations: [guard@example.test, ops@example.test]}", mailtest.Host, pf.Submission, pf.User, pf.CAFile))
	r.secret(pf.Password)
	for _, size := range [][2]int{{80, 24}, {60, 15}} {
		p := r.pane(size[0], size[1])
		p.wait("1 Status")
		p.keys("2", "d")
		p.wait("The server takes mail for every destination.")
		p.wait("Up and down show all that a step told.")
		if size[1] == 24 { // all steps in view, the newest of the long words whole
			for _, want := range []string{"certificate 1 of 1: good for another", "encrypted by STARTTLS", "sign-in by PLAIN, LOGIN", "SMTPUTF8", "ops@example.test"} {
				p.wait(want)
			}
		}
		p.keys("Home", "Down", "Down", "Down")
		p.wait("> ok tls")
		p.wait("(pin")
		p.wait("CN=mailtest")
		p.keys("C-g") // closes the panel; Esc and a letter at once would be alt+letter
		p.keys("t")
		p.wait("delivered to 2 of 2")
		p.keys("C-g", "6")
		p.wait("delivered 2/2  test")
		p.keys("q", "y")
		p.wait("it ended with 0")
	}
	r.run(pf.Password+"x", "set", "smtp.password", "-")
	p := r.pane(60, 15)
	p.wait("1 Status")
	p.keys("2", "d")
	p.wait("!  auth")
	p.wait("535")
	p.keys("Enter")
	p.wait("> User name")
}
