// Package need is test support: it says what real counterpart a test cannot do
// without. A missing one skips the test with the reason; with CI=true it fails.
//
// It is imported by tests only and starts no goroutine.
package need

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Skip skips the test because of why, or fails it where CI=true. The reason is
// added to the file that $WATCHPOST_SKIPS names, which `make test` shows.
func Skip(t testing.TB, why string) {
	t.Helper()
	if path := os.Getenv("WATCHPOST_SKIPS"); path != "" {
		if f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintf(f, "%s: %s\n", t.Name(), why)
			f.Close()
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("missing in CI: " + why)
	}
	t.Skip(why)
}

// Program returns the path of a program that the test runs, looking in the
// administrator's folders too. pkg is the Debian package that has it.
func Program(t testing.TB, name, pkg string) string {
	t.Helper()
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/lib/postfix/sbin"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err == nil && st.Mode()&0o111 != 0 {
			return filepath.Join(dir, name)
		}
	}
	Skip(t, name+" is not installed (Debian package "+pkg+"; make deps)")
	return ""
}

// Root skips the test unless it runs as root. why says what needs it.
func Root(t testing.TB, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Skip(t, "needs root: "+why)
	}
}

// Clips returns the folder of recorded clips: $WATCHPOST_CLIPS, else shared/clips
// beside the checkout; "" where there is none and generated scenes stand in.
func Clips() string {
	if d := os.Getenv("WATCHPOST_CLIPS"); d != "" {
		return d
	}
	_, here, _, _ := runtime.Caller(0)
	d := filepath.Join(filepath.Dir(here), "..", "..", "..", "shared", "clips")
	if _, err := os.Stat(filepath.Join(d, "labels.json")); err == nil {
		return d
	}
	return ""
}
