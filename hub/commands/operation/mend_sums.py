"""`commonwatt-hub mend-sums`: makes the sums of hours, days and months again that are not those of the readings.

It works while the hub runs: a few sums in each commit, with a pause after it. Readings and messages stay as they are.
"""

import argparse
import asyncio
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from hub.books.period_sums import PAUSE_S
from hub.console.progress import Progress, ReportProgress, ignore_progress
from hub.folder.clock import open_clock
from hub.folder.opening import opened_hub
from hub.storage.contract import Store
from hub.verify.homes.period_sums import WrongSum, find_ends, find_wrong_sums
from protocols.timeline import Clock

AT_ONCE: Final = 500
"""Sums in one commit: other writers wait no longer than that."""


@dataclass(slots=True)
class Mended:
    """How many sums were not those of the readings, and of how many homes the sums were said to be made too far."""

    sums: int = 0
    homes: int = 0


def add_arguments(_: argparse.ArgumentParser) -> None:
    """It has no arguments of its own."""


def run(args: argparse.Namespace) -> int:
    """Make again what is wrong, and say how many sums that were."""
    progress = Progress(sys.stderr)
    mended = asyncio.run(_mend(args.data, clock=open_clock(args.clock), report=progress.report))
    progress.end()
    if not mended.sums and not mended.homes:
        sys.stdout.write("every sum of an hour, day or month is that of its readings; nothing was changed\n")
        return 0
    sums = "1 sum of an hour, day or month was" if mended.sums == 1 else f"{mended.sums} sums of periods were"
    count = "1 home" if mended.homes == 1 else f"{mended.homes} homes"
    homes = f"; of {count} they were said to be made further than there are readings" if mended.homes else ""
    sys.stdout.write(f"{sums} not those of the readings, and made again from them{homes}\n")
    return 0


async def _mend(folder: Path, *, clock: Clock, report: ReportProgress) -> Mended:
    async with opened_hub(folder, clock=clock) as hub:
        return await mend_sums(hub.store, report=report)


async def mend_sums(store: Store, *, report: ReportProgress = ignore_progress, pause_s: float = PAUSE_S) -> Mended:
    """Make again every sum that is not that of its home's readings, on a hub that may be running."""
    mended = Mended()
    _, impossible = await find_ends(store)
    for home in sorted(impossible):
        await store.correct_sums_through(home)
        mended.homes += 1
    ends, _ = await find_ends(store)
    waiting: list[WrongSum] = []
    async for each in find_wrong_sums(store, ends, report=report):
        waiting.append(each)
        mended.sums += 1
        if len(waiting) == AT_ONCE:
            await _make_again(store, waiting, pause_s=pause_s)
    await _make_again(store, waiting, pause_s=pause_s)
    for home in chain(sorted(impossible & ends.keys()), await store.homes_without_sums()):
        has_more = True
        while has_more:
            has_more = await store.go_on_with_sums(home)
            await asyncio.sleep(pause_s)  # SQLite has no queue of writers: without a pause, others starve
    return mended


async def _make_again(store: Store, waiting: list[WrongSum], *, pause_s: float) -> None:
    if waiting:
        await store.make_sums_again([(each.kind, each.first_slot, each.home) for each in waiting])
        waiting.clear()
        await asyncio.sleep(pause_s)  # as above
