//go:build !vivid

package lab

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"watchpost/engine/need"
	_ "watchpost/hw"        // what the guest tests: a change of it makes a cached result void
	_ "watchpost/hw/serial" // and of this
)

// guestInit is the guest's first process. A webcam node and a metadata node beside it, as a USB
// camera has them. The last line is what the host looks for.
const guestInit = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
for m in /modules/*.ko; do
	case $m in
	*vivid.ko) options="n_devs=1 node_types=0x20001 num_inputs=1 input_types=0x0" ;;
	*) options= ;;
	esac
	/bin/busybox insmod $m $options || echo "insmod $m failed"
done
/guest.test -test.v -test.timeout 90s
echo "guest exit $?"
/bin/busybox poweroff -f
`

// TestLab runs this package's vivid tests in a virtual machine.
func TestLab(t *testing.T) {
	if testing.Short() {
		need.Skip(t, "a virtual machine is not short")
	}
	if runtime.GOARCH != "amd64" {
		need.Skip(t, "the lab's machine is amd64 only")
	}
	qemu := need.Program(t, "qemu-system-x86_64", "qemu-system-x86")
	busybox := need.Program(t, "busybox", "busybox-static")
	for program, pkg := range map[string]string{"cpio": "cpio", "modprobe": "kmod", "dpkg": "dpkg"} {
		need.Program(t, program, pkg)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		need.Skip(t, "no cache directory: "+err.Error())
	}
	cache = filepath.Join(cache, "watchpost-lab")
	fetch := exec.Command("./kernel.sh", cache, "vivid")
	fetch.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if out, err := fetch.CombinedOutput(); err != nil {
		need.Skip(t, "the guest's kernel could not be fetched: "+strings.TrimSpace(string(out)))
	}

	for _, file := range []string{"vivid_test.go", "uart_test.go", "kernel.sh"} { // and so does a change of these
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	root := t.TempDir()
	for _, dir := range []string{"bin", "modules"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(root, "modules"), os.DirFS(filepath.Join(cache, "modules"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(guestInit), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "", "cp", busybox, filepath.Join(root, "bin", "busybox"))
	run(t, "", "go", "test", "-c", "-tags", "vivid,netgo,osusergo", "-ldflags", "-linkmode external -extldflags -static",
		"-o", filepath.Join(root, "guest.test"), ".")
	initrd := filepath.Join(t.TempDir(), "initrd")
	run(t, root, "sh", "-c", "find . | cpio -o -H newc --quiet | gzip -1 >"+initrd)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(ctx, qemu, "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "512",
		"-nographic", "-serial", "mon:stdio", "-chardev", "socket,id=far,path="+farEnd(t), "-serial", "chardev:far", "-nic", "none", "-no-reboot", "-kernel", filepath.Join(cache, "vmlinuz"), "-initrd", initrd,
		"-append", "console=ttyS0 quiet panic=-1")
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	out = bytes.ReplaceAll(out, []byte("\r"), nil)
	t.Logf("the guest ran for %v", time.Since(start).Round(time.Second))
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		t.Fatalf("the guest did not end:\n%s", out)
	case err != nil:
		t.Fatalf("qemu: %v\n%s", err, out)
	case !bytes.Contains(out, []byte("\nguest exit 0\n")) || bytes.Contains(out, []byte("--- SKIP")):
		t.Fatalf("the guest failed:\n%s", out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "--- PASS") || strings.Contains(line, "_test.go:") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// farEnd is the other end of the guest's second serial port: it answers a line, and
// then reads nothing any more.
func farEnd(t *testing.T) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lab-") // a socket's name is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "uart")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { <-t.Context().Done(); c.Close() }()
		for b := make([]byte, 1); b[0] != '\n'; {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
		c.Write([]byte("answer\r"))
	}()
	return path
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
