"""Who is settled in which slots of a day, as one hash: computed once for all days on which it is the same.

It goes by the few slots at which anything changes (somebody joins or leaves, an agent or a meter begins to wait or to
count), so that a month costs one day's table, not thirty.
"""

from bisect import bisect_right
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hub.books.days import counted_errors, digest_members
from hub.core.homes.meter_trust import ToldMeter, meter_spans
from hub.core.rules.rulebook import Rule
from hub.storage.life_records import SettledPeople
from protocols.slots import SLOT_S, slot_of


class MemberTables(Protocol):
    """Who is a member in some slots, whose readings wait, and what error agents state: the store's tables."""

    async def settlement_members(self, *, slots: range) -> tuple[tuple[str, ...], npt.NDArray[np.bool_]]: ...
    async def held_slots(self, *, slots: range) -> npt.NDArray[np.bool_]: ...
    async def stated_errors(self, *, slots: range) -> npt.NDArray[np.int64]: ...


class MembershipStore(MemberTables, Protocol):
    """The store's tables, and a mark that tells whether any of them changed."""

    async def settled_mark(self) -> tuple[int, ...]: ...
    async def settled_people(self) -> SettledPeople: ...
    async def told_meters(self) -> tuple[ToldMeter, ...]: ...


class MembershipDays:
    """Members and whose readings wait, with what meters are told to be, as the store has them at one moment."""

    def __init__(self, tables: MemberTables, people: SettledPeople, told: tuple[ToldMeter, ...]) -> None:
        self.told = told
        self._tables = tables
        turns = {-(-at_s // SLOT_S) for _, _, joined_s, left_s in people.members for at_s in (joined_s, left_s)}
        for _, first_s, until_s in people.held:
            turns |= {slot_of(first_s)} | ({slot_of(until_s) + 1} if until_s is not None else set())
        for span in meter_spans(told):
            if any(span.meter.stated_error):
                turns |= {span.first_slot} | ({span.until} if span.until is not None else set())
        self._turns = sorted(turns)
        self._known: dict[tuple[int, int, int, bool], tuple[bool, str]] = {}

    async def of_day(self, slots: range, rule: Rule | None) -> tuple[bool, str]:
        """Whether anybody was a member in these slots, and digest_members of them under the day's rule."""
        first, last = bisect_right(self._turns, slots.start), bisect_right(self._turns, slots.stop - 1)
        key = (first, 0 if first == last else slots.start, len(slots), rule is None or rule.derived.is_off)
        if key not in self._known:
            members, present = await self._tables.settlement_members(slots=slots)
            held = await self._tables.held_slots(slots=slots)
            errors = counted_errors(await self._tables.stated_errors(slots=slots), rule)
            self._known[key] = bool(present.any()), digest_members(members, present, held, errors)
        return self._known[key]


async def read_member_days(store: MembershipStore) -> MembershipDays:
    """Who is settled when, as it is now. Reads no home's values."""
    return MembershipDays(store, await store.settled_people(), await store.told_meters())


class KeptMembership:
    """Who is settled when, read again only once it may have changed: a look at it costs the same for any co-op.

    While an agent is new, or a refused one is not shut out yet, time and messages change it: then every look reads it.
    """

    def __init__(self, store: MembershipStore) -> None:
        self._store = store
        self._kept: tuple[tuple[int, ...], MembershipDays] | None = None

    async def now(self) -> MembershipDays:
        """As it is now."""
        # The mark is read first: what changes meanwhile leaves an older mark, and the next look reads it again.
        mark = await self._store.settled_mark()
        if self._kept is not None and self._kept[0] == mark:
            return self._kept[1]
        people = await self._store.settled_people()
        made = MembershipDays(self._store, people, await self._store.told_meters())
        self._kept = None if people.may_turn else (mark, made)
        return made
