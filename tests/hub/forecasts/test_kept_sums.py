"""Sums kept from hour to hour equal those read at once, whatever arrives late, and only what is new is read again."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.forecasts.kept_sums import KeptSums
from hub.storage.records import Access, HoodSeries, ReadingRow
from hub.storage.sqlite.store import SqliteStore
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot
from tests.hub.settled_street import Street, open_street

ACCESS = Access(actor="job:forecast", role="job", purpose="forecast.hood")
GRID = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
START: Slot = 1_980_000
BACK = 400


class CountedReads:
    """The store, and how many slots of each measure were read from it."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.reads: list[range] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def hood_series(self, *asked: Any, slots: range, **more: Any) -> dict[Measure, HoodSeries]:
        self.reads.append(slots)
        return await self._store.hood_series(*asked, slots=slots, **more)


async def assert_same(street: Street, kept: KeptSums, homes: tuple[str, ...], slots: range) -> None:
    wanted = dict.fromkeys(GRID, homes)
    found = await kept.read(wanted, slots=slots, access=ACCESS)
    afresh = await KeptSums(street.store).read(wanted, slots=slots, access=ACCESS)
    for measure in GRID:
        np.testing.assert_array_equal(found[measure].energy_wh, afresh[measure].energy_wh)
        np.testing.assert_array_equal(found[measure].homes, afresh[measure].homes)


def daily_sum(street: Street, number: int, slot: Slot) -> Any:
    """A day of one home as one value, which arrives at its end."""
    message = street.message(number, slot)
    row = ReadingRow(f"h{number:02d}", Measure.GRID_IMPORT, slot, 96, 9_600 + number, Mark.MEASURED, Gap.NONE)
    return replace(message, readings=(row,))


@pytest.mark.parametrize("seed", range(6))
async def test_kept_sums_equal_those_read_at_once(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    street = await open_street(tmp_path, homes=6)
    kept, waiting = KeptSums(street.store), list[tuple[int, Slot]]()
    for hour in range(14):
        end = START + 4 * hour * dice.choice((1, 1, 7))
        waiting += [(number, end - 4 + n) for n in range(4) for number in range(1, 6)]
        dice.shuffle(waiting)
        late = dice.randrange(len(waiting) // 2 + 1)
        held = sorted({*waiting[late:]}, key=lambda each: dice.random())
        await street.arrive(held)
        waiting = waiting[:late]
        if dice.random() < 0.4:
            await street.store.store_messages([daily_sum(street, 6, end - dice.randrange(1, 300))])
        homes = ("h01", "h02", "h03", "h04", "h05", "h06") if hour % 5 else ("h02", "h03", "h06")
        await assert_same(street, kept, homes, range(end - BACK, end))
    await street.store.close()


async def test_an_hour_later_only_what_came_is_read(tmp_path: Path) -> None:
    street = await open_street(tmp_path, homes=5)
    counted = CountedReads(street.store)
    kept = KeptSums(counted)  # type: ignore[arg-type] # it is the store, with one method counted
    homes = dict.fromkeys(GRID, ("h01", "h02", "h03", "h04", "h05"))
    await street.arrive((number, slot) for slot in range(START - BACK, START) for number in range(1, 6))
    await kept.read(homes, slots=range(START - BACK, START), access=ACCESS)
    assert counted.reads == [range(START - BACK, START)]
    counted.reads.clear()
    await street.arrive((number, slot) for slot in range(START, START + 4) for number in range(1, 5))
    await kept.read(homes, slots=range(START - BACK + 4, START + 4), access=ACCESS)
    assert counted.reads == [range(START, START + 4)]
    counted.reads.clear()
    await street.arrive([(5, START - 300), (5, START)])
    await kept.read(homes, slots=range(START - BACK + 8, START + 8), access=ACCESS)
    assert counted.reads == [range(START - 300, START - 299), range(START, START + 8)]
    counted.reads.clear()
    await kept.read(dict.fromkeys(GRID, ("h01", "h02")), slots=range(START - BACK + 8, START + 8), access=ACCESS)
    assert counted.reads == [range(START - BACK + 8, START + 8)], "other homes than before: nothing kept is theirs"
    await street.store.close()


async def test_every_home_whose_values_are_read_gets_its_line_first(tmp_path: Path) -> None:
    street = await open_street(tmp_path, homes=5)
    await street.arrive((number, slot) for slot in range(START, START + 8) for number in range(1, 6))
    kept = KeptSums(street.store)
    homes = dict.fromkeys(GRID, ("h01", "h02", "h03"))
    await kept.read(homes, slots=range(START, START + 4), access=ACCESS)
    await kept.read(homes, slots=range(START, START + 8), access=ACCESS)
    lines = {home: await street.store.access_rows(home, limit=5) for home in ("h01", "h03", "h04")}
    assert [(row.count, row.rows) for row in lines["h01"]] == [(2, 16)]
    assert [(row.count, row.rows) for row in lines["h03"]] == [(2, 16)]
    assert lines["h04"] == ()
    await street.store.close()
