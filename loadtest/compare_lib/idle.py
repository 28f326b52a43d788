"""Memory of idle connections: what thousands of them add to a process that was warm before."""

import os
import socket
import ssl
import time

from . import candidates, machine
from .outcome import Figure, Target
from .tools import say

CONNECTIONS = 5_000
WARM_UP = 500
NAMES = ("sluice", "haproxy", "nginx")
MOST = {"plain": 2_048, "tls": 16_384}


def measure(lab, quick, outcome):
    """Bytes per connection, in clear text and over TLS."""
    count = 1_000 if quick else CONNECTIONS
    outcome.figures = {name: _figure(lab, name, count) for name in NAMES}
    outcome.note = f"{count:,} connections; proportional set size of all processes of the candidate"
    for kind, most in MOST.items():
        target = Target(f"{kind}: under {most:,} B")
        found = outcome.figures["sluice"].values.get(f"bytes_{kind}")
        outcome.targets.append(target if found is None else target.judge(f"{found:,} B", found < most))
    return outcome


def _figure(lab, name, count):
    figure = Figure()
    for kind in MOST:
        try:
            figure.values[f"bytes_{kind}"] = _bytes(lab, name, kind, count)
            say(f"    {name:15} {kind:5} {figure.values[f'bytes_{kind}']:,} B a connection")
        except (candidates.Missing, RuntimeError) as reason:
            figure.missing = str(reason)
        except (OSError, ValueError) as reason:
            figure.void = f"{kind}: {reason}"
    return figure


def _bytes(lab, name, kind, count):
    server = lab.start(name, lab.job(name, purge=True))
    try:
        for connection in _open(server, kind, WARM_UP):
            connection.close()
        before = _settled(server)
        kept = _open(server, kind, count)
        after = _settled(server)
        for connection in kept:
            connection.close()
    finally:
        lab.stop(server)
    return max(0, after - before) // count


def _open(server, kind, count):
    port = server.job.tls if kind == "tls" else server.job.plain
    return [_converse(port, kind) for _ in range(count)]


def _converse(port, kind):
    """A connection that has had one answer and stays open."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    if kind == "tls":
        connection = _CONTEXT.wrap_socket(connection)
    connection.sendall(b"GET /s350 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while not _complete(answer):
        piece = connection.recv(4_096)
        if not piece:
            raise ValueError("a connection was closed")
        answer += piece
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise ValueError(answer.split(b"\r\n")[0].decode("latin-1"))
    return connection


def _complete(answer):
    _, end, body = answer.partition(b"\r\n\r\n")
    return end and len(body) >= 350


def _context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


_CONTEXT = _context()


def _settled(server):
    """Resident memory once it has stopped changing, or after three seconds."""
    last = None
    for _ in range(12):
        time.sleep(0.25)
        now = machine.resident_bytes(server.process.pid)
        if now == last:
            break
        last = now
    if not os.path.exists(f"/proc/{server.process.pid}"):
        raise ValueError("it ended")
    return now
