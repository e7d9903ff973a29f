package transfer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
	"watchpost/mail"
	"watchpost/mail/mailtest"
	"watchpost/mail/transfer/transfertest"
)

// tried is a trial as it was told.
type tried struct {
	ok    bool
	steps []event.Step
}

// try diagnoses a place; nothing that is told has the secret or could harm a terminal.
func try(t *testing.T, c config.Transfer, secret string) tried {
	t.Helper()
	return tryAll(t, t.Context(), config.Config{Site: config.Site{Name: "Gate 3"}, Transfers: []config.Transfer{c}}, config.Secrets{Transfers: map[string]string{c.Name: secret}}, nil)
}

func tryAll(t *testing.T, ctx context.Context, c config.Config, s config.Secrets, byMail MailDiagnosis) (r tried) {
	t.Helper()
	name := c.Transfers[0].Name
	r.ok = Diagnose(ctx, c, s, name, byMail, func(s event.Step) { r.steps = append(r.steps, s) })
	for _, st := range r.steps {
		t.Logf("%+v", st)
		all := fmt.Sprintf("%+v", st)
		if secret := s.Transfers[name]; secret != "" && strings.Contains(all, secret) || strings.ContainsFunc(all, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("a secret, or harmful: %q", all)
		}
		if st.Step == "" || st.Target == "" || st.Verdict == "" || st.OK != (st.Do == "") && st.Step != "tcp" || st.MS < 0 || st.MS > 60_000 {
			t.Errorf("incomplete: %+v", st)
		}
	}
	return r
}

// names are the steps' names in their order, certificates left out.
func (r tried) names() string {
	var all []string
	for _, s := range r.steps {
		if !strings.HasPrefix(s.Verdict, "certificate ") {
			all = append(all, s.Step)
		}
	}
	return strings.Join(all, " ")
}

// failed is the step that failed.
func (r tried) failed() event.Step {
	for _, s := range r.steps {
		if !s.OK {
			return s
		}
	}
	return event.Step{}
}

// lies is all files and folders below a folder.
func lies(t *testing.T, dir string) (all []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); err == nil && rel != "." {
			all = append(all, rel)
		}
		return err
	}))
	return all
}

// leavesNothing fails where a trial changed what lies below a folder.
func leavesNothing(t *testing.T, dir string, do func()) {
	t.Helper()
	before := lies(t, dir)
	do()
	if after := lies(t, dir); !slices.Equal(before, after) {
		t.Errorf("left at the server: %q, before it was %q", after, before)
	}
}

// A trial walks the whole way of an image to a real FTP server, in every way that the
// server offers, and leaves nothing there, folders included.
func TestTrialFTP(t *testing.T) {
	s := transfertest.Vsftpd(t, "") // session reuse required
	const rest = " login folder data send size rename remove"
	for _, c := range []struct{ security, path, steps string }{
		{"auto", "{trigger}/{date}", "tcp hello tls" + rest},
		{"starttls", "cam/deep/{trigger}", "tcp hello tls" + rest},
		{"none", "cam", "tcp tls hello" + rest},
		{"none", ".", strings.Replace("tcp tls hello"+rest, " folder", "", 1)},
	} {
		place := s.At("ftp")
		place.Security, place.Path = c.security, c.path
		leavesNothing(t, s.Home(""), func() {
			if r := try(t, place, serverPassword); !r.ok || r.names() != c.steps {
				t.Errorf("%+v: %v, %s", c, r.ok, r.names())
			}
		})
	}
	log := string(mustRead(t, s.Path("log.own")))
	if !strings.Contains(log, "watchpost-test-") || !strings.Contains(log, "RMD") || !strings.Contains(log, "DELE") {
		t.Error("the server has seen no test")
	}
	// What is there already stays, and so does an event that comes in between.
	must(t, os.MkdirAll(s.Home("cam/yard"), 0o755))
	must(t, os.WriteFile(s.Home("cam/yard/a.jpg"), []byte("image"), 0o644))
	must(t, os.Chown(s.Home("cam"), serverUID, serverUID))
	place := s.At("ftp")
	place.Path = "cam/{trigger}"
	leavesNothing(t, s.Home(""), func() {
		if r := try(t, place, serverPassword); !r.ok {
			t.Error("refused")
		}
	})
	for _, other := range []*server{transfertest.Proftpd(t, ""), transfertest.PureFTPd(t)} {
		place := other.At("ftp")
		place.Path = "cam/{trigger}"
		leavesNothing(t, other.Home(""), func() {
			if r := try(t, place, serverPassword); !r.ok || r.steps[len(r.steps)-1].Step != "remove" {
				t.Errorf("%v %s", r.ok, r.names())
			}
		})
	}
	implicit := transfertest.Vsftpd(t, "implicit_ssl=YES").At("ftp")
	implicit.Security, implicit.Path = "tls", "."
	if r := try(t, implicit, serverPassword); !r.ok || !strings.HasPrefix(r.names(), "tcp tls hello login") {
		t.Errorf("implicit: %v %s", r.ok, r.names())
	}
}

// What is wrong is found at its step, says what to do, and nothing is left behind.
func TestTrialFTPWrong(t *testing.T) {
	s := transfertest.Vsftpd(t, "")
	noTLS := transfertest.Vsftpd(t, "ssl_enable=NO")
	must(t, os.MkdirAll(s.Home("denied"), 0o755)) // root's
	fill, _ := image("x.jpg", 400_000, 1)
	fill.dir = "full"
	with := func(change func(c *config.Transfer)) config.Transfer {
		c := s.At("ftp")
		c.Path = "cam/{trigger}"
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		c          config.Transfer
		password   string
		step, says string
	}{
		"port closed": {with(func(c *config.Transfer) { c.Port = transfertest.FreePort(t) }), serverPassword, "tcp", "Nothing listens"},
		"no name":     {with(func(c *config.Transfer) { c.Server = "nas.invalid" }), serverPassword, "lookup", "nas.invalid"},
		"password":    {with(func(c *config.Transfer) {}), "wrong-password", "login", "refuses user name or password"},
		"no TLS":      {with(func(c *config.Transfer) { c.Port = noTLS.Port }), serverPassword, "tls", "does not offer TLS"},
		"authority":   {with(func(c *config.Transfer) { c.CAFile = "" }), serverPassword, "tls", "does not know"},
		"pin":         {with(func(c *config.Transfer) { c.CAFile, c.Pin = "", noTLS.Pin }), serverPassword, "tls", "another public key"},
		"no right":    {with(func(c *config.Transfer) { c.Path = "denied" }), serverPassword, "send", "553"},
		"no folder":   {with(func(c *config.Transfer) { c.Path = "denied/{trigger}" }), serverPassword, "folder", "550"},
		"disk full":   {with(func(c *config.Transfer) { c.Path = "full" }), serverPassword, "send", "451"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "disk full" {
				refusedWith(t, newFTP(s.At("ftp"), serverPassword), fill)
			}
			leavesNothing(t, s.Home(""), func() {
				r := try(t, c.c, c.password)
				f := r.failed()
				if r.ok || f.Step != c.step || !strings.Contains(f.Verdict, c.says) || f != r.steps[len(r.steps)-1] {
					t.Errorf("%v %s: %+v", r.ok, r.names(), f)
				}
				if seen := strings.Contains(fmt.Sprint(r.steps), "pin "+s.Pin); seen != slices.Contains([]string{"password", "authority", "pin", "no right", "no folder", "disk full"}, name) {
					t.Errorf("the server's key shown: %v", seen)
				}
			})
			if name == "disk full" { // of which the test sees the inside only through the server
				r, err := connected(t, newFTP(s.At("ftp"), serverPassword)).(*ftpSession).conn.NameList("full")
				if err != nil || strings.Contains(fmt.Sprint(r), "watchpost-test") {
					t.Errorf("%v %v", r, err)
				}
			}
		})
	}
}

// A server that lets nobody remove files takes images all the same, and it is said
// what stays there; one that refuses the name gets the temporary file taken away.
func TestTrialFTPRights(t *testing.T) {
	s := transfertest.Vsftpd(t, "cmds_denied=DELE,RMD")
	place := s.At("ftp")
	place.Path = "."
	r := try(t, place, serverPassword)
	last := r.steps[len(r.steps)-1]
	if !r.ok || last.Step != "remove" || !strings.Contains(last.Verdict, "stays there") || !strings.Contains(last.Target, "watchpost-test-") {
		t.Errorf("%v %+v", r.ok, last)
	}
	place.Path = "{trigger}"
	if r := try(t, place, serverPassword); !r.ok || !strings.Contains(r.steps[len(r.steps)-1].Verdict, "stays there") {
		t.Errorf("%v %+v", r.ok, r.steps[len(r.steps)-1])
	}
	s = transfertest.Vsftpd(t, "cmds_denied=RNTO")
	place = s.At("ftp")
	place.Path = "{trigger}"
	leavesNothing(t, s.Home(""), func() {
		if r := try(t, place, serverPassword); r.ok || r.failed().Step != "rename" {
			t.Errorf("%v %+v", r.ok, r.failed())
		}
	})
}

// A person who breaks a trial off while a file is at the server leaves none there.
func TestTrialBrokenOff(t *testing.T) {
	ftp := transfertest.Vsftpd(t, "")
	ssh, prints := transfertest.SSHD(t, "", "ed25519")
	for _, c := range []struct {
		s     *server
		place config.Transfer
	}{{ftp, ftp.At("ftp")}, {ssh, ssh.AtSFTP(prints["ed25519"])}} {
		c.place.Path = "{trigger}"
		for _, at := range []string{"folder", "send", "rename"} {
			leavesNothing(t, c.s.Home(""), func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cfg := config.Config{Transfers: []config.Transfer{c.place}}
				seen := ""
				ok := Diagnose(ctx, cfg, config.Secrets{Transfers: map[string]string{"nas": serverPassword}}, "nas", nil, func(s event.Step) {
					if seen += " " + s.Step; s.Step == at {
						cancel()
					}
				})
				if ok || !strings.Contains(seen, at) {
					t.Errorf("%s at %s: %v, %s", c.place.Kind, at, ok, seen)
				}
			})
		}
	}
}

func TestTrialSFTP(t *testing.T) {
	s, prints := transfertest.SSHD(t, "", hostKeyTypes...)
	for _, path := range []string{"{trigger}/{date}", "cam/{trigger}", "cam", "."} {
		for _, kind := range hostKeyTypes {
			place := s.AtSFTP(prints[kind])
			place.Path = path
			want := "tcp hostkey login sftp folder send rename remove"
			if path == "." {
				want = strings.Replace(want, " folder", "", 1)
			}
			leavesNothing(t, s.Home(""), func() {
				if r := try(t, place, serverPassword); !r.ok || r.names() != want {
					t.Errorf("%s %s: %v %s", path, kind, r.ok, r.names())
				}
			})
		}
	}
	must(t, os.MkdirAll(s.Home("denied"), 0o755))
	fill, _ := image("x.jpg", 400_000, 1)
	fill.dir = "full"
	refusedWith(t, newSFTP(s.AtSFTP(prints["rsa"]), serverPassword), fill)
	good := s.AtSFTP(prints["ed25519"])
	good.Path = "cam"
	with := func(change func(c *config.Transfer)) config.Transfer {
		c := good
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		c          config.Transfer
		password   string
		step, says string
	}{
		"unknown host key": {with(func(c *config.Transfer) { c.HostKey = "" }), serverPassword, "hostkey", prints["ed25519"]},
		"other host key":   {with(func(c *config.Transfer) { c.HostKey = "SHA256:" + strings.Repeat("A", 43) }), serverPassword, "hostkey", prints["ecdsa"]},
		"password":         {good, "wrong-password", "login", "refuses user name or password"},
		"port closed":      {with(func(c *config.Transfer) { c.Port = transfertest.FreePort(t) }), serverPassword, "tcp", "Nothing listens"},
		"no right":         {with(func(c *config.Transfer) { c.Path = "denied" }), serverPassword, "send", "permission denied"},
		"no folder":        {with(func(c *config.Transfer) { c.Path = "denied/{trigger}" }), serverPassword, "folder", "permission denied"},
		"disk full":        {with(func(c *config.Transfer) { c.Path = "full" }), serverPassword, "send", "no room"},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t, s.Home(""), func() {
				r := try(t, c.c, c.password)
				if f := r.failed(); r.ok || f.Step != c.step || !strings.Contains(f.Verdict, c.says) || f != r.steps[len(r.steps)-1] {
					t.Errorf("%v %s: %+v", r.ok, r.names(), f)
				}
			})
		})
	}
}

func TestTrialHTTP(t *testing.T) {
	n := startNginx(t)
	for _, c := range []struct {
		scheme, place, path string
		steps               string
		adjust              func(*config.Transfer)
	}{
		{scheme: "http", place: "/open", path: ".", steps: "tcp tls send remove"},
		{scheme: "https", place: "/open", path: "{trigger}/{date}", steps: "tcp tls folder send remove"},
		{scheme: "https", place: "/basic", path: ".", steps: "tcp tls send remove", adjust: func(c *config.Transfer) { c.Auth = "basic" }},
		{scheme: "https", place: "/folders", path: "{trigger}", steps: "tcp tls send remove"},
	} {
		place := n.at(c.scheme, c.place)
		place.Path = c.path
		if c.adjust != nil {
			c.adjust(&place)
		}
		leavesNothing(t, n.Path("www"), func() {
			if r := try(t, place, serverPassword); !r.ok || r.names() != c.steps {
				t.Errorf("%+v: %v %s", c, r.ok, r.names())
			}
		})
	}
	// A folder that the images are for stays: DELETE would take an image with it.
	place := n.at("https", "/open")
	place.Path = "cam/{trigger}"
	r := try(t, place, "")
	if left := lies(t, n.Path("www/open")); !r.ok || fmt.Sprint(left) != "[cam]" || !strings.Contains(fmt.Sprint(r.steps), "it stays, for the images") {
		t.Errorf("%v %q", r.ok, left)
	}
	// A form's receiver gets the test as a file; what it does with it is its own.
	asked := ""
	web, _ := webServer(t, func(_ http.ResponseWriter, r *http.Request) {
		from, h, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		text, _ := io.ReadAll(from)
		asked += r.Method + " " + string(text) + h.Header.Get("Content-Type")
	})
	r = try(t, config.Transfer{Name: "form", Kind: "http", Method: "post", Auth: "none", URL: web + "/in?key=hidden"}, "")
	if !r.ok || r.names() != "tcp tls send" || asked != "POST "+trialText+"text/plain" || strings.Contains(fmt.Sprint(r.steps), "hidden") {
		t.Errorf("POST: %v %s %q", r.ok, r.names(), asked)
	}
	foreign := n.Pin[:10] + strings.ToLower(n.Pin[10:20]) + n.Pin[20:]
	for name, c := range map[string]struct {
		scheme, path string
		adjust       func(*config.Transfer)
		step, says   string
	}{
		"port closed":    {"http", "/open", func(c *config.Transfer) { c.URL = fmt.Sprintf("http://127.0.0.1:%d/", transfertest.FreePort(t)) }, "tcp", "Nothing listens"},
		"wrong password": {"https", "/basic", func(c *config.Transfer) { c.Auth = "basic" }, "login", "401"},
		"no right":       {"http", "/readonly", nil, "login", "403"},
		"authority":      {"https", "/open", func(c *config.Transfer) { c.CAFile = "" }, "tls", "does not know"},
		"pin":            {"https", "/open", func(c *config.Transfer) { c.CAFile, c.Pin = "", foreign }, "tls", "another public key"},
		"no TLS":         {"https", "/open", func(c *config.Transfer) { c.URL = fmt.Sprintf("https://127.0.0.1:%d/open", n.Port) }, "tls", "does not speak TLS"},
		"no WebDAV":      {"http", "/plain", nil, "send", "405"},
	} {
		t.Run(name, func(t *testing.T) {
			place := n.at(c.scheme, c.path)
			place.Path = "."
			if c.adjust != nil {
				c.adjust(&place)
			}
			leavesNothing(t, n.Path("www"), func() {
				r := try(t, place, "wrong-password")
				if f := r.failed(); r.ok || f.Step != c.step || !strings.Contains(f.Verdict, c.says) || f != r.steps[len(r.steps)-1] {
					t.Errorf("%v %s: %+v", r.ok, r.names(), f)
				}
				if seen := strings.Contains(fmt.Sprint(r.steps), "pin "+n.Pin); name == "authority" && !seen {
					t.Error("the server's key is not shown")
				}
			})
		})
	}
}

// The broker acknowledges the test on a topic of its own; it is not retained, and the
// place's own connection stays.
func TestTrialMQTT(t *testing.T) {
	m := startMosquitto(t)
	sub := m.subscribe()
	for _, secured := range []bool{false, true} {
		place := m.broker(secured)
		place.Discovery = true
		live := connected(t, newMQTT(place, serverPassword))
		r := try(t, place, serverPassword)
		if want := "tcp tls login send"; !r.ok || r.names() != want {
			t.Errorf("%v %s, want %s", r.ok, r.names(), want)
		}
		select {
		case <-live.(losing).lost():
			t.Error("the place's own connection was taken over")
		case <-time.After(100 * time.Millisecond):
		}
	}
	const topic = "watchpost/Gate_3/test/test"
	got := sub.last(t, topic, whatever)
	if !bytes.Equal(got.Payload, []byte(trialText)) || sub.count(topic) != 2 {
		t.Errorf("%q, %d times", got.Payload, sub.count(topic))
	}
	if late := m.subscribe(); late.count(topic) > 0 {
		t.Error("the test is retained")
	}
	for name, c := range map[string]struct {
		secret     string
		adjust     func(*config.Transfer)
		step, says string
	}{
		"port closed":    {serverPassword, func(c *config.Transfer) { c.Port = transfertest.FreePort(t) }, "tcp", "Nothing listens"},
		"wrong password": {"wrong-password", nil, "login", ""},
		"topic":          {serverPassword, func(c *config.Transfer) { c.Topic = "elsewhere/{trigger}" }, "send", "not allowed"},
		"authority":      {serverPassword, func(c *config.Transfer) { c.CAFile = "" }, "tls", "does not know"},
		"no TLS":         {serverPassword, func(c *config.Transfer) { c.Port = m.Port }, "tls", "closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			place := m.broker(true)
			if c.adjust != nil {
				c.adjust(&place)
			}
			r := try(t, place, c.secret)
			if f := r.failed(); r.ok || f.Step != c.step || !strings.Contains(f.Verdict, c.says) {
				t.Errorf("%v %s: %+v", r.ok, r.names(), f)
			}
		})
	}
}

// By e-mail it is the mail's diagnosis for the transfer's own destinations, and nothing
// arrives.
func TestTrialMail(t *testing.T) {
	p := mailtest.Start(t, mailtest.Options{})
	c := config.Config{Transfers: []config.Transfer{{Name: "post", Kind: "email", Destinations: []string{"images@example.test"}}}}
	c.SMTP = config.SMTP{Server: mailtest.Host, Port: p.Submission, Username: p.User, CAFile: p.CAFile}
	c.Mail.ReplyAddress, c.Mail.Destinations = "gate3@example.test", []string{"guard@example.test"}
	r := tryAll(t, t.Context(), c, config.Secrets{SMTPPassword: p.Password}, mail.Diagnose)
	if last := r.steps[len(r.steps)-1]; !r.ok || last.Step != "rcpt" || last.Target != "images@example.test" || strings.Contains(fmt.Sprint(r.steps), "guard@") {
		t.Errorf("%v %+v", r.ok, last)
	}
	c.Transfers[0].Destinations = nil
	r = tryAll(t, t.Context(), c, config.Secrets{SMTPPassword: p.Password}, mail.Diagnose)
	if last := r.steps[len(r.steps)-1]; !r.ok || last.Target != "guard@example.test" {
		t.Errorf("%v %+v", r.ok, last)
	}
	if n := len(p.Mails()); n != 0 {
		t.Errorf("%d mails were sent", n)
	}
}

// What is not set yet is said before anything is opened.
func TestTrialNotConfigured(t *testing.T) {
	for _, c := range []config.Transfer{{Name: "a", Kind: "ftp"}, {Name: "a", Kind: "sftp"}, {Name: "a", Kind: "http"}, {Name: "a", Kind: "mqtt"}, {Name: "a", Kind: "email"}, {Name: "a"}} {
		if r := try(t, c, ""); r.ok || r.names() != "config" {
			t.Errorf("%+v: %v %s", c, r.ok, r.names())
		}
	}
	if Diagnose(t.Context(), config.Config{}, config.Secrets{}, "nas", nil, func(event.Step) {}) {
		t.Error("there is no such transfer")
	}
}
