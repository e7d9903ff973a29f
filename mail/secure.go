package mail

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"watchpost/engine/config"
	"watchpost/engine/trust"
)

// security is how the connection is protected.
type security int

const (
	plain         security = iota // never with credentials
	opportunistic                 // TLS where it is offered, the certificate not verified; a handshake that fails is a fault, not a way to plain
	startTLS                      // STARTTLS or nothing, verified
	implicitTLS                   // TLS from the first byte, verified
)

// The words for what cannot be made safe or does not fit together; explain knows them.
var (
	errGreeted      = errors.New("after its greeting")
	errSpeaksTLS    = errors.New("the server says nothing in clear and answers to TLS")
	errClientCert   = errors.New("the server asked for a client certificate, and there is none")
	errUnasked      = errors.New("the server answered what it was not asked")
	errInjected     = errors.New("what followed the reply to STARTTLS is not TLS")
	errNoStartTLS   = errors.New("the server does not offer STARTTLS")
	errPlainAuth    = errors.New("a password would travel in clear")
	errNoAuth       = errors.New("the server does not offer AUTH")
	errNoMechanism  = errors.New("the server offers none of the ways to authenticate that may be used")
	errNoSMTPUTF8   = errors.New("the server does not offer SMTPUTF8")
	errUnknownWord  = errors.New("not a word this version knows")
	errDamagedSpool = errors.New("the mail's file in the spool does not have the bytes that were written")
)

// credentials reports whether c logs in.
func credentials(c config.SMTP) bool { return c.Username != "" && c.Auth != "none" }

// protection is config.SecurityInUse, refusing what cannot be made safe.
func protection(c config.SMTP) (security, error) {
	if !slices.Contains([]string{"", "auto", "starttls", "tls", "none"}, c.Security) {
		return plain, fmt.Errorf("security %q: %w", c.Security, errUnknownWord)
	}
	switch mode, required := config.SecurityInUse(c); {
	case mode == "tls":
		return implicitTLS, nil
	case mode == "none" && credentials(c):
		return plain, errPlainAuth
	case mode == "none":
		return plain, nil
	case required:
		return startTLS, nil
	}
	return opportunistic, nil
}

// tlsConfig is trust.Config for the settings c.
func tlsConfig(c config.SMTP, host string, verify bool) (*tls.Config, error) {
	return trust.Config(c.Pin, c.CAFile, host, verify)
}

// secretsOf is what a server must not bring into a step by its echo: the password
// by itself, as LOGIN sends it, and as in PLAIN and XOAUTH2. scrub knows their base64.
func secretsOf(c config.SMTP, password string) []string {
	if password == "" {
		return nil
	}
	return []string{password, "\x00" + c.Username + "\x00" + password, "user=" + c.Username + "\x01auth=Bearer " + password + "\x01\x01"}
}

// mechanisms is the order in which auto chooses: what keeps the password from
// the server first; CRAM-MD5 last, as it is often offered and rarely works.
var mechanisms = []string{"SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5"}

// authentication picks the mechanism. offered is the parameter of the server's AUTH keyword.
func authentication(c config.SMTP, password, host, offered string) (mechanism string, a smtp.Auth, err error) {
	has := strings.Fields(strings.ToUpper(offered))
	want := mechanisms
	if c.Auth != "" && c.Auth != "auto" {
		want = []string{strings.ToUpper(c.Auth)}
	}
	for _, m := range want {
		if !slices.Contains(has, m) {
			continue
		}
		switch m {
		case "SCRAM-SHA-256":
			return m, smtp.ScramSHA256Auth(c.Username, password), nil
		case "PLAIN":
			return m, smtp.PlainAuth("", c.Username, password, host, false), nil
		case "LOGIN":
			return m, smtp.LoginAuth(c.Username, password, host, false), nil
		case "CRAM-MD5":
			return m, smtp.CRAMMD5Auth(c.Username, password), nil
		case "XOAUTH2":
			return m, smtp.XOAuth2Auth(c.Username, password), nil
		}
	}
	return "", nil, fmt.Errorf("%w: it offers %s", errNoMechanism, sanitise(offered))
}
