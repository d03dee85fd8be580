package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cloakroom/cloakroom/bench/stand"
)

// missing means that a contender's program isn't installed.
type missing struct{ pkg string }

func (m missing) Error() string { return "not installed; Debian's package is " + m.pkg }

// program finds one that Debian keeps from ordinary users' paths.
func program(name, pkg string) (string, error) {
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", missing{pkg}
}

const nginxFrame = `daemon off;
worker_processes WORKERS;
worker_rlimit_nofile 8192;
pid DIR/nginx.pid;
error_log DIR/error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  client_body_buffer_size 2m;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  tcp_nodelay on;
  sendfile on;
SERVERS
}
`

// startNginx starts Debian's nginx with these servers, of which the one at
// address is waited for.
func startNginx(dir, core, address string, workers int, servers string) (*stand.Process, error) {
	path, err := program("nginx", "nginx-light")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	config := strings.NewReplacer("WORKERS", fmt.Sprint(workers), "SERVERS", servers).Replace(nginxFrame)
	config = strings.ReplaceAll(config, "DIR", dir)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	return stand.Start(stand.Command{Path: path, Args: []string{"-p", dir, "-c", file, "-e", "stderr"}, Core: core, Address: address})
}

// nginxUpstream is an upstream that costs little: what it answers lies ready. It
// reads the whole of an upload before it answers, as an API does, by passing on
// the request without it to itself.
func nginxUpstream(dir, core, address string) (*stand.Process, error) {
	files := filepath.Join(dir, "api")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return nil, err
	}
	for name, size := range sizes {
		if err := os.WriteFile(filepath.Join(files, name), make([]byte, size), 0o644); err != nil {
			return nil, err
		}
	}
	return startNginx(dir, core, address, 1, strings.ReplaceAll(`
  open_file_cache max=10;
  upstream self { server ADDRESS; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen ADDRESS reuseport;
    default_type application/json;
    location /api/ { return 200 '`+smallBody+`'; }
    location = /api/seen { return 200 "$http_authorization"; }
    location = /api/64k { root DIR; }
    location = /api/10m { root DIR; }
    location = /api/upload {
      proxy_pass http://self/api/x;
      proxy_pass_request_body off;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
    }
  }`, "ADDRESS", address))
}

// nginx is the contender: a proxy without any sign-in.
func nginx(r *rig, c *contender, s setup) (err error) {
	listen, certificate := c.address, ""
	if s.tls {
		listen += " ssl http2"
		certificate = "ssl_certificate " + r.certificate.CertFile + "; ssl_certificate_key " + r.certificate.KeyFile + ";"
	}
	c.process, err = startNginx(filepath.Join(r.dir, c.key+s.name), s.core, c.address, s.procs,
		strings.NewReplacer("LISTEN", listen, "CERTIFICATE", certificate, "UPSTREAM", r.upstream, "STREAMS", r.streams).Replace(`
  upstream api { server UPSTREAM; keepalive 1024; keepalive_requests 1000000000; }
  server {
    listen LISTEN;
    CERTIFICATE
    location / {
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
    location /ws/ {
      proxy_pass http://STREAMS;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection;
      proxy_buffering off;
    }
  }`))
	return err
}
