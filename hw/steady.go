package hw

// onSteadyStack runs f, which calls go4vl, and waits for it.
//
// go4vl hands the address of a local to ioctl as a uintptr, through two calls.
// If the goroutine's stack moves in between, the kernel writes into memory
// that is no longer the local's. Here the stack does not move: f runs in a fresh goroutine,
// above a live frame that is too large for the stack to be shrunk, after room for
// f's own calls has been made. TestSteadyStack measures it.
func onSteadyStack(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- holdStack(f) }()
	return <-done
}

//go:noinline
func holdStack(f func() error) error {
	var held [64 << 10]byte
	touch(held[:])
	growStack()
	err := f()
	touch(held[:]) // alive until here
	return err
}

// growStack makes the stack grow by what f may need.
//
//go:noinline
func growStack() {
	var room [32 << 10]byte
	touch(room[:])
}

//go:noinline
func touch(b []byte) { b[len(b)-1]++ }
