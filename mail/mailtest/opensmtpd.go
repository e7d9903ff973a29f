package mailtest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"watchpost/engine/need"
)

// StartOpenSMTPD sets OpenSMTPD up and starts it. Debian's package is unpacked,
// not installed: it conflicts with Postfix's. It has a plain port only, since that of
// Debian 12 (6.8.0p2 with OpenSSL 3) fails every handshake: its processes keep the
// private key from the library in a way that the library gave up
// (github.com/OpenSMTPD/OpenSMTPD/issues/1171).
func StartOpenSMTPD(t testing.TB) *Server {
	t.Helper()
	need.Root(t, "OpenSMTPD only starts as root")
	packages := need.Unpacked(t, "opensmtpd")
	s := newServer(t, "opensmtpd")
	s.besides(packages, []string{"opensmtpd", "opensmtpq"}, "/mnt/usr/sbin/smtpd", "-d", "-f", s.path("smtpd.conf"))
	must(t, os.MkdirAll(s.path("var/lib/opensmtpd/empty"), 0o755))
	must(t, os.MkdirAll(s.path("var/spool/smtpd"), 0o711))
	must(t, os.Chmod(s.path("var/spool/smtpd"), 0o711))
	s.queues = []string{s.path("var/spool/smtpd/queue")}
	s.waiting = func(os.DirEntry) bool { return true }
	for _, d := range []string{"new", "cur", "tmp", ""} {
		must(t, own(s.path("mail/Maildir/"+d), "nobody"))
	}
	s.refuse = func() error {
		s.Idle(time.Minute) // what is killed while it delivers delivers again
		s.Kill()            // it reads its configuration at its start only
		s.writeSmtpdConf()
		return s.start()
	}
	s.startOnFreePorts(1, func() {
		s.Plain = s.port[0]
		s.writeSmtpdConf()
	})
	return s
}

// writeSmtpdConf writes OpenSMTPD's configuration, with a filter for each refused recipient.
func (s *Server) writeSmtpdConf() {
	var filters, names strings.Builder
	for addr, code := range s.rejects {
		fmt.Fprintf(&filters, "filter \"reject %s\" phase rcpt-to match rcpt-to { %q } reject \"%d refused by the test\"\n", addr, addr, code)
		fmt.Fprintf(&names, "%q ", "reject "+addr)
	}
	filter := ""
	if names.Len() > 0 {
		fmt.Fprintf(&filters, "filter \"rejects\" chain { %s}\n", names.String())
		filter = ` filter "rejects"`
	}
	s.write("smtpd.conf", fmt.Sprintf(`table everybody { "@" = "nobody" }
smtp max-message-size 50M
%[3]slisten on 127.0.0.1 port %[5]d hostname %[1]s%[4]s
action keep maildir "%[2]s/mail/Maildir" virtual <everybody>
match from any for domain { %[6]q %[7]q } action keep
`, Host, s.dir, filters.String(), filter, s.Plain, Domain, IDNDomain), 0o644)
}
