package mailtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"watchpost/engine/need"
)

// beside runs the last arguments in a machine of its own as far as files go: with
// the folder $1 for passwd, group and what programs write, and the unpacked
// packages $2 on /mnt. The shell stays the first of its processes: when it ends,
// all do.
const beside = `set -e
dir=$1 packages=$2
shift 2
for f in passwd group; do mount --bind "$dir/etc/$f" /etc/$f; done
for d in var/spool var/lib run; do mount --bind "$dir/$d" /$d; done
mount --bind "$packages" /mnt
[ ! -d /mnt/usr/libexec ] || mount --bind /mnt/usr/libexec /usr/libexec
printf '%s\n' /mnt/usr/lib/*-linux-gnu* /mnt/lib/*-linux-gnu* 'include /etc/ld.so.conf' >"$dir/ld.so.conf"
/sbin/ldconfig -X -f "$dir/ld.so.conf" -C "$dir/ld.so.cache"
mount --bind "$dir/ld.so.cache" /etc/ld.so.cache
"$@"
exit $?`

// systemID is the first user and group ID of those users: beyond what Debian gives out.
const systemID = 65000

// besides makes args, which find the packages in /mnt, the server's command. users
// are the system users that it needs, each with a group of its own.
func (s *Server) besides(packages string, users []string, args ...string) {
	t := s.process.t
	t.Helper()
	unshare := need.Program(t, "unshare", "util-linux")
	need.Root(t, "a server that is not installed gets its own users")
	flags := []string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if out, err := exec.Command(unshare, append(flags, "true")...).CombinedOutput(); err != nil {
		need.Skip(t, "no namespaces here: "+strings.TrimSpace(string(out)))
	}
	for _, file := range []string{"passwd", "group"} {
		text, err := os.ReadFile(filepath.Join("/etc", file))
		must(t, err)
		lines := strings.SplitAfter(string(text), "\n")
		for i, u := range users {
			id := strconv.Itoa(systemID + i)
			line := u + ":x:" + id + ":\n"
			if file == "passwd" {
				line = u + ":x:" + id + ":" + id + "::/nonexistent:/usr/sbin/nologin\n"
			}
			// Where the machine has the user, it has another number.
			lines = append(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, u+":") }), line)
		}
		s.write("etc/"+file, strings.Join(lines, ""), 0o644)
	}
	for _, d := range []string{"var/spool", "var/lib", "run"} {
		must(t, os.MkdirAll(s.path(d), 0o755))
	}
	s.args = append([]string{unshare}, append(flags, append([]string{"sh", "-c", beside, "sh", s.dir, packages}, args...)...)...)
}
