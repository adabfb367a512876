"""What a thousand homes' jobs and pages cost one process each: CPU, commits, memory, how long they stop its event loop.

Old enough for every check of the night, of which one compares 70 days. The store is made by another process, so that
the memory is the work's own; pages are asked for once each, when nobody has looked before.
`python -m tests.benchmarks.bench_jobs 1000x365` measures another size.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.growth.grown_store import Size, grown_store
from tests.benchmarks.growth.walked_jobs import NIGHTLY

WHOLE: Final = Size(1_000, 75)
BARS: Final = {
    "forecast_reading_cpu_s": 1.0,
    "night_cpu_s": 10.0,
    "night_commits": 100,
    "longest_step_ms": 50.0,
}
Costs = Mapping[str, Mapping[str, Any]]


def measure(size: Size = WHOLE) -> dict[str, object]:
    """Of each job and page its figures, and of all the worst; the night is all that a night does."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, "-m", __spec__.name, "fill", f"{size.homes}x{size.days}", name], check=True)
        return of_store(Path(name), size.homes)


def of_store(folder: Path, homes: int) -> dict[str, object]:
    """The figures of a store that is filled."""
    pages, jobs = _costs("pages", folder, homes), _costs("jobs", folder, homes)
    stops = [cost["stops"] for cost in (*pages.values(), *jobs.values())]
    return {
        "homes": homes,
        "forecast_reading_cpu_s": jobs["forecast reading"]["ms"] / 1000,
        "night_cpu_s": sum(jobs[name]["ms"] for name in NIGHTLY) / 1000,
        "night_commits": sum(jobs[name]["commits"] for name in NIGHTLY),
        "longest_step_ms": max(each["step_ms"] for each in stops),
        "longest_wait_ms": max(each["wait_ms"] for each in stops),
        "jobs_rss_mb": max(cost["rss_mb"] for cost in jobs.values()),
        "pages_rss_mb": max(cost["rss_mb"] for cost in pages.values()),
        **{name: _told(cost) for name, cost in (*jobs.items(), *pages.items())},
    }


def _costs(what: str, folder: Path, homes: int) -> Costs:
    words = [sys.executable, "-m", "tests.benchmarks.growth.own_process", what, str(folder), str(homes)]
    found: Costs = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return found


def _told(cost: Mapping[str, Any]) -> str:
    stops = cost["stops"]
    return (
        f"{cost['ms']:.0f} ms, {cost['commits']} commits, longest step {stops['step_ms']:.0f} ms,"
        f" longest wait {stops['wait_ms']:.0f} ms, {cost['rss_mb']:.0f} MB"
    )


def _size(text: str) -> Size:
    homes, days = text.split("x")
    return Size(int(homes), int(days))


async def _fill(folder: Path, size: Size) -> None:
    await (await grown_store(folder, size)).close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        asyncio.run(_fill(Path(sys.argv[3]), _size(sys.argv[2])))
    else:
        for figure, value in measure(*map(_size, sys.argv[1:2])).items():
            print(f"{figure}: {value:.4g}" if isinstance(value, float) else f"{figure}: {value}")
