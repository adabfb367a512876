"""Compares the sums of hours, days and months with the readings they were made from, added up here in another way."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from hub.console.progress import ReportProgress, ignore_progress
from hub.core.periods import PeriodKind, days_in, period_of
from hub.storage.contract import MemberStore
from hub.storage.records import Access
from hub.storage.street_records import CountedReading, PeriodSum, PeriodSumStore
from hub.verify.check_result import CheckResult
from protocols.quantities import Mark, Measure
from protocols.slots import SLOTS_PER_HOUR, Slot

ACCESS: Final = Access(actor="job:verify", role="job", purpose="settle.share", reason="recomputing the sums")

Sums = dict[tuple[PeriodKind, Slot], dict[Measure, tuple[int, int]]]
"""Energy in Wh and covered slots, by period and measure."""


class SumStores(MemberStore, PeriodSumStore, Protocol):
    """The parts of the store that this check needs."""


async def check_sums(store: SumStores, check: CheckResult, *, report: ReportProgress = ignore_progress) -> int:
    """Check every sum of every home, a month of all homes at a time; how many there are. `check` gets what is wrong."""
    tz, through = (await store.coop()).tz, await store.sums_through()
    homes = [home.id for home in await store.homes()]
    ends = {home: found for home in homes if (found := await store.reading_ends(home)) is not None}
    for home in sorted(through):
        if (through[home] + 1) % SLOTS_PER_HOUR or home not in ends or through[home] > ends[home][1]:
            check.note(f"period_home {home}: its sums are said to be made until {through[home]}, which cannot be")
    stored_ends = await store.sum_ends()
    if stored_ends is None and not through:
        return 0
    places = [*(stored_ends or ()), *(slot for found in ends.values() for slot in found)]
    months = list(_months(min(places), max(places), tz))
    count = 0
    for number, month in enumerate(months):
        expected: dict[tuple[PeriodKind, Slot, str], dict[Measure, tuple[int, int]]] = {}
        for home in sorted(through.keys() & ends.keys()):
            # An hour may begin before its month does.
            around = range(period_of(PeriodKind.HOUR, month.start, tz).start, month.stop + SLOTS_PER_HOUR)
            rows = await store.counted_readings(home, slots=around, access=ACCESS)
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


def sums_of(rows: Sequence[CountedReading], within: range, *, through: Slot, tz: str) -> Sums:
    """The sums that a home's readings make of the periods that begin in these slots and are over by `through`."""
    found: Sums = {}
    ends: dict[tuple[Measure, Slot], int] = {}
    for row in rows:
        ends[row.measure, row.slot] = min(row.span, ends.get((row.measure, row.slot), row.span))
    for kind in (PeriodKind.HOUR, PeriodKind.DAY):
        for row in rows:
            period = period_of(kind, row.slot, tz)
            if period.start not in within or period.stop - 1 > through:
                continue
            sums = found.setdefault((kind, period.start), {})
            slots = range(row.slot - row.span + 1, row.slot + 1)
            is_finest = all(ends.get((row.measure, slot), row.span) >= row.span for slot in slots)
            if row.mark <= Mark.DERIVED and slots.start in period and is_finest:
                energy, covered = sums.get(row.measure, (0, 0))
                sums[row.measure] = energy + (row.energy_wh or 0), covered + row.span
    months = {period_of(PeriodKind.MONTH, first, tz) for kind, first in found if kind is PeriodKind.DAY}
    for month in months:
        if month.start in within and month.stop - 1 <= through:
            total: dict[Measure, tuple[int, int]] = defaultdict(lambda: (0, 0))
            for day in days_in(month, tz):
                for measure, (energy, covered) in found.get((PeriodKind.DAY, day.start), {}).items():
                    total[measure] = total[measure][0] + energy, total[measure][1] + covered
            found[PeriodKind.MONTH, month.start] = dict(total)
    return found


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
