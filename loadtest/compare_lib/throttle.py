"""How exact the throttle is: what it admitted against what its rate and burst allow, by the server's own clock."""

import re

from . import candidates, clients
from .outcome import Figure, Target
from .tools import say

FULL = ((1_000, 500), (1_000, 5_000), (10_000, 500), (10_000, 5_000))
QUICK = ((1_000, 500), (10_000, 5_000))
TOLERANCE = 0.001
ADMITTED = re.compile(r"^(\d+) 200$", re.MULTILINE)
LINE = "$context.requestTimeEpochMicros $context.status"


def measure(lab, quick, outcome):
    """Every rate and burst for itself, at more requests than any of them lets through."""
    figure = Figure()
    outcome.figures = {"sluice": figure}
    outcome.note = "t from the first to the last admission, from the access log's microseconds"
    for rate, burst in QUICK if quick else FULL:
        target = Target(f"{rate:,}/s, burst {burst:,}: {1 - TOLERANCE:.3f} to {1 + TOLERANCE:.3f}")
        outcome.targets.append(target)
        try:
            quotient, detail = _quotient(lab, rate, burst, 4 if quick else 10)
        except candidates.Missing as reason:
            figure.missing = str(reason)
            continue
        except (OSError, RuntimeError, clients.ClientFailed) as reason:
            figure.void = f"{rate}/s, burst {burst}: {reason}"
            continue
        figure.values[f"quotient_{rate}_{burst}"] = round(quotient, 5)
        target.judge(f"{quotient:.5f}, {detail}", abs(quotient - 1) <= TOLERANCE)
        say(f"    {rate:,}/s, burst {burst:,}: {quotient:.5f}, {detail}")
    return outcome


def _quotient(lab, rate, burst, seconds):
    """Admitted requests through allowed ones."""
    cores = {lab.proxy_core, lab.client_core}
    job = lab.job("sluice", workers=2, rate=rate, burst=burst, log_format=LINE)
    log = job.folder / "access.log"
    job.options["access_log"] = log
    server = lab.start("sluice", job, cores)
    try:
        offered = clients.wrk(server.url("plain", "/limited"), 128, seconds, cores, threads=2)
        server.process.stop(patience=20)  # it writes the rest of its log
        text = log.read_text()
    finally:
        lab.stop(server)
    lines, times = text.count("\n"), sorted(int(time) for time in ADMITTED.findall(text))
    if lines < offered.requests:
        raise RuntimeError(f"the log has {lines} lines for {offered.requests} answers")
    if len(times) < burst:
        raise RuntimeError(f"only {len(times)} admissions")
    span = (times[-1] - times[0]) / 1e6
    detail = f"{len(times):,} admitted of {lines:,} in {span:.3f} s"
    return len(times) / (rate * span + burst), detail
