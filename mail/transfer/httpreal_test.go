package transfer

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/mail/mailtest"
	"watchpost/mail/transfer/transfertest"
)

// nginx is a real one, see transfertest.
type nginx struct {
	transfertest.Nginx
	t *testing.T
}

func startNginx(t *testing.T) nginx { return nginx{transfertest.StartNginx(t), t} }

// at is the place below a path of the server.
func (n nginx) at(scheme, path string) config.Transfer {
	port := n.Port
	c := config.Transfer{Name: "web", Kind: "http", Method: "put", Auth: "none", Username: serverUser}
	if scheme == "https" {
		port, c.CAFile = n.TLS, n.CAFile
	}
	c.URL = fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, port, path)
	return c
}

func (n nginx) has(name string, data []byte) {
	n.t.Helper()
	got, err := os.ReadFile(filepath.Join(n.Dir, "www", name))
	if err != nil || !bytes.Equal(got, data) {
		n.t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(data), err)
	}
}

// A real nginx takes images by PUT, in folders that are made for them, with every
// kind of log-in, over TLS with a CA file or a pin; doing it again replaces them.
func TestNginx(t *testing.T) {
	n := startNginx(t)
	small, bytesOfSmall := image("a.jpg", 1000, 1)
	large, bytesOfLarge := image("large.jpg", 8_000_000, 2)
	for _, scheme := range []string{"http", "https"} {
		for path, adjust := range map[string]func(*config.Transfer){
			"/open":    func(*config.Transfer) {},
			"/open/":   func(*config.Transfer) {},
			"/basic":   func(c *config.Transfer) { c.Auth = "basic" },
			"/bearer":  func(c *config.Transfer) { c.Auth = "bearer" },
			"/key":     func(c *config.Transfer) { c.Headers = map[string]string{"X-Api-Key": "key-of-the-nas"} },
			"/folders": func(*config.Transfer) {},
		} {
			c := n.at(scheme, path)
			adjust(&c)
			s := connected(t, newHTTP(c, serverPassword))
			for _, f := range []file{small, small, large} {
				said, err := s.put(t.Context(), f)
				if err != nil || !strings.HasPrefix(said, "20") {
					t.Fatalf("%s %s: %q %v", scheme, path, said, err)
				}
			}
			n.has(path+"/cam/20261124/a.jpg", bytesOfSmall)
			n.has(path+"/cam/20261124/large.jpg", bytesOfLarge)
			must(t, os.RemoveAll(n.Path("www"+path+"/cam")))
			if _, err := s.put(t.Context(), small); err != nil { // somebody tidied up meanwhile
				t.Errorf("%s: %v", path, err)
			}
			must(t, os.RemoveAll(n.Path("www"+path+"/cam")))
		}
	}
	c := n.at("https", "/open")
	c.CAFile, c.Pin = "", n.Pin
	if _, err := connected(t, newHTTP(c, "")).put(t.Context(), small); err != nil {
		t.Errorf("by pin: %v", err)
	}
	none, empty := image("0.json", 0, 1)
	none.dir = ""
	if _, err := connected(t, newHTTP(c, "")).put(t.Context(), none); err != nil {
		t.Error(err)
	}
	n.has("/open/0.json", empty)
}

// Each refusal of nginx has its kind, says what to do, and no secret.
func TestNginxRefuses(t *testing.T) {
	n := startNginx(t)
	f, _ := image("a.jpg", 2000, 1)
	f.dir = ""
	foreign := n.Pin[:10] + strings.ToLower(n.Pin[10:20]) + n.Pin[20:]
	for name, c := range map[string]struct {
		scheme, path, secret string
		adjust               func(*config.Transfer)
		kind                 kind
		code                 int
		step, says           string
	}{
		"wrong password":  {"http", "/basic", "wrong", func(c *config.Transfer) { c.Auth = "basic" }, account, 401, "login", "it asks for Basic"},
		"no log-in":       {"http", "/basic", "", nil, account, 401, "login", ""},
		"wrong token":     {"https", "/bearer", "wrong", func(c *config.Transfer) { c.Auth = "bearer" }, account, 401, "login", ""},
		"read-only":       {"http", "/readonly", "", nil, account, 403, "login", ""},
		"too large":       {"http", "/small", "", nil, permanent, 413, "send", "limit on the size"},
		"no WebDAV":       {"http", "/plain", "", nil, permanent, 405, "send", ""},
		"elsewhere":       {"http", "/gone", serverPassword, func(c *config.Transfer) { c.Auth = "bearer" }, account, 302, "send", "http://elsewhere.example.test/"},
		"busy":            {"http", "/busy", "", nil, temporary, 503, "send", ""},
		"other authority": {"https", "/open", "", func(c *config.Transfer) { c.CAFile = "" }, account, 0, "tls", "an authority that this box does not know"},
		"no such CA file": {"https", "/open", "", func(c *config.Transfer) { c.CAFile += "x" }, account, 0, "tls", "ca_file"},
		"other key":       {"https", "/open", "", func(c *config.Transfer) { c.Pin = foreign }, account, 0, "tls", ""},
		"no TLS there":    {"https", "/open", "", func(c *config.Transfer) { c.URL = fmt.Sprintf("https://127.0.0.1:%d/open", n.Port) }, account, 0, "tls", "does not speak TLS"},
		"TLS there":       {"http", "/open", "", func(c *config.Transfer) { c.URL = fmt.Sprintf("http://127.0.0.1:%d/open", n.TLS) }, permanent, 400, "send", ""},
		"folder, no DAV":  {"http", "/plain", "", func(c *config.Transfer) { c.URL += "/none" }, permanent, 405, "send", ""},
		"nobody there":    {"http", "", "", func(c *config.Transfer) { c.URL = fmt.Sprintf("http://127.0.0.1:%d/", transfertest.FreePort(t)) }, network, 0, "tcp", "Nothing listens"},
		"no such name":    {"http", "", "", func(c *config.Transfer) { c.URL = "http://nas.invalid/" }, network, 0, "lookup", ""},
		"not a URL":       {"http", "", "", func(c *config.Transfer) { c.URL = "nas" }, account, 0, "config", ""},
	} {
		t.Run(name, func(t *testing.T) {
			place := n.at(c.scheme, c.path)
			if c.adjust != nil {
				c.adjust(&place)
			}
			got := refusedWith(t, newHTTP(place, c.secret), f)
			if got.kind != c.kind || got.code != c.code || got.step != c.step || !strings.Contains(got.Error(), c.says) {
				t.Errorf("%+v", got)
			}
			if name == "busy" && got.after != 2*time.Minute {
				t.Errorf("it asks for %v", got.after)
			}
			encoded := base64.StdEncoding.EncodeToString([]byte(serverUser + ":" + serverPassword))
			if strings.Contains(got.Error(), serverPassword) || strings.Contains(got.Error(), encoded[:20]) {
				t.Errorf("the secret is in %s", got)
			}
		})
	}
}

// The queue hands an event to a real nginx, in folders by its date.
func TestNginxThroughTheQueue(t *testing.T) {
	n := startNginx(t)
	b := opened(t, t.TempDir(), newAlbum(), nil).run()
	c := config.Config{Transfers: []config.Transfer{n.at("https", "/basic")}}
	c.Transfers[0].Auth, c.Transfers[0].Path, c.Transfers[0].File = "basic", "{trigger}/{date}", "{trigger}-{stamp}.jpg"
	b.Configure(c, config.Secrets{Transfers: map[string]string{"web": serverPassword}}, time.UTC)
	id := b.event(1, "web", 3)
	b.untilState(id, "delivered")
	n.has("/basic/yard/20261124/yard-20261124120103000.jpg", b.album.data[eventID(1)+"/"+b.album.events[eventID(1)].Images[2].File])
	files, _ := filepath.Glob(n.Path("www/basic/yard/20261124/*"))
	if len(files) != 4 {
		t.Errorf("%v", files)
	}
	if log := b.log.String(); strings.Contains(log, serverPassword) {
		t.Error("the password is in the log")
	}
}

// webServer is a listener whose connections behave as serve says.
func webServer(t *testing.T, serve http.HandlerFunc) (url string, stop func()) {
	t.Helper()
	s := &http.Server{Handler: serve, ErrorLog: nil}
	l, port := listening(t)
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return fmt.Sprintf("http://127.0.0.1:%d", port), func() { s.Close() }
}

// A form as a browser sends it: the file under "file", what it is of beside it.
func TestPost(t *testing.T) {
	f, data := image("yard-1.jpg", 100_000, 3)
	f.trigger = "yard"
	var got []byte
	var fields, auth string
	url, _ := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		auth = r.Header.Get("Authorization")
		if err := r.ParseMultipartForm(1 << 20); err != nil || r.Method != http.MethodPost || r.ContentLength <= 0 {
			t.Errorf("%s %d %v", r.Method, r.ContentLength, err)
			return
		}
		from, h, err := r.FormFile("file")
		if err != nil || h.Filename != "yard-1.jpg" || h.Header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%+v %v", h, err)
			return
		}
		got, _ = io.ReadAll(from)
		fields = r.FormValue("trigger") + " " + r.FormValue("path")
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "thank you\x1b[31m, "+auth)
	})
	s := connected(t, newHTTP(config.Transfer{URL: url + "/up?to=1", Method: "post", Auth: "bearer"}, serverPassword))
	said, err := s.put(t.Context(), f)
	if err != nil || !bytes.Equal(got, data) || fields != "yard cam/20261124/yard-1.jpg" || auth != "Bearer "+serverPassword {
		t.Errorf("%v %q %d bytes", err, fields, len(got))
	}
	if said != "200 OK thank you [31m, Bearer ****" {
		t.Errorf("%q", said)
	}
}

// No status leads astray: what is no success is a fault of the right kind, and
// nothing that is lent to this server goes to another.
func TestStatuses(t *testing.T) {
	visited := false
	other, _ := webServer(t, func(http.ResponseWriter, *http.Request) { visited = true })
	code, methods := 0, ""
	url, _ := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		methods += r.Method + " "
		w.Header().Set("Location", other+"/login")
		w.WriteHeader(code)
	})
	f, _ := image("a.jpg", 100, 1)
	f.dir = "x"
	for _, c := range []struct {
		kind  kind
		codes []int
	}{
		{account, []int{300, 301, 302, 303, 304, 305, 307, 308, 401, 403, 407}},
		{temporary, []int{408, 425, 429, 500, 502, 503, 504, 507, 599}},
		{permanent, []int{400, 402, 404, 405, 406, 409, 410, 411, 413, 415, 422, 451, 499}},
	} {
		for _, code = range c.codes {
			methods = ""
			got := refusedWith(t, newHTTP(config.Transfer{URL: url, Method: "put", Auth: "basic", Username: "u"}, serverPassword), f)
			if got.kind != c.kind || got.code != code {
				t.Errorf("%d: %+v", code, got)
			}
			if folders := strings.Contains(methods, "MKCOL"); folders != (code == 404 || code == 409 || code == 500) {
				t.Errorf("%d: %s", code, methods)
			}
		}
	}
	for _, code = range []int{200, 201, 202, 204, 206, 207} {
		if _, err := connected(t, newHTTP(config.Transfer{URL: url, Method: "put"}, "")).put(t.Context(), f); err != nil {
			t.Errorf("%d: %v", code, err)
		}
	}
	if visited {
		t.Error("a redirection was followed")
	}
}

// Retry-After is seconds or a moment, and bounded.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{"": 0, "10": 10 * time.Second, "-5": 0, "99999999999999999999": 0, "86400": maxAfter, "soon": 0,
		"Tue, 24 Nov 2026 12:05:00 GMT": 5 * time.Minute, "Tue, 24 Nov 2026 11:00:00 GMT": 0, "Tue, 24 Nov 2099 11:00:00 GMT": maxAfter} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// Servers that stand still, lie or never end: each is a fault in bounded time and
// memory, and a slow one that goes on is none.
func TestFaultyWeb(t *testing.T) {
	f, _ := image("a.jpg", 3_000_000, 1)
	f.dir = ""
	answer := func(text string) func(c *rawConn) {
		return func(c *rawConn) { c.swallow(3_000_000); c.say(text) }
	}
	for name, c := range map[string]struct {
		serve func(*rawConn)
		kind  kind
		ok    bool
	}{
		"says nothing":          {serve: func(c *rawConn) { c.swallow(3_000_000); c.wait() }},
		"reads nothing":         {serve: func(c *rawConn) { c.wait() }},
		"reads a part":          {serve: func(c *rawConn) { c.swallow(100_000); c.wait() }},
		"closes at once":        {serve: func(c *rawConn) {}},
		"closes in the middle":  {serve: func(c *rawConn) { c.swallow(1_000_000) }},
		"closes after it":       {serve: func(c *rawConn) { c.swallow(3_000_000) }},
		"is no web server":      {serve: answer("220 mail.example.test ESMTP\r\n")},
		"has no end of headers": {serve: func(c *rawConn) { c.swallow(3_000_000); c.say("HTTP/1.1 200 OK\r\n"); c.flood("X: y\r\n") }},
		"trickles its header":   {serve: func(c *rawConn) { c.swallow(3_000_000); c.trickle("HTTP/1.1 200 OK\r\nX: ") }},
		"has half a header":     {serve: answer("HTTP/1.1 200 OK\r\nContent-")},
		"says 100 for ever":     {serve: func(c *rawConn) { c.swallow(3_000_000); c.flood("HTTP/1.1 100 Continue\r\n\r\n") }},
		"refuses at once": {serve: func(c *rawConn) {
			c.swallow(1000)
			c.say("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.swallow(3_000_000)
		}, kind: permanent},
		"has no end of text": {serve: func(c *rawConn) { c.swallow(3_000_000); c.say("HTTP/1.1 200 OK\r\n\r\n"); c.flood("blah") }, ok: true},
		"trickles its text": {serve: func(c *rawConn) {
			c.swallow(3_000_000)
			c.say("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n")
			c.trickle("")
		}, ok: true},
		"is slow": {serve: func(c *rawConn) { c.sip(3_000_000); c.say("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n") }, ok: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := httpTarget{config.Transfer{URL: rawServer(t, c.serve), Method: "put"}, serverPassword, 500 * time.Millisecond}
			s := connected(t, to)
			_, err := s.put(t.Context(), f)
			if c.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got := asFault(t, err); got.kind != c.kind {
				t.Errorf("%+v", got)
			}
		})
	}
	began := make(chan struct{})
	to := httpTarget{config.Transfer{URL: rawServer(t, func(c *rawConn) { c.swallow(1000); close(began); c.wait() }), Method: "put"}, "", time.Hour}
	s := connected(t, to)
	cancelledSoon(t, began, func(ctx context.Context) error { _, err := s.put(ctx, f); return err })
}

// A server that refuses the handshake, or wants a certificate, is a matter of its
// settings. (In TLS 1.3 the alert may be lost behind what was sent already.)
func TestTLSRefused(t *testing.T) {
	ca, err := mailtest.NewAuthority()
	must(t, err)
	cert, key, err := ca.Certificate(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "127.0.0.1")
	must(t, err)
	pair, err := tls.X509KeyPair(cert, key)
	must(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, ca.PEM, 0o600))
	f, _ := image("a.jpg", 100, 1)
	for _, conf := range []*tls.Config{{MaxVersion: tls.VersionTLS11}, {ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}} {
		conf.Certificates = []tls.Certificate{pair}
		l, port := listening(t)
		s := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
		go s.Serve(tls.NewListener(l, conf))
		defer s.Close()
		for _, to := range []target{
			newHTTP(config.Transfer{URL: fmt.Sprintf("https://127.0.0.1:%d/", port), Method: "put", CAFile: file}, ""),
			newMQTT(config.Transfer{Server: "127.0.0.1", Port: port, Security: "tls", CAFile: file}, ""),
		} {
			if got := refusedWith(t, to, f); got.kind != account || got.step != "tls" || !strings.Contains(got.text, "remote error") {
				t.Errorf("%+v", got)
			}
		}
	}
}

// An image that cannot be read is no fault of the place.
func TestImageUnreadable(t *testing.T) {
	url, _ := webServer(t, func(http.ResponseWriter, *http.Request) {})
	f, _ := image("a.jpg", 100, 1)
	f.open = func() (io.ReadSeekCloser, error) { return nil, errors.New("input/output error") }
	for _, method := range []string{"put", "post"} {
		if got := refusedWith(t, newHTTP(config.Transfer{URL: url, Method: method}, ""), f); got.kind != temporary || got.step != "store" {
			t.Errorf("%+v", got)
		}
	}
}
