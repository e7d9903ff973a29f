package main

import (
	"context"
	"fmt"
	"time"

	"watchpost/engine/event"
)

// runPrivacy is `watchpost privacy [on|off]`: it prints the mode as it is then.
func runPrivacy(ctx context.Context, args []string, s streams) int {
	f := newFlags("privacy", s)
	words, ok := f.parse(args, -1, 0, 1)
	if !ok {
		return exitUsage
	}
	if len(words) == 1 && words[0] != "on" && words[0] != "off" {
		f.misused("it takes on or off")
		return exitUsage
	}
	client, err := f.service(ctx)
	if err != nil {
		return f.failed(err)
	}
	if len(words) == 1 {
		if err := client.Privacy(ctx, words[0] == "on"); err != nil {
			return f.failed(err)
		}
	}
	st, err := client.Status(ctx)
	if err != nil {
		return f.failed(err)
	}
	if f.json {
		f.printJSON(st.Privacy)
	} else {
		fmt.Fprintln(s.out, privacyLine(st.Privacy, st.Clock.Time.Location()))
	}
	return exitOK
}

func privacyLine(p event.PrivacyMode, zone *time.Location) string {
	switch {
	case p.On:
		by := map[event.PrivacyBy]string{event.ByPerson: "a person", event.BySchedule: "its schedule", event.ByLine: "its input line"}[p.By]
		s := fmt.Sprintf("on since %s (by %s)", p.Since.In(zone).Format(time.DateTime), by)
		if !p.Until.IsZero() {
			s += " until " + p.Until.In(zone).Format(time.DateTime)
		}
		return s
	case p.Overruled:
		return "off by a person, until its schedule or line is over"
	}
	return "off"
}
