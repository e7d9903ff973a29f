package tui

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// TestMain lets the test binary show the interface with a fake behind it, for
// the tests in a real terminal and for a person who wants to look:
//
//	go test -c -o /tmp/tui.test ./tui && WATCHPOST_FAKE=full /tmp/tui.test
func TestMain(m *testing.M) {
	kind := os.Getenv("WATCHPOST_FAKE")
	if kind == "" {
		os.Exit(m.Run())
	}
	f := newFake()
	switch kind {
	case "empty":
		f = emptyFake()
	case "refused":
		f.steps = refusedSteps()
	case "demo":
		f.snap.Status.Mode, f.snap.Status.Demo = "demo", demoText
	}
	f.pause = 300 * time.Millisecond
	if err := Run(context.Background(), f, Options{Rights: Rights{Commands: true}, Now: func() time.Time { return noon }}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("left")
}

const demoText = "generated scene as the camera, embedded mail server"
