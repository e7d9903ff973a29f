package hw

import (
	"runtime"
	"sync"
	"testing"
	"unsafe"
)

// deeper calls itself until it has used some 24 KiB of stack.
//
//go:noinline
func deeper(n int) byte {
	var local [512]byte
	touch(local[:])
	if n > 0 {
		local[0] += deeper(n - 1)
	}
	return local[0]
}

// TestSteadyStack: a local's address stays the same while more of the stack
// is used than go4vl uses and the collector runs, which shrinks stacks. The control, a
// plain goroutine, shows that the stack would have moved.
func TestSteadyStack(t *testing.T) {
	moves := func() (moved bool) {
		var local int
		before := uintptr(unsafe.Pointer(&local))
		deeper(40)
		runtime.GC()
		deeper(40)
		runtime.Gosched()
		return before != uintptr(unsafe.Pointer(&local))
	}
	plain := false
	var wg sync.WaitGroup
	wg.Go(func() { plain = moves() })
	wg.Wait()
	if !plain {
		t.Error("the control's stack did not move: the test shows nothing")
	}
	for range 20 {
		if err := onSteadyStack(func() error {
			if moves() {
				t.Error("the stack moved")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
