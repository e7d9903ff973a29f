package main

import (
	"context"
	"fmt"

	"watchpost/engine/event"
)

// runTrigger is `watchpost trigger NAME`: it prints the event's id, or the
// reason for silence and exits 1.
func runTrigger(ctx context.Context, args []string, s streams) int {
	f := newFlags("trigger", s)
	words, ok := f.parse(args, -1, 1, 1)
	if !ok {
		return exitUsage
	}
	client, err := f.service(ctx)
	if err != nil {
		return f.failed(err)
	}
	firing, err := client.Fire(ctx, words[0])
	if err != nil {
		return f.failed(err)
	}
	code, line := exitOK, firing.EventID
	switch firing.Disposition {
	case event.Outside:
		code, line = exitFailed, "outside: the trigger is outside its active time"
	case event.Silent:
		code, line = exitFailed, "silent: "+string(firing.Reason)
		if firing.EventID != "" {
			line += " (event " + firing.EventID + ")"
		}
	}
	if f.json {
		f.printJSON(firing)
	} else {
		fmt.Fprintln(s.out, line)
	}
	return code
}
