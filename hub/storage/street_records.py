"""Published street totals: what has been shown once stays as it is. Nothing is read or written here."""

from collections.abc import Mapping
from dataclasses import dataclass

from protocols.quantities import Measure
from protocols.slots import Slot


@dataclass(frozen=True, slots=True)
class StreetTotal:
    """One slot's published totals over `homes`, of which `makers` produced power. Units: Wh."""

    slot: Slot
    homes: tuple[str, ...]
    makers: int
    sun_wh: int
    wind_wh: int
    used_wh: int


@dataclass(frozen=True, slots=True)
class StreetTotals:
    """Published totals of some slots, with the homes of the day's group and those among them that make power.

    `can_show` says whether a slot for which all of these homes have sent their values can be published. `sources` are
    the kinds of production that enough homes have for words about one kind alone; `in_use` is what too few homes make
    or store, which is part of the use.
    """

    slots: range
    by_slot: Mapping[Slot, StreetTotal]
    homes: frozenset[str]
    makers: frozenset[str]
    can_show: bool
    sources: frozenset[Measure] = frozenset()
    in_use: frozenset[Measure] = frozenset()


@dataclass(frozen=True, slots=True)
class RunGroup:
    """What decides whether members see a run: the homes that allow it, plants, whether an earlier release showed it."""

    open_homes: frozenset[str]
    plants: frozenset[str]
    was_shown: bool
