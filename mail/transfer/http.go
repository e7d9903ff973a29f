package transfer

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/foreign"
	"watchpost/engine/trust"
)

const (
	maxHeader = 64 << 10 // bytes of a reply's header
	maxBody   = 64 << 10 // bytes of a reply that are read
	keptBody  = 300      // bytes of it that are kept
)

// httpTarget is a place of kind http (RFC 9110): a PUT for each file, below the
// URL, or a POST to the URL as a form does it (RFC 7578).
type httpTarget struct {
	config config.Transfer
	secret string
	stall  time.Duration
}

func newHTTP(c config.Transfer, secret string) target { return httpTarget{c, secret, stallTime} }

// secrets are what must not come back in words.
func (t httpTarget) secrets() []string {
	var all []string
	for _, value := range t.config.Headers { // an API key, often
		all = append(all, value)
	}
	if t.secret != "" {
		all = append(all, t.config.Username+":"+t.secret, t.secret)
	}
	return all
}

// connect opens no connection yet: the first request does.
func (t httpTarget) connect(context.Context) (session, error) {
	base, err := url.Parse(t.config.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, &fault{kind: account, step: "config", text: "The URL cannot be used", do: "Enter one that begins with http:// or https://", err: err}
	}
	base.User, base.Fragment = nil, ""
	var conf *tls.Config
	if base.Scheme == "https" {
		if conf, err = trust.Config(t.config.Pin, t.config.CAFile, base.Hostname(), true); err != nil {
			return nil, lineFault("tls", far{"http", base.Hostname(), base.Host}, err)
		}
	}
	s := &httpSession{httpTarget: t, base: base}
	s.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return dialLine(ctx, address, t.stall)
		},
		TLSClientConfig: conf, TLSHandshakeTimeout: tlsTime, ResponseHeaderTimeout: t.stall,
		MaxResponseHeaderBytes: maxHeader, MaxIdleConns: 1, MaxConnsPerHost: 1, DisableCompression: true,
		WriteBufferSize: piece,
	}
	return s, nil
}

// httpSession keeps one connection.
type httpSession struct {
	httpTarget
	base      *url.URL
	transport *http.Transport
}

func (s *httpSession) close() { s.transport.CloseIdleConnections() }

func (s *httpSession) put(ctx context.Context, f file) (string, error) {
	if s.config.Method == "post" {
		return s.post(ctx, f)
	}
	at := s.below(path.Join(f.dir, f.name))
	said, err := s.putAt(ctx, at, f)
	refused, ok := err.(*fault)
	if !ok || f.dir == "" || refused.code != http.StatusNotFound && refused.code != http.StatusConflict && refused.code != http.StatusInternalServerError {
		return said, err
	}
	// RFC 4918 §9.7.1: 409 is the word for folders that are not there; some say 404,
	// and nginx 500.
	made, merr := s.makeFolders(ctx, f.dir)
	switch {
	case made:
		return s.putAt(ctx, at, f)
	case merr == nil || refused.code == http.StatusInternalServerError: // it was something else
		return "", err
	}
	return "", merr
}

// below is the URL of a path below the place's own.
func (s *httpSession) below(rel string) *url.URL {
	u := *s.base
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + strings.TrimPrefix(rel, "/")
	u.RawPath = ""
	return &u
}

func (s *httpSession) putAt(ctx context.Context, at *url.URL, f file) (string, error) {
	body, err := f.open()
	if err != nil {
		return "", &fault{kind: temporary, step: "store", text: "The image cannot be read: " + foreign.Sanitise(err.Error()), do: "Check the disk", err: err}
	}
	defer body.Close()
	return s.do(ctx, http.MethodPut, at, io.NopCloser(body), f.size, f.kind)
}

// post sends a file as a form would, whose field is "file", and what it is of in
// fields beside it.
func (s *httpSession) post(ctx context.Context, f file) (string, error) {
	from, err := f.open()
	if err != nil {
		return "", &fault{kind: temporary, step: "store", text: "The image cannot be read: " + foreign.Sanitise(err.Error()), do: "Check the disk", err: err}
	}
	defer from.Close()
	var head strings.Builder
	form := multipart.NewWriter(&head)
	for _, field := range [][2]string{{"trigger", f.trigger}, {"time", f.at.Format(time.RFC3339Nano)}, {"path", path.Join(f.dir, f.name)}} {
		if err := form.WriteField(field[0], field[1]); err != nil {
			return "", err
		}
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="file"; filename=%q`, f.name))
	h.Set("Content-Type", f.kind)
	if _, err := form.CreatePart(h); err != nil {
		return "", err
	}
	tail := "\r\n--" + form.Boundary() + "--\r\n"
	body := io.MultiReader(strings.NewReader(head.String()), from, strings.NewReader(tail))
	return s.do(ctx, http.MethodPost, s.base, io.NopCloser(body), int64(head.Len())+f.size+int64(len(tail)), form.FormDataContentType())
}

// makeFolders makes what is missing of a folder below the URL (RFC 4918 §9.3). made
// reports whether something was, and all is there now.
func (s *httpSession) makeFolders(ctx context.Context, dir string) (made bool, err error) {
	at := ""
	for _, part := range strings.Split(strings.Trim(dir, "/"), "/") {
		if part == "" {
			continue
		}
		at += part + "/"
		_, err := s.do(ctx, "MKCOL", s.below(at), nil, 0, "")
		f, ok := err.(*fault)
		switch {
		case err == nil:
			made = true
			trialOf(ctx).webFolder(strings.TrimSuffix(at, "/"))
		case ok && f.code == http.StatusMethodNotAllowed: // it is there
		case ok && (f.code == http.StatusNotImplemented || f.code == http.StatusNotFound || f.code == http.StatusBadRequest):
			return false, &fault{kind: permanent, step: "folder", code: f.code, err: err,
				text: "The folder is not there, and the server makes none: " + f.text, do: "Make the folder on the server, or choose a path that is there"}
		default:
			if ok {
				f.step = "folder"
			}
			return false, err
		}
	}
	return made, nil
}

// do makes one request. It follows no redirection: credentials go nowhere else,
// and a PUT that became a GET would look like a success.
func (s *httpSession) do(ctx context.Context, method string, at *url.URL, body io.ReadCloser, size int64, kind string) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return "", &fault{kind: account, step: "config", text: "The URL cannot be used", do: "Check the transfer's url and path"}
	}
	req.ContentLength = size
	if size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("User-Agent", "Watchpost")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for name, value := range s.config.Headers {
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	switch s.config.Auth {
	case "basic":
		req.SetBasicAuth(s.config.Username, s.secret)
	case "bearer":
		req.Header.Set("Authorization", "Bearer "+s.secret)
	}
	reply, err := s.transport.RoundTrip(req)
	if err != nil {
		if f, ok := err.(*fault); ok {
			return "", f
		}
		return "", lineFault("send", far{"http", at.Hostname(), at.Host}, err, s.secrets()...)
	}
	defer reply.Body.Close()
	stop := time.AfterFunc(s.stall, cancel) // the reply's text must come in that time
	text, _ := io.ReadAll(io.LimitReader(reply.Body, maxBody))
	stop.Stop()
	return s.judge(reply, text)
}

// judge grades a reply by its status (RFC 9110 §15).
func (s *httpSession) judge(reply *http.Response, text []byte) (string, error) {
	said := strconv.Itoa(reply.StatusCode) + " " + http.StatusText(reply.StatusCode)
	if kind, _, _ := strings.Cut(reply.Header.Get("Content-Type"), ";"); kind == "text/plain" || kind == "application/json" {
		words := foreign.Scrub(string(text), s.secrets()...) // before the cut could leave half of one
		said += " " + words[:min(len(words), keptBody)]
	}
	said = foreign.Harmless(said, s.secrets()...)
	f := &fault{code: reply.StatusCode, step: "send"}
	switch c := reply.StatusCode; {
	case c >= 200 && c < 300:
		return said, nil
	case c >= 300 && c < 400:
		f.kind, f.do = account, "Enter the address that it names as the transfer's url; nothing was sent there"
		f.text = "The server sends the request elsewhere: " + said + s.elsewhere(reply)
	case c == 401, c == 403, c == 407:
		f.kind, f.step, f.do = account, "login", "Check the user name, the password or token and the login method, and what that account may do"
		f.text = "The server does not let this account in: " + said
		if how := reply.Header.Get("WWW-Authenticate"); c == 401 && how != "" {
			scheme, _, _ := strings.Cut(how, " ")
			f.text += " (it asks for " + foreign.Sanitise(scheme) + ")"
		}
	case c == 408, c == 425, c == 429, c >= 500:
		f.kind, f.do, f.after = temporary, "It is tried again", retryAfter(reply.Header.Get("Retry-After"), time.Now())
		f.text = "The server does not take it for now: " + said
		if c == 507 {
			f.do = "Make room on the server; it is tried again"
		}
	default:
		f.kind, f.do = permanent, "Check the transfer's url, path and method; then retry"
		f.text = "The server refuses it: " + said
		if c == 413 {
			f.do = "Raise the server's limit on the size of a request; then retry"
		}
	}
	return "", f
}

// elsewhere is where a redirection leads, without what may be secret in it.
func (s *httpSession) elsewhere(reply *http.Response) string {
	to, err := reply.Location()
	if err != nil {
		return ""
	}
	return foreign.Harmless(" to "+to.Scheme+"://"+to.Host+to.EscapedPath(), s.secrets()...)
}

// retryAfter reads a Retry-After (RFC 9110 §10.2.3): seconds, or a moment.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n > 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, maxAfter)
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, min(at.Sub(now), maxAfter))
	}
	return 0
}
