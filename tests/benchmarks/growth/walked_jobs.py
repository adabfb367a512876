"""What each job of the timetable that reads all homes costs on a store, and how long it stops the event loop."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from hub.core.forecasting.forecaster import QUANTILES, Forecast
from hub.core.ledger.run_calendar import RunCalendar
from hub.forecasts.frames import ForecastRequest
from hub.forecasts.job import HORIZON_SLOTS, ForecastJob
from hub.forecasts.street_totals import StreetService, StreetTotalsJob
from hub.forecasts.thinning import ThinningJob
from hub.moving_out.leavers import LeaversJob
from hub.notices.about_money import MoneyNotices
from hub.notices.about_trouble import WatchNotices
from hub.prompts.delivery import PromptSender
from hub.prompts.job import PromptEffectJob, PromptJob
from hub.quality.findings import check_days_quality
from hub.quality.scale_findings import QualityStores
from hub.settlement_job import SettlementJob
from hub.statements.credit_notices import CreditsJob, CreditsSender
from hub.statements.months import StatementService
from hub.statements.own_days import OwnDays
from hub.statements.prepared_days import PreparedDaysJob
from hub.storage.sql.connection import Connection
from hub.storage.sqlite.store import SqliteStore
from protocols.hub_keys import HubSigner
from protocols.slots import slots_of_day, start_of
from protocols.timeline import Clock
from tests.benchmarks.growth.grown_store import ENERGY, LAST_DAY, MESSAGES, NOW_SLOT, READINGS, measures_of
from tests.benchmarks.growth.stopped_loop import Stops, forget_most_rss, most_rss_mb, watched
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import COOP, KEY

HOUR_SLOTS: Final = 4
HOURLY: Final = ("forecast reading", "prompts", "street totals", "mail about trouble", "mail about money")
NIGHTLY: Final = ("night", "prompt effects", "old forecasts", "moved-out homes", "credits", "statement days")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one job or page: CPU milliseconds, commits, how long it stopped the loop, the most memory of the process."""

    ms: float
    commits: int
    stops: Stops
    rss_mb: float


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


class NoBroker:
    """In place of the link to the broker, which is another part's."""

    def publish(self, topic: str, sealed: bytes) -> None: ...


async def jobs_cost(store: SqliteStore, *, homes: int) -> dict[str, Cost]:
    """Each job once, for its second due time: what it keeps between two runs is kept by then."""
    found: dict[str, Cost] = {}

    async def cost(job: str, due_s: int) -> None:
        before = store.commits
        forget_most_rss()
        began_s = time.process_time()
        stops = await watched(lambda: jobs[job](due_s))
        spent_ms = 1000 * (time.process_time() - began_s)
        found[job] = Cost(spent_ms, store.commits - before, stops, most_rss_mb())

    jobs = _jobs(store)
    hour_s = start_of(NOW_SLOT - NOW_SLOT % HOUR_SLOTS)
    for name in HOURLY:
        await jobs[name](hour_s)
    await _arrive(store, range(NOW_SLOT, NOW_SLOT + HOUR_SLOTS), homes=homes)
    for name in HOURLY:
        await cost(name, hour_s + 3600)
    for name in NIGHTLY:
        await jobs[name](_midnight_s(LAST_DAY))
    end = range(NOW_SLOT + HOUR_SLOTS, slots_of_day(LAST_DAY + timedelta(days=1), COOP.tz).stop)
    await _arrive(store, end, homes=homes)
    for name in NIGHTLY:
        await cost(name, _midnight_s(LAST_DAY + timedelta(days=1)))
    return found


def _jobs(store: SqliteStore) -> dict[str, Callable[[int], Awaitable[None]]]:
    forecast = ForecastJob(store, worker=SureForecaster(), tz=COOP.tz)
    link, clock = NoBroker(), Clock(real=lambda: float(_midnight_s(LAST_DAY + timedelta(days=1))))
    send = CreditsSender(coop=COOP.id, key=KEY, link=link).send
    return {
        "forecast reading": forecast,
        "prompts": PromptJob(
            store, forecasts=forecast, send=PromptSender(store, coop=COOP.id, key=KEY, link=link).send, tz=COOP.tz
        ),
        "street totals": StreetTotalsJob(StreetService(store, tz=COOP.tz)),
        "mail about trouble": WatchNotices(store, folder=Path(), plans_backup=False, clock=clock),
        "mail about money": MoneyNotices(store, tz=COOP.tz, clock=clock),
        "night": SettlementJob(store, tz=COOP.tz, calendar=RunCalendar(), key=KEY, quality_check=_check),
        "prompt effects": PromptEffectJob(store, tz=COOP.tz),
        "old forecasts": ThinningJob(store, tz=COOP.tz),
        "moved-out homes": LeaversJob(store),
        "statement days": PreparedDaysJob(
            StatementService(store, key=HubSigner.of_one_key(KEY), seals=SEALS), tz=COOP.tz
        ),
        # Between two hundred notices it waits for the broker, which is no work.
        "credits": CreditsJob(store, days=OwnDays(store), send=send, tz=COOP.tz, clock=clock, pause_s=0.0),
    }


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
