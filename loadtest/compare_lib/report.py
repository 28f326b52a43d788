"""What a run prints and keeps: tables in Markdown, and a page per day with a chart beside it."""

from . import chart
from .outcome import middle, spread

COLUMNS = ("sluice", "sluice@1", "limit", "haproxy", "nginx", "nginx-sendfile", "varnish")


def table(outcomes):
    """Figures, targets and remarks as Markdown."""
    parts = [_rates(outcomes), _values(outcomes), _targets(outcomes), _remarks(outcomes)]
    return "\n\n".join(part for part in parts if part)


def _row(cells):
    return f"| {' | '.join(cells)} |"


def _head(cells):
    return [_row(cells), _row(["---"] * len(cells))]


def _rates(outcomes):
    with_rates = [o for o in outcomes if any(f.rates for f in o.figures.values())]
    if not with_rates:
        return ""
    names = [name for name in COLUMNS if any(name in o.figures for o in with_rates)]
    lines = ["Thousand requests per CPU-second: median (least–most); thousand requests per second; p50/p99 in ms.", ""]
    lines += _head(["case", *names])
    lines += [_row([o.title, *(_rate(o, name) for name in names)]) for o in with_rates]
    return "\n".join(lines)


def _rate(outcome, name):
    figure = outcome.figures.get(name)
    if figure is None:
        return "–"
    if figure.missing:
        return "missing" if not figure.missing.startswith("does not") else "–"
    if figure.void:
        return "void"
    rate = {key: number / 1000 for key, number in spread(figure.rates).items()}
    digits = 2 if rate["median"] < 10 else 1
    text = f"**{rate['median']:.{digits}f}** ({rate['min']:.{digits}f}–{rate['max']:.{digits}f})"
    text += f"; {spread(figure.per_second)['median'] / 1000:.{digits}f} k/s"
    if middle(figure.p99) is not None:
        text += f"; {middle(figure.p50):.2f}/{middle(figure.p99):.2f}"
    ratio = outcome.ratio(name)
    text += f"; Sluice {ratio:.2f} ×" if ratio and name != "sluice" else ""
    return text + (" (noisy)" if figure.noisy else "")


def _values(outcomes):
    lines = []
    for outcome in outcomes:
        for name, figure in outcome.figures.items():
            if figure.values:
                found = ", ".join(f"{_words(key)} {_number(value)}" for key, value in figure.values.items())
                lines.append(f"- {outcome.title}, {name}: {found}")
    return "\n".join(lines)


def _words(key):
    return key.replace("_", " ")


def _number(value):
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _targets(outcomes):
    lines = _head(["case", "target", "measured", ""])
    for outcome in outcomes:
        for target in outcome.targets:
            verdict = {True: "met", False: "**missed**", None: "open"}[target.met]
            lines.append(_row([outcome.title, target.text, target.measured, verdict]))
    return "\n".join(lines) if len(lines) > 2 else ""


def _remarks(outcomes):
    lines = [f"- {outcome.title}: {text}" for outcome in outcomes for text in (outcome.note, _noise(outcome)) if text]
    for outcome in outcomes:
        for name, figure in outcome.figures.items():
            lines += [f"- {outcome.title}, {name}: {text}" for text in _oddities(figure)]
    return "\n".join(lines)


def _noise(outcome):
    """Which rounds were discarded; candidates marked noisy had no others, so theirs are shown all the same."""
    found = [f"{name} {figure.discarded}" for name, figure in outcome.figures.items() if figure.discarded]
    return f"rounds discarded because something else used the core: {', '.join(found)}" if found else ""


def _oddities(figure):
    if figure.missing:
        yield f"missing: {figure.missing}"
    if figure.void:
        yield f"void: {figure.void}"
    if figure.errors:
        yield f"{figure.errors} errors"


def save(folder, outcomes, facts):
    """Writes `<date>.md` and the chart; returns the page's path.

    A lesser run (quick, or of some cases) never replaces that page but writes `<date>-quick.md` or `<date>-part.md`.
    """
    folder.mkdir(exist_ok=True)
    name = facts["date"]
    if facts["lesser"] and (folder / f"{name}.md").exists():
        name += f"-{facts['lesser']}"
    page, picture = folder / f"{name}.md", folder / f"{name}.svg"
    drawn = chart.draw(outcomes)
    if drawn:
        picture.write_text(drawn, encoding="utf-8")
    versions = "\n".join(f"- {name}: {text}" for name, text in facts["versions"].items())
    text = f"""# Side by side, {facts["date"]}

`{facts["command"]}` on {facts["machine"]}.

{versions}

{f"![Requests per CPU-second]({picture.name})" if drawn else ""}

{table(outcomes)}
"""
    page.write_text(text, encoding="utf-8")
    return page
