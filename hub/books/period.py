"""Reads the settled days in a range again, with their rules, for trials and comparisons that book nothing."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Protocol

from hub.books.days import DayInputs, SettlementStores, digest_members, read_day_inputs
from hub.core.rules.estimate_rule import MOST_WEEKS
from hub.core.rules.estimates import WEEK_SLOTS
from hub.core.settlement.period import Settlement, settle
from hub.core.settlement.prepared_readings import Readings
from hub.storage.records import Access
from protocols.errors import RequestError
from protocols.slots import slots_of_day

MOST_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class SettledPeriod:
    """Days with their readings and the settlement each day's rule now gives; the days in `left_out` have no run yet.

    `plants` are the members with the co-op's own plants, `persons` one id for those known together.
    """

    days: tuple[str, ...]
    parts: tuple[Readings, ...]
    current: tuple[Settlement, ...]
    digests: tuple[str, ...]
    left_out: tuple[str, ...]
    plants: frozenset[str] = frozenset()
    persons: Mapping[str, str] = field(default_factory=dict)


class PeriodReader(Protocol):
    """Reads the settled days in a range, as everybody may see them."""

    async def read(self, *, first: date, last: date, access: Access) -> SettledPeriod:
        """The days that can be shown, perhaps none; the access is in every home's log. Raises: RequestError."""
        ...


async def read_period(store: SettlementStores, *, first: date, last: date, access: Access) -> SettledPeriod:
    """The settled days from `first` to `last`; the access is recorded in every home's log.

    Raises: RequestError if no day in the range is settled, or if the range is reversed or too long.
    """
    if not 0 <= (last - first).days < MOST_DAYS:
        raise RequestError(f"--from {first} --to {last}: expected 1 to {MOST_DAYS} days, the first day first")
    names = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
    settled = {run.day for run in await store.runs(days=(names[0], names[-1]), allocations=False)}
    if not settled:
        raise RequestError(f"no day from {first} to {last} is settled")
    days = tuple(name for name in names if name in settled)
    inputs = [await read_day_inputs(store, day=date.fromisoformat(name), access=access) for name in days]
    return SettledPeriod(
        days,
        tuple(each.readings for each in inputs),
        tuple([await settle_in_thread(each) for each in inputs]),
        tuple(each.digest for each in inputs),
        tuple(name for name in names if name not in settled),
    )


async def settle_in_thread(inputs: DayInputs) -> Settlement:
    """Settle the day in a thread, so that the hub's other work goes on. Raises: RejectedInputError."""
    return await asyncio.to_thread(settle, inputs.readings, inputs.rule)


async def period_digest(store: SettlementStores, *, first: date, last: date) -> str:
    """A hash of everything that a period's settlement depends on. Reads no value of any home."""
    tz, ends = (await store.coop()).tz, (first.isoformat(), last.isoformat())
    names = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
    slots = range(slots_of_day(first, tz).start, slots_of_day(last, tz).stop)
    reach = range(slots.start - MOST_WEEKS * WEEK_SLOTS, slots.stop)
    newest = max((await store.newest_messages(slots=reach)).values(), default=0)
    decided = max((decision.id for decision in await store.slot_decisions(slots=reach)), default=0)
    everybody, present = await store.settlement_members(slots=slots)
    held = await store.held_slots(slots=slots)
    errors = await store.stated_errors(slots=slots)
    members = await asyncio.to_thread(digest_members, everybody, present, held, errors)
    runs = [(run.day, run.run_key) for run in await store.runs(days=ends, allocations=False)]
    marks = [ends, newest, decided, members, runs, sorted((await store.rule_hashes(names)).items())]
    return hashlib.sha256(json.dumps(marks).encode()).hexdigest()
