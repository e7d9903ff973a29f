package sshd

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/crypto/ssh"

	"watchpost/engine/durable"
)

// HostKeyName is the host key's file in the store's directory.
const HostKeyName = "ssh_host_ed25519_key"

// HostKey reads the box's own key, and makes it where there is none yet. One that
// is there but cannot be used is never replaced: whoever has logged in before
// would be warned of an attack, or, used to such warnings, not heed a real one.
func HostKey(path string) (ssh.Signer, error) {
	data, err := readHostKey(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := newHostKey(path); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("the host key cannot be made: %w", err)
		}
		data, err = readHostKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("the host key cannot be read: %w", err)
	}
	key, err := ssh.ParsePrivateKey(data)
	if err != nil {
		return nil, fmt.Errorf("the host key in %s is damaged: put it back from a backup; without one, remove it and a new one is made, of which everybody who logged in before is warned", path)
	}
	return key, nil
}

func readHostKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others may read %s (mode %04o): if nobody has, chmod 600 it; else remove it and a new one is made", path, st.Mode().Perm())
	}
	return io.ReadAll(io.LimitReader(f, 64<<10))
}

func newHostKey(path string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "watchpost")
	if err != nil {
		return err
	}
	return durable.WriteNew(path, 0o600, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(pem.EncodeToMemory(block)))
		return err
	})
}
