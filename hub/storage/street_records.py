"""Published street totals, which stay as they are once shown, and what is read of many homes at once; types only."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hub.core.homes.periods import PeriodKind
from hub.storage.records import Access, HomeSeries
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
class PeriodSum:
    """A home's energy over an hour, a day or a month, in Wh, and how many of its slots each sum covers.

    A measure that has no energy in the period is in neither; the sum is whole where all `slots` are covered.
    """

    kind: PeriodKind
    first_slot: Slot
    home: str
    slots: int
    energy_wh: Mapping[Measure, int]
    covered: Mapping[Measure, int]


CountedReading = tuple[int, Slot, int, int | None, int]
"""A stored reading as its row says it: the measure's number, slot, span, energy in Wh (None where it is missing), mark.
A year of many homes has millions, so it is no object."""


class PeriodSumStore(Protocol):
    """Sums of homes over hours (UTC), days and months (local): made when a period is over, kept with the readings."""

    async def period_sums(
        self, home: str, kind: PeriodKind, *, firsts: Sequence[Slot], access: Access
    ) -> tuple[PeriodSum, ...]:
        """The home's sums of the periods that begin with these slots; the access is logged first (I12)."""
        ...

    async def homes_without_sums(self) -> tuple[str, ...]:
        """Homes whose sums are not begun, or so far behind their readings that intake does not go on with them."""
        ...

    async def go_on_with_sums(self, home: str) -> bool:
        """Make the home's sums of ten more days, in one transaction; False once they have come up to its readings."""
        ...

    async def make_sums_again(self, periods: Sequence[tuple[PeriodKind, Slot, str]]) -> None:
        """Make the sums of these (kind, first slot, home) from the readings, in one transaction.

        One of which there are no readings, or that is not over yet, is removed.
        """
        ...

    async def correct_sums_through(self, home: str) -> None:
        """Where the home's sums are said to be made further than its readings go, say how far they can be."""
        ...

    async def sums_through(self) -> dict[str, Slot]:
        """Until which slot each home's sums are made."""
        ...

    async def stored_sums(self, kind: PeriodKind, *, slots: range) -> tuple[PeriodSum, ...]:
        """All homes' sums of the periods that begin in these slots, for verification; by period and home."""
        ...

    def counted_readings(
        self, homes: Sequence[str], *, slots: range, access: Access
    ) -> AsyncIterator[tuple[str, list[CountedReading]]]:
        """Each home's stored readings of these slots, for verification; the access is logged first (I12)."""
        ...

    async def reading_ends(self, home: str) -> tuple[Slot, Slot] | None:
        """The first and the last slot with a reading of this home; None without any. Reads no value."""
        ...


class ManyHomesStore(PeriodSumStore, Protocol):
    """What is read of many homes at once, so that its cost is not that of one home times their number."""

    async def homes_series(
        self, wanted: Mapping[str, Sequence[Measure]], *, slots: range, access: Access
    ) -> dict[str, dict[Measure, HomeSeries]]:
        """The values of several homes, of each the wanted measures; their access rows are committed first (I12).

        That takes a commit for each set of measures, however many homes want it.
        """
        ...

    async def slots_changed(self, *, after: int | None) -> tuple[int, tuple[tuple[Slot, Slot], ...]]:
        """The newest message's position, and first and last slots of what came after `after`; none for None."""
        ...

    async def newest_since(self, after: int) -> tuple[int, dict[Slot, int]]:
        """The newest message's position, and that of each slot's newest batch among what came after `after`."""
        ...

    async def newest_slot(self) -> Slot | None:
        """The newest slot for which any home's batch has arrived."""
        ...


OF_MEMBER: Final = "of "
"""Begins the name of a member's part; the member's id follows."""

PartPlace = tuple[str, str, str]
"""(local day, name of its state, part): where a part of a day is kept."""


class KeptPartStore(Protocol):
    """What statements are made of, cut out of the books for each member: made again from them where it is lost."""

    async def keep_parts(self, parts: Mapping[PartPlace, bytes]) -> None:
        """Keep these parts in one transaction, in place of what was there."""
        ...

    async def kept_parts(self, places: Sequence[PartPlace]) -> dict[PartPlace, bytes]:
        """Those of these parts that are kept, each found by its key."""
        ...

    async def has_run_group(self, run_key: str) -> bool:
        """Whether it is decided which homes may be seen in this run's numbers: see fix_run_group."""
        ...

    async def drop_parts(self, *, before: str, days: Sequence[str], names: tuple[str, str]) -> None:
        """Forget the parts of days before this one, and of these days the ones with a name from the first of `names` up
        to the second.
        """
        ...


class OldOutlookStore(Protocol):
    """What the years leave of forecasts and weather, so that it can be thinned."""

    async def forecast_issues(self, *, before: Slot) -> tuple[tuple[str, Slot], ...]:
        """(target, slot of issue) of the forecasts issued before this slot, in order."""
        ...

    async def remove_forecasts(self, issues: Sequence[tuple[str, Slot]]) -> None: ...
    async def crowded_hours(self, *, before_s: int) -> tuple[int, ...]:
        """The hours before this time of which more than two issues of the weather are kept."""
        ...

    async def thin_weather(self, hours: Sequence[tuple[int, int]]) -> None:
        """hours: (hour start, known by). Keep the newest issue, and the newest of those issued by then."""
        ...


@dataclass(frozen=True, slots=True)
class RunGroup:
    """What decides whether members see a run: the homes that allow it, plants, whether an earlier release showed it."""

    open_homes: frozenset[str]
    plants: frozenset[str]
    was_shown: bool


class StreetStore(KeptPartStore, Protocol):
    """Street totals as published, with the groups behind them; append-only."""

    async def fix_street_day(self, day: str, *, homes: Sequence[str]) -> tuple[str, ...]:
        """The day's group: these homes, unless the day has a group already."""
        ...

    async def fix_run_group(self, run_key: str, *, homes: Sequence[str], plants: Sequence[str]) -> RunGroup:
        """The run's group: these homes and plants may be seen in its numbers, unless the run has a group already."""
        ...

    async def add_street_totals(self, rows: Sequence[StreetTotal]) -> None:
        """Publish totals; a slot that has one already keeps it."""
        ...

    async def street_totals(self, *, slots: range) -> dict[Slot, StreetTotal]: ...
    async def reporting_homes(
        self, measures: Sequence[Measure], *, slots: range
    ) -> dict[Measure, dict[Slot, frozenset[str]]]:
        """Which homes have a usable quarter-hour value, by measure and slot; no value is read."""
        ...

    async def sending_homes(self, measures: Sequence[Measure], *, slots: range) -> dict[Measure, frozenset[str]]:
        """The same, in any of these slots: it reads one row of a home instead of all."""
        ...
