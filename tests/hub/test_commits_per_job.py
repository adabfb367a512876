"""How many durable commits a job takes does not grow with the homes: each costs the disk a sync."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from hub.core.forecasting.forecaster import QUANTILES, Forecast
from hub.core.ledger.run_calendar import RunCalendar
from hub.forecasts.frames import ForecastRequest
from hub.forecasts.job import HORIZON_SLOTS, ForecastJob
from hub.forecasts.street_totals import StreetService, StreetTotalsJob
from hub.prompts.job import PromptEffectJob, PromptJob
from hub.quality.findings import check_days_quality
from hub.quality.scale_findings import QualityStores
from hub.settlement_job import SettlementJob
from hub.storage.records import AcceptedMessage, Appliance, PromptRow, ReadingRow
from hub.storage.sqlite.store import SqliteStore
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, default_consent, encode_consent, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.slots import slots_of_day, start_of
from tests.hub.settled_street import COOP, KEY, open_street

FIRST: Final = date(2026, 6, 1)
DAYS: Final = 14
LAST: Final = FIRST + timedelta(days=DAYS - 1)
NOW_SLOT: Final = slots_of_day(LAST + timedelta(days=1), COOP.tz).start + 40
MIDNIGHT_S: Final = start_of(slots_of_day(LAST, COOP.tz).stop) + 20 * 60
FEW, MANY = 6, 18
MOST: Final = {"forecast": 4, "prompts": 2, "street totals": 8, "night": 45, "prompt effects": 4}
"""At most so many, however many homes; the night books, signs and checks a day in several steps."""


class PlainForecaster:
    """In place of the worker process: noon is sunny, the evening hungry."""

    async def forecast(self, request: ForecastRequest) -> Forecast:
        slots = np.arange(request.issued_slot, request.issued_slot + HORIZON_SLOTS) % 96
        point = 1000.0 * np.where(slots > 70, 3.0, 0.2)
        errors = np.outer(np.linspace(-0.1, 0.1, 28), point)
        quantiles = point[:, None] * np.linspace(0.8, 1.2, len(QUANTILES))[None, :]
        origins = tuple(request.issued_slot - 96 * back for back in range(28, 0, -1))
        return Forecast(
            *(request.history.target, request.issued_slot, request.issued_slot, QUANTILES, quantiles, point),
            *("plain", "a reason", (), errors, origins, None),
        )


@pytest.mark.parametrize("name", MOST)
async def test_a_job_takes_no_more_commits_for_more_homes(tmp_path: Path, name: str) -> None:
    counts = [await commits_of(tmp_path, name, homes=homes) for homes in (FEW, MANY)]
    assert counts[1] <= counts[0] <= MOST[name], f"{name}: {counts[0]} commits for {FEW} homes, {counts[1]} for {MANY}"
    assert counts[0] > 0, "the job did nothing"


async def commits_of(folder: Path, name: str, *, homes: int) -> int:
    """What one run takes on a street of its own with so many homes."""
    place = folder / f"{homes} homes"
    place.mkdir()
    store = (await open_street(place, homes=homes)).store
    try:
        await fill(store, homes)
        job, due_s = await jobs(store)[name]()
        before = store.commits
        await job(due_s)
        return store.commits - before
    finally:
        await store.close()


def jobs(store: SqliteStore) -> dict[str, Callable[[], Awaitable[tuple[Callable[[int], Awaitable[None]], int]]]]:
    """Each job, ready to run, with the time it is due."""
    hour_s = start_of(NOW_SLOT)
    forecast = ForecastJob(store, worker=PlainForecaster(), tz=COOP.tz)

    async def send(row: PromptRow) -> bool:
        return bool(row.id)

    async def of_forecast() -> tuple[Callable[[int], Awaitable[None]], int]:
        return forecast, hour_s

    async def of_prompts() -> tuple[Callable[[int], Awaitable[None]], int]:
        await forecast(hour_s)
        return PromptJob(store, forecasts=forecast, send=send, tz=COOP.tz), hour_s

    async def of_totals() -> tuple[Callable[[int], Awaitable[None]], int]:
        return StreetTotalsJob(StreetService(store, tz=COOP.tz)), hour_s

    async def of_night() -> tuple[Callable[[int], Awaitable[None]], int]:
        night = SettlementJob(store, tz=COOP.tz, calendar=RunCalendar(), key=KEY, quality_check=check)
        await night(MIDNIGHT_S - 86_400)
        return night, MIDNIGHT_S

    async def of_effects() -> tuple[Callable[[int], Awaitable[None]], int]:
        return PromptEffectJob(store, tz=COOP.tz), MIDNIGHT_S

    return {
        "forecast": of_forecast,
        "prompts": of_prompts,
        "street totals": of_totals,
        "night": of_night,
        "prompt effects": of_effects,
    }


async def check(store: QualityStores, days: Sequence[date], *, at: int) -> int:
    return await check_days_quality(store, days, place_deg=(40.4, -3.7), nameplates={}, at=at)


async def fill(store: SqliteStore, homes: int) -> None:
    """Two weeks of each home up to now, all shared; each was asked once, said yes, and has an appliance."""
    slots = range(slots_of_day(FIRST, COOP.tz).start, NOW_SLOT)
    for number in range(1, homes + 1):
        home = f"h{number:02d}"
        await store.store_messages([consent_of(number), *(batch_of(number, slot) for slot in slots)])
        await store.set_appliances(home, [Appliance(home, "ev", 6000, 8, 76, 0, 95, True)])
    asked = slots_of_day(LAST, COOP.tz).start
    await store.add_prompts([prompt_of(number, asked) for number in range(1, homes + 1)])


def prompt_of(number: int, slot: int) -> PromptRow:
    home, member = f"h{number:02d}", f"m{number:02d}"
    return PromptRow(
        *(f"p-{number}", home, member, "dryer", 900, slot + 60, slot + 40, 4, 500, (), slot, slot + 30, "yes"),
        *(start_of(slot), None),
    )


def consent_of(number: int) -> AcceptedMessage:
    home, every = f"h{number:02d}", tuple(Measure)[:6]
    rules = [
        *default_consent(home).rules,
        *(ConsentRule(code, every, Resolution.PT15M, 0, None) for code in ("forecast.hood", "prompt.shift")),
    ]
    document = encode_consent(ConsentSet(home, 2, sort_rules(rules)))
    return message_of(number, 1, kind="consent", slot=None, consent=document, consent_version=2)


def batch_of(number: int, slot: int) -> AcceptedMessage:
    home = f"h{number:02d}"
    sun = max(0, 40 - abs(slot % 96 - 48)) * 20 * (1 + number % 3)
    values = {
        Measure.GRID_IMPORT: 80 + number * 7 + slot % 11,
        Measure.GRID_EXPORT: sun // 2,
        Measure.PV_PRODUCTION: sun,
    }
    rows = tuple(ReadingRow(home, each, slot, 1, wh, Mark.MEASURED, Gap.NONE) for each, wh in values.items())
    first = slots_of_day(FIRST, COOP.tz).start
    return message_of(number, slot - first + 2, kind="batch", slot=slot, readings=rows)


def message_of(number: int, seq: int, *, kind: str, slot: int | None, **said: object) -> AcceptedMessage:
    facts: dict[str, object] = {"readings": (), "consent": None, "consent_version": None} | said
    return AcceptedMessage(
        agent=f"a-{number:02d}",
        home=f"h{number:02d}",
        epoch=1,
        seq=seq,
        kind=kind,
        hash=f"{number}-{seq}".encode().ljust(32, b"-"),
        sealed=b"sealed",
        received_at=start_of(slot + 1) if slot is not None else 0,
        slot=slot,
        long_intervals=(),
        devices=(),
        answer=None,
        **facts,  # type: ignore[arg-type]
    )
