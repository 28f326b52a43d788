"""System calls a request, counted by the kernel's tracepoint (perf) or, where that is not allowed, by strace."""

import re
import signal
import subprocess
import time

from . import candidates, clients, lab as lab_module, machine, tools
from .outcome import Figure, Target
from .tools import say

NAMES = ("sluice", "haproxy", "nginx")
# What is counted: name, kind, path, streams.
WAYS = (
    ("hit", "plain", "/s350", 0),
    ("pass", "plain", "/pass", 0),
    ("h2c_hit", "h2c", "/s350", 32),
)
# At most so many for Sluice; "work" is what is left without waiting for events. A hit needs two; opening and closing
# the connections is counted as well, and weighs more the shorter the run is.
MOST = {"work_per_hit": 2.01, "calls_per_pass": 5.0, "calls_per_h2c_hit": 0.2}
WAITING = ("epoll_wait", "epoll_pwait")
EVENTS = ",".join(["raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in WAITING)])
PERF_LINE = re.compile(r"^(\d+),,(?:raw_syscalls:|syscalls:sys_enter_)(\w+),", re.MULTILINE)
STRACE_LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", re.MULTILINE)


def measure(lab, quick, outcome):
    """Calls per hit, per pass-through and per hit over HTTP/2."""
    seconds = 1 if quick else 4
    outcome.figures = {name: _figure(lab, name, seconds) for name in NAMES}
    outcome.note = "64 connections; work is all calls but those that wait for events"
    for way, most in MOST.items():
        target = Target(f"{way.replace('_', ' ')}: no more than {most}")
        found = outcome.figures["sluice"].values.get(way)
        outcome.targets.append(target if found is None else target.judge(f"{found:.3f}", found <= most))
    return outcome


def _figure(lab, name, seconds):
    figure = Figure()
    try:
        server = lab.start(name, lab.job(name))
    except (candidates.Missing, RuntimeError, OSError) as reason:
        figure.missing = str(reason)
        return figure
    try:
        for way, kind, path, streams in WAYS:
            calls, waits = _calls(lab, server, kind, path, streams, seconds)
            figure.values[f"calls_per_{way}"] = round(calls, 3)
            figure.values[f"work_per_{way}"] = round(calls - waits, 3)
            say(f"    {name:15} {way:8} {calls:.3f} calls, {calls - waits:.3f} without waiting")
    except (OSError, RuntimeError, clients.ClientFailed) as reason:
        figure.void = str(reason)
    finally:
        lab.stop(server)
    return figure


def _calls(lab, server, kind, path, streams, seconds):
    """System calls a request: all, and those that wait for events."""
    for _ in range(2):
        lab_module.fetch(server, "plain", path)
    counter = _Counter(server)
    try:
        if streams:
            reading = clients.h2load(server.url(kind, path), 64, streams, seconds, lab.client_core, size=350)
        else:
            reading = clients.wrk(server.url(kind, path), 64, seconds, lab.client_core)
    finally:
        counted = counter.stop()
    if reading.errors or reading.wrong or not reading.requests:
        raise RuntimeError(f"{reading.errors} errors, {reading.wrong} wrong answers")
    return [count / reading.requests for count in counted]


class _Counter:
    """Counts the calls of all processes of a server until it is stopped."""

    def __init__(self, server):
        pids = machine.children(server.process.pid)
        self._perf = _perf_works()
        self._output = server.job.folder / "calls"
        command = self._perf_command(pids) if self._perf else self._strace_command(pids)
        self._child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)

    def _perf_command(self, pids):
        listed = ",".join(map(str, pids))
        return ["perf", "stat", "-x", ",", "-o", str(self._output), "-e", EVENTS, "-p", listed]

    def _strace_command(self, pids):
        if not tools.find("strace"):
            raise RuntimeError("neither perf nor strace can count here")
        return ["strace", "-c", "-f", "-o", str(self._output), *(f"-p{pid}" for pid in pids)]

    def stop(self):
        """All calls, and those that waited."""
        self._child.send_signal(signal.SIGINT)
        self._child.wait(30)
        text = self._output.read_text()
        found = (PERF_LINE if self._perf else STRACE_LINE).findall(text)
        counts = {name: int(count) for count, name in found}
        total = counts.get("sys_enter") or counts.get("total")
        if not total:
            raise RuntimeError(f"no count: {text.strip()[-120:]}")
        return total, sum(counts.get(name, 0) for name in WAITING)


def _perf_works():
    if not tools.find("perf"):
        return False
    command = ["perf", "stat", "-x", ",", "-e", EVENTS, "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and len(PERF_LINE.findall(done.stderr)) == len(EVENTS.split(","))
