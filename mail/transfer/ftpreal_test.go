package transfer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watchpost/engine/config"
	"watchpost/mail/transfer/transfertest"
)

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return b
}

// TestFTPServers hands files over to real servers in every way that they offer.
func TestFTPServers(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *server{
		"vsftpd": func(t *testing.T) *server { s := transfertest.Vsftpd(t, ""); s.Implicit = 0; return s },
		"vsftpd-tls12": func(t *testing.T) *server {
			s := transfertest.Vsftpd(t, "# TLS 1.2")
			s.Implicit = 0
			return s
		},
		"vsftpd-implicit": func(t *testing.T) *server {
			s := transfertest.Vsftpd(t, "implicit_ssl=YES")
			s.Implicit = s.Port
			return s
		},
		"proftpd":   func(t *testing.T) *server { return transfertest.Proftpd(t, "") },
		"pure-ftpd": func(t *testing.T) *server { return transfertest.PureFTPd(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			for _, security := range []string{"none", "auto", "starttls", "tls"} {
				c := s.At("ftp")
				c.Security = security
				switch {
				case security == "tls" && s.Implicit == 0, security != "tls" && s.Implicit == s.Port:
					continue
				case security == "tls":
					c.Port = s.Implicit
				}
				t.Run(security, func(t *testing.T) { exchangeFTP(t, s, c) })
			}
		})
	}
}

// exchangeFTP hands over several files in one session, one of them twice.
func exchangeFTP(t *testing.T, s *server, c config.Transfer) {
	must(t, os.RemoveAll(s.Home("cam")))
	to := newFTP(c, serverPassword)
	ses := connected(t, to)
	for i := range 5 {
		f, data := image(fmt.Sprintf("cam-%d.jpg", i), 300_000*i, byte(i))
		said, err := ses.put(t.Context(), f)
		if err != nil {
			t.Fatalf("file %d: %v", i, err)
		}
		if said == "" {
			t.Error("the server's last words are lost")
		}
		hasFile(t, s.Home("cam/20261124"), f.name, data)
	}
	f, data := image("cam-1.jpg", 1234, 99)
	if _, err := ses.put(t.Context(), f); err != nil {
		t.Fatalf("replacing: %v", err)
	}
	hasFile(t, s.Home("cam/20261124"), f.name, data)

	utf8 := bytesFile("Gärten/日本", "Tür-ü.jpg", data)
	if _, err := ses.put(t.Context(), utf8); err != nil {
		t.Fatalf("UTF-8: %v", err)
	}
	hasFile(t, s.Home("Gärten/日本"), utf8.name, data)
	must(t, os.RemoveAll(s.Home("Gärten")))

	// A file of which a broken attempt left half is continued, and one of which it left all is renamed.
	for i, part := range []int{200_000, 400_000} {
		f, data := image(fmt.Sprintf("broken-%d.jpg", i), 400_000, byte(10+i))
		src, flt := openSource(f)
		if flt != nil {
			t.Fatal(flt)
		}
		left := s.Home(filepath.Join("cam/20261124", src.part))
		must(t, os.WriteFile(left, data[:part], 0o644))
		must(t, os.Chown(left, serverUID, serverUID))
		if _, err := ses.put(t.Context(), f); err != nil {
			t.Fatalf("resume: %v", err)
		}
		hasFile(t, s.Home("cam/20261124"), f.name, data)
	}

	// The folder may be removed while the session goes on.
	must(t, os.RemoveAll(s.Home("cam")))
	f, data = image("after.jpg", 5000, 20)
	if _, err := ses.put(t.Context(), f); err != nil {
		if _, err = ses.put(t.Context(), f); err != nil {
			t.Fatalf("after the folder was removed: %v", err)
		}
	}
	hasFile(t, s.Home("cam/20261124"), f.name, data)
}

// A broken file is continued where the server can, not sent anew.
func TestFTPResumeSendsTheRestOnly(t *testing.T) {
	s := transfertest.Vsftpd(t, "")
	f, data := image("a.jpg", 400_000, 1)
	f.dir = ""
	src, _ := openSource(f)
	must(t, os.WriteFile(s.Home(src.part), data[:300_000], 0o644))
	must(t, os.Chown(s.Home(src.part), serverUID, serverUID))
	if _, err := connected(t, newFTP(s.At("ftp"), serverPassword)).put(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	hasFile(t, s.Home(""), f.name, data)
	if log := string(mustRead(t, s.Path("log.own"))); !strings.Contains(log, `"REST 300000"`) || strings.Contains(log, "DELE") {
		t.Errorf("not continued:\n%s", log)
	}
}

// vsftpd takes no data without the control connection's TLS session, or the tests above
// would not show that it is used; and then a new session is what helps.
func TestFTPSessionReuseIsDemanded(t *testing.T) {
	s := transfertest.Vsftpd(t, "")
	for _, sent := range []int{0, 1} {
		ses := connected(t, newFTP(s.At("ftp"), serverPassword))
		f, _ := image("a.jpg", 1000, byte(sent))
		for range sent {
			if _, err := ses.put(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		ses.(*ftpSession).tickets = newControlTickets()
		f, _ = image("b.jpg", 1000, byte(sent))
		_, err := ses.put(t.Context(), f)
		if flt := asFault(t, err); flt.kind != account && sent == 0 || flt.kind != network && sent > 0 || flt.code != 522 || !strings.Contains(flt.Error(), "session") {
			t.Errorf("%d sent: kind %d: %v", sent, flt.kind, flt)
		}
	}
}

// What a real server refuses is said in plain words and graded by what waits for its cure.
func TestFTPRealRefusals(t *testing.T) {
	s := transfertest.Vsftpd(t, "ssl_enable=YES")
	ok, _ := image("x.jpg", 400_000, 1)
	plain, _ := image("x.jpg", 4000, 1)
	with := func(change func(c *config.Transfer)) config.Transfer {
		c := s.At("ftp")
		change(&c)
		return c
	}
	noTLS := transfertest.Vsftpd(t, "ssl_enable=NO")
	denied := s.Home("denied")
	must(t, os.MkdirAll(denied, 0o755)) // root's
	full, deniedFile := ok, plain
	full.dir, deniedFile.dir = "full", "denied"
	newFolder := plain
	newFolder.dir = "denied/new"
	for name, c := range map[string]struct {
		c        config.Transfer
		password string
		f        file
		kind     kind
		step     string
		says     string
	}{
		"password":      {with(func(c *config.Transfer) {}), "wrong-password", plain, account, "login", "user name or password"},
		"empty":         {with(func(c *config.Transfer) {}), "", plain, account, "login", "user name or password"},
		"user":          {with(func(c *config.Transfer) { c.Username = "nobody-here" }), serverPassword, plain, account, "login", ""},
		"name":          {with(func(c *config.Transfer) { c.Server = "localhost" }), serverPassword, plain, account, "tls", "another name than localhost"},
		"authority":     {with(func(c *config.Transfer) { c.CAFile = "" }), serverPassword, plain, account, "tls", "an authority that this box does not know"},
		"pin":           {with(func(c *config.Transfer) { c.Pin = noTLS.Pin }), serverPassword, plain, account, "tls", "not the pinned one"},
		"bad pin":       {with(func(c *config.Transfer) { c.Pin = "zz" }), serverPassword, plain, account, "tls", "pin"},
		"no ca file":    {with(func(c *config.Transfer) { c.CAFile = "/nonexistent" }), serverPassword, plain, account, "tls", "CA file"},
		"no TLS there":  {noTLS.At("ftp"), serverPassword, plain, account, "tls", "does not offer TLS"},
		"implicit":      {with(func(c *config.Transfer) { c.Security = "tls" }), serverPassword, plain, account, "tls", "does not speak TLS"},
		"rights":        {s.At("ftp"), serverPassword, deniedFile, permanent, "send", "553"},
		"new folder":    {s.At("ftp"), serverPassword, newFolder, permanent, "folder", "550"},
		"disk full":     {s.At("ftp"), serverPassword, full, temporary, "send", "451"},
		"nobody":        {with(func(c *config.Transfer) { c.Port = transfertest.FreePort(t) }), serverPassword, plain, network, "tcp", "refused"},
		"no such name":  {with(func(c *config.Transfer) { c.Server = "nas.invalid" }), serverPassword, plain, network, "lookup", "nas.invalid"},
		"security word": {with(func(c *config.Transfer) { c.Security = "ssl" }), serverPassword, plain, account, "tls", "ssl"},
	} {
		t.Run(name, func(t *testing.T) {
			f := refusedWith(t, newFTP(c.c, c.password), c.f)
			if f.kind != c.kind || f.step != c.step || !strings.Contains(f.Error(), c.says) {
				t.Errorf("kind %d, step %q: %v", f.kind, f.step, f)
			}
			t.Log(f)
		})
	}
	// A pin that is right needs no authority.
	pinned := with(func(c *config.Transfer) { c.CAFile, c.Pin = "", s.Pin })
	if _, err := connected(t, newFTP(pinned, serverPassword)).put(t.Context(), plain); err != nil {
		t.Error(err)
	}
}

// A full disk is said to be one where the server says so.
func TestFTPDiskFull(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *server{
		"proftpd":   func(t *testing.T) *server { return transfertest.Proftpd(t, "") },
		"pure-ftpd": func(t *testing.T) *server { return transfertest.PureFTPd(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			f, _ := image("x.jpg", 600_000, 1)
			f.dir = "full"
			flt := refusedWith(t, newFTP(s.At("ftp"), serverPassword), f)
			if flt.kind != temporary && flt.kind != account || !strings.Contains(flt.Error(), "room") {
				t.Errorf("%d %v", flt.kind, flt)
			}
			t.Log(flt)
		})
	}
}
