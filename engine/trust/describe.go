package trust

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Certificates are those that a handshake brought, refused or not; the server's own first.
func Certificates(err error, state tls.ConnectionState) []*x509.Certificate {
	if refused := (*tls.CertificateVerificationError)(nil); errors.As(err, &refused) {
		return refused.UnverifiedCertificates
	}
	return state.PeerCertificates
}

// Describe is who a certificate is for and by, and the pin of its key: that comes
// first, as the end may be cut off.
func Describe(c *x509.Certificate) string {
	text := "pin " + Pin(c) + ", for " + c.Subject.String()
	if names := names(c.DNSNames, c.IPAddresses); len(names) > 0 {
		text += " (" + strings.Join(names, " ") + ")"
	}
	return fmt.Sprintf("%s, by %s, from %s until %s", text, c.Issuer, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
}

// Validity compares a certificate's dates with the box's clock.
func Validity(c *x509.Certificate, now time.Time) string {
	switch day := 24 * time.Hour; {
	case now.Before(c.NotBefore):
		return "begins on " + c.NotBefore.Format(time.DateOnly) + ", after this box's clock (" + now.Format(time.DateOnly) + "): is the clock right?"
	case now.After(c.NotAfter):
		return "expired on " + c.NotAfter.Format(time.DateOnly) + " by this box's clock (" + now.Format(time.DateOnly) + ")"
	default:
		return fmt.Sprintf("good for another %d days", int(c.NotAfter.Sub(now)/day))
	}
}

// DescribeTLS is what a connection agreed on, and with whom.
func DescribeTLS(cs tls.ConnectionState) string {
	text := tls.VersionName(cs.Version) + ", " + tls.CipherSuiteName(cs.CipherSuite)
	if len(cs.PeerCertificates) > 0 {
		leaf := cs.PeerCertificates[0]
		text += fmt.Sprintf(", pin %s, for %s, by %s, until %s", Pin(leaf), strings.Join(names(leaf.DNSNames, leaf.IPAddresses), " "),
			leaf.Issuer.CommonName, leaf.NotAfter.Format(time.DateOnly))
	}
	return text
}

func names(dns []string, ips []net.IP) []string {
	all := append([]string{}, dns...)
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	return all[:min(len(all), 5)]
}
