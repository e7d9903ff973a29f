package mail

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is a system call of a traced process that has returned without an error.
type call struct {
	thread int
	nr     uint64
	args   [6]uint64
	result int64
}

// bytes reads what a pointer of the call points to.
func (c call) bytes(at uint64, n int) []byte {
	b := make([]byte, n)
	got, err := unix.PtracePeekData(c.thread, uintptr(at), b)
	if err != nil {
		return nil
	}
	return b[:got]
}

// uncounted are the system calls that neither a file nor a peer can tell: those
// of the Go runtime for its memory, threads and timers.
var uncounted = map[uint64]bool{
	unix.SYS_FUTEX: true, unix.SYS_EPOLL_PWAIT: true, unix.SYS_EPOLL_CTL: true, unix.SYS_EPOLL_CREATE1: true, unix.SYS_EVENTFD2: true,
	unix.SYS_MMAP: true, unix.SYS_MUNMAP: true, unix.SYS_MADVISE: true, unix.SYS_MPROTECT: true, unix.SYS_PRCTL: true,
	unix.SYS_RT_SIGACTION: true, unix.SYS_RT_SIGPROCMASK: true, unix.SYS_RT_SIGRETURN: true, unix.SYS_SIGALTSTACK: true,
	unix.SYS_NANOSLEEP: true, unix.SYS_CLOCK_GETTIME: true, unix.SYS_SCHED_YIELD: true, unix.SYS_SCHED_GETAFFINITY: true,
	unix.SYS_CLONE: true, unix.SYS_CLONE3: true, unix.SYS_SET_ROBUST_LIST: true, unix.SYS_RSEQ: true, unix.SYS_EXIT: true,
	unix.SYS_GETPID: true, unix.SYS_GETTID: true, unix.SYS_TGKILL: true, unix.SYS_GETRANDOM: true,
}

// mark is a system call that nothing else makes: the traced process says with it
// where its work begins and ends.
func mark() { unix.Getsid(0) }

// traced runs a command and calls after behind each counted system call between
// its marks, while the process stands still; where after returns true the process is
// killed before it does anything else. finished: it came to its end.
func traced(cmd *exec.Cmd, after func(call) (kill bool)) (finished bool, err error) {
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	defer cmd.Process.Release()
	pid := cmd.Process.Pid
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, unix.WALL, nil); err != nil {
		return false, fmt.Errorf("wait for the start: %w", err)
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		unix.Kill(pid, unix.SIGKILL)
		return false, fmt.Errorf("trace: %w", err)
	}
	if err := unix.PtraceSyscall(pid, 0); err != nil {
		return false, fmt.Errorf("trace: %w", err)
	}
	t := tracer{inside: map[int]call{}, known: map[int]bool{pid: true}, after: after}
	for {
		thread, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case err == unix.EINTR:
		case err == unix.ECHILD: // all threads are gone
			return finished, nil
		case err != nil:
			return false, fmt.Errorf("wait: %w", err)
		case ws.Exited() && thread == pid:
			if finished = ws.ExitStatus() == 0; !finished {
				return false, fmt.Errorf("the traced process failed with %d", ws.ExitStatus())
			}
		case ws.Stopped():
			signal, kill := t.stopped(thread, ws)
			if kill {
				unix.Kill(pid, unix.SIGKILL)
				continue
			}
			if err := unix.PtraceSyscall(thread, signal); err != nil && err != unix.ESRCH {
				return false, fmt.Errorf("trace: %w", err)
			}
		}
	}
}

// tracer is what is known of a traced process.
type tracer struct {
	inside map[int]call // by thread
	known  map[int]bool
	marks  int
	after  func(call) bool
}

// stopped deals with a thread that stands still and returns the signal that it
// goes on with.
func (t *tracer) stopped(thread int, ws unix.WaitStatus) (signal int, kill bool) {
	switch s := ws.StopSignal(); {
	case s == unix.SIGTRAP|0x80:
		return 0, t.syscall(thread)
	case s == unix.SIGTRAP:
		return 0, false
	case s == unix.SIGSTOP && !t.known[thread]: // a new thread's first
		t.known[thread] = true
		return 0, false
	default:
		return int(s), false
	}
}

func (t *tracer) syscall(thread int) (kill bool) {
	var info [88]byte // struct ptrace_syscall_info
	n, _, _ := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(thread), uintptr(len(info)), uintptr(unsafe.Pointer(&info[0])), 0, 0)
	const head = 24
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(info[head+8*i:]) }
	switch {
	case n >= head+56 && info[0] == unix.PTRACE_SYSCALL_INFO_ENTRY:
		c := call{thread: thread, nr: word(0)}
		for i := range c.args {
			c.args[i] = word(1 + i)
		}
		t.inside[thread] = c
	case n >= head+9 && info[0] == unix.PTRACE_SYSCALL_INFO_EXIT:
		c, ok := t.inside[thread]
		delete(t.inside, thread)
		c.result = int64(word(0))
		switch {
		case !ok:
		case c.nr == unix.SYS_GETSID:
			t.marks++
		case t.marks == 1 && !uncounted[c.nr] && c.result != -int64(unix.EAGAIN) && c.result != -int64(unix.EINTR):
			return t.after(c)
		}
	}
	return false
}

// child is this test program again, as the test of that name, on one processor.
// Its descriptor 3 is the pipe said.
func child(test string, said *os.File, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), append(env, "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1", "GOGC=off")...)
	cmd.ExtraFiles = []*os.File{said}
	return cmd
}
