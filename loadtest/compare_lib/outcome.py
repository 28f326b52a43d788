"""What a case found: a figure for each candidate, Sluice's ratios, and whether its targets are met."""

import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Target:
    """What Sluice must reach in a case."""

    text: str
    measured: str = "not measured"
    met: bool = None

    def judge(self, measured, met):
        self.measured, self.met = measured, met
        return self


@dataclass
class Figure:
    """What one candidate reached."""

    rates: list = field(default_factory=list)  # requests per CPU-second, a round each
    per_second: list = field(default_factory=list)  # requests per second
    p50: list = field(default_factory=list)
    p99: list = field(default_factory=list)
    errors: int = 0
    void: str = None  # why the figure does not count
    missing: str = None  # why there is none
    discarded: int = 0  # rounds in which something else used the core
    noisy: bool = False  # no round was left without
    spoiled: list = field(default_factory=list)  # those rounds: reading and CPU-seconds
    bytes_per_answer: int = 0  # head and body
    values: dict = field(default_factory=dict)  # what is not a rate

    @property
    def median(self):
        """Requests per CPU-second; None if the figure does not count."""
        return statistics.median(self.rates) if self.rates and not self.void else None

    def as_json(self):
        found = {
            "requests_per_cpu_second": spread(self.rates),
            "requests_per_second": spread(self.per_second),
            "p50": middle(self.p50),
            "p99": middle(self.p99),
            "errors": self.errors,
            "void": bool(self.void),
            "why_void": self.void,
            "missing": self.missing,
            "discarded_rounds": self.discarded,
            "noisy": self.noisy,
        }
        return {**found, **self.values}


@dataclass
class Outcome:
    """What a case found."""

    name: str
    title: str
    figures: dict
    targets: list = field(default_factory=list)
    note: str = ""

    def ratio(self, other):
        """Sluice's rate to another's."""
        ours, theirs = (self.figures.get(name) for name in ("sluice", other))
        if not ours or not theirs or not ours.median or not theirs.median:
            return None
        return ours.median / theirs.median

    def as_json(self):
        others = [name for name in self.figures if name != "sluice"]
        return {
            "name": self.name,
            "title": self.title,
            "candidates": {name: figure.as_json() for name, figure in self.figures.items()},
            "ratio": {name: rounded(self.ratio(name), 3) for name in others},
            "targets": [asdict(target) for target in self.targets],
            "note": self.note,
        }


def spread(numbers):
    """Median, least and most; None without numbers."""
    if not numbers:
        return None
    return {"median": round(statistics.median(numbers)), "min": round(min(numbers)), "max": round(max(numbers))}


def middle(numbers):
    known = [number for number in numbers if number is not None]
    return round(statistics.median(known), 3) if known else None


def rounded(number, digits):
    return None if number is None else round(number, digits)
