// Package control carries engine.API over a unix socket: Server has an engine
// behind it, Client is the same interface in another process.
//
// It is HTTP with JSON, so that curl --unix-socket can read it too. It decides
// nothing and keeps no state. The server's goroutines are net/http's and end
// with Serve; a Watch of the client owns one, which ends with its context.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"watchpost/engine"
	"watchpost/engine/config"
	"watchpost/engine/event"
)

const (
	bodyMax = 1 << 20 // bytes of a request
	lineMax = 8 << 20 // bytes of one message of a stream
)

// Listen makes the socket, for this user alone. A socket that a crash left is
// replaced: the caller holds the lock that says that nobody serves it.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	if err := Trusted(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	return l, nil
}

// Trusted refuses a folder in which somebody else could put a socket of his own:
// what is sent there may be a password. A missing folder is nobody's. Root also
// takes another user's, as systemd makes them, where only root can have put it there.
func Trusted(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return nil
	}
	owner, me := ownerOf(st), os.Geteuid()
	ok := st.IsDir() && st.Mode().Perm()&0o022 == 0 && (owner == me || owner == 0)
	if !ok && me == 0 && st.IsDir() && st.Mode().Perm()&0o022 == 0 {
		up, err := os.Stat(filepath.Dir(dir))
		ok = err == nil && ownerOf(up) == 0 && up.Mode().Perm()&0o022 == 0
	}
	if !ok {
		return fmt.Errorf("the folder %s of the local socket belongs to somebody else, or others may write to it: correct it, or set XDG_RUNTIME_DIR", dir)
	}
	return nil
}

func ownerOf(st os.FileInfo) int { return int(st.Sys().(*syscall.Stat_t).Uid) }

// Serve answers on l until ctx ends.
func Serve(ctx context.Context, l net.Listener, api engine.API) error {
	srv := &http.Server{Handler: handler(api), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("local socket: %w", err)
	}
	return nil
}

// failure is an error on the wire.
type failure struct {
	Error    string           `json:"error"`
	Kind     string           `json:"kind,omitempty"`
	Findings []config.Finding `json:"findings,omitempty"`
	Settings *config.Settings `json:"settings,omitempty"`
}

// kinds are the errors that keep their identity over the socket.
var kinds = map[string]error{"refused": config.ErrRefused, "conflict": config.ErrConflict, "not_found": event.ErrNotFound}

type applied struct {
	Settings config.Settings  `json:"settings"`
	Findings []config.Finding `json:"findings,omitempty"`
}

type applyRequest struct {
	Revision string          `json:"revision"`
	Changes  []config.Change `json:"changes"`
}

func handler(api engine.API) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		s, err := api.Status(r.Context())
		reply(w, s, err)
	})
	mux.HandleFunc("GET /config", func(w http.ResponseWriter, r *http.Request) {
		s, err := api.Config(r.Context())
		reply(w, s, err)
	})
	mux.HandleFunc("GET /queue", func(w http.ResponseWriter, r *http.Request) {
		m, err := api.Queue(r.Context())
		reply(w, m, err)
	})
	mux.HandleFunc("GET /view", func(w http.ResponseWriter, r *http.Request) {
		v, err := api.View(r.Context())
		reply(w, v, err)
	})
	mux.HandleFunc("POST /events", func(w http.ResponseWriter, r *http.Request) {
		var f event.Filter
		if read(w, r, &f) {
			if f.N < 1 || f.N > eventsMax {
				f.N = eventsMax
			}
			e, err := api.Events(r.Context(), f)
			reply(w, e, err)
		}
	})
	mux.HandleFunc("POST /kept", func(w http.ResponseWriter, r *http.Request) {
		var f event.Filter
		if read(w, r, &f) {
			k, err := api.Kept(r.Context(), f)
			reply(w, k, err)
		}
	})
	mux.HandleFunc("POST /remove-events", func(w http.ResponseWriter, r *http.Request) {
		var f event.Filter
		if read(w, r, &f) {
			n, err := api.RemoveEvents(r.Context(), f)
			reply(w, n, err)
		}
	})
	mux.HandleFunc("POST /export", func(w http.ResponseWriter, r *http.Request) { export(api, w, r) })
	mux.HandleFunc("POST /fire", func(w http.ResponseWriter, r *http.Request) {
		f, err := api.Fire(r.Context(), r.URL.Query().Get("trigger"))
		reply(w, f, err)
	})
	mux.HandleFunc("POST /privacy", func(w http.ResponseWriter, r *http.Request) {
		on, err := strconv.ParseBool(r.URL.Query().Get("on"))
		if err == nil {
			err = api.Privacy(r.Context(), on)
		}
		reply(w, struct{}{}, err)
	})
	mux.HandleFunc("POST /retry", func(w http.ResponseWriter, r *http.Request) {
		reply(w, struct{}{}, api.Retry(r.Context(), r.URL.Query().Get("id")))
	})
	mux.HandleFunc("POST /drop", func(w http.ResponseWriter, r *http.Request) {
		reply(w, struct{}{}, api.Drop(r.Context(), r.URL.Query().Get("id")))
	})
	mux.HandleFunc("POST /test-mail", func(w http.ResponseWriter, r *http.Request) {
		m, err := api.TestMail(r.Context())
		reply(w, m, err)
	})
	mux.HandleFunc("POST /revert", func(w http.ResponseWriter, r *http.Request) {
		s, err := api.Revert(r.Context())
		reply(w, s, err)
	})
	mux.HandleFunc("POST /apply", func(w http.ResponseWriter, r *http.Request) {
		var req applyRequest
		if !read(w, r, &req) {
			return
		}
		s, findings, err := api.Apply(r.Context(), req.Revision, req.Changes)
		if err != nil {
			fail(w, err, findings, &s)
			return
		}
		reply(w, applied{s, findings}, nil)
	})
	mux.HandleFunc("POST /diagnose", func(w http.ResponseWriter, r *http.Request) { diagnose(api.Diagnose, w, r) })
	mux.HandleFunc("POST /diagnose-transfer", func(w http.ResponseWriter, r *http.Request) {
		diagnose(func(ctx context.Context, changes []config.Change, step func(event.Step)) (bool, error) {
			return api.DiagnoseTransfer(ctx, r.URL.Query().Get("name"), changes, step)
		}, w, r)
	})
	mux.HandleFunc("GET /watch", func(w http.ResponseWriter, r *http.Request) { watch(api, w, r) })
	return mux
}

const (
	eventsMax    = 10_000               // listed in one answer
	exportFailed = "X-Watchpost-Failed" // trailer: why an archive is not whole
)

// export streams an archive; what comes to light on the way stands in a trailer.
func export(api engine.API, w http.ResponseWriter, r *http.Request) {
	var ids []string
	if !read(w, r, &ids) {
		return
	}
	w.Header().Set("Trailer", exportFailed)
	if err := api.Export(r.Context(), w, ids, r.URL.Query().Get("format")); err != nil {
		js, _ := json.Marshal(failureOf(err)) // quoted: a header is ASCII
		w.Header().Set(exportFailed, strconv.QuoteToASCII(string(js)))
	}
}

// diagnosed is a line of the diagnosis: a step, or at the end whether all was ok.
type diagnosed struct {
	Step *event.Step `json:"step,omitempty"`
	Done bool        `json:"done,omitempty"`
	OK   bool        `json:"ok,omitempty"`
	Err  string      `json:"error,omitempty"`
	Kind string      `json:"kind,omitempty"`
}

func diagnose(do func(context.Context, []config.Change, func(event.Step)) (bool, error), w http.ResponseWriter, r *http.Request) {
	var changes []config.Change
	if !read(w, r, &changes) {
		return
	}
	enc, flush := json.NewEncoder(w), http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	flush.Flush() // the first step can take a while
	ok, err := do(r.Context(), changes, func(s event.Step) {
		enc.Encode(diagnosed{Step: &s})
		flush.Flush()
	})
	last := diagnosed{Done: true, OK: ok}
	if err != nil {
		f := failureOf(err)
		last.Err, last.Kind = f.Error, f.Kind
	}
	enc.Encode(last)
}

// watch streams the snapshot and then every event, a line each.
func watch(api engine.API, w http.ResponseWriter, r *http.Request) {
	snap, ch, err := api.Watch(r.Context())
	if err != nil {
		fail(w, err, nil, nil)
		return
	}
	enc, flush := json.NewEncoder(w), http.NewResponseController(w)
	if enc.Encode(snap) != nil || flush.Flush() != nil {
		return
	}
	for ev := range ch {
		if enc.Encode(ev) != nil || flush.Flush() != nil {
			return
		}
	}
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyMax))
	d.DisallowUnknownFields() // a filter of which a part is not known would choose more than it says
	if err := d.Decode(into); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(failure{Error: "the request cannot be read; is it of another version?"}) // its content may be a secret
		return false
	}
	return true
}

func reply(w http.ResponseWriter, v any, err error) {
	if err != nil {
		fail(w, err, nil, nil)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, err error, findings []config.Finding, s *config.Settings) {
	f := failureOf(err)
	f.Findings, f.Settings = findings, s
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusConflict)
	json.NewEncoder(w).Encode(f)
}

func failureOf(err error) failure {
	f := failure{Error: err.Error()}
	for k, target := range kinds {
		if errors.Is(err, target) {
			f.Kind = k
		}
	}
	return f
}
