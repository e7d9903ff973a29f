package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"watchpost/engine/config"
)

// sftpTarget is a place with kind sftp: SFTP version 3 (draft-ietf-secsh-filexfer-02)
// over SSH (RFC 4253), as OpenSSH speaks it.
//
// Neither library knows deadlines, and what waits in one of them only ends with the
// connection: wire has the deadlines and is closed when the context ends.
type sftpTarget struct {
	c        config.Transfer
	secret   string
	patience patience

	mu      sync.Mutex
	hostKey string // algorithms' family with which the configured host key was found; "": not yet
}

// newSFTP makes the target of a place with kind sftp. secret is the password, or the
// key file's passphrase.
func newSFTP(c config.Transfer, secret string) target {
	return &sftpTarget{c: c, secret: secret, patience: usualPatience}
}

func (t *sftpTarget) addr() string {
	port := t.c.Port
	if port == 0 {
		port = 22
	}
	return net.JoinHostPort(config.HostForDial(t.c.Server), strconv.Itoa(port))
}

func (t *sftpTarget) far() far { return far{"sftp", t.c.Server, t.addr()} }

// connect logs in. A fingerprint does not say of what type its key is, and a server
// shows one key a connection, of the type that both like best: so another
// connection asks for another type until the configured key is found or the
// server has no more.
func (t *sftpTarget) connect(ctx context.Context) (session, error) {
	auth, f := t.auth()
	if f != nil {
		return nil, f
	}
	t.mu.Lock()
	known := t.hostKey
	t.mu.Unlock()
	var found []string
	for families := hostKeyFamilies(known); len(families) > 0; {
		shown := &shownKey{want: t.c.HostKey, trial: trialOf(ctx)}
		s, err := t.login(ctx, auth, shown, families)
		if err == nil {
			t.mu.Lock()
			t.hostKey = familyOf(shown.algorithm)
			t.mu.Unlock()
			return s, nil
		}
		if shown.wrong {
			found = append(found, shown.algorithm+" "+shown.fingerprint)
			families = without(families, familyOf(shown.algorithm))
			if ctx.Err() == nil {
				continue
			}
		}
		var none *ssh.AlgorithmNegotiationError
		if len(found) > 0 && errors.As(err, &none) {
			break // it has no key of another type
		}
		return nil, s.refused(ctx, "login", err)
	}
	return nil, unknownHostKey(t.c.HostKey, found)
}

// login makes one connection, with a host key of the families. The session is for
// its faults only where there is an error.
func (t *sftpTarget) login(ctx context.Context, auth []ssh.AuthMethod, shown *shownKey, families []string) (*sftpSession, error) {
	s := &sftpSession{t: t}
	w, err := dialWire(ctx, t.addr(), t.patience)
	if err != nil {
		return s, err
	}
	s.wire = w
	stop := context.AfterFunc(ctx, s.abort)
	defer stop()
	conf := &ssh.ClientConfig{User: t.c.Username, Auth: auth, HostKeyCallback: shown.verify, HostKeyAlgorithms: algorithmsOf(families)}
	conn, channels, requests, err := ssh.NewClientConn(w, t.addr(), conf)
	if err != nil {
		s.wire.Close()
		return s, err
	}
	s.ssh = ssh.NewClient(conn, channels, requests)
	how := "user name and password accepted"
	if t.c.KeyFile != "" {
		how = "user name and key accepted"
	}
	shown.trial.passed("login", t.c.Username, "", how)
	w.step(t.patience.command)
	if s.sftp, err = sftp.NewClient(s.ssh); err != nil {
		s.release()
		return s, fmt.Errorf("%w: %w", errNoSFTP, err)
	}
	w.rest()
	shown.trial.passed("sftp", "", "", "the server offers SFTP")
	return s, nil
}

var (
	errNoSFTP     = errors.New("SFTP was not started")
	errSSHRefused = errors.New("refused by the SSH server") // its own words are in the fault's text, made harmless
)

// sftpSession is used by one goroutine; abort by any.
type sftpSession struct {
	t     *sftpTarget
	wire  *wire
	ssh   *ssh.Client
	sftp  *sftp.Client
	fault *fault // the connection is lost
}

// abort ends whatever is waited for, at once.
func (s *sftpSession) abort() { s.wire.Close() }

func (s *sftpSession) close() {
	s.wire.step(s.t.patience.linger)
	if s.fault == nil {
		_ = s.ssh.Close() // says goodbye
	}
	s.release()
}

// release closes all and waits for the libraries' goroutines.
func (s *sftpSession) release() {
	s.wire.Close()
	if s.ssh != nil {
		_ = s.ssh.Close()
	}
	if s.sftp != nil {
		_ = s.sftp.Close()
	}
}

// refused is the fault for an error of connecting and logging in.
func (s *sftpSession) refused(ctx context.Context, step string, err error) *fault {
	var broken error
	if s.wire != nil {
		broken = s.wire.why()
	} else {
		step = "tcp"
	}
	var none *ssh.AlgorithmNegotiationError
	text := err.Error()
	switch {
	case ctx.Err() != nil:
		return lineFault(step, far{}, ctx.Err())
	case step == "tcp":
		return lineFault(step, s.t.far(), err, s.t.secret)
	case errors.Is(broken, errReplyTooLong):
		return lineFault(step, s.t.far(), broken, s.t.secret)
	case errors.As(err, &none):
		return &fault{kind: account, step: "handshake", err: errSSHRefused, text: "The server and this box have no way to encrypt in common: " + serverWords(none.Error(), s.t.secret),
			do: "Update the SSH server."}
	case errors.Is(err, errAskedAgain), strings.Contains(text, "unable to authenticate"):
		tried := "user name or password"
		if s.t.c.KeyFile != "" {
			tried = "user name or key"
		}
		return &fault{kind: account, step: "login", err: errSSHRefused, text: "The server refuses " + tried + ": " + serverWords(text, s.t.secret),
			do: "Check both; then whether the server lets that user in that way (its authorized_keys, its log)."}
	case errors.Is(err, errQuestion):
		return &fault{kind: account, step: "login", err: errSSHRefused, text: "The server asks for more than a password: " + serverWords(text, s.t.secret),
			do: "Use a key file, or a user that is not asked for a second factor."}
	case errors.Is(err, errNoSFTP) && broken == nil:
		return &fault{kind: account, step: "subsystem", err: errSSHRefused, text: "The server lets the user in but does not offer SFTP", do: "Switch SFTP on for that user on the server (Subsystem sftp)."}
	case strings.Contains(text, "ssh: disconnect"):
		return &fault{kind: network, step: step, err: errSSHRefused, text: "The server ends the connection: " + serverWords(text, s.t.secret), do: "It is tried again by itself; see the server's log if it lasts."}
	case strings.Contains(text, "ssh: overflow reading version string"), strings.Contains(text, "invalid packet length"), strings.Contains(text, "ssh: unexpected message"):
		return &fault{kind: network, step: "handshake", err: errSSHRefused, text: "What answers on " + s.t.addr() + " does not speak SSH", do: "Check server and port."}
	}
	if broken != nil {
		err = broken
	}
	return lineFault(step, s.t.far(), err, s.t.secret)
}
