"""The board's report: what is missing is counted slot by slot with its reason, messages as held, runs by their kind."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.board.report import make_report
from hub.books.days import settle_day
from hub.forecasts.street_totals import day_group
from hub.storage.records import ForecastRow
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import Slot, slots_of_day
from tests.hub.forecasts.test_street_totals import pv_wh, send
from tests.hub.settled_street import COOP, KEY, Street, energy_wh, open_street

DAY = date(2026, 3, 2)
FIRST = slots_of_day(DAY, "Europe/Madrid").start


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    one = await open_street(tmp_path, homes=2)
    yield one
    await one.store.close()


async def told(street: Street, number: int, slot: Slot, gaps: dict[Measure, Gap], *, epoch: int = 1) -> None:
    """A batch in which these measures are missing for these reasons."""
    message = street.message(number, slot)
    readings = tuple(
        row._replace(energy_wh=None, mark=Mark.MISSING, gap=gaps[row.measure]) if row.measure in gaps else row
        for row in message.readings
    )
    await street.store.store_messages([replace(message, readings=readings, epoch=epoch)])


async def reported(street: Street, part: str) -> Any:
    return (await make_report(street.store, first=DAY, last=DAY))[part]


async def test_a_whole_day_misses_nothing(street: Street) -> None:
    await street.arrive_days([DAY])
    found = await reported(street, "readings")
    assert found["missing"] == {"by_reason": {}, "without_reason": 0}
    assert found["by_mark"] == {"present": 192}


async def test_each_missing_slot_counts_once_with_its_reason_and_what_never_came_has_none(street: Street) -> None:
    left_out = {(1, FIRST), (1, FIRST + 1), (2, FIRST), (2, FIRST + 7)}
    await street.arrive_days([DAY], without=left_out)
    both = dict.fromkeys((Measure.GRID_IMPORT, Measure.GRID_EXPORT), Gap.AGENT_OFF)
    await told(street, 1, FIRST, both)
    await told(street, 1, FIRST + 1, {Measure.GRID_EXPORT: Gap.DEVICE_SILENT})
    await told(street, 2, FIRST, {Measure.GRID_IMPORT: Gap.DEVICE_SILENT})
    found = await reported(street, "readings")
    assert found["missing"] == {
        "by_reason": {Gap.AGENT_OFF.label: 1, Gap.DEVICE_SILENT.label: 2},
        "without_reason": 1,
    }
    assert (found["by_mark"]["missing"], found["by_mark"]["waiting"]) == (3, 1)


async def test_another_measures_reason_does_not_stand_for_the_grid_meters(street: Street) -> None:
    await street.arrive_days([DAY], without={(1, FIRST)})
    message = street.message(1, FIRST)
    sun = message.readings[0]._replace(
        measure=Measure.PV_PRODUCTION, energy_wh=None, mark=Mark.MISSING, gap=Gap.DEVICE_SILENT
    )
    await street.store.store_messages([replace(message, readings=(sun,))])
    found = await reported(street, "readings")
    assert found["gaps"] == {Gap.DEVICE_SILENT.label: 1}
    assert found["missing"] == {"by_reason": {}, "without_reason": 1}


async def test_the_look_at_the_homes_stands_in_their_logs(street: Street) -> None:
    await street.arrive_days([DAY])
    await make_report(street.store, first=DAY, last=DAY)
    for home in ("h01", "h02"):
        assert "job:report" in {row.actor for row in await street.store.access_rows(home, limit=50)}


async def test_a_second_epoch_counts_its_messages_too(street: Street) -> None:
    await street.arrive_days([DAY], without={(1, FIRST + 95)})
    message = street.message(1, FIRST + 95)
    await street.store.store_messages([replace(message, epoch=2, seq=1)])
    found = await reported(street, "messages")
    assert found["stored"] == 192
    assert found["through"]["a-01"] == {"epoch": 2, "seq": 1}


async def test_runs_are_counted_by_kind(street: Street) -> None:
    await street.arrive_days([DAY], without={(1, FIRST)})
    await settle_day(street.store, day=DAY, made_at=1, key=KEY)
    first = (await reported(street, "settlement"))["runs"]
    assert first["D"]["days"] == 1
    assert first["D"]["entries"] == (await reported(street, "ledger"))["entries"] > 0
    await street.arrive([(1, FIRST)])
    await settle_day(street.store, day=DAY, made_at=2, kind="M1", key=KEY)
    runs = (await reported(street, "settlement"))["runs"]
    assert runs["D"] == first["D"]
    assert runs["M1"]["days"] == 1
    assert sum(run["entries"] for run in runs.values()) == (await reported(street, "ledger"))["entries"]


async def test_each_kind_of_run_has_a_hash_over_its_last_results(street: Street) -> None:
    await street.arrive_days([DAY], without={(1, FIRST)})
    await settle_day(street.store, day=DAY, made_at=1, key=KEY)
    first = await reported(street, "settlement")
    assert first["runs"]["D"]["hash"] == first["hash"]
    await street.arrive([(1, FIRST)])
    await settle_day(street.store, day=DAY, made_at=2, kind="M1", key=KEY)
    both = await reported(street, "settlement")
    assert both["runs"]["D"]["hash"] == first["hash"], "what D settled stays"
    assert both["runs"]["M1"]["hash"] == both["hash"] != first["hash"]


async def test_a_forecast_is_compared_with_what_it_was_made_of_and_one_turbine_is_withheld(
    tmp_path: Path,
) -> None:
    street = await open_street(tmp_path, homes=12)
    day = slots_of_day(DAY, COOP.tz)

    def turbines(slots: range, homes: range) -> None:
        for slot in slots:
            for n in homes:
                street.made[n, slot] = {Measure.PV_PRODUCTION: pv_wh(n, slot), Measure.WIND_PRODUCTION: 300 + slot % 7}

    before = range(day.start - 2 * 96, day.start)
    turbines(before, range(1, 2))
    await send(street, range(1, 12), before, sharing=True)
    assert len(await day_group(street.store, day.start, tz=COOP.tz)) == 11
    # On the day itself a home joins, and five more report a turbine.
    turbines(day, range(1, 7))
    await send(street, range(1, 13), day, sharing=True)
    net = [
        max(sum(energy_wh(n, slot)[0] - energy_wh(n, slot)[1] + pv_wh(n, slot) for n in range(1, 12)), 0)
        for slot in day
    ]
    levels = (0.1, 0.5, 0.9)
    for target, values in (("demand", np.array(net, dtype=np.float64)), ("wind", np.full(len(day), 400.0))):
        energy = values[:, None] * np.array([0.9, 1.0, 1.1])
        row = ForecastRow(target, day.start, day.start, levels, energy, "ridge", "why", (), None)
        await street.store.add_forecasts([row])
    demand, wind = await reported(street, "forecasts")
    await street.store.close()
    assert (demand["nmae"], demand["inside_80_percent_band"], demand["slots"]) == (0.0, 1.0, 96)
    assert demand["left_in_use"] == ["wind"]
    assert (wind["withheld"], wind["nmae"], wind["nmae_yesterday"], wind["slots"]) == (True, None, None, 0)
