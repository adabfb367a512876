"""A small street's month for the statement tests: settled days, the ledger's rows, a hub's key, members' readings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.core.ledger.entries import GENESIS, Entry, Posting, book_difference, entry_hash, read_entry, sum_settlement
from hub.core.payments.bills import bill_members, tally_month
from hub.core.payments.tax_terms import TaxTerms
from hub.core.rules.rulebook import Prices, Rule
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import Readings
from hub.core.statements.document import own_readings
from hub.core.statements.month import (
    AdoptedRule,
    CoopName,
    RunNote,
    SettledDay,
    StatementMonth,
    gather_month,
    state_day,
)
from protocols.slots import slots_of_day
from tests.hub.core.settlement.settlement_worlds import NAMES, params_of
from tests.hub.known_seals import SEALS

COOP = CoopName("sunny", "Sunny Street", "Europe/Vienna", "EUR")
HUB_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

HUB_KEY_HEX = HUB_KEY.public_key().public_bytes_raw().hex()
PRICES = Prices(185_432, 158_765, 301_999, 71_003)


@dataclass(frozen=True)
class Row:
    position: int
    canonical: bytes
    hash: bytes


@dataclass(frozen=True)
class Street:
    month: StatementMonth
    readings: dict[str, Readings]
    days: tuple[SettledDay, ...]

    def own(self, member: str) -> dict[str, Any]:
        """The member's own readings as the member exports them."""
        return own_readings(member, self.readings.values())

    def pool(self, *, auditor: bool = False) -> dict[str, Any]:
        """The pool series of every day as it is published."""
        days = self.month.days
        return {
            "days": [
                day.pool.for_auditor(SEALS.pool(day.source.run.key)) if auditor else day.pool.for_members()
                for day in days
            ]
        }


def street_members(count: int) -> tuple[str, ...]:
    return tuple(sorted(NAMES[:count], key=str.encode))


def make_rule(
    method: str,
    members: Sequence[str],
    *,
    seed: int,
    aggregate: int = 1,
    percent: bool = False,
    netting: str = "none",
    netting_of: Mapping[str, str] | None = None,
) -> Rule:
    rng = np.random.default_rng(seed)
    participation = {members[0]: 37, members[-1]: 99} if percent else {}
    params = params_of(method, list(members), rng)
    return Rule(method, params, aggregate, participation, prices=PRICES, netting=netting, netting_of=netting_of or {})


def make_readings(members: Sequence[str], day: str, *, seed: int, gaps: float = 0.0, highest_wh: int = 900) -> Readings:
    """A day of readings; sellers are the first half of the members, by day only."""
    rng = np.random.default_rng(seed)
    slots = tuple(slots_of_day(date.fromisoformat(day), COOP.tz))
    shape = (len(slots), len(members))
    light = np.clip(np.sin(np.linspace(-1.5, 4.6, len(slots))), 0, None)[:, None]
    surplus = (rng.integers(0, 2 * highest_wh, shape) * light).astype(np.int64)
    surplus[:, (len(members) + 1) // 2 :] = 0
    demand = rng.integers(0, highest_wh, shape) >> rng.integers(0, 3, (len(slots), 1))
    surplus[rng.random(shape) < gaps] = -1
    demand[rng.random(shape) < gaps] = -1
    return Readings(tuple(members), slots, surplus, demand)


def make_street(
    readings: dict[str, Readings], rule: Rule, *, kind: str = "M1", missing: Sequence[str] | None = None,
    first: dict[str, Readings] | None = None, fee_nano: int = 0,
) -> Street:  # fmt: skip
    """The month of these days. With `first`, a run D booked those readings before, so that entries are differences.
    Everybody who takes part in the last day is charged a fee on it.
    """
    rows: list[Row] = []
    booked: dict[str, tuple[Entry, ...]] = dict.fromkeys(readings, ())
    for run_kind, given in (("D", first or {}), (kind, readings)):
        for day, values in given.items():
            settled = settle(values, rule)
            current = sum_settlement(entry.canonical() for entry in booked[day])
            entries = book_difference(settled, current, day=day, run=f"run-{run_kind}-{day}")
            booked[day] += entries
            for entry in entries:
                rows.append(book(entry, after=rows[-1] if rows else Row(0, b"", GENESIS)))
    for member in readings[max(readings)].members if fee_nano else ():
        fee = (Posting(f"member:{member}:money", -fee_nano, "fee"), Posting("coop:fees", fee_nano, "fee"))
        rows.append(book(Entry("nano", max(readings), "fees", member, fee, ""), after=rows[-1]))
    days = [_settled_day(day, values, rule, kind=kind, rows=rows) for day, values in readings.items()]
    month = min(readings)[:7]
    everything = [f"{month}-{n:02d}" for n in range(1, 32) if _is_day(f"{month}-{n:02d}")]
    left = [day for day in everything if day not in readings] if missing is None else missing
    before = [day for day in left if day < min(readings)]
    return Street(month_of(days, month, missing=sorted({*left} - {*before}), before=before), readings, tuple(days))


def month_of(
    days: Sequence[SettledDay], month: str, *, missing: Sequence[str] = (), before: Sequence[str] = ()
) -> StatementMonth:
    """The month of these settled days, each with a root signed by the hub's key."""
    stated = [state_day(COOP, day, key=HUB_KEY, seals=SEALS) for day in days]
    founding = AdoptedRule(stated[0].pool.rule, "1970-01-01", "2026-01-01")
    return gather_month(COOP, month, days=stated, missing=missing, before=before, rulebook=[founding])


def bills_of(
    street: Street, member: str, terms: TaxTerms | None, *, series: str = "2026-03-M1", standing: Any = None
) -> list[dict[str, Any]]:
    """The member's documents of the street's month as its publication would bring them."""
    entries = [read_entry(row.canonical) for day in street.days for row in day.booked]
    money = tally_month(entries, last_day=street.days[-1].day)
    found = bill_members(money, terms=terms, series=series, day="2026-04-07", current_bills=standing or {})
    return [dict(bill) for _, bill in sorted(found.get(member, {}).items())]


def book(entry: Entry, *, after: Any) -> Row:
    """The entry as the row that follows in the ledger."""
    return Row(after.position + 1, entry.canonical(), entry_hash(after.hash, entry.canonical()))


def _settled_day(day: str, readings: Readings, rule: Rule, *, kind: str, rows: Sequence[Row]) -> SettledDay:
    settled: Settlement = settle(readings, rule)
    state = "provisional" if settled.provisional.any() else "complete"
    note = RunNote(f"run-{kind}-{day}", kind, state)
    mine = [row for row in rows if f'"day":"{day}"'.encode() in row.canonical]
    attested = (("D", "M1", "R1", "R2", "RF", "X").index(kind) + 1, f"root of {note.key}")
    return SettledDay(day, note, settled, mine, dict(readings.windows), attested)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
