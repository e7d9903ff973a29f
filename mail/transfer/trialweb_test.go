package transfer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// The folder that a trial made at a WebDAV server goes, also where the file is refused
// in it.
func TestTrialRefusedInItsFolder(t *testing.T) {
	for _, code := range []int{http.StatusInsufficientStorage, http.StatusForbidden, http.StatusRequestEntityTooLarge} {
		var mu sync.Mutex
		there := map[string]bool{}
		url, _ := webServer(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			dir := r.URL.Path[:strings.LastIndexByte(r.URL.Path, '/')]
			switch own := strings.TrimSuffix(r.URL.Path, "/"); {
			case r.Method == "MKCOL":
				there[own] = true
				w.WriteHeader(http.StatusCreated)
			case r.Method == "DELETE" && there[own]:
				delete(there, own)
				w.WriteHeader(http.StatusNoContent)
			case r.Method == "DELETE":
				w.WriteHeader(http.StatusNotFound)
			case !there[dir]:
				w.WriteHeader(http.StatusConflict)
			default:
				w.WriteHeader(code)
			}
		})
		r := try(t, config.Transfer{Name: "web", Kind: "http", Method: "put", Auth: "none", URL: url + "/dav", Path: "{date}/{trigger}"}, "")
		if f := r.failed(); r.ok || f.Code != code || !slices.ContainsFunc(r.steps, func(s event.Step) bool { return s.Step == "folder" }) {
			t.Errorf("%v %+v", r.ok, r.steps)
		}
		mu.Lock()
		if len(there) > 0 {
			t.Errorf("%d: left at the server: %v", code, there)
		}
		mu.Unlock()
	}
}

// A trial that was broken off before it asked for anything has nothing to take back,
// and ends at once.
func TestTrialBrokenOffBeforeItsRequest(t *testing.T) {
	l, port := listening(t) // it accepts, and never speaks
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := config.Config{Transfers: []config.Transfer{{Name: "web", Kind: "http", Method: "put", Auth: "none", Path: ".", URL: fmt.Sprintf("https://%s/", l.Addr())}}}
	began := time.Now()
	ok := Diagnose(ctx, cfg, config.Secrets{}, "web", nil, func(s event.Step) {
		if s.Step == "tcp" {
			cancel()
		}
	})
	if took := time.Since(began); ok || took > tidyTime/2 {
		t.Errorf("port %d: %v after %v", port, ok, took)
	}
}

// What a connection that was being made comes to is told no more after the trial's end.
func TestTrialIsSilentAfterItsEnd(t *testing.T) {
	told := 0
	x := &trial{tell: func(event.Step) { told++ }, mark: time.Now()}
	h := x.hooks()
	x.end()
	h.ConnectDone("tcp", "192.0.2.1:443", nil)
	if told > 0 {
		t.Errorf("%d steps", told)
	}
}
