"""Changes under load: reloads of the configuration, and an upgrade to a new process; nobody may notice."""

import signal
import time

from . import candidates, clients, lab as lab_module, process, sluice
from .outcome import Figure, Target
from .tools import say

CONNECTIONS = 64
# How long a reload may take.
RELOADS = 3
# How long the old process may take to be gone.
GOES = 20


def reload(lab, quick, outcome):
    """SIGHUP, again and again, each time with another configuration."""
    return _under_load(lab, outcome, 5 if quick else 10, _reloads)


def upgrade(lab, quick, outcome):
    """A new process takes over from the old one, which ends."""
    return _under_load(lab, outcome, 12 if quick else 20, _upgrade)


def _under_load(lab, outcome, seconds, change):
    figure = Figure()
    targets = [Target("0 socket errors"), Target("0 answers other than 200"), Target("the change took place")]
    outcome.figures, outcome.targets = {"sluice": figure}, targets
    outcome.note = f"wrk, {CONNECTIONS} connections, every answer looked at"
    try:
        server = lab.start("sluice", lab.job("sluice"))
    except (candidates.Missing, RuntimeError, OSError) as reason:
        figure.missing = str(reason)
        return outcome
    load = clients.start_wrk(server.url("plain", "/s350"), CONNECTIONS, seconds, lab.client_core)
    try:
        time.sleep(1)
        changed = change(lab, server, seconds)
        reading = clients.finish_wrk(load)
    except (OSError, clients.ClientFailed) as reason:
        load.kill()
        load.wait()
        figure.void = str(reason)
        return outcome
    finally:
        lab.stop(server)
    _judge(figure, targets, reading, changed)
    return outcome


def _judge(figure, targets, reading, changed):
    figure.errors = reading.errors
    figure.values = {"requests": reading.requests, "other_than_200": reading.wrong, "change": changed}
    say(f"    {reading.requests:,} answers, {reading.errors} errors, {reading.wrong} wrong {reading.why}; {changed}")
    targets[0].judge(f"{reading.errors} of {reading.requests:,}", reading.errors == 0 and reading.requests > 0)
    targets[1].judge(f"{reading.wrong} {reading.why}".strip(), reading.wrong == 0)
    targets[2].judge(changed, not changed.startswith("no:"))


def _reloads(_lab, server, seconds):
    """Says how many configurations took effect, each another one: a mocked answer tells which."""
    file, count = server.job.folder / "sluice.toml", max(3, seconds // 2)
    pause = (seconds - 3) / count
    for number in range(count):
        server.job.options["mock"] = f"configuration {number}"
        file.write_text(sluice.configuration(server.job), encoding="utf-8")
        server.process.signal(signal.SIGHUP)
        asked = time.monotonic()
        if not _answers(server, f"configuration {number}"):
            return f"no: configuration {number} of {count} is not served"
        time.sleep(max(0, pause - (time.monotonic() - asked)))
    return f"{count} reloads"


def _answers(server, text):
    """Whether the mocked answer becomes `text` in time."""
    deadline = time.monotonic() + RELOADS
    while time.monotonic() < deadline and server.process.alive():
        if lab_module.fetch(server, "plain", "/limited").body == text.encode():
            return True
        time.sleep(0.05)
    return False


def _upgrade(lab, server, _seconds):
    """Says how long the old process took to go."""
    folder, job = server.job.folder, server.job
    command = [job.options["binary"], "run", "--upgrade", str(folder / "sluice.toml")]
    new = process.Process("sluice, new", command, {lab.proxy_core}, folder / "new.log")
    lab.adopt(new)
    asked = time.monotonic()
    if not server.process.await_end(GOES):
        why = "" if new.alive() else f"; the new one ended: {new.last_words()}"
        return f"no: the old process is still there after {GOES} s{why}"
    took = time.monotonic() - asked
    if lab_module.fetch(server, "plain", "/s350").status != 200 or not new.alive():
        return "no: the new process does not answer"
    return f"the old process was gone after {took:.1f} s"
