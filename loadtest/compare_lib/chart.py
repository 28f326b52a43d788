"""A bar chart as SVG: every case with its candidates, each bar in relation to the case's best."""

from html import escape

COLOURS = {
    "sluice": "#0b6e99",
    "sluice@1": "#7fb7cf",
    "limit": "#b8b8b8",
    "haproxy": "#d9822b",
    "nginx": "#4f9d4f",
    "nginx-sendfile": "#9ccc9c",
    "varnish": "#8e5ea2",
}
WIDTH, LEFT, BARS = 960, 300, 480
BAR, GAP, TOP = 14, 18, 48


def draw(outcomes):
    """The chart; nothing if no case has a rate."""
    cases = [outcome for outcome in outcomes if any(f.median for f in outcome.figures.values())]
    if not cases:
        return ""
    body, y = [], TOP
    for outcome in cases:
        drawn, y = _case(outcome, y)
        body += drawn
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{y}" fill="white"/>',
        _text(16, 28, "Thousand requests per CPU-second (bars: part of the best in each case)", size=15),
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _case(outcome, y):
    """The bars of one case, and where the next one begins."""
    known = {name: figure.median for name, figure in outcome.figures.items() if figure.median}
    best = max(known.values())
    parts = []
    for row, line in enumerate(_wrapped(outcome.title)):
        parts.append(_text(16, y + 11 + row * 15, line))
    for row, (name, rate) in enumerate(known.items()):
        parts += _bar(name, rate, rate / best, y + row * (BAR + 2))
    rows = max(len(known) * (BAR + 2), len(_wrapped(outcome.title)) * 15)
    return parts, y + rows + GAP


def _bar(name, rate, part, y):
    length = max(1, round(BARS * part))
    digits = 2 if rate < 10_000 else 1
    label = f"{name} {rate / 1000:.{digits}f}"
    colour = COLOURS.get(name, "#666666")
    return [
        f'<rect x="{LEFT}" y="{y}" width="{length}" height="{BAR}" fill="{colour}"/>',
        _text(LEFT + length + 6, y + 11, label),
    ]


def _text(x, y, text, size=12):
    return f'<text x="{x}" y="{y}" font-size="{size}">{escape(text)}</text>'


def _wrapped(title, most=42):
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
