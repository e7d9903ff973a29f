package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// explain turns a fault into plain words: what happened, and what to do. It is
// the one place where such words are chosen.
func explain(f *fault) (verdict, do string) {
	if f.code != 0 {
		return explainReply(f)
	}
	if v, d := explainLocal(f.err); v != "" {
		return v, d
	}
	if f.step == "lookup" {
		return explainLookup(f)
	}
	if v, d := explainTLS(f.err); v != "" {
		return v, d
	}
	return explainLine(f)
}

// explainLocal is for what this program itself refuses.
func explainLocal(err error) (verdict, do string) {
	switch {
	case errors.Is(err, errNoStartTLS):
		return "The server does not offer STARTTLS on this port, so nothing was sent in clear",
			"Use port 465 with TLS or port 587; only for a relay in your own network without password choose security none."
	case errors.Is(err, errPlainAuth):
		return "The password would travel unencrypted, so it was not sent", "Choose security auto, starttls or tls; or authentication none for a relay without password."
	case errors.Is(err, errNoAuth):
		return "The server does not ask for a user name on this port", "Use the provider's submission port (587 or 465), or choose authentication none."
	case errors.Is(err, errNoMechanism):
		return "The server and the configuration have no way to authenticate in common", "Choose authentication auto, or one that the server offers."
	case errors.Is(err, errWrongPin):
		return "The server shows another public key than the pinned one", "If the server's key was changed on purpose, enter the new pin; else somebody is in between."
	case errors.Is(err, errBadCAFile):
		return "The CA file cannot be used", "Check smtp.ca_file: a readable PEM file with the authority's certificate."
	case errors.Is(err, errNoSMTPUTF8):
		return "The server does not take addresses with letters beyond ASCII before the @ (SMTPUTF8)", "Use an address in plain ASCII."
	case errors.Is(err, errDamagedSpool):
		return "The mail's file in the spool is damaged, so it was not sent", "Check the disk; a restart sets the file aside and composes the mail anew."
	case errors.Is(err, errUnknownWord):
		return "A setting has a value that this version does not know", "Check the security, authentication and pin of the mail settings."
	case errors.Is(err, errReplyTooLong):
		return "The server's reply has no end, so the connection was closed", "Check that server and port are those of a mail server."
	case errors.Is(err, ErrNotConfigured):
		return "Mail is not configured", "Enter the server, the reply address and a destination."
	case errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.EIO):
		return "The mail's file in the spool cannot be read", "Check the disk and the permissions of the spool."
	}
	return "", ""
}

func explainLookup(f *fault) (verdict, do string) {
	var dns *net.DNSError
	if errors.As(f.err, &dns) && dns.IsNotFound {
		return fmt.Sprintf("There is no server named %s", f.target), "Check the spelling of the server's name."
	}
	return fmt.Sprintf("The name %s could not be looked up", f.target), "Check the network and its name server (DNS); an IP address works without one."
}

// explainTLS is for certificates and protocols that will not do; empty where err is none of these.
func explainTLS(err error) (verdict, do string) {
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var cert x509.CertificateInvalidError
	switch {
	case errors.As(err, &record):
		return "TLS was expected, but the server speaks plain SMTP first on this port", "Use port 465 for TLS, or choose security starttls for this port."
	case errors.As(err, &authority):
		return "The server's certificate is of an authority that this box does not know", "For a private server enter its CA file or pin; else check the server's name: somebody may be in between (a hotel's or office's portal)."
	case errors.As(err, &name):
		return fmt.Sprintf("The server's certificate is for another name than %s", name.Host), "Enter the name that the provider gives for its mail server, not an alias or address."
	case errors.As(err, &cert):
		if cert.Reason != x509.Expired {
			return "The server's certificate cannot be used: " + sanitise(cert.Error()), "Tell the server's administrator; a private server may be trusted by its pin."
		}
		if cert.Cert != nil && time.Now().Before(cert.Cert.NotBefore) {
			return "The server's certificate is not yet valid: this box's clock is wrong (" + time.Now().Format("2006-01-02") + ")", "Set the clock."
		}
		return "The server's certificate has expired", "Check this box's clock (" + time.Now().Format("2006-01-02") + "); if it is right, tell the server's administrator."
	case err != nil && strings.Contains(err.Error(), "certificate required"):
		return "The server wants a client certificate", "Such servers cannot be used; ask for another port."
	case err != nil && (strings.Contains(err.Error(), "remote error: tls:") || strings.Contains(err.Error(), "protocol version")):
		return "The server and this box agree on no TLS: 1.2 is the least", "The server is too old, or not a mail server; use another port or server."
	}
	return "", ""
}

// explainLine is for a line that fails.
func explainLine(f *fault) (verdict, do string) {
	var ne net.Error
	timeout := errors.As(f.err, &ne) && ne.Timeout() || errors.Is(f.err, context.DeadlineExceeded)
	switch {
	case errors.Is(f.err, syscall.ECONNREFUSED):
		return "Nothing listens on this port of the server (connection refused)", "Check server and port: 587 or 465 for providers, 25 for a relay."
	case errors.Is(f.err, syscall.ENETUNREACH), errors.Is(f.err, syscall.EHOSTUNREACH), errors.Is(f.err, syscall.EADDRNOTAVAIL):
		return "There is no route to the server", "Check the network cable, the address and the gateway of this box."
	case f.step == "tcp" && timeout:
		do = "Check server and port; a firewall or provider may block it."
		if strings.HasSuffix(f.target, ":25") {
			do = "Many providers block port 25: use 587 or 465."
		}
		return "The server does not answer on this port (timed out)", do
	case f.step == "ehlo" && timeout:
		return "The server took the connection and says nothing", "If the port is 465, choose security tls; else check server and port."
	case timeout:
		return "The server stopped answering (timed out)", "It is tried again; check the line if it lasts."
	case f.step == "ehlo" && strings.HasPrefix(f.text, "not an SMTP reply"):
		return "What answers on this port is not a mail server in plain SMTP", "If the port is 465, choose security tls; else check server and port."
	case errors.Is(f.err, io.EOF), errors.Is(f.err, io.ErrUnexpectedEOF), errors.Is(f.err, syscall.ECONNRESET), errors.Is(f.err, syscall.EPIPE):
		if f.step == "ehlo" {
			return "The server closed the connection without a greeting", "If the port is 465, choose security tls; else the server may block this address."
		}
		return "The server closed the connection", "It is tried again; check the line or the server if it lasts."
	case errors.Is(f.err, context.Canceled), errors.Is(f.err, net.ErrClosed):
		return "The attempt was stopped", "It is tried again."
	}
	return "The connection failed: " + f.text, "It is tried again; check the line if it lasts."
}

// replyWords knows what providers say. The first entry that matches wins: step
// ("" any), code (0 any; 4 and 5 the class), and a part of the text in lower case.
var replyWords = []struct {
	step        string
	code        int
	part        string
	verdict, do string
}{
	{"auth", 535, "5.7.139", "The tenant has switched off sign-in by password for mail (Microsoft)", "Ask its administrator to allow authenticated SMTP for this account, or use a relay."},
	{"auth", 0, "application-specific password", "Google wants an app password", "Make one in the Google account (Security, App passwords) and enter its 16 letters as the password."},
	{"auth", 535, "5.7.8", "User name or password is wrong, or the provider wants an app password", "Check both; Gmail, Yahoo and others need an app password, not the one for their web page."},
	{"auth", 534, "", "The provider wants another way to sign in", "Use an app password made at the provider; its own words say where."},
	{"auth", 535, "", "The server refused user name or password", "Check both; some providers need an app password."},
	{"auth", 4, "", "The server cannot check passwords just now", "It is tried again, slowly."},
	{"auth", 5, "", "The server refused to authenticate", "Check user name, password and authentication."},
	{"tls", 0, "", "The server refuses to start TLS", "Try again later, or port 465 with TLS."},
	{"ehlo", 5, "", "The server refuses this box", "Its words say why: often the address is on a block list, or only known hosts may send."},
	{"mail", 0, "authentication required", "The server wants a user name and password", "Enter the account's user name and password."},
	{"", 530, "starttls", "The server wants an encrypted connection", "Choose security auto or starttls."},
	{"", 530, "", "The server wants a user name and password", "Enter the account's user name and password."},
	{"", 550, "5.7.60", "The account may not send as this reply address (Microsoft)", "Use the account's own address as reply address."},
	{"mail", 552, "", "The mail is too large for the server", "Choose fewer or smaller images."},
	{"mail", 5, "", "The server refused the reply address as sender", "Use the address that the provider issued for this account."},
	{"", 0, "greylist", "The server wants the mail again later (greylisting)", "Nothing: it is tried again."},
	{"", 450, "4.2.0", "The server wants the mail again later", "Nothing: it is tried again."},
	{"", 0, "relay", "The server does not pass mail on to this destination (relaying denied)", "Enter user name and password, or use the server of the destination's provider."},
	{"", 452, "4.2.2", "The destination's mailbox is full", "Tell its owner."},
	{"", 552, "5.2.2", "The destination's mailbox is full", "Tell its owner."},
	{"", 0, "quota", "A quota is reached", "Wait, or send fewer notifications; the server's words say which."},
	{"", 0, "5.4.5", "The account's daily limit is reached", "Wait a day, or send fewer notifications (hold-off)."},
	{"rcpt", 0, "5.1.1", "The destination's mailbox is not known", "Check the spelling of the destination."},
	{"rcpt", 550, "", "The destination was refused", "Check its spelling; the server's words say more."},
	{"rcpt", 553, "", "The destination is not an address the server takes", "Check its spelling."},
	{"", 0, "spam", "The server takes the mail for spam", "Use the provider's own address as reply address, and its server."},
	{"", 421, "", "The server is closing for now", "It is tried again, slowly."},
	{"", 451, "", "The server has a passing trouble", "Nothing: it is tried again."},
	{"", 452, "", "The server is short of room", "Nothing: it is tried again."},
	{"data", 5, "", "The server refused the mail after reading it", "Its words say why; retry after changing what they name."},
	{"", 4, "", "The server refuses for now", "Nothing: it is tried again."},
	{"", 5, "", "The server refuses", "Its words say why; retry after changing what they name."},
}

func explainReply(f *fault) (verdict, do string) {
	text := strings.ToLower(f.text)
	for _, w := range replyWords {
		if (w.step == "" || w.step == f.step) && (w.code == 0 || w.code == f.code || w.code == f.code/100) && strings.Contains(text, w.part) {
			return w.verdict, w.do
		}
	}
	return fmt.Sprintf("The server answered something unexpected: %d", f.code), "It is tried again; check server and port if it lasts."
}
