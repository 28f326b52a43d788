"""The clients, wrk and h2load; each run gives a Reading."""

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass

from . import tools

# How long after its time a client may take to end, in seconds.
PATIENCE = 15
# New connections in every 50 ms where each request has one of its own.
FRESH_PER_TICK = 50
WRK = tools.LOADTEST / "wrk"


@dataclass
class Reading:
    """What a client saw in one run."""

    requests: int
    seconds: float
    p50: float = None  # milliseconds
    p99: float = None
    errors: int = 0  # of sockets, and time-outs
    wrong: int = 0  # answers with another status or length
    why: str = ""
    bytes: int = 0


class ClientFailed(Exception):
    """The client did not run, or not to its end."""


class ClientHung(ClientFailed):
    """The client did not end in time, as h2load does now and then."""


def run(command, core, seconds, environment=None):
    """Runs a client on its cores and returns what it printed."""
    cores = core if isinstance(core, set) else {core}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + PATIENCE,
                              env={**os.environ, **(environment or {})},
                              preexec_fn=lambda: os.sched_setaffinity(0, cores))
    except subprocess.TimeoutExpired as error:
        raise ClientHung(f"{command[0]} did not end") from error
    except OSError as error:
        raise ClientFailed(str(error)) from error
    return done.stdout + done.stderr


def wrk(url, connections, seconds, core, *, size=None, threads=1, headers=(), objects=0, after=None):
    """Requests over kept connections. With `size` every answer is looked at, which makes the client slower. With
    `objects` there are so many, asked for in turn `after` the first so many, or at random without that."""
    script = WRK / ("verify.lua" if size is not None else "report.lua")
    environment = {}
    if objects:
        environment = {"OBJECTS": str(objects), "THEN": str(script)}
        environment |= {} if after is None else {"AFTER": str(after % objects)}
        script = WRK / "objects.lua"
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script)]
    command += [part for header in headers for part in ("-H", header)]
    command += [url] + (["--", str(size)] if size else [])
    return _wrk_reading(run(command, core, seconds, environment))


def start_wrk(url, connections, seconds, core):
    """The same in the background, looking at every answer; `finish_wrk` waits for it."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(WRK / "verify.lua"), url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            preexec_fn=lambda: os.sched_setaffinity(0, {core}))


def finish_wrk(process):
    return _wrk_reading(process.communicate()[0])


def _wrk_reading(text):
    line = re.search(r"^RESULT (.*)$", text, re.MULTILINE)
    if not line:
        raise ClientFailed(text.strip()[-200:])
    seen = json.loads(line.group(1))
    errors = sum(seen[kind] for kind in ("connect", "read", "write", "timeout"))
    wrong = seen.get("wrong", seen["status"])
    return Reading(seen["requests"], seen["micros"] / 1e6, seen["p50"], seen["p99"], errors, wrong,
                   seen.get("first_wrong", ""), seen["bytes"])


def h2load(url, connections, streams, seconds, core, *, size, log=None):
    """HTTP/2, by prior knowledge without TLS. Percentiles need a `log` of all requests: only for short runs."""
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", "-D", str(seconds)]
    command += [f"--log-file={log}"] if log else []
    reading = _h2load_reading(run([*command, url], core, seconds), seconds, size)
    if log and log.exists():
        reading.p50, reading.p99 = _percentiles(log)
        log.unlink()
    return reading


def h2load_once(url, core):
    """A single request by HTTP/2."""
    run(["h2load", "-n1", "-c1", "-m1", url], core, 5)


def _h2load_reading(text, seconds, size):
    counts = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed", text)
    status = re.search(r"status codes: (\d+) 2xx", text)
    data = re.search(r"headers \(space savings [^)]*\), \S+ \((\d+)\) data", text)
    if not counts or not status or not data:
        raise ClientFailed(text.strip()[-200:])
    done, failed, good = int(counts.group(2)), int(counts.group(4)), int(status.group(1))
    if not done:
        raise ClientFailed("no request was answered")
    # Streams that were open at the end have got a part of their body; they are not counted as done.
    spare = int(data.group(1)) - done * size
    wrong = done - good if spare >= 0 else max(1, -spare // size)
    return Reading(done, seconds, errors=failed, wrong=max(0, wrong), why=f"{good} of {done} were 2xx")


def _percentiles(log):
    times = sorted(int(line.rsplit("\t", 1)[1]) for line in log.read_text().splitlines())
    if not times:
        return None, None
    return times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000


def handshakes(url, seconds, core, *, size):
    """Connections with a full TLS 1.3 handshake and one request of HTTP/1.1 each, at a rate that a core can offer.

    wrk would resume its sessions, h2load never does."""
    count = FRESH_PER_TICK * 20 * seconds
    command = ["h2load", "-t1", "--h1", f"-n{count}", f"-c{count}", f"-r{FRESH_PER_TICK}", "--rate-period=50ms", url]
    started = time.monotonic()
    text = run(command, core, seconds * 4)
    reading = _h2load_reading(text, time.monotonic() - started, size)
    reading.wrong += count - reading.requests
    return reading
