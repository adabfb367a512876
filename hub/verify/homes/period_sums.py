"""Compares the sums of hours, days and months with the readings they were made from, added up here in another way."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from struct import pack
from typing import Final, NamedTuple, Protocol

from hub.console.progress import ReportProgress, ignore_progress
from hub.core.homes.periods import PeriodKind, days_in, period_of
from hub.storage.contract import MemberStore
from hub.storage.records import Access
from hub.storage.street_records import CountedReading, PeriodSum, PeriodSumStore
from hub.verify.check_result import CheckResult
from protocols.slots import SLOTS_PER_HOUR, Slot

ACCESS: Final = Access(actor="job:verify", role="job", purpose="settle.share", reason="recomputing the sums")

FAR: Final = 2**40
"""A slot beyond all that can be."""

Sums = dict[tuple[PeriodKind, Slot], dict[int, list[int]]]
"""Energy in Wh and covered slots, by period and the measure's number."""


class SumStores(MemberStore, PeriodSumStore, Protocol):
    """The parts of the store that this check needs."""


class WrongSum(NamedTuple):
    """A sum that is not that of its home's readings: one too many, another one, or one that is missing."""

    kind: PeriodKind
    first_slot: Slot
    home: str
    words: str


Ends = Mapping[str, tuple[Slot, Slot]]
"""The first and last slot with a reading of each home that has any."""


class LookElsewhere(Protocol):
    """Looks at a month in another process, as `look_at_month` does here."""

    async def __call__(self, month: range, homes: Sequence[str], *, tz: str) -> set[WrongSum]: ...


async def check_sums(
    store: SumStores,
    check: CheckResult,
    *,
    since: Slot | None = None,
    elsewhere: LookElsewhere | None = None,
    report: ReportProgress = ignore_progress,
) -> int:
    """Check every sum of every home; how many are wrong. `check` gets them. The others as in `find_wrong_sums`."""
    ends, impossible = await find_ends(store)
    for home in sorted(impossible):
        check.note(f"period_home {home}: its sums are said to be made further than its readings, which cannot be")
    count = len(impossible)
    async for each in find_wrong_sums(store, ends, since=since, elsewhere=elsewhere, report=report):
        check.note(f"period_sum {each.home}: {each.words}")
        count += 1
    return count


async def find_ends(store: SumStores) -> tuple[Ends, frozenset[str]]:
    """Where each home's readings begin and end, and the homes whose sums are said to be made further than that."""
    ends, impossible = await _ends_of_homes(store, [home.id for home in await store.homes()])
    if impossible:  # intake goes on meanwhile
        _, again = await _ends_of_homes(store, sorted(impossible))
        impossible &= again
    return ends, frozenset(impossible)


async def find_wrong_sums(
    store: SumStores,
    ends: Ends,
    *,
    since: Slot | None = None,
    elsewhere: LookElsewhere | None = None,
    report: ReportProgress = ignore_progress,
) -> AsyncIterator[WrongSum]:
    """Look at a month of all homes at a time: what is wrong in it, hours before days and days before the month.

    With `since`, only the months that end after this slot. Intake goes on meanwhile: what differs is read again, and
    only what differs both times is wrong. With `elsewhere`, several months are looked at at once.
    """
    tz = (await store.coop()).tz
    places = [slot for found in ends.values() for slot in found]
    months = list(_months(min(places), max(places), tz)) if places else []
    if months:  # where a month begins inside an hour
        months[0] = range(period_of(PeriodKind.HOUR, months[0].start, tz).start, months[0].stop)
    async for wrong in _sums_elsewhere(store, months):
        yield wrong
    months = [month for month in months if since is None or month.stop > since]
    homes = sorted(ends)
    begun = [asyncio.ensure_future(elsewhere(month, homes, tz=tz)) for month in months] if elsewhere else []
    try:
        for number, month in enumerate(months):
            found = await (begun[number] if begun else look_at_month(store, month, homes, tz=tz))
            if found:
                again = await look_at_month(store, month, sorted({each.home for each in found}), tz=tz)
                for wrong in sorted(found & again):
                    yield wrong
            report("months of sums", number + 1, len(months))
    finally:
        for each in begun:
            each.cancel()


async def look_at_month(store: SumStores, month: range, homes: Sequence[str], *, tz: str) -> set[WrongSum]:
    """Compare this month's sums with the readings of these homes; those of any other home have none.

    What is held at once is small: the month's own sums of all homes as bytes, and a day of those that are stored.
    """
    through, wrong = await store.sums_through(), set[WrongSum]()
    expected: dict[tuple[PeriodKind, Slot], dict[str, bytes]] = defaultdict(dict)
    # The month's last hour may end after it does.
    around = range(month.start, month.stop + SLOTS_PER_HOUR)
    counted = [home for home in homes if home in through]
    async for home, rows in store.counted_readings(counted, slots=around, access=ACCESS):
        for (kind, first), energy in sums_of(rows, month, through=through[home], tz=tz).items():
            expected[kind, first][home] = _packed(energy)
    wanted = set(homes)
    for day in days_in(month, tz):
        for kind in PeriodKind:
            for each in await store.stored_sums(kind, slots=range(max(day.start, month.start), day.stop)):
                if each.home in wanted or each.home not in through:
                    found = expected.get((kind, each.first_slot), {}).pop(each.home, None)
                    if words := _difference(each, found, tz=tz):
                        wrong.add(WrongSum(kind, each.first_slot, each.home, words))
    for (kind, first), by_home in expected.items():
        words = f"the {kind.name.lower()} from {first} has readings and no sum"
        wrong |= {WrongSum(kind, first, home, words) for home in by_home}
    return wrong


async def _ends_of_homes(store: SumStores, homes: Sequence[str]) -> tuple[dict[str, tuple[Slot, Slot]], set[str]]:
    """The first and last slot with a reading of each home that has any, and the homes whose sums go beyond that."""
    through, wanted = await store.sums_through(), set(homes)
    ends = {home: found for home in homes if (found := await store.reading_ends(home)) is not None}
    beyond = {
        home
        for home, slot in through.items()
        if (home in wanted or home not in ends)
        and ((slot + 1) % SLOTS_PER_HOUR or home not in ends or slot > ends[home][1])
    }
    return ends, beyond


async def _sums_elsewhere(store: SumStores, months: Sequence[range]) -> AsyncIterator[WrongSum]:
    """Sums before the first month with a reading and after the last: nothing can have made them."""
    first, last = (months[0].start, months[-1].stop) if months else (0, 0)
    for kind in PeriodKind:
        for outside in (range(-FAR, first), range(last, FAR)):
            for each in await store.stored_sums(kind, slots=outside):
                ends = await store.reading_ends(each.home)
                if ends is None or each.first_slot > ends[1] or each.first_slot + each.slots <= ends[0]:
                    words = f"the {kind.name.lower()} from {each.first_slot} has no readings"
                    yield WrongSum(kind, each.first_slot, each.home, words)


def sums_of(rows: Sequence[CountedReading], within: range, *, through: Slot, tz: str) -> Sums:
    """The sums that a home's readings make of the periods that begin in these slots and are over by `through`."""
    found: Sums = {}
    # Of totals of several slots there are few: what ends where is looked up for them alone.
    finest: dict[tuple[int, Slot], int] = {}
    for measure, slot, span, _, _ in rows if any(row[2] > 1 for row in rows) else ():
        finest[measure, slot] = min(span, finest.get((measure, slot), span))
    for kind in (PeriodKind.HOUR, PeriodKind.DAY):
        period, start, stop, is_wanted, sums = range(0), 0, 0, False, dict[int, list[int]]()
        for row in rows:
            measure, slot, span, energy_wh, mark = row
            if not start <= slot < stop:
                period = period_of(kind, slot, tz)
                start, stop = period.start, period.stop
                is_wanted = start in within and stop - 1 <= through
                sums = found.setdefault((kind, start), {}) if is_wanted else {}
            if is_wanted and energy_wh is not None and mark <= 1 and (span == 1 or _counts(row, period, finest)):
                if (sum_ := sums.get(measure)) is None:
                    sums[measure] = [energy_wh, span]
                else:
                    sum_[0] += energy_wh
                    sum_[1] += span
    months = {period_of(PeriodKind.MONTH, first, tz) for kind, first in found if kind is PeriodKind.DAY}
    for month in months:
        if month.start in within and month.stop - 1 <= through:
            total: dict[int, list[int]] = defaultdict(lambda: [0, 0])
            for day in days_in(month, tz):
                for measure, (energy, covered) in found.get((PeriodKind.DAY, day.start), {}).items():
                    total[measure][0] += energy
                    total[measure][1] += covered
            found[PeriodKind.MONTH, month.start] = dict(total)
    return found


def _counts(row: CountedReading, period: range, finest: Mapping[tuple[int, Slot], int]) -> bool:
    """Whether it lies wholly in the period, and nothing finer of its measure ends within it."""
    measure, last, span, _, _ = row
    slots = range(last - span + 1, last + 1)
    return slots.start in period and all(finest.get((measure, slot), span) >= span for slot in slots)


def _months(first: Slot, last: Slot, tz: str) -> Iterator[range]:
    month = period_of(PeriodKind.MONTH, first, tz)
    while month.start <= last:
        yield month
        month = period_of(PeriodKind.MONTH, month.stop, tz)


def _packed(sums: Mapping[int, Sequence[int]]) -> bytes:
    """Sums as bytes, of which a month of many homes is held at once."""
    return b"".join(pack("<iqi", measure, *sums[measure]) for measure in sorted(sums))


def _difference(stored: PeriodSum, expected: bytes | None, *, tz: str) -> str:
    """What is wrong with this sum; empty if it is what the readings make."""
    length = len(period_of(stored.kind, stored.first_slot, tz))
    is_even = stored.energy_wh.keys() == stored.covered.keys() and stored.slots == length
    if is_even and expected == _packed({m: (stored.energy_wh[m], stored.covered[m]) for m in stored.energy_wh}):
        return ""
    what = "no readings that it could be of" if expected is None else "other readings"
    return f"the {stored.kind.name.lower()} from {stored.first_slot} has a sum, and {what}"
