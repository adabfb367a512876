"""docs/scale.md: reads the figures it states, and writes its tables from them. They stand nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np

from tests.benchmarks.scale.arrivals import back_in_step_s
from tests.benchmarks.scale.costs import NAMES, SEED, Bill, Figures, bill
from tests.benchmarks.scale.storm import Outcome, Storm, simulate

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
TABLES: Final = ("machines", "cores", "storms")
_FIGURE = re.compile(r"^\| `(?P<name>\w+)` \| (?P<value>[0-9][0-9,.]*) \|", re.MULTILINE)


def stated(text: str) -> Figures:
    """The figures in the page's own tables. Raises: ValueError that names one that is missing or stands twice."""
    found = [(each["name"], float(each["value"].replace(",", ""))) for each in _FIGURE.finditer(text)]
    names = [name for name, _ in found]
    for name in NAMES:
        if names.count(name) != 1:
            raise ValueError(f"the page states {name} {names.count(name)} times, and once is needed")
    return Figures(**{name: value for name, value in found if name in NAMES})


def with_figures(text: str, measured: Mapping[str, float]) -> str:
    """The page with these values in place of those it states."""
    for name, value in measured.items():
        shown = f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
        text, count = re.subn(rf"(?m)^(\| `{name}` \| )[0-9][0-9,.]*( \|)", rf"\g<1>{shown}\g<2>", text)
        if count != 1:
            raise ValueError(f"the page states {name} {count} times, and once is needed")
    return text


def with_tables(text: str) -> str:
    """The page with its tables as they follow from the figures it states."""
    tables = written(stated(text))
    for name in TABLES:
        marks = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = marks.subn(lambda found, table=tables[name]: f"{found[1]}{table}\n{found[2]}", text)
        if count != 1:
            raise ValueError(f"the page has {count} places for the table {name}, and one is needed")
    return text


def written(figures: Figures) -> dict[str, str]:
    """Each table as Markdown."""
    bills = [bill(homes, figures) for homes in SIZES]
    return {
        "machines": _table(
            ("homes", "machines", "memory", "disk", "euros a month", "a home"),
            [
                (
                    f"{each.homes:,}",
                    str(each.machines),
                    f"{_two(each.memory_gb)} GB",
                    f"{_two(each.disk_gb)} GB",
                    _two(each.euros),
                    f"{each.euros / each.homes:.3f}",
                )
                for each in bills
            ],
        ),
        "cores": _table(
            ("homes", "Mosquittos", "intake workers", *(f"cores: {role}" for role in bills[0].cores)),
            [
                (f"{each.homes:,}", str(each.brokers), str(each.workers), *(_two(c) for c in each.cores.values()))
                for each in bills
            ],
        ),
        "storms": _table(
            (
                "homes",
                "asked to come back within, to send within",
                "connections a second",
                "all stored after",
                "longest queue",
                "receipts of the others, 99 %",
                "slot's end: last receipt",
                "all homes away: stored after",
                "as it was before: connections, gave up",
            ),
            [_storm_row(each, figures) for each in bills],
        ),
    }


def _storm_row(each: Bill, figures: Figures) -> tuple[str, ...]:
    before = in_step(each, figures)
    return (
        f"{each.homes:,}",
        f"{each.within_s:,} s, {each.spread_s} s",
        _two(each.region.most_connections_a_second),
        _time(each.region.caught_up_s),
        _two(each.region.longest_queue),
        _time(each.region.live_receipt_s[1]),
        _time(each.slot_end.most_s),
        _time(each.everywhere.caught_up_s),
        f"{_two(before.most_connections_a_second)}, {_two(before.gave_up)}",
    )


def in_step(each: Bill, figures: Figures) -> Outcome:
    """The same region's return as it was when all waits were equal and nothing was spread."""
    away = each.homes // 10
    storm = Storm(each.homes, away, 86_400, 0, each.workers, each.broker_cores)
    return simulate(storm, back_in_step_s(away), figures.work, np.random.default_rng(SEED))


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _two(value: float) -> str:
    """Two digits that count: more would promise what no model keeps."""
    if 0 < value < 0.001:
        return "under 0.001"
    if value < 1:
        return f"{value:.2g}"
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def _time(seconds: float) -> str:
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{_two(seconds / 60)} min" if seconds < 7200 else f"{_two(seconds / 3600)} h"


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """For a program to read."""
    return asdict(outcome)
