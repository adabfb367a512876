"""Compares the sums of hours, days and months with the readings they were made from, added up here in another way."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from hub.console.progress import ReportProgress, ignore_progress
from hub.core.homes.periods import PeriodKind, days_in, period_of
from hub.storage.contract import MemberStore
from hub.storage.records import Access
from hub.storage.street_records import CountedReading, PeriodSum, PeriodSumStore
from hub.verify.check_result import CheckResult
from protocols.quantities import Measure
from protocols.slots import SLOTS_PER_HOUR, Slot

ACCESS: Final = Access(actor="job:verify", role="job", purpose="settle.share", reason="recomputing the sums")

FAR: Final = 2**40
"""A slot beyond all that can be."""

Sums = dict[tuple[PeriodKind, Slot], dict[Measure, tuple[int, int]]]
"""Energy in Wh and covered slots, by period and measure."""


class SumStores(MemberStore, PeriodSumStore, Protocol):
    """The parts of the store that this check needs."""


async def check_sums(
    store: SumStores, check: CheckResult, *, since: Slot | None = None, report: ReportProgress = ignore_progress
) -> int:
    """Check every sum of every home, a month of all homes at a time; how many there are. `check` gets what is wrong.

    With `since`, only the months that end after this slot.
    """
    tz, through = (await store.coop()).tz, await store.sums_through()
    homes = [home.id for home in await store.homes()]
    ends = {home: found for home in homes if (found := await store.reading_ends(home)) is not None}
    for home in sorted(through):
        if (through[home] + 1) % SLOTS_PER_HOUR or home not in ends or through[home] > ends[home][1]:
            check.note(f"period_home {home}: its sums are said to be made until {through[home]}, which cannot be")
    places = [slot for found in ends.values() for slot in found]
    months = list(_months(min(places), max(places), tz)) if places else []
    if months:  # where a month begins inside an hour
        months[0] = range(period_of(PeriodKind.HOUR, months[0].start, tz).start, months[0].stop)
    await _note_sums_elsewhere(store, months, check)
    months = [month for month in months if since is None or month.stop > since]
    count = 0
    for number, month in enumerate(months):
        expected: dict[tuple[PeriodKind, Slot, str], dict[Measure, tuple[int, int]]] = {}
        # The month's last hour may end after it does.
        around = range(month.start, month.stop + SLOTS_PER_HOUR)
        counted = sorted(through.keys() & ends.keys())
        async for home, rows in store.counted_readings(counted, slots=around, access=ACCESS):
            sums = sums_of(rows, month, through=through[home], tz=tz)
            expected |= {(kind, first, home): energy for (kind, first), energy in sums.items()}
        for kind in PeriodKind:
            for each in await store.stored_sums(kind, slots=month):
                count += 1
                _compare(each, expected.pop((kind, each.first_slot, each.home), None), check, tz=tz)
        for kind, first, home in sorted(expected):
            check.note(f"period_sum {home}: the {kind.name.lower()} from {first} has readings and no sum")
        report("months of sums", number + 1, len(months))
    return count


async def _note_sums_elsewhere(store: SumStores, months: Sequence[range], check: CheckResult) -> None:
    """Sums before the first month with a reading and after the last: nothing can have made them."""
    first, last = (months[0].start, months[-1].stop) if months else (0, 0)
    for kind in PeriodKind:
        for outside in (range(-FAR, first), range(last, FAR)):
            for each in await store.stored_sums(kind, slots=outside):
                check.note(f"period_sum {each.home}: the {kind.name.lower()} from {each.first_slot} has no readings")


def sums_of(rows: Sequence[CountedReading], within: range, *, through: Slot, tz: str) -> Sums:
    """The sums that a home's readings make of the periods that begin in these slots and are over by `through`."""
    found: Sums = {}
    # Of totals of several slots there are few: what ends where is looked up for them alone.
    finest: dict[tuple[int, Slot], int] = {}
    for row in rows if any(row.span > 1 for row in rows) else ():
        finest[row.measure, row.slot] = min(row.span, finest.get((row.measure, row.slot), row.span))
    for kind in (PeriodKind.HOUR, PeriodKind.DAY):
        period, is_wanted, sums = range(0), False, dict[Measure, tuple[int, int]]()
        for row in rows:
            measure, slot, span, energy_wh, mark = row
            if not period.start <= slot < period.stop:
                period = period_of(kind, slot, tz)
                is_wanted = period.start in within and period.stop - 1 <= through
                sums = found.setdefault((kind, period.start), {}) if is_wanted else {}
            if is_wanted and energy_wh is not None and mark <= 1 and (span == 1 or _counts(row, period, finest)):
                energy, covered = sums.get(measure, (0, 0))  # type: ignore[call-overload]
                sums[Measure(measure)] = energy + energy_wh, covered + span
    months = {period_of(PeriodKind.MONTH, first, tz) for kind, first in found if kind is PeriodKind.DAY}
    for month in months:
        if month.start in within and month.stop - 1 <= through:
            total: dict[Measure, tuple[int, int]] = defaultdict(lambda: (0, 0))
            for day in days_in(month, tz):
                for measure, (energy, covered) in found.get((PeriodKind.DAY, day.start), {}).items():
                    total[measure] = total[measure][0] + energy, total[measure][1] + covered
            found[PeriodKind.MONTH, month.start] = dict(total)
    return found


def _counts(row: CountedReading, period: range, finest: Mapping[tuple[int, Slot], int]) -> bool:
    """Whether it lies wholly in the period, and nothing finer of its measure ends within it."""
    slots = range(row.slot - row.span + 1, row.slot + 1)
    return slots.start in period and all(finest.get((row.measure, slot), row.span) >= row.span for slot in slots)


def _months(first: Slot, last: Slot, tz: str) -> Iterator[range]:
    month = period_of(PeriodKind.MONTH, first, tz)
    while month.start <= last:
        yield month
        month = period_of(PeriodKind.MONTH, month.stop, tz)


def _compare(
    stored: PeriodSum, expected: Mapping[Measure, tuple[int, int]] | None, check: CheckResult, *, tz: str
) -> None:
    held = {m: (stored.energy_wh[m], stored.covered.get(m)) for m in stored.energy_wh}
    length = len(period_of(stored.kind, stored.first_slot, tz))
    is_alike = held == expected and stored.energy_wh.keys() == stored.covered.keys() and stored.slots == length
    if not is_alike:
        period = f"the {stored.kind.name.lower()} from {stored.first_slot}"
        what = "no readings that it could be of" if expected is None else "other readings"
        check.note(f"period_sum {stored.home}: {period} has a sum, and {what}")
