package sshd

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/crypto/ssh"

	"watchpost/engine/durable"
)

// Bounds of the file of keys.
const (
	MaxKeys     = 64
	maxKeyBytes = 256 << 10
	leastRSA    = 2048 // bits
)

// operatorOption marks a key in the file, where OpenSSH has its options.
const operatorOption = "operator"

// harmless are OpenSSH's options that forbid what is forbidden here anyway.
var harmless = []string{"restrict", "no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding", "no-user-rc"}

// Key is a public key that may log in.
type Key struct {
	Type        string // ssh-ed25519 …
	Fingerprint string // SHA256:…, as ssh-keygen -l shows it
	Comment     string
	Operator    bool // may look, retry and fire; else an installer's

	wire string // the key itself
}

// line is the key as it stands in the file.
func (k Key) line() string {
	s := k.Type + " " + base64.StdEncoding.EncodeToString([]byte(k.wire))
	if k.Operator {
		s = operatorOption + " " + s
	}
	if k.Comment != "" {
		s += " " + k.Comment
	}
	return s
}

// ErrNoKeys says that a text has no key in it.
var ErrNoKeys = errors.New("there is no key in it: give the content of a .pub file, such as ~/.ssh/id_ed25519.pub, a line that begins with ssh-ed25519")

// ParseKeys reads public keys: lines of OpenSSH's, or PuTTYgen's files (RFC 4716).
// The error is for the person who gave them, and says which line is wrong.
func ParseKeys(text string) ([]Key, error) {
	switch {
	case len(text) > maxKeyBytes:
		return nil, errors.New("this is too long for public keys: give the content of a .pub file")
	case strings.Contains(text, "PRIVATE KEY-----") || strings.Contains(text, "PuTTY-User-Key-File"):
		return nil, errors.New("this is a private key: it stays on your computer and belongs nowhere else; give the public one, the file beside it that ends in .pub")
	case strings.Contains(text, "---- BEGIN SSH2 PUBLIC KEY ----"):
		return parseRFC4716(text)
	}
	var keys []Key
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		k, err := parseKey(l)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, ErrNoKeys
	}
	return keys, nil
}

func parseKey(l string) (Key, error) {
	public, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(l))
	if err != nil {
		return Key{}, errors.New("this is no public key: a whole line such as ssh-ed25519 AAAA… name is needed, not cut or broken anywhere")
	}
	k, err := newKey(public, comment)
	for _, o := range options {
		switch {
		case strings.EqualFold(o, operatorOption):
			k.Operator = true
		case !slices.Contains(harmless, strings.ToLower(o)):
			name, _, _ := strings.Cut(o, "=")
			return Key{}, fmt.Errorf("the option %s is not known here, so that the key would be let in without it: leave it out, or leave the key out", oneLine(name))
		}
	}
	return k, err
}

func newKey(public ssh.PublicKey, comment string) (Key, error) {
	k := Key{Type: public.Type(), Fingerprint: ssh.FingerprintSHA256(public), Comment: oneLine(comment), wire: string(public.Marshal())}
	if _, ok := public.(*ssh.Certificate); ok {
		return k, errors.New("this is a certificate: give the public key itself")
	}
	if strings.Contains(k.Type, "dss") {
		return k, errors.New("DSA keys are not safe any more: ssh-keygen -t ed25519 makes a new one")
	}
	if c, ok := public.(ssh.CryptoPublicKey); ok {
		if r, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() < leastRSA {
			return k, fmt.Errorf("an RSA key of %d bits is not safe any more: ssh-keygen -t ed25519 makes a new one", r.N.BitLen())
		}
	}
	return k, nil
}

// parseRFC4716 reads one key as PuTTYgen saves it.
func parseRFC4716(text string) ([]Key, error) {
	broken := errors.New("this public key is broken: save it again, or copy PuTTYgen's line for pasting into OpenSSH")
	_, rest, _ := strings.Cut(text, "---- BEGIN SSH2 PUBLIC KEY ----")
	body, _, ok := strings.Cut(rest, "---- END SSH2 PUBLIC KEY ----")
	if !ok {
		return nil, broken
	}
	comment, data, going := "", "", false
	for l := range strings.Lines(body) {
		l = strings.TrimSpace(l)
		name, value, header := strings.Cut(l, ":")
		switch {
		case going: // a header's next line
		case header && strings.EqualFold(name, "comment"):
			comment = strings.Trim(strings.TrimSpace(value), `"`)
		case !header:
			data += l
		}
		going = (header || going) && strings.HasSuffix(l, `\`)
	}
	wire, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, broken
	}
	public, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return nil, broken
	}
	k, err := newKey(public, comment)
	return []Key{k}, err
}

// oneLine makes a comment harmless for the file and a terminal, and bounds it.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.TrimSpace(strings.ToValidUTF8(s[:min(len(s), 64)], ""))
}

// KeyFile is the file of the keys that may log in, by path. It is read anew each
// time: a person may edit it.
type KeyFile string

// Keys reads the file. Lines that are not let in are told as problems; none of it is
// let in where the file is not safe (the error). A missing file has none.
func (f KeyFile) Keys() (keys []Key, problems []string, err error) {
	data, err := f.read()
	if err != nil {
		return nil, nil, err
	}
	for i, l := range strings.Split(string(data), "\n") {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		k, err := parseKey(l)
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s:%d: %v", f, i+1, err))
		case len(keys) == MaxKeys:
			return keys, append(problems, fmt.Sprintf("%s: only the first %d keys are let in: remove some", f, MaxKeys)), nil
		default:
			keys = append(keys, k)
		}
	}
	return keys, problems, nil
}

func (f KeyFile) read() ([]byte, error) {
	file, err := os.OpenFile(string(f), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the keys cannot be read: %w", err)
	}
	defer file.Close()
	st, err := file.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("the keys cannot be read: %w", err)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file: name another one as ssh.authorized_keys", f)
	case st.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("%s may be written by others (mode %04o), so that nobody's key is let in: chmod 600 %s", f, st.Mode().Perm(), f)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxKeyBytes+1))
	if err == nil && len(data) > maxKeyBytes {
		err = fmt.Errorf("%s is too large: it is to hold public keys only", f)
	}
	return data, err
}

// Add adds keys. One that is there already gets its mark and keeps its place; added
// are the others.
func (f KeyFile) Add(keys []Key) (added []Key, err error) {
	err = f.edit(func(lines []string, have []Key) ([]string, error) {
		n := len(slices.DeleteFunc(slices.Clone(have), func(k Key) bool { return k.wire == "" }))
		for _, k := range keys {
			if i := slices.IndexFunc(have, func(h Key) bool { return h.wire == k.wire }); i >= 0 {
				if k.Operator != have[i].Operator {
					have[i].Operator = k.Operator
					lines[i] = have[i].line()
				}
				continue
			}
			if n++; n > MaxKeys {
				return nil, fmt.Errorf("%d keys are there already, that is as many as there may be: remove some", MaxKeys)
			}
			lines, have, added = append(lines, k.line()), append(have, k), append(added, k)
		}
		return lines, nil
	})
	return added, err
}

// ErrUnknownKey says that there is no such key.
var ErrUnknownKey = errors.New("there is no such key")

// Remove removes the key of a fingerprint.
func (f KeyFile) Remove(fingerprint string) (removed Key, err error) {
	err = f.edit(func(lines []string, have []Key) ([]string, error) {
		i := slices.IndexFunc(have, func(k Key) bool { return k.wire != "" && k.Fingerprint == fingerprint })
		if i < 0 {
			return nil, fmt.Errorf("%q: %w", oneLine(fingerprint), ErrUnknownKey)
		}
		removed = have[i]
		return slices.DeleteFunc(lines, func(l string) bool {
			k, err := parseKey(strings.TrimSpace(l))
			return err == nil && k.wire == removed.wire
		}), nil
	})
	return removed, err
}

// Mark makes the key of a fingerprint an operator's or an installer's.
func (f KeyFile) Mark(fingerprint string, operator bool) error {
	return f.edit(func(lines []string, have []Key) ([]string, error) {
		found := false
		for i := range have {
			if have[i].wire != "" && have[i].Fingerprint == fingerprint {
				have[i].Operator, found = operator, true
				lines[i] = have[i].line()
			}
		}
		if !found {
			return nil, fmt.Errorf("%q: %w", oneLine(fingerprint), ErrUnknownKey)
		}
		return lines, nil
	})
}

// edit changes the file's lines under a lock; each line comes with its key, or the
// zero one. Lines that are no keys stay.
func (f KeyFile) edit(change func(lines []string, keys []Key) ([]string, error)) error {
	dir := filepath.Dir(string(f))
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("the keys cannot be changed: %w", err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("the keys cannot be changed: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("the keys cannot be changed: %w", err)
	}
	data, err := f.read()
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(data) == 0 {
		lines = nil
	}
	keys := make([]Key, len(lines))
	for i, l := range lines {
		if k, err := parseKey(strings.TrimSpace(l)); err == nil {
			keys[i] = k
		}
	}
	if lines, err = change(lines, keys); err != nil {
		return err
	}
	var out []byte
	for _, l := range lines {
		out = append(out, l+"\n"...)
	}
	if bytes.Equal(out, data) {
		return nil
	}
	if err := durable.WriteFile(string(f), 0o600, out); err != nil {
		return fmt.Errorf("the keys cannot be changed: %w", err)
	}
	return nil
}
