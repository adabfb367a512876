"""The page's drawings: numbers in, SVG out, beside a table of the same numbers. Pure.

Colours are class names of the style sheet; a box is 360 units wide, the width of a small phone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import floor, log10

from edge_agent.page.markup import Html, filled, joined

WIDTH = 360
_LEFT, _TOP, _FOOT = 4, 22, 20
_STEPS = (1, 1.2, 1.6, 2, 2.4, 2.8, 3.2, 3.6, 4, 5, 6, 7, 8, 9, 10)

Series = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class PlotScale:
    """The axes: `ticks` are (place, label) below; `write` gives the label of a height with its unit."""

    places: int
    ticks: tuple[tuple[int, str], ...]
    write: Callable[[float], str]


def round_top(value: float) -> float:
    """The smallest round number not below `value`; 1 for 0 or less."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** floor(log10(value))
    return next((step * unit for step in _STEPS if value <= step * unit * (1 + 1e-9)), 10 * unit)


def draw_steps(name: str, *, scale: PlotScale, made: Series, used: Series, title: str, sentence: str) -> Html:
    """What was made as an area and what was used as a dashed line, each value a step; gaps stay open."""
    plot = _Plot(scale, 150, round_top(max([0.0, *_known(made), *_known(used)])))
    parts = [
        plot.grid(),
        filled('<path class="fill-made" d="{d}"/>', d=plot.steps(made, is_closed=True)),
        filled('<path class="used" d="{d}"/>', d=plot.steps(used, is_closed=False)),
        plot.heights(),
    ]
    return _svg(name, title, sentence=sentence, height=150, parts=parts)


def draw_columns(name: str, *, scale: PlotScale, up: Series, down: Series, title: str, sentence: str) -> Html:
    """Two columns for each place, beside each other: `up` in the colour of what is made, `down` of what is used."""
    plot = _Plot(scale, 150, round_top(max([0.0, *_known(up), *_known(down)])))
    parts = [plot.grid()]
    for at, pair in enumerate(zip(up, down, strict=True)):
        for half, (value, kind) in enumerate(zip(pair, ("made", "used"), strict=True)):
            if value:
                parts.append(plot.column(at + 0.08 + 0.42 * half, value, width=0.38, kind=kind))
    parts.append(plot.heights())
    return _svg(name, title, sentence=sentence, height=150, parts=parts)


def draw_flow(name: str, *, rows: Sequence[Sequence[tuple[str, float]]], title: str, sentence: str) -> Html:
    """Bars of equal scale below each other: in each, (kind, power) pieces side by side, with a gap between them."""
    whole = max([1.0, *(sum(power for _, power in row) for row in rows)])
    parts = []
    for line, row in enumerate(rows):
        y, x = 4 + line * 26, float(_LEFT)
        parts.append(filled('<rect class="rail" x="{x}" y="{y}" width="352" height="18" rx="4"/>', x=_LEFT, y=y))
        for kind, power in row:
            width = (WIDTH - 2 * _LEFT) * power / whole
            piece = '<rect class="flow-{kind}" x="{x}" y="{y}" width="{w}" height="18"/>'
            parts.append(filled(piece, kind=kind, x=_n(x), y=y, w=_n(max(0.0, width - 1.5))))
            x += width
    return _svg(name, title, sentence=sentence, height=4 + 26 * len(rows), parts=parts)


class _Plot:
    def __init__(self, scale: PlotScale, height: int, top: float) -> None:
        self.scale = scale
        self.height = height
        self.floor = height - _FOOT
        self.top = top

    def x(self, place: float) -> float:
        return _LEFT + (WIDTH - 2 * _LEFT) * place / max(1, self.scale.places)

    def y(self, value: float) -> float:
        return self.floor - (self.floor - _TOP) * min(max(value / self.top, 0.0), 1.0)

    def grid(self) -> Html:
        both = (self.top, self.top / 2)
        parts = [filled('<path class="grid" d="M4 {y}H356"/>', y=_n(self.y(value))) for value in both]
        parts.append(filled('<path class="floor" d="M4 {y}H356"/>', y=self.floor))
        for place, label in self.scale.ticks:
            anchor = "start" if place <= 0 else "end" if place >= self.scale.places else "middle"
            text = '<text x="{x}" y="{y}" text-anchor="{anchor}">{label}</text>'
            parts.append(filled(text, x=_n(self.x(place)), y=self.height - 4, anchor=anchor, label=label))
        return joined(parts)

    def heights(self) -> Html:
        """What the two lines mean, above everything drawn."""
        text = '<text x="4" y="{y}">{label}</text>'
        both = (self.top, self.top / 2)
        return joined(filled(text, y=_n(self.y(value) - 3), label=self.scale.write(value)) for value in both)

    def column(self, place: float, value: float, *, width: float, kind: str) -> Html:
        left, top = self.x(place), self.y(value)
        shape = '<rect class="fill-{kind}" x="{x}" y="{y}" width="{w}" height="{h}"/>'
        w = self.x(place + width) - left
        return filled(shape, kind=kind, x=_n(left), y=_n(top), w=_n(w), h=_n(max(0.6, self.floor - top)))

    def steps(self, values: Series, *, is_closed: bool) -> str:
        path, at = [], 0
        for is_known, group in groupby(values, key=lambda value: value is not None):
            run = list(group)
            if is_known:
                left = _n(self.x(at))
                start = f"M{left} {self.floor}V" if is_closed else f"M{left} "
                levels = [f"{_n(self.y(value or 0))}H{_n(self.x(at + i + 1))}" for i, value in enumerate(run)]
                path.append(start + "V".join(levels) + (f"V{self.floor}Z" if is_closed else ""))
            at += len(run)
        return "".join(path)


def _known(values: Series) -> list[float]:
    return [value for value in values if value is not None]


def _n(value: float) -> str:
    """A coordinate with at most one decimal, never minus zero."""
    return f"{round(value, 1) + 0.0:g}"


def _svg(name: str, title: str, *, sentence: str, height: int, parts: Sequence[Html]) -> Html:
    head = (
        '<svg class="chart" id="{name}" viewBox="0 0 360 {height}" role="img" aria-labelledby="{name}-t {name}-d">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{sentence}</desc>{parts}</svg>'
    )
    return filled(head, name=name, title=title, sentence=sentence, height=height, parts=joined(parts))
