// Package trust says which server a TLS connection may be with.
//
// It opens nothing and starts no goroutine.
package trust

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
)

// The words for what is not the server that it should be.
var (
	ErrWrongPin  = errors.New("the server's public key is not the pinned one")
	ErrBadPin    = errors.New("the pin is no SHA-256 in base64")
	ErrBadCAFile = errors.New("the CA file holds no certificate")
)

// Config verifies the server against its pinned public key (see Pin), or else its
// name and the authorities of a CA file, or else its name and the system's: only
// these can go unverified. host is the server as it is dialled.
func Config(pin, caFile, host string, verify bool) (*tls.Config, error) {
	name, _, _ := strings.Cut(host, "%") // a zone is no part of a name
	conf := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	switch {
	case pin != "":
		want, err := base64.StdEncoding.DecodeString(pin)
		if err != nil || len(want) != sha256.Size {
			return nil, ErrBadPin
		}
		conf.InsecureSkipVerify = true // the pin takes the place of the chain
		conf.VerifyConnection = func(cs tls.ConnectionState) error {
			if got := Pin(cs.PeerCertificates[0]); got != base64.StdEncoding.EncodeToString(want) {
				return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates,
					Err: fmt.Errorf("%w: it is %s", ErrWrongPin, got)}
			}
			return nil
		}
	case caFile != "":
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadCAFile, err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, ErrBadCAFile
		}
	case !verify:
		conf.InsecureSkipVerify = true
	}
	return conf, nil
}

// Pin is the SHA-256 of a certificate's public key, in base64 (RFC 7469 §2.4).
func Pin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
