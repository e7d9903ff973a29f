package transfer

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"watchpost/engine/config"
)

var (
	errHostKey    = errors.New("the server's host key is not the configured one")
	errAskedAgain = errors.New("the password is asked for again")
	errQuestion   = errors.New("a question that is not for a password")
)

// shownKey is what a server shows as its host key, which must be the one wanted.
type shownKey struct {
	want        string // SHA256:…
	algorithm   string
	fingerprint string
	wrong       bool
	trial       *trial
}

func (k *shownKey) verify(_ string, _ net.Addr, key ssh.PublicKey) error {
	k.algorithm, k.fingerprint = key.Type(), ssh.FingerprintSHA256(key)
	if strings.TrimRight(k.want, "=") != k.fingerprint {
		k.wrong = true
		return errHostKey
	}
	k.trial.passed("hostkey", "", k.algorithm+" "+k.fingerprint, "the host key is the one that is set")
	return nil
}

func unknownHostKey(want string, found []string) *fault {
	f := &fault{kind: account, step: "hostkey", err: errHostKey,
		text: fmt.Sprintf("The server's host key is not known yet. The server shows: %s", serverWords(strings.Join(found, ", "), "")),
		do:   "Compare it on the server itself (ssh-keygen -lf on its /etc/ssh/ssh_host_*_key.pub); if one is the same, enter it as the host key."}
	if want != "" {
		f.text = fmt.Sprintf("The server's host key is not the configured one. The server shows: %s", serverWords(strings.Join(found, ", "), ""))
		f.do = "If the server was set up anew, compare it on the server itself (ssh-keygen -lf on its /etc/ssh/ssh_host_*_key.pub) and enter it as the host key; else somebody is in between."
	}
	return f
}

// hostKeyFamilies is the types of host keys in the order in which they are asked
// for; first, if it is known, comes alone at the head.
func hostKeyFamilies(first string) []string {
	var all []string
	for _, a := range append([]string{ssh.KeyAlgoED25519}, ssh.SupportedAlgorithms().HostKeys...) {
		if f := familyOf(a); f != "" && !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	if i := slices.Index(all, first); i > 0 {
		all = slices.Insert(slices.Delete(all, i, i+1), 0, first)
	}
	return all
}

// familyOf is the type of key that an algorithm signs with; "" for certificates, which
// have no fingerprint of a key.
func familyOf(algorithm string) string {
	switch {
	case strings.Contains(algorithm, "-cert-"):
		return ""
	case algorithm == ssh.KeyAlgoRSASHA256, algorithm == ssh.KeyAlgoRSASHA512:
		return ssh.KeyAlgoRSA
	}
	return algorithm
}

// algorithmsOf is the safe algorithms of the families, in their order.
func algorithmsOf(families []string) (all []string) {
	for _, f := range families {
		for _, a := range ssh.SupportedAlgorithms().HostKeys {
			if familyOf(a) == f {
				all = append(all, a)
			}
		}
	}
	return all
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(all, func(f string) bool { return f == one })
}

// auth is how to log in: by the key file if there is one, else by the password, as
// such or as the answer to the one question that servers with PAM ask.
func (t *sftpTarget) auth() ([]ssh.AuthMethod, *fault) {
	if t.c.KeyFile != "" {
		signer, f := readKey(t.c, t.secret)
		if f != nil {
			return nil, f
		}
		return []ssh.AuthMethod{ssh.PublicKeys(signer)}, nil
	}
	asked := false
	answer := func(_, _ string, questions []string, echo []bool) ([]string, error) {
		switch {
		case len(questions) == 0: // the server only has something to say (RFC 4256 §3.2)
			return nil, nil
		case len(questions) > 1 || echo[0]:
			return nil, fmt.Errorf("%w: %s", errQuestion, strings.Join(questions, " "))
		case asked && strings.Contains(strings.ToLower(questions[0]), "password"):
			return nil, errAskedAgain
		case asked:
			return nil, fmt.Errorf("%w: %s", errQuestion, questions[0])
		}
		asked = true
		return []string{t.secret}, nil
	}
	return []ssh.AuthMethod{ssh.Password(t.secret), ssh.KeyboardInteractive(answer)}, nil
}

const maxKeyFile = 64 << 10

// readKey reads the private key; the passphrase is used where the key has one.
func readKey(c config.Transfer, passphrase string) (ssh.Signer, *fault) {
	refused := func(text, do string, err error) *fault {
		return &fault{kind: account, step: "key", text: "The key file " + c.KeyFile + " " + text, do: do, err: err}
	}
	f, err := os.Open(c.KeyFile)
	if err != nil {
		return nil, refused("cannot be read: "+serverWords(err.Error(), ""), "Check key_file, and that the service may read it.", err)
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, refused("cannot be read: "+serverWords(err.Error(), ""), "Check key_file.", err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	var locked *ssh.PassphraseMissingError
	if !errors.As(err, &locked) {
		if err != nil {
			return nil, refused("holds no private key", "Name the private key (not the .pub file), in OpenSSH's or PEM format.", errKeyFile)
		}
		return signer, nil
	}
	if passphrase == "" {
		return nil, refused("is locked by a passphrase, and none is set", "Enter the passphrase as this place's password.", errKeyFile)
	}
	signer, err = ssh.ParsePrivateKeyWithPassphrase(pem, []byte(passphrase))
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return nil, refused("is locked by another passphrase than the one that is set", "Enter the key's passphrase as this place's password.", errKeyFile)
	case err != nil:
		return nil, refused("cannot be unlocked", "Make a key that OpenSSH's ssh-keygen made.", errKeyFile)
	}
	return signer, nil
}

var errKeyFile = errors.New("no usable private key")
