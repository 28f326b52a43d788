"""System calls a request, counted by the kernel's tracepoint (perf) or, where that is not allowed, by strace."""

import re
import signal
import subprocess
import time

from . import candidates, clients, lab as lab_module, machine, tools
from .outcome import Figure, Target
from .tools import say

NAMES = ("sluice", "haproxy", "nginx")
# What is counted: name, kind, path, streams, at most so many for Sluice. Waiting for events is part of it.
WAYS = (
    ("hit", "plain", "/s350", 0, 2.1),
    ("pass", "plain", "/pass", 0, 5.0),
    ("h2c_hit", "h2c", "/s350", 32, 0.2),
)


def measure(lab, quick, outcome):
    """Calls per hit, per pass-through and per hit over HTTP/2."""
    seconds = 1 if quick else 4
    outcome.figures = {name: _figure(lab, name, seconds) for name in NAMES}
    outcome.note = "64 connections; waiting for events (epoll_wait) is counted too"
    for way, _, _, _, most in WAYS:
        target = Target(f"{way}: no more than {most}")
        found = outcome.figures["sluice"].values.get(f"calls_per_{way}")
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
        for way, kind, path, streams, _ in WAYS:
            calls = _calls(lab, server, kind, path, streams, seconds)
            figure.values[f"calls_per_{way}"] = round(calls, 3)
            say(f"    {name:15} {way:8} {calls:.3f} calls")
    except (OSError, RuntimeError, clients.ClientFailed) as reason:
        figure.void = str(reason)
    finally:
        lab.stop(server)
    return figure


def _calls(lab, server, kind, path, streams, seconds):
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
    return counted / reading.requests


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
        return ["perf", "stat", "-x", ",", "-o", str(self._output), "-e", "raw_syscalls:sys_enter", "-p", listed]

    def _strace_command(self, pids):
        if not tools.find("strace"):
            raise RuntimeError("neither perf nor strace can count here")
        return ["strace", "-c", "-f", "-o", str(self._output), *(f"-p{pid}" for pid in pids)]

    def stop(self):
        self._child.send_signal(signal.SIGINT)
        self._child.wait(30)
        text = self._output.read_text()
        pattern = r"^(\d+),.*sys_enter" if self._perf else r"^100\.00\s+\S+\s+\S+\s+(\d+)"
        found = re.search(pattern, text, re.MULTILINE)
        if not found:
            raise RuntimeError(f"no count: {text.strip()[-120:]}")
        return int(found.group(1))


def _perf_works():
    if not tools.find("perf"):
        return False
    command = ["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and re.search(r"^\d+,.*sys_enter", done.stderr, re.MULTILINE) is not None
