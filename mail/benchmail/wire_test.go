package benchmail

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"watchpost/engine/need"
	"watchpost/mail/mailtest"
)

// wire is what a delivered mail costs on the line: in clear, where a round trip
// can be told from another, and with TLS and AUTH PLAIN.
func wire(t *testing.T, rows *table) {
	a := mailtest.Start(t, mailtest.Options{}).At()
	msmtp := need.Program(t, "msmtp", "msmtp")
	swaks := need.Program(t, "swaks", "swaks")
	jpeg := picture(usual)
	dir := t.TempDir()
	secret, letter := filepath.Join(dir, "secret"), filepath.Join(dir, "letter")
	if err := os.WriteFile(secret, []byte(a.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	clear, sealed := newProxy(t, a.Plain), newProxy(t, a.Submission)
	through := func(tls bool) (*proxy, string) {
		p := clear
		if tls {
			p = sealed
		}
		p.take(t)
		return p, strconv.Itoa(p.Port)
	}
	// ours sends mails that wait when it starts, and ends when they are delivered.
	ours := func(mails int) func(tls bool, to []string) traffic {
		return func(tls bool, to []string) traffic {
			p, _ := through(tls)
			c, secrets := account(a, p.Port, tls, to...)
			c.SMTP.Auth, c.Mail.DigestAfter = "auto", 1000
			if tls {
				c.SMTP.Auth = "plain"
			}
			o, err := openOutbox(t.TempDir(), c, secrets)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for i := range mails {
				n := alarm(i+1, jpeg)
				ids = append(ids, n.ID)
				if err := o.Submit(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
			defer o.run()()
			if _, _, err := o.delivered(ids...); err != nil {
				t.Fatal(err)
			}
			return p.take(t) // it takes leave by itself
		}
	}
	tool := func(name string, args ...string) {
		cmd := exec.Command(name, args...)
		f, err := os.Open(letter)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.Stdin = f
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", filepath.Base(name), err, out)
		}
	}
	clients := []struct {
		name  string
		mails int
		send  func(tls bool, to []string) traffic
	}{
		{"Watchpost", 1, ours(1)},
		{"Watchpost, of 20 that waited", 20, ours(20)},
		{"msmtp", 1, func(tls bool, to []string) traffic {
			p, port := through(tls)
			args := []string{"--host=127.0.0.1", "--port=" + port, "--from=" + sender, "--domain=localhost"}
			if tls {
				args = append(args, "--tls=on", "--tls-trust-file="+a.CAFile, "--tls-host-override="+mailtest.Host,
					"--auth=plain", "--user="+a.User, "--passwordeval=cat "+secret)
			}
			tool(msmtp, append(append(args, "--"), to...)...)
			return p.take(t)
		}},
		{"swaks", 1, func(tls bool, to []string) traffic {
			p, port := through(tls)
			args := []string{"--server", "127.0.0.1", "--port", port, "--from", sender, "--to", strings.Join(to, ","), "--data", "-", "--silent", "2"}
			if tls {
				args = append(args, "--tls", "--auth", "PLAIN", "--auth-user", a.User, "--auth-password", a.Password)
			}
			tool(swaks, args...)
			return p.take(t)
		}},
	}
	for _, to := range [][]string{{guard}, {guard, "night@" + mailtest.Domain, "office@" + mailtest.Domain}} {
		c, _ := account(a, a.Plain, false, to...)
		eml := rendered(t, c, alarm(1, jpeg))
		// Both tools take the line ends of Unix and send those of SMTP.
		if err := os.WriteFile(letter, bytes.ReplaceAll(eml, []byte("\r\n"), []byte("\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		rows.section(fmt.Sprintf("On the line, a mail of %d bytes; recipients: %d", len(eml), len(to)),
			"bytes beside the mail and round trips in clear; with TLS and AUTH PLAIN")
		var own float64
		for _, client := range clients {
			plain, tls := client.send(false, to), client.send(true, to)
			each := func(n int) float64 { return float64(n) / float64(client.mails) }
			beside := func(c traffic) float64 { return each(c.Sent+c.Received) - float64(len(eml)) }
			if own == 0 {
				own = each(plain.RoundTrips)
			}
			rows.row(client.name, fmt.Sprintf("%.0f, %.3g; %.0f, %.3g", beside(plain), each(plain.RoundTrips), beside(tls), each(tls.RoundTrips)),
				ratio(each(plain.RoundTrips), own)+" (round trips in clear)")
		}
	}
}
