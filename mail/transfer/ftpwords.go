package transfer

import (
	"bytes"
	"strings"

	"watchpost/engine/foreign"
)

// serverWords makes what a server said harmless.
func serverWords(text, secret string) string { return foreign.Harmless(text, secret) }

// lastWords holds the end of what a server said. It is the FTP library's debug
// output, which gives the commands too: those do not begin with a reply's code.
type lastWords struct{ text []byte }

const maxLastWords = 2 << 10

func (l *lastWords) Write(p []byte) (int, error) {
	n := len(p)
	switch {
	case bytes.HasPrefix(p, []byte("PASS ")):
		p = []byte("PASS\r\n") // the password is not kept
	case string(p) == "QUIT\r\n":
		return n, nil // the library adds it where a command fails, which is still the last one
	}
	l.text = append(l.text, p...)
	if over := len(l.text) - maxLastWords; over > 0 {
		l.text = append(l.text[:0], l.text[over:]...)
	}
	return n, nil
}

// reply is the last reply's code and last line; 0 where there was none.
func (l *lastWords) reply() (code int, line string) {
	lines := strings.Split(string(l.text), "\n")
	for i := len(lines) - 2; i >= 0; i-- { // what follows the last line break is no whole line
		line := lines[i]
		if len(line) < 3 || line[0] < '1' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
			continue
		}
		if rest := strings.TrimSuffix(line[3:], "\r"); rest == "" || rest[0] == ' ' {
			return int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0'), strings.TrimSpace(rest)
		}
	}
	return 0, ""
}

// verb is the first word of the last command; "" where none is among the last words.
func (l *lastWords) verb() string {
	lines := strings.Split(string(l.text), "\n")
	for i := len(lines) - 2; i >= 0; i-- {
		word, _, _ := strings.Cut(strings.TrimSuffix(lines[i], "\r"), " ")
		if (len(word) == 3 || len(word) == 4) && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			return word
		}
	}
	return ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
