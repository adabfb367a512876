"""Days as a run settled them, stated once for all members and kept in the store: a view reads its member's part alone.

What is kept is sealed with a secret of the hub. A part that is missing, or that the hub did not seal, is made again
from the books.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from hmac import compare_digest
from typing import Final, Protocol

from hub.books.settled_readings import windows_of
from hub.books.stored_rules import read_rule
from hub.core.ledger.attestations import DAY_ROOT
from hub.core.rules.rulebook import Rule
from hub.core.statements.kept_day import (
    DayHead,
    Nano,
    own_part_of_nobody,
    put_together,
    read_head,
    read_sums,
    take_apart,
)
from hub.core.statements.month import CoopName, StatedDay, state_day
from hub.core.statements.seals import Seals
from hub.statements.booked_day import settled_day
from hub.statements.publication import PublicationStores, RunPublication
from hub.storage.access_records import AccessLog
from hub.storage.records import Access
from hub.storage.rule_records import RunEntries
from hub.storage.street_records import OF_MEMBER, PartPlace
from protocols.errors import RequestError
from protocols.hub_keys import HubSigner
from protocols.quantities import Measure
from protocols.slots import slots_of_day

STATEMENT_ACCESS: Final = Access(actor="job:statement", role="job", purpose="settle.share")
GRID: Final = (Measure.GRID_EXPORT, Measure.GRID_IMPORT)
HEADS_KEPT: Final = 400
"""About 20 kB each: a day's series and its signed root."""

HEAD, SUMS = "head", "sums"
PUBLISHED_STATE, BOOKED_NOW = "p", "n"
SEAL_BYTES: Final = 32


class KeptDayStores(PublicationStores, AccessLog, Protocol):
    """The parts of the store that a day is stated from and kept in."""


@dataclass(frozen=True, slots=True)
class DayState:
    """A day as a statement counts it: up to which run, without which runs that the reader may not see yet.

    How many entries there are tells one state of the books from another, because they only grow. What is booked now is
    kept apart from what is published: it may be older than the street totals beside which a published day is shown.
    """

    day: str
    run_key: str
    kind: str
    is_published: bool
    is_alone: bool
    hidden: Set[str]
    booked: Sequence[RunEntries]

    @property
    def entries(self) -> int:
        """How many entries count."""
        return sum(run.entries for run in self.booked if run.run_key not in self.hidden)

    @property
    def name(self) -> str:
        """The state's name in the store."""
        said = json.dumps([self.is_alone, self.run_key, self.entries])
        return (PUBLISHED_STATE if self.is_published else BOOKED_NOW) + hashlib.sha256(said.encode()).hexdigest()[:24]

    def place(self, part: str) -> PartPlace:
        """Where this part is kept."""
        return self.day, self.name, part


class KeptDays:
    """States days, one at a time, and keeps them. `rules` are the rulebook's versions by their hash."""

    def __init__(self, store: KeptDayStores, *, publication: RunPublication, key: HubSigner, seals: Seals) -> None:
        self._store, self._publication, self._key, self._seals = store, publication, key, seals
        self._heads: OrderedDict[PartPlace, DayHead] = OrderedDict()
        self._rules: dict[str, Rule] = {}
        self._one = asyncio.Lock()

    async def of_member(
        self, states: Sequence[DayState], member: str, *, coop: CoopName, rules: Mapping[str, bytes]
    ) -> list[StatedDay]:
        """These days for this member alone, each with its edition's kind of run. Raises: RequestError."""
        part = OF_MEMBER + member
        found = await self._find([each.place(part) for each in states])
        days = []
        for state in states:
            own = found.get(state.place(part)) or await self._make(state, part, coop=coop, rules=rules)
            head = await self._head(state, coop=coop, rules=rules)
            day = put_together(head, own, member, rule=self._rule(head.rule, rules), seals=self._seals)
            days.append(replace(day, source=replace(day.source, run=replace(head.run, kind=state.kind))))
        return days

    async def sums(self, states: Sequence[DayState], *, coop: CoopName, rules: Mapping[str, bytes]) -> list[Nano]:
        """What each of these days debits and credits every member. Raises: RequestError."""
        found = await self._find([each.place(SUMS) for each in states])
        return [
            read_sums(found.get(each.place(SUMS)) or await self._make(each, SUMS, coop=coop, rules=rules))
            for each in states
        ]

    async def prepare(self, states: Sequence[DayState], *, coop: CoopName, rules: Mapping[str, bytes]) -> int:
        """Make what is not kept yet of these days; how many they were. Raises: RequestError."""
        found = await self._find([each.place(HEAD) for each in states])
        missing = [each for each in states if each.place(HEAD) not in found]
        for each in missing:
            await self._make(each, HEAD, coop=coop, rules=rules)
        return len(missing)

    async def _head(self, state: DayState, *, coop: CoopName, rules: Mapping[str, bytes]) -> DayHead:
        place = state.place(HEAD)
        if place not in self._heads:
            found = (await self._find([place])).get(place) or await self._make(state, HEAD, coop=coop, rules=rules)
            self._heads[place] = read_head(found)
            if len(self._heads) > HEADS_KEPT:
                self._heads.popitem(last=False)
        self._heads.move_to_end(place)
        return self._heads[place]

    async def _find(self, places: Sequence[PartPlace]) -> dict[PartPlace, bytes]:
        """What is kept there and has the hub's seal."""
        found = await self._store.kept_parts(places)
        return {place: part for place, sealed in found.items() if (part := self._opened(place, sealed)) is not None}

    def _opened(self, place: PartPlace, sealed: bytes) -> bytes | None:
        seal, part = sealed[:SEAL_BYTES], sealed[SEAL_BYTES:]
        return part if compare_digest(seal, self._seals.kept(json.dumps(place), part)) else None

    async def _make(self, state: DayState, part: str, *, coop: CoopName, rules: Mapping[str, bytes]) -> bytes:
        """State the day, keep all its parts, and return this one; that of somebody it does not know says so."""
        # One day at a time: it takes long and holds every home's values. Who asks for kept days does not wait.
        async with self._one:
            if (made := await self._find([state.place(part)])) and (found := made[state.place(part)]):
                return found
            stated = await self._stated(state, coop=coop, rules=rules)
            made_parts, sealed = await asyncio.to_thread(self._taken_apart, stated, state, part)
            await self._store.keep_parts(sealed)
            return made_parts[part]

    def _taken_apart(
        self, stated: StatedDay, state: DayState, part: str
    ) -> tuple[Mapping[str, bytes], Mapping[PartPlace, bytes]]:
        """The day's parts by their names, this one among them, and all of them sealed, by their places."""
        parts = take_apart(stated)
        made = {HEAD: parts.head, SUMS: parts.sums, **{OF_MEMBER + m: own for m, own in parts.own.items()}}
        made.setdefault(part, own_part_of_nobody())
        sealed = {}
        for name, each in made.items():
            place = state.place(name)
            sealed[place] = self._seals.kept(json.dumps(place), each) + each
        return made, sealed

    async def _stated(self, state: DayState, *, coop: CoopName, rules: Mapping[str, bytes]) -> StatedDay:
        """The day for all members, as this run settled it."""
        day, run_key, tz = state.day, state.run_key, coop.tz
        rows = await self._store.runs(days=(day, day), allocations=False)
        run = next(run for run in rows if run.run_key == run_key)
        run = replace(run, allocation=await self._store.run_record(run_key))
        known = {run.run_key for run in state.booked}
        everything = [row for row in await self._store.entries_of_day(day) if row.run_key in known]
        slots = slots_of_day(date.fromisoformat(day), tz)
        members, present = await self._store.settlement_members(slots=slots)
        attested = await self._store.attestations((DAY_ROOT,), subjects=(day, day))
        await self._log_access(slots)
        windows = windows_of(members, present, slots)
        try:
            source = await asyncio.to_thread(
                settled_day, run, rules[run.rule_hash],
                kind=state.kind, booked=[row for row in everything if row.run_key not in state.hidden],
                everything=everything, attested=attested, windows=windows,
            )  # fmt: skip
            runs = await self._publication.shown(day, run_key, tz=tz)
            source = replace(
                source,
                reasons=runs.withheld.get(run_key),
                group=await self._publication.group(run_key, day, tz=tz),
                totals=await self._publication.totals(slots),
                is_correction=state.is_alone,
            )
            return await asyncio.to_thread(state_day, coop, source, key=self._key, seals=self._seals)
        except ValueError as error:
            raise RequestError(f"{day}: {error}; run `commonwatt-hub verify`") from None

    async def _log_access(self, slots: range) -> None:
        """A day's record holds every home's values, so access to it is recorded in every home's log (I12)."""
        homes = [home.id for home in await self._store.homes()]
        fields = ", ".join(sorted(measure.code for measure in GRID))
        await self._store.log_access(STATEMENT_ACCESS, homes, fields=fields, rows=len(slots) * len(GRID))

    def _rule(self, rule_hash: str, rules: Mapping[str, bytes]) -> Rule:
        if rule_hash not in self._rules:
            self._rules[rule_hash] = read_rule(rules[rule_hash])
        return self._rules[rule_hash]
