package mailtest

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// layOut makes the server's folders, certificate, tables and main.cf.
func (p *Postfix) layOut(o Options) error {
	for _, d := range []string{"", "etc", "queue", "data", "log", "mail", "etc/sasl"} {
		if err := os.MkdirAll(filepath.Join(p.dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(p.dir, 0o755); err != nil {
		return err
	}
	if err := own(filepath.Join(p.dir, "data"), "postfix"); err != nil {
		return err
	}
	if err := own(filepath.Join(p.dir, "mail"), "nobody"); err != nil {
		return err
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}

	if err := p.queueDirs(); err != nil {
		return err
	}
	if err := writeCertificate(p.dir); err != nil {
		return err
	}
	mechanisms := o.Mechanisms
	if mechanisms == "" {
		mechanisms = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256"
	}
	main := []string{
		"compatibility_level = 3.6",
		"queue_directory = " + p.dir + "/queue",
		"data_directory = " + p.dir + "/data",
		"maillog_file = " + p.log(), // no syslog, and /var/log may not be there
		"maillog_file_prefixes = " + p.dir,
		"inet_interfaces = 127.0.0.1",
		"inet_protocols = ipv4",
		"myhostname = " + Host,
		"mydestination =",
		"mynetworks =", // nobody is trusted for being local
		"alias_maps =",
		"alias_database =",
		"smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination",
		"smtpd_recipient_restrictions = check_recipient_access hash:" + p.dir + "/etc/reject",
		"virtual_mailbox_domains = " + Domain + " " + IDNDomain,
		"virtual_mailbox_base = " + p.dir + "/mail",
		"virtual_mailbox_maps = static:Maildir/", // every address exists, one Maildir has all
		"virtual_uid_maps = static:" + nobody.Uid,
		"virtual_gid_maps = static:" + nobody.Gid,
		"virtual_mailbox_limit = 0",
		"message_size_limit = 52428800",
		"default_transport = discard", // nothing ever leaves this machine
		"smtpd_tls_cert_file = " + p.dir + "/cert.pem",
		"smtpd_tls_key_file = " + p.dir + "/key.pem",
		"smtpd_tls_security_level = may",
		"smtpd_sasl_type = cyrus",
		"smtpd_sasl_path = smtpd",
		"cyrus_sasl_config_path = " + p.dir + "/etc/sasl", // where Debian looks by itself
		"smtpd_sasl_local_domain = " + Domain,
		"smtpd_tls_auth_only = yes",
		"smtpd_client_connection_count_limit = 0", // tests come from one address
		"smtpd_error_sleep_time = 0",
		"smtpd_delay_reject = yes",
		"smtputf8_enable = yes",
	}
	files := map[string]string{
		"etc/main.cf":         strings.Join(append(main, o.Main...), "\n") + "\n",
		"etc/sasl/smtpd.conf": fmt.Sprintf("pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s/etc/sasl/sasldb2\nmech_list: %s\n", p.dir, mechanisms),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// queueDirs makes what `postfix check` would (see postfix-files), which takes
// seconds of shell; start then asks Postfix to do without the check.
func (p *Postfix) queueDirs() error {
	for _, d := range []string{"pid", "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
		"private", "saved", "trace", "maildrop", "public"} {
		path := filepath.Join(p.dir, "queue", d)
		mode, group := os.FileMode(0o700), ""
		switch d {
		case "pid":
			mode = 0o755
		case "maildrop":
			mode, group = 0o730, "postdrop"
		case "public":
			mode, group = 0o710, "postdrop"
		}
		if err := os.Mkdir(path, mode); err != nil {
			return err
		}
		if d == "pid" {
			continue
		}
		if err := own(path, "postfix"); err != nil {
			return err
		}
		if group != "" {
			g, err := user.LookupGroup(group)
			if err != nil {
				return err
			}
			gid, err := strconv.Atoi(g.Gid)
			if err != nil {
				return err
			}
			if err := os.Chown(path, -1, gid); err != nil {
				return err
			}
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			return err
		}
	}
	return nil
}

// choosePorts picks three free ports and writes master.cf with them.
func (p *Postfix) choosePorts() error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	p.Plain, p.Submission, p.TLS = ports[0], ports[1], ports[2]
	text := fmt.Sprintf(`%s inet n - n - - smtpd -o smtpd_sasl_auth_enable=no
%s inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_tls_security_level=encrypt -o smtpd_client_restrictions=permit_sasl_authenticated,reject
%s inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_tls_wrappermode=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject
`, Addr(p.Plain), Addr(p.Submission), Addr(p.TLS)) + services
	return os.WriteFile(filepath.Join(p.config(), "master.cf"), []byte(text), 0o644)
}

// services is what of Debian's master.cf a server needs that only receives; nothing in a chroot.
const services = `pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`
