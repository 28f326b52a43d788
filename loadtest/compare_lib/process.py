"""Processes that a run starts: pinned, waited for, and stopped by their id."""

import os
import signal
import socket
import subprocess
import time

from . import machine

START_SECONDS = 20


class Process:
    """A running program of the comparison."""

    def __init__(self, name, command, cores, log, environment=None):
        self.name = name
        with open(log, "ab") as out:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(environment or {})},
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )
        self.log = log
        self.pid = self._child.pid

    def alive(self):
        return self._child.poll() is None

    def await_port(self, port):
        """Returns once the program listens.

        Raises RuntimeError with the end of its log if it ends before, or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.alive():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.name} does not listen: {self.last_words()}")

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return " / ".join(log.read().strip().splitlines()[-3:]) or "it said nothing"

    def cpu_seconds(self):
        return machine.cpu_seconds(self.pid)

    def signal(self, number):
        self._child.send_signal(number)

    def await_end(self, seconds):
        """Whether it ended by itself in time."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, patience=0.5):
        """Ends it and all that it started, by force once `patience` in seconds is over."""
        family = machine.children(self.pid) if self.alive() else []
        if self.alive():
            self._child.send_signal(signal.SIGTERM)
        if not self.await_end(patience):
            self._child.kill()
            self._child.wait()
        for pid in family[1:]:
            _end(pid)


def _end(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
