"""A process of its own that runs every job on a store, or shows every page, and prints what each cost.

`python -m tests.benchmarks.growth.own_process jobs|pages FOLDER HOMES`; the jobs change the store.
"""

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from hub.storage.sqlite.store import SqliteStore
from tests.benchmarks.growth.grown_store import NOW_S
from tests.benchmarks.growth.stopped_loop import forget_most_rss, most_rss_mb, watched
from tests.benchmarks.growth.walked_jobs import Cost, jobs_cost
from tests.benchmarks.growth.walked_pages import walked_pages


async def main(what: str, folder: Path, *, homes: int) -> dict[str, object]:
    """The cost of each by its name."""
    store = await SqliteStore.open(folder / "hub.sqlite", now=lambda: float(NOW_S))
    gc.freeze()  # as each part of a hub does
    try:
        found = await (jobs_cost(store, homes=homes) if what == "jobs" else _first_views(store))
        return {name: asdict(cost) for name, cost in found.items()}
    finally:
        await store.close()


async def _first_views(store: SqliteStore) -> dict[str, Cost]:
    """Each page when nobody has asked for it before, which costs the most."""
    found = {}
    async for page, ask in walked_pages(store):
        before = store.commits
        forget_most_rss()
        began_s = time.process_time()
        stops = await watched(ask)
        found[page] = Cost(1000 * (time.process_time() - began_s), store.commits - before, stops, most_rss_mb())
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), homes=int(sys.argv[3])))))
