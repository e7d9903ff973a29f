package secret

import (
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	h, err := Hash("correct horse")
	if err != nil || !Is(h) || strings.Contains(h, "horse") {
		t.Fatalf("%q, %v", h, err)
	}
	if again, _ := Hash("correct horse"); again == h {
		t.Error("two hashes of a password are the same")
	}
	for _, c := range []struct {
		kept, typed string
		want        bool
	}{
		{h, "correct horse", true}, {h, "correct horse ", false}, {h, "", false}, {h, h, false},
		{"in clear", "in clear", true}, {"in clear", "in clea", false}, {"", "", false}, {"", "x", false},
	} {
		if Matches(c.kept, c.typed) != c.want {
			t.Errorf("Matches(%q, %q) is %v", c.kept, c.typed, !c.want)
		}
	}
	for _, no := range []string{"", "$2a$10$", "$2a$10$" + strings.Repeat("x", 52), strings.Replace(h, "$10$", "$31$", 1), " " + h} {
		if Is(no) {
			t.Errorf("%q is a hash", no)
		}
	}
	if _, err := Hash(strings.Repeat("x", Most+1)); err == nil {
		t.Error("73 bytes are hashed")
	}
}
