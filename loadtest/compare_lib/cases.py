"""The cases, and what Sluice must reach in each."""

from dataclasses import dataclass, field

from . import candidates, idle, rounds, switch, syscalls, throttle
from .outcome import Outcome, Target
from .rounds import Load, Timing

ALL = ("sluice", "limit", "haproxy", "nginx", "varnish")
LARGE = ("sluice", "limit", "haproxy", "nginx", "nginx-sendfile", "varnish")
CACHES = ("haproxy", "nginx", "nginx-sendfile", "varnish")
FILES = ("nginx", "nginx-sendfile")
SECURE = ("sluice", "haproxy", "nginx")


@dataclass
class Speed:
    """A case that asks who needs least processor time for the same answers."""

    name: str
    title: str
    load: Load
    entrants: tuple
    # (others, at least this times the best of them)
    ratios: list = field(default_factory=list)
    no_errors: bool = False
    tail: str = None  # Sluice's p99 may not be worse than this candidate's

    def run(self, lab, quick):
        timing = self._quick(lab.seconds_behind) if quick else Timing()
        figures = rounds.compare(lab, self.load, self.entrants, timing)
        outcome = Outcome(self.name, self.title, figures)
        outcome.targets = [self._ratio(outcome, others, least) for others, least in self.ratios]
        outcome.targets += [self._no_errors(outcome)] if self.no_errors else []
        outcome.targets += [self._tail(outcome)] if self.tail else []
        return outcome

    def _quick(self, behind):
        """Short rounds; on a disturbed machine fewer of them, so that all cases get their turn in five minutes."""
        seconds = 2 if self.load.connections > 1_000 else 1
        return Timing(rounds=1 if behind > 15 else 2, seconds=seconds, warm_up=seconds, retries=0 if behind > 0 else 1)

    @staticmethod
    def _ratio(outcome, others, least):
        target = Target(f"at least {least} × {' / '.join(others)}")
        known = [ratio for name in others if (ratio := outcome.ratio(name)) is not None]
        return target.judge(f"{min(known):.2f} ×", min(known) >= least) if known else target

    @staticmethod
    def _no_errors(outcome):
        figure, target = outcome.figures["sluice"], Target("no error")
        if figure.missing:
            return target
        return target.judge(f"{figure.errors} errors", figure.errors == 0 and not figure.void)

    def _tail(self, outcome):
        target = Target(f"p99 no worse than {self.tail}'s")
        ours, theirs = (outcome.figures[name].as_json()["p99"] for name in ("sluice", self.tail))
        if ours is None or theirs is None:
            return target
        return target.judge(f"{ours:.1f} against {theirs:.1f} ms", ours <= theirs)


@dataclass
class Special:
    """A case with a way of its own: `measure(lab, quick)` gives the outcome."""

    name: str
    title: str
    measure: object

    def run(self, lab, quick):
        return self.measure(lab, quick, Outcome(self.name, self.title, {}))


def _hit(connections, ratios, **more):
    return Speed(f"hit-350-{connections}", f"memory hit, 350 B, {connections} connections",
                 Load(connections=connections), ALL, ratios, **more)


def _large(name, text, size, least):
    others = ALL if size < candidates.LARGE_BODY else LARGE
    ratios = [(tuple(name for name in others if name in CACHES), least)]
    return Speed(name, f"memory hit, {text}, 64 connections", Load(path=f"/s{size}", size=size), others, ratios)


CASES = [
    _hit(64, [(("haproxy",), 1.2), (("nginx",), 1.45), (("limit",), 0.85)]),
    _hit(512, [(("haproxy",), 1.35), (("nginx",), 1.45), (("limit",), 0.85)]),
    _hit(5000, [(("haproxy",), 1.8), (("nginx",), 1.3)], no_errors=True, tail="nginx"),
    Speed("two-workers", "memory hit, 350 B, 512 connections, two workers on both cores against one",
          Load(connections=512, workers=2, shared=True), ("sluice", "sluice@1"), [(("sluice@1",), 0.9)]),
    _large("hit-10k", "10 KB", 10_240, 1.2),
    _large("hit-100k", "100 KB", 102_400, 1.3),
    _large("hit-1m", "1 MB", 1_048_576, 1.2),
    Speed("disk-10k", "disk hit, 16,000 objects of 10 KB in the page cache, 64 connections",
          Load(path="/s10240", size=10_240, objects=16_000, options={"disk": True}), ("sluice", *FILES), [(FILES, 1.1)]),
    Speed("disk-10m", "disk hit, 20 objects of 10 MB in the page cache, 8 connections",
          Load(path="/s10485760", size=10_485_760, objects=20, connections=8, options={"disk": True}),
          ("sluice", *FILES)),
    Speed("pass-350", "pass-through, 350 B, upstream keep-alive, 64 connections", Load(path="/pass", hits=False),
          ("sluice", "haproxy", "nginx", "varnish"), [(("haproxy", "nginx"), 1.0)]),
    Speed("tls-hit", "hit over TLS 1.3, keep-alive, 64 connections", Load(kind="tls"), SECURE, [(("haproxy",), 1.3)]),
    Speed("tls-handshakes", "full TLS 1.3 handshakes, P-256, one request each", Load(kind="tls", fresh=True), SECURE,
          [(("haproxy",), 1.7)]),
    Speed("h2c", "hit over HTTP/2 without TLS, 64 connections × 32 streams", Load(kind="h2c", streams=32), SECURE,
          [(("nginx",), 3.0), (("haproxy",), 1.0)]),
    Speed("h2-tls", "hit over HTTP/2 with TLS, 64 connections × 32 streams", Load(kind="tls", streams=32), SECURE,
          [(("nginx",), 2.2), (("haproxy",), 1.0)]),
    Special("idle-memory", "resident memory of an idle keep-alive connection after one request", idle.measure),
    Special("syscalls", "system calls a request", syscalls.measure),
    Special("throttle-exactness", "admitted ÷ (rate · t + burst) at full offer, two workers", throttle.measure),
    Special("reload", "configuration reloads under full load", switch.reload),
    Special("upgrade", "binary upgrade under full load", switch.upgrade),
]
