"""Old forecasts and weather are thinned by their rule: what the report and the quality check read of them stays."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from hub.forecasts.thinning import KEPT_WHOLE_DAYS, ThinningJob
from hub.storage.records import ForecastRow
from hub.storage.sqlite.store import SqliteStore
from protocols.slots import day_of, slots_of_day, start_of
from tests.hub.new_store import open_new_store

TZ = "Europe/Madrid"
TODAY = date(2026, 4, 20)
"""The clocks went forward 22 days before: the old days are still on winter time."""

DUE_S = start_of(slots_of_day(TODAY, TZ).start) + 5_400
OLD, YOUNG = TODAY - timedelta(days=KEPT_WHOLE_DAYS + 2), TODAY - timedelta(days=KEPT_WHOLE_DAYS)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_new_store(tmp_path / "hub.sqlite", now=lambda: float(DUE_S))
    yield opened
    await opened.close()


def forecast(target: str, slot: int) -> ForecastRow:
    energy = np.full((8, 3), float(slot))
    return ForecastRow(target, slot, slot, (0.1, 0.5, 0.9), energy, "ridge", "a reason", (), None)


async def issues(store: SqliteStore) -> list[tuple[str, int]]:
    return list(await store.forecast_issues(before=2**40))


async def test_of_an_old_day_the_first_forecast_of_each_target_stays(store: SqliteStore) -> None:
    old, young = slots_of_day(OLD, TZ), slots_of_day(YOUNG, TZ)
    late_night = old.stop - 4
    slots = [*range(old.start + 2, old.stop, 4), *range(young.start, young.stop, 4), late_night]
    await store.add_forecasts([forecast(target, slot) for slot in slots for target in ("demand", "pv")])
    before = await store.forecasts_covering("demand", slots=old)
    await ThinningJob(store, tz=TZ)(DUE_S)
    kept = [old.start + 2, *range(young.start, young.stop, 4)]
    assert await issues(store) == [(target, slot) for target in ("demand", "pv") for slot in kept]
    (shown,) = [row for row in await store.forecasts_covering("demand", slots=old) if row.issued_slot >= old.start]
    assert shown.issued_slot == next(row.issued_slot for row in before if row.issued_slot >= old.start)
    assert shown.energy_wh.tolist() == before[0].energy_wh.tolist()


async def test_a_second_run_and_a_store_without_forecasts_remove_nothing(store: SqliteStore) -> None:
    job = ThinningJob(store, tz=TZ)
    await job(DUE_S)
    await store.add_forecasts([forecast("demand", slot) for slot in slots_of_day(OLD, TZ)])
    await job(DUE_S)
    kept, commits = await issues(store), store.commits
    await job(DUE_S)
    assert (await issues(store), store.commits, len(kept)) == (kept, commits, 1)


async def test_a_backlog_of_years_goes_in_pieces(store: SqliteStore) -> None:
    first = slots_of_day(date(2025, 3, 1), TZ).start
    end = slots_of_day(OLD, TZ).start
    await store.add_forecasts([forecast("demand", slot) for slot in range(first, end, 4)])
    await ThinningJob(store, tz=TZ)(DUE_S)
    days = [day_of(slot, TZ) for _, slot in await issues(store)]
    assert len(days) == len(set(days)) == (OLD - date(2025, 3, 1)).days


async def test_of_an_old_hour_the_weather_known_at_its_days_end_and_the_newest_stay(store: SqliteStore) -> None:
    old, young = slots_of_day(OLD, TZ), slots_of_day(YOUNG, TZ)
    hour_s, end_s, young_s = start_of(old.start + 40), start_of(old.stop), start_of(young.start)
    for issued_at in range(hour_s - 36_000, end_s + 36_000, 3_600):
        await store.add_weather(issued_at, rows=[(hour_s, issued_at / 1e6, 1.0, 2.0)])
    for back in range(5):
        await store.add_weather(young_s - 3_600 * back, rows=[(young_s, float(back), 1.0, 2.0)])
    known = await store.weather_known_at(end_s, first_s=hour_s, until_s=hour_s + 1)
    newest = await store.weather_known_at(2**40, first_s=hour_s, until_s=hour_s + 1)
    assert known != newest
    assert await store.crowded_hours(before_s=2**40) == (hour_s, young_s)
    await ThinningJob(store, tz=TZ)(DUE_S)
    assert await store.weather_known_at(end_s, first_s=hour_s, until_s=hour_s + 1) == known
    assert await store.weather_known_at(2**40, first_s=hour_s, until_s=hour_s + 1) == newest
    assert await store.weather_known_at(end_s - 3_600, first_s=hour_s, until_s=hour_s + 1) == ()
    assert await store.crowded_hours(before_s=2**40) == (young_s,), "of younger hours every issue stays"


async def test_an_hour_whose_weather_all_came_later_keeps_the_newest(store: SqliteStore) -> None:
    old = slots_of_day(OLD, TZ)
    hour_s, end_s = start_of(old.start), start_of(old.stop)
    for late in (1, 2, 3):
        await store.add_weather(end_s + 3_600 * late, rows=[(hour_s, float(late), 1.0, 2.0)])
    await ThinningJob(store, tz=TZ)(DUE_S)
    found = await store.weather_known_at(2**40, first_s=hour_s, until_s=hour_s + 1)
    assert [(row[1], row[2]) for row in found] == [(end_s + 10_800, 3.0)]
    assert await store.weather_known_at(end_s + 7_200, first_s=hour_s, until_s=hour_s + 1) == ()
