"""Fills a store with homes and days of history in bulk, as a running hub would have left it.

Rows are written by SQL, without intake's work, which is measured elsewhere. Half the homes have panels, every eighth a
battery; all share with the forecast and with prompts.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from hub.board.run_approval import approve_run, publish_run
from hub.books.days import settle_day
from hub.books.runs import settle_month
from hub.books.signing import as_row
from hub.books.view import read_heads
from hub.core.forecasting.forecaster import QUANTILES
from hub.core.ledger.attestations import attest
from hub.core.ledger.run_calendar import month_name, months_between
from hub.core.payments.accounts import CoopAccount
from hub.core.payments.due import PAYOUTS, AmountDue, MonthCents
from hub.core.payments.order_history import PAYMENT_ORDER, order_content, order_key_of
from hub.statements.months import StatementService
from hub.statements.prepared_days import PreparedDaysJob
from hub.storage.sql.connection import Connection
from hub.storage.sqlite.store import SqliteStore
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, default_consent, encode_consent, sort_rules
from protocols.hub_keys import HubSigner
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_UTC_DAY, Slot, slots_of_day, start_of
from tests.hub.known_seals import SEALS
from tests.hub.settled_street import COOP, KEY, RULE, Street

LAST_DAY: Final = date(2026, 6, 14)
"""The last whole day with readings; the stores stand at 10:15 on the day after."""

NOW_SLOT: Final[Slot] = slots_of_day(LAST_DAY + timedelta(days=1), COOP.tz).start + 41
NOW_S: Final = start_of(NOW_SLOT) + 120
FIRST_RULE_DAY: Final = "2020-01-01"
HORIZON: Final = 192
PROMPT_DAYS: Final = 28
_HOUR_SLOTS: Final = 4

READINGS: Final = """WITH RECURSIVE slots(slot) AS (SELECT ?1 UNION ALL SELECT slot + 1 FROM slots WHERE slot + 1 < ?2)
INSERT INTO reading SELECT ?3, ?4, slot, 1, {energy}, 0, 0 FROM slots WHERE ?5 > 0"""
_SUN: Final = "max(0, 48 - abs(slot % 96 - 48)) * (12 + ?5 % 5)"
ENERGY: Final = {
    Measure.GRID_IMPORT: "max(0, 90 + (?5 * 7919 + slot * 104729) % 700 - (?5 % 2) * " + _SUN + ")",
    Measure.GRID_EXPORT: "max(0, (?5 % 2) * " + _SUN + " - 90 - (?5 * 7919 + slot * 104729) % 700)",
    Measure.PV_PRODUCTION: _SUN,
    Measure.BATTERY_CHARGE: "CASE WHEN slot % 96 BETWEEN 40 AND 50 THEN 200 ELSE 0 END",
    Measure.BATTERY_DISCHARGE: "CASE WHEN slot % 96 BETWEEN 75 AND 85 THEN 180 ELSE 0 END",
}
MESSAGES: Final = """WITH RECURSIVE slots(slot) AS (SELECT ?1 UNION ALL SELECT slot + 1 FROM slots WHERE slot + 1 < ?2)
INSERT INTO message SELECT NULL, printf('a-%02d', number), 1, slot - ?1 + ?4, 'batch', randomblob(32), x'',
    (slot + 1) * 900, slot, slot, NULL
FROM slots CROSS JOIN (WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < ?3)
    SELECT number FROM n)"""


@dataclass(frozen=True, slots=True)
class Size:
    """How many homes, and how many days of history."""

    homes: int
    days: int

    @property
    def name(self) -> str:
        return f"{self.homes}_homes_{self.days}_days"

    @property
    def slots(self) -> range:
        """From the first whole day to the last quarter hour that is over."""
        return range(slots_of_day(LAST_DAY - timedelta(days=self.days - 1), COOP.tz).start, NOW_SLOT)


async def grown_store(folder: Path, size: Size) -> SqliteStore:
    """A store of this size, open; closed days are settled, whole months billed, and payments for them ordered."""
    path = folder / "hub.sqlite"
    store = await SqliteStore.open(path, now=lambda: float(NOW_S), create=True)
    await store.set_coop(COOP)
    await store.add_rule(RULE.version(), canonical=RULE.canonical(), valid_from_day=FIRST_RULE_DAY)
    street = Street(store, 0)
    for number in range(1, size.homes + 1):
        await street.join(number, joined_at=0)
    await store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -200000")
        db.execute("BEGIN")
        # The log of rows is not what is measured here, and would hold every filled row as text.
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'row_log_*'")
        held = {str(name): str(sql) for name, sql in triggers if "row_log_waiting" in str(sql)}
        for name in held:
            db.execute(f"DROP TRIGGER {name}")
        _add_agents(db, size)
        _add_readings(db, size)
        _add_outlook(db, size)
        _add_prompts(db, size)
        _add_looks(db, size)
        for sql in held.values():
            db.execute(sql)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store = await SqliteStore.open(path, now=lambda: float(NOW_S))
    for back in range(size.days - 1, -1, -1):
        await settle_day(store, day=LAST_DAY - timedelta(days=back), made_at=NOW_S, key=KEY)
    for number, month in enumerate(billed_months(size), start=1):
        await _bill(store, month)
        await _order(store, month, number=number, homes=size.homes)
    await PreparedDaysJob(StatementService(store, key=HubSigner.of_one_key(KEY), seals=SEALS), tz=COOP.tz)(NOW_S)
    await store.write(lambda db: _note_checks(db, size))
    return store


def billed_months(size: Size) -> tuple[date, ...]:
    """The months of this history that are over."""
    first = LAST_DAY - timedelta(days=size.days - 1)
    return tuple(month for month in months_between(first, LAST_DAY) if month < LAST_DAY.replace(day=1))


async def _bill(store: SqliteStore, month: date) -> None:
    """The month's first bill, approved by two of the board and published."""
    run = await settle_month(store, month=month, kind="M1", made_at=NOW_S, key=KEY)
    for member in ("m01", "m02"):
        await approve_run(store, run=run.run_key, member=member, at=NOW_S, key=KEY)
    await publish_run(store, run=run.run_key, member="m01", at=NOW_S, key=KEY)


async def _order(store: SqliteStore, month: date, *, number: int, homes: int) -> None:
    """An order to pay something to every member for this month; nobody has approved it."""
    name, cents = month_name(month), MonthCents(1234, 0, 0)
    members = [f"m{each:02d}" for each in range(1, homes + 1)]
    dues = [(AmountDue(member, cents.net_cent, ((name, cents),)), 1, None) for member in members]
    content = order_content(
        dues, kind=PAYOUTS, through=name, pay_on=LAST_DAY.isoformat(), made_at=NOW_S, coop=COOP.id, number=number,
        account=CoopAccount(COOP.name, "DE89370400440532013000"),
    )  # fmt: skip
    head, key = (await read_heads(store)).attestation, order_key_of(content)
    said = attest(content, kind=PAYMENT_ORDER, subject=name, run_key=key, coop=COOP.id, head=head, key=KEY)
    await store.attest([as_row(said)])


async def _note_checks(db: Connection, size: Size) -> None:
    """The nights before have looked at every closed day."""
    ((newest,),) = await db.execute_fetchall("SELECT max(position) FROM message")
    days = [((LAST_DAY - timedelta(days=back)).isoformat(), newest) for back in range(size.days)]
    await db.executemany("INSERT INTO looked_through VALUES (?, ?)", days)


def measures_of(number: int) -> tuple[Measure, ...]:
    """What this home measures."""
    found = [Measure.GRID_IMPORT, Measure.GRID_EXPORT]
    found += [Measure.PV_PRODUCTION] if number % 2 else []
    return (*found, Measure.BATTERY_CHARGE, Measure.BATTERY_DISCHARGE) if number % 8 == 1 else tuple(found)


def _add_agents(db: sqlite3.Connection, size: Size) -> None:
    first = size.slots.start
    for number in range(1, size.homes + 1):
        home, agent = f"h{number:02d}", f"a-{number:02d}"
        rules = [
            *default_consent(home).rules,
            *(
                ConsentRule(code, tuple(Measure)[:6], Resolution.PT15M, first, None)
                for code in ("forecast.hood", "prompt.shift", "peers.view")
            ),
        ]
        document = encode_consent(ConsentSet(home, 3, sort_rules(rules)))
        db.execute("INSERT INTO consent VALUES (?, 1, 3, ?, ?)", (home, document, start_of(first)))
        values = (agent, 1, len(size.slots) + 1, bytes(32), NOW_SLOT - 1, NOW_S, len(size.slots))
        db.execute("INSERT INTO chain_head VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        meters = {1, *([3] if number % 2 else []), *([5] if number % 8 == 1 else [])}
        for meter in sorted(meters):
            db.execute("INSERT INTO measure_source VALUES (NULL, ?, ?, ?, 0, 0, 0)", (home, meter, agent))
        db.execute("INSERT INTO device VALUES (?, 1, 'meter', 'ok', 5, ?)", (home, NOW_S))


def _add_readings(db: sqlite3.Connection, size: Size) -> None:
    for number in range(1, size.homes + 1):
        for measure in measures_of(number):
            place = (size.slots.start, size.slots.stop, f"h{number:02d}", int(measure), number)
            db.execute(READINGS.format(energy=ENERGY[measure]), place)
    db.execute(MESSAGES, (size.slots.start, size.slots.stop, size.homes, 2))


def _add_outlook(db: sqlite3.Connection, size: Size) -> None:
    """Each hour's forecasts and weather, none thinned yet: as the years before the first night left them."""
    energy = np.full((HORIZON, len(QUANTILES)), 1000.0).astype("<f8").tobytes()
    quantiles = str(list(QUANTILES))
    forecasts: Iterator[tuple[Any, ...]] = (
        (target, slot, slot, slot + HORIZON, quantiles, energy, "ridge", "a reason", "[]", None)
        for slot in range(size.slots.start, size.slots.stop, _HOUR_SLOTS)
        for target in ("demand", "pv")
    )
    db.executemany("INSERT INTO forecast VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", forecasts)
    issues = range(start_of(size.slots.start), NOW_S, 3600)
    hours = ((at + 3600 * n, at, 12.5, 300.0, 4.0) for at in issues for n in range(-24, 60))
    db.executemany("INSERT OR REPLACE INTO weather VALUES (?, ?, ?, ?, ?)", hours)


def _add_prompts(db: sqlite3.Connection, size: Size) -> None:
    """Each home was asked every fourth day; of the last days' accepted prompts none is measured yet."""
    for number in range(1, size.homes + 1):
        home, member = f"h{number:02d}", f"m{number:02d}"
        for place, kind in enumerate(("dishwasher", "ev")):
            db.execute("INSERT INTO appliance VALUES (?, ?, ?, 1500, 6, 76, 28, 90, 1)", (home, place, kind))
        for back in range(number % 4, min(size.days, 365), 4):
            issued = NOW_SLOT - 1 - back * SLOTS_PER_UTC_DAY - 8
            answer = ("yes", "no", None)[(number + back) % 3]
            measured = 900 if answer == "yes" and back > 1 else None
            row = (f"p-{number}-{back}", home, member, "ev", 1500, issued + 12, issued + 40, 6, 700, "[]", issued)
            more = (issued + 11, answer, None if answer is None else start_of(issued), measured, measured)
            db.execute(f"INSERT INTO prompt VALUES ({', '.join('?' * 16)})", (*row, *more))


def _add_looks(db: sqlite3.Connection, size: Size) -> None:
    """A line a day of each job that reads homes, and now and then a finding."""
    for number in range(1, size.homes + 1):
        home = f"h{number:02d}"
        for back in range(1, size.days):
            at = NOW_S - back * 86_400
            for actor in ("job:forecast", "job:today-page", "job:settlement"):
                row = (home, at // 86_400, at, actor, "job", f"purpose of {actor}", "", "grid.import", 96, 24, "")
                sql = f"INSERT INTO access_log VALUES (NULL, {', '.join('?' * 11)})"
                db.execute(sql, row)
            if (number + back) % 10 == 0:
                day = (LAST_DAY - timedelta(days=back)).isoformat()
                slot = slots_of_day(date.fromisoformat(day), COOP.tz).start + 30
                found = (home, day, "gap", 1, slot, 2, "note", "{}", "No readings.", at)
                db.execute("INSERT INTO finding VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", found)
