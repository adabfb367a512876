"""How the cost of each page and job grows with homes and with history: CPU on grown stores, as ratios within one run.

A page about one home may not grow with either; a job that reads all homes may grow with their number, but not with the
years. Exponents are of the growth from the smaller to the larger store. Run it alone with
`python -m tests.benchmarks growth`, or for other sizes with `python -m tests.benchmarks.bench_growth 12x31 1000x31`.
"""

import asyncio
import gc
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.growth.grown_store import Size, grown_store
from tests.benchmarks.growth.walked_jobs import jobs_cost
from tests.benchmarks.growth.walked_pages import OWN_PAGES, pages_ms

YOUNG: Final = Size(100, 90)
OLD: Final = Size(100, 365)
SMALL: Final = Size(12, 90)
SIZES: Final = (SMALL, YOUNG, OLD)
"""The young ones are old enough for every check of the night, some of which compare 70 days."""

FEW: Final = Size(12, 31)
MANY: Final = Size(1000, 31)
"""A month each, of which only the pages are asked for."""

PAGED: Final = ("/board/fleet", "/board/runs")

OF_THE_STREET: Final = frozenset({"/", "/credits", "/rules", "/changes"})
"""Pages whose content is the whole co-op's, or whose numbers come from every home's."""

BARS = {
    "own_page_homes_ratio": 1.5,
    "own_page_years_ratio": 1.5,
    "job_years_exponent": 0.1,
    "job_homes_exponent": 1.05,
    "night_commits": 100,
    "own_page_1000_homes_ratio": 1.2,
    "fleet_1000_homes_ratio": 2.0,
    "runs_1000_homes_ratio": 2.0,
}


def measure(sizes: Sequence[Size] = SIZES) -> dict[str, object]:
    """Milliseconds of every page and job on each store, and how they grow between the stores."""
    found = {size: asyncio.run(_costs(size)) for size in sizes}
    if set(SIZES) <= set(sizes):
        found |= {size: asyncio.run(_costs(size, with_jobs=False)) for size in (FEW, MANY) if size not in found}
    figures: dict[str, object] = {
        f"{size.name} {name}": round(value, 1) for size, costs in found.items() for name, value in costs.items()
    }
    if set(SIZES) <= set(sizes):
        figures |= _growth(found[SMALL], found[YOUNG], found[OLD])
    return figures | _of_many_homes(found)


def _of_many_homes(found: Mapping[Size, Mapping[str, float]]) -> dict[str, float]:
    """Each page at a thousand homes by the same page at twelve, for each number of days of which both were made."""
    ratios: dict[str, float] = {}
    for many in (size for size in found if size.homes == MANY.homes):
        few = found.get(Size(FEW.homes, many.days))
        if few is None:
            continue
        pages = [page for page in found[many] if page.startswith("/")]
        ratios |= {f"{many.days}_days {page} 1000_homes_ratio": found[many][page] / few[page] for page in pages}
        ratios["own_page_1000_homes_ratio"] = max(found[many][page] / few[page] for page in OWN_PAGES)
        ratios["fleet_1000_homes_ratio"], ratios["runs_1000_homes_ratio"] = [
            found[many][page] / few[page] for page in PAGED
        ]
    return ratios


def _growth(small: Mapping[str, float], young: Mapping[str, float], old: Mapping[str, float]) -> dict[str, float]:
    own = [page for page in OWN_PAGES if page not in OF_THE_STREET and not page.startswith("/credits/")]
    jobs = [name for name in old if name.startswith("job ") and not name.endswith("commits")]
    years, homes = math.log(OLD.days / YOUNG.days), math.log(YOUNG.homes / SMALL.homes)
    return {
        "own_page_homes_ratio": sum(young[page] for page in own) / sum(small[page] for page in own),
        "own_page_years_ratio": sum(old[page] for page in own) / sum(young[page] for page in own),
        "job_years_exponent": math.log(sum(old[job] for job in jobs) / sum(young[job] for job in jobs)) / years,
        "job_homes_exponent": math.log(sum(young[job] for job in jobs) / sum(small[job] for job in jobs)) / homes,
        "night_commits": old["job night commits"],
    }


async def _costs(size: Size, *, with_jobs: bool = True) -> dict[str, float]:
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
        print(f"{figure}: {value:.4g}" if isinstance(value, float) else f"{figure}: {value}")
