package transfer

import (
	"fmt"
	"net/textproto"
	"slices"
	"strings"
)

// ftpReply is what a server's reply means.
type ftpReply struct {
	steps string // alternatives; "": any
	code  int    // 0: any; 4 and 5: the class
	words string // alternatives, in lower case; "": any
	kind  kind
	text  string
	do    string
}

const (
	serverSide = "See the server's own words and its log."
	seeRights  = "Give the user name the right to write in that folder, or choose another path."
)

// ftpReplies knows what FTP servers say; the first entry that fits wins.
var ftpReplies = []ftpReply{
	{"", 421, "", network, "The server closes the connection", "It is tried again by itself. If it lasts, the server may have too many connections, or not take this box's address."},
	{"hello", 4, "", network, "The server takes nobody just now", againByItself},
	{"hello", 5, "", account, "The server refuses this box", "Allow this box's address on the server."},
	{"tls", 534, "", account, "The server does not let this connection be encrypted", "Set TLS up on the server; or choose security none, if everybody on the way may read the password and the images."},
	{"tls", 0, "", account, "The server does not offer TLS", "Set TLS up on the server; or choose security none, if everybody on the way may read the password and the images."},
	{"", 0, "session reuse|reuse tls session|reuse ssl session|not resumed|session resum", account, "The server wants the control connection's TLS session for the data too, and did not take it", "Have the server use TLS 1.3, or TLS 1.2 with session tickets; or not require session reuse (vsftpd: require_ssl_reuse)."},
	{"", 522, "", account, "The server refuses the protection of the data connection", serverSide},
	{"protection", 0, "", account, "The server does not let the data be encrypted", "Allow encrypted data (PROT P) on the server; or choose security none, if everybody on the way may read the password and the images."},
	{"login", 0, "tls|ssl|encrypt|secure", account, "The server takes a password over an encrypted connection only", "Choose security auto (or tls, for port 990)."},
	{"login", 530, "", account, "The server refuses user name or password", "Check user name and password; then whether the server lets that user in by FTP."},
	{"login", 331, "", account, "The server wants more than a user name and a password", "Use another user on the server."},
	{"login", 332, "", account, "The server wants an account besides user name and password, which is not known here", "Use another user on the server."},
	{"login", 4, "", network, "The server lets nobody in just now", againByItself},
	{"login", 5, "", account, "The server refuses to log in", serverSide},
	{"", 530, "", account, "The server says that nobody is logged in", "Check user name and password, and what the server allows that user."},
	{"", 532, "", account, "The server wants an account to write files", "Use another user on the server."},
	{"", 0, "quota|disk full|no space|storage allocation|insufficient storage", account, "The server has no room for the file: a quota or its disk is full", "Free room on the server or raise the quota; it goes on by itself then."},
	{"", 552, "", account, "The server has no room for the file: the quota is used up", "Free room on the server or raise the quota; it goes on by itself then."},
	{"", 452, "", temporary, "The server has no room for the file: its disk is full", "Free room on the server; it goes on by itself then."},
	{"", 425, "", network, "The server could not open the data connection", "It is tried again by itself. If it lasts, have the firewall let the server's passive ports through."},
	{"", 426, "", network, "The data connection broke", againByItself},
	{"send", 451, "writ", temporary, "The server could not write the file; its disk may be full", "Look for room on the server; it is tried again by itself."},
	{"", 450, "", temporary, "The server cannot use the file just now", "It is tried again by itself."},
	{"", 451, "", temporary, "The server had a fault of its own", "It is tried again by itself; see the server's log if it lasts."},
	{"folder", 5, "", permanent, "The server does not let the folder be made", seeRights},
	{"rename", 5, "", permanent, "The server does not let the file be renamed", "Let the user name rename and replace files in that folder."},
	{"", 553, "", permanent, "The server does not take the file under that name", "Check path and file for what the server allows; and the rights in that folder."},
	{"", 550, "", permanent, "The server does not let the file be written", seeRights},
	{"", 4, "", temporary, "The server refuses for now", "It is tried again by itself."},
	{"", 5, "", permanent, "The server refuses", serverSide},
	{"", 0, "", network, "The server answered something unexpected", "Check server and port if it lasts."},
}

// ftpRefusal is the fault for a server's reply.
func ftpRefusal(step string, code int, words string) *fault {
	lower := strings.ToLower(words)
	for _, r := range ftpReplies {
		fits := (r.steps == "" || slices.Contains(strings.Split(r.steps, "|"), step)) && (r.code == 0 || r.code == code || r.code == code/100)
		if fits && slices.ContainsFunc(strings.Split(r.words, "|"), func(w string) bool { return strings.Contains(lower, w) }) {
			return &fault{kind: r.kind, step: step, code: code, text: fmt.Sprintf("%s: %d %s", r.text, code, strings.TrimRight(words, ". ")), do: r.do,
				err: &textproto.Error{Code: code, Msg: words}}
		}
	}
	panic("the last entry fits everything")
}
