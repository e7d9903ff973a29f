package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"watchpost/engine"
	"watchpost/engine/config"
	"watchpost/engine/event"
)

var _ engine.API = (*Client)(nil)

// ErrNoService says that nobody answers on the socket.
var ErrNoService = errors.New("the service is not running")

// answerTime is how long the service may take to begin its answer.
const answerTime = 30 * time.Second

// Client is engine.API over the socket of a running service.
type Client struct {
	http *http.Client
}

// Dial returns a client of the service behind the socket, or ErrNoService.
func Dial(ctx context.Context, path string) (*Client, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	if err := Trusted(filepath.Dir(path)); err != nil {
		return nil, err
	}
	conn, err := dial(ctx, "", "")
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w (nobody answers on %s)", ErrNoService, path)
	case err != nil: // it may well run
		return nil, fmt.Errorf("reach the service: %w", err)
	}
	conn.Close()
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConns: 4, ResponseHeaderTimeout: answerTime}}}, nil
}

func (c *Client) do(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var r io.Reader
	if body != nil {
		js, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(js)
	}
	u := url.URL{Scheme: "http", Host: "watchpost", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var slow interface{ Timeout() bool }
		if errors.As(err, &slow) && slow.Timeout() {
			return nil, fmt.Errorf("the service does not answer within %v: it hangs, or the disk does; see its log, then restart it", answerTime)
		}
		return nil, fmt.Errorf("%w (%v)", ErrNoService, errors.Unwrap(err))
	}
	return resp, nil
}

// wireError is an error of the engine behind the socket: its words, and what it is.
type wireError struct {
	failure
}

func (e *wireError) Error() string { return e.failure.Error }
func (e *wireError) Unwrap() error { return kinds[e.Kind] }

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	resp, err := c.do(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(io.LimitReader(resp.Body, 64<<20))
	if resp.StatusCode != http.StatusOK {
		return failed(dec)
	}
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("the service's answer cannot be read: %w", err)
	}
	return nil
}

func failed(dec *json.Decoder) error {
	e := &wireError{}
	if err := dec.Decode(&e.failure); err != nil || e.failure.Error == "" {
		e.failure.Error = "the service's answer cannot be read; is it of another version?"
	}
	return e
}

// Status is engine.API's.
func (c *Client) Status(ctx context.Context) (s event.Status, err error) {
	err = c.call(ctx, "GET", "/status", nil, nil, &s)
	return s, err
}

// Config is engine.API's.
func (c *Client) Config(ctx context.Context) (s config.Settings, err error) {
	err = c.call(ctx, "GET", "/config", nil, nil, &s)
	return s, err
}

// Apply is engine.API's.
func (c *Client) Apply(ctx context.Context, revision string, changes []config.Change) (config.Settings, []config.Finding, error) {
	var a applied
	err := c.call(ctx, "POST", "/apply", nil, applyRequest{revision, changes}, &a)
	var we *wireError
	if errors.As(err, &we) {
		a.Findings = we.Findings
		if we.Settings != nil {
			a.Settings = *we.Settings
		}
	}
	return a.Settings, a.Findings, err
}

// Revert is engine.API's.
func (c *Client) Revert(ctx context.Context) (s config.Settings, err error) {
	err = c.call(ctx, "POST", "/revert", nil, nil, &s)
	return s, err
}

// TestMail is engine.API's.
func (c *Client) TestMail(ctx context.Context) (m event.Mail, err error) {
	err = c.call(ctx, "POST", "/test-mail", nil, nil, &m)
	return m, err
}

// Fire is engine.API's.
func (c *Client) Fire(ctx context.Context, trigger string) (f event.Firing, err error) {
	err = c.call(ctx, "POST", "/fire", url.Values{"trigger": {trigger}}, nil, &f)
	return f, err
}

// Privacy is engine.API's.
func (c *Client) Privacy(ctx context.Context, on bool) error {
	return c.call(ctx, "POST", "/privacy", url.Values{"on": {strconv.FormatBool(on)}}, nil, &struct{}{})
}

// Queue is engine.API's.
func (c *Client) Queue(ctx context.Context) (m []event.Mail, err error) {
	err = c.call(ctx, "GET", "/queue", nil, nil, &m)
	return m, err
}

// Retry is engine.API's.
func (c *Client) Retry(ctx context.Context, id string) error {
	return c.call(ctx, "POST", "/retry", url.Values{"id": {id}}, nil, &struct{}{})
}

// Drop is engine.API's.
func (c *Client) Drop(ctx context.Context, id string) error {
	return c.call(ctx, "POST", "/drop", url.Values{"id": {id}}, nil, &struct{}{})
}

// Events is engine.API's.
func (c *Client) Events(ctx context.Context, f event.Filter) (e []event.Stored, err error) {
	err = c.call(ctx, "POST", "/events", nil, f, &e)
	return e, err
}

// View is engine.API's.
func (c *Client) View(ctx context.Context) (v event.View, err error) {
	err = c.call(ctx, "GET", "/view", nil, nil, &v)
	return v, err
}

// Kept is engine.API's.
func (c *Client) Kept(ctx context.Context, f event.Filter) (k event.Kept, err error) {
	err = c.call(ctx, "POST", "/kept", nil, f, &k)
	return k, err
}

// RemoveEvents is engine.API's.
func (c *Client) RemoveEvents(ctx context.Context, f event.Filter) (n int, err error) {
	err = c.call(ctx, "POST", "/remove-events", nil, f, &n)
	return n, err
}

// Export is engine.API's.
func (c *Client) Export(ctx context.Context, w io.Writer, ids []string, format string) error {
	resp, err := c.do(ctx, "POST", "/export", url.Values{"format": {format}}, ids)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return failed(json.NewDecoder(io.LimitReader(resp.Body, 1<<20)))
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the service broke off: the archive is not whole: %w", err)
	}
	if why := resp.Trailer.Get(exportFailed); why != "" {
		js, err := strconv.Unquote(why)
		if err != nil {
			js = ""
		}
		return failed(json.NewDecoder(strings.NewReader(js)))
	}
	return nil
}

// Diagnose is engine.API's.
func (c *Client) Diagnose(ctx context.Context, changes []config.Change, step func(event.Step)) (bool, error) {
	return c.diagnose(ctx, "/diagnose", nil, changes, step)
}

// DiagnoseTransfer is engine.API's.
func (c *Client) DiagnoseTransfer(ctx context.Context, name string, changes []config.Change, step func(event.Step)) (bool, error) {
	return c.diagnose(ctx, "/diagnose-transfer", url.Values{"name": {name}}, changes, step)
}

func (c *Client) diagnose(ctx context.Context, path string, query url.Values, changes []config.Change, step func(event.Step)) (bool, error) {
	if changes == nil {
		changes = []config.Change{}
	}
	resp, err := c.do(ctx, "POST", path, query, changes)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return false, failed(dec)
	}
	for {
		var d diagnosed
		if err := dec.Decode(&d); err != nil {
			return false, fmt.Errorf("the diagnosis broke off: %w", err)
		}
		switch {
		case d.Step != nil:
			step(*d.Step)
		case d.Done && d.Err != "":
			return false, &wireError{failure{Error: d.Err, Kind: d.Kind}}
		case d.Done:
			return d.OK, nil
		}
	}
}

// Watch is engine.API's. The channel closes too when the service stops.
func (c *Client) Watch(ctx context.Context) (event.Snapshot, <-chan event.Event, error) {
	var snap event.Snapshot
	resp, err := c.do(ctx, "GET", "/watch", nil, nil)
	if err != nil {
		return snap, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return snap, nil, failed(json.NewDecoder(resp.Body))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, lineMax)
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &snap) != nil {
		resp.Body.Close()
		return snap, nil, errors.New("the service's answer cannot be read; is it of another version?")
	}
	ch := make(chan event.Event, 16)
	go func() { // ends with ctx, which closes the body, or with the service
		defer close(ch)
		defer resp.Body.Close()
		for lines.Scan() {
			var ev event.Event
			if json.Unmarshal(lines.Bytes(), &ev) != nil {
				return
			}
			select {
			case ch <- ev:
			case <-ctx.Done():
				return
			}
		}
	}()
	return snap, ch, nil
}
