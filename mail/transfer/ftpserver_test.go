package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"watchpost/mail/transfer/transfertest"
)

// The account of every real server.
const (
	serverUser     = transfertest.User
	serverPassword = transfertest.Password
	serverUID      = transfertest.UID
)

// server is a real one, see transfertest.
type server = transfertest.Server

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// image is a file of n bytes that is like no other.
func image(name string, n int, seed byte) (file, []byte) {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(data)
	return bytesFile("cam/20261124", name, data), data
}

func bytesFile(dir, name string, data []byte) file {
	return file{dir: dir, name: name, kind: "image/jpeg", at: time.Now(), size: int64(len(data)),
		open: func() (io.ReadSeekCloser, error) { return closing{bytes.NewReader(data)}, nil }}
}

type closing struct{ io.ReadSeeker }

func (closing) Close() error { return nil }

// connected is a session that the test closes.
func connected(t *testing.T, to target) session {
	t.Helper()
	s, err := to.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// refusedWith connects and hands f over; one of both has to fail.
func refusedWith(t *testing.T, to target, f file) *fault {
	t.Helper()
	s, err := to.connect(t.Context())
	if err == nil {
		defer s.close()
		_, err = s.put(t.Context(), f)
	}
	return asFault(t, err)
}

// asFault is err as a fault that says all that it has to and no secret.
func asFault(t *testing.T, err error) *fault {
	t.Helper()
	var f *fault
	if !errors.As(err, &f) {
		t.Fatalf("not a fault: %v", err)
	}
	all := f.Error()
	for e := error(f); e != nil; e = errors.Unwrap(e) {
		all += fmt.Sprintf("\n%v\n%+v\n%#v", e, e, e)
	}
	if strings.Contains(all, serverPassword) {
		t.Errorf("the secret is in %s", all)
	}
	if f.step == "" || f.text == "" || f.do == "" || strings.ContainsFunc(f.Error(), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
		t.Errorf("an incomplete or harmful fault: %+v", f)
	}
	return f
}

// hasFile checks that a folder holds just one file with the given bytes.
func hasFile(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%s has %d bytes, not the %d that were sent", name, len(got), len(data))
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.part"))
	if len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// cancelledSoon cancels what do waits for and fails where it takes long to obey. The
// bound is well above the 100 ms promised, for a machine that is busy.
func cancelledSoon(t *testing.T, began <-chan struct{}, do func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	<-began
	cancel()
	select {
	case err := <-done:
		if f := asFault(t, err); f.kind != network || !errors.Is(f, context.Canceled) {
			t.Errorf("%+v", f)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("does not obey its context")
	}
}
