"""What each job of the timetable that reads all homes costs on a store, and how many commits it takes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from hub.core.forecasting.forecaster import QUANTILES, Forecast
from hub.core.ledger.run_calendar import RunCalendar
from hub.forecasts.frames import ForecastRequest
from hub.forecasts.job import HORIZON_SLOTS, ForecastJob
from hub.forecasts.street_totals import StreetService, StreetTotalsJob
from hub.prompts.job import PromptEffectJob, PromptJob
from hub.quality.findings import check_days_quality
from hub.quality.scale_findings import QualityStores
from hub.settlement_job import SettlementJob
from hub.storage.records import PromptRow
from hub.storage.sql.connection import Connection
from hub.storage.sqlite.store import SqliteStore
from protocols.slots import slots_of_day, start_of
from tests.benchmarks.growth.grown_store import ENERGY, LAST_DAY, MESSAGES, NOW_SLOT, READINGS, measures_of
from tests.benchmarks.growth.walked_pages import cpu_ms
from tests.hub.settled_street import COOP, KEY

HOUR_SLOTS: Final = 4


@dataclass(frozen=True, slots=True)
class JobCost:
    """Of one job: CPU milliseconds and commits."""

    ms: float
    commits: int


class SureForecaster:
    """In place of the worker process, whose cost does not depend on the homes: a plain curve with known errors."""

    async def forecast(self, request: ForecastRequest) -> Forecast:
        """Noon is sunny, the evening hungry."""
        slots = np.arange(request.issued_slot, request.issued_slot + HORIZON_SLOTS) % 96
        noon = np.maximum(0, 24 - abs(slots - 48)) / 24
        share = noon if request.history.target != "demand" else 0.3 + 0.7 * (slots > 70)
        point = 1000.0 * max(1.0, float(np.nanmax(request.history.energy_wh)) / 1000) * share
        errors = np.outer(np.linspace(-0.1, 0.1, 28), point)
        origins = tuple(request.issued_slot - 96 * back for back in range(28, 0, -1))
        quantiles = point[:, None] * np.linspace(0.8, 1.2, len(QUANTILES))[None, :]
        return Forecast(
            *(request.history.target, request.issued_slot, request.issued_slot, QUANTILES, quantiles, point),
            *("plain", "a reason", (), errors, origins, None),
        )


async def jobs_cost(store: SqliteStore, *, homes: int) -> dict[str, JobCost]:
    """Each job once, for its second due time: what it keeps between two runs is kept by then."""
    found: dict[str, JobCost] = {}

    async def cost(name: str, work: Callable[[], Awaitable[object]]) -> None:
        before = store.commits
        ms = await cpu_ms(work)
        found[name] = JobCost(ms, store.commits - before)

    async def send(row: PromptRow) -> bool:
        return bool(row.id)

    forecast = ForecastJob(store, worker=SureForecaster(), tz=COOP.tz)
    prompts = PromptJob(store, forecasts=forecast, send=send, tz=COOP.tz)
    totals = StreetTotalsJob(StreetService(store, tz=COOP.tz))
    effects = PromptEffectJob(store, tz=COOP.tz)
    night = SettlementJob(store, tz=COOP.tz, calendar=RunCalendar(), key=KEY, quality_check=_check)
    hour_s = start_of(NOW_SLOT - NOW_SLOT % HOUR_SLOTS)
    for job in (forecast, prompts, totals):
        await job(hour_s)
    await _arrive(store, range(NOW_SLOT, NOW_SLOT + HOUR_SLOTS), homes=homes)
    hour_s += 3600
    await cost("forecast reading", lambda: forecast(hour_s))
    await cost("prompts", lambda: prompts(hour_s))
    await cost("street totals", lambda: totals(hour_s))
    await night(_midnight_s(LAST_DAY))
    await effects(_midnight_s(LAST_DAY))
    end = range(NOW_SLOT + HOUR_SLOTS, slots_of_day(LAST_DAY + timedelta(days=1), COOP.tz).stop)
    await _arrive(store, end, homes=homes)
    await cost("night", lambda: night(_midnight_s(LAST_DAY + timedelta(days=1))))
    await cost("prompt effects", lambda: effects(_midnight_s(LAST_DAY + timedelta(days=1))))
    return found


def _midnight_s(day: date) -> int:
    """Twenty minutes after the end of this day."""
    return start_of(slots_of_day(day, COOP.tz).stop) + 20 * 60


async def _check(store: QualityStores, days: Sequence[date], *, at: int) -> int:
    return await check_days_quality(store, days, place_deg=(40.4, -3.7), nameplates={}, at=at)


async def _arrive(store: SqliteStore, slots: range, *, homes: int) -> None:
    async def work(db: Connection) -> None:
        for number in range(1, homes + 1):
            for measure in measures_of(number):
                place = (slots.start, slots.stop, f"h{number:02d}", int(measure), number)
                await db.execute(READINGS.format(energy=ENERGY[measure]), place)
        first = (await db.execute_fetchall("SELECT max(seq) FROM message WHERE agent = 'a-01'"))[0][0] + 1
        await db.execute(MESSAGES, (slots.start, slots.stop, homes, first))

    await store.write(work)
