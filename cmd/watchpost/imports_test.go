package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestImportRules(t *testing.T) {
	std := func(p string) bool {
		return !strings.Contains(strings.Split(p, "/")[0], ".") && !strings.HasPrefix(p, "watchpost")
	}
	allowed := map[string]func(p string) bool{
		"watchpost/engine/event":         std,
		"watchpost/engine/frame":         std,
		"watchpost/engine/durable":       std,
		"watchpost/engine/motion":        func(p string) bool { return std(p) || p == "watchpost/engine/frame" },
		"watchpost/engine/motion/scenes": func(p string) bool { return std(p) || p == "watchpost/engine/frame" },
		"watchpost/engine/config": func(p string) bool {
			return !strings.HasPrefix(p, "watchpost") || leafOf(p, "event", "durable", "secret")
		},
		"watchpost/engine/schedule": func(p string) bool {
			return !strings.HasPrefix(p, "watchpost") || leafOf(p, "event", "durable", "secret", "config")
		},
		"watchpost/engine/ring":    func(p string) bool { return std(p) || leafOf(p, "event") },
		"watchpost/engine/journal": func(p string) bool { return std(p) || leafOf(p, "event", "durable") },
		"watchpost/engine/store":   func(p string) bool { return std(p) || leafOf(p, "event", "durable") },
		"watchpost/engine":         without("watchpost/hw", "watchpost/mail", "watchpost/tui", "charm.land/", "github.com/charmbracelet/", "github.com/wneessen/", "golang.org/x/crypto/ssh"),
		"watchpost/hw":             func(p string) bool { return onlyLeaves(p) || p == "watchpost/hw/mjpeg" },
		"watchpost/hw/mjpeg":       func(p string) bool { return std(p) || p == "watchpost/engine/frame" },
		"watchpost/hw/serial":      onlyLeaves,
		"watchpost/engine/uptime":  func(p string) bool { return !strings.HasPrefix(p, "watchpost") },
		"watchpost/engine/trust":   std,
		"watchpost/engine/cause":   func(p string) bool { return std(p) || leafOf(p, "trust") },
		"watchpost/engine/secret":  func(p string) bool { return !strings.HasPrefix(p, "watchpost") },
		"watchpost/engine/foreign": func(p string) bool { return !strings.HasPrefix(p, "watchpost") },
		"watchpost/mail":           func(p string) bool { return onlyLeaves(p) || leafOf(p, "uptime", "trust", "foreign", "cause") },
		"watchpost/mail/transfer":  func(p string) bool { return onlyLeaves(p) || leafOf(p, "uptime", "trust", "foreign", "cause") },
		"watchpost/mail/sink":      onlyLeaves,
		"watchpost/tui": func(p string) bool {
			return onlyLeaves(p) || leafOf(p, "schedule") || strings.HasPrefix(p, "watchpost/tui/")
		},
		"watchpost/tui/sshd": func(p string) bool { return onlyLeaves(p) || p == "watchpost/tui/term" },
		"watchpost/tui/serial": func(p string) bool {
			return onlyLeaves(p) || leafOf(p, "schedule") || strings.HasPrefix(p, "watchpost/tui")
		},
		"watchpost/tui/plain": func(p string) bool {
			return onlyLeaves(p) || leafOf(p, "schedule") || strings.HasPrefix(p, "watchpost/tui")
		},
		"watchpost/tui/term": func(p string) bool { return !strings.HasPrefix(p, "watchpost") },
	}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", "watchpost/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		name, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		direct[strings.TrimSuffix(name, ":")] = strings.Fields(imports)
	}
	for pkg, ok := range allowed {
		if direct[pkg] == nil {
			t.Errorf("there is no package %s", pkg)
		}
		for p := range closure(direct, pkg) {
			// Of packages outside this module what they import themselves is their business.
			if !ok(p) && importedByOurs(direct, pkg, p) {
				t.Errorf("%s imports %s", pkg, p)
			}
		}
	}
}

func leafOf(p string, names ...string) bool {
	for _, n := range names {
		if p == "watchpost/engine/"+n {
			return true
		}
	}
	return false
}

func onlyLeaves(p string) bool {
	return !strings.HasPrefix(p, "watchpost") || leafOf(p, "event", "frame", "config", "durable", "secret", "motion")
}

func without(prefixes ...string) func(string) bool {
	return func(p string) bool {
		for _, x := range prefixes {
			if strings.HasPrefix(p, x) {
				return false
			}
		}
		return true
	}
}

// closure is every package that pkg reaches.
func closure(direct map[string][]string, pkg string) map[string]bool {
	seen := map[string]bool{}
	var walk func(string)
	walk = func(p string) {
		for _, i := range direct[p] {
			if !seen[i] {
				seen[i] = true
				walk(i)
			}
		}
	}
	walk(pkg)
	return seen
}

// importedByOurs reports whether pkg or a package of this module that it reaches imports p.
func importedByOurs(direct map[string][]string, pkg, p string) bool {
	ours := closure(direct, pkg)
	ours[pkg] = true
	for o := range ours {
		if strings.HasPrefix(o, "watchpost") {
			for _, i := range direct[o] {
				if i == p {
					return true
				}
			}
		}
	}
	return false
}
