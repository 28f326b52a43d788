"""Candidates taking turns: warm-up and verification, then rounds, each with the processor time that it took."""

from dataclasses import dataclass, field

from . import candidates, clients, lab as lab_module, machine
from .outcome import Figure
from .tools import say

# Part of a round that something else may have had of the core before the round is discarded.
FOREIGN = 0.05
# Every connection may leave one answer unfinished, with a head of at most so many bytes.
HEAD_MOST = 1_024
# Heads differ by a few bytes (Age, ids).
HEAD_VARIES = 32
# Runs of a second in which a cache may be filled.
FILLS = 60


@dataclass
class Timing:
    """How long a case is measured."""

    rounds: int = 3
    seconds: int = 8
    warm_up: int = 2
    retries: int = 3  # rounds taken again, for each candidate, because they had to be discarded


@dataclass
class Load:
    """What the clients do in a case."""

    kind: str = "plain"  # plain, tls or h2c
    path: str = "/s350"
    size: int = 350
    connections: int = 64
    streams: int = 0  # of HTTP/2; 0 is HTTP/1.1
    fresh: bool = False  # handshakes instead of requests
    hits: bool = True  # the origin must see nothing; otherwise it must see everything
    workers: int = 1
    shared: bool = False  # proxy and client share all cores
    objects: int = 0  # of the path, asked for at random; 0 is one
    options: dict = field(default_factory=dict)  # of the candidates


def compare(lab, load, names, timing):
    """A figure for each candidate; those that are missing or void say why."""
    figures = {name: Figure() for name in names}
    servers = [server for name in names if (server := _up(lab, load, name, figures[name]))]
    try:
        ready = [server for server in servers if _verify(lab, load, server, figures[server.name], timing)]
        for _ in range(timing.rounds + timing.retries):
            for server in ready:
                figure = figures[server.name]
                if not figure.void and len(figure.rates) < timing.rounds:
                    _visit(lab, load, server, figure, timing.seconds)
    finally:
        for server in servers:
            lab.stop(server)
    for figure in figures.values():
        _settle(figure)
        if not figure.rates and not figure.missing and not figure.void:
            figure.void = "no round was finished"
    return figures


def _up(lab, load, name, figure):
    """Starts a candidate: `sluice@2` is Sluice with two workers."""
    _, _, workers = name.partition("@")
    job = lab.job(name, size=load.size, workers=int(workers or load.workers), **load.options)
    try:
        server = lab.start(name, job, _proxy_cores(lab, load))
    except (candidates.Missing, RuntimeError, OSError) as reason:
        figure.missing = str(reason)
        say(f"    {name}: {reason}")
        return None
    if load.kind in server.speaks:
        return server
    figure.missing = f"does not speak {load.kind}"
    lab.stop(server)
    return None


def _proxy_cores(lab, load):
    return {lab.proxy_core, lab.client_core} if load.shared else {lab.proxy_core}


def _client_cores(lab, load):
    return {lab.proxy_core, lab.client_core} if load.shared else lab.client_core


def _verify(lab, load, server, figure, timing):
    """Warms the candidate up while every single answer is looked at."""
    try:
        sample = _sample(lab, load, server)
        if (sample.status, len(sample.body)) != (200, load.size):
            figure.void = f"status {sample.status} with {len(sample.body)} bytes"
            return False
        figure.bytes_per_answer = sample.head + len(sample.body)
        if load.objects and not _filled(lab, load, server):
            figure.void = f"not all of {load.objects} objects came into the cache"
            return False
        before = lab.origin_count()
        reading = _drive(lab, load, server, timing.warm_up, looking=True)
    except (OSError, clients.ClientFailed, ValueError) as error:
        figure.void = f"not verified: {error}"
        return False
    _judge(load, server, figure, reading, lab.origin_count() - before)
    if not load.fresh:
        figure.p50.append(reading.p50)
        figure.p99.append(reading.p99)
    return not figure.void


def _filled(lab, load, server):
    """Asks for all objects in turn, again and again, until the origin sees none of them any more."""
    url, asked, unseen, origin = server.url(load.kind, load.path), 0, 0, lab.origin_count()
    for _ in range(FILLS):
        reading = clients.wrk(url, load.connections, 1, lab.client_core, objects=load.objects, after=asked)
        before, origin = origin, lab.origin_count()
        asked += reading.requests
        unseen = unseen + reading.requests if origin == before else 0
        if unseen >= load.objects:
            return True
    return False


def _sample(lab, load, server):
    """One answer, after others have made sure that it is in the cache where it can be."""
    if load.streams:
        # Some caches keep what came by HTTP/2 apart.
        clients.h2load_once(server.url(load.kind, load.path), lab.client_core)
    kind = "tls" if load.kind == "tls" else "plain"
    return [lab_module.fetch(server, kind, load.path) for _ in range(3)][-1]


def _drive(lab, load, server, seconds, looking=False):
    """One run of the client that the load asks for."""
    url, core = server.url(load.kind, load.path), _client_cores(lab, load)
    if load.fresh and not looking:
        return clients.handshakes(url, seconds, core, size=load.size)
    if load.streams:
        log = lab.folder / "h2load.log" if looking else None
        return clients.h2load(url, load.connections, load.streams, seconds, core, size=load.size, log=log)
    threads = 2 if load.shared else 1
    size = load.size if looking else None
    return clients.wrk(url, load.connections, seconds, core, size=size, threads=threads, objects=load.objects)


def _visit(lab, load, server, figure, seconds):
    """A round of one candidate; kept unless something else used its core."""
    core = lab.proxy_core
    try:
        origin = lab.origin_count()
        (busy, stolen), own = machine.core_busy_seconds(core), server.process.cpu_seconds()
        reading = _drive(lab, load, server, seconds)
        own = server.process.cpu_seconds() - own
        (busy_now, stolen_now), seen = machine.core_busy_seconds(core), lab.origin_count() - origin
    except clients.ClientHung as error:
        say(f"    {server.name:15} {error}: this round is lost")
        return
    except (OSError, clients.ClientFailed) as error:
        figure.void = f"the client failed: {error}"
        return
    foreign = max(0.0, busy_now - busy - own) + stolen_now - stolen
    _judge(load, server, figure, reading, seen)
    noise = 0 if load.shared else foreign / reading.seconds
    say(f"    {server.name:15} {reading.requests / max(own, 0.01) / 1000:9.1f} k/CPU-s   "
        f"{reading.requests / reading.seconds / 1000:8.1f} k/s   core {own / reading.seconds:4.0%}   "
        f"others {noise:4.0%}")
    if noise > FOREIGN:
        figure.discarded += 1
        figure.spoiled.append((reading, own))
        return
    _keep(figure, reading, own)


def _keep(figure, reading, own):
    figure.rates.append(reading.requests / max(own, 0.01))
    figure.per_second.append(reading.requests / reading.seconds)
    if reading.p99 is not None:
        figure.p50.append(reading.p50)
        figure.p99.append(reading.p99)


def _settle(figure):
    """Falls back to the discarded rounds, and says so, where no other was left."""
    if not figure.rates and figure.spoiled and not figure.void:
        figure.noisy = True
        for reading, own in figure.spoiled:
            _keep(figure, reading, own)
    if len(figure.p99) > 1:
        # The first one is of the run in which the client looked at every answer.
        figure.p50, figure.p99 = figure.p50[1:], figure.p99[1:]


def _judge(load, server, figure, reading, seen_by_origin):
    """Makes the figure void unless the answers were right and came from where they must."""
    figure.errors += reading.errors
    if reading.wrong:
        figure.void = f"{reading.wrong} wrong answers ({reading.why or 'by status'})"
    elif reading.requests == 0:
        figure.void = "no answers"
    elif reading.bytes and not _right_length(load, reading, figure.bytes_per_answer):
        figure.void = f"{reading.bytes} bytes for {reading.requests} answers of {load.size}"
    elif server.name != "limit" and load.hits and seen_by_origin:
        figure.void = f"the origin saw {seen_by_origin} requests"
    elif server.name != "limit" and not load.hits and seen_by_origin < reading.requests:
        figure.void = f"the origin saw {seen_by_origin} of {reading.requests} requests only"


def _right_length(load, reading, expected):
    """Whether the bytes are as many as they must be, but for what was under way in the end."""
    unfinished = load.connections * (load.size + HEAD_MOST) / reading.requests
    average = reading.bytes / reading.requests
    return -HEAD_VARIES <= average - expected <= HEAD_VARIES + unfinished
