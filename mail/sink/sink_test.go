package sink

import (
	"bytes"
	"context"
	"fmt"
	"net/smtp"
	"testing"
	"time"
)

func start(t *testing.T, keep int) (*Server, string) {
	t.Helper()
	s := New(keep)
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s, addr
}

func TestKeepsTheNewest(t *testing.T) {
	s, addr := start(t, 3)
	for i := range 5 {
		body := fmt.Sprintf("Subject: %d\r\n\r\n.dot\r\n", i)
		if err := smtp.SendMail(addr, nil, "a@example.test", []string{"b@example.test", "c@example.test"}, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Messages()
	if len(got) != 3 {
		t.Fatalf("kept %d, want 3", len(got))
	}
	for i, m := range got {
		if want := fmt.Sprintf("Subject: %d\r\n\r\n.dot\r\n", i+2); string(m.Data) != want || m.From != "a@example.test" || len(m.To) != 2 {
			t.Errorf("message %d: %q from %s to %v, want %q", i, m.Data, m.From, m.To, want)
		}
	}
}

func TestTooLargeIsRefused(t *testing.T) {
	s, addr := start(t, 3)
	big := append([]byte("Subject: x\r\n\r\n"), bytes.Repeat([]byte("0123456789abcdef\r\n"), maxMail/18+1)...)
	if err := smtp.SendMail(addr, nil, "a@example.test", []string{"b@example.test"}, big); err == nil {
		t.Error("a mail over the bound was taken")
	}
	if n := len(s.Messages()); n != 0 {
		t.Errorf("%d mails kept", n)
	}
}

func TestBytesAreBounded(t *testing.T) {
	s := New(100)
	for range 10 {
		s.add(Message{Data: make([]byte, maxTotal/4)})
	}
	if n := len(s.Messages()); n != 4 {
		t.Errorf("%d messages kept, want 4", n)
	}
}

func TestStopClosesConnections(t *testing.T) {
	s := New(1)
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c, err := smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run did not return")
	}
	if err := c.Noop(); err == nil {
		t.Error("the connection is still served")
	}
}
