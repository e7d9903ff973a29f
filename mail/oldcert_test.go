package mail

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"
)

// An old private server's certificate has its name in the CN only.
func TestCommonNameOnly(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, _ := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	c, _ = x509.ParseCertificate(der)
	err := c.VerifyHostname("mail.example.test")
	if v, do := explain(newFault("tls", "mail.example.test", err)); !strings.Contains(v, "of an old kind") || !strings.Contains(do, "pin") {
		t.Errorf("%v\n=> %s. %s", err, v, do)
	}
}
