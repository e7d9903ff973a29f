package hw_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"watchpost/engine/need"
	"watchpost/hw"
)

// inNamespace runs body in this test's own process, started again in a network
// namespace of its own, where body may change what it likes.
func inNamespace(t *testing.T, body func(*testing.T)) {
	const inside = "WATCHPOST_TEST_NETWORK"
	if os.Getenv(inside) != "" {
		t.Run("inside", body)
		return
	}
	need.Root(t, "a network namespace of its own")
	need.Program(t, "ip", "iproute2")
	t.Parallel() // it waits more than it works
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "5m")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EINVAL):
		need.Skip(t, "this kernel makes no network namespace: "+err.Error())
	case strings.Contains(string(out), "--- SKIP"):
		need.Skip(t, "within the namespace: "+string(out))
	case err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+"/inside"):
		t.Fatalf("within the namespace: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// ip runs iproute2's ip.
func ip(t *testing.T, words string) {
	t.Helper()
	if out, err := exec.Command(need.Program(t, "ip", "iproute2"), strings.Fields(words)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", words, err, out)
	}
}

// cable makes two links that are each other's other end; the kernel's own
// link-local addresses, which come whenever their check is over, are left out.
func cable(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(need.Program(t, "ip", "iproute2"), strings.Fields("link add here type veth peer name there")...).CombinedOutput(); err != nil {
		need.Skip(t, "this kernel has no veth: "+string(out))
	}
	ip(t, "link set lo up")
	ip(t, "link set here addrgenmode none")
	ip(t, "link set there addrgenmode none")
}

func TestWatchNetwork(t *testing.T) { inNamespace(t, testNetwork) }

// testNetwork: what is gained calls back, well within the two seconds that a
// mail's first attempt may take; what is lost does not.
func testNetwork(t *testing.T) {
	cable(t)
	ip(t, "address add 192.0.2.9/24 dev there")

	calls := make(chan time.Time, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hw.WatchNetwork(ctx, func() { calls <- time.Now() }) }()

	const patience, quiet = 30 * time.Second, 1200 * time.Millisecond
	settle := func() (n int) { // the calls until none comes
		for {
			select {
			case <-calls:
				n++
			case <-time.After(quiet):
				return n
			}
		}
	}
	// It listens from some moment on: a carrier comes again until it calls back.
	begun := time.Now()
	for {
		ip(t, "link set here up")
		ip(t, "link set there up")
		select {
		case <-calls:
		case <-time.After(time.Second):
			if time.Since(begun) > patience {
				t.Fatal("a link's carrier does not call back")
			}
			ip(t, "link set there down")
			continue
		}
		break
	}
	settle()

	for _, step := range []struct {
		words string
		want  bool
	}{
		{"link set here mtu 1400", false},
		{"address add 192.0.2.1/24 dev here", true},
		{"address change 192.0.2.1/24 dev here valid_lft 1000 preferred_lft 1000", false}, // a lease renewed
		{"route add default via 192.0.2.254", true},
		{"route add 198.51.100.0/24 via 192.0.2.254", true},
		{"route replace default via 192.0.2.253", true},
		{"route replace default via 192.0.2.254", true},
		{"route add blackhole 203.0.113.0/24", false},
		{"route add 203.0.113.7 dev lo", false},
		{"route del 198.51.100.0/24", false},
		{"route del default", false},
		{"route add default via 192.0.2.254", true},
		{"link set there down", false}, // takes no route away: the carrier only
		{"link set there up", true},
		{"link set here down", false}, // takes the default route away without a word
		{"link set here up", true},
		{"route add default via 192.0.2.254", true}, // as a DHCP client does some time after
		{"address del 192.0.2.1/24 dev here", false},
		{"address add 192.0.2.1/24 dev here", true},
		{"-6 address add 2001:db8::1/64 dev here noprefixroute", true}, // after its duplicate check
		{"-6 route add 2001:db8::/64 dev here", true},
		{"-6 route add default via 2001:db8::fe", true},
		{"-6 route replace default via 2001:db8::fe", false},
		{"-6 route replace default via 2001:db8::fd", true},
		{"-6 route del default", false},
		{"-6 address del 2001:db8::1/64 dev here", false},
		{"address add 192.0.2.77/32 dev lo", false},
	} {
		began := time.Now()
		ip(t, step.words)
		if !step.want {
			if n := settle(); n != 0 {
				t.Errorf("ip %s: called back %d times", step.words, n)
			}
			continue
		}
		select {
		case at := <-calls:
			t.Logf("ip %-55s %4d ms", step.words, at.Sub(began).Milliseconds())
			if out, _ := exec.Command("ip", "-6", "address", "show", "dev", "here", "tentative").Output(); strings.Contains(step.words, "-6 address") && len(out) > 0 {
				t.Errorf("ip %s: called back for an address that is not usable yet: %s", step.words, out)
			}
		case <-time.After(patience):
			t.Fatalf("ip %s: not called back", step.words)
		}
		settle()
	}

	// A burst is gathered: 300 routes, few calls, the last of them after the last route.
	var batch strings.Builder
	for i := range 300 {
		batch.WriteString("route add 198.51." + strconv.Itoa(i/250) + "." + strconv.Itoa(i%250) + " dev here\n")
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip -batch: %v: %s", err, out)
	}
	took := time.Since(began)
	n := settle()
	t.Logf("300 routes within %v called back %d times", took, n)
	if n < 1 || n > 2+int(took/(500*time.Millisecond)) {
		t.Error("they were not gathered")
	}

	// Its end is at once, and nothing stays behind.
	began = time.Now()
	cancel()
	select {
	case err := <-done:
		t.Logf("ended after %v", time.Since(began))
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("does not end with its context")
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(to, "socket:") {
			t.Errorf("descriptor %s is left: %s", fd.Name(), to)
		}
	}
}
