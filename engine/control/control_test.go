package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"watchpost/engine"
	"watchpost/engine/config"
	"watchpost/engine/event"
)

// fakeAPI answers with what it was asked.
type fakeAPI struct {
	engine.API
	ch  chan event.Event
	err error
}

func (f *fakeAPI) Status(context.Context) (event.Status, error) {
	return event.Status{State: "armed", Problems: []string{"one"}}, f.err
}

func (f *fakeAPI) Config(context.Context) (config.Settings, error) {
	return config.Settings{Config: config.Default(), Revision: "r1", Secrets: map[string]bool{"smtp.password": true}}, f.err
}

func (f *fakeAPI) Apply(_ context.Context, revision string, changes []config.Change) (config.Settings, []config.Finding, error) {
	s := config.Settings{Revision: "r2"}
	if f.err != nil {
		return s, []config.Finding{{Key: changes[0].Key, Verdict: config.Verdict{Level: config.Error, Short: "wrong"}}}, f.err
	}
	return s, nil, nil
}

func (f *fakeAPI) Revert(context.Context) (config.Settings, error) {
	return config.Settings{Revision: "r0"}, f.err
}
func (f *fakeAPI) TestMail(context.Context) (event.Mail, error) {
	return event.Mail{ID: "test-1"}, f.err
}
func (f *fakeAPI) Fire(_ context.Context, name string) (event.Firing, error) {
	return event.Firing{Trigger: name, Seq: 7}, f.err
}
func (f *fakeAPI) Queue(context.Context) ([]event.Mail, error) {
	return []event.Mail{{ID: "a"}, {ID: "b"}}, f.err
}
func (f *fakeAPI) Retry(_ context.Context, id string) error { return f.err }
func (f *fakeAPI) Drop(_ context.Context, id string) error  { return f.err }
func (f *fakeAPI) Events(_ context.Context, x event.Filter) ([]event.Stored, error) {
	return make([]event.Stored, x.N), f.err
}
func (f *fakeAPI) Privacy(_ context.Context, on bool) error { return f.err }
func (f *fakeAPI) View(context.Context) (event.View, error) {
	return event.View{Seq: 7, Width: 2, Height: 1, Luma: []byte{1, 255}, ColourWidth: 1, ColourHeight: 1, Blue: []byte{0}, Red: []byte{200}, Seen: []event.Seen{{Trigger: "yard", Level: 0.5, Box: [4]int{1, 2, 3, 4}, Moving: []byte{0, 1}}}}, f.err
}

func (f *fakeAPI) Kept(_ context.Context, x event.Filter) (event.Kept, error) {
	return event.Kept{Events: len(x.Trigger), Waiting: x.N}, f.err
}
func (f *fakeAPI) RemoveEvents(_ context.Context, x event.Filter) (int, error) { return x.N, f.err }
func (f *fakeAPI) Export(_ context.Context, w io.Writer, ids []string, format string) error {
	fmt.Fprint(w, format, ids)
	return f.err
}

func (f *fakeAPI) Diagnose(_ context.Context, changes []config.Change, step func(event.Step)) (bool, error) {
	for i := range 3 {
		step(event.Step{Step: "rcpt", Target: fmt.Sprint(len(changes), i)})
	}
	return true, f.err
}

func (f *fakeAPI) DiagnoseTransfer(_ context.Context, name string, changes []config.Change, step func(event.Step)) (bool, error) {
	step(event.Step{Step: "login", Target: fmt.Sprint(name, changes)})
	return true, f.err
}

func (f *fakeAPI) Watch(ctx context.Context) (event.Snapshot, <-chan event.Event, error) {
	return event.Snapshot{Status: event.Status{State: "armed"}}, f.ch, f.err
}

func serve(t *testing.T, api engine.API) *Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "wp-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v", st.Mode())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, api) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	c, err := Dial(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every call gives over the socket what it gives directly, errors with their identity.
func TestSameOverTheSocket(t *testing.T) {
	ctx := context.Background()
	for _, failing := range []error{nil, fmt.Errorf("mail x: %w", event.ErrNotFound), config.ErrConflict, config.ErrRefused, errors.New("the disk is full")} {
		api := &fakeAPI{err: failing}
		c := serve(t, api)
		calls := map[string]func(engine.API) (any, error){
			"status":   func(a engine.API) (any, error) { return a.Status(ctx) },
			"config":   func(a engine.API) (any, error) { return a.Config(ctx) },
			"revert":   func(a engine.API) (any, error) { return a.Revert(ctx) },
			"testmail": func(a engine.API) (any, error) { return a.TestMail(ctx) },
			"fire":     func(a engine.API) (any, error) { return a.Fire(ctx, "a b&c=ä") },
			"queue":    func(a engine.API) (any, error) { return a.Queue(ctx) },
			"events":   func(a engine.API) (any, error) { return a.Events(ctx, event.Filter{N: 3}) },
			"privacy":  func(a engine.API) (any, error) { return nil, a.Privacy(ctx, true) },
			"view":     func(a engine.API) (any, error) { return a.View(ctx) },
			"kept":     func(a engine.API) (any, error) { return a.Kept(ctx, event.Filter{Trigger: "yard", N: 2}) },
			"remove":   func(a engine.API) (any, error) { return a.RemoveEvents(ctx, event.Filter{N: 3}) },
			"export": func(a engine.API) (any, error) {
				var b bytes.Buffer
				err := a.Export(ctx, &b, []string{"a", "b"}, "zip")
				return b.String(), err
			},
			"retry": func(a engine.API) (any, error) { return nil, a.Retry(ctx, "") },
			"drop":  func(a engine.API) (any, error) { return nil, a.Drop(ctx, "x") },
			"apply": func(a engine.API) (any, error) {
				s, findings, err := a.Apply(ctx, "r1", []config.Change{{Key: "smtp.port", Value: "x"}})
				return []any{s, findings}, err
			},
			"diagnose": func(a engine.API) (any, error) {
				var steps []event.Step
				ok, err := a.Diagnose(ctx, []config.Change{{Key: "smtp.password", Value: "secret"}}, func(s event.Step) { steps = append(steps, s) })
				return []any{ok && err == nil, steps}, err
			},
		}
		calls["transfer"] = func(a engine.API) (any, error) {
			var steps []event.Step
			ok, err := a.DiagnoseTransfer(ctx, "a b&c=ä", []config.Change{{Key: "transfers.nas.password", Value: "secret"}}, func(s event.Step) { steps = append(steps, s) })
			return []any{ok && err == nil, steps}, err
		}
		for name, call := range calls {
			want, werr := call(api)
			got, gerr := call(c)
			if werr == nil && !reflect.DeepEqual(got, want) || name == "apply" && !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
			if (gerr == nil) != (werr == nil) || werr != nil && gerr.Error() != werr.Error() {
				t.Errorf("%s: error %v, want %v", name, gerr, werr)
			}
			for _, kind := range kinds {
				if errors.Is(gerr, kind) != errors.Is(werr, kind) {
					t.Errorf("%s: error %v is not what it was", name, gerr)
				}
			}
		}
	}
}

func TestWatch(t *testing.T) {
	api := &fakeAPI{ch: make(chan event.Event, 4)}
	c := serve(t, api)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	snap, ch, err := c.Watch(ctx)
	if err != nil || snap.Status.State != "armed" {
		t.Fatalf("%+v, %v", snap, err)
	}
	for i := range 3 {
		api.ch <- event.Event{Lost: i + 1}
		if ev := <-ch; ev.Lost != i+1 {
			t.Errorf("event %+v", ev)
		}
	}
	close(api.ch) // the engine stops
	select {
	case _, ok := <-ch:
		if ok {
			t.Error("an event came from nowhere")
		}
	case <-time.After(30 * time.Second):
		t.Error("the channel does not close when the engine stops")
	}
}

func TestNoService(t *testing.T) {
	if _, err := Dial(context.Background(), filepath.Join(t.TempDir(), "s")); !errors.Is(err, ErrNoService) {
		t.Errorf("error %v", err)
	}
}

// A folder that others may write to is not trusted with a password.
func TestStrangersFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(dir, "s")); err == nil {
		t.Error("a socket was opened in it")
	}
	if _, err := Dial(context.Background(), filepath.Join(dir, "s")); err == nil || errors.Is(err, ErrNoService) {
		t.Errorf("error %v", err)
	}
	link := filepath.Join(t.TempDir(), "l")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(context.Background(), filepath.Join(link, "s")); err == nil || errors.Is(err, ErrNoService) {
		t.Errorf("a symbolic link: %v", err)
	}
}

// A filter that says more than the service knows chooses nothing: an older service would
// remove what a newer client did not mean.
func TestUnknownPartOfAFilter(t *testing.T) {
	c := serve(t, &fakeAPI{})
	var n any
	err := c.call(context.Background(), "POST", "/remove-events", nil, map[string]any{"n": 1, "camera": "gate"}, &n)
	if err == nil || !strings.Contains(err.Error(), "is it of another version?") {
		t.Errorf("%v, %v", n, err)
	}
}
