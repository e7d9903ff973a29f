package transfer

import "crypto/tls"

// controlTickets holds the TLS session of one control connection. Data connections
// resume it, as many servers demand, so that nobody else can take them; they
// never replace it: some servers only take the control connection's own
// (vsftpd's require_ssl_reuse; proftpd's issue 968). A new control connection begins
// a new session.
type controlTickets struct{ tls.ClientSessionCache }

func newControlTickets() controlTickets { return controlTickets{tls.NewLRUClientSessionCache(1)} }

// forData is what a data connection uses.
func (t controlTickets) forData() tls.ClientSessionCache { return dataTickets{t} }

type dataTickets struct{ controlTickets }

// Put keeps the control connection's ticket, which may be used again and again.
func (dataTickets) Put(string, *tls.ClientSessionState) {}
