package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"watchpost/engine/secret"
)

// Of a password that is only compared nothing but a hash gets onto the disk.
func TestOnlyTheHashIsKept(t *testing.T) {
	dir := t.TempDir()
	f := Open(filepath.Join(dir, "w.yaml"))
	if _, err := f.Load(); err != nil {
		t.Fatal(err)
	}
	const typed = "let me in please"
	l, err := f.Save([]Change{{"console.password", typed}})
	if err != nil || len(l.Findings) > 0 {
		t.Fatal(err, l.Findings)
	}
	kept := l.Secrets.ConsolePassword
	if !secret.Is(kept) || !secret.Matches(kept, typed) || secret.Matches(kept, "something else") {
		t.Errorf("kept is %q", kept)
	}
	for _, name := range []string{"w.yaml", "secrets.yaml"} {
		if text, _ := os.ReadFile(filepath.Join(dir, name)); strings.Contains(string(text), typed) {
			t.Errorf("%s has it in clear", name)
		}
	}
	if l, err = f.Save([]Change{{"console.password", kept}}); err != nil || l.Secrets.ConsolePassword != kept {
		t.Errorf("a hash did not stand for itself: %v", err)
	}
	if _, err = f.Save([]Change{{"console.password", "short"}}); err == nil {
		t.Error("5 bytes were taken")
	}
	if l, err = f.Save([]Change{{"console.password", ""}}); err != nil || l.Secrets.ConsolePassword != "" {
		t.Errorf("it is not taken away: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets.yaml"), []byte("console: {password: \"by my own hand\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err = f.Load()
	if err != nil || !secret.Matches(l.Secrets.ConsolePassword, "by my own hand") {
		t.Errorf("one that a person wrote: %v", err)
	}
	if len(l.Findings) != 1 || l.Findings[0].Level != Warning || l.Findings[0].Line != 1 || !strings.Contains(l.Findings[0].Text, "watchpost set console.password -") {
		t.Errorf("%v", l.Findings)
	}
}
