package config

import (
	"bytes"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// yamlTrouble turns the library's error into one line.
func yamlTrouble(err error, data []byte) (line int, v Verdict) {
	if err == errSecondDocument {
		return firstLine(data, err.Error()), wrong("second document", "There is a second YAML document (---); the file holds one.")
	}
	line, msg := faultLine(err, data)
	if lines := bytes.Split(data, []byte{'\n'}); line > 0 && line <= len(lines) && bytes.HasPrefix(bytes.TrimLeft(lines[line-1], " "), []byte{'\t'}) {
		msg = "a tab at the beginning of the line; YAML wants spaces"
	}
	return line, wrong("not YAML", "This is not YAML: "+msg+".")
}

// parserLines are the messages of the library's parser; all others are its
// scanner's. True: the line that it tells is another than that of the fault (that
// of the whole block; for a tab the one before, or not).
var parserLines = map[string]bool{
	"found a tab character that violates indentation": true,

	"did not find expected key":              true,
	"did not find expected '-' indicator":    true,
	"did not find expected node content":     false,
	"did not find expected ',' or ']'":       false,
	"did not find expected ',' or '}'":       false,
	"did not find expected <stream-start>":   false,
	"did not find expected <document start>": false,
	"found undefined tag handle":             false,
	"found duplicate %YAML directive":        false,
	"found duplicate %TAG directive":         false,
	"found incompatible YAML document":       false,
}

// faultLine is where to look for a fault, and the library's message. Of a flow
// list or map that is not closed that is where it opens.
//
// The library tells the scanner's lines from 1 and the parser's from 0, and where
// a fault begins in line 0 another one or none. So the text is read again below an
// empty line.
func faultLine(err error, data []byte) (line int, msg string) {
	_, msg = takenApart(err)
	if _, again := oneDocument(slip(data)); again != nil {
		line, _ = takenApart(again)
	}
	ofBlock, ofParser := parserLines[msg]
	switch {
	case ofBlock || line == 0:
		line = firstLine(data, msg)
	case !ofParser:
		line--
	}
	return line, msg
}

// slip puts an empty line above a text.
func slip(data []byte) []byte {
	return append([]byte{'\n'}, bytes.TrimPrefix(data, []byte("\ufeff"))...)
}

// firstLine is the line that a fault comes in with: that many lines from the
// beginning show it, and one less does not. 0: none does.
func firstLine(data []byte, msg string) int {
	lines := bytes.SplitAfter(data, []byte{'\n'})
	n := sort.Search(len(lines), func(i int) bool {
		_, err := oneDocument(bytes.Join(lines[:i+1], nil))
		if err == nil {
			return false
		}
		_, m := takenApart(err)
		return m == msg
	})
	if n == len(lines) {
		return 0
	}
	return n + 1
}

var lineInError = regexp.MustCompile(`^line (\d+): `)

// takenApart is an error of the library in its parts; line 0 where it tells none.
func takenApart(err error) (line int, msg string) {
	msg = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := lineInError.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	msg, _, _ = strings.Cut(msg, "\n")
	return line, msg
}
