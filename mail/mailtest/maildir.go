package mailtest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mailbox is where a server delivers.
type mailbox struct {
	t       testing.TB
	maildir string
	queues  []string                 // folders of the server's queue
	waiting func(d fs.DirEntry) bool // whether a file in there is a mail that was accepted
}

// Mails returns what was delivered, oldest first, with the server's own header
// lines, as it lies in the Maildir. See Strip.
func (m *mailbox) Mails() [][]byte {
	m.t.Helper()
	entries, err := os.ReadDir(filepath.Join(m.maildir, "new"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	must(m.t, err)
	var all [][]byte
	for _, e := range entries { // a Maildir's names begin with the time
		b, err := os.ReadFile(filepath.Join(m.maildir, "new", e.Name()))
		must(m.t, err)
		all = append(all, b)
	}
	return all
}

// WaitMails waits until there are at least n mails and returns them all; the
// test fails where that takes longer than timeout.
func (m *mailbox) WaitMails(n int, timeout time.Duration) [][]byte {
	m.t.Helper()
	for end := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		all := m.Mails()
		if len(all) >= n {
			return all
		}
		if time.Now().After(end) {
			m.t.Fatalf("%d of %d mails delivered after %v", len(all), n, timeout)
		}
	}
}

// Idle waits until the server's own queue is empty: what it accepted is in the Maildir.
func (m *mailbox) Idle(timeout time.Duration) {
	m.t.Helper()
	for end := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		waiting := 0
		for _, q := range m.queues {
			filepath.WalkDir(q, func(_ string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() && m.waiting(d) {
					waiting++
				}
				return nil
			})
		}
		if waiting == 0 {
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("%d mails in the server's queue after %v", waiting, timeout)
		}
	}
}

// Strip removes from a delivered mail the header lines that the server put at
// its top (Return-Path, Delivered-To, Received and the like) and makes LF CRLF
// again: what remains is what the client sent, byte for byte.
func Strip(delivered []byte) []byte {
	rest := delivered
	for {
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch strings.ToLower(string(name)) {
		case "return-path", "x-original-to", "delivered-to", "received",
			"envelope-to", "delivery-date", // Exim's
			"x-client-addr", "x-client-proto", "x-helo-args", "x-mail-args", "x-rcpt-args": // smtp-sink's
		default:
			if bytes.Contains(rest, []byte("\r\n")) { // kept as it came
				return rest
			}
			return bytes.ReplaceAll(rest, []byte("\n"), []byte("\r\n"))
		}
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') { // folded
			_, rest, _ = bytes.Cut(rest, []byte("\n"))
		}
	}
}
