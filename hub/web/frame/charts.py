"""Five pure drawings: numbers in, SVG out, with a sentence and a table that carry the same information.

They use class names instead of colours (static/site.css has both palettes) and add no script or text of their own.
Coordinates assume a box 360 units wide, the width of a small phone; wider screens scale it up.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import floor, log10
from typing import Final, TypeVar

from markupsafe import Markup, escape

WIDTH: Final = 360
_TOP: Final = 26
_LEFT: Final = 4
_FOOT: Final = 20
_STEPS: Final = (1, 1.2, 1.6, 2, 2.4, 2.8, 3.2, 3.6, 4, 5, 6, 7, 8, 9, 10)

SlotSeries = Sequence[float | None]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ChartTable:
    """The same values as text, row by row."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture in three forms that agree: an image, a sentence for screen readers, and a table of exact values."""

    title: str
    svg: Markup
    sentence: str
    table: ChartTable
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ChartAxis:
    """The horizontal axis: `ticks` are (slot index, label); `unit` is the unit of the vertical scale."""

    slots: int
    ticks: tuple[tuple[int, str], ...]
    unit: str
    write: Callable[[float], str] = field(default=str)


@dataclass(frozen=True, slots=True)
class ChartSpan:
    """A range of slots [first, end) to highlight, with its label."""

    first: int
    end: int
    label: str


def nice_ceiling(value: float) -> float:
    """The smallest round number (one of _STEPS times a power of ten) not below `value`; 1 if the value is 0 or less."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** floor(log10(value))
    return next(
        (step * unit for step in _STEPS if value <= step * unit * (1 + 1e-9)),
        10 * unit,
    )


def draw_day(
    name: str,
    title: str,
    *,
    axis: ChartAxis,
    made: SlotSeries,
    band: Sequence[tuple[float, float] | None],
    used: SlotSeries,
    now: float | None,
    spells: Sequence[ChartSpan],
    sentence: str,
    table: ChartTable,
) -> Chart:
    """Production (solid, with its likely range), use (dashed), brackets over the good hours, and a line for now.

    Shape: made, band and used are (axis.slots,); `now` counts in slots from the left edge.
    """
    peak = max([0.0, *_known(made), *_known(used), *(high for pair in band if pair for _, high in [pair])])
    frame = _Frame(axis.slots, 200, nice_ceiling(peak))
    parts = [frame.grid(axis)]
    parts += [frame.spell(spell) for spell in spells]
    parts.append(f'<path class="band" d="{frame.area(band)}"/>')
    parts.append(f'<path class="used" d="{frame.line(used)}"/>')
    parts.append(f'<path class="made" d="{frame.line(made)}"/>')
    if now is not None:
        x = _n(frame.x(now))
        parts.append(f'<path class="now" d="M{x} {_TOP}V{frame.floor}"/>')
    parts.append(f'<path class="look" d="M0 {_TOP}V{frame.floor}"/>')
    return Chart(title, _svg(name, title, sentence=sentence, height=frame.height, parts=parts), sentence, table)


def draw_bars(
    name: str,
    title: str,
    *,
    axis: ChartAxis,
    today: SlotSeries,
    before: SlotSeries,
    kind: str,
    sentence: str,
    table: ChartTable,
) -> Chart:
    """Today's slots as one stepped area, with yesterday's same slots as a thin stepped line.

    Shape: today and before are (axis.slots,). `kind` is the CSS class of today's area: "made" or "used".
    """
    frame = _Frame(axis.slots, 150, nice_ceiling(max([0.0, *_known(today), *_known(before)])))
    parts = [
        frame.grid(axis),
        f'<path class="fill-{escape(kind)}" d="{frame.steps(today, closed=True)}"/>',
        f'<path class="before" d="{frame.steps(before, closed=False)}"/>',
    ]
    svg = _svg(name, title, sentence=sentence, height=frame.height, parts=parts)
    return Chart(title, svg, sentence, table, kind)


PRESENCE_HEIGHT: Final = {"present": 14, "derived": 9, "partial": 9, "missing": 4, "waiting": 1}


def draw_presence(name: str, title: str, *, states: Sequence[str], sentence: str) -> Markup:
    """A strip of slots: full height if present, lower if estimated, a stub if missing; colour shows it too.

    Neighbouring slots in the same state become one rectangle, so no hairline appears between them.
    """
    parts, at = [], 0
    scale = WIDTH / max(1, len(states))
    for state, group in groupby(states):
        length = len(list(group))
        height = PRESENCE_HEIGHT.get(state, PRESENCE_HEIGHT["missing"])
        x, width = _n(at * scale), _n(length * scale)
        css = escape(state if state in PRESENCE_HEIGHT else "missing")
        parts.append(f'<rect class="is-{css}" x="{x}" y="{15 - height}" width="{width}" height="{height}"/>')
        at += length
    return _svg(name, title, sentence=sentence, height=16, parts=parts, css="strip")


def draw_balance(
    name: str, title: str, *, axis: ChartAxis, balance: Sequence[float], sentence: str, table: ChartTable
) -> Chart:
    """The running balance after each day as a stepped line around a zero line.

    Shape: balance is (axis.slots,).
    """
    top, bottom = max([0.0, *balance]), min([0.0, *balance])
    upper, lower = (nice_ceiling(top) if top > 0 else 0.0), (-nice_ceiling(-bottom) if bottom < 0 else 0.0)
    frame = _Frame(axis.slots, 120, upper, lower)
    zero = _n(frame.y(0.0))
    parts = [
        frame.grid(axis),
        f'<path class="zero" d="M{_LEFT} {zero}H{WIDTH - _LEFT}"/>',
        f'<path class="balance" d="{frame.steps(balance, closed=False)}"/>',
    ]
    return Chart(title, _svg(name, title, sentence=sentence, height=frame.height, parts=parts), sentence, table)


def draw_amount(value: float, whole: float, *, kind: str) -> Markup:
    """A plain bar next to a number that is also written out; hidden from screen readers."""
    width = _n(0.0 if whole <= 0 else 100 * min(1.0, max(0.0, value / whole)))
    return Markup(
        '<svg class="amount" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="8"/><rect class="fill-{kind}" width="{width}" height="8"/></svg>'
    ).format(kind=kind, width=width)


class _Frame:
    """The plot area of one chart: slots to x, values to y."""

    def __init__(self, slots: int, height: int, top: float, bottom: float = 0.0) -> None:
        self.slots = max(1, slots)
        self.height = height
        self.floor = height - _FOOT
        self.top = top if top > bottom else bottom + 1.0
        self.bottom = bottom

    def x(self, slot: float) -> float:
        return _LEFT + (WIDTH - 2 * _LEFT) * min(max(slot / self.slots, 0.0), 1.0)

    def y(self, value: float) -> float:
        share = (value - self.bottom) / (self.top - self.bottom)
        return self.floor - (self.floor - _TOP) * min(max(share, 0.0), 1.0)

    def grid(self, axis: ChartAxis) -> str:
        """Two thin gridlines with their values, the baseline, and the hours below it."""
        lines = []
        for value in (self.top, (self.top + self.bottom) / 2):
            y = self.y(value)
            scale = escape(f"{axis.write(value)} {axis.unit}".strip())
            lines.append(f'<path class="grid" d="M{_LEFT} {_n(y)}H{WIDTH - _LEFT}"/>')
            lines.append(f'<text class="scale" x="{_LEFT}" y="{_n(y - 3)}">{scale}</text>')
        lines.append(f'<path class="floor" d="M{_LEFT} {self.floor}H{WIDTH - _LEFT}"/>')
        for slot, label in axis.ticks:
            anchor = "start" if slot <= 0 else "end" if slot >= self.slots else "middle"
            lines.append(
                f'<text x="{_n(self.x(slot))}" y="{self.height - 4}" text-anchor="{anchor}">{escape(label)}</text>'
            )
        return "".join(lines)

    def spell(self, spell: ChartSpan) -> str:
        """Good hours: a shaded area, a bracket above it, and the hours as text."""
        left, right = self.x(spell.first), self.x(spell.end)
        middle = min(max((left + right) / 2, _LEFT + 30), WIDTH - _LEFT - 30)
        box = f'x="{_n(left)}" y="{_TOP}" width="{_n(right - left)}" height="{self.floor - _TOP}"'
        where = f'x="{_n(middle)}" y="{_TOP - 10}" text-anchor="middle"'
        return (
            f'<rect class="good" {box}/><path class="bracket" d="M{_n(left)} {_TOP}v-6H{_n(right)}v6"/>'
            f'<text class="good-label" {where}>{escape(spell.label)}</text>'
        )

    def line(self, values: SlotSeries) -> str:
        """A line through the middle of each slot, interrupted where no value is known."""
        path = []
        for start, run in _runs(values):
            points = [f"{_n(self.x(start + i + 0.5))} {_n(self.y(value))}" for i, value in enumerate(run)]
            path.append("M" + "L".join(points if len(points) > 1 else points * 2))
        return "".join(path)

    def area(self, band: Sequence[tuple[float, float] | None]) -> str:
        """The area between low and high, closed for each uninterrupted range."""
        path = []
        for start, run in _runs(band):
            xs = [_n(self.x(start + i + 0.5)) for i in range(len(run))]
            upper = [f"{x} {_n(self.y(high))}" for x, (_, high) in zip(xs, run, strict=True)]
            lower = [f"{x} {_n(self.y(low))}" for x, (low, _) in zip(xs, run, strict=True)]
            path.append("M" + "L".join([*upper, *reversed(lower)]) + "Z")
        return "".join(path)

    def steps(self, values: SlotSeries, *, closed: bool) -> str:
        """Each value as a horizontal step across its slot; an area is closed down to the zero line."""
        path, zero = [], _n(self.y(0.0))
        for start, run in _runs(values):
            left = _n(self.x(start))
            first = f"M{left} {zero}V" if closed else f"M{left} "
            levels = [f"{_n(self.y(value))}H{_n(self.x(start + i + 1))}" for i, value in enumerate(run)]
            path.append(first + "V".join(levels) + (f"V{zero}Z" if closed else ""))
        return "".join(path)


def _runs(values: Sequence[_T | None]) -> Iterator[tuple[int, list[_T]]]:
    """Each uninterrupted range of known values, with the slot where it begins."""
    at = 0
    for is_known, group in groupby(values, key=lambda value: value is not None):
        stretch = list(group)
        if is_known:
            yield at, [value for value in stretch if value is not None]
        at += len(stretch)


def _known(values: SlotSeries) -> list[float]:
    return [value for value in values if value is not None]


def _n(value: float) -> str:
    """A coordinate with at most one decimal, never minus zero."""
    return f"{round(value, 1) + 0.0:g}"


def _svg(name: str, title: str, *, sentence: str, height: int, parts: Sequence[str], css: str = "chart") -> Markup:
    """The picture with its title and its sentence for screen readers. `parts` are already escaped."""
    fit = "none" if css == "strip" else "xMidYMid"
    open_tag = Markup(
        '<svg class="{css}" id="{name}" viewBox="0 0 {width} {height}" preserveAspectRatio="{fit}" role="img"'
        ' aria-labelledby="{name}-title {name}-desc">'
        '<title id="{name}-title">{title}</title><desc id="{name}-desc">{sentence}</desc>'
    ).format(css=css, name=name, width=WIDTH, height=height, title=title, sentence=sentence, fit=fit)
    return open_tag + Markup("".join(parts)) + Markup("</svg>")  # noqa: S704  every part above is escaped
