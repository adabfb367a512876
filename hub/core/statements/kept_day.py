"""A stated day in the form in which it is kept for views: small, and with little in it for the garbage collector.

A month of 1,000 homes has 60,000 entries with 270,000 postings. Kept as objects they would be gone through again and
again, and each time everything else in their process would wait.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from hub.core.allocation.rounding import Energy
from hub.core.ledger.entries import read_entry
from hub.core.ledger.signed_document import Signer
from hub.core.settlement.period import Settlement
from hub.core.statements.month import CoopName, SettledDay, StatedDay, StatedEntry, state_day
from hub.core.statements.seals import Seals

_NARROW: Final = (np.int16, np.int32)
_WORKED_OUT: Final = ("columns", "totals_wh", "money")


class KeptEntries(Mapping[str, tuple[StatedEntry, ...]]):
    """Each member's entries of a day, put together when they are asked for."""

    def __init__(self, mine: Mapping[str, tuple[StatedEntry, ...]], seals: Seals) -> None:
        self._seals = seals
        self._rows = {
            member: tuple((each.place, each.entry.canonical(), each.salt) for each in entries)
            for member, entries in mine.items()
        }

    def __getitem__(self, member: str) -> tuple[StatedEntry, ...]:
        entries = [(place, read_entry(canonical), salt) for place, canonical, salt in self._rows[member]]
        return tuple(StatedEntry(place, entry, self._seals.shown(entry), salt) for place, entry, salt in entries)

    def __contains__(self, member: object) -> bool:
        return member in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def state_to_keep(coop: CoopName, source: SettledDay, *, key: Signer, seals: Seals) -> StatedDay:
    """The day as state_day makes it, to be kept. Raises: ValueError, as state_day does."""
    return kept_day(state_day(coop, source, key=key, seals=seals))


def kept_day(day: StatedDay) -> StatedDay:
    """The same day. The ledger's rows, which are stated by now, are left out."""
    source = replace(day.source, booked=(), settled=_narrowed(day.source.settled))
    return replace(day, source=source, mine=KeptEntries(day.mine, day.seals))


def _narrowed(settled: Settlement) -> Settlement:
    """The same settlement with its energy in the narrowest whole numbers that hold it; sums of them are wide again."""
    kept = replace(
        settled,
        surplus_wh=_narrow(settled.surplus_wh),
        demand_wh=_narrow(settled.demand_wh),
        alloc_wh=_narrow(settled.alloc_wh),
        sold_wh=_narrow(settled.sold_wh),
    )
    # What was worked out from the wide numbers is what everybody is told, and takes long for many members.
    vars(kept).update({name: getattr(settled, name) for name in _WORKED_OUT})
    return kept


def _narrow(energy_wh: Energy) -> Energy:
    most, least = int(energy_wh.max(initial=0)), int(energy_wh.min(initial=0))
    for kind in _NARROW:
        if np.iinfo(kind).min <= least and most <= np.iinfo(kind).max:
            return energy_wh.astype(kind)
    return energy_wh
