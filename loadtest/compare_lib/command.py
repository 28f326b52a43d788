"""The command line of `loadtest/compare`."""

import argparse
import datetime
import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import lab as lab_module
from . import machine, report, tools
from .cases import CASES
from .outcome import Outcome
from .tools import say

# Seconds that a case of a quick run may take on average.
QUICK_PACE = 15


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="loadtest/compare",
        description="Runs Sluice, HAProxy, nginx, Varnish and the limit side by side, taking turns, the proxy pinned "
        "to one core and client and origin to another. Installs what it needs. Prints requests per CPU-second, "
        "and writes loadtest/results/<date>.md with a chart.",
    )
    parser.add_argument("--quick", action="store_true", help="short rounds: everything in less than five minutes")
    parser.add_argument("--case", action="append", metavar="NAME", help="only this case; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--json", action="store_true", help="print a list of cases as JSON instead of the tables")
    parser.add_argument("--strict", action="store_true", help="exit with 1 unless every target is met")
    parser.add_argument("--no-install", action="store_true", help="use what is there; never install anything")
    parser.add_argument("--no-save", action="store_true", help="do not write to loadtest/results")
    parser.add_argument("--sluice", metavar="PATH", type=Path, default=tools.ROOT / "target" / "release" / "sluice",
                        help="the binary to measure (target/release/sluice)")
    parser.add_argument("--origin", metavar="COMMAND", type=shlex.split,
                        help="origin to use; its address is appended (sluice demo --address)")
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    if options.list:
        print("\n".join(f"{case.name:20} {case.title}" for case in CASES))
        return 0
    chosen = _chosen(options.case)
    if not options.no_install:
        tools.install()
    machine.raise_open_files()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcomes = _run(options, chosen)
    except RuntimeError as error:
        say(f"compare: {error}")
        return 1
    if len(outcomes) < len(chosen):
        print(report.table(outcomes))
        return 130
    _tell(options, outcomes)
    all_met = all(target.met for outcome in outcomes for target in outcome.targets)
    return 0 if all_met or not options.strict else 1


def _chosen(names):
    known = {case.name: case for case in CASES}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        sys.exit(f"compare: no case {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names] if names else list(CASES)


def _run(options, chosen):
    """The outcomes of all chosen cases, also of those before an interruption."""
    outcomes, started = [], time.monotonic()
    with lab_module.Lab(options.sluice.resolve(), options.origin) as lab:
        for number, case in enumerate(chosen, 1):
            say(f"[{number}/{len(chosen)}] {case.title}")
            lab.seconds_behind = time.monotonic() - started - (number - 1) * QUICK_PACE
            try:
                outcomes.append(case.run(lab, options.quick))
            except KeyboardInterrupt:
                say("interrupted; what is known so far:")
                break
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                outcomes.append(Outcome(case.name, case.title, {}, note=f"failed: {error}"))
    return outcomes


def _tell(options, outcomes):
    facts = {
        "command": " ".join(["loadtest/compare", *(shlex.quote(word) for word in _public(sys.argv[1:]))]),
        "date": datetime.date.today().isoformat(),
        "lesser": "part" if options.case else "quick" if options.quick else None,
        "machine": machine.description(),
        "versions": lab_module.installed(),
    }
    if not options.no_save:
        say(f"written: {report.save(tools.LOADTEST / 'results', outcomes, facts).relative_to(tools.ROOT)}")
    if options.json:
        print(json.dumps([outcome.as_json() for outcome in outcomes], indent=2))
    else:
        print(report.table(outcomes))


def _public(words):
    """The arguments, of absolute paths the last part only."""
    return [Path(word).name if word.startswith("/") else word for word in words]
