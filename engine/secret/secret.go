// Package secret keeps passwords that are only compared, never sent on: as a bcrypt
// hash. It is a leaf, keeps nothing and starts no goroutine. Passwords that a server
// wants to hear are not its business.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// A password's length in bytes. What is more bcrypt would pass over.
const (
	Least = 8
	Most  = 72
)

// cost is bcrypt's: some 50 ms of a PC, some 300 ms of a small board.
const cost = 10

// Hash is what is kept of a password of at most Most bytes.
func Hash(password string) (string, error) {
	b, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	return string(b), err
}

// Is reports whether a text is a hash: of this package, or another program's bcrypt.
func Is(text string) bool {
	if !strings.HasPrefix(text, "$2") {
		return false
	}
	n, err := bcrypt.Cost([]byte(text))
	return err == nil && len(text) == 60 && n <= 14 // a comparison of more is a denial of service
}

// Matches compares a password that was typed with what is kept of it: a hash, or
// the password itself where a person wrote it into the file. It takes as long for
// the wrong as for the right one; nothing kept matches nothing.
func Matches(kept, typed string) bool {
	switch {
	case kept == "":
		return false
	case Is(kept):
		return bcrypt.CompareHashAndPassword([]byte(kept), []byte(typed)) == nil
	}
	a, b := sha256.Sum256([]byte(kept)), sha256.Sum256([]byte(typed))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
