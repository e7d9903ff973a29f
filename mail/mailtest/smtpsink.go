package mailtest

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"watchpost/engine/need"
)

// Sink is a running smtp-sink of Postfix: it takes every mail, and has faults at
// any command (smtp-sink(1)).
type Sink struct {
	Port int
	*process
	program string
}

// StartSink starts smtp-sink with its options (-f, -q, -W …).
func StartSink(t testing.TB, options ...string) *Sink {
	t.Helper()
	program := need.Program(t, "smtp-sink", "postfix")
	s := &Sink{process: newProcess(t, "smtp-sink"), program: program}
	must(t, os.Mkdir(s.path("dump"), 0o755))
	if os.Geteuid() == 0 {
		must(t, own(s.path("dump"), "nobody"))
	}
	s.startOnFreePorts(1, func() {
		s.Port = s.port[0]
		s.setOptions(options)
	})
	return s
}

// Restart kills it and starts it with other options, on the same port.
func (s *Sink) Restart(options ...string) {
	s.t.Helper()
	s.Kill()
	s.setOptions(options)
	s.Start()
}

func (s *Sink) setOptions(options []string) {
	s.args = []string{s.program, "-4", "-d", s.path("dump") + "/%s."}
	if os.Geteuid() == 0 {
		s.args = append(s.args, "-u", "nobody") // it insists
	}
	s.args = append(append(s.args, options...), Addr(s.Port), "100")
}

// Mails returns the mails that reached their final dot, whatever was replied to
// it, in no order, without what smtp-sink adds.
func (s *Sink) Mails() [][]byte {
	s.t.Helper()
	entries, err := os.ReadDir(s.path("dump"))
	must(s.t, err)
	var all [][]byte
	for _, e := range entries {
		b, err := os.ReadFile(s.path("dump/" + e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // broken off, and just removed
		}
		must(s.t, err)
		b, ended := bytes.CutSuffix(b, []byte("\n\n")) // an empty line of its own
		if !ended {
			continue // under way, or broken off
		}
		all = append(all, Strip(append(b, '\n')))
	}
	return all
}
