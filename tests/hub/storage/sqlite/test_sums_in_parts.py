"""Sums over homes come out the same however many rows SQLite may sort at once, which it does in the hub's memory."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from hub.storage.records import Access
from hub.storage.sqlite.dialect import SQLITE
from hub.storage.sqlite.threads import connection
from protocols.quantities import Measure
from protocols.slots import slots_of_day
from tests.hub.settled_street import COOP, open_street

DAY = date(2026, 6, 1)
GRID = (Measure.GRID_IMPORT, Measure.GRID_EXPORT)
ACCESS = Access("job:forecast", "job", "forecast.hood")


async def test_sums_over_homes_are_the_same_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    street = await open_street(tmp_path, homes=4)
    await street.arrive_days([DAY])
    slots = slots_of_day(DAY, COOP.tz)
    found = []
    for most in (1, 7, 4 * 10, 4 * len(slots), 0):
        monkeypatch.setattr(connection, "SQLITE", replace(SQLITE, most_sorted=most))
        series = await street.store.hood_series(GRID, slots=slots, access=ACCESS)
        found.append([(series[m].energy_wh.tolist(), series[m].homes.tolist()) for m in GRID])
    await street.store.close()
    whole = [
        ([sum(street.energy(n, slot)[side] for n in range(1, 5)) for slot in slots], [4] * len(slots))
        for side in range(2)
    ]
    assert found == [whole] * 5
