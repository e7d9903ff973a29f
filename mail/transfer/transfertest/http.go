package transfertest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"watchpost/engine/need"
)

// Nginx is Debian's, unpacked, with its WebDAV module: /open takes all, /basic and
// /bearer ask for the account, /small takes little, /folders makes folders by
// itself, /gone is elsewhere.
type Nginx struct {
	*Server
	TLS int
}

const nginxConf = `daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/log.own info;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[1]s/tmp;
	proxy_temp_path %[1]s/tmp;
	fastcgi_temp_path %[1]s/tmp;
	uwsgi_temp_path %[1]s/tmp;
	scgi_temp_path %[1]s/tmp;
	client_max_body_size 64m;
	server {
		listen 127.0.0.1:%[2]d;
		listen 127.0.0.1:%[3]d ssl;
		ssl_certificate %[1]s/cert.pem;
		ssl_certificate_key %[1]s/key.pem;
		root %[1]s/www;
		dav_methods PUT MKCOL DELETE;
		location /basic/ { auth_basic camera; auth_basic_user_file %[1]s/htpasswd; }
		location /bearer/ { if ($http_authorization != "Bearer %[4]s") { return 401; } }
		location /key/ { if ($http_x_api_key != "key-of-the-nas") { return 403; } }
		location /small/ { client_max_body_size 1k; }
		location /folders/ { create_full_put_path on; }
		location /readonly/ { limit_except GET { deny all; } }
		location /plain/ { dav_methods off; }
		location /gone/ { return 302 http://elsewhere.example.test/$http_authorization; }
		location /busy/ { add_header Retry-After 120 always; return 503; }
	}
}
`

// StartNginx starts it.
func StartNginx(t testing.TB) Nginx {
	s := New(t, "nginx")
	for _, d := range []string{"tmp", "www/open", "www/basic", "www/bearer", "www/key", "www/small", "www/folders", "www/readonly", "www/plain"} {
		must(t, os.MkdirAll(s.Path(d), 0o777))
	}
	hash, err := exec.Command(need.Program(t, "openssl", "openssl"), "passwd", "-apr1", Password).Output()
	must(t, err)
	s.Write("htpasswd", User+":"+string(hash), 0o644)
	s.Start(func() []string {
		s.Write("nginx.conf", fmt.Sprintf(nginxConf, s.Dir, s.Port, s.Implicit, Password), 0o644)
		return []string{s.Packages + "/usr/sbin/nginx", "-e", "stderr", "-c", s.Path("nginx.conf")}
	})
	return Nginx{s, s.Implicit}
}
