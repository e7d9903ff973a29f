package main

import (
	"context"
	"fmt"
	"runtime"
)

// version is set by the Makefile.
var version = "development"

func runVersion(_ context.Context, args []string, s streams) int {
	f := newFlags("version", s)
	if _, ok := f.parse(args, -1, 0, 0); !ok {
		return exitUsage
	}
	if f.json {
		f.printJSON(map[string]string{"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
		return exitOK
	}
	fmt.Fprintf(s.out, "watchpost %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitOK
}
