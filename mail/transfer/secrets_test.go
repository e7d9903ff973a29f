package transfer

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// Servers that say back all they were told bring no secret into a log, an error, a
// step, the queue's list or a file: not the password, not the token, not an API key
// of a header, not their base64.
func TestNoSecretLeaks(t *testing.T) {
	const password, token, key = "pass-wörd-of-the-camera", "token.of.the.camera", "key-of-the-camera"
	basic := base64.StdEncoding.EncodeToString([]byte("gate3:" + password))
	reply := 500
	echo, _ := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("WWW-Authenticate", r.Header.Get("Authorization"))
		w.Header().Set("Location", "http://elsewhere.example.test/"+url.PathEscape(key)+"?"+r.Header.Get("Authorization"))
		w.WriteHeader(reply)
		io.WriteString(w, strings.Repeat("-", keptBody-len("200 OK ")-30)) // so that a cut could leave half of one
		_, decoded, _ := r.BasicAuth()
		fmt.Fprintln(w, decoded, r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"))
	})
	refuses := brokerAt(t, func(c *rawConn) {
		buf := make([]byte, 4096)
		c.Read(buf)
		words := "no " + password
		c.say("\x20" + string(rune(len(words)+6)) + "\x00\x86" + string(rune(len(words)+3)) + "\x1f\x00" + string(rune(len(words))) + words)
		c.wait()
	})
	for _, reply = range []int{200, 302, 401, 404, 500} {
		dir := t.TempDir()
		b := opened(t, dir, newAlbum(), nil).run()
		c := config.Config{Site: config.Site{Name: "Gate 3"}}
		web := config.Transfer{Kind: "http", Method: "put", URL: echo + "/x", Path: "{trigger}", File: "{event}-{n}.jpg", Username: "gate3", Headers: map[string]string{"X-Api-Key": key}}
		for i, auth := range []string{"basic", "bearer"} {
			web.Name, web.Auth = fmt.Sprint("web", i), auth
			c.Transfers = append(c.Transfers, web)
		}
		broker := refuses.config
		broker.Username = "gate3"
		c.Transfers = append(c.Transfers, broker)
		b.Configure(c, config.Secrets{Transfers: map[string]string{"web0": password, "web1": token, "ha": password}}, time.UTC)
		for i, place := range []string{"web0", "web1", "ha"} {
			b.event(i+1, place, 1)
		}
		for n := 1; n <= 3; n++ {
			b.until(event.TransferID(uint64(n)), "tried", func(m event.Mail) bool { return m.Attempts > 0 })
		}
		b.stop()
		b.said.mu.Lock()
		all := map[string]string{"the log": b.log.String(), "the steps": fmt.Sprintf("%+v", b.said.steps), "what the listener was told": fmt.Sprintf("%+v", b.said.mails)}
		b.said.mu.Unlock()
		all["the queue"] = fmt.Sprintf("%+v %v", b.Mails(), b.Problems())
		filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error {
			text, _ := os.ReadFile(path)
			all[path] = string(text)
			return nil
		})
		for where, text := range all {
			for _, secret := range []string{password, token, key, basic, strings.TrimRight(basic, "="), base64.RawStdEncoding.EncodeToString([]byte(token))} {
				if strings.Contains(text, secret) {
					t.Errorf("status %d: %q is in %s:\n%s", reply, secret, where, text)
				}
			}
		}
		if reply == 200 && !strings.Contains(all["the queue"], "****") {
			t.Error("nothing was said back: nothing was tested")
		}
	}
}

// A server's answer gives no secret away, however it wraps it.
func TestSecretsInAnswers(t *testing.T) {
	const token = `tok"en+with/odd<chars>`
	c := config.Transfer{Name: "web", Kind: "http", Auth: "bearer", Headers: map[string]string{"X-Short": "tok\"e", "X-Key": "key&value"}}
	for _, echo := range []string{
		token, "to\u200bk\"en+with/odd<chars>", `tok\"en+with/odd<chars>`, `tok\"en+with/odd\u003cchars\u003e`, "tok%22en%2Bwith%2Fodd%3Cchars%3E",
		"tok&#34;en+with/odd&lt;chars&gt;", base64.StdEncoding.EncodeToString([]byte(token)), base64.RawURLEncoding.EncodeToString([]byte(token)), "key&value", "key&amp;value",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusUnauthorized)
			w.Write([]byte("bad: " + echo))
		}))
		c.URL = server.URL
		s, err := newHTTP(c, token).connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.put(context.Background(), bytesFile("", "x", []byte("x")))
		s.close()
		server.Close()
		if err == nil || !strings.Contains(err.Error(), "bad: ****") || strings.Contains(err.Error(), "odd") || strings.Contains(err.Error(), "value") {
			t.Errorf("%s: %v", echo, err)
		}
	}
}
