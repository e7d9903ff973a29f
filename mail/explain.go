package mail

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"watchpost/engine/cause"
)

// explain turns a fault into plain words: what happened, and what to do. It is
// the one place where such words are chosen.
func explain(f *fault) (verdict, do string) {
	if f.code != 0 {
		return explainReply(f)
	}
	if v, d := explainLocal(f); v != "" {
		return v, d
	}
	if v, d := explainTLS(f); v != "" {
		return v, d
	}
	return explainLine(f)
}

// explainLocal is for what this program itself refuses.
func explainLocal(f *fault) (verdict, do string) {
	switch err := f.err; {
	case errors.Is(err, errSpeaksTLS):
		return "The server speaks TLS from the first byte on this port; in clear it says nothing", "Choose security tls for this port."
	case errors.Is(err, errUnasked):
		return "The server answers what it was not asked, so the connection was closed", "Check server and port; somebody may be in between (a portal, a filter)."
	case errors.Is(err, errInjected):
		return "What answered STARTTLS is not TLS, so nothing more was said", "Somebody may be in between (a portal, a filter): try another network, or port 465 with TLS."
	case errors.Is(err, errBadAddress):
		return "An address holds characters that cannot be sent", "Correct the reply address and the destinations."
	case errors.Is(err, errNoStartTLS):
		return "The server does not offer STARTTLS on this port, so nothing was sent in clear",
			"Use port 465 with TLS or port 587; only for a relay in your own network without password choose security none."
	case errors.Is(err, errPlainAuth):
		return "The password would travel unencrypted, so it was not sent", "Choose security auto, starttls or tls; or authentication none for a relay without password."
	case errors.Is(err, errNoAuth):
		return "The server does not ask for a user name on this port", "Use the provider's submission port (587 or 465), or choose authentication none."
	case errors.Is(err, errNoMechanism):
		return "The server and the configuration have no way to authenticate in common", "Choose authentication auto, or one that the server offers."
	case errors.Is(err, errNoSMTPUTF8):
		return "The server does not take addresses with letters beyond ASCII before the @ (SMTPUTF8)", "Use an address in plain ASCII."
	case errors.Is(err, errDamagedSpool):
		return "The mail's file in the spool is damaged, so it was not sent", "Check the disk. It was set aside, and the mail is composed or rendered anew by itself."
	case errors.Is(err, errUnknownWord):
		return "A setting has a value that this version does not know", "Check the security and authentication of the mail settings."
	case errors.Is(err, errReplyTooLong):
		return "The server's reply has no end, so the connection was closed", "Check that server and port are those of a mail server."
	case errors.Is(err, ErrNotConfigured):
		return "Mail is not configured", "Enter the server, the reply address and a destination."
	case f.kind == local:
		return "The mail's file in the spool cannot be read", "Check the disk and the permissions of the spool."
	}
	return "", ""
}

// at is where a fault of the line came up.
func (f *fault) at() cause.At {
	return cause.At{Step: f.step, Server: f.target, Port: "Check server and port: 587 or 465 for providers, 25 for a relay.",
		NoTLS: "Use port 465 for TLS, or choose security starttls for this port.", CAFile: "smtp.ca_file",
		Again: "The mail is tried again by itself; check the line if it lasts."}
}

// explainTLS is for certificates and protocols that will not do; empty where the fault is none of these.
func explainTLS(f *fault) (verdict, do string) {
	var record tls.RecordHeaderError
	switch {
	case errors.As(f.err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return portal, leavePortal
	case errors.As(f.err, &record):
		return "TLS was expected, but the server speaks plain SMTP first on this port", f.at().NoTLS
	case errors.Is(f.err, errClientCert):
		return cause.ClientCertificate.Verdict, cause.ClientCertificate.Do
	}
	c, _ := cause.OfTLS(f.err, f.at())
	return c.Verdict, c.Do
}

// explainLine is for a line that fails.
func explainLine(f *fault) (verdict, do string) {
	timeout := cause.Timeout(f.err)
	switch {
	case f.step == "tcp" && timeout && strings.HasSuffix(f.target, ":25"):
		return cause.Of(f.err, f.at()).Verdict, "Many providers block port 25: use 587 or 465."
	case f.step == "tls" && timeout:
		return "The server does not answer to TLS on this port (timed out)", "If the port is 587 or 25, choose security starttls; else check server and port."
	case f.step == "ehlo" && timeout:
		return "The server took the connection and says nothing", "If the port is 465, choose security tls; else check server and port."
	case f.step == "ehlo" && strings.Contains(f.text, "HTTP/"):
		return portal, leavePortal
	case f.step == "ehlo" && (strings.Contains(f.text, `"+OK`) || strings.Contains(f.text, `"* OK`)): // as textproto quotes it
		return "The server on this port is for fetching mail (POP3 or IMAP), not for sending", "Use the provider's outgoing server (SMTP) and its port: 587 or 465."
	case f.step == "ehlo" && strings.HasPrefix(f.text, "not an SMTP reply"):
		return "What answers on this port is not a mail server in plain SMTP", "If the port is 465, choose security tls; else check server and port."
	case cause.Closed(f.err):
		if f.step == "tls" {
			return "The server closed the connection instead of starting TLS", "If the port is 587 or 25, choose security starttls; else the server may block this address."
		}
		if errors.Is(f.err, errGreeted) {
			return "The server greeted, and closed the connection when this box introduced itself", "The server may block this address or this box's name: ask its administrator, or use the provider's port 587 or 465."
		}
		if f.step == "ehlo" {
			return "The server closed the connection without a greeting", "If the port is 465, choose security tls; else the server may block this address."
		}
	}
	c := cause.Of(f.err, f.at())
	if c.Detail {
		c.Verdict += ": " + f.text
	}
	return c.Verdict, c.Do
}

// replyWord is how servers say something.
type replyWord struct {
	steps       string // alternatives, as in event.Step; "": any
	code        int    // 0: any; 4 and 5: the class
	parts       string // alternatives, in lower case; "": any text
	account     bool   // it is about the account or the box and so about every mail, not this one
	verdict, do string
}

const (
	mailed           = "mail|rcpt|data"
	listed           = "The address from which this box sends, or its network's, is on a block list"
	useProvider      = "Use the provider's submission port (587 or 465) with a login; or have the address taken off the list that the server names."
	listNames        = "spamhaus|spamcop|barracudacentral|sorbs|uceprotect|dnsbl|blacklist|black list|blocklist|block list|blocked using|banned sending ip|5.7.708"
	mailboxFull      = "The destination's mailbox is full"
	notSender        = "The account may not send as this reply address"
	ownAddress       = "Use the account's own address as reply address."
	enterAccount     = "Enter the account's user name and password."
	checkDestination = "Check its spelling. " + keepsAddress
	// A mail never goes to whoever is entered in the place of the one it was for.
	keepsAddress = "New mails go to the corrected address; this one stays as it is: drop it, or retry once the mailbox is there."
	portal       = "A web server answers on this port: a captive portal (hotel, office) is in between, or the port is wrong"
	leavePortal  = "Accept the portal's terms in a browser on this network, or use another network; else check the port."
)

// replyWords knows what providers say; the first entry that matches wins. What
// the text says comes first, then what step and code alone allow to guess.
var replyWords = []replyWord{
	{"auth", 0, "5.7.139", false, "The tenant has switched off sign-in by password for mail (Microsoft)", "Ask its administrator to allow authenticated SMTP for this account, or use a relay."},
	{"auth", 0, "application-specific password", false, "Google wants an app password", "Make one in the Google account (Security, App passwords) and enter its 16 letters as the password."},
	{"auth", 0, "5.7.14", false, "Google wants a sign-in by its web page first", "Sign in there as this account; or make an app password and enter it."},
	{"auth", 535, "5.7.8", false, "User name or password is wrong, or the provider wants an app password", "Check both; Gmail, Yahoo and others need an app password, not the one for their web page."},
	{"", 0, "greylist|graylist", false, "The server wants the mail again later (greylisting)", "Nothing to do: mail is tried again by itself."},
	{"mail|rcpt", 0, listNames, true, listed, useProvider},
	{"", 0, listNames, false, listed, useProvider},
	{mailed, 0, "5.4.5|5.1.90|submissionquotaexceeded|daily user sending|sending limit|send limit", true, "The account's daily limit is reached", "It goes on by itself when the provider lifts the limit, mostly after a day; send fewer notifications (hold-off)."},
	{"", 0, "concurrent connections|sender thread limit", false, "The account has too many connections at a time", "Nothing to do: mail is tried again by itself; check what else sends with this account."},
	{mailed, 0, "starttls", false, "The server wants an encrypted connection", "Choose security auto or starttls."},
	{mailed, 5, "5.7.57|authentication required|authentication is required|not authenticated to send", true, "The server wants a user name and password", enterAccount},
	{mailed, 0, "5.7.60|sendasdenied", false, notSender + " (Microsoft)", ownAddress},
	{mailed, 0, "not owned by user", false, notSender, ownAddress},
	{mailed, 0, "sender address rejected", false, "The server refused the reply address as sender", "Use the address that the provider issued for this account."},
	{mailed, 0, "5.7.25|cannot find your hostname|cannot find your reverse|ptr record|reverse dns", false, "The server takes no mail from an address without a name (reverse DNS)", "Use the provider's submission port (587 or 465) with a login."},
	{mailed, 0, "helo command rejected|invalid helo|bad helo", true, "The server does not take the name by which this box introduces itself", "Use the provider's submission port (587 or 465) with a login, or give the box a full host name."},
	{mailed, 0, "client host rejected", true, "The server refuses the address from which this box sends", "Use the provider's submission port (587 or 465) with a login."},
	{mailed, 0, "5.7.26|5.7.515|dmarc", false, "The domain of the reply address does not vouch for this server (SPF, DKIM, DMARC)", "Use the server and login of the reply address's own provider."},
	{mailed, 0, "4.2.2|5.2.2|mailbox full|mailbox is full|over quota|overquota", false, mailboxFull, "Tell its owner."},
	{mailed, 0, "5.3.4|message size|too large|too big", false, "The mail is too large for the server", "Choose fewer or smaller images."},
	{mailed, 4, "4.5.3|too many recipients", false, "The server takes no more destinations at a time", "Nothing to do: the others get the mail on the next attempt."},
	{"rcpt|data", 550, "5.4.1", false, "The destination's mailbox is not known (Microsoft)", checkDestination},
	{"rcpt|data", 0, "5.1.2|domain not found|host unknown", false, "The destination's domain does not exist", "Check the spelling after the @. " + keepsAddress},
	{"rcpt|data", 0, "5.1.1|user unknown|unknown user|no such user|not listed", false, "The destination's mailbox is not known", checkDestination},
	{mailed, 0, "spam|unsolicited", false, "The server takes the mail for spam", "Use the provider's own address as reply address, and its server."},
	{mailed, 0, "relaying|relay access|relay denied|to relay|not relay|relay not|relay prohibited|relay rejected|open relay", false, "The server does not pass mail on to this destination (relaying denied)", "Enter user name and password, or use the server of the destination's provider."},
	{"data", 0, "content policy|content filter|blocked by content", false, "The server refuses the mail for what it holds", "The server's words say more; ask its administrator to let this box's mail through."},
	{"ehlo|" + mailed, 0, "blocked|listed", false, listed, useProvider},
	{mailed, 0, "quota", false, "A quota is reached", "Wait, or send fewer notifications; the server's words say which."},

	{"auth", 0, "account disabled|account is disabled|account suspended|account has been suspended|account locked|account is locked", false, "The provider has locked the account", "Sign in at its web page; it says why."},
	{"auth", 432, "", false, "The provider wants the password set anew", "Change it at the provider's web page, and enter the new one."},
	{"auth", 504, "", false, "The server does not know this way to authenticate", "Choose authentication auto."},
	{"auth", 538, "", false, "The server wants an encrypted connection", "Choose security auto or starttls."},
	{"auth", 534, "", false, "The provider wants another way to sign in", "Use an app password made at the provider; its own words say where."},
	{"auth", 535, "", false, "The server refused user name or password", "Check both; some providers need an app password, or want mail programs allowed on their web page first."},
	{"auth", 421, "", false, "The server wants no sign-in just now", "The mail is tried again by itself, slowly."},
	{"auth", 4, "", false, "The server cannot check passwords just now", "The mail is tried again by itself, slowly."},
	{"auth", 5, "", false, "The server refused to authenticate", "Check user name, password and authentication."},
	{"tls", 0, "", false, "The server refuses to start TLS", "Try again later, or port 465 with TLS."},
	{"ehlo", 5, "", false, "The server refuses this box", "The server's words say why: often the address is on a block list, or only known hosts may send."},
	{"", 530, "", false, "The server wants a user name and password", enterAccount},
	{"", 534, "", false, "The server wants another way to sign in", "Use an app password made at the provider; its own words say where."},
	{"", 535, "", false, "The server wants a user name and password", enterAccount},
	{"", 538, "", false, "The server wants an encrypted connection", "Choose security auto or starttls."},
	{"mail", 552, "", false, "The mail is too large for the server", "Choose fewer or smaller images."},
	{"mail", 5, "", false, "The server refused the reply address as sender", "Use the address that the provider issued for this account."},
	{"rcpt", 552, "", false, mailboxFull, "Tell its owner."},
	{"rcpt", 550, "", false, "The destination was refused", "Check its spelling; the server's words say more. " + keepsAddress},
	{"rcpt", 553, "", false, "The destination is not an address the server takes", "Check its spelling. " + keepsAddress},
	{"", 450, "4.2.0", false, "The server wants the mail again later", "Nothing to do: mail is tried again by itself."},
	{"", 421, "", false, "The server is closing for now", "The mail is tried again by itself, slowly."},
	{"", 451, "", false, "The server has a passing trouble", "Nothing to do: mail is tried again by itself."},
	{"", 452, "", false, "The server is short of room", "Nothing to do: mail is tried again by itself."},
	{"data", 5, "", false, "The server refused the mail after reading it", "The server's words say why. When their cause is gone, retry; else drop the mail."},
	{"", 4, "", false, "The server refuses for now", "Nothing to do: mail is tried again by itself."},
	{"", 5, "", false, "The server refuses", "The server's words say why. When their cause is gone, retry; else drop the mail."},
}

func explainReply(f *fault) (verdict, do string) {
	if w := wordsFor(f); w != nil {
		return w.verdict, w.do
	}
	return fmt.Sprintf("The server answered something unexpected: %d", f.code), "The mail is tried again by itself; check server and port if it lasts."
}

// wordsFor returns the entry for a reply, nil if there is none.
func wordsFor(f *fault) *replyWord {
	var said []string
	for word := range strings.FieldsSeq(f.text) {
		if !strings.Contains(word, "@") { // an address is no word of the server's
			said = append(said, word)
		}
	}
	text := strings.Join(said, " ")
	for i := range replyWords {
		w := &replyWords[i]
		step := w.steps == "" || slices.Contains(strings.Split(w.steps, "|"), f.step)
		code := w.code == 0 || w.code == f.code || w.code == f.code/100
		if step && code && says(text, w.parts) {
			return w
		}
	}
	return nil
}

// says reports that text has one of the alternatives: an enhanced code (RFC 3463)
// as a word, so that it is not found in an address; other words anywhere.
func says(text, alternatives string) bool {
	text = strings.ToLower(text)
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.')
	})
	for part := range strings.SplitSeq(alternatives, "|") {
		isCode := part != "" && part[0] >= '0' && part[0] <= '9'
		if isCode && slices.Contains(words, part) || !isCode && strings.Contains(text, part) {
			return true
		}
	}
	return false
}
