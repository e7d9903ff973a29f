package need

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unpack fetches Debian packages and unpacks them; see its own head.
//
//go:embed unpack.sh
var unpack string

// Unpacked returns the folder into which the Debian packages are unpacked with
// the libraries that the machine lacks. Nothing is installed, so that a package
// can be had that conflicts with an installed one. It is fetched once and kept in
// the user's cache. Where it cannot be fetched, the test is skipped.
func Unpacked(t testing.TB, packages ...string) (root string) {
	t.Helper()
	for _, program := range []string{"apt-get", "dpkg", "flock"} {
		Program(t, program, "apt, dpkg, util-linux")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		Skip(t, "no cache directory: "+err.Error())
	}
	name := strings.Join(packages, "+")
	root = filepath.Join(cache, "watchpost-lab", name)
	cmd := exec.Command("sh", append([]string{"-c", unpack, "unpack.sh", root}, packages...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		Skip(t, name+" could not be fetched: "+strings.TrimSpace(string(out)))
	}
	return root
}
