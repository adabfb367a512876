"""Trials read each day as members see it: what corrects one home stays out, what corrects five comes in."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from hub.books.days import settle_day
from hub.books.period import SettledPeriod
from hub.core.settlement.period import settle
from hub.statements.shown_period import ShownPeriods
from hub.storage.records import Access
from protocols.slots import slots_of_day
from tests.hub.settled_street import COOP, RULE, Street, arrivals_of, one_sun_wh, open_street

HOMES, DAY = 12, date(2026, 5, 31)
NOON = slots_of_day(DAY, COOP.tz).start + 48
ACCESS = Access(actor="job:test", role="job", purpose="settle.share")


@pytest.fixture(params=[1, 4])
async def street(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Street]:
    street = await open_street(tmp_path, homes=HOMES, rule=replace(RULE, aggregate=request.param), energy=one_sun_wh)
    yield street
    await street.store.close()


async def settle_with_late(street: Street, late: Iterable[int]) -> tuple[SettledPeriod, SettledPeriod, SettledPeriod]:
    """What trials read when the day is settled, when the late readings of noon are there, and when they are settled."""
    missing = {(number, NOON) for number in late}
    await street.arrive(each for each in arrivals_of(DAY, HOMES) if each not in missing)
    await settle_day(street.store, day=DAY, made_at=1)
    first = await read(street)
    await street.arrive(sorted(missing))
    waiting = await read(street)
    assert (await settle_day(street.store, day=DAY, made_at=2)).booked > 0
    return first, waiting, await read(street)


async def read(street: Street) -> SettledPeriod:
    return await ShownPeriods(street.store).read(first=DAY.replace(day=30), last=DAY, access=ACCESS)


def energies(period: SettledPeriod) -> list[list[list[int]]]:
    return [values.tolist() for part in period.parts for values in (part.surplus_wh, part.demand_wh)]


async def test_one_late_home_changes_no_trial(street: Street) -> None:
    first, waiting, later = await settle_with_late(street, [3])
    assert first.days == (DAY.isoformat(),)
    assert first.left_out == ("2026-05-30",)
    if first.current[0].rule.aggregate == 4:  # the run has sums of hours only, so the day is left out from now on
        assert waiting.days == later.days == ()
        return
    assert energies(first) == energies(waiting) == energies(later)
    assert first.digests == waiting.digests == later.digests


async def test_five_late_homes_on_both_sides_are_counted_once_they_are_settled(street: Street) -> None:
    first, _, later = await settle_with_late(street, range(1, HOMES))
    assert later.days == first.days
    assert energies(later) != energies(first)
    assert later.current[0].present.all()


async def test_settling_what_was_read_gives_the_run_again(street: Street) -> None:
    first, _, later = await settle_with_late(street, [3])
    for period in (first, later):
        for part, run in zip(period.parts, period.current, strict=True):
            again = settle(part, run.rule)
            assert np.array_equal(again.alloc_wh, run.alloc_wh)
            assert np.array_equal(again.sold_wh, run.sold_wh)
            assert np.array_equal(again.present, run.present)


async def test_every_home_is_told_of_the_reading(street: Street) -> None:
    await settle_with_late(street, [3])
    for home in await street.store.homes():
        rows = await street.store.access_rows(home.id, limit=100)
        assert any(row.actor == "job:test" for row in rows)
