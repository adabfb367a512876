"""How the cost of each page and job grows with homes and with history: CPU on grown stores, as ratios within one run.

A page about one home may grow with neither; a job that reads all homes may grow with their number, but not with the
years. An exponent is the slope of cost over size, both as logarithms, through all stores that differ in that size
alone. Run it with `python -m tests.benchmarks growth` (about ten minutes of CPU, and 4 GB of disk while it runs), or
for other sizes with `python -m tests.benchmarks.bench_growth 12x31 1000x31`.
"""

import asyncio
import gc
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tests.benchmarks.growth.grown_store import Size, grown_store
from tests.benchmarks.growth.walked_jobs import jobs_cost
from tests.benchmarks.growth.walked_pages import BOARD_PAGES, FIRST_LOOK, OF_BILLED_MONTH, OWN_PAGES, pages_ms

DAYS: Final = 120
"""Old enough for every check of the night, some of which compare 70 days, and for three billed months."""

BY_HOMES: Final = (Size(12, DAYS), Size(100, DAYS), Size(1000, DAYS))
BY_AGE: Final = (Size(12, 30), Size(12, DAYS), Size(12, 365))
SIZES: Final = tuple(dict.fromkeys((*BY_HOMES, *BY_AGE)))
OLD_ENOUGH_DAYS: Final = 90
"""Of the benchmark's own, younger stores are asked for pages alone: the night's checks do less there than later."""

FLEET, RUNS = "/board/fleet", "/board/runs"

Costs = Mapping[str, float]

BARS = {
    "own_page_homes_ratio": 1.2,
    "fleet_homes_ratio": 2.0,
    "runs_homes_ratio": 2.0,
    "own_page_homes_exponent": 1.05,
    "board_page_homes_exponent": 1.05,
    "job_homes_exponent": 1.05,
    "own_page_age_exponent": 0.1,
    "job_age_exponent": 0.1,
    "night_commits": 100,
}


def measure(sizes: Sequence[Size] = SIZES) -> dict[str, object]:
    """Milliseconds of every page and job on each store, and how they grow between the stores."""
    with_jobs = {size: sizes is not SIZES or size.days >= OLD_ENOUGH_DAYS for size in sizes}
    found = {size: asyncio.run(_costs(size, with_jobs=with_jobs[size])) for size in sizes}
    figures: dict[str, object] = {
        f"{size.name} {name}": round(value, 1) for size, costs in found.items() for name, value in costs.items()
    }
    if set(SIZES) <= set(sizes):
        figures |= _growth([found[size] for size in BY_HOMES], [found[size] for size in BY_AGE])
    return figures


def _growth(by_homes: Sequence[Costs], by_age: Sequence[Costs]) -> dict[str, object]:
    """The figures with a bar, with the pages that are the worst, and every page's own."""
    few, many = by_homes[0], by_homes[-1]
    homes, aged = (
        [size.homes for size in BY_HOMES],
        [(size.days, cost) for size, cost in zip(BY_AGE, by_age, strict=True)],
    )
    pages = [*OWN_PAGES, *BOARD_PAGES, FIRST_LOOK]
    ratios = {page: many[page] / few[page] for page in pages}
    in_homes = {page: _exponent(homes, [costs[page] for costs in by_homes]) for page in pages}
    in_age = {
        page: _exponent(*zip(*((size, costs[page]) for size, costs in aged if _holds(page, size)), strict=True))
        for page in pages
    }
    jobs = [name for name in many if name.startswith("job ") and not name.endswith("commits")]
    worst_homes, worst_age = max(OWN_PAGES, key=ratios.__getitem__), max(OWN_PAGES, key=in_age.__getitem__)
    old = [(days, costs) for days, costs in aged if days >= OLD_ENOUGH_DAYS]
    figures: dict[str, object] = {f"{page} homes_ratio": round(ratio, 2) for page, ratio in ratios.items()}
    figures |= {f"{page} homes_exponent": round(value, 3) for page, value in in_homes.items()}
    figures |= {f"{page} age_exponent": round(value, 3) for page, value in in_age.items()}
    return figures | {
        "own_page_homes_ratio": ratios[worst_homes],
        "own_page_homes_ratio_is_of": worst_homes,
        "fleet_homes_ratio": ratios[FLEET],
        "runs_homes_ratio": ratios[RUNS],
        "own_page_homes_exponent": max(in_homes[page] for page in OWN_PAGES),
        "board_page_homes_exponent": max(in_homes[page] for page in BOARD_PAGES),
        "own_page_age_exponent": in_age[worst_age],
        "own_page_age_exponent_is_of": worst_age,
        "job_homes_exponent": _exponent(homes, [sum(costs[job] for job in jobs) for costs in by_homes]),
        "job_age_exponent": _exponent([size for size, _ in old], [sum(costs[job] for job in jobs) for _, costs in old]),
        "night_commits": many["job night commits"],
    }


def _holds(page: str, days: int) -> bool:
    """Whether a history of so many days has all that the page shows: not half a month."""
    return page not in OF_BILLED_MONTH or days >= OLD_ENOUGH_DAYS


def _exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """By least squares: 0 is the same cost at every size, 1 a cost that grows with it."""
    slope, _ = np.polyfit([math.log(size) for size in sizes], [math.log(cost) for cost in costs], 1)
    return float(slope)


async def _costs(size: Size, *, with_jobs: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = await grown_store(Path(folder), size)
        pages = await pages_ms(store)
        jobs = await jobs_cost(store, homes=size.homes) if with_jobs else {}
        await store.close()
    gc.collect()
    costs = {f"job {name}": cost.ms for name, cost in jobs.items()}
    return pages | costs | {f"job {name} commits": cost.commits for name, cost in jobs.items()}


def _sizes(texts: Sequence[str]) -> list[Size]:
    return [Size(*(int(part) for part in text.split("x"))) for text in texts]


if __name__ == "__main__":
    for figure, value in measure(_sizes(sys.argv[1:]) or SIZES).items():
        print(f"{figure}: {value:.4g}" if isinstance(value, float) else f"{figure}: {value}", flush=True)
