"""Where a run takes place: a folder in memory, certificates, the origin, and candidates that are up."""

import http.client
import shutil
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import candidates, machine, process, tools


@dataclass
class Server:
    """A candidate that is up."""

    name: str
    process: process.Process
    job: candidates.Job
    speaks: tuple

    def url(self, kind, path):
        """The URL of `path` in clear text ("plain"), over TLS ("tls") or by HTTP/2 without TLS ("h2c")."""
        port = {"plain": self.job.plain, "tls": self.job.tls, "h2c": self.job.h2c}[kind]
        return f"{'https' if kind == 'tls' else 'http'}://127.0.0.1:{port}{path}"


class Lab:
    """Starts everything, and stops all of it at the end."""

    def __init__(self, sluice, origin_command):
        self.sluice = str(sluice)
        self.proxy_core, self.client_core = machine.cores()
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-loadtest-", dir=memory))
        self.folder.chmod(0o755)
        self._disk = None
        self._running = []
        self._jobs = 0
        self.certificate, self.private_key = self._certify()
        self._origin_command = origin_command
        self.origin_port = None
        self.seconds_behind = 0.0  # of the pace at which a quick run is over in time

    def __enter__(self):
        try:
            self._start_origin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for running in reversed(self._running):
            running.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._disk:
            shutil.rmtree(self._disk, ignore_errors=True)

    def _certify(self):
        certificate, private_key = self.folder / "certificate.pem", self.folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", str(private_key), "-out", str(certificate), "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True, capture_output=True)
        return certificate, private_key

    def _start_origin(self):
        self.origin_port = machine.free_port()
        command = [*(self._origin_command or [self.sluice, "demo", "--address"]), f"127.0.0.1:{self.origin_port}"]
        try:
            origin = process.Process("origin", command, {self.client_core}, self.folder / "origin.log")
        except OSError as error:
            raise RuntimeError(f"the origin does not start ({error}); cargo build --release, or --origin") from error
        self._running.append(origin)
        origin.await_port(self.origin_port)

    def origin_count(self):
        """How many requests have reached the origin."""
        client = http.client.HTTPConnection("127.0.0.1", self.origin_port, timeout=10)
        try:
            client.request("GET", "/_count")
            return int(client.getresponse().read())
        finally:
            client.close()

    def _on_disk(self, name):
        """A folder of the next candidate that is not in memory."""
        if not self._disk:
            place = "/var/tmp" if Path("/var/tmp").is_dir() else None
            self._disk = Path(tempfile.mkdtemp(prefix="sluice-loadtest-", dir=place))
            self._disk.chmod(0o755)
        folder = self._disk / f"{self._jobs}-{name}"
        folder.mkdir()
        folder.chmod(0o777)
        return folder

    def job(self, name, *, size=350, workers=1, disk=False, **options):
        """What the next candidate is started for, with ports and a folder of its own; with `disk`, one on disk too."""
        self._jobs += 1
        folder = self.folder / f"{self._jobs}-{name}"
        folder.mkdir()
        folder.chmod(0o755)
        ports = [machine.free_port() for _ in range(4)]
        options = {"binary": self.sluice, "admin": ports[3], "path": f"/s{size}", **options}
        return candidates.Job(folder, f"127.0.0.1:{self.origin_port}", *ports[:3], self.certificate,
                              self.private_key, size, workers, options, self._on_disk(name) if disk else None)

    def start(self, name, job, cores=None):
        """Starts a candidate and waits until it listens.

        Raises candidates.Missing if it is not here, RuntimeError if it does not come up."""
        builder = name.split("@")[0]
        launch = candidates.BUILDERS[builder](job)
        if builder == "sluice":
            job.h2c = job.plain
        running = process.Process(name, launch.command, cores or {self.proxy_core}, job.folder / "log",
                                  launch.environment)
        self._running.append(running)
        running.await_port(job.plain)
        return Server(name, running, job, launch.speaks)

    def stop(self, server):
        server.process.stop()
        self._running.remove(server.process)
        for folder in filter(None, (server.job.folder, server.job.disk)):
            shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, running):
        """Sees to it that a process which a case has started itself is stopped in the end."""
        self._running.append(running)


@dataclass
class Sample:
    """One answer of HTTP/1.1: status, bytes of its head, and the body."""

    status: int
    head: int
    body: bytes


def fetch(server, kind, path):
    """Asks for one answer over a connection of its own."""
    if kind == "tls":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client = http.client.HTTPSConnection("127.0.0.1", server.job.tls, timeout=10, context=context)
    else:
        client = http.client.HTTPConnection("127.0.0.1", server.job.plain, timeout=10)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{n}: {v}" for n, v in answer.getheaders()), ""]
        return Sample(answer.status, sum(len(line) + 2 for line in lines), answer.read())
    finally:
        client.close()


def installed():
    """The programs with their versions, for a report."""
    found = {
        "HAProxy": tools.haproxy() and tools.version(tools.haproxy(), "-v"),
        "nginx": tools.find("nginx") and tools.version(tools.find("nginx"), "-v"),
        "Varnish": tools.find("varnishd") and tools.version(tools.find("varnishd"), "-V"),
        "wrk": tools.find("wrk") and tools.version(tools.find("wrk"), "-v"),
        "h2load": tools.find("h2load") and tools.version(tools.find("h2load"), "--version"),
    }
    return {name: (text or "missing").split(" Copyright")[0] for name, text in found.items()}
